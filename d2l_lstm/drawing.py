"""Data-flow drawings of recurrent cells, in a few strokes.

Matplotlib, which takes a second to import, is imported by the first drawing only.
"""

from __future__ import annotations

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
        from matplotlib import patches
        from matplotlib import pyplot as plt

        use_svg_display()
        self._patches = patches
        if axes is None:
            axes = plt.subplots(figsize=(width * scale, height * scale))[1]
        self.axes = axes
        axes.set(xlim=(0, width), ylim=(-0.3, height), aspect="equal")
        axes.axis("off")

    def _colours(self, faded):
        return (FADED, "white") if faded else (DARK, LIGHT)

    def frame(self, x, y, width, height, faded=False):
        """The outline of a cell, its lower left corner at (x, y)."""
        edge, _ = self._colours(faded)
        self.axes.add_patch(
            self._patches.FancyBboxPatch(
                (x, y), width, height, "round,pad=0,rounding_size=0.4",
                edgecolor=edge, facecolor="#fafafa", linewidth=1.2, zorder=0,
            )
        )  # fmt: skip
        return self

    def box(self, x, y, text, width=1.0, faded=False):
        """A fully connected layer, centred at (x, y), named by its activation."""
        edge, face = self._colours(faded)
        self.axes.add_patch(
            self._patches.FancyBboxPatch(
                (x - width / 2, y - 0.35), width, 0.7, "round,pad=0,rounding_size=0.1",
                edgecolor=edge, facecolor=face, linewidth=1.2, zorder=3,
            )
        )  # fmt: skip
        return self.text(x, y, text, faded=faded)

    def op(self, x, y, text, faded=False, radius=0.3):
        """An elementwise operation: a circle at (x, y)."""
        edge, _ = self._colours(faded)
        self.axes.add_patch(
            self._patches.Circle((x, y), radius, ec=edge, fc="white", lw=1.2, zorder=3)
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
                    "linestyle": style, "shrinkA": 0, "shrinkB": 0,
                },
            )  # fmt: skip
        return self

    def dot(self, x, y, faded=False):
        """A point where a line branches."""
        edge, _ = self._colours(faded)
        self.axes.plot([x], [y], "o", color=edge, markersize=4, zorder=3)
        return self


def draw_lstm(stage: int = 4, axes=None) -> Diagram:
    """The data flow of an LSTM cell; what comes after `stage` is grey.

    Args:
        stage: 1 the gates, 2 the candidate memory cell, 3 the memory cell, 4 the
            hidden state.
        axes: where to draw; by default a figure of its own.

    Source: after the equations of d2l, "Long Short-Term Memory (LSTM)".
    """
    if stage not in (1, 2, 3, 4):
        raise ValueError(f"stage is {stage!r}; there are 1, 2, 3 and 4.")
    d = Diagram(width=11, height=6, axes=axes)
    candidate, cell, hidden = stage < 2, stage < 3, stage < 4
    d.frame(1.6, 0.45, 7.6, 5.15)
    # the gates: each sees X_t and H_{t-1}
    d.arrow((0.85, 1), (7, 1), head=False).arrow((1.2, 0.25), (1.2, 1), head=False)
    d.text(0.3, 1, "$H_{t-1}$").text(1.2, 0, "$X_t$").dot(1.2, 1)
    for x, name in ((2.2, "F_t"), (3.9, "I_t"), (7, "O_t")):
        d.arrow((x, 1), (x, 1.65)).box(x, 2, r"$\sigma$")
        d.text(x - 0.35, 2.62, f"${name}$", size=10)
    d.dot(2.2, 1).dot(3.9, 1)
    # the candidate
    d.arrow((5.6, 1), (5.6, 1.65), faded=candidate).box(
        5.6, 2, r"$\tanh$", faded=candidate
    )
    d.dot(5.6, 1, faded=candidate)
    d.text(6.0, 2.62, r"$\tilde{C}_t$", size=10, faded=candidate)
    # the memory cell
    d.text(0.3, 5, "$C_{t-1}$", faded=cell).text(10.6, 5, "$C_t$", faded=cell)
    d.arrow((0.85, 5), (1.9, 5), faded=cell).arrow((2.5, 5), (4.7, 5), faded=cell)
    d.arrow((5.3, 5), (10.25, 5), faded=cell)
    d.op(2.2, 5, r"$\odot$", faded=cell).op(5, 5, "$+$", faded=cell)
    d.op(5, 3.6, r"$\odot$", faded=cell)
    d.arrow((2.2, 2.35), (2.2, 4.7), faded=cell)
    d.arrow((3.9, 2.35), (3.9, 3.6), (4.7, 3.6), faded=cell)
    d.arrow((5.6, 2.35), (5.6, 3.6), (5.3, 3.6), faded=cell)
    d.arrow((5, 3.9), (5, 4.7), faded=cell)
    # the hidden state
    d.dot(8.2, 5, faded=hidden).op(8.2, 3.9, r"$\tanh$", faded=hidden, radius=0.48)
    d.arrow((8.2, 5), (8.2, 4.38), faded=hidden)
    d.arrow((8.2, 3.42), (8.2, 2.9), faded=hidden)
    d.op(8.2, 2.6, r"$\odot$", faded=hidden)
    d.arrow((7, 2.35), (7, 2.6), (7.9, 2.6), faded=hidden)
    d.arrow((8.2, 2.3), (8.2, 1), (10.25, 1), faded=hidden)
    d.text(10.6, 1, "$H_t$", faded=hidden)
    return d
