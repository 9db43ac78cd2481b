"""Continuing a prefix, greedily as in the book or by drawing from the distribution."""

from __future__ import annotations

import warnings

import numpy as np
import paddle
from paddle import nn


def _encode_prefix(prefix, vocab) -> list[int]:
    """Token indices of a prefix: the characters of a string, or a list of tokens."""
    if len(prefix) == 0:
        raise ValueError("the prefix is empty; give at least one character.")
    unknown = sorted({token for token in prefix if token not in vocab.token_to_idx})
    if unknown:
        warnings.warn(
            f"the prefix has characters that the model never saw, "
            f"{' '.join(map(repr, unknown))}; they become <unk>.",
            stacklevel=3,
        )
    return vocab[list(prefix)]


def _decode(prefix, indices, vocab) -> str:
    """The prefix as given and the tokens after it; words are joined by spaces."""
    separator = "" if isinstance(prefix, str) else " "
    return separator.join([*prefix, *vocab.to_tokens(indices)])


def check_sampling(temperature: float, top_k: int | None) -> None:
    """Refuse a negative temperature and a `top_k` below 1, with a ValueError."""
    if temperature < 0 or not np.isfinite(temperature):
        raise ValueError(f"temperature is {temperature}; it must be 0 or more.")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}; it must be at least 1.")


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
        ValueError: for a negative temperature, or a `top_k` below 1.
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
    evaluation mode for the time of the call.

    Args:
        prefix: a string, or a list of tokens for a model of words. Tokens outside the
            vocabulary are `<unk>` to the model, with a warning that lists them.
        num_preds: how many tokens to add; 0 returns the prefix.
        net, vocab: the model and its vocabulary.
        device: where to compute; by default where the parameters are.
        temperature: 0 always takes the best token (greedy); otherwise tokens are drawn
            from softmax(scores / temperature).
        top_k: draw from the `top_k` best tokens only.
        seed: of the draws; the same seed gives the same text.

    Returns:
        The prefix and what follows. `<unk>` is never among what follows.

    Raises:
        ValueError: for an empty prefix, a negative `num_preds` or `temperature`, or a
            `top_k` below 1.
    """
    if num_preds < 0:
        raise ValueError(f"num_preds is {num_preds}; it must be 0 or more.")
    check_sampling(temperature, top_k)
    draw = np.random.default_rng(seed)
    inputs, outputs = _encode_prefix(prefix, vocab), []
    was_training = isinstance(net, nn.Layer) and net.training
    if was_training:
        net.eval()
    try:
        with paddle.no_grad():
            state = net.begin_state(batch_size=1)
            for _ in range(num_preds):
                X = paddle.to_tensor([inputs], dtype="int64", place=device)
                scores, state = net(X, state)  # the first time: all of the prefix
                y = scores[-1].numpy()
                if not np.isfinite(y).all():
                    raise ValueError("the model's scores are not finite numbers.")
                if temperature == 0:
                    i = 1 + int(y[1:].argmax())  # 0 is <unk>
                else:
                    p = next_token_probabilities(y, temperature, top_k)
                    i = int(draw.choice(len(p), p=p))
                outputs.append(i)
                inputs = [i]
    finally:
        if was_training:
            net.train()
    return _decode(prefix, outputs, vocab)


def predict_ch8(prefix, num_preds, net, vocab, device=None) -> str:
    """Continue a prefix greedily: always with the most probable token.

    Source: d2l, "RNN from scratch". See `generate`.
    """
    return generate(prefix, num_preds, net, vocab, device)
