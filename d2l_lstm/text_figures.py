"""Figures of texts: what a model expects, what is copied, a tree of continuations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .plotting import COLOURS, STYLES, use_svg_display

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MONOSPACE = "DejaVu Sans Mono"  # comes with Matplotlib
_MIDDLE = {"ha": "center", "va": "center"}


def visible(text: str) -> str:
    """A text with open boxes for its spaces."""
    return text.replace(" ", "␣")


def _write(axes, x, y, text, **options):
    axes.text(x, y, text, family=MONOSPACE, **_MIDDLE, **options)


def draw_expectations(
    probabilities, text: str, vocab, *, ranks: int = 5, first: int | None = None
) -> Axes:
    """The most probable next characters at every step: a column a step, best on top.

    A frame is around the one that the text goes on with.

    Args:
        probabilities: (steps, vocab_size), after each of the first characters.
        text: one character more than there are steps, at least.
        vocab: names the columns of `probabilities`.
        ranks: how many characters a column shows.
        first: the step whose character was the first to be written by the model; a red
            line stands before it.

    Returns:
        The axes.
    """
    from matplotlib import pyplot as plt

    use_svg_display()
    probabilities = np.asarray(probabilities)
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :ranks]
    shade = np.take_along_axis(probabilities, top, axis=1).T  # (ranks, steps)
    steps = len(top)
    figure, axes = plt.subplots(figsize=(0.21 * steps + 1.2, 0.3 * ranks + 0.6))
    image = axes.imshow(
        shade, cmap="Blues", vmin=0, vmax=1, aspect="auto", rasterized=True
    )
    for t, best in enumerate(top):
        for rank, i in enumerate(best):
            c = vocab.to_tokens(int(i))
            frame = {"ec": COLOURS[1], "fc": "none", "pad": 1.5}
            _write(
                axes, t, rank, visible(c), color="white" if shade[rank, t] > 0.6
                else "black", bbox=frame if c == text[t + 1] else None,
            )  # fmt: skip
    if first is not None:
        axes.axvline(first - 0.5, color="red")
    names = [visible(c) for c in text[:steps]]
    axes.set_xticks(range(steps), names, family=MONOSPACE)
    axes.set_yticks(range(ranks), range(1, ranks + 1))
    axes.set(xlabel="character read", ylabel="rank")
    figure.colorbar(image, label="probability", pad=0.02)
    return axes


def draw_marked_texts(texts: dict[str, str], marks: dict[str, dict]) -> Axes:
    """Texts one below the other, with coloured ground and lines under characters.

    Args:
        texts: name to text.
        marks: what is marked, up to two, to name of a text to (characters,) of truth
            values: the first as a ground, the second as a line under the characters.

    Returns:
        The axes.
    """
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    use_svg_display()
    width = max(map(len, texts.values()), default=1)
    size = (0.085 * width + 1.6, 0.27 * len(texts) + 0.5)
    axes = plt.subplots(figsize=size)[1]
    kinds = ((0, 0.8, "#f3c969"), (0.34, 0.12, COLOURS[0]))  # place, height, colour
    for row, (name, text) in enumerate(texts.items()):
        for (place, height, colour), marked in zip(kinds, marks.values()):
            edges = np.diff(np.concatenate([[0], marked[name], [0]]).astype(int))
            for start, end in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)):
                axes.barh(
                    row + place, end - start, left=start - 0.5, height=height,
                    align="center", color=colour,
                )  # fmt: skip
        for t, c in enumerate(text):
            _write(axes, t, row, c, size=7.5)
    handles = [Patch(color=kind[2], label=what) for kind, what in zip(kinds, marks)]
    axes.legend(
        handles=handles, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), frameon=False
    )
    axes.set(xlim=(-1, width), ylim=(len(texts) - 0.5, -0.5), xticks=[])
    axes.set_yticks(range(len(texts)), texts)
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    return axes


def _places(children: dict, text: str, free: list[float]) -> dict[str, float]:
    """Heights of a text and of all that go on from it; a leaf takes the next free."""
    found: dict[str, float] = {}
    for child in children.get(text, []):
        found |= _places(children, child, free)
    if text in children:
        heights = [found[child] for child in children[text]]
        found[text] = (heights[0] + heights[-1]) / 2
    else:
        found[text] = free[0]
        free[0] += 1
    return found


def draw_text_tree(probabilities: dict[str, float], paths: dict[str, str]) -> Axes:
    """Continuations as a tree, from left to right, character by character.

    Above each character stands the probability of the whole text up to it.

    Args:
        probabilities: of a text, for all texts in the tree but the empty one; what a
            text begins with has to be there too.
        paths: name to one of the texts, up to four; the way to it is drawn strong, with
            its name at the end.

    Returns:
        The axes.

    Raises:
        ValueError: for a text whose beginning is missing, or a path without a text.
    """
    from matplotlib import pyplot as plt

    for text in [*probabilities, *paths.values()]:
        missing = [text[:i] for i in range(1, len(text) + 1)]
        missing = [part for part in missing if part not in probabilities]
        if missing:
            raise ValueError(f"the tree has {text!r}, and not {missing[0]!r}.")
    use_svg_display()
    children: dict[str, list] = {}
    for text in sorted(probabilities, key=lambda text: -probabilities[text]):
        children.setdefault(text[:-1], []).append(text)
    height = _places(children, "", [0.0])
    depth, rows = max(map(len, height)), 1 + max(height.values())
    axes = plt.subplots(figsize=(1.1 * depth + 2.4, 0.46 * rows + 0.2))[1]
    ways = {text[:i] for text in paths.values() for i in range(len(text) + 1)}
    for text in probabilities:
        line = [len(text) - 1, len(text)], [height[text[:-1]], height[text]]
        axes.plot(*line, color="#9ca3af", linewidth=1, zorder=1)
    ends: dict[str, list[str]] = {}
    for i, (name, text) in enumerate(paths.items()):
        way = [height[text[:t]] + 0.06 * i for t in range(len(text) + 1)]
        kind = {"color": COLOURS[i], "linestyle": STYLES[i], "linewidth": 2.5}
        axes.plot(way, zorder=2, **kind)
        ends.setdefault(text, []).append(name)
    for i, (text, names) in enumerate(ends.items()):
        place = len(text) + 0.3, height[text]
        axes.text(*place, ", ".join(names), va="center", color=COLOURS[i])
    for text, y in height.items():
        strong = text in ways
        box = {"boxstyle": "round", "fc": "white", "ec": "black" if strong else "grey"}
        _write(axes, len(text), y, visible(text[-1:]) or "…", bbox=box, zorder=3)
        if text:
            label, kind = f"{probabilities[text]:.2g}", "black" if strong else "grey"
            axes.text(len(text), y - 0.46, label, size=8, color=kind, **_MIDDLE)
    axes.set(xlim=(-0.3, depth + 1.8), ylim=(rows - 0.5, -0.7))
    axes.axis("off")
    return axes


def draw_cuts(probabilities: dict[str, dict], before: dict, vocab, *, ranks: int = 9):
    """Distributions of the next character, a row a place and a column a setting.

    Args:
        probabilities: place to name of a setting to (vocab_size,).
        before: place to (vocab_size,), drawn as an outline around each.
        vocab: names the characters.
        ranks: how many of the most probable ones are shown.

    Returns:
        The array of axes.
    """
    from matplotlib import pyplot as plt

    use_svg_display()
    settings = list(next(iter(probabilities.values())))
    size = (1.85 * len(settings) + 0.4, 1.45 * len(before) + 0.3)
    figure, grid = plt.subplots(
        len(before), len(settings), figsize=size, sharey=True, squeeze=False
    )
    for place, row in zip(before, grid):
        order = np.argsort(-np.asarray(before[place]), kind="stable")[:ranks]
        names = [visible(c) for c in vocab.to_tokens(order.tolist())]
        for setting, axes in zip(settings, row):
            axes.bar(range(ranks), probabilities[place][setting][order], fc=COLOURS[0])
            axes.bar(range(ranks), before[place][order], fc="none", ec="#9ca3af")
            axes.set_xticks(range(ranks), names, family=MONOSPACE)
            axes.set_title(setting if place == next(iter(before)) else "", size=10)
        row[0].set_ylabel(place, family=MONOSPACE)
    figure.tight_layout()
    return grid


def draw_intervals(
    rows: dict[str, list], areas: dict[str, tuple[float, float]], full
) -> np.ndarray:
    """Means with intervals, a row a name and a panel a quantity.

    Args:
        rows: name to an interval (`low`, `mean`, `high`) for each panel.
        areas: label of a panel to the ends of the area that is shaded in it.
        full: the names whose dots are full.

    Returns:
        The array of axes.
    """
    from matplotlib import pyplot as plt

    use_svg_display()
    size = (2.3 * len(areas) + 1.5, 0.23 * len(rows) + 0.7)
    panels = plt.subplots(1, len(areas), figsize=size, sharey=True, squeeze=False)[1][0]
    for k, (axes, (label, area)) in enumerate(zip(panels, areas.items())):
        axes.axvspan(*area, color="#d7e8d9", zorder=0)
        for row, (name, intervals) in enumerate(rows.items()):
            one, fill = intervals[k], COLOURS[0] if name in full else "white"
            axes.plot([one.low, one.high], [row, row], color=COLOURS[0], linewidth=2)
            axes.plot(one.mean, row, "o", color=COLOURS[0], mfc=fill, ms=4)
        axes.axvline(0, color="grey", linewidth=0.8)
        axes.set(xlabel=label, xlim=(-1.05, 1.05))
        axes.grid(axis="y", alpha=0.3)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    return panels
