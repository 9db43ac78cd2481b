r"""How far back a gradient reaches: its norm by distance, Jacobians, rates of decay.

    norms = gradient_norms(lambda X: net(X).sum(), inputs)      # (num_steps, n)
    decay = fit_decay(np.log(norms[::-1].mean(axis=1)))         # by distance
    decay.factor                                                # per step, 1 is no loss

A vector of examples is a row, so a step multiplies from the right, H W_hh, and so does
its Jacobian J: a small change v of the old state becomes the change v J of the new one,
and after several steps v J_1 J_2 ... J_k. A gradient goes the other way, g J^T.

Products of many factors leave the range of floating-point numbers: what is here works
with logarithms, or says which numbers it did not use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import paddle

from .text import check_whole


def gradient_norms(loss, inputs):
    """The norm of the gradient of a loss with respect to each step's input.

    Args:
        loss: of inputs like these to a tensor, whose entries are added up. An example's
            part of it must depend on that example only, as a mean or a sum over the
            examples does; then every example has a gradient of its own.
        inputs: (num_steps, batch_size, d), of floating-point numbers.

    Returns:
        (num_steps, batch_size): for step t of an example the norm of the d derivatives.
        The numbers are of the inputs' kind: in float32 what is below 1e-38 is imprecise
        and what is below 1e-45 is 0; give inputs and a model of float64.

    Raises:
        ValueError: if the inputs have another number of axes, or the loss does not
            depend on them.

    Source: Bengio, Simard & Frasconi 1994, "Learning long-term dependencies with
    gradient descent is difficult", section III; there of the hidden state.
    """
    if len(inputs.shape) != 3:
        raise ValueError(
            f"the inputs have the shape {tuple(inputs.shape)}; it must be (num_steps, "
            "batch_size, d)."
        )
    inputs = inputs.detach()
    inputs.stop_gradient = False
    total = loss(inputs).sum()
    if total.stop_gradient:
        raise ValueError("the loss does not depend on the inputs.")
    (gradient,) = paddle.grad(total, inputs, allow_unused=True)
    if gradient is None:
        raise ValueError("the loss does not depend on the inputs.")
    return np.linalg.norm(gradient.numpy(), axis=-1)


def jacobian(function: Callable, x):
    """The derivatives of a function of a row of numbers.

    Args:
        function: (k, m) to (k, q), each row on its own.
        x: (1, m), the point.

    Returns:
        (m, q): row i and column j hold the derivative of entry j of the result by entry
        i of x. Zeros if the result does not depend on x.

    Raises:
        ValueError: if there is more than one row.
    """
    if x.shape[0] != 1:
        raise ValueError(f"x has {x.shape[0]} rows; a Jacobian is that of one.")
    # One copy of x for each entry of the result: the gradient of entry j of copy j is
    # column j, and one backward pass gives all of them.
    with paddle.no_grad():
        count = function(x.detach()).shape[1]
    copies = x.detach().tile([count, 1])
    copies.stop_gradient = False
    total = paddle.diagonal(function(copies)).sum()
    if total.stop_gradient:
        return paddle.zeros([x.shape[1], count], x.dtype)
    (columns,) = paddle.grad(total, copies, allow_unused=True)
    return paddle.zeros([x.shape[1], count], x.dtype) if columns is None else columns.T


def step_jacobian(step: Callable, X, state: tuple, params) -> np.ndarray:
    """The derivatives of a step's new state by its old one, for one example.

    Args:
        step: (X, state, params) to state, see `cells.core`.
        X: (1, d), the input of the step.
        state: a tuple of (1, h): (H,), or (H, C) for an LSTM.
        params: those of the step, without an output layer.

    Returns:
        (S, S) with S entries in the whole state, h or 2h: row i and column j hold the
        derivative of entry j of the new state by entry i of the old one. For an LSTM
        the last h rows and columns are those of the cell.

    Raises:
        ValueError: if there is more than one example.
    """
    if X.shape[0] != 1 or any(part.shape[0] != 1 for part in state):
        raise ValueError(
            f"the step has {X.shape[0]} examples; a Jacobian is that of one, X (1, d)."
        )

    def whole(old):
        parts = paddle.split(old, len(state), axis=1)
        new = step(X.detach().tile([len(old), 1]), tuple(parts), params)
        return paddle.concat(new, axis=1)

    return jacobian(whole, paddle.concat(list(state), axis=1)).numpy()


def spectral_radius(matrix) -> float:
    """The largest absolute value of an eigenvalue of a square matrix.

    Powers of the matrix shrink in the long run if it is below 1, and grow if above.
    """
    return float(abs(np.linalg.eigvals(np.asarray(matrix, dtype=float))).max())


def spectral_norm(matrix) -> float:
    """By how much a matrix stretches a vector at most: its largest singular value."""
    return float(np.linalg.norm(np.asarray(matrix, dtype=float), 2))


def with_radius(matrix, radius: float) -> np.ndarray:
    """A multiple of a square matrix that has this spectral radius.

    Raises:
        ValueError: if the matrix has no eigenvalue but 0.
    """
    matrix = np.asarray(matrix, dtype=float)
    now = spectral_radius(matrix)
    if not now > 0:
        raise ValueError("the matrix has no eigenvalue but 0; no multiple has another.")
    return matrix * (radius / now)


def log_product_norms(matrices) -> np.ndarray:
    """Logarithms of the norms of J_1, J_1 J_2, J_1 J_2 J_3, ...

    A product is divided by its norm before it is multiplied on, so that nothing
    underflows or overflows.

    Args:
        matrices: (S, S) each; `[W] * k` gives the first k powers of W.

    Returns:
        (number of matrices,): natural logarithms of the largest stretch; -inf from
        where on a product is 0.
    """
    logs, total, product = [], 0.0, None
    for matrix in matrices:
        matrix = np.asarray(matrix, dtype=float)
        product = matrix if product is None else product @ matrix
        norm = spectral_norm(product)
        total += math.log(norm) if norm > 0 else -math.inf
        logs.append(total)
        product = product / norm if norm > 0 else product
    return np.array(logs)


class Decay(NamedTuple):
    """A straight line through logarithms of norms by distance.

    Attributes:
        factor: by which the norm is multiplied from one step to the next: below 1 it
            shrinks, above 1 it grows.
        slope: its natural logarithm.
        straight: share of the logarithms' variance that lies on the line, 1 for all of
            it: whether the decay is exponential.
        used: how many distances the line goes through.
    """

    factor: float
    slope: float
    straight: float
    used: int

    @property
    def length(self) -> float:
        """Steps after which 1/e is left; infinite if nothing is lost."""
        return -1 / self.slope if self.slope < 0 else math.inf


def fit_decay(logs, first: int = 0, floor: float = math.log(1e-300)) -> Decay:
    """Fit an exponential decay, by least squares on the logarithms.

    Args:
        logs: natural logarithms of norms at the distances 0, 1, 2, ...; -inf for 0.
        first: the distance to begin with: the first steps may lie off the line, since
            they depend on the output layer and on where non-normal matrices turn.
        floor: the line ends before the first logarithm below it. The default is for
            float64; norms computed in float32 have lost digits below log(1e-38).

    Raises:
        ValueError: if less than three distances are left, or one is not a number.
    """
    check_whole("first", first, 0)
    logs = np.asarray(logs, dtype=float)[first:]
    if np.isnan(logs).any() or (logs == math.inf).any():
        raise ValueError("a logarithm is not a number or infinite; did it overflow?")
    below = np.flatnonzero(logs < floor)
    logs = logs[: below[0]] if len(below) else logs
    if len(logs) < 3:
        raise ValueError(
            f"{len(logs)} distances are above the floor; a line needs at least 3."
        )
    distances = first + np.arange(len(logs))
    slope, start = np.polyfit(distances, logs, 1)
    left, around = logs - (slope * distances + start), logs - logs.mean()
    spread = float(around @ around)
    straight = 1 - float(left @ left) / spread if spread > 1e-20 else 1.0
    return Decay(math.exp(slope), float(slope), straight, len(logs))
