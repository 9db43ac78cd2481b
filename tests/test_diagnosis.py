"""From symptoms to a cause."""

import math
from dataclasses import replace

import d2l_lstm as d2l
import paddle
import pytest
from d2l_lstm.diagnosis import (
    HEALTHY,
    QUESTIONS,
    Symptoms,
    diagnose,
    draw_questions,
    observe,
)
from d2l_lstm.variations import Variation
from matplotlib import pyplot as plt

WELL = Symptoms(
    guessing=3.33, frequencies=2.86, first=3.34, cut=0.2, moved=0.7, highest=3.0,
    last=2.3, faster=20.0, valid=0.0,
)  # fmt: skip
CAUSES = [cause for *_, cause in QUESTIONS]


def test_who_is_well_is_told_to_go_on():
    assert diagnose(WELL) == HEALTHY


@pytest.mark.parametrize(
    ("symptom", "cause"),
    [
        (dict(first=math.nan), CAUSES[0]),
        (dict(first=25.0), CAUSES[1]),
        (dict(moved=0.0), CAUSES[2]),
        (dict(highest=9.0), CAUSES[3]),
        (dict(highest=math.inf, last=math.inf), CAUSES[3]),
        (dict(cut=250.0), CAUSES[4]),
        (dict(faster=2.1), CAUSES[5]),
        (dict(last=2.86), CAUSES[6]),
        (dict(valid=0.6), CAUSES[7]),
    ],
)
def test_each_symptom_alone_names_its_cause(symptom, cause):
    assert diagnose(replace(WELL, **symptom)) == cause


def test_the_first_question_that_is_answered_no_counts():
    assert diagnose(replace(WELL, moved=0.0, cut=250.0, valid=1.0)) == CAUSES[2]


@pytest.fixture(scope="module")
def text():
    *parts, vocab = d2l.load_time_machine_splits(
        32, 35, num_train=4000, num_valid=1200, num_test=1200
    )
    return parts, len(vocab)


def prepared(text, lr, **changes):
    variation = Variation(**{"num_hiddens": 16, "optimizer": "SGD"} | changes)
    return variation.prepare(text[1], text[0][0], lr)


def test_a_run_is_observed(text):
    seen, history = observe(lambda lr: prepared(text, lr), 8.0, 2, text[0][1])
    assert seen.guessing == pytest.approx(math.log(28))
    assert 2.7 < seen.frequencies < 3 and abs(seen.first - math.log(28)) < 0.1
    assert seen.moved > 0 and seen.last == history.train[-1] and 0 < seen.cut < 1
    assert seen.highest == max(history.train)


def test_a_frozen_parameter_and_one_that_is_no_number_are_seen(text):
    def frozen(lr):
        run = prepared(text, lr)
        run[0].linear.bias.stop_gradient = True
        return run

    def no_number(lr):
        run = prepared(text, lr)
        run[0].linear.bias.set_value(paddle.full([28], math.nan))
        return run

    assert diagnose(observe(frozen, 8.0, 1, text[0][1])[0]) == CAUSES[2]
    seen, history = observe(no_number, 8.0, 1, text[0][1])
    assert diagnose(seen) == CAUSES[0] and history.train == []


def test_a_small_threshold_and_the_same_run_twice(text):
    def tight(lr):
        return prepared(text, lr, theta=1e-3)

    seen, _ = observe(tight, 8.0, 1, text[0][1])
    assert seen.cut > 10 and seen == observe(tight, 8.0, 1, text[0][1])[0]


def test_every_question_cause_and_run_is_on_the_chart():
    chart = draw_questions({"fine": WELL, "odd": replace(WELL, moved=0.0)})
    drawn = {text.get_text() for text in chart.axes.texts}
    assert {question for question, *_ in QUESTIONS} <= drawn
    assert {*CAUSES, HEALTHY, "fine", "odd"} <= drawn
    plt.close("all")
