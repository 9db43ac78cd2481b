"""Continuing a prefix, greedily as in the book or by drawing from the distribution."""

from __future__ import annotations

import numbers
import warnings

import numpy as np
import paddle
from paddle import nn
from tqdm import tqdm

from .fast import is_understood
from .models import evaluation_mode, parameters_of, registered_cell
from .text import Vocab, check_whole, tokenize

_PIECE = 512  # tokens of a prefix read at a time, so that memory stays small
# Shown after a second, and not where it would be saved: in a file, in a notebook.
_BAR = {"unit": "token", "delay": 1, "leave": False, "disable": None}


def _listed(tokens: set[str]) -> str:
    """Tokens in order, quoted so that none can drive a terminal; of many the first."""
    shown = " ".join(map(repr, sorted(tokens)))
    return shown if len(shown) <= 150 else shown[:150] + "…"


def _read_prefix(prefix, vocab: Vocab) -> list[str]:
    """The tokens of a prefix: a list as it is, a string as the training text was."""
    if not isinstance(prefix, (str, list, tuple)):
        raise ValueError(
            f"the prefix is {prefix!r:.60}; it must be a text or a list of tokens."
        )
    kind = "character" if vocab.token == "char" else "word"
    replaced = set()
    if isinstance(prefix, str):
        tokens = tokenize([vocab.prefix(prefix)], vocab.token)[0]
        visible = {c for c in prefix if not c.isspace()}
        replaced = {c for c in visible if vocab.prefix(c) == " "}
    else:
        tokens = list(prefix)
    if not tokens:
        found = "is empty" if not prefix else f"has no {kind} that the model could read"
        raise ValueError(f"the prefix {found}; give at least one {kind}.")
    if replaced:
        warnings.warn(
            "the prefix has other characters than the letters a to z, "
            f"{_listed(replaced)}; the model reads a space there, as in its training "
            "text.",
            stacklevel=3,
        )
    unknown = {token for token in tokens if token not in vocab}
    if unknown:
        warnings.warn(
            f"the prefix has {kind}s that the model never saw, {_listed(unknown)}; "
            "they become <unk>.",
            stacklevel=3,
        )
    return tokens


def _place(net):
    """Where a model's parameters are; None, for the default device, if it has none."""
    if isinstance(net, nn.Layer) or hasattr(net, "params"):
        for parameter in parameters_of(net).values():
            return parameter.place
    return None


def check_sampling(temperature: float, top_k: int | None) -> None:
    """Refuse with a ValueError a temperature or a `top_k` that cannot be.

    A temperature is a finite number, 0 or more; a `top_k` a whole number from 1.
    """
    number = isinstance(temperature, numbers.Real)
    if not number or not np.isfinite(temperature) or temperature < 0:
        raise ValueError(
            f"temperature is {temperature}; it must be a finite number, 0 or more."
        )
    if top_k is not None:
        check_whole("top_k", top_k, 1)


def next_token_probabilities(y, temperature: float = 1.0, top_k: int | None = None):
    """The distribution that the next token is drawn from.

    Args:
        y: (vocab_size,), scores of the model; index 0, `<unk>`, gets probability 0.
        temperature: the scores are divided by it: below 1 sharper, above 1 flatter; 0
            puts everything on the best.
        top_k: only the `top_k` best tokens keep a probability.

    Returns:
        (vocab_size,), float64, sums to 1.

    Raises:
        ValueError: for a temperature or a `top_k` that cannot be.
    """
    check_sampling(temperature, top_k)
    y = np.array(y, dtype=np.float64)
    y[0] = -np.inf  # <unk>
    if top_k is not None and top_k < len(y) - 1:
        y[np.argsort(-y, kind="stable")[top_k:]] = -np.inf
    if temperature == 0:
        return np.eye(len(y))[y.argmax()]
    p = np.exp((y - y.max()) / temperature)
    return p / p.sum()


class _OneHot:
    """A one-hot row: its product with a matrix is one of the matrix's rows, a copy."""

    def __init__(self, index: int):
        self.index = index

    def __matmul__(self, W):
        return W[self.index].copy()


def _numpy_reader(cell, net):
    """`_reader` for a cell whose step is understood: the same, on NumPy's arrays.

    For a batch of one, most of what Paddle's operators cost is calling them.
    """
    *params, W_hq, b_q = (param.numpy() for param in net.params)
    state = tuple(s.numpy()[0] for s in net.begin_state(batch_size=1))  # each (h,)

    def read(tokens):
        nonlocal state
        for token in tokens:
            state = cell.step(_OneHot(token), state, params)
        return state[0] @ W_hq + b_q

    return read


def _reader(net, place):
    """A function that reads tokens, and gives the scores (vocab_size,) of the next."""
    cell = registered_cell(net)
    if cell and is_understood(cell):
        return _numpy_reader(cell, net)
    state = net.begin_state(batch_size=1)

    def read(tokens):
        nonlocal state
        X = paddle.to_tensor([tokens], dtype="int64", place=place)
        scores, state = net(X, state)
        return scores[-1].numpy()

    return read


def generate(
    prefix,
    num_preds: int,
    net,
    vocab,
    device=None,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    seed: int | None = None,
) -> str:
    """Continue a prefix by `num_preds` tokens.

    No gradient is recorded, no state is kept between calls, and a Layer is put into
    evaluation mode for the time of the call. A long prefix is read in pieces of 512
    tokens, from which the state is carried on; the backward direction of a
    bidirectional layer sees a piece at a time. What takes longer than a second shows a
    bar, on a terminal.

    Args:
        prefix: a string, which is brought into the form of the training text
            (`Vocab.prefix`); or a list of tokens, taken as they are. Warnings list the
            characters that became a space, and the tokens outside the vocabulary, which
            are `<unk>` to the model.
        num_preds: how many tokens to add; 0 returns the prefix.
        net, vocab: the model and its vocabulary.
        device: where to put the tokens; by default where the parameters are.
        temperature: 0 always takes the best token (greedy); otherwise tokens are drawn
            from softmax(scores / temperature).
        top_k: draw from the `top_k` best tokens only.
        seed: of the draws, from 0 to 2**32 - 1; the same seed gives the same text.

    Returns:
        The prefix as the model reads it and what follows; words are joined by spaces.
        `<unk>` is never among what follows.

    Raises:
        ValueError: for an empty prefix, numbers that cannot be, or a model whose scores
            are not finite.
    """
    check_whole("num_preds", num_preds, 0)
    check_sampling(temperature, top_k)
    if seed is not None:
        check_whole("seed", seed, 0, 2**32 - 1)
    if not isinstance(vocab, Vocab):  # the book's own
        vocab = Vocab(vocab.idx_to_token[1:])
    place = _place(net) if device is None else device
    draw = np.random.default_rng(seed)
    tokens = _read_prefix(prefix, vocab)
    inputs = vocab[tokens]
    total = len(inputs) + max(num_preds - 1, 0)  # the last token is not read
    quiet = np.errstate(all="ignore")  # what is not finite is refused in our words
    with evaluation_mode(net), quiet, tqdm(total=total, **_BAR) as bar:
        read = _reader(net, place)
        for _ in range(num_preds):
            for start in range(0, len(inputs), _PIECE):
                piece = inputs[start : start + _PIECE]
                y = read(piece)
                bar.update(len(piece))
            if not np.isfinite(y).all():
                raise ValueError("the model's scores are not finite numbers.")
            if temperature == 0:
                i = 1 + int(y[1:].argmax())  # 0 is <unk>
            else:
                p = next_token_probabilities(y, temperature, top_k)
                i = int(draw.choice(len(p), p=p))
            tokens.append(vocab.to_tokens(i))
            inputs = [i]
    return vocab.separator.join(tokens)


def predict_ch8(prefix, num_preds, net, vocab, device=None) -> str:
    """Continue a prefix greedily: always with the most probable token.

    Source: d2l, "RNN from scratch". See `generate`.
    """
    return generate(prefix, num_preds, net, vocab, device)
