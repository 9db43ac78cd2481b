"""`d2l-lstm check NOTEBOOK`: what a student's answers pass, in plain words.

Needs neither nbgrader nor Jupyter. Each question runs in a process of its own, as it
does when it is graded, except that the answers to the questions before it are the
student's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

from .isolation import Limits, NotRunnable, run_question
from .questions import Exercise, Question, read_exercise
from .stamps import Mismatch, check_stamp

_PLACE = re.compile(r"^Test (\d+) of (\d+) \((\d+ points?)\): (.*)$")


def _names_in(source: str) -> set[str]:
    try:
        return {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    except (SyntaxError, ValueError):
        return set()


def find_source(path: Path) -> Path:
    """The source notebook of an exercise, from the folder of a released one.

    Raises:
        ValueError: it is not there.
    """
    for folder in path.resolve().parents:
        for start in (folder, folder / "exercises"):
            found = start / "source" / path.stem / path.name
            if found.is_file():
                return found
    raise ValueError(
        f"--hidden needs exercises/source/{path.stem}/{path.name}, which is not found "
        f"from {path}; leave --hidden out."
    )


def _line(test, outcome) -> str:
    found = _PLACE.match(test.title)
    if not found:
        place, subject = test.name, "this test cell is not the one that was given out"
    else:
        place, subject = f"{found[1]} of {found[2]} ({found[3]})", found[4]
    if outcome.passed:
        return f"  passes   {place}: {subject}"
    return f"  not yet  {place}: {outcome.sentence}"


def _missing(question: Question) -> str | None:
    """One sentence if test cells are not there any more."""
    places = [_PLACE.match(test.title) for test in question.tests]
    places = [p for p in places if p]
    wanted = max((int(p[2]) for p in places), default=len(question.tests))
    if len(question.tests) < max(wanted, 1):
        return (
            f"  {max(wanted, 1) - len(question.tests)} of its test cells are missing "
            "in this notebook; they are run all the same when it is graded."
        )
    return None


def check(
    path,
    say: Callable[[str], None] = print,
    hidden: bool = False,
    limits: Limits | None = None,
) -> bool:
    """Run the tests of a notebook on its answers, and say what passes.

    Args:
        path: the notebook, with answers.
        say: gets every line.
        hidden: run the hidden tests as well, from the source notebook.
        limits: of each question.

    Returns:
        Whether all tests pass.

    Raises:
        ValueError: the file is no exercise.
        OSError: it cannot be read.
        Mismatch: it does not fit the package; says what to do.
    """
    path = Path(path)
    exercise: Exercise = read_exercise(path)
    if not exercise.questions:
        raise ValueError(f"{path} has no questions; an exercise is needed.")
    if exercise.stamp is None:
        raise ValueError(
            f"{path} does not call classroom.begin(...) in its first code cell; get "
            "the notebook anew, and copy your answers into it."
        )
    check_stamp(*exercise.stamp)
    source = None
    if hidden:
        source = read_exercise(find_source(path))
        if source.stamp != exercise.stamp:
            raise Mismatch(
                f"{path} is edition {exercise.stamp[1]}, and the source notebook is "
                f"another: {source.stamp}. Make it anew: make exercises."
            )
    name, edition = exercise.stamp
    say(f"{name}, edition {edition}")
    passed = total = unseen = 0
    points = of = 0.0
    failing: set[str] = set()
    stopped: set[str] = set()
    for question in exercise.questions:
        if source is not None:
            question.tests = source.question(question.name).tests
        named = _names_in(question.source)
        named = named.union(*(_names_in(test.source) for test in question.tests))
        uses = [n for n in question.earlier if n in failing and n in named]
        note = f"  (needs {', '.join(uses)}, which does not pass yet)" if uses else ""
        say(f"{question.name}{note}")
        missing = _missing(question)
        if missing:
            say(missing)
        try:
            graded = run_question(
                question,
                before=[cell for cell in question.before if cell[0] not in stopped],
                own_answers=True,
                limits=limits,
            )
        except NotRunnable as error:
            raise ValueError(
                f"a cell that is not yours does not run any more: {error} Get the "
                "notebook anew, and copy your answers into it."
            ) from None
        if graded.cell.stopped:  # it would stop every question below as well
            stopped.add(question.name)
        all_pass = True
        for test in question.tests:
            total, of = total + 1, of + test.points
            unseen += len(test.announced) if not hidden else 0
            say(_line(test, graded.tests[test.name]))
            if graded.tests[test.name].passed:
                passed, points = passed + 1, points + test.points
            else:
                all_pass = False
        if not all_pass:
            failing.add(question.name)
    say(
        f"{passed} of {total} tests pass: {points:g} of {of:g} points"
        + (f", if the {unseen} hidden tests pass as well." if unseen else ".")
    )
    if exercise.manual:
        by_hand = sum(p for _, p in exercise.manual)
        say(f"{by_hand:g} more points are given by a teacher, for what is written.")
    return passed == total
