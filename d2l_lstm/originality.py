"""What a written text is made of: real words, copies of another text, repetition."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from functools import lru_cache

import numpy as np

from .text import check_whole

# Of so few letters the list has every abbreviation.
_SHORT = (
    "a i o ah am an as at be by do go ha he hi ho if in is it lo me my no of oh on or "
    "ox so to up us we ye"
)


@lru_cache(maxsize=1)
def english_words() -> frozenset[str]:
    """English words in small letters, about 128,000.

    Those of three letters or more are the English list of pyspellchecker as far as they
    are made of a to z; shorter ones are 35 that stand here, since a list has every
    abbreviation there.

    Raises:
        ImportError: if pyspellchecker is not installed.
    """
    try:
        from spellchecker import SpellChecker
    except ImportError:
        raise ImportError(
            "the list of English words comes with pyspellchecker; "
            "pip install pyspellchecker."
        ) from None
    listed = SpellChecker(language="en").word_frequency.dictionary
    long = (word for word in listed if re.fullmatch("[a-z]{3,}", word))
    return frozenset(_SHORT.split()).union(long)


def real_word_share(
    text: str,
    words: Container[str] | None = None,
    *,
    cut: bool = False,
    joined: bool = False,
) -> float:
    """The share of a text's characters, without the spaces, that are in real words.

    Args:
        text: in the form of the training text; a word ends at white space.
        words: what is a word; by default `english_words()`.
        cut: the text was cut out of a longer one: its first and its last word, unless
            white space stands before the one and after the other, are not counted.
        joined: two real words without a space between them are real too.

    Returns:
        From 0 to 1; 0 for a text without a whole word.

    Raises:
        ImportError: without `words`, if pyspellchecker is not installed.
    """
    words = english_words() if words is None else words
    found = text.split()
    if cut and text:
        found = found[not text[0].isspace() :]
        found = found[: len(found) - (not text[-1].isspace())]

    def is_real(word):
        pairs = ((word[:i], word[i:]) for i in range(1, len(word) if joined else 0))
        return word in words or any(a in words and b in words for a, b in pairs)

    real = sum(len(word) for word in found if is_real(word))
    return real / (sum(map(len, found)) or 1)


def _covered(text: str, length: int, known: Callable[[int], bool]) -> np.ndarray:
    """The characters in runs of `length` whose beginning is `known`."""
    check_whole("length", length, 1)
    marks = np.zeros(len(text), dtype=bool)
    for i in range(len(text) - length + 1):
        if known(i):
            marks[i : i + length] = True
    return marks


def copied(text: str, source: str, length: int) -> np.ndarray:
    """Which characters are in a run of `length` or more that `source` has too.

    Args:
        text: (n,) characters.
        source: what may have been copied.
        length: of the shortest run that counts.

    Returns:
        (n,), bool; its mean is the share copied.

    Raises:
        ValueError: for a length that is no whole number from 1.
    """
    return _covered(text, length, lambda i: text[i : i + length] in source)


def repeated(text: str, length: int) -> np.ndarray:
    """Which characters are in a run of `length` or more that the text had before.

    The two may overlap: of a loop everything from its second round on is repeated.

    Args:
        text: (n,) characters.
        length: of the shortest run that counts.

    Returns:
        (n,), bool; its mean is the share repeated.

    Raises:
        ValueError: for a length that is no whole number from 1.
    """
    before = set()

    def known(i):
        run = text[i : i + length]
        found = run in before
        before.add(run)
        return found

    return _covered(text, length, known)


def longest_copy(text: str, source: str) -> str:
    """The longest run of characters that a text has in common with `source`.

    Of several the first.
    """
    start, longest = 0, 0
    for i in range(len(text)):
        while i + longest < len(text) and text[i : i + longest + 1] in source:
            start, longest = i, longest + 1
    return text[start : start + longest]


def find_loop(tokens) -> tuple[int, int] | None:
    """Where a text begins to go round for ever, and how long a round is.

    Args:
        tokens: a text, or (n,) token indices.

    Returns:
        The onset, from which on the text equals itself one period earlier or later, and
        the period: the shortest one that fits three times, and into 60 tokens or more.
        None if there is no such loop.
    """
    tokens = np.array(list(tokens))
    n = len(tokens)
    for period in range(1, n // 3 + 1):
        differs = np.flatnonzero(tokens[period:] != tokens[:-period])
        onset = int(differs[-1]) + 1 if len(differs) else 0
        if n - onset >= max(3 * period, 60):
            return onset, period
    return None


def loop_form(loop: str) -> str:
    """The same for a loop whatever its entry: of all its rotations the first one."""
    return min((loop[i:] + loop[:i] for i in range(len(loop))), default="")


def text_shares(text: str, source: str, words: Container[str], length: int = 20):
    """The shares of a text's characters in real words, copied and repeated.

    Args:
        text: a piece of a longer text: words that are cut off are not counted.
        source: what may have been copied.
        words: what is a real word; two of them without a space are one too, since the
            novel's lines were joined so.
        length: of the shortest run that is copied or repeated.

    Returns:
        Three numbers from 0 to 1; see `real_word_share`, `copied`, `repeated`.

    Raises:
        ValueError: for an empty text.
    """
    if not text:
        raise ValueError("the text is empty; it has no shares of characters.")
    marks = copied(text, source, length), repeated(text, length)
    real = real_word_share(text, words, cut=True, joined=True)
    return real, *(float(m.mean()) for m in marks)
