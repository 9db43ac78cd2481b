"""Which of several functions is faster: timing in rounds, with an interval.

    seconds = race({"ours": train_ours, "theirs": train_theirs}, rounds=9)
    ratio_interval(seconds["theirs"], seconds["ours"])  # times as long, from, to

A machine has slow moments. So the functions take turns, and what is compared are the
two times of one round, which saw the machine at nearly the same moment.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from .text import check_whole


class MedianInterval(NamedTuple):
    """A median, and from where to where that of all such values may be."""

    value: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        value, low, high = (format(number, form) for number in self)
        return f"{value} [{low}, {high}]"


def processor_time() -> float:
    """Seconds that the processor has worked for this process, its threads added up.

    Other processes take none of them, so that a function of one thread can be timed
    beside other work. On Windows, which counts them in steps of 1/64 s, the seconds of
    the clock.
    """
    return time.perf_counter() if os.name == "nt" else time.process_time()


def race(
    functions: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    between: Callable[[int], object] = lambda done: None,
) -> dict[str, np.ndarray]:
    """Seconds of each function, round by round.

    Each is called once to warm up, which does not count, and then once in every round.
    The order changes from round to round: who begins moves on by one, and every other
    round runs backwards.

    Args:
        functions: by name; called without arguments.
        rounds: how often each is timed.
        clock: `time.perf_counter` for the time that passes, or `processor_time`.
        between: called before each round with the number of rounds done, e.g. to show
            progress.

    Returns:
        Name to an array of shape `(rounds,)`, in seconds; entry i of all of them is
        from round i.

    Raises:
        ValueError: without a function, or for fewer than one round.
    """
    check_whole("rounds", rounds, 1)
    if not functions:
        raise ValueError("there is no function to time.")
    names = list(functions)
    seconds = {name: np.zeros(rounds) for name in names}
    for function in functions.values():
        function()
    for i in range(rounds):
        between(i)
        first = i % len(names)
        order = names[first:] + names[:first]
        for name in order[:: -1 if i % 2 else 1]:
            start = clock()
            functions[name]()
            seconds[name][i] = clock() - start
    return seconds


def median_interval(values, level: float = 0.95) -> MedianInterval:
    """The median, and an interval for the median of what the values are drawn from.

    From the k-th smallest value to the k-th largest, with the largest k for which at
    least `level` of all such samples have the median inside: a matter of tossing coins
    (each value is above the median or below), whatever the distribution. With 9 values
    and 0.95 one wild value on either side does no harm. Fewer than 6 values bound
    nothing at 0.95: the interval is then all numbers.

    Source: Thompson 1936, "On Confidence Ranges for the Median".

    Raises:
        ValueError: without a value, or for a level that is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must be between 0 and 1.")
    values = np.sort(np.asarray(values, dtype=float).ravel())
    n = len(values)
    if n == 0:
        raise ValueError("there is no value.")
    outside, k = 2.0 ** (1 - n), 0  # chance that the median is beyond both k-th
    while outside <= 1 - level and k < n // 2:
        k += 1
        outside += math.comb(n, k) * 2.0 ** (1 - n)
    middle = float(np.median(values))
    if k == 0:
        return MedianInterval(middle, -math.inf, math.inf)
    return MedianInterval(middle, float(values[k - 1]), float(values[-k]))


def ratio_interval(a, b, level: float = 0.95) -> MedianInterval:
    """How many times `b` is `a`, from paired measurements: median, low, high.

    The ratios of the rounds, `a[i] / b[i]`, are compared by their logarithms, so that
    `ratio_interval(b, a)` is one divided by it; for the interval see `median_interval`
    (at least 6 rounds at 0.95).

    Args:
        a, b: of equal length, above 0, e.g. two entries of what `race` returns.

    Returns:
        `MedianInterval(value, low, high)`; of times: how many times as fast b is.

    Raises:
        ValueError: for lengths that differ, or what is not above 0.
    """
    a, b = (np.asarray(x, dtype=float) for x in (a, b))
    if a.shape != b.shape:
        raise ValueError(f"{a.shape} and {b.shape} are no pairs of measurements.")
    if not (np.all(a > 0) and np.all(b > 0)):
        raise ValueError("a ratio needs measurements above 0.")
    return MedianInterval(*map(_exp, median_interval(np.log(a) - np.log(b), level)))


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
