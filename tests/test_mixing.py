"""Mixtures of models, and their weights."""

import numpy as np
import pytest
from d2l_lstm.mixing import best_weights, mixed, nats, perplexity_of

MODELS = np.random.default_rng(0).uniform(0.05, 1, (3, 200))


def test_perplexity_of_equal_guesses_is_their_number():
    assert perplexity_of(np.full(10, 1 / 28)) == pytest.approx(28)
    assert nats([1.0, 1.0]) == 0


def test_an_ensemble_is_never_worse_than_its_members_on_the_average():
    assert nats(mixed(MODELS)) <= np.mean([nats(p) for p in MODELS])


def test_a_mixture_of_one_is_that_one():
    np.testing.assert_array_equal(mixed(MODELS, [0, 1, 0]), MODELS[1])


def test_the_best_weight_of_two_is_found_by_trying_all():
    tried = np.linspace(0, 1, 1001)
    scores = [nats(mixed(MODELS[:2], [w, 1 - w])) for w in tried]
    found = best_weights(MODELS[:2], 2000)
    assert found[0] == pytest.approx(tried[np.argmin(scores)], abs=2e-3)


def test_best_weights_are_as_good_as_any_corner_or_middle():
    found = nats(mixed(MODELS, best_weights(MODELS)))
    for other in [*np.eye(3), np.full(3, 1 / 3)]:
        assert found <= nats(mixed(MODELS, other)) + 1e-6


def test_a_useless_model_gets_no_weight():
    weights = best_weights([MODELS[0], MODELS[0] * 1e-6], 300)
    assert weights[0] > 0.99


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.5, 0.5], [2, -1, 0]])
def test_other_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        mixed(MODELS, weights)


@pytest.mark.parametrize("p", [[0.0, 1.0], [1.5], [], [np.nan]])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="probabilities"):
        nats(p)
