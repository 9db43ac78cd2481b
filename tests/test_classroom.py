"""The judging of exercises: each of its promises, held by itself.

What holds for every exercise that is there is in `test_exercises.py`.
"""

import json
import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import paddle
import pytest
from d2l_lstm import classroom
from d2l_lstm.classroom import checking, isolation, judging, restoring, stamps
from d2l_lstm.classroom.answers import Bench, complaints, read_sections, try_question
from d2l_lstm.classroom.isolation import Limits, run_question
from d2l_lstm.classroom.messages import Now, report
from d2l_lstm.classroom.mutants import mutants
from d2l_lstm.classroom.questions import (
    Question,
    Test,
    blank,
    exercise_of,
    hidden_part,
    marks,
    read_notebook,
    released,
    source_of,
    visible,
)
from d2l_lstm.classroom.running import as_python, new_namespace, run_cell, run_test
from hypothesis import given
from hypothesis import strategies as st

Test.__test__ = False  # is no test of pytest's


def said(function, *arguments, **options):
    """The sentence with which a test refuses."""
    with pytest.raises(classroom.Wrong) as refused:
        function(*arguments, **options)
    return str(refused.value)


# ----------------------------------------------------------------- values and tolerance


def mix(X, H):
    """An oracle with products, an exponential and a sum."""
    return 1 / (1 + np.exp(-(X @ H))), X.sum(axis=0)


def mixed(X, H):
    """The same for tensors, written differently."""
    return paddle.nn.functional.sigmoid(paddle.matmul(X, H)), paddle.sum(X, 0)


def draw(rng):
    n, d, h = rng.integers(2, 30, 3)
    return rng.normal(size=(n, d)) * 3, rng.normal(size=(d, h))


def test_rounding_passes_in_float32():
    for seed in range(20):
        classroom.judge(mixed, mix, draw, names=("H", "s"), seed=seed)


def test_rounding_passes_in_float64_and_in_float32_arrays():
    def answer(X, H):
        A = np.einsum("nd,dh->nh", X, H)
        return np.exp(-np.logaddexp(0, -A)), np.ones(len(X), X.dtype) @ X

    for seed in range(20):
        classroom.judge(answer, mix, draw, type="numpy", names=("H", "s"), seed=seed)


@pytest.mark.parametrize("type", ["paddle", "numpy"])
@given(seed=st.integers(0, 2**31), which=st.integers(0, 1))
def test_one_percent_wrong_fails(type, seed, which):
    right = mixed if type == "paddle" else mix

    def answer(X, H):
        values = list(right(X, H))
        values[which] = values[which] * 1.01
        return tuple(values)

    text = said(
        classroom.judge, answer, mix, draw, type=type, names=("H", "s"), seed=seed
    )
    assert re.fullmatch(r"[Hs]\[[\d, ]+\] is \S+; it should be \S+\.", text)


@given(st.integers(0, 2**31), st.sampled_from(["float32", "float64"]))
def test_tolerance_is_between_rounding_and_one_percent(seed, number):
    rng = np.random.default_rng(seed)
    want = rng.normal(size=(3, 4)) * 10.0 ** rng.integers(-6, 6)
    rough = want.astype(np.float32) * (1 + 1e-6)
    allowed = judging._tolerance(want, rough, number)
    scale = np.abs(want).max()
    assert 4 * np.finfo(number).eps * scale < allowed < 0.002001 * scale
    assert judging._tolerance(want, rough * 1.5, number) < 0.002001 * scale


def test_float64_is_held_to_more_digits_than_float32():
    def answer(X, H):
        H, s = mix(X, H)
        return H * (1 + 1e-7), s

    with pytest.raises(classroom.Wrong):
        classroom.judge(answer, mix, draw, type="numpy", seed=1)
    classroom.close(np.float32(1 + 1e-7), 1.0, "x")
    assert said(classroom.close, np.array(1 + 1e-7), 1.0, "x").startswith(
        "x is 1.0000001"
    )


def test_a_value_that_should_be_zero_is_judged_by_what_it_is_the_sum_of():
    big = np.float32(1e4) * np.array([0.1, 0.7], np.float32)
    off = np.float32(1e-2)
    classroom.close(off, 0.0, "the sum", like=big)
    assert (
        said(classroom.close, off, 0.0, "the sum") == "the sum is 0.01; it should be 0."
    )


def test_an_answer_is_judged_on_new_shapes_and_values_every_time():
    seen = []

    def oracle(X, H):
        seen.append((X.shape, H.shape, float(X[0, 0])))
        return X @ H

    for _ in range(2):
        classroom.judge(lambda X, H: X @ H, oracle, draw, names=("Y",))
    assert len({value for *_, value in seen}) == 10
    assert len({shapes[:2] for shapes in seen}) > 4


def test_the_seed_is_named_and_repeats(monkeypatch):
    def answer(X, H):
        return X @ H + 1

    error = None
    try:
        classroom.judge(answer, lambda X, H: X @ H, draw, names=("Y",))
    except classroom.Wrong as wrong:
        error = wrong
    shown = "\n".join(error._render_traceback_())
    seed = re.search(r"D2L_LSTM_SEED=(\d+) repeats them", shown)[1]
    monkeypatch.setenv("D2L_LSTM_SEED", seed)
    again = said(classroom.judge, answer, lambda X, H: X @ H, draw, names=("Y",))
    assert again == str(error)
    assert classroom.fresh().integers(100, size=3).tolist() == (
        np.random.default_rng(int(seed)).integers(100, size=3).tolist()
    )


# ----------------------------------------------------------------- sentences of judging

STEP = (np.zeros((3, 4)), np.ones((3, 4)))


@pytest.mark.parametrize(
    ("got", "text"),
    [
        ((np.zeros((4, 3)), STEP[1]), "H has shape (4, 3); it should be (3, 4)."),
        (None, "what f returns is nothing (None); it should be (H, C)."),
        (STEP[0], "what f returns is an array of shape (3, 4); it should be (H, C)."),
        ((*STEP, 1), "what f returns has length 3; it should have length 2."),
        ((STEP[0], None), "C is None: a return statement or a value is missing."),
        ((STEP[0], "no"), "C is the text 'no'; it should be an array of shape (3, 4)."),
        ((STEP[0], STEP[1] * np.nan), "C[0, 0] is nan; it should be 1."),
        ((STEP[0], STEP[1] * 2), "C[0, 0] is 2; it should be 1."),
        ((STEP[0], STEP[1] * 1j), "C has complex numbers; they should be real."),
    ],
)
def test_what_is_wrong_is_said_with_name_and_shape_or_value(got, text):
    def f():
        return got

    assert said(classroom.judge, f, lambda: STEP, lambda rng: ()) == text


def test_whole_numbers_texts_and_lists_are_compared_exactly():
    def judged(got, want):
        return classroom.judge(lambda: got, lambda: want, lambda rng: (), type="numpy")

    judged((3, "ab", [1, 2], None, True), (3, "ab", [1, 2], None, True))
    judged(paddle.to_tensor([1, 2]), np.array([1, 2]))
    judged(np.array([1, 2]), [1, 2])
    judged({"a": 1.0, "b": [2]}, {"a": 1.0, "b": [2]})
    assert said(judged, 4, 3).endswith("is 4; it should be 3.")
    assert said(judged, 3.0000001, 3).endswith("it should be 3.")
    assert said(judged, "ac", "ab").endswith("is 'ac'; it should be 'ab'.")
    assert said(judged, [1, 3], [1, 2]).endswith("[1] is 3; it should be 2.")
    assert "keys" in said(judged, {"a": 1}, {"b": 1})
    assert said(judged, False, True).endswith("is False; it should be True.")
    assert said(judged, 3, None).endswith("is the number 3; it should be None.")


def test_close_takes_the_digits_that_stand_in_a_text():
    classroom.close(paddle.to_tensor([[0.1817]]), [[0.182]], "H", within=5e-4)
    assert said(classroom.close, 0.19, 0.182, "H", within=5e-4) == (
        "H is 0.19; it should be 0.182."
    )
    classroom.close(3.0000000000000027, 3, "the steps")
    classroom.close(4, 4, "the steps")
    assert "shape (2,)" in said(classroom.close, np.ones(2), np.ones(3), "H")


def put_a_text_first(values):
    values[0] = "x"
    return 3


def put_a_number_first(values):
    values[0] = 0
    return 3


@pytest.mark.parametrize(
    "change",
    [lambda v: (v.reverse(), 3)[1], put_a_text_first, put_a_number_first],
)
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: (["a", "b", "c"],),
        lambda rng: ([1, 2, 3],),
        lambda rng: ([rng.normal(size=3), rng.normal(size=2), None],),
        lambda rng: ([[1.5], [2.5], [None]],),
    ],
)
def test_an_answer_may_not_change_lists_either(change, draw):
    assert "changes its argument number 1" in said(
        classroom.judge, change, lambda values: 3, draw, type="numpy"
    )


def test_whole_numbers_of_any_length_are_compared_digit_by_digit():
    classroom.close(10**20, 10**20, "n")
    assert said(classroom.close, 10**20 + 1, 10**20, "n") == (
        "n is 100000000000000000001; it should be 100000000000000000000."
    )

    def draw(rng):
        return (int(rng.integers(20, 30)),)

    classroom.judge(lambda k: 10**k, lambda k: 10**k, draw)
    classroom.judge(lambda k: (k, 10**k), lambda k: (k, 10**k), draw)
    for wrong in (lambda k: 10**k + 1, lambda k: -(10**k), lambda k: "10", lambda k: 1):
        assert "it should be" in said(classroom.judge, wrong, lambda k: 10**k, draw)


def test_a_result_without_names_is_asked_for_by_its_kind():
    def draw(rng):
        return (1,)

    assert said(classroom.judge, abs, lambda k: [1, 2], draw) == (
        "what abs returns is the number 1; it should be a list of 2."
    )


def test_an_answer_may_not_change_what_it_is_given():
    def answer(X, state):
        state.append(X)
        return X + 1

    text = said(
        classroom.judge,
        answer,
        lambda X, state: X + 1,
        lambda rng: (rng.normal(size=(2, 2)), [rng.normal(size=2)]),
        names=("Y",),
    )
    assert text.startswith("answer changes its argument number 2")


# -------------------------------------------------------------- mistakes that are known


def running(X, H):
    for x in X:
        H = np.tanh(x + H)
    return H


def from_zeros(X, H):
    return running(X, 0 * H)


ZEROS = "You started from zeros, not from the state that is given."
LAST = "You read the steps from the last to the first."


def steps(rng):
    return rng.normal(size=(int(rng.integers(2, 5)), 3)), rng.normal(size=3)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (from_zeros, ZEROS),
        (lambda X, H: running(X[::-1], H), LAST),
    ],
)
def test_a_known_mistake_is_named(answer, sentence):
    mistakes = {ZEROS: from_zeros, LAST: lambda X, H: running(X[::-1], H)}
    with pytest.raises(classroom.Wrong) as refused:
        classroom.judge(
            lambda X, H: paddle.to_tensor(answer(X.numpy(), H.numpy())),
            running,
            steps,
            mistakes=mistakes,
            names=("H",),
            seed=3,
        )
    assert str(refused.value) == sentence
    assert refused.value.mistake
    assert re.match(r"H\[\d\] is ", refused.value.detail)


def test_a_mistake_is_named_only_if_it_explains_every_case():
    def answer(X, H):  # from zeros in the first case, something else in the others
        return from_zeros(X, H) if len(X) == 2 else running(X, H) + 1

    sizes = iter([2, 3, 4, 2, 3])

    def cases(rng):
        return rng.normal(size=(next(sizes), 3)), rng.normal(size=3)

    text = said(
        classroom.judge,
        answer,
        running,
        cases,
        mistakes={ZEROS: from_zeros},
        names=("H",),
        type="numpy",
    )
    assert text.startswith("H[")


def test_a_right_answer_is_no_mistake_where_both_agree():
    """With a state of zeros the mistake gives what is right."""
    classroom.judge(
        lambda X, H: running(X, H),
        running,
        lambda rng: (rng.normal(size=(2, 3)), np.zeros(3)),
        mistakes={ZEROS: from_zeros},
        type="numpy",
    )


def test_hidden_tests_may_name_the_mistake_behind_a_visible_failure():
    cell = textwrap.dedent(
        f"""
        classroom.close(f(0.0), 1.0, "f(0)")
        ### BEGIN HIDDEN TESTS
        with classroom.hidden("fresh values"):
            classroom.judge(f, lambda x: x + 1, lambda rng: (rng.normal(),),
                            mistakes={{"{ZEROS}": lambda x: x + 2}})
        ### END HIDDEN TESTS
        """
    )
    namespace = {**new_namespace(), "classroom": classroom, "f": lambda x: x + 2}
    outcome = run_test(cell, namespace, "cell")
    assert outcome.sentence == f"Hidden test (fresh values): {ZEROS}"
    assert "f(0) is 2; it should be 1." in "\n".join(outcome.traceback)
    assert not outcome.passed
    assert hidden_part(cell).split("\n")[1] == "" and "judge" in hidden_part(cell)
    assert "judge" not in visible(cell)


# ------------------------------------------------ the message first, then the traceback


def in_a_cell(source, kind="student", **names):
    namespace = {**new_namespace(), "classroom": classroom, **names}
    return run_cell(textwrap.dedent(source), namespace, "cell", kind)


def test_errors_of_an_answer_become_one_sentence_with_the_line():
    namespace = {**new_namespace(), "classroom": classroom}
    answer = "def gru_step(X, state, params):\n    H = state\n    return Z * H\n"
    assert run_cell(answer, namespace, "gru_step", "student").passed
    test = run_cell("classroom.call(gru_step, 1, 2, 3)", namespace, "t", "test")
    assert test.sentence == (
        "gru_step(X, state, params) stopped with NameError: name 'Z' is not defined "
        "(line 3 of your cell)."
    )
    assert test.traceback[0] == test.sentence
    assert test.traceback[1:3] == ["", "Traceback (most recent call last):"]
    assert test.traceback[-1] == "NameError: name 'Z' is not defined"
    assert not any("messages.py" in line for line in test.traceback)


def test_a_blank_answer_is_said_to_be_blank():
    namespace = {**new_namespace(), "classroom": classroom}
    source = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n"
    run_cell(blank(source), namespace, "f", "student")
    outcome = run_cell("classroom.call(f, 1)", namespace, "t", "test")
    assert outcome.sentence == "f is not written yet."


@pytest.mark.parametrize(
    ("source", "kind", "sentence"),
    [
        (
            "def f(x)\n  pass",
            "student",
            "Your cell cell is not Python: expected ':' (li",
        ),
        ("1 / 0", "student", "Your cell cell stopped with ZeroDivisionError: division"),
        ("exit()", "student", "Your cell cell ends Python, by exit() or the like"),
        ("g(1)", "test", "g is not defined: your cell has to define it."),
        (
            "a, b = None",
            "test",
            "The test cannot go on with what your answer gives: Ty",
        ),
        ("classroom.call(3)", "test", "A function is needed here, and your cell gives"),
        ("raise MemoryError('x')", "student", "Your cell cell needs more memory than"),
    ],
)
def test_every_kind_of_end_has_its_sentence(source, kind, sentence):
    outcome = in_a_cell(source, kind)
    assert not outcome.passed and outcome.sentence.startswith(sentence)
    assert outcome.traceback[0] == outcome.sentence


def test_a_notebook_shows_the_sentence_first():
    """IPython asks an exception for what it is to show."""
    from IPython.core.interactiveshell import InteractiveShell

    shell, shown = InteractiveShell(), []
    shell._showtraceback = lambda etype, value, lines: shown.append(list(lines))
    shell.run_cell("from d2l_lstm import classroom\ndef f(x):\n    return x + y")
    shell.run_cell("with classroom.hidden('a sum'):\n    classroom.call(f, 1)")
    assert shown[0][0].startswith("Hidden test (a sum): f(x) stopped with NameError")
    assert shown[0][-1] == "NameError: name 'y' is not defined"


def test_paddles_errors_are_told_by_the_line_that_says_what_is_wrong():
    def answer(X):
        return X @ X

    text = said(classroom.call, answer, paddle.ones([2, 3]))
    assert text.startswith("answer(X) stopped with ValueError: ") and len(text) < 400
    assert "\n" not in text and "C++" not in text


def test_values_that_are_missing_are_asked_for_by_name():
    assert said(classroom.call, lambda: None, returns=("H", "C")) == (
        "<lambda> returns nothing (None); it should return (H, C)."
    )
    assert classroom.call(lambda: [1, 2], returns=("H", "C")) == [1, 2]


def test_a_cell_with_magic_runs():
    assert as_python("%matplotlib inline\nx = 5 % 2") == (
        "pass  # %matplotlib inline\nx = 5 % 2"
    )
    assert in_a_cell("!ls\ndisplay(1)\nx = '''\n%s\n''' % 1").passed


# ---------------------------------------------------------------------------- forbid


@pytest.mark.parametrize(
    "cell",
    [
        "from paddle.nn import LSTM",
        "cell = nn.LSTM(2, 3)",
        "cell = getattr(nn, 'LSTM')",
        "import paddle.nn.LSTM as x",
        "LSTM = 3\nprint(LSTM)",
    ],
)
def test_forbidden_names_are_found_in_the_program(cell, monkeypatch):
    monkeypatch.setattr(Now, "cell", cell)
    assert said(classroom.forbid, "GRU", "LSTM").startswith(
        "Your cell uses LSTM (line "
    )


def test_comments_docstrings_and_longer_names_are_free(monkeypatch):
    cell = '# LSTM\ndef lstm_step(X):\n    """Not by nn.LSTM."""\n    return LSTMs'
    monkeypatch.setattr(Now, "cell", cell)
    classroom.forbid("LSTM", "d2l")


def test_in_a_notebook_forbid_finds_the_cell_of_the_function_that_is_tested(
    monkeypatch,
):
    monkeypatch.setattr(Now, "cell", None)  # which only graders set
    from IPython.core.interactiveshell import InteractiveShell

    shell, shown = InteractiveShell(), []
    shell._showtraceback = lambda etype, value, lines: shown.append(lines[0])
    shell.run_cell("from d2l_lstm import classroom\nfrom paddle import nn")
    shell.run_cell("def f(x):\n    return nn.LSTM")
    shell.run_cell("def g(x):\n    return x")
    shell.run_cell("classroom.forbid('LSTM')\ng(1)")
    assert not shown
    shell.run_cell("classroom.forbid('LSTM')\nf(1)")
    assert shown == [
        "Your cell uses LSTM (line 2), which is not allowed in this question."
    ]


def test_in_a_notebook_forbid_passes_over_the_cells_of_tests(monkeypatch):
    """Test 2 may use a function that test 1 defines, in whose cell the name stands."""
    monkeypatch.setattr(Now, "cell", None)
    from IPython.core.interactiveshell import InteractiveShell

    shell, shown = InteractiveShell(), []
    shell._showtraceback = lambda etype, value, lines: shown.append(lines[0])
    shell.run_cell("from d2l_lstm import classroom")
    shell.run_cell("def f(x):\n    return x")
    shell.run_cell("classroom.forbid('LSTM')\ndef oracle(x):\n    return f(x)")
    shell.run_cell("classroom.forbid('LSTM')\noracle(1) == f(1)")
    assert not shown
    shell.run_cell("class g:\n    def __call__(self, x):\n        return LSTM")
    shell.run_cell("classroom.forbid('LSTM')\ng")  # a class is an answer, too
    assert shown and shown[0].startswith("Your cell uses LSTM (line 3)")


# ---------------------------------------------------------------------------- stamps


def test_what_does_not_fit_together_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setitem(stamps.EDITIONS, "05_gru", 2)
    classroom.begin("05_gru", edition=2)
    for edition, what in (
        (1, "Get the notebook of edition 2"),
        (3, "Update the package"),
    ):
        with pytest.raises(classroom.Mismatch, match=what):
            classroom.begin("05_gru", edition=edition)
    with pytest.raises(classroom.Mismatch, match="has no exercise '05_gruu'"):
        classroom.begin("05_gruu", edition=1)


def test_the_stamp_is_read_from_a_cell():
    assert stamps.stamp_of("classroom.begin('a', edition=3)") == ("a", 3)
    assert stamps.stamp_of("begin(name='a', edition=1)") == ("a", 1)
    assert stamps.stamp_of("begin(") is None and stamps.stamp_of("x = 1") is None


# ------------------------------------------------------------ notebooks and their cells

REFERENCE = """\
def add(a, b):
    ### BEGIN SOLUTION
    return a + b
    ### END SOLUTION
"""
TEST_1 = """\
# Test 1 of 2 (1 point): small numbers.
# Hidden tests: none.
classroom.close(classroom.call(add, 1, 2), 3, "1 + 2")
"""
TEST_2 = """\
# Test 2 of 2 (2 points): any numbers.
# Hidden tests (1): fresh numbers.
classroom.expect(add(2, 2) > 0, "2 + 2 is above 0.")
### BEGIN HIDDEN TESTS
with classroom.hidden("fresh numbers"):
    classroom.judge(add, lambda a, b: a + b, lambda rng: (rng.normal(), rng.normal()),
                    type="numpy", mistakes={"You subtract.": lambda a, b: a - b})
### END HIDDEN TESTS
"""
DOUBLE = """\
def double(a):
    ### BEGIN SOLUTION
    return add(a, a)
    ### END SOLUTION
"""
TEST_3 = """\
# Test 1 of 1 (3 points): twice as much.
# Hidden tests: none.
classroom.close(classroom.call(double, 2.5) + shared, 5, "double(2.5)")
"""


def cell(name, source, **mark):
    mark = {"grade": False, "solution": False, "locked": True, "task": False, **mark}
    mark = {"schema_version": 3, "grade_id": name, **mark}
    code = not name.endswith("text")
    extra = {"outputs": [], "execution_count": None} if code else {}
    return {
        "cell_type": "code" if code else "markdown",
        "id": name.replace("_", "-"),
        "metadata": {"nbgrader": mark},
        "source": source.splitlines(True),
        **extra,
    }


def notebook():
    begin = "from d2l_lstm import classroom\nclassroom.begin('04_lstm_cell', edition=1)"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": kernel,
        "cells": [
            cell("imports", begin),
            cell("shared_setup", "shared = 0"),
            cell("add_text", "Add."),
            cell("add", REFERENCE, solution=True, locked=False),
            cell("add_1", TEST_1, grade=True, points=1),
            cell("add_2", TEST_2, grade=True, points=2),
            cell("double", DOUBLE, solution=True, locked=False),
            cell("double_1", TEST_3, grade=True, points=3),
            cell("why_text", "Why?", grade=True, solution=True, locked=False, points=2),
        ],
    }


def named(book):
    return {marks(c)["grade_id"]: c for c in book["cells"] if marks(c)}


def test_a_notebook_is_read_into_questions():
    exercise = exercise_of(notebook(), "04_lstm_cell")
    add, double = exercise.questions
    assert (add.points, double.points, exercise.points) == (3, 3, 6)
    assert [name for name, _ in add.before] == ["imports", "shared_setup"]
    assert [name for name, _ in double.before] == ["imports", "shared_setup", "add"]
    assert exercise.manual == [("why_text", 2.0)] and double.earlier == ["add"]
    assert exercise.stamp == ("04_lstm_cell", 1)
    assert add.tests[1].announced == ["fresh numbers"]
    assert add.tests[0].announced == [] and add.tests[0].announced_number == 0


def test_the_students_version_has_neither_solutions_nor_hidden_tests():
    text = json.dumps(released(notebook()))
    assert "return a + b" not in text and "fresh numbers" in text
    assert "HIDDEN TESTS\\n" not in text and "judge" not in text
    assert "raise NotImplementedError()" in text and "BEGIN SOLUTION" not in text


def test_every_question_starts_from_right_answers_to_those_before():
    exercise = exercise_of(notebook(), "04_lstm_cell")
    trial = Bench(exercise, exercise.question("double"))(
        "def add(a, b):\n    return 17\ndef double(a):\n    return 2 * a\n"
    )
    assert trial.points == 3
    trial = Bench(exercise, exercise.question("add"))(
        "def add(a, b):\n    return a - b"
    )
    assert trial.points == 0
    assert trial.tests["add_2"].sentence.endswith("You subtract.")


# ------------------------------------------------------------------ answers and mutants


def test_sections_of_an_answers_file(tmp_path):
    path = tmp_path / "answers.py"
    path.write_text(
        "# About.\n# %% [add] other: turned\ndef add(a, b):\n    return b + a\n"
        "# %% [add] wrong 1/3: only small\n# says: fresh\n# says: it should\n"
        "def add(a, b):\n    return 3 if a == 1 else 1\n"
        "# %% [add] survives: a → b; because they are equal\n"
    )
    other, wrong, survives = read_sections(path)
    assert other.source == "def add(a, b):\n    return b + a"
    assert (wrong.points, wrong.of, wrong.says) == (1, 3, ["fresh", "it should"])
    assert survives.kind == "survives" and survives.source == ""
    exercise = exercise_of(notebook(), "04_lstm_cell")
    bench = Bench(exercise, exercise.question("add"))
    assert complaints(other, bench(other.source)) == []
    assert complaints(wrong, bench(wrong.source)) == []
    wrong.points, wrong.says = 2, ["something else"]
    assert len(complaints(wrong, bench(wrong.source))) == 2
    for line in ("# %% [add] wrong: no points", "# %% [add] other 3/3: x", "# %% x"):
        path.write_text(line + "\n")
        with pytest.raises(ValueError, match="line 1"):
            read_sections(path)


LSTM = """\
def step(X, state, params):
    W_xi, b_i, W_xf, b_f = params
    ### BEGIN SOLUTION
    H, C = state
    I = sigmoid(X @ W_xi + b_i)
    F = sigmoid(X @ W_xf + b_f)
    C = F * C + (1 - F) * tanh(H)
    for t in range(1, len(X)):
        C = C + X[t - 1].sum(axis=0)
    if C < 3:
        C = C.T
    return H, C
    ### END SOLUTION
"""


def test_mutants_are_made_of_every_kind():
    made = mutants(LSTM)
    titles = [mutant.title for mutant in made]
    for wanted in (
        "W_xi → W_xf",  # names of one kind
        "F → I",
        "X @ W_xi + b_i → X @ W_xi",  # a summand
        "X @ W_xi + b_i → X @ W_xi - b_i",  # the sign
        "tanh(H) → H",
        "C → 0 * C",  # the state
        "1 - F → F",
        "t - 1 → t + 1",  # an index
        "range(1, len(X)) → range(1, len(X) - 1)",  # a bound
        "C < 3 → C <= 3",
        "C < 3 → C > 3",
        "return (H, C) → return (C, H)",
        "X[t - 1].sum(axis=0) → X[t - 1].sum(axis=1)",
        "C.T → C",
    ):
        assert wanted in titles, wanted
    sources = {mutant.source for mutant in made}
    assert len(sources) == len(made)
    for mutant in made:
        compile(mutant.source, "mutant", "exec")
        assert 4 <= mutant.line <= 12
    assert mutants(LSTM) == made and LSTM.count("sigmoid") == 2


def test_mutants_that_survive_are_listed_and_none_without_a_reason(tmp_path):
    exercise = exercise_of(notebook(), "04_lstm_cell")
    question = exercise.question("add")
    question.source = question.source.replace("a + b", "a + b + 0 * a")
    report = try_question(exercise, question, [], seed=1)
    assert any("a + b + 0 * a → a + b" in s for s in report.survivors)
    assert len(report.survivors) < report.mutants
    path = tmp_path / "answers.py"
    titles = {s.split(": ", 1)[1] for s in report.survivors}
    path.write_text(
        "\n".join(f"# %% [add] survives: {t}; because it is 0" for t in sorted(titles))
        + "\n# %% [add] survives: a → b; because\n"
    )
    again = try_question(exercise, question, read_sections(path), seed=1)
    assert again.survivors == []
    assert [c for c in again.complaints if "no mutant 'a → b' survives" in c]


@pytest.mark.parametrize("cells", ["[3]", '[{"metadata": null}]', '{"a": 1}'])
def test_what_is_json_and_no_notebook_is_refused(cells, tmp_path):
    file = tmp_path / "x.ipynb"
    file.write_text(f'{{"cells": {cells}}}', encoding="utf-8")
    with pytest.raises(ValueError, match="is no notebook"):
        read_notebook(file)


# ---------------------------------------------------------------------------- isolation

QUICK = Limits(seconds=1.5, question_seconds=8.0, megabytes=300)


def asked(source, tests=None):
    begin = ("imports", "from d2l_lstm import classroom\nimport numpy as np")
    tests = tests or [
        ("t_1", "classroom.close(classroom.call(f, 1), 2, 'f(1)')"),
        ("t_2", "classroom.close(classroom.call(f, 2), 3, 'f(2)')"),
    ]
    tests = [Test(name, text, 1.0) for name, text in tests]
    return Question("f", textwrap.dedent(source), tests, [begin])


def results(graded):
    return [outcome.passed for outcome in graded.tests.values()]


def sentences(graded):
    return [outcome.sentence for outcome in graded.tests.values()]


def with_helpers(source, own=()):
    """A question whose test leans on set-up, on an earlier answer and on NumPy."""
    test = "classroom.forbid('d2l_lstm')\n"
    test += "classroom.expect(np.allclose(measured(f), 2), 'f(1) is not 2.')"
    question = asked(source, [("t_1", test)])
    setup = "def measured(f):\n    return twice(f(1))\n"
    earlier = "def twice(x):\n    return 2 * x"
    question.before += [("measure_setup", setup), ("twice", earlier)]
    question.earlier, question.own = ["twice"], list(own)
    return question


@pytest.mark.parametrize(
    "trick",
    [
        "def measured(f):\n    return 2",
        "def twice(x):\n    return 2",
        "np.allclose = lambda *_: True",
        "import builtins\nbuiltins.bool = lambda *_: True",
    ],
)
def test_what_an_answer_puts_in_the_place_of_set_up_does_not_count(trick):
    source = trick + "\ndef f(x):\n    return 5"
    graded = run_question(with_helpers(source))
    assert sentences(graded) == ["f(1) is not 2."]


def test_an_answer_may_use_the_names_of_set_up_for_its_own_helpers():
    source = "def measured(x):\n    return x\ndef f(x):\n    return measured(x)"
    assert results(run_question(with_helpers(source))) == [True]
    source = "def f(x):\n    return twice(x) / 2"  # it sees what was there before it
    assert results(run_question(with_helpers(source))) == [True]


def test_forbid_looks_at_the_helper_in_a_cell_of_ones_own_and_at_no_other():
    source = "def f(x):\n    return helper(x)"
    forbidden = ("own 1", "import d2l_lstm\ndef helper(x):\n    return x")
    assert results(run_question(with_helpers(source, [forbidden]))) == [False]
    tried_out = ("own 1", "import d2l_lstm\nvocab = d2l_lstm.Vocab(list('ab'))")
    helper = ("own 2", "def helper(x):\n    return x")
    assert results(run_question(with_helpers(source, [tried_out, helper]))) == [True]
    by_another = ("own 2", "def helper(x):\n    return 0 * len(vocab) + x")
    own = [tried_out, by_another]
    assert results(run_question(with_helpers(source, own))) == [False]


def test_a_right_answer_passes_in_its_own_process():
    assert results(run_question(asked("def f(x):\n    return x + 1"))) == [True, True]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("while True: pass", "It was stopped after 1.5 seconds: is there"),
        (
            "exit()",
            "f(x) ends Python, by exit() or the like; it should return a value.",
        ),
        ("os._exit(0)", "Python itself ended here (exit status 0): the answer calls"),
        ("os.abort()", "Python itself ended here ("),
        ("return np.ones(2**27)", "f(x) stopped with MemoryError"),
        ("os.kill(os.getppid(), 9); os._exit(1)", "Python itself ended here ("),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_ends_badly_costs_its_own_test_only(body, sentence):
    """The first test ends badly, the second passes: in a new process if need be."""
    source = f"""
    import os
    def f(x):
        if x == 1:
            {body}
        return x + 1
    """
    graded = run_question(asked(source), limits=QUICK)
    assert results(graded) == [False, True]
    assert sentences(graded)[0].startswith(sentence)
    assert graded.tests["t_1"].traceback[0] == sentences(graded)[0]


def test_memory_that_grows_slowly_is_stopped():
    source = """
    kept = []
    def f(x):
        while True:
            kept.append(np.ones(2**20))
    """
    graded = run_question(asked(source), limits=Limits(10, 12, 200))
    assert results(graded) == [False, False] and "emory" in sentences(graded)[0]


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_processes_that_an_answer_starts_end_with_it(tmp_path):
    psutil = pytest.importorskip("psutil")
    mark = f"{os.getpid()}.25"
    source = f"""
    import subprocess, sys
    sleep = "import os, time; os.setsid() if os.getpid() != os.getsid(0) else 0; "
    for _ in range(2):
        subprocess.Popen([sys.executable, "-S", "-c", sleep + "time.sleep({mark})"])
    def f(x):
        return x + 1
    """
    assert results(run_question(asked(source), limits=QUICK)) == [True, True]
    left = []
    for process in psutil.process_iter(["cmdline"]):
        if mark in " ".join(process.info["cmdline"] or []):
            left.append(process)
    assert left == []


def test_printing_without_end_is_cut(monkeypatch):
    source = "def f(x):\n    print(('x' * 50 + chr(10)) * 10**5)\n    return x + 1"
    graded = run_question(asked(source))
    assert results(graded) == [True, True]
    assert len(graded.tests["t_1"].printed) < 11_000


def test_an_answer_that_replaces_the_tests_functions_gains_nothing():
    source = """
    from d2l_lstm import classroom
    classroom.close = classroom.call = lambda *a, **k: 2
    class classroom:
        close = call = staticmethod(lambda *a, **k: 2)
    def f(x):
        return 0
    """
    assert results(run_question(asked(source))) == [False, False]


def test_an_answer_cannot_read_its_input_or_leave_files():
    source = """
    import os
    def f(x):
        open("left.txt", "w").write("x")
        return input() + len(os.listdir("."))
    """
    graded = run_question(asked(source))
    assert sentences(graded)[0].startswith("f(x) stopped with EOFError")
    assert not os.path.exists("left.txt")


@pytest.mark.skipif(os.name != "posix", reason="limits of the system")
def test_a_file_has_its_limit_and_the_graders_variables_are_not_handed_on(monkeypatch):
    monkeypatch.setenv("A_TOKEN_OF_MINE", "secret")
    source = """
    import os
    def f(x):
        if x == 1:
            open("big", "wb").write(bytes(2**26))
        return x + 1 + ("A_TOKEN_OF_MINE" in os.environ)
    """
    graded = run_question(asked(source))
    assert results(graded) == [False, True]
    assert sentences(graded)[0].startswith("f(x) stopped with OSError")


def test_random_numbers_differ_from_process_to_process():
    source = """
    import random
    import paddle
    print(random.random(), np.random.rand(), paddle.rand([1]).item())
    def f(x):
        return x + 1
    """
    one, two = (run_question(asked(source)).cell.printed.split() for _ in range(2))
    assert all(a != b for a, b in zip(one, two))


def test_a_reference_that_does_not_run_is_no_fault_of_the_student():
    question = asked("def f(x):\n    return x + 1")
    question.before.append(("bad_setup", "1 / 0"))
    with pytest.raises(isolation.NotRunnable, match="bad_setup of the exercise"):
        run_question(question)


def test_a_fresh_python_is_used_where_there_is_no_fork(monkeypatch):
    monkeypatch.setenv("D2L_LSTM_GRADING", "spawn")
    source = (
        "def f(x):\n    import os\n    if x == 1:\n        os._exit(3)\n    return 3"
    )
    graded = run_question(asked(source))
    assert results(graded) == [False, True]
    assert "exit status 3" in sentences(graded)[0]


def test_a_print_of_half_a_character_can_be_written_into_a_notebook():
    graded = run_question(
        asked("print('é' + chr(0xD83D))\ndef f(x):\n    return x + 1")
    )
    assert results(graded) == [True, True]
    assert graded.cell.printed == "é?\n"


def test_a_name_that_is_missing_is_asked_for_before_hidden_tests_miss_it():
    test = """half = 0.5
classroom.close(f(1), 2, "f(1)")
### BEGIN HIDDEN TESTS
with classroom.hidden("halves"):
    classroom.close(f(half), 1.5, "f(0.5)")
### END HIDDEN TESTS
"""
    for source, sentence in (
        ("", "f is not defined: your cell has to define it."),
        ("def f(x):\n    return 1 / 0", "The test cannot go on with what your answer"),
    ):
        graded = run_question(asked(source, [("t_1", test)]))
        assert sentences(graded)[0].startswith(sentence)


def test_an_answer_does_not_choose_the_random_numbers_of_its_tests():
    source = """
    import os
    os.environ["D2L_LSTM_SEED"] = "mine"
    def f(x):
        return x + 1
    """
    tests = [("t_1", "classroom.fresh()\nclassroom.expect(f(1) == 2, 'two')")]
    assert results(run_question(asked(source, tests))) == [True]


def test_a_thread_that_is_left_running_costs_no_time(monkeypatch):
    monkeypatch.setenv("D2L_LSTM_GRADING", "spawn")
    source = """
    import threading, time
    def f(x):
        threading.Thread(target=time.sleep, args=(60,)).start()
        return x + 1
    """
    graded = run_question(asked(source), limits=Limits(20, 40, 300))
    assert results(graded) == [True, True] and graded.seconds < 30


# ---------------------------------------------------------------- what students hand in


def handed_in(change=lambda book, cells: None):
    book = released(notebook())
    cells = named(book)
    cells["add"]["source"] = "def add(a, b):\n    return a + b"
    cells["double"]["source"] = "def double(a):\n    return 2 * a"
    cells["why_text"]["source"] = "Because."
    change(book, cells)
    return book


def put_back(change=lambda book, cells: None):
    book, notes = restoring.restored(handed_in(change), notebook())
    return book, named(book), notes


def test_what_is_handed_in_untouched_is_put_back_without_a_note():
    book, cells, notes = put_back()
    assert notes == {}
    assert [marks(c).get("grade_id") for c in book["cells"]] == list(named(notebook()))
    assert cells["add"]["source"] == "def add(a, b):\n    return a + b"
    assert (
        cells["add_2"]["source"] == TEST_2 and cells["why_text"]["source"] == "Because."
    )


def test_deleted_edited_and_moved_cells_come_from_the_source():
    def change(book, cells):
        book["cells"].remove(cells["add_1"])
        cells["add_2"]["source"] = "assert True"
        cells["imports"]["source"] += "\n"
        book["cells"].reverse()

    book, cells, notes = put_back(change)
    assert source_of(cells["add_1"]) == TEST_1 and source_of(cells["add_2"]) == TEST_2
    assert notes == {
        "add_1": "This cell was missing in what was handed in.",
        "add_2": "This cell had been changed in what was handed in.",
    }
    assert list(cells) == list(named(notebook()))


def test_a_deleted_answer_is_blank_and_the_others_count():
    _, cells, notes = put_back(lambda book, cells: book["cells"].remove(cells["add"]))
    assert "raise NotImplementedError()" in cells["add"]["source"]
    assert cells["double"]["source"] == "def double(a):\n    return 2 * a"
    assert list(notes) == ["add"]


def test_an_answer_that_has_lost_its_mark_is_found():
    def strip(book, cells):
        for c in book["cells"]:
            c["metadata"] = {}

    def strip_ids(book, cells):
        strip(book, cells)
        for c in book["cells"]:
            del c["id"]

    for change in (strip, strip_ids):
        book, cells, notes = put_back(change)
        assert cells["add"]["source"] == "def add(a, b):\n    return a + b"
        assert cells["double"]["source"] == "def double(a):\n    return 2 * a"
        assert len([c for c in book["cells"] if c["cell_type"] == "code"]) == 7


def test_of_copied_answers_the_last_that_was_changed_counts():
    def copied(book, cells):
        at = book["cells"].index(cells["add"])
        again = json.loads(json.dumps(cells["add"]))
        again["source"] = "def add(a, b):\n    return b + a"
        untouched = json.loads(json.dumps(cells["add"]))
        untouched["source"] = blank(REFERENCE)
        book["cells"][at + 1 : at + 1] = [again, untouched]

    book, cells, notes = put_back(copied)
    assert cells["add"]["source"] == "def add(a, b):\n    return b + a"
    assert "3 cells of this name" in notes["add"]
    ids = [c["id"] for c in book["cells"]]
    assert len(ids) == len(set(ids))


def test_cells_of_the_students_own_stay_and_run_before_their_question():
    def helper(book, cells):
        at = book["cells"].index(cells["double"])
        own = {
            "cell_type": "code",
            "id": "own",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": "def helper(a):\n    return 2 * a",
        }
        book["cells"].insert(at, own)
        cells["double"]["source"] = "def double(a):\n    return helper(a)"

    book, cells, _ = put_back(helper)
    add, double = exercise_of(book, "04_lstm_cell").questions
    assert add.own == [] and [source for _, source in double.own] == [
        "def helper(a):\n    return 2 * a"
    ]
    assert results(run_question(double)) == [True]
    double.own = [("own", "while True:\n    pass")]  # costs nothing if it is not needed
    double.source = "def double(a):\n    return 2 * a"
    graded = run_question(double, limits=QUICK)
    assert results(graded) == [True] and graded.seconds < QUICK.seconds


def test_another_edition_or_exercise_is_refused():
    book = handed_in()
    restoring.check_same_edition(book, notebook())
    for old, new, text in (
        ("edition=1", "edition=2", "is edition 2 of 04_lstm_cell"),
        ("04_lstm_cell", "05_gru", "is 05_gru. Ask for the right notebook"),
    ):
        other = json.loads(json.dumps(book).replace(old, new))
        with pytest.raises(classroom.Mismatch, match=text):
            restoring.check_same_edition(other, notebook())


# ----------------------------------------------------------------------- d2l-lstm check


def checked(tmp_path, book, **options):
    path = tmp_path / "04_lstm_cell.ipynb"
    path.write_text(json.dumps(book))
    lines = []
    return checking.check(path, lines.append, **options), lines


def test_check_says_what_passes(tmp_path):
    passes, lines = checked(tmp_path, handed_in())
    assert passes
    assert lines == [
        "04_lstm_cell, edition 1",
        "add",
        "  passes   1 of 2 (1 point): small numbers.",
        "  passes   2 of 2 (2 points): any numbers.",
        "double",
        "  passes   1 of 1 (3 points): twice as much.",
        "3 of 3 tests pass: 6 of 6 points, if the 1 hidden tests pass as well.",
        "2 more points are given by a teacher, for what is written.",
    ]


def test_check_says_when_an_earlier_answer_does_not_pass_yet(tmp_path):
    def wrong(book, cells):
        cells["add"]["source"] = "def add(a, b):\n    return a - b"
        cells["double"]["source"] = "def double(a):\n    return add(a, a)"

    passes, lines = checked(tmp_path, handed_in(wrong))
    assert not passes
    assert lines[2] == "  not yet  1 of 2 (1 point): 1 + 2 is -1; it should be 3."
    assert lines[4] == "double  (needs add, which does not pass yet)"
    assert lines[5].startswith("  not yet  1 of 1 (3 points): double(2.5) is 0")


@pytest.mark.parametrize("ending", ["os._exit(0)", "while True: pass"])
def test_check_runs_an_answer_that_ends_python_for_its_own_question_only(
    ending, tmp_path
):
    def change(book, cells):
        cells["add"]["source"] = f"import os\n{ending}"

    file = tmp_path / "made.ipynb"
    file.write_text(json.dumps(handed_in(change)), encoding="utf-8")
    lines = []
    assert not checking.check(file, lines.append, limits=QUICK)
    assert lines[2].startswith("  not yet") and lines[5].startswith("  passes")


def test_check_sees_deleted_tests_and_runs_hidden_ones_if_asked(tmp_path):
    def cheat(book, cells):
        book["cells"].remove(cells["add_1"])
        cells["add"]["source"] = "def add(a, b):\n    return 5"

    passes, lines = checked(tmp_path, handed_in(cheat))
    assert (
        "  1 of its test cells are missing in this notebook; they are run" in lines[2]
    )
    with pytest.raises(ValueError, match="leave --hidden out"):
        checked(tmp_path, handed_in(cheat), hidden=True)
    source = tmp_path / "source" / "04_lstm_cell" / "04_lstm_cell.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(json.dumps(notebook()))
    passes, lines = checked(tmp_path, handed_in(cheat), hidden=True)
    assert not passes and any("Hidden test (fresh numbers)" in line for line in lines)


def test_a_test_cell_that_has_lost_its_points_is_still_read():
    book = handed_in()
    del named(book)["add_1"]["metadata"]["nbgrader"]["points"]
    assert exercise_of(book, "made").question("add").tests[0].points == 0


def test_check_refuses_what_is_no_exercise(tmp_path):
    from d2l_lstm.cli import app
    from typer.testing import CliRunner

    path = tmp_path / "x.ipynb"
    for text in ("", "{}", '{"cells": 3}', '{"cells": []}', "[]"):
        path.write_text(text)
        with pytest.raises(ValueError, match="x.ipynb"):
            checking.check(path)
    result = CliRunner().invoke(app, ["check", str(tmp_path / "none.ipynb")])
    assert isinstance(result.exception, FileNotFoundError)
    help = CliRunner().invoke(app, ["check", "--help"])
    assert help.exit_code == 0 and "--hidden" in help.stdout


def test_nothing_of_jupyter_or_nbgrader_is_loaded_for_students():
    code = (
        "import sys; from d2l_lstm.classroom import checking, answers; "
        "print(*[m for m in sys.modules if m.split('.')[0] in "
        "('nbgrader', 'nbformat', 'IPython', 'jupyter_core', 'sqlalchemy')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_report_has_the_sentence_the_detail_and_the_traceback():
    try:
        raise classroom.Wrong("It is wrong.", detail="H is 3.")
    except classroom.Wrong as error:
        lines = report(error)
    assert lines[:2] == ["It is wrong.", "H is 3."]
    assert any("raise classroom.Wrong" in line for line in lines)
