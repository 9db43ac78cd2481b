"""Numbers of a run, and prose that quotes them."""

import numpy as np
import pytest
from d2l_lstm.results import MIME, Result, problems, quoted, result, results_of

RUN = {"best": 7.384, "epoch": 250, "table": 5.27, "loop": "the this", "loss": -0.012}


def notebook(*values):
    return {"cells": [{"outputs": [{"data": {MIME: v}} for v in values]}, {}]}


def test_a_number_behind_which_a_mark_stands_is_replaced():
    text = "The best is **1.0<!-- best:.2f -->** at epoch 3<!-- epoch -->."
    assert (
        quoted(text, RUN)
        == "The best is **7.38<!-- best:.2f -->** at epoch 250<!-- epoch -->."
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9%<!-- 1 - table / best:.0% -->", "29%"),
        ("1.0<!-- loss:+.3f -->", "−0.012"),
        ("−0.9<!-- loss:.3f -->", "−0.012"),
        ("3<!-- epoch * 40 -->", "10,000"),
        ("10,001<!-- epoch * 40:,.0f -->", "10,000"),
        ("3<!-- max(best, table):.1f -->", "7.4"),
        ("`x y`<!-- loop -->", "`the this`"),
    ],
)
def test_expressions_forms_and_texts(text, shown):
    now = quoted(text, RUN)
    assert now.split("<!--")[0] == shown
    assert problems(now, RUN) == [] and problems(text, RUN) != []
    assert quoted(now, RUN) == now


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("7.39<!-- best:.2f -->", "should be 7.38"),
        ("7.38<!-- bets:.2f -->", "bets"),
        ("7.38<!-- best:.2z -->", "worked out"),
        ("It wins. <!-- if best < table -->", "no longer true: best < table"),
        ("It wins. <!-- if unknown -->", "unknown"),
        ("best <!-- best:.2f -->", "behind no number"),
        ("7.38 <!-- best:.2f -->", "behind no number"),
        ("7.38<!-- __import__('os') -->", "worked out"),
        ("7.38<!-- best.real -->", "not allowed"),
        ("7.38<!-- best / 0 -->", "worked out"),
    ],
)
def test_what_does_not_fit_is_said(text, says):
    (found,) = problems(text, RUN)
    assert says in found
    assert quoted(text, RUN) == text or "should be" in found


def test_a_condition_that_is_true_is_no_problem():
    text = "It loses. <!-- if best > table and not epoch < 200 and abs(loss) < 1 -->"
    assert problems(text, RUN) == [] and quoted(text, RUN) == text


def test_results_come_back_from_the_outputs():
    both = notebook({"a": 1}, {"b": 2.5})
    assert results_of(both) == {"a": 1, "b": 2.5}
    with pytest.raises(ValueError, match="'a' is given twice"):
        results_of(notebook({"a": 1}, {"a": 2}))


def test_numbers_of_any_kind_are_shown_and_kept_plain(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    result(a=np.float32(0.5), b=np.int64(3), c="the this")
    bundle = shown[0]._repr_mimebundle_()
    assert bundle[MIME] == {"a": 0.5, "b": 3, "c": "the this"}
    assert type(bundle[MIME]["b"]) is int
    assert bundle["text/plain"] == "a = 0.5, b = 3, c = the this"
    assert "<b>" not in Result({"c": "<b>"})._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, [1]])
def test_what_is_no_number_and_no_text_is_refused(value):
    with pytest.raises(ValueError, match="a is .*; a result is a finite number"):
        result(a=value)
