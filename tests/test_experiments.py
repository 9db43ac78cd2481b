"""The protocol of comparisons, and what its rules say of made-up numbers."""

import math
import os

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm import experiments
from d2l_lstm.experiments import (
    OUTCOMES,
    Contest,
    Contestant,
    Interval,
    Trial,
    choose_rate,
    contest,
    outcome,
    plot_differences,
    run_trial,
    t_interval,
)
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt

# --------------------------------------------------------------------------------------
# Statistics


def test_interval_of_five_numbers_is_that_of_a_table():
    found = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])  # t(0.975, 4) = 2.776
    half = 2.776445 * math.sqrt(2.5 / 5)
    assert found.mean == 3 and found.high == pytest.approx(3 + half, abs=1e-5)
    assert found.low == pytest.approx(3 - half, abs=1e-5)
    narrow = t_interval([1.0, 2.0, 3.0, 4.0, 5.0], level=0.5)
    assert narrow.high - 3 == pytest.approx(0.740697 * math.sqrt(0.5), abs=1e-5)


def test_one_value_says_nothing_of_the_spread():
    assert t_interval([2.0]) == Interval(-math.inf, 2, math.inf)


def test_equal_values_have_an_interval_without_width():
    assert t_interval([2.0, 2.0]) == Interval(2, 2, 2)


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    samples = rng.normal(3, 2, (2000, 5))
    held = [t_interval(x, 0.9).low <= 3 <= t_interval(x, 0.9).high for x in samples]
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("values", [[], [1, math.nan], [1, math.inf], [[1, 2]]])
def test_what_is_no_list_of_finite_numbers_has_no_interval(values):
    with pytest.raises(ValueError, match="an interval needs finite numbers, a list"):
        t_interval(values)


@pytest.mark.parametrize("level", [0, 1, -1, 95])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(ValueError, match=f"level is {level}; it must be between"):
        t_interval([1, 2], level)


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (-0.01, 0.01, "equivalent"),
        (0.001, 0.019, "equivalent"),  # surely worse, and by less than the margin
        (-0.019, -0.001, "equivalent"),
        (-0.05, -0.001, "better"),
        (-0.05, -0.03, "better"),
        (0.001, 0.05, "worse"),
        (0.03, 0.05, "worse"),
        (-0.05, 0.01, "cannot tell"),
        (-0.01, 0.05, "cannot tell"),
        (-0.02, 0.02, "cannot tell"),  # the margin itself is not excluded
        (-math.inf, math.inf, "cannot tell"),
    ],
)
def test_outcome_of_an_interval(low, high, says):
    assert outcome(Interval(low, (low + high) / 2, high), 0.02) == says


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(1e-3, 1))
def test_turning_a_difference_round_turns_the_outcome_round(mean, half, margin):
    there = outcome(Interval(mean - half, mean, mean + half), margin)
    back = outcome(Interval(-mean - half, -mean, -mean + half), margin)
    turned = {"better": "worse", "worse": "better"}
    assert there in OUTCOMES and back == turned.get(there, there)


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(1e-3, 1))
def test_a_narrower_interval_never_loses_an_answer(mean, half, margin):
    wide = outcome(Interval(mean - half, mean, mean + half), margin)
    narrow = outcome(Interval(mean - half / 2, mean, mean + half / 2), margin)
    assert wide == "cannot tell" or narrow in (wide, "equivalent")


@pytest.mark.parametrize("margin", [0, -1, math.nan])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(ValueError, match="margin is .*; it must be above 0"):
        outcome(Interval(0, 0, 0), margin)


def test_differences_are_drawn_with_intervals_and_the_margin():
    values = {"one": [0.1, 0.2, 0.3], "other": [-0.1, 0.0, 0.1]}
    axes = plot_differences(values, 0.05, xlabel="nats")
    (band,), (zero, *rows) = axes.patches, axes.lines
    assert (band.get_x(), band.get_width()) == (-0.05, pytest.approx(0.1))
    assert list(zero.get_xdata()) == [0, 0]
    for (dots, bar, mean), drawn in zip((rows[:3], rows[3:]), values.values()):
        interval = t_interval(drawn)
        assert list(dots.get_xdata()) == drawn
        assert list(bar.get_xdata()) == [interval.low, interval.high]
        assert list(mean.get_xdata()) == [interval.mean]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(values)
    assert axes.get_ylim() == (1.5, -0.5)  # from top to bottom
    plt.close("all")


def test_a_single_difference_has_no_interval_to_draw():
    axes = plot_differences({"one": [0.1]}, axes=plt.figure().subplots())
    assert [len(line.get_xdata()) for line in axes.lines] == [2, 1, 0, 1]
    plt.close("all")


# --------------------------------------------------------------------------------------
# The learning rate


def valley(best):
    return lambda rate: abs(math.log2(rate / best))


@pytest.mark.parametrize("best", [0.25, 1, 4, 8, 16, 64])
@pytest.mark.parametrize("first", [1.0, 8.0])
def test_the_walk_ends_in_the_valley(best, first):
    rate, scores = choose_rate(valley(best), first)
    assert rate == best
    assert scores[rate / 2] >= scores[rate] <= scores[rate * 2]


def test_rates_that_diverge_are_left_behind():
    rate, scores = choose_rate(lambda r: math.inf if r > 1 else valley(0.5)(r))
    assert rate == 0.5 and list(scores) == [8, 4, 2, 1, 0.5, 0.25]


@pytest.mark.parametrize(
    ("scores", "chosen", "tried"),
    [
        ({8: 2.0, 4: 1.99, 16: 1.99}, 8, [8, 4, 16]),  # luck, and no reason to go
        ({8: 2.0, 4: 1.95, 2: 1.94}, 4, [8, 4, 2]),
        ({8: 2.0, 4: 1.95, 2: 1.90, 1: 1.89}, 2, [8, 4, 2, 1]),
        ({8: 2.0, 4: 2.01, 16: 1.95, 32: 1.94}, 16, [8, 4, 16, 32]),
    ],
)
def test_the_walk_does_not_follow_luck(scores, chosen, tried):
    rate, found = choose_rate(scores.__getitem__, gain=0.02)
    assert rate == chosen and list(found) == tried


def test_no_rate_is_tried_twice():
    tried = []
    choose_rate(lambda rate: tried.append(rate) or valley(32)(rate))
    assert len(tried) == len(set(tried))


@pytest.mark.parametrize("score", [lambda rate: math.inf, lambda rate: -rate])
def test_a_walk_without_an_end_is_refused(score):
    with pytest.raises(ValueError, match="no learning rate from 8 to .* is best"):
        choose_rate(score)


# --------------------------------------------------------------------------------------
# Runs

RUN = Trial(
    lr=1.0,
    seed=0,
    epochs=(5, 10, 15, 20, 25),
    valid=(9.0, 8.0, 8.5, 7.0, 7.5),
    test=(9.5, 8.4, None, 7.9, None),
    seconds_per_epoch=0.1,
)


@pytest.mark.parametrize(
    ("num_epochs", "epoch", "judged"),
    [(math.inf, 20, 7.9), (20, 20, 7.9), (19, 10, 8.4), (14.9, 10, 8.4), (5, 5, 9.5)],
)
def test_the_test_text_judges_what_the_validation_text_chose(num_epochs, epoch, judged):
    shorter = RUN.within(num_epochs)
    assert shorter.epoch() == epoch and shorter.judged() == judged


def test_a_budget_too_small_for_one_measurement_has_nothing_to_judge():
    assert math.isnan(RUN.within(4).epoch()) and RUN.within(4).judged() == math.inf


def made(**trials):
    found = Contest({name: Contestant("lstm", 8) for name in trials})
    found.trials = trials
    return found


def run(valid, test, seconds=0.1, seed=0):
    epochs = tuple(range(5, 5 * len(valid) + 1, 5))
    return Trial(1.0, seed, epochs, tuple(valid), tuple(test), seconds)


def test_differences_are_of_logarithms_and_seed_by_seed():
    found = made(
        a=[run([8], [8.0]), run([8], [10.0])], b=[run([8], [4.0]), run([8], [10.0])]
    )
    np.testing.assert_allclose(found.differences("a", "b"), [math.log(2), 0])
    np.testing.assert_allclose(found.differences("b", "a"), [-math.log(2), 0])


@pytest.fixture
def timed(monkeypatch):
    """A contest of made-up runs: "slow" needs 0.2 seconds an epoch, "fast" 0.1.

    A rate of 4 is best in the long run. A rate of 8 learns faster and ends higher.
    """
    asked = []

    def made_up(contestant, lr, seed, parts, vocab_size, num_epochs, *settings):
        asked.append((contestant.cell, lr, seed, num_epochs))
        valid = {
            16: [9.0, 9, 9, 9, 9, 9, 9, 9],
            8: [8.0, 7, 6, 6, 6, 6, 6, 6],
            4: [9.0, 8, 7, 6, 5, 4, 3, 3],
            2: [9.0, 9, 8, 8, 7, 7, 6, 6],
        }[lr][: num_epochs // 5]
        seconds = {"lstm": 0.2, "gru": 0.1}[contestant.cell]
        return run(valid, [v + 0.5 for v in valid], seconds, seed)

    monkeypatch.setattr(experiments, "run_trial", made_up)
    found = contest(
        {"slow": Contestant("lstm", 8), "fast": Contestant("gru", 8)}, (None,) * 3, 28,
        num_epochs=40, patience=20, seeds=[1, 2], rate_seeds=[3], processes=1,
    )  # fmt: skip
    assert found.rates == {"slow": 4, "fast": 4}
    assert found.scores["slow"] == {
        8: pytest.approx(math.log(6)),
        4: pytest.approx(math.log(3)),
        2: pytest.approx(math.log(6)),
    }
    asked.clear()
    return found, asked


def test_a_budget_of_seconds_gives_the_faster_one_more_epochs(timed):
    found, _ = timed
    assert found.epochs_in("fast", 3.2) == pytest.approx(32)
    within = found.within(3.2)  # 16 epochs of the slow one, 32 of the fast one
    assert max(t.epochs[-1] for t in within.trials["slow"]) == 15
    assert max(t.epochs[-1] for t in within.trials["fast"]) == 30
    np.testing.assert_allclose(within.judged("fast"), 4.5)


def test_seconds_are_those_of_a_run_to_its_end():
    runs = [run([9] * n, [9.0] * n, seconds=0.1) for n in (2, 4, 9)]
    assert made(a=[*runs, run([], [])]).seconds("a") == pytest.approx(4 * 5 * 0.1)


def test_a_budget_of_seconds_has_rates_of_its_own(timed):
    found, asked = timed
    within = found.within(3.2)
    assert within.rates == {"slow": 8, "fast": 4}
    np.testing.assert_allclose(within.judged("slow"), 6.5)  # at the old rate 7.5
    # Nothing is trained twice: a rate that was not tried, and the runs at the new one.
    assert asked == [("lstm", 16, 3, 16), ("lstm", 8, 1, 16), ("lstm", 8, 2, 16)]
    assert list(found.within(3.2, ["fast"]).trials) == ["fast"]


def test_a_budget_of_seconds_that_all_keep_within_changes_nothing(timed):
    found, asked = timed
    within = found.within(1000.0)
    assert within.trials == found.trials and within.rates == found.rates
    assert asked == []


def test_a_budget_of_too_few_seconds_is_refused(timed):
    with pytest.raises(ValueError, match="slow has time for 4.0 epochs in 0.8 seconds"):
        timed[0].within(0.8)


def test_curves_are_means_as_far_as_all_runs_went():
    found = made(a=[run([4, 2, 9], [4.0, 2.0, None]), run([9, 8], [9.0, 8.0])])
    epochs, curve = found.curve("a")
    assert epochs.tolist() == [5, 10]
    np.testing.assert_allclose(curve, [6, 4])


@pytest.fixture(scope="module")
def parts():
    corpus, vocab = d2l.load_corpus("the time traveller for so it will be " * 20)
    train_iter, valid_iter = d2l.split_corpus(corpus, vocab, 4, 5, 300, 150)
    _, test_iter = d2l.split_corpus(corpus, vocab, 4, 5, 450, 150)
    return (train_iter, valid_iter, test_iter), len(vocab)


def test_a_trial_is_a_run_of_train_ch8_judged_at_the_best_weights(parts):
    import random

    import paddle

    (train_iter, valid_iter, test_iter), size = parts
    trial = run_trial(Contestant("gru", 8), 4.0, 3, *parts, 40, 10)
    random.seed(3)
    paddle.seed(3)
    net = d2l.scratch_model("gru", size, 8)
    history = d2l.train_ch8(
        net, train_iter, train_iter.vocab, 4.0, 40, valid_iter=valid_iter, patience=10,
        progress=False, prefixes=(),
    )  # fmt: skip
    measured = [v for v in history.valid if v is not None]
    assert trial.valid == tuple(measured) and trial.epoch() == history.best_epoch
    assert trial.judged() == pytest.approx(d2l.evaluate_perplexity(net, test_iter))
    assert 0 < trial.seconds_per_epoch < 10


def test_a_run_that_diverges_ends_with_what_it_had(parts, monkeypatch):
    def explodes(net, train_iter, *arguments, evaluate, valid_iter, **options):
        for _ in range(2):
            evaluate(net, valid_iter)
        raise d2l.NonFiniteLossError("the loss is nan")

    monkeypatch.setattr(experiments, "fit", explodes)
    trial = run_trial(Contestant("rnn", 8), 1.0, 0, *parts, 40, 10)
    assert trial.epochs == (5, 10) and trial.epoch() == 5
    assert trial.judged() == trial.test[0] and trial.test[1] is None
    assert trial.seconds_per_epoch > 0


def test_a_run_that_is_never_measured_has_no_seconds(parts):
    trial = run_trial(Contestant("rnn", 8), 1.0, 0, *parts, 4, 10)
    assert trial.epochs == () and math.isnan(trial.seconds_per_epoch)


def test_seconds_are_the_processors_and_not_of_judging(parts, monkeypatch):
    now = [0.0]

    def fit(net, train_iter, *arguments, evaluate, valid_iter, **options):
        for seconds in (9, 1, 2, 1):  # the first with all that a beginning costs
            now[0] += 5 * seconds
            evaluate(net, valid_iter)
        return d2l.History()

    def judge(net, data):
        now[0] += 1000
        return 5.0

    monkeypatch.setattr(experiments, "fit", fit)
    monkeypatch.setattr(experiments, "evaluate_perplexity", judge)
    monkeypatch.setattr(experiments.time, "process_time", lambda: now[0])
    trial = run_trial(Contestant("rnn", 8), 1.0, 0, *parts, 40, 10)
    assert trial.seconds_per_epoch == 1.5


def test_an_interrupt_ends_a_trial_and_is_no_shorter_trial(parts, monkeypatch):
    calls = []

    def interrupted(net, data):
        calls.append(net)
        if len(calls) == 3:  # validation, test, validation
            raise KeyboardInterrupt
        return 5.0

    monkeypatch.setattr(experiments, "evaluate_perplexity", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_trial(Contestant("rnn", 8), 1.0, 0, *parts, 40, 10)


def test_runs_that_diverged_have_no_say_in_the_seconds():
    found = made(a=[run([9], [9.0], seconds=s) for s in (math.nan, 0.3, 0.1, 0.2)])
    assert found.seconds_per_epoch("a") == pytest.approx(0.2)


def test_a_contest_is_paired_and_keeps_its_seeds_apart(parts, monkeypatch):
    asked = []

    def noted(contestant, lr, seed, parts, *settings):
        asked.append((contestant.cell, lr, seed))
        trial = run_trial(contestant, lr, seed, parts, *settings)
        looked = [value is not None for value in trial.test]
        assert any(looked) == (seed in (1, 2, 3))  # who chooses never sees the test
        return trial

    monkeypatch.setattr(experiments, "run_trial", noted)
    found = contest(
        {"lstm": Contestant("lstm", 6), "gru": Contestant("gru", 6)}, *parts,
        num_epochs=10, patience=5, seeds=[1, 2, 3], rate_seeds=[7, 8], processes=1,
    )  # fmt: skip
    assert all([t.seed for t in found.trials[n]] == [1, 2, 3] for n in found.trials)
    for name, rate in found.rates.items():
        assert {t.lr for t in found.trials[name]} == {rate}
        scores = found.scores[name]
        assert scores[rate] == min(scores.values())
        assert {r for c, r, s in asked if c == name and s in (7, 8)} == set(scores)
    assert found.differences("gru", "lstm").shape == (3,)
    assert found.num_parameters["lstm"] == d2l.num_parameters(
        d2l.scratch_model("lstm", parts[1], 6)
    )


def test_runs_in_other_processes_come_out_the_same(parts):
    contestants = {"lstm": Contestant("lstm", 6), "cifg": Contestant("cifg", 6)}
    options = dict(num_epochs=10, patience=5, seeds=[1, 2], rate_seeds=[7])
    alone = contest(contestants, *parts, **options, processes=1)
    beside = contest(contestants, *parts, **options, processes=2)
    assert alone.rates == beside.rates and alone.scores == beside.scores
    for name in contestants:
        for one, other in zip(alone.trials[name], beside.trials[name], strict=True):
            assert (one.seed, one.valid, one.test) == (
                other.seed,
                other.valid,
                other.test,
            )


def test_an_error_in_another_process_comes_back(parts):
    with pytest.raises(ValueError, match="unknown cell 'lstmm'"):
        contest(
            {"a": Contestant("lstmm", 6), "b": Contestant("lstm", 6)}, *parts,
            num_epochs=5, patience=5, seeds=[1], rate_seeds=[2], processes=2,
        )  # fmt: skip


def test_a_trial_leaves_the_number_of_threads_as_it_was(parts, monkeypatch):
    for before in ("2", None):
        monkeypatch.delenv("D2L_LSTM_THREADS", raising=False)
        if before:
            monkeypatch.setenv("D2L_LSTM_THREADS", before)
        run_trial(Contestant("rnn", 4), 1.0, 0, *parts, 5, 5)
        assert os.environ.get("D2L_LSTM_THREADS") == before


@pytest.mark.parametrize("seeds, rate_seeds", [([], [1]), ([1], []), ([1, 2], [2])])
def test_a_seed_that_chooses_and_judges_is_refused(parts, seeds, rate_seeds):
    with pytest.raises(ValueError, match="none may be in both"):
        contest(
            {}, *parts, num_epochs=5, patience=5, seeds=seeds, rate_seeds=rate_seeds
        )


def test_the_gap_and_the_epochs_of_a_trial_follow_from_its_numbers():
    train = (20.0, 10.0, 8.0, 5.0, 4.0, 2.0)
    trial = Trial(
        1.0, 7, (2, 4, 6), (9.0, 7.0, 8.0), (9.5, 7.5, None), 0.5, train, final=8.5
    )
    assert trial.gap() == pytest.approx(math.log(7.5 / 5.0))
    half = math.sqrt(9.0 * 7.0)  # logarithms lie on a straight line
    found = [trial.epochs_to(target) for target in (9.5, 9.0, half, 7.0, 6.0)]
    assert found == pytest.approx([2, 2, 3, 4, math.inf])
    rising = Trial(1.0, 7, (2, 4, 6), (9.0, 10.0, 7.0))
    assert 4 < rising.epochs_to(9.0 - 1e-6) < 6
    short = trial.within(3)
    assert short.train == train[:3] and math.isnan(short.final)
    assert trial.within(6) == trial and trial.gap() != short.gap()
