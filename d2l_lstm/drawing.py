"""Data-flow drawings of recurrent cells, in a few strokes.

Matplotlib, which takes a second to import, is imported by the first drawing only.
"""

from __future__ import annotations

from .plotting import COLOURS, use_svg_display

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
        usual = {"ha": "center", "va": "center", "zorder": 4}
        usual["color"] = FADED if faded else "black"
        self.axes.text(x, y, text, fontsize=size, **(usual | options))
        return self

    def tag(self, x, y, text, radius=0.2):
        """A number in a small dark circle at (x, y), to be spoken of."""
        self.axes.add_patch(
            self._patches.Circle((x, y), radius, ec=DARK, fc=DARK, zorder=5)
        )
        return self.text(x, y, text, size=8, color="white", zorder=6)

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


def draw_unrolled(read: str, predicted: str, axes=None) -> Diagram:
    """A recurrent network unrolled over a few characters: the same layer at each step.

    Args:
        read: the characters that it reads, one a time step.
        predicted: the characters that its scores should be best for.
        axes: where to draw; by default a figure of its own.

    Raises:
        ValueError: for no character, or two texts of different length.

    Source: after the equations of d2l, "Recurrent Neural Networks".
    """
    if not read or len(read) != len(predicted):
        raise ValueError(
            f"{read!r} is read and {predicted!r} predicted; give as many characters "
            "for each, at least one."
        )
    d = Diagram(width=2.6 * len(read) + 2, height=5.6, axes=axes)
    d.text(0.45, 2.6, r"$\mathbf{H}_0$")
    d.arrow((0.9, 2.6), (1.6, 2.6))
    for i, characters in enumerate(zip(read, predicted)):
        x, t = 2.2 + 2.6 * i, i + 1
        below, above = ("␣" if c == " " else c for c in characters)
        d.box(x, 2.6, r"$\tanh$", width=1.2)
        d.text(x, 0, below, family="monospace").text(x, 0.75, rf"$\mathbf{{X}}_{t}$")
        d.arrow((x, 1.15), (x, 2.25)).arrow((x, 2.95), (x, 4.05))
        d.text(x, 4.4, rf"$\mathbf{{S}}_{t}$").text(x, 5.15, above, family="monospace")
        d.arrow((x + 0.6, 2.6), (x + 2, 2.6))
        d.text(x + 1.25, 2.95, rf"$\mathbf{{H}}_{t}$", size=10)
    return d


def draw_lstm(stage: int = 4, axes=None, *, numbers: bool = False) -> Diagram:
    """The data flow of an LSTM cell; what comes after `stage` is grey.

    Args:
        stage: 1 the gates, 2 the candidate memory cell, 3 the memory cell, 4 the
            hidden state.
        axes: where to draw; by default a figure of its own.
        numbers: number each part by the line of `lstm_step` that computes it, 1 to 6.

    Source: after the equations of d2l, "Long Short-Term Memory (LSTM)".
    """
    if stage not in (1, 2, 3, 4):
        raise ValueError(f"stage is {stage!r}; there are 1, 2, 3 and 4.")
    d = Diagram(width=11, height=6, axes=axes)
    candidate, cell, hidden = stage < 2, stage < 3, stage < 4
    d.frame(1.6, 0.45, 7.6, 5.15)
    # the gates: each sees X_t and H_{t-1}
    d.arrow((0.85, 1), (7, 1), head=False).arrow((1.2, 0.25), (1.2, 1), head=False)
    d.text(0.3, 1, r"$\mathbf{H}_{t-1}$").text(1.2, 0, r"$\mathbf{X}_t$").dot(1.2, 1)
    for x, name in ((2.2, "F"), (3.9, "I"), (7, "O")):
        d.arrow((x, 1), (x, 1.65)).box(x, 2, r"$\sigma$")
        d.text(x - 0.35, 2.62, rf"$\mathbf{{{name}}}_t$", size=10)
    d.dot(2.2, 1).dot(3.9, 1)
    # the candidate
    d.arrow((5.6, 1), (5.6, 1.65), faded=candidate).box(
        5.6, 2, r"$\tanh$", faded=candidate
    )
    d.dot(5.6, 1, faded=candidate)
    d.text(6.0, 2.62, r"$\tilde{\mathbf{C}}_t$", size=10, faded=candidate)
    # the memory cell
    d.text(0.3, 5, r"$\mathbf{C}_{t-1}$", faded=cell)
    d.text(10.6, 5, r"$\mathbf{C}_t$", faded=cell)
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
    d.text(10.6, 1, r"$\mathbf{H}_t$", faded=hidden)
    if numbers:  # I, F, O, the candidate, C and H, in the order of the lines
        places = ((4.25, 1.33), (2.55, 1.33), (7.35, 1.33), (5.95, 1.33))
        for number, (x, y) in enumerate((*places, (5.5, 5.32), (8.8, 2.6)), 1):
            d.tag(x, y, str(number))
    return d


def draw_gru(stage: int = 3, axes=None) -> Diagram:
    """The data flow of a GRU cell; what comes after `stage` is grey.

    Args:
        stage: 1 the gates, 2 the candidate hidden state, 3 the hidden state.
        axes: where to draw; by default a figure of its own.

    Source: after the equations of d2l, "Gated Recurrent Units (GRU)".
    """
    if stage not in (1, 2, 3):
        raise ValueError(f"stage is {stage!r}; there are 1, 2 and 3.")
    d = Diagram(width=12, height=6.5, axes=axes)
    candidate, state = stage < 2, stage < 3
    d.frame(1, 0.7, 10, 5.5)
    # the gates: each sees X_t and H_{t-1}
    d.text(1.5, 0.2, r"$\mathbf{X}_t$")
    d.text(-0.1, 5.8, r"$\mathbf{H}_{t-1}$", ha="left")
    d.arrow((1.9, 0), (1.9, 1.2), (5.2, 1.2), (5.2, 2.25))
    d.arrow((3.0, 1.2), (3.0, 2.25)).dot(3.0, 1.2)
    d.arrow((0, 5.4), (2.2, 5.4), (2.2, 1.7), (5.6, 1.7), (5.6, 2.25))
    d.arrow((3.4, 1.7), (3.4, 2.25)).dot(3.4, 1.7)
    for x, name in ((3.2, "R"), (5.4, "Z")):
        d.box(x, 2.6, r"$\sigma$").arrow((x, 2.95), (x, 3.45))
        d.text(x + 0.42, 3.2, rf"$\mathbf{{{name}}}_t$")
    # the candidate
    d.arrow((2.2, 5.4), (3.2, 5.4), head=False, faded=candidate)
    d.op(3.2, 3.75, r"$\odot$", faded=candidate)
    d.arrow((3.2, 5.4), (3.2, 4.05), faded=candidate)
    d.arrow(
        (3.5, 3.75), (7.0, 3.75), (7.0, 1.7), (8.6, 1.7), (8.6, 2.25), faded=candidate
    )
    if not candidate:  # a grey dot would cut a dark line
        d.dot(2.2, 5.4).dot(5.2, 1.2)
    d.arrow((5.2, 1.2), (8.2, 1.2), (8.2, 2.25), faded=candidate)
    d.box(8.4, 2.6, r"$\tanh$", 1.2, faded=candidate)
    d.arrow((8.4, 2.95), (8.4, 3.75), faded=candidate)
    d.text(8.95, 3.35, r"$\tilde{\mathbf{H}}_t$", faded=candidate)
    # the hidden state
    if not state:
        d.dot(3.2, 5.4)
    d.arrow((3.2, 5.4), (5.1, 5.4), faded=state)
    d.op(5.4, 5.4, r"$\odot$", faded=state).arrow((5.4, 3.45), (5.4, 5.1), faded=state)
    d.arrow((5.7, 5.4), (8.1, 5.4), faded=state).op(8.4, 5.4, "$+$", faded=state)
    d.dot(5.4, 4.4, faded=state).arrow((5.4, 4.4), (5.9, 4.4), faded=state)
    d.op(6.2, 4.4, "1−", faded=state).op(8.4, 4.05, r"$\odot$", faded=state)
    d.arrow((6.5, 4.4), (7.3, 4.4), (7.3, 4.05), (8.1, 4.05), faded=state)
    d.arrow((8.4, 4.35), (8.4, 5.1), faded=state)
    d.arrow((8.7, 5.4), (12, 5.4), faded=state)
    return d.text(11.7, 5.8, r"$\mathbf{H}_t$", faded=state)


# Of `draw_backward`, in units: the sums with the functions behind them, one above the
# other; what stands between the old cell and the loss; the numbers of the way back.
_LAYERS = (  # height, function, symbol and name of the sum, of the result
    (4.8, r"$\sigma$", "$A_f$", "A_f", "$F$", "F"),
    (3.4, r"$\sigma$", "$A_i$", "A_i", "$I$", "I"),
    (2.0, "tanh", "$A_c$", "A_c", r"$\tilde{C}$", "C_tilde"),
    (0.6, r"$\sigma$", "$A_o$", "A_o", "$O$", "O"),
)
_TOP = (  # place, symbol, name
    (6.5, "$C_{t-1}$", "C_old"),
    (11.05, r"$F\,C_{t-1}$", "kept"),
    (14.4, "$C$", "C"),
    (18.15, r"$\tanh C$", "tanh_C"),
    (21.2, "$H$", "H"),
)
_TAGS = (
    (23.2, 6.95), (19.8, 6.9), (16.2, 7.2), (12.8, 6.9), (9.3, 6.9), (6.6, 5.42),
    (2.6, 5.4),
)  # fmt: skip


def draw_backward(values, gradients, axes=None) -> Diagram:
    """The computation graph of one unit of an LSTM at one step, up to the loss.

    Each line has its value above it, and below it, slanted, the derivative of the loss
    with respect to that value. Numbers in circles count the way back from the loss to
    the weight `w_hf` of the forget gate, 1 to 7.

    Args:
        values: name to number: the sums `A_f`, `A_i`, `A_c` and `A_o` in front of the
            functions, `F`, `I`, `C_tilde` and `O` behind them, the old cell `C_old`,
            the two parts `kept` and `new` of the new cell, `C`, `tanh_C` and `H`; and
            `w_hf`, by which `A_f` has the old hidden state.
        gradients: the same names.
        axes: where to draw; by default a figure of its own.

    Raises:
        ValueError: if a number is missing.

    Source: after the equations of d2l, "Long Short-Term Memory (LSTM)".
    """
    names = [name for *_, name in _TOP] + ["new", "w_hf"]
    names += [name for layer in _LAYERS for name in (layer[3], layer[5])]
    missing = [n for n in names if n not in values or n not in gradients]
    if missing:
        raise ValueError(f"there is no value or no gradient of {', '.join(missing)}.")
    d = Diagram(width=24.3, height=7.5, scale=0.44, axes=axes)

    def edge(x, y, symbol, name):
        value, gradient = f"{values[name]:.2f}", f"{gradients[name]:.3f}"
        d.text(x, y + 0.36, f"{symbol} {value.replace('-', '−')}", size=9)
        style = {"size": 9, "color": COLOURS[1], "style": "italic"}
        d.text(x, y - 0.36, gradient.replace("-", "−"), **style)

    for y, function, symbol, name, result, result_name in _LAYERS:
        d.arrow((4.1, y), (5.9, y)).box(6.6, y, function, width=1.4)
        edge(4.9, y, symbol, name)
        edge(12.8 if name == "A_o" else 8.2, y, result, result_name)
    # the forget gate's sum; all others begin with theirs
    d.arrow((0.5, 4.8), (2.3, 4.8)).op(2.6, 4.8, r"$\odot$").arrow(
        (2.9, 4.8), (3.5, 4.8)
    )
    d.op(3.8, 4.8, "+").arrow((2.6, 3.8), (2.6, 4.5)).arrow((3.8, 5.55), (3.8, 5.1))
    d.text(2.6, 3.45, "$H_{t-1}$", size=9).text(3.9, 5.88, r"$x\,w_{xf} + b_f$", size=9)
    edge(1.4, 4.8, "$w_{hf}$", "w_hf")
    # from the old cell to the new one
    d.arrow((4.1, 6.3), (9, 6.3)).op(9.3, 6.3, r"$\odot$")
    d.arrow((7.3, 4.8), (9.3, 4.8), (9.3, 6.0)).arrow((9.6, 6.3), (12.5, 6.3))
    d.arrow((7.3, 3.4), (9.3, 3.4), (9.3, 3.0)).op(9.3, 2.7, r"$\odot$")
    d.arrow((7.3, 2.0), (9.3, 2.0), (9.3, 2.4))
    d.arrow((9.6, 2.7), (12.8, 2.7), (12.8, 6.0)).op(12.8, 6.3, "+")
    # from there to the loss
    d.arrow((13.1, 6.3), (15.6, 6.3)).op(16.2, 6.3, "tanh", radius=0.6)
    d.arrow((16.8, 6.3), (19.5, 6.3)).op(19.8, 6.3, r"$\odot$")
    d.arrow((7.3, 0.6), (19.8, 0.6), (19.8, 6.0))
    d.arrow((20.1, 6.3), (22.3, 6.3)).box(23.2, 6.3, "loss", width=1.8)
    for x, symbol, name in _TOP:
        edge(x, 6.3, symbol, name)
    edge(11.1, 2.7, r"$I\,\tilde{C}$", "new")
    for number, place in enumerate(_TAGS, 1):
        d.tag(*place, str(number))
    return d
