"""sigmoid and tanh of whatever a step is computed with.

A step is written once and runs on three kinds of arrays: on Paddle's tensors, with
autograd; on NumPy's, for prediction; and on the symbols of `d2l_lstm.fast`, which note
what it does. The operators `@ + - *` are theirs already; these are the functions.
"""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    """1 / (1 + exp(-x)), element by element."""
    if isinstance(x, np.ndarray):
        return 0.5 * np.tanh(0.5 * x) + 0.5  # the same, and exp cannot overflow
    return x.sigmoid()


def tanh(x):
    """The hyperbolic tangent, element by element."""
    return np.tanh(x) if isinstance(x, np.ndarray) else x.tanh()
