"""Continuing a prefix: greedily as in the book, by a beam search, or by drawing."""

from __future__ import annotations

import math
import numbers
import warnings

import numpy as np
import paddle
from paddle import nn
from paddle.utils import flatten, pack_sequence_as
from tqdm import tqdm

from .fast import is_understood
from .models import evaluation_mode, parameters_of, registered_cell
from .text import Vocab, check_whole, tokenize

_PIECE = 512  # tokens of a prefix read at a time, so that memory stays small
_LARGEST_BEAM = 1000
_SMALL = 2**18  # multiplications of a product that OpenBLAS computes in one thread
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


def _our_vocab(vocab) -> Vocab:
    """The vocabulary, also of the book's own class."""
    return vocab if isinstance(vocab, Vocab) else Vocab(vocab.idx_to_token[1:])


def _place(net):
    """Where a model's parameters are; None, for the default device, if it has none."""
    if isinstance(net, nn.Layer) or hasattr(net, "params"):
        for parameter in parameters_of(net).values():
            return parameter.place
    return None


def check_sampling(
    temperature: float, top_k: int | None = None, top_p: float | None = None
) -> None:
    """Refuse with a ValueError a temperature, `top_k` or `top_p` that cannot be.

    A temperature is a finite number, 0 or more; a `top_k` a whole number from 1; a
    `top_p` a number above 0, at most 1.
    """
    try:
        value = float(temperature) if isinstance(temperature, numbers.Real) else -1.0
    except OverflowError:  # a whole number of hundreds of digits
        value = math.inf
    if not 0 <= value < math.inf:
        raise ValueError(
            f"temperature is {temperature!s:.60}; it must be a finite number, 0 or "
            "more."
        )
    if top_k is not None:
        check_whole("top_k", top_k, 1)
    if top_p is not None and not (isinstance(top_p, numbers.Real) and 0 < top_p <= 1):
        raise ValueError(f"top_p is {top_p}; it must be a number above 0, at most 1.")


def check_decoding(
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beam_size: int = 1,
) -> None:
    """Refuse with a ValueError what cannot be, or does not go together.

    A beam search draws nothing, nor does temperature 0: a setting that would have no
    effect there is an error.
    """
    check_sampling(temperature, top_k, top_p)
    check_whole("beam_size", beam_size, 1, _LARGEST_BEAM)
    if beam_size > 1 and temperature > 0:
        raise ValueError(
            f"beam_size is {beam_size} and temperature {temperature:g}; a beam search "
            "draws nothing, so give one of the two."
        )
    for name, value in (("top_k", top_k), ("top_p", top_p)):
        if value is not None and temperature == 0:
            raise ValueError(
                f"{name} is {value} and temperature 0, at which nothing is drawn; give "
                f"a temperature above 0, or no {name}."
            )


def next_token_probabilities(
    y,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
):
    """The distribution that the next token is drawn from.

    The temperature comes first, then `top_k`, then `top_p`, each for what the one
    before has left.

    Args:
        y: (vocab_size,), scores of the model; index 0, `<unk>`, gets probability 0.
        temperature: the scores are divided by it: below 1 sharper, above 1 flatter; 0
            puts everything on the best.
        top_k: only the `top_k` best tokens keep a probability.
        top_p: only the fewest best tokens that have this probability together, to
            rounding, keep one: at least one token; 1 keeps all.

    Returns:
        (vocab_size,), float64, sums to 1. Of equal scores the first is the best.

    Raises:
        ValueError: for a temperature, a `top_k` or a `top_p` that cannot be.

    Source: top-k: Fan, Lewis and Dauphin 2018; top-p: Holtzman et al. 2020.
    """
    check_sampling(temperature, top_k, top_p)
    y = np.array(y, dtype=np.float64)
    y[0] = -np.inf  # <unk>
    if temperature == 0:
        temperature, top_k = 1.0, 1
    if top_k is not None:
        y[np.argsort(-y, kind="stable")[top_k:]] = -np.inf
    p = np.exp((y - y.max()) / temperature)
    p /= p.sum()
    if top_p is not None and top_p < 1:
        order = np.argsort(-p, kind="stable")
        missing = top_p - p[order].cumsum() > 1e-12  # after each; to rounding
        p[order[1 + missing.sum() :]] = 0
        p /= p.sum()
    return p


class OneHot:
    """One-hot rows: their product with a matrix is some of its rows, a copy.

    Of one index a vector, of (rows,) indices a matrix.
    """

    def __init__(self, index):
        self.index = index

    def __matmul__(self, W):
        return W[self.index].copy()


class _NumpyReader:
    """A `_Reader` for a cell whose step is understood: the same, on NumPy's arrays.

    For a few rows, most of what Paddle's operators cost is calling them. One row is a
    vector. More are taken a few at a time, in products so small that NumPy's library
    computes them in one thread: several wait for each other longer than they compute.
    """

    def __init__(self, cell, net):
        *self.params, self.W_hq, self.b_q = (param.numpy() for param in net.params)
        self.step, self.size = cell.step, max(1, _SMALL // net.num_hiddens**2)
        self.state = tuple(s.numpy()[0] for s in net.begin_state(batch_size=1))

    def _read(self, steps, state):
        for tokens in steps:
            state = self.step(OneHot(tokens), state, self.params)
        return state[0] @ self.W_hq + self.b_q, *state

    def read(self, X):
        if self.state[0].ndim == 1:
            y, *self.state = self._read(X[0].tolist(), self.state)
            return y[None]
        pieces = []
        for start in range(0, len(X), self.size):
            rows = slice(start, start + self.size)
            pieces.append(self._read(X[rows].T, [s[rows] for s in self.state]))
        y, *self.state = map(np.concatenate, zip(*pieces))
        return y

    def keep(self, rows):
        self.state = [np.atleast_2d(s)[rows] for s in self.state]


class _Reader:
    """What reads tokens into a state that it keeps, one row after one prefix."""

    def __init__(self, net, place):
        self.net, self.place = net, place
        self.state, self.axes = net.begin_state(batch_size=1), None

    def read(self, X):
        """Scores (rows, vocab_size) after X (rows, steps) of token indices."""
        X = paddle.to_tensor(X, dtype="int64", place=self.place)
        scores, self.state = self.net(X, self.state)
        return scores[-len(X) :].numpy()

    def keep(self, rows):
        """Go on from these rows, in this order; one may stand there several times."""
        if self.axes is None:  # where the rows are: what changes with their number
            one, two = (self._sizes(self.net.begin_state(batch_size=n)) for n in (1, 2))
            self.axes = [np.flatnonzero(np.not_equal(*both)) for both in zip(one, two)]
        parts = flatten(self.state)
        if len(parts) != len(self.axes):
            raise ValueError(
                "the model's state has another form than at the beginning; a beam "
                "search cannot tell where its rows are."
            )
        index = paddle.to_tensor(rows, dtype="int64", place=self.place)
        for i, axes in enumerate(self.axes):
            for axis in axes:
                parts[i] = paddle.index_select(parts[i], index, int(axis))
        self.state = pack_sequence_as(self.state, parts)

    @staticmethod
    def _sizes(state):
        """The shape of every part of a state."""
        return [getattr(part, "shape", ()) for part in flatten(state)]


def _reader(net, place):
    cell = registered_cell(net)
    if cell and is_understood(cell):
        return _NumpyReader(cell, net)
    return _Reader(net, place)


def _read_all(reader, inputs: list[int], bar=None):
    """Scores (1, vocab_size) after a prefix, which is read in pieces."""
    for start in range(0, len(inputs), _PIECE):
        y = reader.read(np.array([inputs[start : start + _PIECE]]))
        if bar is not None:
            bar.update(min(_PIECE, len(inputs) - start))
    return _checked(y)


def _checked(y):
    if not np.isfinite(y).all():
        raise ValueError("the model's scores are not finite numbers.")
    return y


def _log_softmax(y):
    """Logarithms of the probabilities of all tokens but `<unk>`, (rows, tokens - 1)."""
    y = y[:, 1:].astype(np.float64)
    y -= y.max(axis=1, keepdims=True)
    return y - np.log(np.exp(y).sum(axis=1, keepdims=True))


def _best(totals, scores, number: int):
    """Rows and columns of the largest `totals`, the largest first.

    Of equal ones the earlier row, in a row the larger score, then the earlier column.
    """
    flat = totals.ravel()
    number = min(number, flat.size)
    least = np.partition(flat, flat.size - number)[flat.size - number]
    found = np.flatnonzero(flat >= least)
    rows, columns = np.divmod(found, totals.shape[1])
    order = np.lexsort((columns, -scores[rows, columns], rows, -flat[found]))
    return rows[order[:number]], columns[order[:number]]


def _search_beam(reader, y, num_preds: int, beam_size: int, bar=None) -> list[int]:
    """The most probable of `beam_size` texts that are carried on side by side.

    Args:
        y: (1, vocab_size), scores after the prefix that `reader` has read.

    Returns:
        The indices of its `num_preds` tokens.
    """
    total, steps = np.zeros(1), []
    while True:
        totals = total[:, None] + _log_softmax(y)
        rows, columns = _best(totals, y[:, 1:], beam_size)
        total = totals[rows, columns]
        steps.append((rows, columns))
        if len(steps) == num_preds:
            break
        reader.keep(rows)
        y = _checked(reader.read(1 + columns[:, None]))
        if bar is not None:
            bar.update()
    row, tokens = 0, []
    for rows, columns in reversed(steps):
        tokens.append(1 + int(columns[row]))  # 0 is <unk>
        row = rows[row]
    return tokens[::-1]


def _draw(reader, y, num_preds: int, choose, bar=None) -> list[int]:
    """`num_preds` tokens, one after the other as `choose` finds them in the scores."""
    tokens = []
    for t in range(num_preds):
        if t:
            y = _checked(reader.read(np.array([tokens[-1:]])))
            if bar is not None:
                bar.update()
        tokens.append(choose(y[0]))
    return tokens


def generate(
    prefix,
    num_preds: int,
    net,
    vocab,
    device=None,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beam_size: int = 1,
    seed: int | None = None,
) -> str:
    """Continue a prefix by `num_preds` tokens.

    Greedily, unless there is a temperature, at which tokens are drawn, or a
    `beam_size`, with which the most probable text is looked for rather than the most
    probable next token. All of its texts are of one length, so their probabilities are
    compared as they are. It is not sure to find the most probable one.

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
        top_p: draw from the fewest best tokens only that have this probability together
            at the temperature; see `next_token_probabilities`.
        beam_size: how many texts are carried on side by side, up to 1,000: at every
            step the most probable of all their continuations; 1 is greedy.
        seed: of the draws, from 0 to 2**32 - 1; the same seed gives the same text.

    Returns:
        The prefix as the model reads it and what follows; words are joined by spaces.
        `<unk>` is never among what follows.

    Raises:
        ValueError: for an empty prefix, numbers that cannot be or do not go together,
            or a model whose scores are not finite.

    Source: beam search: d2l, "Beam Search".
    """
    check_whole("num_preds", num_preds, 0)
    check_decoding(temperature, top_k, top_p, beam_size)
    if seed is not None:
        check_whole("seed", seed, 0, 2**32 - 1)
    vocab = _our_vocab(vocab)
    place = _place(net) if device is None else device
    random = np.random.default_rng(seed)
    tokens = _read_prefix(prefix, vocab)
    if num_preds == 0:
        return vocab.separator.join(tokens)

    def greedy(y):
        return 1 + int(y[1:].argmax())  # 0 is <unk>

    def draw(y):
        p = next_token_probabilities(y, temperature, top_k, top_p)
        return int(random.choice(len(p), p=p))

    total = len(tokens) + num_preds - 1  # the last token is not read
    quiet = np.errstate(all="ignore")  # what is not finite is refused in our words
    with evaluation_mode(net), quiet, tqdm(total=total, **_BAR) as bar:
        reader = _reader(net, place)
        y = _read_all(reader, vocab[tokens], bar)
        if beam_size > 1:
            added = _search_beam(reader, y, num_preds, beam_size, bar)
        else:
            choose = greedy if temperature == 0 else draw
            added = _draw(reader, y, num_preds, choose, bar)
    return vocab.separator.join(tokens + vocab.to_tokens(added))


def log_probabilities(prefix, continuation, net, vocab, device=None) -> np.ndarray:
    """How probable a model finds every token of a continuation.

    With `<unk>` left out, as when it writes. The sum is the logarithm of the
    probability of the whole continuation, exp of minus the mean its perplexity.

    Args:
        prefix, net, vocab, device: see `generate`.
        continuation: a list of tokens, or a string of them, as they are.

    Returns:
        (tokens,), float64: natural logarithms; minus infinity for a token that the
        model does not know.

    Raises:
        ValueError: for an empty prefix, or a model whose scores are not finite.
    """
    vocab = _our_vocab(vocab)
    place = _place(net) if device is None else device
    inputs = vocab[_read_prefix(prefix, vocab)]
    if isinstance(continuation, str):
        continuation = tokenize([continuation], vocab.token)[0]
    tokens, found = vocab[list(continuation)], []
    with evaluation_mode(net), np.errstate(all="ignore"):
        reader = _reader(net, place)
        for token in tokens:
            y = _read_all(reader, inputs)
            found.append(_log_softmax(y)[0, token - 1] if token else -np.inf)
            inputs = [token]
    return np.array(found)


def predict_ch8(prefix, num_preds, net, vocab, device=None) -> str:
    """Continue a prefix greedily: always with the most probable token.

    Source: d2l, "RNN from scratch". See `generate`.
    """
    return generate(prefix, num_preds, net, vocab, device)
