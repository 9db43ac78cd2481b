"""An exercise notebook as questions: what is set up, asked, solved and tested.

A notebook is plain JSON, so that no part of Jupyter is needed to read one. What a cell
is stands in nbgrader's own metadata (schema 3).
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from .stamps import stamp_of

STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"
_TITLE = re.compile(r"^# Test (\d+) of (\d+) \((\d+) points?\): (.*)$", re.M)
_HIDDEN = re.compile(r"^# Hidden tests(?: \((\d+)\))?: (.*)$", re.M)


@dataclass
class Test:
    """A test cell: its points, all or nothing."""

    name: str
    source: str
    points: float

    @property
    def title(self) -> str:
        """Its first line, without the comment sign; else its name."""
        found = _TITLE.search(self.source)
        return found[0][2:] if found else self.name

    @property
    def announced(self) -> list[str]:
        """Subjects of its hidden tests, as the comment in the cell announces them."""
        found = _HIDDEN.search(self.source)
        if not found or not found[1]:
            return []
        return [part.strip() for part in found[2].rstrip(". ").split(";")]

    @property
    def announced_number(self) -> int | None:
        """How many hidden tests the comment announces; None if it says nothing."""
        found = _HIDDEN.search(self.source)
        if not found:
            return None
        return int(found[1] or 0)


@dataclass
class Question:
    """One solution cell, its tests, and the cells that have to run before it."""

    name: str
    source: str
    tests: list[Test] = field(default_factory=list)
    #: (name, source) of set-up cells and of earlier solution cells, in order.
    before: list[tuple[str, str]] = field(default_factory=list)
    #: Names of the questions among them.
    earlier: list[str] = field(default_factory=list)
    #: (name, source) of cells that the student has added to this question.
    own: list[tuple[str, str]] = field(default_factory=list)

    @property
    def points(self) -> float:
        return sum(test.points for test in self.tests)


@dataclass
class Exercise:
    """A notebook of questions."""

    name: str
    stamp: tuple[str, int] | None
    questions: list[Question]
    manual: list[tuple[str, float]]

    def question(self, name: str) -> Question:
        for question in self.questions:
            if question.name == name:
                return question
        raise KeyError(
            f"{self.name} has no question {name!r}; it has "
            f"{', '.join(q.name for q in self.questions)}."
        )

    @property
    def points(self) -> float:
        """Points that are graded by tests."""
        return sum(question.points for question in self.questions)


def source_of(cell: dict) -> str:
    """The text of a cell; the file has it as one text or as lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def marks(cell: dict) -> dict:
    """nbgrader's metadata of a cell; {} where there is none."""
    found = cell.get("metadata", {}).get("nbgrader", {})
    return found if isinstance(found, dict) and "grade_id" in found else {}


def points_of(cell: dict) -> float:
    """Points of a graded cell; 0 where they are lost or no number."""
    points = marks(cell).get("points")
    return float(points) if isinstance(points, (int, float)) else 0.0


def is_solution(cell: dict) -> bool:
    """Whether a student writes code there that the tests below judge."""
    return bool(marks(cell).get("solution")) and not marks(cell).get("grade")


def is_test(cell: dict) -> bool:
    """Whether it is a test cell, with points of its own."""
    return bool(marks(cell).get("grade")) and not marks(cell).get("solution")


def is_manual(cell: dict) -> bool:
    """Whether a person gives its points: a student writes words there."""
    return bool(marks(cell).get("grade")) and bool(marks(cell).get("solution"))


def is_setup(cell: dict) -> bool:
    """Whether the grader runs this locked code cell before what is below it."""
    if cell.get("cell_type") != "code" or not marks(cell).get("locked"):
        return False
    name = marks(cell)["grade_id"]
    return not is_test(cell) and (name == "imports" or name.endswith("_setup"))


def read_notebook(path) -> dict:
    """The notebook in a file.

    Raises:
        ValueError: it is no notebook, in one sentence.
        OSError: it cannot be read.
    """
    path = Path(path)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
        if not isinstance(cells, list):
            raise TypeError
        if not all(isinstance(cell.get("metadata", {}), dict) for cell in cells):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(
            f"{path} is no notebook; a file that Jupyter has saved as .ipynb is needed."
        ) from None
    return notebook


def exercise_of(notebook: dict, name: str) -> Exercise:
    """The questions of a notebook, in order."""
    stamp, questions, manual = None, [], []
    before: list[tuple[str, str]] = []
    earlier: list[str] = []
    own: list[tuple[str, str]] = []
    for number, cell in enumerate(notebook["cells"]):
        source = source_of(cell)
        if not marks(cell):
            if cell.get("cell_type") == "code" and source.strip():
                own.append((f"own cell {number}", source))
        elif is_setup(cell):
            stamp = stamp or stamp_of(source)
            before.append((marks(cell)["grade_id"], source))
        elif is_manual(cell):
            manual.append((marks(cell)["grade_id"], points_of(cell)))
        elif is_solution(cell):
            question = Question(marks(cell)["grade_id"], source)
            question.before, question.earlier = list(before), list(earlier)
            question.own = own = [*own]
            questions.append(question)
            before.append((question.name, source))
            earlier.append(question.name)
        elif is_test(cell):
            if not questions:
                raise ValueError(
                    f"{name}: the test cell {marks(cell)['grade_id']} stands before "
                    "every solution cell."
                )
            test = Test(marks(cell)["grade_id"], source, points_of(cell))
            questions[-1].tests.append(test)
            own = []  # from here on a cell belongs to the next question
    return Exercise(name, stamp, questions, manual)


def read_exercise(path) -> Exercise:
    """The questions of a notebook file; its name is the file's."""
    return exercise_of(read_notebook(path), Path(path).stem)


def without(source: str, what: str, stub: str = "") -> str:
    """A cell without the regions between BEGIN and END of a kind, as nbgrader does it.

    Args:
        what: "SOLUTION" or "HIDDEN TESTS".
        stub: put in place of each, indented as the mark is.
    """
    lines, inside = [], False
    for line in source.split("\n"):
        if f"BEGIN {what}" in line:
            if inside:
                raise ValueError(f"BEGIN {what} twice, without END between:\n{source}")
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + s for s in stub.split("\n")] if stub else []
        elif f"END {what}" in line:
            inside = False
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError(f"BEGIN {what} without END:\n{source}")
    return "\n".join(lines)


def blank(source: str) -> str:
    """A solution cell as the student gets it."""
    cleared = without(source, "SOLUTION", STUB)
    return cleared if cleared != source else STUB


def visible(source: str) -> str:
    """A test cell as the student gets it."""
    return without(source, "HIDDEN TESTS")


def hidden_part(source: str) -> str:
    """The hidden tests of a test cell, on the lines where they stand."""
    lines, inside = [], False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line:
            inside = True
        elif "END HIDDEN TESTS" in line:
            inside = False
        lines.append(line if inside else "")
    return "\n".join(lines) if any(lines) else ""


def released(notebook: dict) -> dict:
    """The student's version of a source notebook, as nbgrader would make it.

    Without checksums, which only nbgrader's gradebook needs.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        source = source_of(cell)
        if is_test(cell):
            source = visible(source)
            cell["metadata"].update(deletable=False, editable=False)
        elif is_solution(cell):
            source = blank(source)
            cell["metadata"].update(deletable=False)
        elif is_manual(cell):
            cleared = without(source, "SOLUTION", TEXT_STUB)
            source = cleared if cleared != source else TEXT_STUB
            cell["metadata"].update(deletable=False)
        elif marks(cell):
            cell["metadata"].update(deletable=False, editable=False)
        cell["source"] = source
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook
