"""The family of the cells: who changes whom, where, and what that costs."""

import inspect
import re

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import CELLS, KIN, changes, formula, kinship, num_changes
from hypothesis import given
from hypothesis import strategies as st
from test_cells import SEEDS, SHUT, SIZES, Problem

CHILDREN = [name for name, kin in KIN.items() if kin.parent]


# --------------------------------------------------------------------------------------
# The number of parameters


def value(written, d, h):
    """What a formula such as `dh + 5h²/8 + h` comes to."""
    python = re.sub(r"(\d)(?=[dh])", r"\1*", written).replace("dh", "d*h")
    return eval(python.replace("²", "**2"), {"d": d, "h": h})


@pytest.mark.parametrize("name", CELLS)
@given(d=st.integers(1, 60), quarter=st.integers(1, 40))
def test_the_formula_counts_the_parameters_without_an_output_layer(name, d, quarter):
    h = 4 * quarter if name == "clockwork" else 4 * quarter - 1
    output_layer = h * d + d
    assert value(formula(name), d, h) + output_layer == CELLS[name].num_params(d, h)


@pytest.mark.parametrize(
    "name, written",
    [
        ("rnn", "dh + h² + h"),
        ("lstm", "4dh + 4h² + 4h"),
        ("peephole", "4dh + 4h² + 7h"),
        ("nig", "3dh + 3h² + 5h"),
        ("fgr", "4dh + 13h² + 7h"),
        ("gru_reset_after", "3dh + 3h² + 4h"),
        ("mut1", "3dh + 2h² + 3h"),
        ("clockwork", "dh + 5h²/8 + h"),
        ("depth_gated", "4dh + 13h² + 11h"),
        ("mingru", "2dh + 2h"),
    ],
)
def test_formulas_read_as_one_would_write_them(name, written):
    assert formula(name) == written


@pytest.mark.parametrize("name", CELLS)
def test_units_of_a_size_come_nearest_to_it(name):
    size = CELLS["peephole"].num_params(28, 32)
    h, step = d2l.units_of_size(name, 28, size), 4 if name == "clockwork" else 1
    off = [abs(CELLS[name].num_params(28, h + k) - size) for k in (-step, 0, step)]
    assert h % step == 0 and min(off) == off[1]
    assert name != "peephole" or h == 32


# --------------------------------------------------------------------------------------
# The lines that differ


def test_every_parent_is_older_or_of_the_same_year_and_there_is_one_first():
    assert set(KIN) <= set(CELLS)
    assert [name for name, kin in KIN.items() if kin.parent is None] == ["rnn"]
    for name in CHILDREN:
        assert KIN[KIN[name].parent].year <= KIN[name].year


@pytest.mark.parametrize("name", KIN)
def test_the_source_of_a_cell_is_in_the_docstring_of_its_step(name):
    if name in ("rnn", "gru_reset_after"):
        return  # the book and Paddle's documentation, from which we have them
    docstring = " ".join(inspect.getdoc(CELLS[name].step).split())
    assert KIN[name].source.split()[0].rstrip(",") in docstring
    assert str(KIN[name].year) in docstring


@pytest.mark.parametrize(
    "name, number",
    [
        ("lstm", 2), ("peephole", 3), ("nig", 2), ("niaf", 1), ("noaf", 1), ("fgr", 6),
        ("gru_reset_after", 1), ("mut1", 3), ("mut3", 2), ("depth_gated", 2),
    ],
)  # fmt: skip
def test_counts_of_changes_that_were_made_by_hand(name, number):
    assert num_changes(name) == number


def test_changes_say_what_is_changed_new_and_gone():
    assert changes("noaf")[-1] == ("H = O * C", "changed")
    assert ("I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)", "gone") == changes(
        "nig"
    )[0]
    new = [line for line, kind in changes("lstm") if kind == "new"]
    assert new == ["F = sigmoid(X @ W_xf + H @ W_hf + b_f)"]


@pytest.mark.parametrize("name", CELLS)
def test_nothing_differs_from_itself_and_differences_are_as_many_both_ways(name):
    assert num_changes(name, name) == 0
    assert num_changes(name, "lstm") == num_changes("lstm", name)


@pytest.mark.parametrize("name", CHILDREN)
def test_lines_that_are_the_same_stand_in_the_same_order(name):
    """Only then may a line that stands elsewhere count as the same."""
    kin = KIN[name]
    theirs = kinship.equations(kin.step or CELLS[kin.parent].step)
    ours = [line for line, kind in changes(name) if kind == "same"]
    assert ours == [line for line in theirs.values() if line in ours]


def test_two_equations_in_a_line_are_two_lines_and_comments_are_left_out():
    lines = kinship.equations(CELLS["slstm"].step)
    assert lines["I"] == "I = exp(log_I - M)"
    assert lines["F"] == "F = exp(log_F - M)"
    assert not any("#" in line for line in lines.values())


def test_differing_marks_the_lines_and_says_what_they_are_compared_with(capsys):
    d2l.differing("nig", "depth_gated")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "no input gate, changed from: peephole LSTM"
    assert printed[1].endswith("◁ gone") and printed[4].endswith("◀")
    assert "depth-gated LSTM, changed from: two layers of LSTMs" in printed
    assert all(line == line.rstrip() for line in printed)


def test_differing_from_a_named_cell_and_from_none(capsys):
    d2l.differing("lstm", parent="peephole")
    assert capsys.readouterr().out.count("◀") == 3
    with pytest.raises(ValueError, match="'rnn' has no parent in KIN; name one"):
        d2l.differing("rnn")
    with pytest.raises(ValueError, match="unknown cell 'lsmt'"):
        changes("lsmt")


@given(sizes=SIZES, seed=SEEDS)
def test_two_layers_of_lstms_are_a_depth_gated_lstm_with_its_gate_shut(sizes, seed):
    problem = Problem("depth_gated", sizes, seed)
    problem.weights["b_d"][:] = SHUT
    params = [
        paddle.to_tensor(problem.weights[name])
        for name in CELLS["depth_gated"].param_names[:24]
    ]
    state = tuple(map(paddle.to_tensor, problem.state))
    for X in paddle.to_tensor(problem.X):
        state = kinship.stacked_lstm_step(X, state, params)
    for ours, theirs in zip(state, problem.run()[1:]):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


# --------------------------------------------------------------------------------------
# The tree


def test_no_two_names_of_the_tree_touch_and_no_line_meets_a_name():
    rows = kinship.family_rows()
    left, right, _ = kinship._places()
    for name in KIN:
        for other in KIN:
            if name != other and rows[name] == rows[other]:
                assert right[name] < left[other] or right[other] < left[name]
    for name in CHILDREN:  # the level part of its line, and who is in its row
        begin, end = right[KIN[name].parent], left[name]
        between = [o for o in KIN if rows[o] == rows[name] and begin < left[o] < end]
        assert not between, f"the line to {name} meets {between}"


def test_the_tree_is_drawn_with_a_name_and_a_number_for_every_cell():
    figure = d2l.family_tree()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {d2l.look(name)["label"] for name in KIN} <= set(texts)
    assert sum(text.isdigit() for text in texts) == len(CHILDREN)
