"""A notebook that was handed in, put back into the order of the exercise.

Students delete cells, edit tests, copy cells with their marks, lose all marks in
another editor. What is asked and tested always comes from the source; what is the
student's is looked for by its mark, by the id of its cell, and by the functions that it
defines.
"""

from __future__ import annotations

import ast
import copy

from .questions import (
    blank,
    is_manual,
    is_solution,
    marks,
    released,
    source_of,
)
from .stamps import Mismatch, stamp_of


def stamp_in(notebook: dict) -> tuple[str, int] | None:
    """Name and edition that a notebook begins with."""
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code":
            stamp = stamp_of(source_of(cell))
            if stamp:
                return stamp
    return None


def check_same_edition(submitted: dict, source: dict) -> None:
    """Refuse a notebook of another exercise or edition; one without a stamp passes.

    Raises:
        Mismatch: says what to do.
    """
    theirs, ours = stamp_in(submitted), stamp_in(source)
    if theirs is None or theirs == ours:
        return
    if theirs[0] != ours[0]:
        raise Mismatch(
            f"What was handed in as {ours[0]} is {theirs[0]}. Ask for the right "
            "notebook, or put it where it belongs."
        )
    raise Mismatch(
        f"What was handed in is edition {theirs[1]} of {ours[0]}, and the exercise is "
        f"edition {ours[1]}. Grade it with a checkout of edition {theirs[1]}, or let "
        f"the student copy the answers into the notebook of edition {ours[1]}."
    )


def _defined(source: str) -> set[str]:
    """Functions and classes that a cell defines."""
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError):
        return set()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in nodes if isinstance(node, kinds)}


def _same(a: str, b: str) -> bool:
    def clean(text):
        return [line.rstrip() for line in text.strip().split("\n")]

    return clean(a) == clean(b)


def restored(submitted: dict, source: dict) -> tuple[dict, dict[str, str]]:
    """The source notebook with the student's answers and own cells in it.

    Returns:
        The notebook, and notes: grade_id to one sentence on what was not as it was
        given out.
    """
    given = {marks(c)["grade_id"]: c for c in released(source)["cells"] if marks(c)}
    order = [marks(c)["grade_id"] for c in source["cells"] if marks(c)]
    by_id = {given[name]["id"]: name for name in order if given[name].get("id")}
    by_text = {source_of(given[name]).strip(): name for name in order}
    found: dict[str, list[dict]] = {}
    own: list[tuple[str | None, dict]] = []  # the marked cell above, the student's cell
    above = None
    for cell in submitted["cells"]:
        name = marks(cell).get("grade_id")
        if name not in given:  # another editor may have dropped the marks
            name = by_id.get(cell.get("id")) or by_text.get(source_of(cell).strip())
        if name in given:
            found.setdefault(name, []).append(cell)
            above = name
        else:
            own.append((above, cell))
    notes, answers = {}, {}
    for name in order:
        cell, here = given[name], found.get(name, [])
        answer = is_solution(cell) or is_manual(cell)
        if not answer:
            if not here:
                notes[name] = "This cell was missing in what was handed in."
            elif not any(_same(source_of(c), source_of(cell)) for c in here):
                notes[name] = "This cell had been changed in what was handed in."
            continue
        if not here:
            place = _elsewhere(cell, own)
            if place is None:
                notes[name] = "There was no such cell in what was handed in."
            else:
                here = [own.pop(place)[1]]
                notes[name] = "This cell had lost its mark, and was found again."
        elif len(here) > 1:
            notes[name] = (
                f"There were {len(here)} cells of this name; the last that was changed "
                "counts."
            )
        changed = [c for c in here if not _same(source_of(c), source_of(cell))]
        if here:
            answers[name] = source_of((changed or here)[-1])
    cells, ids = [], set()

    def add(cell):
        cell = copy.deepcopy(cell)
        if cell.get("id") in ids:
            cell.pop("id")
        ids.add(cell.get("id"))
        cells.append(cell)

    def add_own(above):
        for place, cell in own:
            if place == above:
                plain = copy.deepcopy(cell)
                plain.setdefault("metadata", {}).pop("nbgrader", None)
                add(plain)

    add_own(None)
    for cell in source["cells"]:
        name = marks(cell).get("grade_id")
        new = copy.deepcopy(cell)
        if is_solution(cell):
            new["source"] = answers.get(name, blank(source_of(cell)))
        elif is_manual(cell):
            new["source"] = answers.get(name, source_of(given[name]))
        else:
            new["source"] = source_of(cell)
        if new["cell_type"] == "code":
            new["outputs"], new["execution_count"] = [], None
        add(new)
        if name:
            add_own(name)
    result = {**copy.deepcopy(source), "cells": cells}
    return result, notes


def _elsewhere(cell: dict, own) -> int | None:
    """Where a solution cell that has lost its mark stands among the student's own."""
    if cell["cell_type"] != "code":
        return None
    wanted = _defined(source_of(cell))
    for number, (_, candidate) in list(enumerate(own))[::-1]:
        if candidate.get("cell_type") == "code" and wanted:
            if wanted <= _defined(source_of(candidate)):
                return number
    return None
