"""Step by step to a better model: what each step gains, how surely, and what it costs.

A step may be a mean over runs that differ by their seed, or what all of them do
together, of which there is only one: `jackknife` gives intervals for both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .experiments import Interval
from .plotting import COLOURS, GREY, use_svg_display


def jackknife(members: list, statistic, level: float = 0.95) -> Interval:
    """A number that is made of several runs, and how far other runs could move it.

    It is computed anew without each run in turn. From how much these values differ
    follows its standard error. For the mean of a number a run this is Student's
    interval (`experiments.t_interval`); it also works for what an ensemble of all runs
    does, of which there is one only.

    Args:
        members: at least 2 independent runs.
        statistic: a number, of a list of them in no particular order.
        level: how often such an interval holds the true value.

    Returns:
        The statistic of all members as `mean`, with its interval.

    Raises:
        ValueError: for fewer than 2 members.

    Source: J. Tukey (1958), Bias and confidence in not-quite large samples (abstract),
    Annals of Mathematical Statistics 29, 614.
    """
    from scipy import stats

    n, value = len(members), float(statistic(members))
    if n < 2:
        raise ValueError(f"there are {n} runs; an interval needs at least 2.")
    without = [statistic(members[:i] + members[i + 1 :]) for i in range(n)]
    error = ((n - 1) * np.var(without)) ** 0.5
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * error)
    return Interval(value - half, value, value + half)


def climb(
    steps: dict[str, Callable[[list], float]], members: list, level: float = 0.95
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Where each step of a ladder leads, and what it gains over the one before.

    Args:
        steps: name to loss (nats per token) of a list of members, in their order.
        members: independent runs, at least 2; the same ones in every step, so that a
            gain is that of the same runs.

    Returns:
        Name to the loss, and name to the gain of every step but the first, above 0
        where the loss became smaller; both with intervals, see `jackknife`.
    """
    names = list(steps)
    where = {name: jackknife(members, steps[name], level) for name in names}
    gains = {}
    for before, after in zip(names, names[1:]):

        def gain(runs, before=before, after=after):
            return steps[before](runs) - steps[after](runs)

        gains[after] = jackknife(members, gain, level)
    return where, gains


def plot_ladder(where, gains, seconds, yardsticks):
    """A ladder in three panels: perplexity of each step, its gain, seconds until there.

    Args:
        where, gains: of `climb`.
        seconds: name of a step to the seconds of all that it takes.
        yardsticks: name to perplexity, vertical lines.

    Returns:
        The three axes.
    """
    from matplotlib import pyplot as plt

    use_svg_display()
    names, rows = list(where), np.arange(len(where))
    figure, panels = plt.subplots(
        1, 3, figsize=(7.4, 0.36 * len(names) + 1.2), sharey=True,
        layout="constrained", gridspec_kw={"width_ratios": [1.3, 1.1, 0.8]},
    )  # fmt: skip
    figure.get_layout_engine().set(w_pad=0.08)
    bars = {"fmt": "o", "markersize": 4, "capsize": 3, "color": COLOURS[0]}

    def draw(axes, rows, intervals, of):
        middle, low, high = of([(i.mean, i.low, i.high) for i in intervals]).T
        axes.errorbar(middle, rows, xerr=(middle - low, high - middle), **bars)

    draw(panels[0], rows, where.values(), np.exp)
    draw(panels[1], rows[1:], gains.values(), np.array)
    panels[1].axvline(0, color="black", linewidth=0.8)
    panels[2].barh(rows, [seconds[name] for name in names], color=GREY, height=0.5)
    styles = ("--", ":", "-.")
    for (name, value), style in zip(yardsticks.items(), styles):
        line = {"color": "black", "linestyle": style, "linewidth": 1.2}
        panels[0].axvline(value, label=name, **line)
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    panels[0].set_yticks(rows, names)
    panels[0].set(xlabel="test perplexity", ylim=(len(names) - 0.5, -0.5))
    panels[1].set(xlabel="gain of the step (nats)")
    panels[2].set(xlabel="seconds in all")
    for axes in panels:
        axes.grid(alpha=0.4, axis="x")
        axes.set_axisbelow(True)
    return panels
