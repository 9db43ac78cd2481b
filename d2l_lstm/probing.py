"""Do the units of a network follow something in the text, or is it luck?

    r = correlations(cells, place_in_word, given=characters)  # (h,)
    controls = shift_controls(cells, place_in_word, given=characters)
    p = p_value(abs(r).max(), controls)

Whoever looks at many units finds a large correlation by luck, and more so because
neighbours in a text are alike: 3,000 characters in a row are far fewer than 3,000
independent ones. So it is compared with the same units' correlations with the same
property at the wrong places: moved along the text, in a circle, by every distance but
the shortest. That keeps how each changes from one character to the next, which
shuffling would destroy. And it is the largest of all units that is compared, since it
is the largest that was picked.

Source: the largest statistic as a correction for many looks: Westfall & Young 1993.
"""

from __future__ import annotations

import numpy as np

from .text import check_whole


def _standardised(values, given) -> np.ndarray:
    """Mean 0 and length 1 over time, (T, ...); zeros where nothing varies.

    With `given` the mean of each of its classes is taken away, not only that of all.
    """
    values = np.asarray(values, dtype=float)
    size = np.linalg.norm(values, axis=0)
    classes = np.zeros(len(values), int) if given is None else np.asarray(given)
    _, classes = np.unique(classes, return_inverse=True)
    counts = np.bincount(classes)
    members = np.zeros((len(counts), len(values)))
    members[classes, np.arange(len(values))] = 1
    means = (members @ values.reshape(len(values), -1)) / counts[:, None]
    rest = values - means[classes].reshape(values.shape)
    length = np.linalg.norm(rest, axis=0)
    varies = length > 1e-9 * size  # more than rounding leaves
    return np.where(varies, rest / np.where(varies, length, 1), 0)


def _checked(tracks, follows, given, most=1):
    tracks, follows = np.asarray(tracks), np.asarray(follows)
    lengths = {len(tracks), len(follows), len(tracks if given is None else given)}
    if tracks.ndim != 2 or len(lengths) != 1 or not len(follows) or follows.ndim > most:
        raise ValueError(
            f"the units have shape {tracks.shape} and the property {follows.shape}; it "
            "must be (steps, units) and (steps,), and as many of what is given."
        )
    return _standardised(tracks, given), _standardised(follows, given)


def correlations(tracks, follows, given=None) -> np.ndarray:
    """The correlation of each unit with a property of the text.

    Args:
        tracks: (steps, units), a gate or a cell of every unit while it reads.
        follows: (steps,), the property at each step; or (steps, number), several.
        given: (steps,), classes whose means are taken away from both first, such as the
            character that is read: what is left cannot be read off it.

    Returns:
        (units,), or (number, units), from -1 to 1; 0 where one of the two does not
        vary.

    Raises:
        ValueError: for other shapes.
    """
    tracks, follows = _checked(tracks, follows, given, most=2)
    return follows.T @ tracks


def shift_controls(tracks, follows, given=None, least: int = 50) -> np.ndarray:
    """Correlations with the property in the wrong places, moved along in a circle.

    Args:
        tracks, follows, given: as for `correlations`, one property.
        least: steps by which it is moved at least, forward and backward; beyond what
            neighbours have in common.

    Returns:
        (steps - 2 * least + 1, units), a row for each distance.

    Raises:
        ValueError: for other shapes, or fewer steps than twice `least`.
    """
    check_whole("least", least, 1)
    tracks, follows = _checked(tracks, follows, given)
    steps = len(follows)
    if steps < 2 * least:
        raise ValueError(f"there are {steps} steps; the controls need {2 * least}.")
    waves = np.fft.rfft(tracks, axis=0) * np.fft.rfft(follows).conj()[:, None]
    all_shifts = np.fft.irfft(waves, n=steps, axis=0)  # row s: moved by s
    return all_shifts[least : steps - least + 1]


def p_value(found: float, controls) -> float:
    """How often the largest of the controls is as large, the sign put aside.

    Args:
        found: the largest of the units that `controls` has a column for.
        controls: (number, units).

    Returns:
        Above 0, up to 1: what was found counts as one of the controls.
    """
    largest = abs(np.asarray(controls)).max(axis=1)
    return float((1 + (largest >= abs(found)).sum()) / (1 + len(largest)))


def holm(p_values) -> np.ndarray:
    """P-values corrected for their number: compare each with the level as it is.

    Returns:
        As many, none below what it was and none above 1.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    grown = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(grown)
    corrected[order] = np.minimum(np.maximum.accumulate(grown), 1)
    return corrected
