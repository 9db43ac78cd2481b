"""Timing in rounds: turns, warm-up, pairs, and intervals that keep their word."""

import math
import os
import time

import numpy as np
import pytest
from d2l_lstm.timing import (
    MedianInterval,
    median_interval,
    processor_time,
    race,
    ratio_interval,
)


class FakeClock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def contestants(clock, calls, **costs):
    def function(name, cost):
        def run():
            calls.append(name)
            clock.now += cost

        return run

    return {name: function(name, cost) for name, cost in costs.items()}


def test_every_function_warms_up_once_and_runs_once_a_round():
    clock, calls = FakeClock(), []
    seconds = race(contestants(clock, calls, a=1, b=2, c=3), 4, clock=clock)
    assert calls[:3] == ["a", "b", "c"]
    rounds = [calls[i : i + 3] for i in range(3, 15, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert {name: list(v) for name, v in seconds.items()} == {
        "a": [1] * 4,
        "b": [2] * 4,
        "c": [3] * 4,
    }


def test_order_changes_so_that_none_always_follows_the_same():
    clock, calls = FakeClock(), []
    race(contestants(clock, calls, a=1, b=1, c=1), 6, clock=clock)
    rounds = ["".join(calls[i : i + 3]) for i in range(3, 21, 3)]
    assert rounds == ["abc", "acb", "cab", "cba", "bca", "bac"]


def test_warm_up_is_not_counted():
    clock, costs = FakeClock(), iter([100, 1, 1, 1])

    def run():
        clock.now += next(costs)

    assert (
        list(race({"slow at first": run}, 3, clock=clock)["slow at first"]) == [1] * 3
    )


def test_progress_is_told_before_each_round():
    done = []
    race({"a": lambda: None}, 3, between=done.append)
    assert done == [0, 1, 2]


@pytest.mark.skipif(os.name == "nt", reason="counts in steps of 1/64 s")
def test_processor_time_counts_work_and_not_waiting():
    def work():
        start = time.process_time()
        while time.process_time() - start < 0.02:
            pass

    seconds = race({"work": work, "wait": lambda: time.sleep(0.02)}, 1,
                   clock=processor_time)  # fmt: skip
    assert seconds["work"][0] >= 0.02 > 0.01 > seconds["wait"][0]


@pytest.mark.parametrize("functions, rounds", [({}, 1), ({"a": print}, 0)])
def test_nothing_to_time_is_refused(functions, rounds):
    with pytest.raises(ValueError):
        race(functions, rounds)


def test_drift_of_the_machine_leaves_the_ratio_alone():
    drift = np.linspace(1, 5, 9)
    assert ratio_interval(2 * drift, drift) == pytest.approx((2, 2, 2))


def test_ratio_the_other_way_round_is_the_reciprocal():
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.normal(size=(2, 9)))
    value, low, high = ratio_interval(a, b)
    assert ratio_interval(b, a) == pytest.approx((1 / value, 1 / high, 1 / low))
    assert low <= value <= high


@pytest.mark.parametrize("n, k", [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (20, 6)])
def test_interval_takes_the_order_statistics_of_the_tables(n, k):
    values = np.arange(1, n + 1)
    assert median_interval(values)[1:] == (k, n + 1 - k)


def test_too_few_values_bound_nothing():
    assert median_interval([1, 2, 3, 4, 5]) == (3, -math.inf, math.inf)
    assert ratio_interval([1, 2, 3], [1, 2, 3]) == (1, 0, math.inf)


def test_one_wild_round_of_nine_does_not_matter():
    b = np.ones(9)
    a = np.array([2.0] * 8 + [1000.0])
    assert ratio_interval(a, b) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize("n", [6, 9, 15])
def test_interval_contains_the_median_as_often_as_promised(n):
    rng = np.random.default_rng(n)
    samples = np.exp(rng.normal(size=(4000, n)))  # skewed, with median 1
    inside = [low <= 1 <= high for _, low, high in map(median_interval, samples)]
    assert np.mean(inside) > 0.94


@pytest.mark.parametrize(
    "a, b", [([1, 2], [1]), ([1, 0], [1, 1]), ([1, math.nan], [1, 1])]
)
def test_what_has_no_ratio_is_refused(a, b):
    with pytest.raises(ValueError):
        ratio_interval(a, b)


@pytest.mark.parametrize("values, level", [([], 0.95), ([1], 0), ([1], 1)])
def test_interval_of_nothing_is_refused(values, level):
    with pytest.raises(ValueError):
        median_interval(values, level)


def test_an_interval_is_shown_with_its_bounds():
    assert f"{MedianInterval(2, 1.5, 2.5):.1f}" == "2.0 [1.5, 2.5]"
