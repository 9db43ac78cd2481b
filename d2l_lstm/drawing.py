"""Data-flow drawings of recurrent cells, in a few strokes."""

from __future__ import annotations

from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch

from .plotting import use_svg_display

DARK, LIGHT = "#1b3a6b", "#dbe7f5"
FADED = "#c9ced6"


class Diagram:
    """A drawing to which boxes, circles and arrows are added one by one.

    Args:
        width, height: of the drawing, in its own units; one unit is a box's height.
        scale: inches of a unit.
        axes: where to draw; by default a figure of its own.

    Everything takes `faded=True`, to draw in grey what is not the subject yet, and
    returns the drawing, so that calls can be chained.
    """

    def __init__(self, width=10.0, height=6.0, scale=0.55, axes=None):
        use_svg_display()
        if axes is None:
            axes = plt.subplots(figsize=(width * scale, height * scale))[1]
        self.axes = axes
        axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        axes.axis("off")

    def _colours(self, faded):
        return (FADED, "white") if faded else (DARK, LIGHT)

    def frame(self, x, y, width, height, faded=False):
        """The outline of a cell, its lower left corner at (x, y)."""
        edge, _ = self._colours(faded)
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y), width, height, "round,pad=0,rounding_size=0.4",
                edgecolor=edge, facecolor="#fafafa", linewidth=1.2, zorder=0,
            )
        )  # fmt: skip
        return self

    def box(self, x, y, text, width=1.0, faded=False):
        """A fully connected layer, centred at (x, y), named by its activation."""
        edge, face = self._colours(faded)
        self.axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - 0.35), width, 0.7, "round,pad=0,rounding_size=0.1",
                edgecolor=edge, facecolor=face, linewidth=1.2, zorder=3,
            )
        )  # fmt: skip
        return self.text(x, y, text, faded=faded)

    def op(self, x, y, text, faded=False, radius=0.3):
        """An elementwise operation: a circle at (x, y)."""
        edge, _ = self._colours(faded)
        self.axes.add_patch(
            plt.Circle((x, y), radius, ec=edge, fc="white", lw=1.2, zorder=3)
        )
        return self.text(x, y, text, faded=faded)

    def text(self, x, y, text, faded=False, size=11, **options):
        """A label at (x, y), mathematics between dollar signs."""
        options = {"ha": "center", "va": "center", "zorder": 4} | options
        self.axes.text(
            x, y, text, fontsize=size, color=FADED if faded else "black", **options
        )
        return self

    def arrow(self, *points, faded=False, head=True, style="-"):
        """A line through points (x, y), with a head at its end."""
        edge, _ = self._colours(faded)
        xs, ys = zip(*points)
        self.axes.plot(
            xs, ys, color=edge, lw=1.3, ls=style, zorder=1, solid_joinstyle="round"
        )
        if head:
            self.axes.annotate(
                "", points[-1], points[-2], zorder=2,
                arrowprops={
                    "arrowstyle": "-|>", "color": edge, "lw": 1.3,
                    "shrinkA": 0, "shrinkB": 0,
                },
            )  # fmt: skip
        return self

    def dot(self, x, y, faded=False):
        """A point where a line branches."""
        edge, _ = self._colours(faded)
        self.axes.plot([x], [y], "o", color=edge, markersize=4, zorder=3)
        return self
