"""The contest of notebook 14: its tasks, its runs, and results that are kept."""

import math
from dataclasses import replace
from pathlib import Path

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import odyssey
from d2l_lstm.experiments import detectable, power, t_interval
from d2l_lstm.files import FileError
from d2l_lstm.odyssey import ENTRANTS, TASKS, Entrant, Run
from d2l_lstm.tasks import RECALL_SIGNS, recall
from hypothesis import given, settings
from hypothesis import strategies as st

RESULTS = Path(__file__).parent.parent / "notebooks" / "14_variant_odyssey.json"


# --------------------------------------------------------------------------------------
# Recall


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_answer_at_a_question_is_the_last_letter(batch_size, num_steps, seed):
    X, Y = recall(batch_size, num_steps, np.random.default_rng(seed))
    assert X.shape == Y.shape == (batch_size, num_steps)
    for row, answers in zip(X, Y):
        signs = ["<unk>", *RECALL_SIGNS]
        last = None
        for sign, answer in zip((signs[x] for x in row), (signs[y] for y in answers)):
            last = sign if sign.isalpha() else last
            assert answer == (last if sign == "?" else "<unk>")
        assert signs[row[0]].isalpha()


def test_signs_come_as_often_as_their_chances_say():
    X, _ = recall(200, 101, np.random.default_rng(0), letters=0.1, questions=0.3)
    later, (dot, question) = X[:, 1:], (5, 6)
    assert abs((later < dot).mean() - 0.1) < 0.01
    assert abs((later == question).mean() - 0.3) < 0.015
    letters = np.bincount(X[X < dot])[1:]
    assert (abs(letters / letters.sum() - 0.25) < 0.04).all()


@pytest.mark.parametrize("chances", [(-0.1, 0.2), (0.2, -0.1), (0.7, 0.7)])
def test_chances_that_are_none_are_refused(chances):
    with pytest.raises(ValueError, match="two chances"):
        recall(1, 1, np.random.default_rng(0), *chances)


# --------------------------------------------------------------------------------------
# Judging


def test_scores_are_those_of_the_readable_model():
    paddle.seed(0)
    X = np.random.default_rng(0).integers(0, 7, (3, 9))
    for entrant in ENTRANTS.values():
        net = entrant.model(TASKS["memory"])
        with paddle.no_grad():
            right, _ = net(paddle.to_tensor(X), net.begin_state(3))
        right = right.numpy().reshape(9, 3, 7).swapaxes(0, 1)
        np.testing.assert_allclose(odyssey.scores(net, X), right, atol=2e-6)


def test_surprise_of_the_text_is_the_log_of_the_perplexity():
    paddle.seed(0)
    net = ENTRANTS["gru"].model(TASKS["text"])
    _, valid_iter, test_iter, _ = d2l.load_time_machine_splits(32, 35)
    for loader, (X, Y) in zip((valid_iter, test_iter), TASKS["text"].sets()):
        right = math.log(d2l.evaluate_perplexity(net, loader))
        assert odyssey.surprise(net, X, Y) == pytest.approx(right, rel=1e-6)


def test_a_share_counts_answers_and_a_string_must_be_right_everywhere(monkeypatch):
    says = np.array([[[0, 3, 1], [0, 1, 3]], [[0, 3, 1], [0, 3, 1]]])  # 1 2 and 1 1
    monkeypatch.setattr(odyssey, "scores", lambda net, X: says)
    assert odyssey.share_wrong(None, None, np.array([[1, 2], [1, 2]])) == 0.25
    assert odyssey.share_wrong(None, None, np.array([[1, 2], [0, 2]])) == 1 / 3
    assert odyssey.strings_wrong(None, None, np.array([[1, 2], [1, 2]])) == 0.5
    assert odyssey.strings_wrong(None, None, np.array([[2, 2], [1, 0]])) == 0.5


def test_no_task_is_judged_on_what_it_was_chosen_on():
    for task in TASKS.values():
        (X, _), (other, _) = task.sets()
        rows = {tuple(row) for row in X}
        assert not rows & {tuple(row) for row in other}


def test_the_error_of_a_guess_is_what_it_is_said_to_be():
    class Net:
        num_hiddens = 1

    rng = np.random.default_rng(0)
    for name in ("text", "memory"):
        task = TASKS[name]
        X, Y = task.sets()[1]
        flat = rng.random((*X.shape, task.vocab_size)) * 1e-9
        if name == "memory":
            flat[..., :1] = flat[..., 5:] = -1  # who knows that a letter is asked for
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(odyssey, "scores", lambda net, X, flat=flat: flat)
            assert task.error(Net(), X, Y) == pytest.approx(task.guess, abs=0.03)


# --------------------------------------------------------------------------------------
# Entrants and runs


@pytest.mark.parametrize("name", ENTRANTS)
@pytest.mark.parametrize("task", TASKS)
def test_all_networks_are_as_nearly_of_one_size_as_units_allow(name, task):
    entrant, task = ENTRANTS[name], TASKS[task]
    h, count = entrant.num_hiddens(task), d2l.CELLS[entrant.cell].num_params
    step = 4 if entrant.cell == "clockwork" else 1
    away = [abs(count(task.vocab_size, h + k) - task.size) for k in (-step, 0, step)]
    assert away[1] == min(away)
    assert away[1] < 0.1 * task.size or entrant.cell == "clockwork"


def test_matrices_begin_with_a_tenth_and_only_one_entrant_has_a_forget_bias():
    paddle.seed(0)
    for name, entrant in ENTRANTS.items():
        net = entrant.model(TASKS["text"])
        for key, param in zip(d2l.CELLS[entrant.cell].param_names, net.params):
            values = param.numpy()
            if key.startswith("W"):
                assert 0.08 < values.std() < 0.12
            else:
                biased = key == "b_f" and name == "lstm, b_f = 1"
                assert (values == float(biased)).all()


def test_a_run_is_judged_where_it_was_best_on_the_other_set():
    run = Run(1.0, 0, 0.01, (0.5, 0.3, 0.4), (0.1, 0.7, None))
    assert run.best() == 0.3 and run.error() == 0.7
    assert run.best(1) == 0.5 and run.error(1) == 0.1
    assert Run(1.0, 0).error(worst=3.0) == 3.0


def _short(monkeypatch, **changes):
    for name, task in TASKS.items():
        changed = replace(task, num_epochs=2, valid_every=1, **changes)
        monkeypatch.setitem(TASKS, name, changed)


def test_a_contest_is_repeated_exactly_and_does_not_depend_on_the_processes(
    monkeypatch, tmp_path
):
    _short(monkeypatch)
    few = {name: ENTRANTS[name] for name in ("lstm", "clockwork")}

    def errors():
        found = odyssey.odyssey(
            few, ("memory",), seeds=(1, 2), rate_seeds=(3,), processes=1
        )
        odyssey.keep(found, tmp_path / "found.json")
        assert odyssey.kept(tmp_path / "found.json") == found
        return found.results["memory"]["lstm"], found

    (first, found), (second, _) = errors(), errors()
    assert [r.judged for r in first.runs] == [r.judged for r in second.runs]
    assert first.lr == second.lr and len(first.runs) == 2
    assert found.errors("memory", "lstm").shape == (2,)
    assert found.cpu_seconds > 0
    with pytest.raises(ValueError, match="too few for"):
        found.errors("memory", "lstm", 1e-6)
    assert (found.differences("memory", "lstm", "lstm") == 0).all()


def test_a_run_that_diverges_is_judged_by_a_guess(monkeypatch):
    _short(monkeypatch)
    run = odyssey.run(Entrant("rnn"), TASKS["text"], 1e6, 1, judge=True)
    worst = max(run.error(worst=TASKS["text"].guess), 1.0)
    assert worst >= 1


def test_seeds_that_choose_do_not_compare():
    with pytest.raises(ValueError, match="none may be in both"):
        odyssey.odyssey({}, seeds=(1, 2), rate_seeds=(2,))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"results": 1}', b"\xff"])
def test_a_file_that_holds_no_results_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "found.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match="holds no results"):
        odyssey.kept(path)
    with pytest.raises(FileError, match="cannot read"):
        odyssey.kept(tmp_path / "nothing.json")


def test_the_results_beside_the_notebook_belong_to_the_code():
    found = odyssey.kept(RESULTS)
    assert found.code == odyssey.code_of_results(), "run `make odyssey` again"
    assert set(found.results) == set(TASKS)
    assert all(set(results) == set(ENTRANTS) for results in found.results.values())
    assert len(found.seeds) == 10 and not set(found.seeds) & set(found.rate_seeds)
    assert found.cpu_seconds < 21 * 60  # twenty, on a machine that has good days
    for task, results in found.results.items():
        for name, result in results.items():
            assert result.num_hiddens == ENTRANTS[name].num_hiddens(TASKS[task])
            assert [run.seed for run in result.runs] == list(found.seeds)
            assert {run.lr for run in result.runs} == {result.lr}


# --------------------------------------------------------------------------------------
# Power


@settings(max_examples=5, deadline=None)
@given(st.floats(0, 2), st.integers(3, 12))
def test_power_is_how_often_an_interval_misses_zero(difference, count):
    rng = np.random.default_rng(0)
    samples = rng.normal(difference, 1, (2000, count))
    found = [t_interval(values) for values in samples[:600]]
    missed = np.mean([not i.low <= 0 <= i.high for i in found])
    assert abs(missed - power(difference, 1, count)) < 0.08


def test_what_is_detectable_is_found_with_the_chance_that_was_asked_for():
    smallest = detectable(0.3, 10, 0.8)
    assert power(smallest, 0.3, 10) == pytest.approx(0.8)
    assert detectable(0.3, 40, 0.8) < smallest / 1.8
