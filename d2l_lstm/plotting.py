"""Figures: the book's `plot` and `Animator`, learning curves, heat maps over text.

Lines differ in dash as well as in colour, so a figure survives a grey printer. IPython
is imported only where a notebook shows something, Matplotlib, which takes a second,
only where something is drawn.
"""

from __future__ import annotations

import html
import io
import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("-", "m--", "g-.", "r:")
# Dark to light, so that the order survives greyscale; safe for the colour-blind.
COLOURS = ("#1b3a6b", "#c2410c", "#2a9d8f", "#9d4edd", "#e9a820", "#6b7280", "#111111")
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
GREY = "#6b7280"  # of yardsticks

# Name, colour and dash of each thing, the same in every figure.
_LOOKS = {
    "lstm": ("LSTM", COLOURS[0], STYLES[0]),
    "gru": ("GRU", COLOURS[1], STYLES[1]),
    "gru_reset_after": ("GRU, reset after", COLOURS[1], STYLES[6]),
    "rnn": ("RNN", COLOURS[2], STYLES[2]),
    "peephole": ("peephole LSTM", COLOURS[3], STYLES[3]),
    "peephole_i": ("peephole I", COLOURS[3], STYLES[0]),
    "peephole_f": ("peephole F", COLOURS[3], STYLES[4]),
    "peephole_o": ("peephole O", COLOURS[3], STYLES[5]),
    "cifg": ("CIFG", COLOURS[4], STYLES[4]),
    "peephole_cifg": ("peephole CIFG", COLOURS[6], STYLES[5]),
    "lstm_relu_gates": ("LSTM, ReLU gates", COLOURS[5], STYLES[3]),
    "lstm_hard_sigmoid": ("LSTM, hard sigmoid", COLOURS[5], STYLES[1]),
    "lstm_sigmoid_candidate": ("LSTM, σ candidate", COLOURS[5], STYLES[5]),
    # What was left out of the peephole LSTM in black, kin of the LSTM and of the GRU in
    # their colours.
    "nig": ("no input gate", COLOURS[6], STYLES[0]),
    "nfg": ("no forget gate", COLOURS[6], STYLES[1]),
    "nog": ("no output gate", COLOURS[6], STYLES[2]),
    "niaf": ("no tanh inside", COLOURS[6], STYLES[3]),
    "noaf": ("no tanh outside", COLOURS[6], STYLES[4]),
    "fgr": ("gate recurrence", COLOURS[6], STYLES[6]),
    "lstm_1997": ("LSTM of 1997", COLOURS[0], STYLES[1]),
    "janet": ("JANET", COLOURS[0], STYLES[2]),
    "depth_gated": ("depth-gated LSTM", COLOURS[0], STYLES[4]),
    "minlstm": ("minLSTM", COLOURS[0], STYLES[5]),
    "slstm": ("sLSTM", COLOURS[0], STYLES[6]),
    "mut1": ("MUT1", COLOURS[1], STYLES[2]),
    "mut2": ("MUT2", COLOURS[1], STYLES[3]),
    "mut3": ("MUT3", COLOURS[1], STYLES[4]),
    "mingru": ("minGRU", COLOURS[1], STYLES[5]),
    "clockwork": ("Clockwork RNN", COLOURS[2], STYLES[4]),
    "training": ("training", COLOURS[0], STYLES[0]),
    "validation": ("validation", COLOURS[1], STYLES[1]),
    "test": ("test", COLOURS[2], STYLES[2]),
    "ngram": ("n-grams", GREY, STYLES[6]),
    "persistence": ("persistence", GREY, STYLES[6]),
    "seasonal": ("seasonal naive", COLOURS[4], STYLES[4]),
    "linear": ("linear autoregression", COLOURS[1], STYLES[1]),
    "smoothing": ("exponential smoothing", COLOURS[3], STYLES[5]),
}


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel: Jupyter's own, Colab's, any other."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def use_svg_display() -> None:
    """Show figures in notebooks as SVG, the same bytes for the same figure."""
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "d2l-lstm"
    if in_notebook():
        from matplotlib_inline import backend_inline

        backend_inline.set_matplotlib_formats("svg", metadata={"Date": None})


def look(name: str) -> dict:
    """How a thing is drawn, in every figure: `axes.plot(x, y, **d2l.look("lstm"))`.

    Args:
        name: of a cell in `CELLS`; "training", "validation", "test", "ngram"; of
            a method of forecasting: "persistence", "seasonal", "linear", "smoothing".

    Returns:
        color, linestyle and label, as Matplotlib takes them.

    Raises:
        ValueError: for a name without a look.
    """
    if name not in _LOOKS:
        raise ValueError(f"no look for {name!r}; there are {', '.join(_LOOKS)}.")
    return dict(zip(("label", "color", "linestyle"), _LOOKS[name]))


def perplexity_axis(axes) -> None:
    """A logarithmic perplexity axis whose numbers never collide."""
    from matplotlib import ticker

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    many, some = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 5, 7)
    for named in (many, some, (1, 2, 5), (1,)):  # of each decade
        places = ticker.LogLocator(subs=named).tick_values(low, high)
        inside = sum(low <= place <= high for place in places)
        if inside <= 7:
            break
    enough = inside >= 3
    locator = ticker.LogLocator(subs=named) if enough else ticker.MaxNLocator(4)
    axes.yaxis.set_major_locator(locator)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(ticker.NullLocator())


def draw_yardsticks(axes, yardsticks: dict[str, float]) -> None:
    """Thin level lines, with their names right of the axes, one below the other.

    Args:
        yardsticks: name to perplexity.
    """
    from matplotlib.transforms import blended_transform_factory

    ends = [
        *axes.get_ylim(),
        *(v * k for v in yardsticks.values() for k in (1 / 1.06, 1.06)),
    ]
    axes.set_ylim(min(ends), max(ends))  # a name far outside would leave no room
    axes.figure.canvas.draw()
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    size = 8
    highest = axes.get_window_extent().height / axes.figure.dpi * 72
    below, (low, high) = -1e9, axes.get_ylim()
    for name, value in sorted(yardsticks.items(), key=lambda item: item[1]):
        axes.axhline(value, color=GREY, linewidth=0.9, linestyle=STYLES[6], zorder=1)
        at = axes.transAxes.inverted().transform(axes.transData.transform((0, value)))
        points = max(at[1] * highest, below + size + 2)  # of the name, above the axis
        below = points
        axes.annotate(
            name, (1, value), (6, points - at[1] * highest), fontsize=size,
            xycoords=beside, textcoords="offset points", va="center", color="#374151",
        )  # fmt: skip
    axes.set_ylim(low, high)


def set_figsize(figsize=(3.5, 2.5)) -> None:
    """Set the size of figures, in inches, and show them as SVG. Source: d2l."""
    from matplotlib import pyplot as plt

    use_svg_display()
    plt.rcParams["figure.figsize"] = figsize


def set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend) -> None:
    """Label, scale and limit axes. Source: d2l, "Calculus"."""
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
    axes.set(xlim=xlim, ylim=ylim)
    if legend:
        axes.legend(legend)
    axes.grid(alpha=0.4)


def _curves(X, Y):
    """The book's liberal X and Y as two lists of curves of one length."""

    def is_one_curve(Z):
        return getattr(Z, "ndim", 0) == 1 or (
            isinstance(Z, (list, range)) and not hasattr(Z[0], "__len__")
        )

    if is_one_curve(X):
        X = [X]
    if Y is None:
        X, Y = [range(len(y)) for y in X], X
    elif is_one_curve(Y):
        Y = [Y]
    return (X * len(Y) if len(X) != len(Y) else X), Y


def plot(
    X,
    Y=None,
    xlabel=None,
    ylabel=None,
    legend=None,
    xlim=None,
    ylim=None,
    xscale="linear",
    yscale="linear",
    fmts=FORMATS,
    figsize=(3.5, 2.5),
    axes=None,
):
    """Plot one or several curves.

    Args:
        X, Y: a sequence of numbers or a list of them; without Y, X is plotted over
            0, 1, ...
        fmts: format of each curve, used in turn.
        figsize: in inches.

    Returns:
        The axes.

    Source: d2l, "Calculus".
    """
    from matplotlib import pyplot as plt

    set_figsize(figsize)
    axes = axes or plt.gca()
    axes.cla()
    for i, (x, y) in enumerate(zip(*_curves(X, Y))):
        axes.plot(x, y, fmts[i % len(fmts)])
    set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)
    return axes


class LiveFigure:
    """One place in a notebook's output whose content is replaced in place.

    Unlike clearing the output, this leaves what was printed around it alone, and the
    saved notebook keeps the last state only.
    """

    def __init__(self):
        self._handle = None

    def show(self, figure: Figure, text: str = "") -> None:
        """Show a figure, with a line of text under it, instead of what was shown."""
        import matplotlib
        from IPython.display import HTML, SVG, display

        with matplotlib.rc_context({"svg.hashsalt": "d2l-lstm"}):
            buffer = io.StringIO()
            figure.savefig(
                buffer, format="svg", metadata={"Date": None}, bbox_inches="tight"
            )
        svg = SVG(buffer.getvalue())
        shown = HTML(f"{svg.data}<pre>{html.escape(text)}</pre>") if text else svg
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


class Animator:
    """Curves that grow while the numbers come in.

    Args:
        legend: a name for each curve.
        xlabel, ylabel, xlim, ylim, xscale, yscale, fmts, nrows, ncols, figsize: as in
            `plot`.

    Source: d2l, "Softmax Regression from Scratch".
    """

    def __init__(
        self,
        xlabel=None,
        ylabel=None,
        legend=None,
        xlim=None,
        ylim=None,
        xscale="linear",
        yscale="linear",
        fmts=FORMATS,
        nrows=1,
        ncols=1,
        figsize=(3.5, 2.5),
    ):
        from matplotlib.figure import Figure

        # A Figure of its own, not one of pyplot's: those are shown again at cell end.
        self.fig = Figure(figsize=figsize)
        self.axes = self.fig.subplots(nrows, ncols, squeeze=False).ravel().tolist()
        self.config_axes = lambda: set_axes(
            self.axes[0], xlabel, ylabel, xlim, ylim, xscale, yscale, legend
        )
        self.X, self.Y, self.fmts = [], [], fmts
        self._live = LiveFigure()

    def add(self, x, y, text: str = "") -> None:
        """Add a point to each curve (None leaves one out), and show."""
        y = y if hasattr(y, "__len__") else [y]
        x = x if hasattr(x, "__len__") else [x] * len(y)
        if not self.X:
            self.X, self.Y = [[] for _ in y], [[] for _ in y]
        for xs, ys, a, b in zip(self.X, self.Y, x, y):
            if a is not None and b is not None:
                xs.append(a)
                ys.append(b)
        self.draw(text)

    def draw(self, text: str = "") -> None:
        """Show the curves as they are now."""
        self.axes[0].cla()
        for i, (xs, ys) in enumerate(zip(self.X, self.Y)):
            self.axes[0].plot(xs, ys, self.fmts[i % len(self.fmts)])
        self.config_axes()
        if in_notebook():
            self._live.show(self.fig, text)


def plot_history(
    histories,
    *,
    what="valid_perplexity",
    yardsticks=None,
    axes=None,
    figsize=(4.5, 2.8),
):
    """Learning curves of one or several runs, logarithmic in perplexity.

    Args:
        histories: a `History`, or a dict of name to `History`; one shows training and
            validation, several show `what`; a name that `look` knows is drawn so.
        what: `'train_perplexity'` or `'valid_perplexity'`.
        yardsticks: name to perplexity, drawn as level lines.

    Returns:
        The axes.
    """
    from matplotlib import pyplot as plt

    if isinstance(histories, dict):
        curves = {name: (h, what) for name, h in histories.items()}
    else:
        curves = {"training": (histories, "train_perplexity")}
        if histories.best_epoch:
            curves["validation"] = (histories, "valid_perplexity")
    use_svg_display()
    if axes is None:
        axes = plt.subplots(figsize=figsize)[1]
    for i, (name, (history, key)) in enumerate(curves.items()):
        points = [(e, v) for e, v in zip(history.epochs, getattr(history, key)) if v]
        kind = {
            "color": COLOURS[i % len(COLOURS)],
            "linestyle": STYLES[i % len(STYLES)],
        }
        if name in _LOOKS:
            kind = look(name)
        axes.plot(*zip(*points), **({"label": name} | kind))
    axes.set(xlabel="epoch", ylabel="perplexity")
    values = [v for line in axes.lines for v in line.get_ydata() if v < math.inf]
    values += list((yardsticks or {}).values())
    axes.set_yscale("log")
    if values:
        axes.set_ylim(min(values) / 1.06, max(values) * 1.06)
    perplexity_axis(axes)
    if yardsticks:
        draw_yardsticks(axes, yardsticks)
    axes.grid(alpha=0.4)
    axes.legend()
    return axes


def text_heatmap(values, text, labels, *, label="", vmin=None, vmax=None, figsize=None):
    """A heat map with one column a character.

    Args:
        values: (rows, characters).
        text: the characters under the columns; a space shows as an open box.
        labels: names of the rows.
        label: of the colour bar, with its unit.

    Returns:
        The axes.
    """
    from matplotlib import pyplot as plt

    use_svg_display()
    figure, axes = plt.subplots(figsize=figsize or (0.22 * len(text) + 1.6, 2.2))
    image = axes.imshow(
        values, aspect="auto", cmap="viridis", vmin=vmin, vmax=vmax, rasterized=True
    )
    axes.set_xticks(range(len(text)), [c if c != " " else "␣" for c in text])
    axes.set_yticks(range(len(labels)), labels)
    figure.colorbar(image, ax=axes, label=label, pad=0.02)
    return axes
