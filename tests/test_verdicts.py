"""The rules of the verdicts, on made-up numbers for every outcome."""

import math
import random

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm import verdicts
from d2l_lstm.experiments import MARGIN, Interval, outcome, t_interval
from d2l_lstm.timing import MedianInterval

YES, LIMITS, NO = "holds", "holds with limits", "does not hold"

# C01 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "near", "verdict"),
    [
        (0, 0.002, YES),
        (0, 0.01, YES),
        (0, 0.63, LIMITS),
        (0, math.nan, LIMITS),
        (1e-9, 0, NO),
        (0.2, 1, NO),
    ],
)
def test_c01_asks_of_gates_near_their_ends_too(change, near, verdict):
    assert verdicts.c01(change, near) == verdict


def test_c01_a_change_that_is_no_number_is_a_change():
    assert verdicts.c01(math.nan, 0) == NO


# C02 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "off", "moved", "verdict"),
    [
        (0, 0, 0, YES),
        (0.01, 0.02, 0.05, YES),
        (0.01, 0.02, 0.8, LIMITS),
        (0.2, 0.02, 0.05, NO),
        (0.01, 0.2, 0.05, NO),
        (0.2, 0.2, 0.8, NO),
        (math.nan, 0, 0, NO),
        (0, math.nan, 0, NO),
    ],
)
def test_c02_the_cell_is_hidden_kept_and_not_updated(seen, off, moved, verdict):
    assert verdicts.c02(seen, off, moved) == verdict


# C03 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gates", "hidden", "at_a_limit", "verdict"),
    [
        ((0.002, 0.999), 0.99, 0, YES),
        ((0.0, 0.999), 0.99, 3, LIMITS),
        ((0.1, 1.0), 0.99, 1, LIMITS),
        ((0.1, 0.9), 1.0, 1, LIMITS),
        ((-0.1, 0.9), 0.9, 0, NO),
        ((0.1, 1.1), 0.9, 0, NO),
        ((0.1, 0.9), 1.2, 0, NO),
    ],
)
def test_c03_the_ends_are_not_inside(gates, hidden, at_a_limit, verdict):
    assert verdicts.c03(gates, hidden, at_a_limit) == verdict


# C04 ----------------------------------------------------------------------------------

FASTER, SLOWER = MedianInterval(2, 1.8, 2.2), MedianInterval(0.9, 0.8, 0.95)
UNSURE = MedianInterval(1.1, 0.9, 1.3)
MOST, LITTLE = MedianInterval(0.9, 0.8, 1), MedianInterval(0.3, 0.2, 0.4)
OPEN = MedianInterval(0.5, 0.4, 0.6)
ANYTHING = MedianInterval(1, -math.inf, math.inf)


@pytest.mark.parametrize(
    "speedup, share, verdict",
    [
        ([FASTER, FASTER], [MOST, MOST], "holds"),
        ([FASTER, FASTER], [MOST, LITTLE], "holds with limits"),
        ([FASTER, SLOWER], [MOST, MOST], "holds with limits"),
        ([FASTER, UNSURE], [MOST, MOST], "holds with limits"),
        ([FASTER, FASTER], [OPEN, LITTLE], "holds with limits"),
        ([FASTER, FASTER], [ANYTHING, ANYTHING], "holds with limits"),
        ([FASTER, FASTER], [OPEN, OPEN], "holds with limits"),
        ([FASTER, FASTER], [LITTLE, LITTLE], "does not hold"),
        ([SLOWER, SLOWER], [MOST, MOST], "does not hold"),
        ([UNSURE, FASTER], [MOST, LITTLE], "does not hold"),
    ],
)
def test_c04_asks_for_speed_and_for_its_cause(speedup, share, verdict):
    sizes = [16, 256]
    assert verdicts.c04(dict(zip(sizes, speedup)), dict(zip(sizes, share))) == verdict


@pytest.mark.parametrize(
    "speedup, share, found",
    [
        (FASTER, MOST, "borne out"),
        (FASTER, OPEN, "open"),
        (FASTER, LITTLE, "fails"),
        (UNSURE, MOST, "fails"),
        (SLOWER, MOST, "fails"),
    ],
)
def test_c04_says_which_sizes_bear_it_out(speedup, share, found):
    assert verdicts.c04_at(speedup, share) == found


# C05 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "numbers, verdict",
    [
        ((1e-7, 1e-15, 1.0, 1e-7), "holds"),
        ((1e-7, 1e-15, 2.0, 1e-7), "holds with limits"),
        ((1e-7, 1e-15, 1.0, 0.01), "holds with limits"),
        ((1e-7, 1e-15, 1.0, 9e-4), "holds with limits"),
        ((1e-2, 1e-15, 1.0, 1e-7), "does not hold"),
        ((1e-7, 1e-7, 1.0, 1e-7), "does not hold"),
        ((math.nan, 1e-15, 1.0, 1e-7), "does not hold"),
    ],
)
def test_c05_asks_for_equal_results_and_then_for_equal_training(numbers, verdict):
    assert verdicts.c05(*numbers) == verdict


# C06, C07 -----------------------------------------------------------------------------

DIFFERENCES = {  # in units of the margin
    "equivalent": (-0.5, 0.9),
    "better": (-3, -0.1),
    "worse": (0.1, 3),
    "cannot tell": (-0.5, 1.1),
}


def difference(name):
    low, high = (MARGIN * end for end in DIFFERENCES[name])
    interval = Interval(low, (low + high) / 2, high)
    assert outcome(interval) == name
    return interval


@pytest.mark.parametrize("rule", [verdicts.c06, verdicts.c07])
@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("equivalent", "equivalent", "holds"),
        ("better", "equivalent", "holds"),
        ("better", "better", "holds"),
        ("worse", "worse", "does not hold"),
        ("worse", "equivalent", "holds with limits"),
        ("worse", "better", "holds with limits"),
        ("cannot tell", "equivalent", "holds with limits"),
        ("cannot tell", "better", "holds with limits"),
        ("cannot tell", "worse", "holds with limits"),
        ("cannot tell", "cannot tell", "holds with limits"),
    ],
)
def test_c06_and_c07_ask_for_no_loss_in_both_comparisons(rule, one, other, verdict):
    assert rule(difference(one), difference(other)) == verdict
    assert rule(difference(other), difference(one)) == verdict


@pytest.mark.parametrize("rule", [verdicts.c06, verdicts.c07])
def test_c06_and_c07_depend_on_the_margin(rule):
    equivalent = difference("equivalent")
    assert rule(equivalent, equivalent, margin=MARGIN / 2) == "holds with limits"


# C08 ----------------------------------------------------------------------------------

FASTER, NOISE, SLOWER = (
    MedianInterval(1.2, 1.1, 1.3),
    MedianInterval(1.1, 0.9, 1.3),
    MedianInterval(0.8, 0.7, 0.9),
)


def test_pace_is_noise_where_the_interval_reaches_across_one():
    assert [verdicts.pace(r) for r in (FASTER, NOISE, SLOWER)] == [
        "faster",
        "noise",
        "slower",
    ]
    assert (
        verdicts.pace(MedianInterval(1.2, 1.0, 1.3))
        == verdicts.pace(MedianInterval(0.9, 0.8, 1.0))
        == "noise"
    )


@pytest.mark.parametrize(
    ("parameters", "multiplications", "speeds", "verdict"),
    [
        (0.75, 0.76, [FASTER, FASTER], "holds"),
        (0.75, 0.76, [FASTER, NOISE], "holds with limits"),
        (0.75, 0.76, [FASTER, SLOWER], "holds with limits"),
        (0.75, 0.76, [NOISE, NOISE], "does not hold"),
        (0.75, 0.76, [SLOWER, NOISE], "does not hold"),
        (1.0, 0.76, [FASTER, FASTER], "does not hold"),
        (0.75, 1.1, [FASTER, FASTER], "does not hold"),
    ],
)
def test_c08_asks_for_less_of_everything(parameters, multiplications, speeds, verdict):
    assert verdicts.c08(parameters, multiplications, speeds) == verdict


# C09 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["worse"] * 4, "holds"),
        (["worse"] * 3 + ["equivalent"], "holds with limits"),
        (["worse"] * 3 + ["better"], "holds with limits"),
        (["worse"] * 3 + ["cannot tell"], "holds with limits"),
        (["cannot tell"] * 4, "holds with limits"),
        (["equivalent"] * 3 + ["cannot tell"], "holds with limits"),
        (["equivalent"] * 4, "does not hold"),
        (["better"] * 4, "does not hold"),
        (["equivalent", "better"], "does not hold"),
    ],
)
def test_c09_asks_for_a_worse_gru_in_every_comparison(outcomes, verdict):
    assert verdicts.c09([difference(name) for name in outcomes]) == verdict


def test_c09_depends_on_the_margin():
    assert (
        verdicts.c09([difference("equivalent")], margin=MARGIN / 2)
        == "holds with limits"
    )


# C10 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training", "test", "best_test", "verdict"),
    [
        (1.1, 7.5, 7.9, YES),
        (1.1, 11.0, 7.9, YES),
        (1.1, 42.0, 7.9, LIMITS),
        (1.5, 7.5, 7.9, NO),
        (5.0, 42.0, 7.9, NO),
        (math.nan, 1, 1, NO),
    ],
)
def test_c10_a_low_perplexity_has_to_be_one_of_unseen_text(
    training, test, best_test, verdict
):
    assert verdicts.c10(training, test, best_test) == verdict


# C11 ----------------------------------------------------------------------------------


def around(mean, half=0.05):
    return Interval(mean - half, mean, mean + half)


@pytest.mark.parametrize(
    ("words", "copied", "repeated", "verdict"),
    [
        (0.0, 0.0, 0.0, "holds"),
        (0.2, -0.3, -0.1, "holds"),  # more words, fewer copies than the author
        (-0.04, 0.04, 0.04, "holds"),
        (-0.2, 0.0, 0.0, "does not hold"),
        (0.0, 0.2, 0.0, "does not hold"),
        (0.0, 0.0, 0.2, "does not hold"),
        (0.2, 0.2, -0.1, "does not hold"),
        (-0.1, 0.0, 0.0, "holds with limits"),
        (0.0, 0.1, 0.0, "holds with limits"),
        (0.0, 0.0, 0.06, "holds with limits"),
        (0.0, 0.1, 0.2, "does not hold"),
    ],
)
def test_c11_asks_for_words_that_are_neither_copied_nor_repeated(
    words, copied, repeated, verdict
):
    assert verdicts.c11(around(words), around(copied), around(repeated)) == verdict


def test_c11_of_few_prefixes_cannot_tell_and_does_not_say_that_it_holds():
    endless = t_interval([0.0])
    assert verdicts.c11(endless, endless, endless) == "holds with limits"
    assert (
        verdicts.c11(around(0, 0.09), around(0, 0.11), around(0)) == "holds with limits"
    )


BOOK = "".join(d2l.read_time_machine())
SEEN, TEST = BOOK[:10000], BOOK[13000:16000]
AUTHOR = [TEST[i : i + 100] for i in range(0, 3000, 100)]
WORDS = d2l.english_words() | set(SEEN.split())


def judged(texts):
    pairs = zip(texts, AUTHOR)
    both = [[d2l.text_shares(t, SEEN, WORDS) for t in pair] for pair in pairs]
    differences = np.array([np.subtract(*pair) for pair in both])
    return verdicts.c11(*map(t_interval, differences.T))


def letters(weights):
    draw = random.Random(1)
    return ["".join(draw.choices(*weights, k=100)) for _ in AUTHOR]


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        (letters([SEEN]), "does not hold"),
        (letters(["abcdefghijklmnopqrstuvwxyz "]), "does not hold"),
        ([" " * 100] * 30, "does not hold"),
        ([(" an" * 40)[:100]] * 30, "does not hold"),
        ([(" the thing the time traveller" * 9)[:100]] * 30, "does not hold"),
        ([SEEN[i : i + 100] for i in range(0, 3000, 100)], "does not hold"),
        (AUTHOR, "holds"),
        ([BOOK[i : i + 100] for i in range(10000, 13000, 100)], "holds"),
    ],
    ids="letters uniform spaces an loop recited author elsewhere".split(),
)
def test_c11_lets_only_the_author_pass(texts, verdict):
    assert judged(texts) == verdict


# C12 ----------------------------------------------------------------------------------

SHRINKS, GROWS = Interval(-0.5, -0.4, -0.3), Interval(0.1, 0.2, 0.3)
NEITHER = Interval(-0.1, 0.0, 0.1)


@pytest.mark.parametrize(
    ("slopes", "straight", "verdict"),
    [
        ([SHRINKS, SHRINKS], [0.99, 0.95], YES),
        ([SHRINKS, NEITHER], [0.99, 0.99], LIMITS),
        ([SHRINKS, GROWS], [0.99, 0.99], LIMITS),
        ([SHRINKS, SHRINKS], [0.99, 0.94], LIMITS),
        ([SHRINKS, SHRINKS], [0.5, 0.5], NO),
        ([NEITHER, GROWS], [0.99, 0.99], NO),
    ],
)
def test_c12_asks_for_a_line_that_falls_at_every_stage(slopes, straight, verdict):
    assert verdicts.c12(slopes, straight) == verdict


# C13 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("growth", "without", "clipped", "verdict"),
    [
        ([GROWS, GROWS], [math.inf, 400, 9], [9, 9, 9], YES),
        ([GROWS, NEITHER], [math.inf, 400, 9], [9, 9, 9], LIMITS),
        ([GROWS, SHRINKS], [math.inf, 400, 9], [9, 9, 9], LIMITS),
        ([GROWS, GROWS], [math.inf, 9, 9], [9, 9, 9], LIMITS),
        ([GROWS, GROWS], [math.inf, 400, 9], [9, 9, 30], LIMITS),
        ([SHRINKS, NEITHER], [math.inf, 400, 400], [9, 9, 9], NO),
    ],
)
def test_c13_asks_for_growth_and_for_what_it_does(growth, without, clipped, verdict):
    assert verdicts.c13(growth, without, clipped) == verdict


# C14 ----------------------------------------------------------------------------------

LEFT, GONE = Interval(-2.0, -1.0, -0.5), Interval(-30.0, -25.0, -20.0)
HARDLY = Interval(-6.0, -4.5, -2.0)


@pytest.mark.parametrize(
    ("left", "cut", "verdict"),
    [
        ([LEFT, LEFT], [GONE, GONE], YES),
        ([LEFT, GONE], [GONE, GONE], LIMITS),
        ([LEFT, HARDLY], [GONE, GONE], LIMITS),
        ([LEFT, LEFT], [GONE, LEFT], LIMITS),
        ([LEFT, LEFT], [HARDLY, LEFT], NO),
        ([GONE, HARDLY], [GONE, GONE], NO),
    ],
)
def test_c14_asks_what_is_left_and_whether_the_cell_is_why(left, cut, verdict):
    assert verdicts.c14(left, cut) == verdict


# C15 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_it_comes", "prepared", "verdict"),
    [
        ([1000, 2000], [0, 0], YES),
        ([200, 1000], [2000, 0], LIMITS),
        ([0, 0], [4000, 200], LIMITS),
        ([200, 1000], [1000, 1000], NO),
        ([0, 400], [0, 0], NO),
    ],
)
def test_c15_tells_a_layer_as_it_comes_from_one_prepared(
    as_it_comes, prepared, verdict
):
    assert verdicts.c15(as_it_comes, prepared) == verdict


# C16 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("longest", "verdict"),
    [
        ([25, 100], YES),
        ([20, 40], LIMITS),
        ([40, 160], LIMITS),
        ([20, 160], NO),
        ([0, 0], NO),
    ],
)
def test_c16_reads_about_fifty_as_half_to_twice(longest, verdict):
    assert verdicts.c16(longest) == verdict


# C17 to C20 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([1e-9, 0, 1e-6], YES),
        ([1e-9, 0.5], LIMITS),
        ([0.5, 0.8], NO),
        ([math.nan], NO),
        ([1e-9, math.nan], LIMITS),
        ([], NO),
    ],
)
def test_c17_the_formula_agrees_everywhere_somewhere_or_nowhere(errors, verdict):
    assert verdicts.c17(errors) == verdict


def test_c17_knows_the_derivative_by_the_gate_from_that_by_its_sum():
    C, A, eps = 2.0, np.array([-2.0, 0.3, 0.8]), 1e-6
    F = 1 / (1 + np.exp(-A))
    by_gate = ((F + eps) * C - (F - eps) * C) / (2 * eps)
    by_sum = C * (1 / (1 + np.exp(-A - eps)) - 1 / (1 + np.exp(-A + eps))) / (2 * eps)
    formula = C * F * (1 - F)
    assert verdicts.c17(abs(formula / by_gate - 1)) == NO
    assert verdicts.c17(abs(formula / by_sum - 1)) == YES


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(0, YES), (1e-15, YES), (1e-9, NO), (0.3, NO), (math.nan, NO)],
)
def test_c18_the_sum_is_the_gradient_or_it_is_not(error, verdict):
    assert verdicts.c18(error) == verdict


@pytest.mark.parametrize(
    ("values", "gradients", "verdict"),
    [
        (0, 1e-15, YES),
        (1e-15, 0.3, NO),
        (0.3, 1e-15, NO),
        (0.3, 0.3, NO),
        (math.nan, 0, NO),
        (0, math.nan, NO),
    ],
)
def test_c20_asks_for_the_same_values_and_the_same_gradients(
    values, gradients, verdict
):
    assert verdicts.c20(values, gradients) == verdict


@pytest.mark.parametrize(
    ("missing", "verdict"),
    [
        ([0, 1e-12], YES),
        ([1e-12, 0.05], LIMITS),
        ([0.01, 0.02], LIMITS),
        ([1e-12, 0.2], NO),
        ([0.2, 0.3], NO),
        ([math.nan, 0], NO),
        ([], NO),
    ],
)
def test_c19_what_is_missing_is_nothing_little_or_much(missing, verdict):
    assert verdicts.c19(missing) == verdict


# C21 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trained", "untrained", "verdict"),
    [
        (0.6, [0.1, 0.3], YES),
        (0.5, [0.0], YES),
        (0.4, [0.1, 0.3], LIMITS),
        (0.3, [0.1, 0.3], NO),
        (0.9, [0.95], NO),
        (0.0, [0.0, 0.0], NO),
        (0.0, [], NO),
    ],
)
def test_c21_asks_for_more_than_networks_that_have_learnt_nothing(
    trained, untrained, verdict
):
    assert verdicts.c21(trained, untrained) == verdict


# C22 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("relu", "no_ceiling", "hard", "verdict"),
    [
        (0.8, 0.2, 0.0, YES),
        (0.8, 0.2, -0.2, YES),
        (0.8, 0.2, 0.2, LIMITS),
        (0.8, 0.0, 0.0, LIMITS),
        (0.8, -0.2, 0.0, LIMITS),
        (0.0, 0.2, 0.0, NO),
        (-0.2, 0.0, 0.2, NO),
    ],
)
def test_c22_asks_that_relu_fails_and_that_its_reason_does(
    relu, no_ceiling, hard, verdict
):
    differences = [around(d, 0.02) for d in (relu, no_ceiling, hard)]
    assert verdicts.c22(*differences) == verdict


def test_c22_of_too_few_runs_cannot_tell():
    endless = t_interval([0.0])
    assert verdicts.c22(endless, around(0.8), around(0, 0.02)) == LIMITS
    assert verdicts.c22(around(0.8), endless, around(0, 0.02)) == LIMITS
    assert verdicts.c22(around(0.8), around(0.8), endless) == LIMITS


# C23 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tanh", "steep", "verdict"),
    [
        (-0.5, -0.2, YES),
        (-0.5, 0.0, LIMITS),
        (-0.5, 0.2, LIMITS),
        (0.0, -0.2, NO),
        (0.3, -0.2, NO),
    ],
)
def test_c23_asks_for_its_reason(tanh, steep, verdict):
    assert verdicts.c23(around(tanh), around(steep)) == verdict


def test_c23_of_too_few_runs_cannot_tell():
    endless = t_interval([0.0])
    assert verdicts.c23(endless, around(-0.3)) == LIMITS
    assert verdicts.c23(around(-0.3), endless) == LIMITS


# C24, C25, C41 ------------------------------------------------------------------------

BETTER, WORSE = Interval(-0.3, -0.2, -0.1), Interval(0.1, 0.2, 0.3)
EQUAL, OPEN = Interval(-0.02, 0.0, 0.02), Interval(-0.2, 0.0, 0.2)


@pytest.mark.parametrize(
    ("naive", "linear", "verdict"),
    [
        ([[BETTER, BETTER]] * 2, [BETTER, EQUAL], YES),
        ([[BETTER, BETTER]] * 2, [BETTER, OPEN], LIMITS),
        ([[BETTER, BETTER]] * 2, [EQUAL, WORSE], LIMITS),
        ([[BETTER, BETTER], [BETTER, OPEN]], [EQUAL, EQUAL], LIMITS),
        ([[BETTER, BETTER]] * 2, [WORSE, WORSE], NO),
        ([[BETTER, EQUAL], [OPEN, BETTER]], [BETTER, BETTER], NO),
        ([[WORSE, WORSE]] * 2, [EQUAL, EQUAL], NO),
    ],
)
def test_c24_a_forecast_beats_repeating_and_keeps_up_with_a_line(
    naive, linear, verdict
):
    found = verdicts.c24(dict(enumerate(naive)), dict(enumerate(linear)))
    assert found == verdict


@pytest.mark.parametrize(
    ("leaked", "naive", "mended", "linear", "verdict"),
    [
        (0, BETTER, EQUAL, BETTER, YES),
        (0, BETTER, EQUAL, EQUAL, YES),
        (0, BETTER, WORSE, EQUAL, LIMITS),
        (0, BETTER, EQUAL, WORSE, LIMITS),
        (0, BETTER, OPEN, EQUAL, LIMITS),
        (1, BETTER, EQUAL, EQUAL, NO),
        (0, EQUAL, EQUAL, EQUAL, NO),
        (0, OPEN, EQUAL, EQUAL, NO),
        (0, WORSE, EQUAL, EQUAL, NO),
    ],
)
def test_c25_no_leak_and_as_good_as_the_mended_one(
    leaked, naive, mended, linear, verdict
):
    assert verdicts.c25(leaked, naive, mended, linear) == verdict


@pytest.mark.parametrize(
    ("gap", "test", "said"),
    [
        (BETTER, EQUAL, "borne out"),
        (BETTER, BETTER, "borne out"),
        (BETTER, OPEN, "open"),
        (OPEN, BETTER, "open"),
        (BETTER, WORSE, "fails"),
        (EQUAL, BETTER, "fails"),
        (WORSE, BETTER, "fails"),
    ],
)
def test_c41_a_small_gap_counts_only_with_a_small_error(gap, test, said):
    assert verdicts.c41_at(gap, test) == said


GOOD, BAD, UNSURE = (BETTER, EQUAL), (WORSE, WORSE), (OPEN, OPEN)


@pytest.mark.parametrize(
    ("rnn", "linear", "verdict"),
    [
        ([GOOD, GOOD], [GOOD, GOOD], YES),
        ([GOOD, GOOD], [GOOD, UNSURE], LIMITS),
        ([GOOD, BAD], [BAD, GOOD], LIMITS),
        ([UNSURE, UNSURE], [UNSURE, UNSURE], LIMITS),
        ([GOOD, GOOD], [BAD, BAD], LIMITS),
        ([UNSURE, UNSURE], [UNSURE, BAD], NO),
        ([BAD, BAD], [BAD, BAD], NO),
    ],
)
def test_c41_is_refuted_where_something_fails_and_nothing_is_borne_out(
    rnn, linear, verdict
):
    assert verdicts.c41({"rnn": rnn, "linear": linear}) == verdict


# C26 ----------------------------------------------------------------------------------

EQUAL_2, WORSE_2 = Interval(-0.01, 0, 0.015), Interval(0.01, 0.03, 0.05)
BETTER_2, UNSURE_2 = Interval(-0.05, -0.03, -0.01), Interval(-0.01, 0.01, 0.03)
FEW, HALF = Interval(0.05, 0.1, 0.15), Interval(0.3, 0.45, 0.6)


@pytest.mark.parametrize(
    ("errors", "differences", "verdict"),
    [
        ([FEW, FEW], [EQUAL_2, BETTER_2], YES),
        ([FEW, FEW], [EQUAL_2, WORSE_2], LIMITS),
        ([FEW, FEW], [WORSE_2, WORSE_2], LIMITS),
        ([FEW, FEW], [EQUAL_2, UNSURE_2], LIMITS),
        ([FEW, HALF], [EQUAL_2, WORSE_2], NO),
        ([HALF, HALF], [EQUAL_2, EQUAL_2], NO),
        ([FEW, Interval(math.nan, math.nan, math.nan)], [EQUAL_2, EQUAL_2], NO),
    ],
)
def test_c26_asks_for_half_of_the_images_and_for_no_loss(errors, differences, verdict):
    assert verdicts.c26(errors, differences) == verdict


# C27 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([WORSE_2, WORSE_2], YES),
        ([WORSE_2, EQUAL_2], LIMITS),
        ([UNSURE_2, UNSURE_2], LIMITS),
        ([WORSE_2, UNSURE_2], LIMITS),
        ([EQUAL_2, BETTER_2], NO),
        ([EQUAL_2, EQUAL_2], NO),
    ],
)
def test_c27_every_way_of_padding_counts(differences, verdict):
    assert verdicts.c27(differences) == verdict


# C28 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([Interval(0.06, 0.1, 0.2)] * 4, YES),
        ([Interval(0.02, 0.1, 0.2)] * 4, YES),
        ([Interval(0.06, 0.1, 0.2), Interval(-0.01, 0, 0.01)], LIMITS),
        ([Interval(-0.2, 0.1, 0.4)] * 4, LIMITS),
        ([Interval(-0.01, 0, 0.04)] * 4, NO),
        ([Interval(-0.3, -0.2, -0.1)] * 4, NO),
    ],
)
def test_c28_raw_inputs_have_to_be_less_steady_everywhere(differences, verdict):
    assert verdicts.c28(differences) == verdict


# C29 ----------------------------------------------------------------------------------

UP, DOWN = MedianInterval(1.5, 1.3, 1.7), MedianInterval(0.7, 0.6, 0.8)
FLAT = MedianInterval(1.0, 0.9, 1.1)
EQUAL_R = Interval(-0.02, 0, 0.02)  # of logarithms of seconds
LATER, SOONER = Interval(0.05, 0.3, 0.5), Interval(-0.5, -0.3, -0.12)


@pytest.mark.parametrize(
    ("throughput", "seconds", "verdict"),
    [
        ([UP, UP], [EQUAL_R, SOONER], YES),
        ([UP, UP], [EQUAL_R, LATER], LIMITS),
        ([UP, UP], [EQUAL_R, Interval(-0.5, 0, 0.5)], LIMITS),
        ([UP, FLAT], [EQUAL_R, SOONER], LIMITS),
        ([UP, DOWN], [SOONER, SOONER], LIMITS),
        ([FLAT, FLAT], [SOONER, SOONER], NO),
        ([DOWN, FLAT], [EQUAL_R, EQUAL_R], NO),
    ],
)
def test_c29_more_characters_a_second_have_to_be_of_use(throughput, seconds, verdict):
    assert verdicts.c29(throughput, seconds) == verdict


# C30 ----------------------------------------------------------------------------------

INF = math.inf


@pytest.mark.parametrize(
    ("without", "clipped", "calm", "verdict"),
    [
        ([INF, 90, 30], [[20, 20, 20]] * 2, [20] * 3, YES),
        ([INF, 90, 20], [[20, 20, 20], [20, 20, 29]], [20] * 3, LIMITS),
        ([INF, 90, 30], [[20, 20, 20]] * 2, [20, 20, 50], LIMITS),
        ([INF, 20, 20], [[20, 20, 20]] * 2, [20] * 3, LIMITS),
        ([math.nan, INF], [[20, 20], [INF, INF]], [20], LIMITS),
        ([20, 20, 20], [[20, 20, 20]] * 2, [20] * 3, NO),
        ([INF, INF, INF], [[INF, 40, 20], [INF, 30, 30]], [20] * 3, NO),
    ],
)
def test_c30_something_explodes_without_and_nothing_with(
    without, clipped, calm, verdict
):
    assert verdicts.c30(without, clipped, calm) == verdict


# C31, C32, C33 ------------------------------------------------------------------------

BETTER_5, WORSE_5 = Interval(-0.4, -0.2, -0.1), Interval(0.02, 0.1, 0.2)
EQUAL_5, UNSURE_5 = Interval(-0.03, 0, 0.03), Interval(-0.1, 0, 0.1)


@pytest.mark.parametrize(
    ("stopping", "dropout", "decay", "verdict"),
    [
        (BETTER_5, [BETTER_5, BETTER_5], BETTER_5, YES),
        (BETTER_5, [BETTER_5, BETTER_5], EQUAL_5, LIMITS),
        (BETTER_5, [BETTER_5, UNSURE_5], BETTER_5, LIMITS),
        (UNSURE_5, [UNSURE_5, UNSURE_5], UNSURE_5, LIMITS),
        (UNSURE_5, [EQUAL_5, EQUAL_5], EQUAL_5, NO),
        (UNSURE_5, [UNSURE_5, WORSE_5], UNSURE_5, NO),
        (EQUAL_5, [EQUAL_5, WORSE_5], EQUAL_5, NO),
    ],
)
def test_c31_each_remedy_has_to_help(stopping, dropout, decay, verdict):
    assert verdicts.c31(stopping, dropout, decay) == verdict


@pytest.mark.parametrize("rule", [verdicts.c32, verdicts.c33])
@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        (BETTER_5, BETTER_5, YES),
        (BETTER_5, WORSE_5, LIMITS),
        (EQUAL_5, BETTER_5, LIMITS),
        (BETTER_5, UNSURE_5, LIMITS),
        (UNSURE_5, UNSURE_5, LIMITS),
        (UNSURE_5, EQUAL_5, NO),
        (WORSE_5, UNSURE_5, NO),
        (EQUAL_5, WORSE_5, NO),
    ],
)
def test_c32_and_c33_both_have_to_be_better(rule, one, other, verdict):
    assert rule(one, other) == verdict


# C34 ----------------------------------------------------------------------------------


def solved(sgd, adam, nadam):
    return {"SGD": sgd, "Adam": adam, "NAdam": nadam}


@pytest.mark.parametrize(
    ("short", "long", "verdict"),
    [
        (solved(1, 1, 1), solved(0, 0.5, 1), YES),
        (solved(1, 1, 1), solved(0, 1, 1), LIMITS),
        (solved(0.25, 1, 1), solved(0, 0.25, 1), LIMITS),
        (solved(1, 1, 0.5), solved(0, 0, 0.75), LIMITS),
        (solved(1, 1, 1), solved(0.75, 1, 1), NO),
        (solved(1, 1, 1), solved(0, 0, 0.5), NO),
        (solved(1, 1, 1), solved(0, 1, math.nan), NO),
    ],
)
def test_c34_asks_for_distance_and_for_help_of_its_own(short, long, verdict):
    assert verdicts.c34(short, long) == verdict


# C35 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory", "seconds", "verdict"),
    [
        ([1, 2, 3], [UP, UP], YES),
        ([1, 2, 3], [UP, FLAT], LIMITS),
        ([1, 2, 3], [DOWN, DOWN], LIMITS),
        ([2, 2, 2], [UP, FLAT], LIMITS),
        ([2, 2, 1], [FLAT, DOWN], NO),
    ],
)
def test_c35_asks_for_time_and_for_memory(memory, seconds, verdict):
    assert verdicts.c35(memory, seconds) == verdict


# C36 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deeper", "gaps", "wide", "verdict"),
    [
        ([WORSE_5, EQUAL_5], [WORSE_5, WORSE_5], WORSE_5, YES),
        ([UNSURE_5, EQUAL_5], [WORSE_5, WORSE_5], WORSE_5, YES),
        ([WORSE_5, EQUAL_5], [WORSE_5, WORSE_5], EQUAL_5, LIMITS),
        ([WORSE_5, EQUAL_5], [EQUAL_5, WORSE_5], WORSE_5, LIMITS),
        ([WORSE_5, EQUAL_5], [EQUAL_5, UNSURE_5], WORSE_5, LIMITS),
        ([EQUAL_5, BETTER_5], [WORSE_5, WORSE_5], WORSE_5, NO),
        ([WORSE_5, EQUAL_5], [EQUAL_5, BETTER_5], WORSE_5, NO),
    ],
)
def test_c36_the_gap_has_to_come_from_the_depth(deeper, gaps, wide, verdict):
    assert verdicts.c36(deeper, gaps, wide) == verdict


# C37 ----------------------------------------------------------------------------------

GAIN, SAME, LOSS = (
    Interval(-0.3, -0.2, -0.1),
    Interval(-0.01, 0, 0.01),
    Interval(0.1, 0.2, 0.3),
)
UNCLEAR = Interval(-0.5, 0, 0.5)


@pytest.mark.parametrize(
    ("before", "later", "writing", "verdict"),
    [
        (GAIN, SAME, SAME, YES),
        (GAIN, GAIN, GAIN, YES),
        (GAIN, SAME, LOSS, LIMITS),
        (GAIN, LOSS, SAME, LIMITS),
        (GAIN, UNCLEAR, SAME, LIMITS),
        (GAIN, SAME, UNCLEAR, LIMITS),
        (SAME, GAIN, GAIN, NO),
        (UNCLEAR, GAIN, GAIN, NO),
        (LOSS, SAME, SAME, NO),
    ],
)
def test_c37_asks_of_labels_and_of_what_is_to_come(before, later, writing, verdict):
    assert verdicts.c37(before, later, writing) == verdict


# C38 ----------------------------------------------------------------------------------

MOST, LITTLE, MAYBE = (
    Interval(0.7, 0.8, 0.9),
    Interval(0.0, 0.1, 0.2),
    Interval(0.2, 0.5, 0.8),
)


@pytest.mark.parametrize(
    ("focus", "effect", "said"),
    [
        (MOST, MOST, "borne out"),
        (MOST, LITTLE, "fails"),
        (LITTLE, MOST, "fails"),
        (MOST, MAYBE, "open"),
        (MAYBE, MOST, "open"),
        (LITTLE, MAYBE, "fails"),
    ],
)
def test_c38_needs_the_weight_and_what_the_answer_depends_on(focus, effect, said):
    assert verdicts.c38_at(focus, effect) == said


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((MOST, MOST), (MOST, MOST), YES),
        ((MOST, MOST), (LITTLE, MOST), LIMITS),
        ((MOST, MOST), (MAYBE, MOST), LIMITS),
        ((MAYBE, MOST), (LITTLE, MOST), LIMITS),
        ((LITTLE, MOST), (MOST, LITTLE), NO),
    ],
)
def test_c38_judges_every_task(first, second, verdict):
    assert verdicts.c38({"one": first, "other": second}) == verdict


# C39 ----------------------------------------------------------------------------------


def _variants(**outcomes):
    return {"peephole_cifg": SAME, "nig": SAME} | outcomes


@pytest.mark.parametrize(
    ("text", "memory", "verdict"),
    [
        ({}, {}, YES),
        ({"nfg": LOSS}, {"noaf": LOSS, "nfg": GAIN}, YES),
        ({"nig": UNCLEAR}, {}, LIMITS),
        ({"nig": LOSS}, {}, LIMITS),
        ({"nig": LOSS}, {"nog": UNCLEAR}, LIMITS),
        ({"nig": LOSS}, {"nfg": LOSS}, LIMITS),
        ({"nig": LOSS}, {"nog": GAIN}, NO),
    ],
)
def test_c39_two_variants_may_differ_the_others_must_be_equivalent(
    text, memory, verdict
):
    found = {"text": _variants(**text), "memory": _variants(**memory)}
    assert verdicts.c39(found) == verdict


# C40 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "prepared", "verdict"),
    [
        ((GAIN, LOSS), (GAIN, LOSS), YES),
        ((GAIN, SAME), (SAME, GAIN), LIMITS),
        ((GAIN, SAME), (UNCLEAR, LOSS), LIMITS),
        ((SAME, UNCLEAR), (SAME, GAIN), LIMITS),
        ((SAME, UNCLEAR), (LOSS, LOSS), NO),
    ],
)
def test_c40_asks_for_one_task_at_which_both_lstms_are_beaten(plain, prepared, verdict):
    def as_comparisons(outcomes):
        return {"mut1": dict(zip(("text", "memory"), outcomes))}

    found = as_comparisons(plain), as_comparisons(prepared)
    assert verdicts.c40(*found) == verdict


# C42 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "prepared", "verdict"),
    [
        ({"a": (GAIN, GAIN), "b": (LOSS, LOSS)}, {"a": (GAIN, GAIN)}, YES),
        ({"a": (GAIN, GAIN)}, {"a": (GAIN, SAME)}, LIMITS),
        ({"a": (SAME, GAIN)}, {"a": (GAIN, GAIN)}, LIMITS),
        ({"a": (GAIN, GAIN)}, {"a": (UNCLEAR, LOSS), "b": (GAIN, LOSS)}, LIMITS),
        ({"a": (GAIN, GAIN)}, {"a": (SAME, UNCLEAR), "b": (LOSS, LOSS)}, NO),
    ],
)
def test_c42_a_plain_lstm_with_prepared_gates_can_win(plain, prepared, verdict):
    names = {*plain, *prepared}
    plain, prepared = (
        {"task": {name: found.get(name, (SAME, SAME)) for name in names}}
        for found in (plain, prepared)
    )
    assert verdicts.c42(plain, prepared) == verdict


def test_c42_holds_only_if_every_task_has_a_better_method():
    one, other = {"a": (GAIN, GAIN)}, {"a": (LOSS, LOSS)}
    both = {"first": one, "second": other}
    assert verdicts.c42(both, both) == LIMITS
    assert verdicts.c42({"first": one}, {"first": one}) == YES
