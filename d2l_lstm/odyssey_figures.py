"""What `odyssey` found, as tables and figures: names, intervals, one panel a task."""

from __future__ import annotations

from collections.abc import Iterable

from .experiments import MARGIN, Interval, outcome, plot_differences
from .odyssey import TASKS, Odyssey
from .plotting import COLOURS, GREY, look, use_svg_display


def label(entrant: str) -> str:
    """What an entrant is called in figures and tables."""
    cell, _, rest = entrant.partition(", ")
    return look(cell)["label"] + (f", {rest}" if rest else "")


def table(compared: dict[str, dict[str, Interval]], margin: float = MARGIN) -> str:
    """One line an entrant, what `Odyssey.compare` has found, with its outcomes."""
    names = list(next(iter(compared.values())))
    lines = [" " * 21 + "".join(f"{task:36}" for task in compared)]
    for name in names:
        cells = (f"{c[name]} {outcome(c[name], margin)}" for c in compared.values())
        lines.append(f"{label(name):21}" + "".join(f"{cell:36}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)


def plot_question(found: Odyssey, names: Iterable[str], other: str) -> None:
    """Differences of errors, seed by seed, a panel for each task; left is better.

    Args:
        found: the results.
        names, other: see `Odyssey.compare`.
    """
    from matplotlib import pyplot as plt

    use_svg_display()
    names, tasks = list(names), list(found.results)
    height = 0.34 * len(names) + 1.1
    panels = {"figsize": (7.2, height), "layout": "constrained", "sharey": True}
    _, axes = plt.subplots(1, len(tasks), squeeze=False, **panels)
    for ax, task in zip(axes[0], tasks):
        rows = {label(n): found.differences(task, n, other) for n in names}
        plot_differences(rows, axes=ax, xlabel=f"{task}: {TASKS[task].unit}")
    plt.show()


def plot_field(found: Odyssey, yardsticks: dict[str, float]) -> None:
    """All errors: a row for each entrant, a panel for each task, a dot for each seed.

    Args:
        found: the results; the best on average stands on top, by its mean rank.
        yardsticks: task to an error, drawn as a line.
    """
    from matplotlib import pyplot as plt

    use_svg_display()
    tasks = list(found.results)
    names = by_mean_rank(found)
    height = 0.24 * len(names) + 0.8
    panels = {"figsize": (7.2, height), "layout": "constrained", "sharey": True}
    _, axes = plt.subplots(1, len(tasks), squeeze=False, **panels)
    for ax, task in zip(axes[0], tasks):
        ax.axvline(yardsticks[task], color=GREY, linewidth=0.9, linestyle=":")
        for row, name in enumerate(names):
            errors = found.errors(task, name)
            ax.plot(errors, [row] * len(errors), ".", color=GREY, markersize=4)
            ax.plot(errors.mean(), row, "|", color=COLOURS[0], markersize=9, mew=2)
        ax.set(xlabel=f"{task}: {TASKS[task].unit}", ylim=(len(names) - 0.5, -0.5))
        ax.grid(axis="y", linewidth=0.4, color="#e5e7eb")
        ax.set_axisbelow(True)
    axes[0, 0].set(yticks=range(len(names)), yticklabels=map(label, names))
    plt.show()


def by_mean_rank(found: Odyssey) -> list[str]:
    """Entrants by the mean of their ranks at the tasks, by mean error, best first."""
    tasks = list(found.results)
    names = list(found.results[tasks[0]])
    ranks = dict.fromkeys(names, 0)
    for task in tasks:
        means = {name: found.errors(task, name).mean() for name in names}
        for name in names:
            ranks[name] += sum(other < means[name] for other in means.values())
    return sorted(names, key=ranks.get)
