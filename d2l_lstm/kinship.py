"""How the cells are related: who changes whom, in which lines, with what parameters.

`KIN` names the cells of notebook 14 with the year of the paper that a cell is from and
the cell that it changes. What the change is, is not written down here: it is read off
the source of the two steps, line by line, see `changes`. So it cannot be out of date.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .cells import get_cell
from .cells.functions import sigmoid, tanh
from .plotting import GREY, look


def stacked_lstm_step(X, state, params):
    """Two layers of LSTMs as one step: what `depth_gated` adds a gate to.

    W_b... (h, h) lead from the lower layer to the upper, W_u... (h, h) from the upper
    layer to itself.

    Args:
        X: (batch_size, d).
        state: H, C, H_below, C_below, each (batch_size, h).
        params: the twelve of `lstm_step`, then W_bg, W_ug, b_ug for g in i, f, o, c.

    Returns:
        The new state, as `state`.

    Source: d2l, "Deep Recurrent Neural Networks".
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params[:12]
    W_bi, W_ui, b_ui, W_bf, W_uf, b_uf, W_bo, W_uo, b_uo, W_bc, W_uc, b_uc = params[12:]
    H, C, H_below, C_below = state
    I_below = sigmoid(X @ W_xi + H_below @ W_hi + b_i)
    F_below = sigmoid(X @ W_xf + H_below @ W_hf + b_f)
    O_below = sigmoid(X @ W_xo + H_below @ W_ho + b_o)
    C_tilde_below = tanh(X @ W_xc + H_below @ W_hc + b_c)
    C_below = F_below * C_below + I_below * C_tilde_below
    H_below = O_below * tanh(C_below)
    I = sigmoid(H_below @ W_bi + H @ W_ui + b_ui)
    F = sigmoid(H_below @ W_bf + H @ W_uf + b_uf)
    O = sigmoid(H_below @ W_bo + H @ W_uo + b_uo)
    C_tilde = tanh(H_below @ W_bc + H @ W_uc + b_uc)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C, H_below, C_below


@dataclass(frozen=True)
class Kin:
    """Where a cell comes from.

    Attributes:
        year: of the paper.
        source: authors and year.
        parent: the cell that it changes, a name in `KIN`; None for the first.
        step: what its lines are compared with, unless it is the parent's step.
    """

    year: int
    source: str
    parent: str | None
    step: Callable | None = None


_GREFF = "Greff et al. 2015"
_SEARCHED = "Jozefowicz et al. 2015"
_MINIMAL = "Feng et al. 2024"
KIN = {
    "rnn": Kin(1990, "Elman 1990", None),
    "lstm_1997": Kin(1997, "Hochreiter & Schmidhuber 1997", "rnn"),
    "lstm": Kin(2000, "Gers, Schmidhuber & Cummins 2000", "lstm_1997"),
    "peephole": Kin(2000, "Gers & Schmidhuber 2000", "lstm"),
    "gru": Kin(2014, "Cho et al. 2014", "lstm"),
    "gru_reset_after": Kin(2014, "Cho et al. 2014", "gru"),
    "clockwork": Kin(2014, "Koutník et al. 2014", "rnn"),
    "nig": Kin(2015, _GREFF, "peephole"),
    "nfg": Kin(2015, _GREFF, "peephole"),
    "nog": Kin(2015, _GREFF, "peephole"),
    "niaf": Kin(2015, _GREFF, "peephole"),
    "noaf": Kin(2015, _GREFF, "peephole"),
    "peephole_cifg": Kin(2015, _GREFF, "peephole"),
    "fgr": Kin(2015, _GREFF, "peephole"),
    "mut1": Kin(2015, _SEARCHED, "gru"),
    "mut2": Kin(2015, _SEARCHED, "gru"),
    "mut3": Kin(2015, _SEARCHED, "gru"),
    "depth_gated": Kin(2015, "Yao et al. 2015", "lstm", stacked_lstm_step),
    "janet": Kin(2018, "van der Westhuizen & Lasenby 2018", "lstm"),
    "mingru": Kin(2024, _MINIMAL, "gru"),
    "minlstm": Kin(2024, _MINIMAL, "lstm"),
    "slstm": Kin(2024, "Beck et al. 2024", "lstm"),
}

# --------------------------------------------------------------------------------------
# Which lines differ


def equations(step: Callable) -> dict[str, str]:
    """The lines of a step that compute something, each under what it computes.

    Names being taken out of `params` and `state`, and comments, are left out. Two
    equations in a line become two lines. Lines of an inner function are indented.

    Args:
        step: (X, state, params) to state.

    Returns:
        What is on the left of a line's = to the line: `{"H": "H = O * tanh(C)", ...}`.
    """
    source = textwrap.dedent(inspect.getsource(step))
    return dict(_lines(source, ast.parse(source).body[0].body[1:-1], ""))


def _lines(source, statements, indent):
    """Name and line of each equation, for statements of a function."""

    def text(node):
        return ast.get_source_segment(source, node)

    for node in statements:
        if isinstance(node, ast.FunctionDef):
            head = f"def {node.name}({text(node.args.args[0])}, ...):"
            yield head, indent + head
            yield from _lines(source, node.body, indent + "    ")
        elif isinstance(node, ast.Return):
            yield indent + "return", indent + text(node)
        elif _only_names(node.value):
            continue
        elif isinstance(node.value, ast.Tuple):
            for target, value in zip(node.targets[0].elts, node.value.elts):
                yield indent + text(target), f"{indent}{text(target)} = {text(value)}"
        else:
            yield indent + text(node.targets[0]), indent + text(node)


def _only_names(value):
    """Whether a value is `params`, `state`, or a part of them."""
    value = value.value if isinstance(value, ast.Subscript) else value
    return isinstance(value, ast.Name) and value.id in ("params", "state")


def changes(name: str, parent: str | None = None) -> list[tuple[str, str]]:
    """A cell's equations and those it left out, each with what happened to it.

    Equations belong together that compute the same quantity. A line that only stands
    elsewhere counts as the same.

    Args:
        name: of a cell in `CELLS`.
        parent: that it is compared with; by default the one in `KIN`.

    Returns:
        Line and "same", "changed", "new" or "gone", in the order of the cell; a line
        that is gone follows the one that it followed in the parent.

    Raises:
        ValueError: for a cell that does not exist or, without `parent`, has none.
    """
    ours = equations(get_cell(name).step)
    if parent is None:
        kin = KIN.get(name)
        if kin is None or kin.parent is None:
            raise ValueError(f"{name!r} has no parent in KIN; name one.")
        theirs = equations(kin.step or get_cell(kin.parent).step)
    else:
        theirs = equations(get_cell(parent).step)
    found = []
    for key, line in ours.items():
        kind = "changed" if key in theirs else "new"
        found.append((key, line, "same" if line == theirs.get(key) else kind))
    before = None
    for key, line in theirs.items():
        if key not in ours:
            place = [k for k, _, _ in found].index(before) + 1 if before else 0
            found.insert(place, (key, line, "gone"))
        before = key
    return [(line, kind) for _, line, kind in found]


def num_changes(name: str, parent: str | None = None) -> int:
    """How many equations of a cell are changed, new or gone; see `changes`."""
    return sum(kind != "same" for _, kind in changes(name, parent))


_MARKS = {"same": "", "changed": "◀", "new": "◀ new", "gone": "◁ gone"}


def differing(*names: str, parent: str | None = None) -> None:
    """Print the equations of cells, with marks at what differs from the parent.

    ◀ is behind a line that is changed or new, ◁ behind one of the parent's that is
    gone.

    Args:
        names: of cells in `CELLS`.
        parent: that they are compared with; by default the one in `KIN`.

    Raises:
        ValueError: as `changes`.
    """
    for i, name in enumerate(names):
        lines = changes(name, parent)
        kin = KIN.get(name)
        than = look(parent or kin.parent)["label"]
        than = "two layers of LSTMs" if not parent and kin.step else than
        print("\n" * (i > 0) + f"{look(name)['label']}, changed from: {than}")
        width = max(len(line) for line, _ in lines)
        for line, kind in lines:
            print(f"    {line:{width}}  {_MARKS[kind]}".rstrip())


# --------------------------------------------------------------------------------------
# How many parameters


def coefficients(name: str) -> tuple[Fraction, Fraction, Fraction]:
    """Of dh, h² and h in the number of a cell's parameters, without an output layer.

    Args:
        name: of a cell in `CELLS`.

    Raises:
        ValueError: if there is no such cell.
    """
    cell = get_cell(name)

    def count(d, h):
        shapes = [cell.shape(param, d, h, d) for param in cell.param_names[:-2]]
        return sum(map(math.prod, shapes))

    h = 64  # a multiple of the modules of every cell
    once, twice = count(0, h), count(0, 2 * h)
    squares = Fraction(twice - 2 * once, 2 * h * h)
    return Fraction(count(1, h) - once, h), squares, Fraction(once, h) - squares * h


def formula(name: str) -> str:
    """The number of a cell's parameters without an output layer: `3dh + 3h² + 5h`.

    Args:
        name: of a cell in `CELLS`; d inputs and h hidden units.

    Raises:
        ValueError: if there is no such cell.
    """
    terms = zip(coefficients(name), ("dh", "h²", "h"))
    return " + ".join(_term(number, letters) for number, letters in terms if number)


def _term(number, letters):
    below = f"/{number.denominator}" if number.denominator > 1 else ""
    return ("" if number.numerator == 1 else str(number.numerator)) + letters + below


# --------------------------------------------------------------------------------------
# The family tree


def family_rows() -> dict[str, int]:
    """Rows of the cells in the tree, so that no edge meets another or a name.

    Every cell without children has a row of its own, those of one parent next to each
    other; a parent stands in the row of its middle child.
    """
    rows, free = {}, itertools.count()

    def place(name):
        children = [child for child, kin in KIN.items() if kin.parent == name]
        for child in children:
            place(child)
        rows[name] = rows[children[len(children) // 2]] if children else next(free)

    for name, kin in KIN.items():
        if kin.parent is None:
            place(name)
    return rows


def _columns():
    """Columns from left to right, each a year and the names in it.

    A cell that changes one of the same year stands one column further right.
    """
    columns = {}
    for name, kin in KIN.items():
        within, parent = 0, kin.parent
        while parent is not None and KIN[parent].year == kin.year:
            within, parent = within + 1, KIN[parent].parent
        columns.setdefault((kin.year, within), []).append(name)
    return sorted(columns.items())


def family_tree(height: float = 4.9):
    """Draw the cells by year, each joined to the one that it changes.

    At the end of a line stands how many equations are changed, new or gone. Years
    without a cell are left out, so the axis is not to scale.

    Args:
        height: of the figure, in inches; its width follows from the names.

    Returns:
        The figure.
    """
    from matplotlib import pyplot as plt

    rows, (left, right, years) = family_rows(), _places()
    width = max(right.values()) + 0.05
    figure = plt.figure(figsize=(width, height))
    bottom = 0.45  # inches, for the years
    axes = figure.add_axes((0, bottom / height, 1, 1 - bottom / height))
    for (_, a), (b, c), (d, _) in zip(*(list(years.values())[i::2] for i in range(3))):
        axes.axvspan((a + b) / 2, (c + d) / 2, color="#f3f4f6", linewidth=0, zorder=0)
    for name, kin in KIN.items():
        y, style = rows[name], look(name)
        label = style.pop("label")
        if kin.parent is not None:
            bend, start = right[kin.parent] + 0.13, rows[kin.parent]
            axes.plot(
                [right[kin.parent], bend, bend], [start, start, y], color=GREY,
                linewidth=0.9, solid_joinstyle="round", zorder=1,
            )  # fmt: skip
            axes.plot([bend, left[name] - 0.17], [y, y], linewidth=1.3, **style)
            axes.text(left[name] - 0.08, y, num_changes(name), **_TEXT)
        axes.add_patch(
            plt.Rectangle(
                (left[name], y - 0.37), right[name] - left[name], 0.74, zorder=2,
                facecolor="white", edgecolor=style["color"], linewidth=1.3,
            )
        )  # fmt: skip
        axes.text((left[name] + right[name]) / 2, y, label, **_TEXT)
    axes.set_xticks([(a + b) / 2 for a, b in years.values()], years.keys())
    axes.set(yticks=[], xlabel="year", xlim=(0, width))
    axes.set_ylim(max(rows.values()) + 0.7, -0.7)
    axes.tick_params(length=0)
    axes.spines[["left", "right", "top"]].set_visible(False)
    return figure


_TEXT = {"fontsize": 8, "ha": "center", "va": "center_baseline"}


def _places(room=0.44, gap=0.22):
    """Left and right ends of the cells, and of the bands of the years, in inches.

    Between a cell and those that change it is at least some room, for a line and a
    number, and a gap between one year and the next.
    """
    from matplotlib.textpath import TextPath

    left, right, years = {}, {}, {}
    for (year, _), names in _columns():
        behind = [right[KIN[name].parent] + room for name in names if KIN[name].parent]
        if year not in years:
            behind.append(max(right.values()) + gap if right else 0.05)
        for name in names:
            text = TextPath((0, 0), look(name)["label"], size=8).get_extents()
            left[name] = max(behind)
            right[name] = left[name] + text.width / 72 + 0.14
        begin = years.get(year, (max(behind), 0))[0]
        years[year] = begin, max(r for n, r in right.items() if KIN[n].year == year)
    return left, right, years
