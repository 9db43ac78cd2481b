"""The search for units: it finds one that follows, and none where none does."""

import numpy as np
import pytest
from d2l_lstm.probing import correlations, holm, p_value, shift_controls
from hypothesis import given
from hypothesis import strategies as st


def slow(rng, steps, units, keep=0.95):
    """Units that know nothing of anything, each step much like the one before."""
    tracks = np.zeros((steps, units))
    for t in range(1, steps):
        tracks[t] = keep * tracks[t - 1] + rng.standard_normal(units)
    return tracks


def spells(rng, steps):
    """A property that comes and goes, for a dozen steps or two."""
    lengths = rng.integers(5, 40, steps)
    return np.repeat(np.arange(steps) % 2, lengths)[:steps]


def found(tracks, follows, **options):
    found_ = correlations(tracks, follows, **options)
    return int(abs(found_).argmax()), p_value(
        abs(found_).max(), shift_controls(tracks, follows, **options)
    )


def test_where_no_unit_follows_one_in_twenty_searches_errs():
    rng = np.random.default_rng(0)
    wrong = sum(
        found(slow(rng, 800, 12), spells(rng, 800))[1] < 0.05 for _ in range(100)
    )
    assert wrong <= 12


def test_shuffled_controls_would_find_what_is_not_there():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(20):
        tracks, follows = slow(rng, 800, 12), spells(rng, 800)
        shuffled = [correlations(tracks, rng.permutation(follows)) for _ in range(99)]
        wrong += p_value(abs(correlations(tracks, follows)).max(), shuffled) < 0.05
    assert wrong >= 15


@pytest.mark.parametrize("sign", [1, -1])
def test_the_unit_that_follows_is_found(sign):
    rng = np.random.default_rng(1)
    tracks, follows = slow(rng, 1500, 12), spells(rng, 1500)
    tracks[:, 7] += sign * 6 * follows
    unit, p = found(tracks, follows)
    assert unit == 7 and p < 0.01
    assert np.sign(correlations(tracks, follows)[7]) == sign


def test_what_can_be_read_off_the_character_is_no_memory():
    rng = np.random.default_rng(2)
    characters = rng.integers(0, 5, 1500)
    vowel = (characters < 2).astype(float)
    before = np.roll(vowel, 1)
    tracks = np.stack([vowel, before], axis=1) + 0.1 * rng.standard_normal((1500, 2))
    assert correlations(tracks, vowel)[0] > 0.9
    # By the character there is no difference left, and nothing to follow.
    np.testing.assert_array_equal(correlations(tracks, vowel, characters), [0, 0])
    assert correlations(tracks, before, characters)[1] > 0.9
    assert found(tracks, before, given=characters)[1] < 0.01


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_controls_are_the_correlations_with_the_moved_property(seed, with_classes):
    rng = np.random.default_rng(seed)
    tracks, follows = rng.standard_normal((40, 3)), rng.standard_normal(40)
    classes = rng.integers(0, 3, 40) if with_classes else None
    controls = shift_controls(tracks, follows, classes, least=5)
    assert controls.shape == (31, 3)
    if not with_classes:
        for row, s in zip(controls, range(5, 36)):
            np.testing.assert_allclose(
                row, correlations(tracks, np.roll(follows, s)), atol=1e-12
            )
            for unit in range(3):
                expected = np.corrcoef(np.roll(follows, s), tracks[:, unit])[0, 1]
                assert row[unit] == pytest.approx(expected)


def test_what_does_not_vary_has_a_correlation_of_0():
    tracks = np.stack([np.full(200, 0.3), np.arange(200.0)], axis=1)
    np.testing.assert_array_equal(correlations(tracks, np.full(200, 0.1)), [0, 0])
    np.testing.assert_allclose(correlations(tracks, np.arange(200)), [0, 1])


def test_p_values_count_the_controls_that_reach_it():
    controls = [[0.1, -0.5], [0.2, 0.3], [0.0, 0.1]]
    assert p_value(0.4, controls) == p_value(-0.4, controls) == 2 / 4
    assert p_value(0.6, controls) == 1 / 4 and p_value(0.0, controls) == 1


def test_holms_correction():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1, 1])
    np.testing.assert_allclose(holm([0.02]), [0.02])


@pytest.mark.parametrize(
    "tracks, follows, options, sentence",
    [
        ((200, 2), 199, {}, r"shape \(200, 2\) and the property \(199,\)"),
        ((200,), 200, {}, r"shape \(200,\)"),
        ((0, 2), 0, {}, r"shape \(0, 2\)"),
        ((200, 2), 200, {"given": [1]}, "as many of what is given"),
        ((60, 2), 60, {}, "there are 60 steps; the controls need 100"),
        ((60, 2), 60, {"least": 0}, "least is 0"),
    ],
)
def test_what_does_not_fit_is_refused(tracks, follows, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        shift_controls(np.zeros(tracks), np.zeros(follows), **options)


def test_several_properties_are_scored_at_once():
    rng = np.random.default_rng(3)
    tracks, follows = rng.standard_normal((90, 4)), rng.standard_normal((90, 3))
    classes = rng.integers(0, 3, 90)
    found_ = correlations(tracks, follows, classes)
    assert found_.shape == (3, 4)
    for row, one in zip(found_, follows.T):
        np.testing.assert_allclose(row, correlations(tracks, one, classes))
    with pytest.raises(ValueError, match=r"the property \(90, 3\)"):
        shift_controls(tracks, follows, least=5)
