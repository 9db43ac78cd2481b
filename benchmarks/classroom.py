"""How long a class takes to grade: hand-ins of 200 students, by nbgrader, on two cores.

    python benchmarks/classroom.py                     200 students, 2 workers
    python benchmarks/classroom.py --students 6        to try it
    python benchmarks/classroom.py --only 05 --workers 8

The hand-ins are made from the answers whose points are known: of each question a
student has a right answer (7 of 10), a wrong one (2 of 10), or none; and in every
twentieth hand-in one question has an endless loop, a crash or a gigabyte. So it is also
checked that every hand-in gets the points that are due. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from d2l_lstm.classroom.answers import read_sections
from d2l_lstm.classroom.questions import (
    blank,
    is_solution,
    marks,
    read_exercise,
    read_notebook,
    released,
)

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from grade_in_parallel import grade  # noqa: E402

ENDS_BADLY = (
    "while True:\n    pass",
    "import os\nos._exit(3)",
    "too_much = [0] * 2**27",
)


def hand_ins(notebook: Path, count: int) -> dict[str, tuple[dict, float]]:
    """Student to what is handed in, and the points that it must get from tests."""
    rng = random.Random(20261122)
    source, exercise = read_notebook(notebook), read_exercise(notebook)
    file = ROOT / "exercises" / "answers" / f"{notebook.stem}.py"
    sections = read_sections(file)
    made = {}
    for number in range(count):
        book, points = released(source), 0.0
        cells = {marks(c)["grade_id"]: c for c in book["cells"] if is_solution(c)}
        bad = rng.choice(exercise.questions).name if number % 20 == 19 else None
        for question in exercise.questions:
            mine = [s for s in sections if s.question == question.name and s.source]
            right = [s for s in mine if s.kind == "other"]
            wrong = [s for s in mine if s.kind != "other"]
            chance = rng.random()
            if question.name == bad:
                text, due = rng.choice(ENDS_BADLY), 0.0
            elif chance < 0.7:
                choice = rng.choice([None, *right])
                text = choice.source if choice else question.source
                due = question.points
            elif chance < 0.9:
                choice = rng.choice(wrong)
                text, due = choice.source, choice.points
            else:
                text, due = blank(question.source), 0.0
            cells[question.name]["source"] = text
            points += due
        made[f"student{number:03}"] = book, points
    return made


def nbgrader(course: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        check=True,
        capture_output=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="04", help="the exercise")
    options = parser.parse_args()
    folder = ROOT / "exercises" / "source"
    notebook = next(iter(sorted(folder.glob(f"{options.only}*/*.ipynb"))))
    name = notebook.stem
    with tempfile.TemporaryDirectory(prefix="d2l_lstm_class_") as place:
        course = Path(place)
        shutil.copy(ROOT / "exercises" / "nbgrader_config.py", course)
        shutil.copytree(notebook.parent, course / "source" / name)
        nbgrader(course, "generate_assignment", name)
        made = hand_ins(notebook, options.students)
        for student, (book, _) in made.items():
            target = course / "submitted" / student / name / notebook.name
            target.parent.mkdir(parents=True)
            target.write_text(json.dumps(book), encoding="utf-8")
        begun, used = time.perf_counter(), _processor()
        done, refused = grade(course, name, options.workers)
        seconds, used = time.perf_counter() - begun, _processor() - used
        nbgrader(course, "export")
        with open(course / "grades.csv", encoding="utf-8") as file:
            rows = {row["student_id"]: row for row in csv.DictReader(file)}
        wrong = [
            f"{s}: {rows[s]['raw_score']} instead of {points:g}"
            for s, (_, points) in made.items()
            if s not in rows or float(rows[s]["raw_score"]) != points
        ]
        pages = len(list((course / "feedback").glob("*/*/*.html")))
    print(f"| {name}, {os.cpu_count()} cores, {options.workers} workers | |")
    print("|---|---|")
    print(f"| hand-ins graded, with feedback | {done} of {len(made)}, {pages} pages |")
    print(f"| in all | {seconds / 60:.1f} minutes |")
    print(f"| each, by the clock | {seconds / len(made):.2f} s |")
    print(f"| each, of one core | {used / len(made):.2f} s |")
    print(f"| with points that are not due | {len(wrong)} |")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong or refused else 0


def _processor() -> float:
    """Seconds of processor time of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
