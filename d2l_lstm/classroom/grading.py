"""What nbgrader runs when it grades: two steps in the place of its own.

`exercises/nbgrader_config.py` puts them into `nbgrader autograde`. `Restore` brings
what was handed in back into the order of the exercise; `RunQuestions` runs each
question by itself and writes what comes of it into the test cells, where nbgrader's own
steps find it: they score, they keep the gradebook, they write the feedback.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.api import Gradebook
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    GetGrades,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import Float, Integer

from .isolation import Graded, Limits, run_question
from .questions import (
    Question,
    blank,
    exercise_of,
    is_solution,
    is_test,
    marks,
    read_notebook,
    source_of,
)
from .restoring import check_same_edition, restored, stamp_in
from .running import Outcome
from .stamps import Mismatch, check_stamp


def source_path(preprocessor, resources) -> Path:
    """The source notebook of what is being graded, in the course's folder."""
    names = resources["nbgrader"]
    file = Path(names["assignment"]) / f"{names['notebook']}.ipynb"
    course = getattr(getattr(preprocessor.parent, "parent", None), "coursedir", None)
    if course is None:
        return Path("source") / file
    folder = course.format_path(course.source_directory, ".", names["assignment"])
    path = Path(folder)
    return (path if path.is_absolute() else Path(course.root) / path) / file.name


def read_source(preprocessor, resources) -> dict:
    """The source notebook, if package and gradebook know the same.

    Raises:
        Mismatch: they do not; says what to do.
    """
    path = source_path(preprocessor, resources)
    source = read_notebook(path)
    stamp = stamp_in(source)
    if stamp is not None:
        check_stamp(*stamp)
    names = resources["nbgrader"]
    with Gradebook(names["db_url"]) as gradebook:
        kept = gradebook.find_notebook(names["notebook"], names["assignment"])
        known = {c.name: c.source for c in kept.source_cells if c.locked}
        graded = {c.name: float(c.max_score) for c in kept.grade_cells}
    for cell in source["cells"]:
        name = marks(cell).get("grade_id")
        points = marks(cell).get("points")
        changed = is_test(cell) and known.get(name) != source_of(cell)
        if changed or (marks(cell).get("grade") and graded.get(name) != points):
            raise Mismatch(
                f"The cell {name} of {path.name} is not the one that the gradebook "
                "knows. The exercise was changed after it was given out: run `nbgrader "
                f"generate_assignment --force {names['assignment']}` again."
            )
    return source


class Restore(NbGraderPreprocessor):
    """Cells that were deleted, edited, moved, copied or have lost their marks."""

    def preprocess(self, nb, resources):
        source = read_source(self, resources)
        check_same_edition(nb, source)
        notebook, notes = restored(nb, source)
        for name, note in notes.items():
            self.log.warning("%s: %s", name, note)
        for cell in notebook["cells"]:
            name = marks(cell).get("grade_id")
            if name in notes:
                cell["metadata"]["d2l_lstm"] = {"note": notes[name]}
        notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
        for cell in notebook["cells"]:
            cell.setdefault("id", nbformat.v4.new_raw_cell()["id"])
        return nbformat.from_dict(notebook), resources


class RunQuestions(NbGraderPreprocessor):
    """Runs each question in a process of its own, in place of nbgrader's Execute."""

    seconds = Float(
        Limits.seconds, help="Wall-clock seconds that one cell may take."
    ).tag(config=True)
    question_seconds = Float(
        Limits.question_seconds, help="Wall-clock seconds that one question may take."
    ).tag(config=True)
    megabytes = Integer(
        Limits.megabytes,
        help="Memory that a question may take, beyond Python and Paddle.",
    ).tag(config=True)

    def preprocess(self, nb, resources):
        source = read_source(self, resources)
        exercise = exercise_of(source, resources["nbgrader"]["notebook"])
        theirs = exercise_of(nb, exercise.name)
        limits = Limits(self.seconds, self.question_seconds, self.megabytes)
        cells = {marks(cell)["grade_id"]: cell for cell in nb.cells if marks(cell)}
        for question in exercise.questions:
            mine = theirs.question(question.name)
            graded = grade_question(question, mine, limits)
            self.log.info("%s: %.1f s", question.name, graded.seconds)
            write_outputs(cells, question, graded)
        return nb, resources


def grade_question(question: Question, mine: Question, limits: Limits) -> Graded:
    """Grade the answer of `mine` with tests and earlier answers of `question`."""
    if not mine.own and mine.source.strip() == blank(question.source).strip():
        outcome = Outcome(
            False, "This is not written yet.", ["This is not written yet."]
        )
        return Graded(outcome, {test.name: outcome for test in question.tests})
    asked = Question(
        question.name,
        mine.source,
        question.tests,
        question.before,
        question.earlier,
        mine.own,
    )
    return run_question(asked, limits=limits)


def write_outputs(cells: dict, question: Question, graded: Graded) -> None:
    """Write what came of a question into its cells, the sentence first."""
    answer = cells[question.name]
    answer["outputs"] = _outputs(graded.cell, answer, "")
    for test in question.tests:
        outcome = graded.tests[test.name]
        points = f"{test.points:g} of {test.points:g} points"
        cell = cells[test.name]
        cell["outputs"] = _outputs(outcome, cell, f"Passed: {points}.\n")


def _outputs(outcome: Outcome, cell, passed: str) -> list:
    note = cell["metadata"].get("d2l_lstm", {}).get("note", "")
    text = note + ("\n" if note else "") + outcome.printed
    if outcome.passed:
        text += passed
    outputs = []
    if outcome.passed or is_solution(cell) or note or outcome.printed:
        if text:
            outputs.append(nbformat.v4.new_output("stream", name="stdout", text=text))
    if not outcome.passed:
        lines = outcome.traceback or [outcome.sentence]
        outputs.append(
            nbformat.v4.new_output(
                "error", ename="Wrong", evalue=outcome.sentence, traceback=lines
            )
        )
    return outputs


#: What `nbgrader autograde` does first: put in order what was handed in.
SANITIZE = [
    ClearOutput,
    Restore,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
#: And then: run it, and score it by nbgrader's own steps.
AUTOGRADE = [
    RunQuestions,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
#: What students get back: grades and messages, without the text of the hidden tests.
FEEDBACK = [GetGrades, ClearHiddenTests, CSSHTMLHeaderPreprocessor]
