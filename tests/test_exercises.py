"""What every exercise holds, and a course that is graded from hand-in to feedback."""

import ast
import csv
import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from d2l_lstm.classroom import EDITIONS
from d2l_lstm.classroom.answers import Bench, read_sections, try_answers
from d2l_lstm.classroom.questions import (
    blank,
    hidden_part,
    is_manual,
    is_solution,
    is_test,
    marks,
    read_exercise,
    read_notebook,
    released,
    source_of,
    visible,
)
from d2l_lstm.classroom.running import run_cell
from d2l_lstm.classroom.stamps import check_stamp

ROOT = Path(__file__).parent.parent
EXERCISES = ROOT / "exercises"
NOTEBOOKS = sorted((EXERCISES / "source").glob("*/*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)


def answers(path):
    return EXERCISES / "answers" / f"{path.stem}.py"


def test_there_is_one_notebook_for_every_exercise_that_the_package_knows():
    assert NAMES == sorted(EDITIONS)
    assert [path.parent.name for path in NOTEBOOKS] == NAMES
    assert sorted(p.stem for p in (EXERCISES / "answers").glob("*.py")) == NAMES


# ------------------------------------------------------------------ answers and mutants


@each
def test_right_and_wrong_answers_get_their_points_and_mutants_lose_some(path):
    """Reference, blank, others, wrong ones with points and sentence, all mutants."""
    report = try_answers(path, answers(path), seed=20261122)
    assert report.complaints == []
    assert report.survivors == []
    assert report.mutants >= 5 * len(read_exercise(path).questions)


@each
def test_two_wrong_answers_of_each_question_are_told_what_is_wrong(path):
    for question in read_exercise(path).questions:
        mine = [s for s in read_sections(answers(path)) if s.question == question.name]
        assert len([s for s in mine if s.says]) >= 2, question.name


@each
def test_no_visible_test_passes_on_the_blank(path):
    exercise = read_exercise(path)
    for question in exercise.questions:
        for test in question.tests:
            test.source = visible(test.source)
        trial = Bench(exercise, question)(blank(question.source))
        passed = [name for name, outcome in trial.tests.items() if outcome.passed]
        assert passed == [], question.name
        assert trial.cell.passed, f"the blank of {question.name} does not even run"


# ------------------------------------------------------------------- what is given out


def solution_lines(source):
    """Lines between the marks that are long enough to give something away."""
    inside, lines = False, []
    for line in source.split("\n"):
        if "END SOLUTION" in line:
            inside = False
        if inside:
            lines.append(re.sub(r"\s*(#.*)?$", "", line).strip())
        if "BEGIN SOLUTION" in line:
            inside = True
    return [line for line in lines if len(line) >= 30 and line[-1] != ":"]


@each
def test_the_release_has_no_solution_and_no_hidden_test(path):
    notebook = read_notebook(path)
    book = released(notebook)
    text = json.dumps(book, ensure_ascii=False)
    for mark in (
        "BEGIN SOLUTION",
        "END SOLUTION",
        "HIDDEN TESTS\\n",
        "classroom.hidden",
    ):
        assert mark not in text
    given = "\n".join(source_of(c) for c in book["cells"] if c["cell_type"] == "code")
    given = {line.strip() for line in given.split("\n")}
    for cell in notebook["cells"]:
        if is_solution(cell):
            assert "YOUR CODE HERE" in blank(source_of(cell))
            for line in solution_lines(source_of(cell)):
                assert line not in given, f"{marks(cell)['grade_id']}: {line}"
        elif is_manual(cell):
            assert source_of(cell) not in text


@each
def test_hidden_tests_are_announced_by_number_and_subject(path):
    for question in read_exercise(path).questions:
        count = len(question.tests)
        for number, test in enumerate(question.tests, 1):
            points = f"{test.points:g} point{'s' if test.points != 1 else ''}"
            assert test.title.startswith(f"Test {number} of {count} ({points}): ")
            subjects = []
            for node in ast.walk(ast.parse(test.source)):
                if isinstance(node, ast.Call) and (
                    getattr(node.func, "attr", "") == "hidden"
                ):
                    subjects.append((node.lineno, ast.literal_eval(node.args[0])))
            subjects = [subject for _, subject in sorted(subjects)]
            assert test.announced == subjects, test.name
            assert test.announced_number == len(subjects), test.name
            assert bool(hidden_part(test.source)) == bool(subjects), test.name


@each
def test_marks_and_names_of_cells(path):
    notebook = read_notebook(path)
    names = [marks(c)["grade_id"] for c in notebook["cells"] if marks(c)]
    ids = [c["id"] for c in notebook["cells"]]
    assert len(set(names)) == len(names) and len(set(ids)) == len(ids)
    assert len(names) == len(ids), "a cell without nbgrader's metadata"
    assert names[:2] == ["head", "imports"]
    for cell in notebook["cells"]:
        mark = marks(cell)
        assert mark["schema_version"] == 3 and re.fullmatch(r"\w+", mark["grade_id"])
        assert mark["locked"] == (not mark["solution"]) and mark["task"] is False
        assert ("points" in mark) == mark["grade"]
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            compile(source_of(cell), mark["grade_id"], "exec")
    exercise = read_exercise(path)
    check_stamp(*exercise.stamp)
    assert exercise.stamp[0] == path.stem
    assert 4 <= len(exercise.questions) <= 8
    for question in exercise.questions:
        assert 1 <= len(question.tests) <= 4
        for number, test in enumerate(question.tests, 1):
            assert test.name == f"{question.name}_{number}" and 1 <= test.points <= 4


@each
def test_the_head_says_how_long_it_takes_and_its_links_exist(path):
    notebook = read_notebook(path)
    head = source_of(notebook["cells"][0])
    minutes = re.search(r"Minutes:\*\* (?:about )?(\d+)|(\d+) minutes", head)
    assert 30 <= int(minutes[1] or minutes[2]) <= 60
    texts = [source_of(c) for c in notebook["cells"] if c["cell_type"] == "markdown"]
    links = re.findall(r"\]\(([^)#\s]+)", "\n".join(texts))
    assert [link for link in links if link.startswith("../../../notebooks/")]
    for link in links:
        if "://" not in link:
            assert (path.parent / link).resolve().exists(), link
    for text in texts:
        assert "```mermaid" not in text and not text.startswith("<!--")


@each
def test_figure_cells_run(path):
    """Locked cells that the grader leaves out, after those that it runs.

    Those whose names end in _look or _run train networks, for the student only.
    """
    import matplotlib.pyplot as plt

    namespace = {"__name__": "__main__", "display": lambda *_: None}
    for cell in read_notebook(path)["cells"]:
        name = marks(cell)["grade_id"]
        long = name.endswith(("_look", "_run"))
        if cell["cell_type"] == "code" and not is_test(cell) and not long:
            outcome = run_cell(source_of(cell), namespace, name)
            assert outcome.passed, outcome.traceback
    plt.close("all")


def test_exercises_are_made_without_nbgrader(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import exercises

    assert exercises.sources("04") == [p for p in NOTEBOOKS if p.stem.startswith("04")]
    monkeypatch.setattr(exercises, "EXERCISES", tmp_path)
    target = exercises.generate(NOTEBOOKS[0])
    assert target == tmp_path / "release" / NAMES[0] / f"{NAMES[0]}.ipynb"
    assert read_notebook(target) == released(read_notebook(NOTEBOOKS[0]))


# ------------------------------------------------------------------------- a course

NAME = "04_lstm_cell"


def answered(change):
    """A notebook with right answers, changed by a student."""
    source = read_notebook(EXERCISES / "source" / NAME / f"{NAME}.ipynb")
    book = released(source)
    solved = {marks(c)["grade_id"]: source_of(c) for c in source["cells"] if marks(c)}
    cells = {marks(c)["grade_id"]: c for c in book["cells"] if marks(c)}
    for name, cell in cells.items():
        if is_solution(cell):
            cell["source"] = solved[name]
    change(book, cells)
    return book


def empty(book, cells):
    for cell in cells.values():
        if is_solution(cell):
            cell["source"] = blank(cell["source"])


def partly(book, cells):
    step = cells["lstm_step"]
    step["source"] = step["source"].replace(
        "H, C = state", "H, C = 0 * state[0], 0 * state[1]"
    )
    cells["choose"]["source"] = (
        "import warnings\ndef choose(valid, test):\n    return no"
    )


def endless(book, cells):
    cells["forget_bias"]["source"] = "while True:\n    pass"


def crash(book, cells):
    cells["forget_bias"]["source"] = (
        "import os\ndef forget_bias(half_life):\n    os._exit(0)\n"
        "def half_life(b_f):\n    exit()"
    )


def gigabyte(book, cells):
    cells["unroll"]["source"] = (
        "def unroll(inputs, state, params):\n    return np.ones(2**27), state"
    )


def meddled(book, cells):
    book["cells"].remove(cells["cost_1"])
    cells["lstm_step_2"]["source"] = "assert True"
    cells["lstm_step"]["source"] = "def lstm_step(X, state, params):\n    return state"
    cells["cost"]["source"] = "def cost(cell, d, h):\n    return 18, 15, 40"


def another_edition(book, cells):
    text = source_of(cells["imports"])
    cells["imports"]["source"] = re.sub(r"edition=\d+", "edition=99", text)


#: Student to what is handed in, and the points of 28 that it must get.
STUDENTS = {
    "good": (lambda book, cells: None, 28),
    "blank": (empty, 0),
    "partly": (partly, 28 - 2 - 3),
    "endless": (endless, 28 - 3),
    "crash": (crash, 28 - 3),
    "gigabyte": (gigabyte, 28 - 5),
    "meddled": (meddled, 28 - 5 - 4 + 1),
    "old": (another_edition, None),
}


def nbgrader(course, *arguments, fails=False):
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        capture_output=True,
        text=True,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course in which eight students have handed in."""
    pytest.importorskip("nbgrader")
    course = tmp_path_factory.mktemp("course")
    config = (EXERCISES / "nbgrader_config.py").read_text(encoding="utf-8")
    config += "\nc.RunQuestions.seconds = 3.0\nc.RunQuestions.question_seconds = 9.0\n"
    (course / "nbgrader_config.py").write_text(config, encoding="utf-8")
    shutil.copytree(EXERCISES / "source" / NAME, course / "source" / NAME)
    nbgrader(course, "generate_assignment", NAME)
    archive = course / "downloaded" / NAME / "archive"
    archive.mkdir(parents=True)
    for student, (change, _) in STUDENTS.items():
        book = json.dumps(answered(change))
        (archive / f"{student}_{NAME}.ipynb").write_text(book, encoding="utf-8")
    (archive / f"broken_{NAME}.ipynb").write_text("Dear teacher,", encoding="utf-8")
    nbgrader(course, "zip_collect", NAME)
    shutil.copy(course / "gradebook.db", course / "before.db")
    log = nbgrader(course, "autograde", NAME, fails=True)  # one is refused
    nbgrader(course, "generate_feedback", NAME)
    nbgrader(course, "export")
    return course, log


def test_nbgrader_makes_the_same_notebook_as_we_do(course):
    book = read_notebook(course[0] / "release" / NAME / f"{NAME}.ipynb")
    ours = released(read_notebook(EXERCISES / "source" / NAME / f"{NAME}.ipynb"))
    assert [source_of(c) for c in book["cells"]] == [
        source_of(c) for c in ours["cells"]
    ]


def test_every_student_gets_the_points_that_are_due(course):
    with open(course[0] / "grades.csv", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    due = {name: points for name, (_, points) in STUDENTS.items() if points is not None}
    assert {name: float(rows[name]["score"]) for name in due} == due
    assert {float(rows[name]["max_score"]) for name in due} == {31.0}


def test_another_edition_is_refused_with_what_to_do_and_the_others_are_graded(course):
    folder, log = course
    assert "is edition 99 of 04_lstm_cell, and the exercise is edition" in log
    assert not list((folder / "autograded").glob("old/*/*.ipynb"))


def test_a_hand_in_that_is_no_notebook_keeps_nobody_else_from_being_graded(course):
    folder, log = course
    assert "There was an error processing assignment" in log and "broken" in log
    graded = {path.parents[1].name for path in folder.glob("autograded/*/*/*.ipynb")}
    assert graded == STUDENTS.keys() - {"old"}


def feedback(course, student):
    """The text of a student's feedback."""
    path = course[0] / "feedback" / student / NAME / f"{NAME}.html"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", "", text))


@pytest.mark.parametrize(
    ("student", "sentence"),
    [
        ("good", "Passed: 2 of 2 points."),
        ("blank", "This is not written yet."),
        ("partly", "You started from zeros, not from the state that is given."),
        ("endless", "It was stopped after 3 seconds: is there a loop that never ends?"),
        ("crash", "Python itself ended here (exit status 0)"),
        ("crash", "half_life(b_f) ends Python, by exit() or the like"),
        ("gigabyte", "stopped with MemoryError: Unable to allocate 1.00 GiB"),
        ("meddled", "This cell was missing in what was handed in."),
        ("meddled", "This cell had been changed in what was handed in."),
    ],
)
def test_feedback_says_in_a_sentence_what_is_wrong(course, student, sentence):
    assert sentence in feedback(course, student)


def test_feedback_has_the_sentence_first_and_no_hidden_test(course):
    text = feedback(course, "partly")
    sentence = "choose(valid, test) stopped with NameError: name 'no' is not defined"
    assert sentence in text
    after = text[text.index(sentence) :]
    assert after.index("Traceback") < after.index(
        "NameError: name 'no' is not defi", 90
    )
    assert "HIDDEN TESTS" not in text and "classroom.judge" not in text


def scores(gradebook):
    """Student to points in a gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{gradebook}") as book:
        return {s.student_id: s.score for s in book.assignment_submissions(NAME)}


def test_parts_that_were_graded_elsewhere_are_joined(course, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import grade_in_parallel

    folder, _ = course
    part, whole = tmp_path / "part", tmp_path / "whole"
    shutil.copytree(folder, part)
    shutil.copytree(folder / "submitted", whole / "submitted")
    shutil.copy(folder / "before.db", whole / "gradebook.db")
    done, refused = grade_in_parallel.join(whole, NAME, [part])
    assert (done, sorted(refused)) == (len(STUDENTS) - 1, ["broken", "old"])
    graded = {
        k: v for k, v in scores(part / "gradebook.db").items() if k not in refused
    }
    assert scores(whole / "gradebook.db") == graded
    assert (whole / "feedback" / "partly" / NAME / f"{NAME}.html").exists()
    count = grade_in_parallel.make_part(part, NAME, 1, 3, tmp_path / "third")
    assert count == len(grade_in_parallel.students(tmp_path / "third", NAME)) == 3


def test_everybody_who_was_not_graded_has_a_reason_of_their_own(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from grade_in_parallel import reason

    log = """[AutogradeApp | ERROR] There was an error processing assignment: /c/submitted/a/x
[AutogradeApp | ERROR] Traceback (most recent call last):
      File "reader.py", line 19, in parse_json
    nbformat.reader.NotJSONError: Notebook does not appear to be JSON: '{'

[AutogradeApp | INFO] Creating/updating student with ID 'b': {}
[AutogradeApp | ERROR] There was an error processing assignment: /c/submitted/b/x
[AutogradeApp | ERROR] Traceback (most recent call last):
    d2l_lstm.classroom.stamps.Mismatch: It is edition 2.

[AutogradeApp | INFO] Creating/updating student with ID 'c': {}
"""  # noqa: E501
    assert reason(log, "a", "x").startswith("nbformat.reader.NotJSONError: Note")
    assert reason(log, "b", "x").endswith("Mismatch: It is edition 2.")
    assert reason(log, "c", "x").startswith("see what nbgrader")


def test_grading_again_changes_nothing_and_keeps_what_was_given_by_hand(course):
    from nbgrader.api import Gradebook

    folder, _ = course
    before = scores(folder / "gradebook.db")
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        grade = book.find_grade("why_tanh_again", NAME, NAME, "meddled")
        grade.manual_score = 2
        book.db.commit()
    nbgrader(folder, "autograde", NAME, "--student=meddled", "--force")
    before["meddled"] += 2
    assert scores(folder / "gradebook.db") == before


def test_an_exercise_that_was_changed_after_it_was_given_out_is_refused(course):
    folder, _ = course
    path = folder / "source" / NAME / f"{NAME}.ipynb"
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace("within=5e-4", "within=6e-4"), encoding="utf-8")
    try:
        log = nbgrader(
            folder, "autograde", NAME, "--student=blank", "--force", fails=True
        )
    finally:
        path.write_text(kept, encoding="utf-8")
    assert f"run `nbgrader generate_assignment --force {NAME}` again" in log


def test_the_whole_course_is_ignored_by_git():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    names = ["release/a/a.ipynb", "submitted/x", "autograded/x", "feedback/x"]
    names += ["gradebook.db", "downloaded/x", "grades.csv"]
    for name in names:
        done = subprocess.run(
            ["git", "check-ignore", "-q", f"exercises/{name}"], cwd=ROOT, check=False
        )
        assert done.returncode == 0, name
    assert os.path.exists(EXERCISES / "README.md")
