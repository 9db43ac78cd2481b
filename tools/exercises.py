"""`make exercises`: make the students' notebooks, and try what is known about them.

    python tools/exercises.py                      all: release versions, checked
    python tools/exercises.py --only 05            one exercise
    python tools/exercises.py --answers --only 05  try its answers and mutants as well
    python tools/exercises.py --answers --only 05 --question update_only --no-mutants

With nbgrader they are made by `nbgrader generate_assignment`, which also keeps a
gradebook; without it, or with --without-nbgrader, the same notebooks are made here.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

from d2l_lstm.classroom.answers import Bench, try_answers
from d2l_lstm.classroom.questions import (
    blank,
    read_exercise,
    read_notebook,
    released,
)

ROOT = Path(__file__).resolve().parent.parent
EXERCISES = ROOT / "exercises"


def sources(only: str = "") -> list[Path]:
    """The source notebooks, in order; those whose name begins with `only`."""
    found = sorted((EXERCISES / "source").glob("*/*.ipynb"))
    return [p for p in found if p.stem.startswith(only)]


def answers_of(notebook: Path) -> Path:
    return EXERCISES / "answers" / f"{notebook.stem}.py"


def generate(notebook: Path) -> Path:
    """Write the student's version of a source notebook."""
    target = EXERCISES / "release" / notebook.stem / notebook.name
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(released(read_notebook(notebook)), indent=1, ensure_ascii=False)
    target.write_text(text + "\n", encoding="utf-8")
    for other in notebook.parent.iterdir():
        if other.is_file() and other.suffix != ".ipynb":
            (target.parent / other.name).write_bytes(other.read_bytes())
    return target


def generate_all(notebooks: list[Path], with_nbgrader: bool) -> list[Path]:
    """Write the students' versions; with nbgrader, also into its gradebook.

    Raises:
        RuntimeError: nbgrader refuses, with what it says.
    """
    if not with_nbgrader:
        return [generate(notebook) for notebook in notebooks]
    names = [n.stem for n in notebooks]
    whole = len(names) == len(sources())
    for name in ["*"] if whole else names:
        command = [sys.executable, "-m", "nbgrader", "generate_assignment", name]
        done = subprocess.run(
            [*command, "--force"], cwd=EXERCISES, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
    return [EXERCISES / "release" / n.stem / n.name for n in notebooks]


def not_right(notebook: Path) -> list[str]:
    """What is wrong with references and blanks of an exercise; empty if nothing is."""
    found, exercise = [], read_exercise(notebook)
    for question in exercise.questions:
        bench = Bench(exercise, question)
        for what, source, due in (
            ("the reference", question.source, question.points),
            ("the blank", blank(question.source), 0),
        ):
            got = bench(source).points
            if got != due:
                found.append(f"{question.name}: {what} gets {got:g} instead of {due:g}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="an exercise, as in 05")
    parser.add_argument("--question", help="one question of it, with --answers")
    parser.add_argument("--answers", action="store_true", help="try its answers")
    parser.add_argument("--no-mutants", action="store_true", help="but not mutants")
    parser.add_argument("--seed", type=int, help="random numbers of the tests")
    parser.add_argument(
        "--without-nbgrader", action="store_true", help="make release/ without it"
    )
    options = parser.parse_args()
    notebooks = sources(options.only)
    if not notebooks:
        print(f"there is no exercise {options.only!r} in {EXERCISES}", file=sys.stderr)
        return 2
    wrong, made = 0, {}
    if not options.answers:
        there = importlib.util.find_spec("nbgrader") is not None
        with_nbgrader = there and not options.without_nbgrader
        made = dict(zip(notebooks, generate_all(notebooks, with_nbgrader)))
    for notebook in notebooks:
        exercise = read_exercise(notebook)
        manual = sum(points for _, points in exercise.manual)
        print(
            f"{exercise.name}: {len(exercise.questions)} questions, "
            f"{exercise.points:g} points by tests, {manual:g} by hand"
        )
        if options.answers:
            start = time.perf_counter()
            report = try_answers(
                notebook,
                answers_of(notebook),
                options.seed,
                not options.no_mutants,
                options.question,
            )
            print("\n".join(report.lines))
            for line in report.complaints:
                print(f"WRONG {line}")
            for line in report.survivors:
                print(f"SURVIVES {line}")
            print(
                f"{report.answers} answers, {report.mutants} mutants, "
                f"{len(report.survivors)} survive without a reason, "
                f"{len(report.complaints)} complaints, "
                f"{time.perf_counter() - start:.0f} s"
            )
            wrong += len(report.complaints) + len(report.survivors)
        else:
            complaints = not_right(notebook)
            for line in complaints:
                print(f"WRONG {line}")
            wrong += len(complaints)
            print(f"  → {made[notebook].relative_to(EXERCISES.parent)}")
    if not options.answers:
        print("For students: exercises/release. For teachers: exercises/README.md.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
