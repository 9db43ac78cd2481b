"""sigmoid, tanh and their like, of whatever a step is computed with.

A step is written once and runs on three kinds of arrays: on Paddle's tensors, with
autograd; on NumPy's, for prediction; and on the symbols of `d2l_lstm.fast`, which note
what it does. The operators `@ + - *` are theirs already; these are the functions.
"""

from __future__ import annotations

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional


def sigmoid(x):
    """1 / (1 + exp(-x)), element by element."""
    if isinstance(x, np.ndarray):
        return 0.5 * np.tanh(0.5 * x) + 0.5  # the same, and exp cannot overflow
    return x.sigmoid()


def tanh(x):
    """The hyperbolic tangent, element by element."""
    return np.tanh(x) if isinstance(x, np.ndarray) else x.tanh()


def relu(x):
    """max(0, x), element by element: a ramp without an upper end."""
    if isinstance(x, np.ndarray):
        return np.maximum(x, 0)
    return functional.relu(x) if isinstance(x, Tensor) else x.relu()


def hard_sigmoid(x):
    """0.2 x + 0.5, cut off below 0 and above 1: a sigmoid of three straight lines.

    Slope and height are those of ONNX; Paddle's `hardsigmoid` has slope 1/6.
    """
    if isinstance(x, (np.ndarray, Tensor)):
        return (0.2 * x + 0.5).clip(0, 1)
    return x.hard_sigmoid()


def exp(x):
    """The exponential, element by element."""
    return np.exp(x) if isinstance(x, np.ndarray) else x.exp()


def log_sigmoid(x):
    """The logarithm of `sigmoid(x)`, which does not underflow."""
    if isinstance(x, np.ndarray):
        return -np.logaddexp(0, -x)
    return functional.log_sigmoid(x) if isinstance(x, Tensor) else x.log_sigmoid()


def maximum(x, y):
    """The larger of two, element by element; y may be a number."""
    if isinstance(x, np.ndarray):
        return np.maximum(x, y)
    if not isinstance(x, Tensor):
        return x.maximum(y)
    return paddle.maximum(x, y if isinstance(y, Tensor) else paddle.full_like(x, y))


def choose(condition, x, y):
    """x where a condition holds, y elsewhere; not known to the fast path."""
    if isinstance(x, np.ndarray):
        return np.where(condition, x, y)
    return paddle.where(condition, x, y)


def joined(parts):
    """Parts (n, ...) of a state side by side; not known to the fast path."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=1)
    return paddle.concat(parts, axis=1)
