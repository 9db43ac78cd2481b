"""A figure that shows its parts one after the other, and all of them when it rests.

    reveal(figure, [["step 1", ...], ["step 2", ...]])

The animation is inside the SVG (SMIL), without a script: a page that strips animations,
a PDF or a printer shows the whole figure.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Sequence


class AnimatedFigure:
    """An SVG, as a notebook shows it."""

    def __init__(self, svg: str):
        self.svg = svg

    def __repr__(self):
        return f"an animated figure of {len(self.svg):,} characters"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": repr(self), "image/svg+xml": self.svg}


def reveal(
    figure, steps: Sequence[Sequence[str]], seconds: float = 1.0, rest: float = 4.0
) -> AnimatedFigure:
    """Let parts of a figure appear step by step, again and again.

    Args:
        figure: Matplotlib's; what is to appear has a name, `artist.set_gid(name)`.
        steps: for each step the names of what appears with it and stays.
        seconds: of each step.
        rest: how long the whole figure stands still, in seconds.

    Returns:
        The figure, closed in Matplotlib, to be shown as the last value of a cell.

    Raises:
        ValueError: for a name that the figure does not have or has twice, or that
            appears twice; unless `seconds` is above 0 and `rest` at least 0.
    """
    _check(steps, seconds, rest)
    import matplotlib
    from matplotlib import pyplot as plt

    with matplotlib.rc_context({"svg.hashsalt": "d2l-lstm"}):
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", metadata={"Date": None}, bbox_inches="tight"
        )
    plt.close(figure)
    svg, whole = buffer.getvalue(), len(steps) * seconds + rest
    groups = list(re.finditer(r"""<g id=(["'])(.*?)\1[^>]*>""", svg))
    for k, names in enumerate(steps):
        begin = k * seconds / whole
        times, values = ("0;1", "1;1") if k == 0 else (f"0;{begin:.4f};1", "0;1;1")
        moves = (
            f'<animate attributeName="opacity" values="{values}" keyTimes="{times}" '
            f'calcMode="discrete" dur="{whole:g}s" repeatCount="indefinite"/>'
        )
        for name in names:
            found = [group[0] for group in groups if html.unescape(group[2]) == name]
            if len(found) != 1:
                raise ValueError(
                    f"the figure has {len(found)} parts named {name!r}; it must be one."
                )
            svg = svg.replace(found[0], found[0] + moves)
    return AnimatedFigure(svg)


def _check(steps, seconds, rest) -> None:
    names = []
    for step in steps:
        if isinstance(step, str):
            raise ValueError(f"a step is {step!r}; it must be a list of names.")
        names += step
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} appears twice; a part stays once it is there.")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds is {seconds}; it must be a number above 0.")
    if not 0 <= rest < math.inf:
        raise ValueError(f"rest is {rest}; it must be a number, at least 0.")
