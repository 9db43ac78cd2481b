"""Intervals over runs, and what each step of a ladder gains."""

import numpy as np
import pytest
from d2l_lstm.experiments import t_interval
from d2l_lstm.ladders import climb, jackknife, plot_ladder
from d2l_lstm.mixing import mixed, nats
from matplotlib import pyplot as plt


def test_the_jackknife_of_a_mean_is_students_interval():
    values = [1.0, 2.5, 2.0, 4.0, 3.5]
    one, two = jackknife(values, np.mean), t_interval(values)
    assert (one.low, one.mean, one.high) == pytest.approx((two.low, two.mean, two.high))


def test_the_jackknife_covers_what_an_ensemble_of_other_runs_does():
    """Ensembles of 6 of many networks that differ by luck, and 200 trials."""
    draw, size = np.random.default_rng(1), 6
    base = draw.uniform(0.1, 0.9, 60)

    def runs(count):
        odds = np.log(base / (1 - base)) + draw.normal(0, 0.6, (count, len(base)))
        return list(1 / (1 + np.exp(-odds)))

    def of(members):
        return nats(mixed(members))

    truth = np.mean([of(runs(size)) for _ in range(400)])
    inside = 0
    for _ in range(200):
        interval = jackknife(runs(size), of)
        inside += interval.low <= truth <= interval.high
    assert 0.88 < inside / 200 < 0.995


def test_one_run_has_no_interval():
    with pytest.raises(ValueError, match="1 runs"):
        jackknife([1.0], np.mean)


STEPS = {
    "one": lambda runs: np.mean([nats(p) for p in runs]),
    "together": lambda runs: nats(mixed(runs)),
}
RUNS = list(np.random.default_rng(2).uniform(0.1, 1, (4, 50)))


def test_a_gain_is_paired_by_the_runs():
    where, gains = climb(STEPS, RUNS)
    assert list(where) == ["one", "together"] and list(gains) == ["together"]
    assert gains["together"].mean == pytest.approx(
        where["one"].mean - where["together"].mean
    )
    same, nothing = climb({"a": STEPS["one"], "b": STEPS["one"]}, RUNS)
    assert nothing["b"].low == nothing["b"].high == 0
    assert same["a"].low < same["a"].high


def test_a_ladder_is_drawn_with_its_yardsticks():
    where, gains = climb(STEPS, RUNS)
    panels = plot_ladder(where, gains, {"one": 3.0, "together": 12.0}, {"table": 2.0})
    assert [t.get_text() for t in panels[0].get_yticklabels()] == list(STEPS)
    assert [bar.get_width() for bar in panels[2].patches] == [3.0, 12.0]
    assert panels[0].get_legend_handles_labels()[1] == ["table"]
    plt.close("all")
