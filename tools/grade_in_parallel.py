"""`nbgrader autograde` for many students, on several cores or machines.

    python tools/grade_in_parallel.py 04_lstm_cell --workers 4

nbgrader grades one student after the other, and its gradebook, a file of SQLite, bears
one writer. So each worker gets a course folder of its own, with a copy of the gradebook
and a part of the students, and runs `nbgrader autograde` and `nbgrader
generate_feedback` there. What they found is then joined: autograded notebooks and
feedback are moved into the course, grades and comments are written into its gradebook,
as nbgrader's own steps write them. Grades that somebody gave by hand stay.

On a cluster the two halves are run by themselves; part 3 of 10 on one machine, and at
the end, where the course is:

    python tools/grade_in_parallel.py 04_lstm_cell --part 3/10 --into parts/03
    python tools/grade_in_parallel.py 04_lstm_cell --join parts/*
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent / "exercises"


def students(course: Path, name: str) -> list[str]:
    """Who has handed in."""
    return sorted(p.parent.name for p in (course / "submitted").glob(f"*/{name}"))


def make_part(course: Path, name: str, part: int, parts: int, folder: Path) -> int:
    """A course folder with every `parts`-th student; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(course / "nbgrader_config.py", folder)
    shutil.copy(course / "gradebook.db", folder)
    for place in ("source", "release"):
        shutil.copytree(course / place / name, folder / place / name)
    mine = students(course, name)[part::parts]
    for student in mine:
        place = Path("submitted") / student / name
        shutil.copytree(course / place, folder / place)
    return len(mine)


def start(folder: Path, name: str) -> subprocess.Popen:
    """Grade the students of a folder: autograde, then feedback; writes a log there."""
    code = (
        "import subprocess, sys\n"
        f"for step in ('autograde', 'generate_feedback'):\n"
        f"    subprocess.run([sys.executable, '-m', 'nbgrader', step, {name!r}, "
        "'--force'])\n"
    )
    with open(folder / "nbgrader.log", "w") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
        )


def join(course: Path, name: str, folders: list[Path]) -> tuple[int, list[str]]:
    """Take over what was graded in folders.

    Returns:
        How many students were graded, and who was not (their log says why).
    """
    from nbgrader.api import Gradebook

    warnings.filterwarnings("ignore", message="Object of type <Submitted")
    done, refused = 0, []
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for folder in folders:
            part = Gradebook(f"sqlite:///{folder / 'gradebook.db'}")
            with part:
                for student in students(folder, name):
                    if not (folder / "autograded" / student / name).exists():
                        refused.append(student)
                        continue
                    _take_over(book, part, name, student)
                    for place in ("autograded", "feedback"):
                        old = course / place / student / name
                        new = folder / place / student / name
                        if new.exists():
                            shutil.rmtree(old, ignore_errors=True)
                            old.parent.mkdir(parents=True, exist_ok=True)
                            shutil.move(new, old)
                    done += 1
    return done, refused


def _take_over(book, part, name: str, student: str) -> None:
    """Copy one student's grades and comments from one gradebook to another."""
    found = part.find_submission(name, student)
    book.update_or_create_student(student)
    book.update_or_create_submission(name, student, timestamp=found.timestamp)
    for notebook in found.notebooks:
        for grade in notebook.grades:
            here = book.find_grade(grade.name, notebook.name, name, student)
            here.auto_score = grade.auto_score
            here.needs_manual_grade = grade.needs_manual_grade or (
                here.manual_score is not None
            )
        for comment in notebook.comments:
            here = book.find_comment(comment.name, notebook.name, name, student)
            here.auto_comment = comment.auto_comment
    book.db.commit()


def reason(log: str, student: str, name: str) -> str:
    """Why nbgrader has not graded a student: the error that it wrote for this one."""
    place, found, said = os.path.join("submitted", student, name), False, ""
    for line in log.split("\n"):
        if "error processing assignment: " in line:
            found = line.endswith(place)
        elif line.startswith("[") and "Traceback" not in line:
            found = False
        elif found and re.match(r"\s*[\w.]+: \S", line):
            said = line.strip()
    return said or "see what nbgrader autograde says of this student."


def grade(course: Path, name: str, workers: int) -> tuple[int, list[str]]:
    """Grade all who have handed in, with so many workers; see `join`."""
    with tempfile.TemporaryDirectory(prefix="d2l_lstm_parts_") as place:
        folders = [Path(place) / f"{k:02}" for k in range(workers)]
        for k, folder in enumerate(folders):
            make_part(course, name, k, workers, folder)
        for process in [start(folder, name) for folder in folders]:
            process.wait()
        done, refused = join(course, name, folders)
        for student in refused:
            folder = next(f for f in folders if student in students(f, name))
            log = (folder / "nbgrader.log").read_text(encoding="utf-8")
            why = reason(log, student, name)
            print(f"{student} was not graded: {why}", file=sys.stderr)
    return done, refused


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("assignment", help="as in 04_lstm_cell")
    parser.add_argument("--course", type=Path, default=COURSE, help="its folder")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--part", metavar="K/N", help="grade only part K of N, from 1")
    parser.add_argument("--into", type=Path, help="the folder of that part")
    parser.add_argument("--join", type=Path, nargs="+", help="folders of all parts")
    options = parser.parse_args()
    course, name, begun = options.course.resolve(), options.assignment, time.time()
    if not students(course, name):
        print(f"nobody has handed in {name} in {course}/submitted", file=sys.stderr)
        return 2
    if options.part:
        part, parts = map(int, options.part.split("/"))
        folder = (options.into or Path(f"part_{part}")).resolve()
        count = make_part(course, name, part - 1, parts, folder)
        start(folder, name).wait()
        print(f"{count} students in {folder}, {time.time() - begun:.0f} s")
        return 0
    if options.join:
        done, refused = join(course, name, [f.resolve() for f in options.join])
    else:
        done, refused = grade(course, name, options.workers)
    print(f"{done} graded, {len(refused)} refused, {time.time() - begun:.0f} s")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
