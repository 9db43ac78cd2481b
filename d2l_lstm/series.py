"""Forecasting a series of numbers: windows, splits, yardsticks, free-running forecasts.

A method of forecasting is a function

    method(pasts, horizon)  ->  (n, horizon)

of `pasts` (n, P), the last P values before each of n origins. Later values are not
given to it, so it cannot look ahead. An origin is the index of the first value that is
to be forecast.

    origins = rolling_origins(len(series), first=800, horizon=12)
    errors = persistence(pasts_at(series, origins, 20), 12) - futures_at(
        series, origins, 12
    )

Exponential smoothing is statsmodels' own.

Sources: Hyndman & Athanasopoulos, *Forecasting: Principles and Practice*, sections 5.2
(persistence, seasonal naive) and 5.10 (rolling origin); Yule 1927 (autoregression).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import paddle

from .models import evaluation_mode
from .text import check_whole


def check_series(series, at_least: int = 1) -> np.ndarray:
    """A series as (N,) float64, without gaps.

    Raises:
        ValueError: for another shape, a value that is masked or not finite, or fewer
            values.
    """
    if isinstance(series, np.ma.MaskedArray):
        series = series.astype(float).filled(np.nan)
    values = np.asarray(series, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"the series has shape {values.shape}; it must be (N,).")
    if len(values) < at_least:
        raise ValueError(
            f"the series has {len(values)} values; at least {at_least} are needed."
        )
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(
            f"value {where} of the series is {values[where]}; fill the gap or begin "
            "after it."
        )
    return values


def windows(series, num_steps):
    """Every `num_steps` values in a row, and the value that follows them.

    Args:
        series: (N,).
        num_steps: T, length of a window.

    Returns:
        X (T, N - T, 1) float32, time first, and y (N - T, 1) float32: X[:, i, 0] are
        the values i to i + T - 1, y[i, 0] is value i + T.

    Raises:
        ValueError: for a series with gaps, or one that is not longer than a window.
    """
    check_whole("num_steps", num_steps, 1)
    series = check_series(series, at_least=num_steps + 1)
    rows = np.lib.stride_tricks.sliding_window_view(series, num_steps + 1)
    X, y = rows[:, :-1].T[..., None], rows[:, -1:]  # (T, N - T, 1), (N - T, 1)
    return X.astype("float32"), y.astype("float32")


class WindowLoader:
    """Minibatches of windows, in a new random order each time they are read.

    Args:
        series: (N,).
        num_steps: T, length of a window.
        batch_size: n; the last minibatch of an epoch may be smaller.
        seed: of the loader's own random numbers.

    Yields tensors X (T, n, 1) and y (n, 1), see `windows`.
    """

    def __init__(self, series, num_steps: int, batch_size: int, seed=0):
        check_whole("batch_size", batch_size, 1)
        self.X, self.y = windows(series, num_steps)
        self.batch_size, self._rng = batch_size, np.random.default_rng(seed)

    def __len__(self):
        return -(-len(self.y) // self.batch_size)

    def __iter__(self):
        order = self._rng.permutation(len(self.y))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield paddle.to_tensor(self.X[:, rows]), paddle.to_tensor(self.y[rows])


@dataclass(frozen=True)
class Scaling:
    """Subtract a mean and divide by a standard deviation: `Scaling.of(training)`.

    Attributes:
        mean, std: of the values that it was fitted on, in their unit.
    """

    mean: float
    std: float

    def __post_init__(self):
        if not 0 < self.std < np.inf:
            raise ValueError(f"std is {self.std}; it must be a number above 0.")

    @classmethod
    def of(cls, training) -> Scaling:
        """Fitted on the training part, and on nothing else.

        Raises:
            ValueError: if all its values are equal.
        """
        training = check_series(training)
        # Of equal values the computed deviation need not be exactly 0.
        if training.min() == training.max():
            raise ValueError("the training part has no spread; nothing can be scaled.")
        return cls(float(training.mean()), float(training.std()))

    def apply(self, values):
        """Values of any shape, scaled."""
        return (np.asarray(values) - self.mean) / self.std

    def undo(self, scaled):
        """Scaled values in their unit again."""
        return np.asarray(scaled) * self.std + self.mean


# --------------------------------------------------------------------------------------
# Rolling origin


def rolling_origins(length: int, first: int, horizon: int, every: int = 1):
    """Where forecasts begin: first, first + every, ... as long as `horizon` values fit.

    Args:
        length: N, values of the series.
        first: index of the first value that may be forecast, at least 1.
        horizon: J, how many values are forecast from each origin.
        every: steps from one origin to the next.

    Returns:
        (number of origins,) of int.

    Raises:
        ValueError: if not even the first fits.
    """
    sizes = {"length": length, "first": first, "horizon": horizon, "every": every}
    for name, value in sizes.items():
        check_whole(name, value, 1)
    if first + horizon > length:
        raise ValueError(
            f"the series has {length} values; {horizon} of them from value {first} on "
            f"need {first + horizon}."
        )
    return np.arange(first, length - horizon + 1, every)


def _check_origins(origins, least: int, most: int) -> np.ndarray:
    """Origins as (n,) of int, n at least 1, each from `least` to `most`."""
    origins = np.asarray(origins)
    if origins.ndim != 1 or not len(origins):
        raise ValueError(
            f"origins has shape {origins.shape}; it must be (n,), n at least 1."
        )
    if origins.dtype.kind not in "iu":
        raise ValueError(f"origins holds {origins.dtype}; it must hold whole numbers.")
    if least > most:
        raise ValueError("the series is too short; there is no origin that fits.")
    for origin in (origins.min(), origins.max()):
        if not least <= origin <= most:
            raise ValueError(f"origin {origin} is not from {least} to {most}.")
    return origins


def pasts_at(series, origins, num_steps: int) -> np.ndarray:
    """The last `num_steps` values before each origin, (number of origins, num_steps).

    Raises:
        ValueError: for an origin with fewer values before it, or after the first value
            that is not known, N.
    """
    check_whole("num_steps", num_steps, 1)
    series = check_series(series)
    origins = _check_origins(origins, num_steps, len(series))
    return series[origins[:, None] + np.arange(-num_steps, 0)]


def futures_at(series, origins, horizon: int) -> np.ndarray:
    """What came from each origin on, (number of origins, horizon).

    Raises:
        ValueError: for an origin below 0, or with fewer values from it on.
    """
    check_whole("horizon", horizon, 1)
    series = check_series(series)
    origins = _check_origins(origins, 0, len(series) - horizon)
    return series[origins[:, None] + np.arange(horizon)]


def rmse(errors, axis=None):
    """Root of the mean of the squared errors, in the unit of the series."""
    return np.sqrt(np.mean(np.square(errors), axis=axis))


# --------------------------------------------------------------------------------------
# Methods


def last_values(pasts, count: int) -> np.ndarray:
    """The last `count` values of each row: (n, P) to (n, count).

    Raises:
        ValueError: for rows with fewer values, or another shape.
    """
    check_whole("the number of last values", count, 1)
    pasts = np.asarray(pasts, dtype=float)
    if pasts.ndim != 2:
        raise ValueError(f"pasts has shape {pasts.shape}; it must be (n, P).")
    if pasts.shape[1] < count:
        raise ValueError(f"each past has {pasts.shape[1]} values; {count} are needed.")
    return pasts[:, -count:]


def persistence(pasts, horizon):
    """The last value, again and again: (n, P) to (n, horizon)."""
    return np.repeat(last_values(pasts, 1), horizon, axis=1)


def seasonal_naive(pasts, horizon, season):
    """The values of one season ago, the last season again and again.

    Args:
        pasts: (n, P) with P at least `season`.
        season: length of a season in steps.

    Returns:
        (n, horizon).

    Raises:
        ValueError: for pasts shorter than a season.
    """
    return last_values(pasts, season)[:, np.arange(horizon) % season]


def free_run(one_step, pasts, horizon, draw=None):
    """Forecast one step, take the forecast for the value, and go on.

    Args:
        one_step: (n, P) to the n values that come next, (n,).
        pasts: (n, P).
        horizon: J, how many steps.
        draw: of n, gives n numbers that are added to a step's forecasts before it goes
            on, so that each row becomes one path of many that are possible.

    Returns:
        (n, J).

    Raises:
        ValueError: for a horizon below 1.
    """
    check_whole("horizon", horizon, 1)
    rows, steps = np.array(pasts, dtype=float), []
    for _ in range(horizon):
        value = np.asarray(one_step(rows), dtype=float)
        if draw is not None:
            value = value + draw(len(value))
        steps.append(value)
        rows = np.concatenate([rows[:, 1:], value[:, None]], axis=1)
    return np.stack(steps, axis=1)


def on_changes(method):
    """A method that forecasts changes from step to step, as a method of the values.

    Args:
        method: made for the changes, `np.diff` of a series.

    Returns:
        A method: takes pasts (n, P + 1) where `method` wants (n, P).
    """

    def of_values(pasts, horizon):
        changes = method(np.diff(pasts, axis=1), horizon)
        return pasts[:, -1:] + np.cumsum(changes, axis=1)

    return of_values


def coverage(lower, upper, truth) -> np.ndarray:
    """The share of true values within a band, for each step ahead.

    Args:
        lower, upper, truth: (number of origins, horizon).

    Returns:
        (horizon,), from 0 to 1.

    Raises:
        ValueError: if their shapes differ.
    """
    if not np.shape(lower) == np.shape(upper) == np.shape(truth):
        raise ValueError(
            f"lower, upper and truth have shapes {np.shape(lower)}, {np.shape(upper)} "
            f"and {np.shape(truth)}; they must be the same."
        )
    return ((lower <= truth) & (truth <= upper)).mean(axis=0)


class LinearAutoregression:
    """The next value as a weighted sum of the last T and a constant: least squares.

    Args:
        series: (N,), the training part.
        num_steps: T.

    Call it with pasts (n, P), P at least T, and a horizon, for its free-running
    forecasts (n, horizon). `one_step(pasts)` gives (n,).

    Raises:
        ValueError: if there are not more windows than numbers to be found, T + 1; when
            called, for pasts shorter than T.

    Source: Yule 1927.
    """

    def __init__(self, series, num_steps):
        series = check_series(series, at_least=2 * num_steps + 2)
        pasts = pasts_at(series, np.arange(num_steps, len(series)), num_steps)
        A = np.c_[pasts, np.ones(len(pasts))]  # (N - T, T + 1)
        solution = np.linalg.lstsq(A, series[num_steps:], rcond=None)[0]
        self.num_steps = num_steps
        self.weights, self.constant = solution[:-1], solution[-1]

    def one_step(self, pasts):
        return last_values(pasts, self.num_steps) @ self.weights + self.constant

    def __call__(self, pasts, horizon):
        return free_run(self.one_step, last_values(pasts, self.num_steps), horizon)


class NetworkForecaster:
    """A trained network as a method: scales, reads windows, feeds itself, scales back.

    Args:
        net: takes (T, n, 1), gives (n, 1), both scaled.
        num_steps: T.
        scaling: from the unit of the series.

    `one_step(pasts)` gives (n,); called with pasts and a horizon, it gives its
    free-running forecasts (n, horizon). Both in the unit of the series.

    Raises:
        ValueError: when called, for pasts shorter than T, or a network with more than
            one output.
    """

    def __init__(self, net, num_steps, scaling):
        self.net, self.num_steps, self.scaling = net, num_steps, scaling

    def one_step(self, pasts):
        rows = self.scaling.apply(last_values(pasts, self.num_steps))
        X = np.ascontiguousarray(rows.T[..., None], dtype="float32")
        with evaluation_mode(self.net):
            (y,) = self.net(paddle.to_tensor(X)).numpy().T  # (n,)
        return self.scaling.undo(y.astype(float))

    def __call__(self, pasts, horizon):
        return free_run(self.one_step, last_values(pasts, self.num_steps), horizon)
