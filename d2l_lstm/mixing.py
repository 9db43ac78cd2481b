"""Several models of one text together: ensembles and mixtures.

A model is here what it has left of a text: for every token the probability that it gave
to it beforehand, an array of shape (num_tokens,).
"""

from __future__ import annotations

import numpy as np

from .training import perplexity


def nats(p) -> float:
    """Mean cross-entropy, in nats per token, of probabilities of what came.

    Raises:
        ValueError: for anything but numbers above 0, at most 1.
    """
    p = np.asarray(p, dtype=float)
    if not p.size or not ((p > 0) & (p <= 1 + 1e-6)).all():
        raise ValueError("probabilities of what came must be above 0 and at most 1.")
    return float(-np.log(p).mean())


def perplexity_of(p) -> float:
    """The exponential of `nats`."""
    return perplexity(nats(p))


def mixed(models, weights=None) -> np.ndarray:
    """The probabilities of a mixture: the weighted mean of its members'.

    Args:
        models: (k, num_tokens), a row a model.
        weights: (k,), none below 0, of sum 1; equal unless given: an *ensemble*.

    Returns:
        (num_tokens,).

    Raises:
        ValueError: for other weights.
    """
    models = np.asarray(models, dtype=float)
    if weights is None:
        return models.mean(axis=0)
    weights = np.asarray(weights, dtype=float)
    right = weights.shape == models.shape[:1] and (weights >= 0).all()
    if not right or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(
            f"weights are {weights}; {len(models)} models need as many, from 0 on, of "
            "sum 1."
        )
    return weights @ models


def best_weights(models, num_rounds: int = 200) -> np.ndarray:
    """The weights with which a mixture finds a text most probable.

    In each round a model's new weight is the mean over the text of its share in the
    mixture's probability. No round makes the text less probable, and the largest
    value, of which there is one, is reached.

    Args:
        models: (k, num_tokens), on the text to choose on.

    Returns:
        (k,), of sum 1.

    Source: F. Jelinek, R. Mercer (1980), Interpolated estimation of Markov source
    parameters from sparse data, Pattern Recognition in Practice, 381–397.
    """
    models = np.asarray(models, dtype=float)
    weights = np.full(len(models), 1 / len(models))
    for _ in range(num_rounds):
        shares = weights[:, None] * models
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return weights / weights.sum()
