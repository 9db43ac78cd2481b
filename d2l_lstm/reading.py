"""A network that reads a text, and may go on learning while it does.

Every token is predicted from the text before it. With a learning rate the network then
learns from what it has just read, a segment at a time, and reads on: *dynamic
evaluation*. No token has any part in its own prediction.
"""

from __future__ import annotations

import math

import numpy as np

from .devices import set_product_threads
from .fast import FastTraining, available_backends
from .fast.compiling import CompiledCell, cell_plan
from .fast.tracing import NotUnderstoodError
from .fast.training import (
    Numbers,
    UnusableError,
    by_autograd,
    norm_of,
    working_cell,
)
from .fitting import NonFiniteLossError
from .generation import OneHot
from .models import parameters_of, registered_cell
from .text import check_whole


class _Autograd(FastTraining):
    """The same interface, gradients by autograd: where there is no fast path."""

    def gradient(self, X, Y, state, pool=None):
        self.store()
        found = by_autograd(self.net, X, Y, state)
        sizes = self.net.vocab_size, self.net.num_hiddens
        gradient = Numbers(self.compiled, *sizes, self.dtype)
        for name, values in gradient.of_param.items():
            values[:] = found.get(f"gradient of {name}", 0)
        for name, values in state.items():
            values[:] = found[f"state {name}"]
        return float(found["loss"]), gradient


def gradients_of(net) -> FastTraining:
    """Gradients of a model, the fastest way that works here; see `FastTraining`.

    Args:
        net: `RNNModelScratch` of a cell in `CELLS`, on a CPU.

    Raises:
        ValueError: for any other model.
    """
    cell = registered_cell(net)
    try:
        plan = cell and cell_plan(cell)
    except NotUnderstoodError:
        plan = None
    if plan is None:
        raise ValueError(
            "only an RNNModelScratch of a cell in d2l_lstm.CELLS, on a CPU, can learn "
            "while it reads."
        )
    dtype = net.params[0].numpy().dtype.name
    for backend in available_backends(dtype):
        try:
            return FastTraining(net, working_cell(cell, backend, dtype), num_pieces=1)
        except (NotUnderstoodError, UnusableError):
            continue
    return _Autograd(net, CompiledCell(plan, None, "paddle", None), num_pieces=1)


def read_along(
    net, corpus, *, lr: float = 0.0, num_steps: int = 35, theta: float = 1.0
) -> np.ndarray:
    """How probable every token of a text was to a network just before it read it.

    With a learning rate it learns from each segment of `num_steps` tokens, once all of
    them are predicted, by one step of SGD with the gradient clipped at norm `theta`:
    that is an epoch of training on the text, in one row. The network itself stays as it
    is.

    Args:
        net: `RNNModelScratch` of a cell in `CELLS`, on a CPU.
        corpus: token indices, shape (num_tokens,); read in one row, from a state of
            zeros.
        lr: learning rate; 0 does not learn.
        num_steps: tokens from one update to the next.
        theta: largest norm of the gradient.

    Returns:
        (num_tokens - 1,), of every token but the first.

    Raises:
        ValueError: for a model that cannot be read with, a text of fewer than 2 tokens
            or other indices than those of the vocabulary, or numbers out of range.
        NonFiniteLossError: if learning makes the loss infinite.

    Source: Krause, Kahembwe, Murray and Renals 2018, "Dynamic Evaluation of Neural
    Sequence Models", ICML; with plain SGD, without the pull back to the first weights.
    """
    check_whole("num_steps", num_steps, 1)
    if not (0 <= lr < math.inf and theta > 0):
        raise ValueError(
            f"lr is {lr} and theta {theta}; lr must be a number from 0 on, theta above "
            "0."
        )
    corpus = np.asarray(corpus)
    if corpus.ndim != 1 or len(corpus) < 2 or corpus.dtype.kind not in "iu":
        raise ValueError(
            f"the text has shape {corpus.shape} of {corpus.dtype}; it must be one row "
            "of at least 2 token indices."
        )
    set_product_threads()
    before = {name: p.detach().clone() for name, p in parameters_of(net).items()}
    training = gradients_of(net)
    training.load()
    weights = training.weights.flat
    cell, of_param = registered_cell(net), training.weights.of_param
    state, found = training.begin_state(1), []
    try:
        for start in range(0, len(corpus) - 1, num_steps):
            end = min(start + num_steps, len(corpus) - 1)
            X, Y = corpus[None, start:end], corpus[None, start + 1 : end + 1]
            training.check(X, Y, state)
            scores, new_state = _forward(cell, of_param, X[0], state)
            p = _probabilities_of(Y[0], scores)
            if not np.isfinite(p).all():
                raise NonFiniteLossError(
                    f"the network's scores are not finite after {start:,} tokens."
                )
            found.append(p)
            if not lr or end == len(corpus) - 1:
                state = new_state
                continue
            loss, gradient = training.gradient(X, Y, state, None)
            norm = norm_of(gradient.flat)
            if not math.isfinite(loss + norm):
                raise NonFiniteLossError(
                    f"the loss is {loss}, the norm of its gradient {norm}, after "
                    f"{start:,} tokens; try a smaller lr than {lr:g}."
                )
            step = weights.dtype.type(lr * min(1, theta / max(norm, 1e-30)))
            weights -= step * gradient.flat
    finally:
        for name, param in parameters_of(net).items():
            if isinstance(training, _Autograd):
                param.set_value(before[name])
    return np.concatenate(found)


def _forward(cell, of_param, tokens, state):
    """Scores (steps, q) after each token, and the last state, on NumPy's arrays."""
    *names, W_hq, b_q = cell.param_names
    params = [np.ascontiguousarray(of_param[name]) for name in names]
    now, hidden = tuple(values[0] for values in state.values()), []
    for token in tokens.tolist():
        now = cell.step(OneHot(token), now, params)
        hidden.append(now[0])
    scores = np.stack(hidden) @ of_param[W_hq] + of_param[b_q]
    return scores, {name: values[None].copy() for name, values in zip(state, now)}


def _probabilities_of(tokens, scores) -> np.ndarray:
    """The softmax of each row of scores, at the token that came; float64."""
    scores = scores.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores)
    return p[np.arange(len(p)), tokens] / p.sum(axis=1)
