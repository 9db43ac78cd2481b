"""The stamp of an exercise: what fits together, and what to do where it does not.

An exercise notebook, the grader's notebook and this package carry the same edition. The
number grows when an answer that was right under one edition could be judged otherwise
under the next.
"""

from __future__ import annotations

import ast

#: Exercise to the edition that this package judges.
EDITIONS = {
    "01_text_and_language_models": 1,
    "02_rnn_by_hand": 1,
    "03_gradients": 1,
    "04_lstm_cell": 1,
    "05_gru": 1,
    "06_generation": 1,
    "07_deep_and_bidirectional": 1,
    "08_time_series_and_attention": 1,
    "09_project": 1,
}


class Mismatch(RuntimeError):
    """Notebook, grader and package do not fit together; says what to do."""

    def _render_traceback_(self):
        return [str(self)]


def check_stamp(name: str, edition: int) -> None:
    """Raise `Mismatch` unless this package judges this edition of this exercise."""
    from .. import __version__

    have = EDITIONS.get(name)
    if have is None:
        raise Mismatch(
            f"d2l_lstm {__version__} has no exercise {name!r}; it has "
            f"{', '.join(EDITIONS)}. Update the package (git pull, then make setup) if "
            "the notebook is newer."
        )
    if edition > have:
        raise Mismatch(
            f"This notebook is edition {edition} of {name}, and d2l_lstm {__version__} "
            f"judges edition {have}. Update the package: git pull, then make setup."
        )
    if edition < have:
        raise Mismatch(
            f"This notebook is edition {edition} of {name}, and d2l_lstm {__version__} "
            f"judges edition {have}. Get the notebook of edition {have} from your "
            "teacher, or by make exercises, and copy your answers into it."
        )


def begin(name: str, edition: int) -> None:
    """Begin an exercise: its name and edition have to be those of the package.

    Raises:
        Mismatch: they are not; says what to do.
    """
    check_stamp(name, edition)


def stamp_of(source: str) -> tuple[str, int] | None:
    """Name and edition that a cell hands to `begin`; None if it does not call it."""
    try:
        nodes = ast.walk(ast.parse(source))
    except (SyntaxError, ValueError):  # ValueError: a byte of 0, or half a character
        return None
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        if getattr(node.func, "attr", getattr(node.func, "id", None)) != "begin":
            continue
        values = [a.value for a in node.args if isinstance(a, ast.Constant)]
        named = {
            k.arg: k.value.value
            for k in node.keywords
            if isinstance(k.value, ast.Constant)
        }
        name = named.get("name", values[0] if values else None)
        edition = named.get("edition", values[1] if len(values) > 1 else None)
        if isinstance(name, str) and isinstance(edition, int):
            return name, edition
    return None
