"""Real words, copies, repetition."""

import random
import sys

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm.originality import english_words
from hypothesis import given
from hypothesis import strategies as st

BOOK = "".join(d2l.read_time_machine())
SEEN, TEST = BOOK[:10000], BOOK[13000:16000]
WORDS = english_words() | set(SEEN.split())
TEXTS = st.text("ab ", max_size=40)


def test_the_english_words_have_those_of_the_novel_and_no_letters_or_abbreviations():
    words = english_words()
    assert {"the", "traveller", "recondite", "anachronisms", "a", "i"} <= words
    assert not words & {"t", "s", "nd", "bk", "corvevence", "gerimaly", "matton", ""}
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert len(words) > 100_000 and english_words() is words


def test_without_the_list_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "spellchecker", None)
    english_words.cache_clear()
    with pytest.raises(ImportError, match="pip install pyspellchecker"):
        d2l.real_word_share("the time")
    assert d2l.real_word_share("the time", {"the"}) == 3 / 7


def test_the_share_counts_the_characters_of_real_words_without_spaces():
    assert d2l.real_word_share("the gerimaly") == 3 / 11
    assert d2l.real_word_share("the  time\n") == 1
    assert d2l.real_word_share("himwas the", {"him", "was", "the"}) == 3 / 9


def test_words_that_were_cut_are_not_counted():
    words = {"time", "traveller"}
    assert d2l.real_word_share("e time traveller s", words) == 13 / 15
    assert d2l.real_word_share("e time traveller s", words, cut=True) == 1
    assert d2l.real_word_share(" e time s ", words, cut=True) == 4 / 6
    assert d2l.real_word_share("xx time", words, cut=True) == 0


def test_two_words_without_a_space_are_real_if_asked_for():
    words = {"the", "time"}
    text = "thetime the thetimethe timex"
    assert d2l.real_word_share(text, words) == 3 / 25
    assert d2l.real_word_share(text, words, joined=True) == 10 / 25
    letters = "".join(random.Random(1).choices(SEEN, k=20_000))
    assert d2l.real_word_share(letters, WORDS, joined=True) < 0.1
    assert d2l.real_word_share(TEST, WORDS, cut=True, joined=True) > 0.98


@pytest.mark.parametrize("text", ["", " ", "xyz", "ab cd"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_text_without_a_whole_word_has_a_share_of_zero(text, cut):
    assert d2l.real_word_share(text, {"time"}, cut=cut) == 0


@given(TEXTS, st.booleans())
def test_the_share_is_one_if_everything_is_a_word_and_there_is_one(text, cut):
    words = set(text.split())
    share = d2l.real_word_share(text, words, cut=cut)
    assert share in (0, 1)
    assert share == bool(words) or cut


def test_random_letters_are_no_words_and_the_author_writes_words():
    letters = "".join(random.Random(1).choices(SEEN, k=20_000))  # as often as in SEEN
    assert d2l.real_word_share(letters, WORDS, cut=True) < 0.1
    assert d2l.real_word_share(TEST, WORDS, cut=True) > 0.75


# --------------------------------------------------------------------------------------
# Copies and repetition


@pytest.mark.parametrize(
    ("text", "length", "marks"),
    [
        ("abcde", 3, "11111"),
        ("xabcx", 3, "01110"),
        ("xabx", 3, "0000"),
        ("abcxcde", 3, "1110111"),
        ("abcde", 6, "00000"),
        ("", 1, ""),
    ],
)
def test_a_character_is_copied_in_a_run_that_is_long_enough(text, length, marks):
    wanted = [mark == "1" for mark in marks]
    assert d2l.copied(text, "..abcde..", length).tolist() == wanted


def test_of_a_loop_everything_from_its_second_round_on_is_repeated():
    assert d2l.repeated("an an an an an", 5).tolist() == [False] * 3 + [True] * 11
    assert not d2l.repeated("abcdefghij", 2).any()
    assert d2l.repeated("abc.abc", 3).tolist() == [False] * 4 + [True] * 3


def by_definition(text, length, known):
    """Every run of `length` or more, one by one."""
    marks = np.zeros(len(text), dtype=bool)
    for i in range(len(text)):
        for j in range(i + length, len(text) + 1):
            if known(i, j):
                marks[i:j] = True
    return marks


@given(TEXTS, TEXTS, st.integers(1, 6))
def test_copies_are_those_of_the_definition(text, source, length):
    wanted = by_definition(text, length, lambda i, j: text[i:j] in source)
    np.testing.assert_array_equal(d2l.copied(text, source, length), wanted)


@given(TEXTS, st.integers(1, 6))
def test_repetitions_are_those_of_the_definition(text, length):
    def before(i, j):
        return any(text[k : k + j - i] == text[i:j] for k in range(i))

    wanted = by_definition(text, length, before)
    np.testing.assert_array_equal(d2l.repeated(text, length), wanted)


@given(TEXTS, TEXTS)
def test_the_longest_copy_is_in_both_and_none_is_longer(text, source):
    found = d2l.longest_copy(text, source)
    assert found in text and found in source
    assert d2l.copied(text, source, len(found)).any() if found else True
    assert not d2l.copied(text, source, len(found) + 1).any()


@given(TEXTS, TEXTS, st.integers(1, 6))
def test_a_longer_run_is_asked_for_and_less_is_copied(text, source, length):
    more, less = (d2l.copied(text, source, n) for n in (length, length + 1))
    assert (more | ~less).all()


@given(st.text("ab", max_size=9), st.text("abc", min_size=1, max_size=9))
def test_a_loop_is_found_where_it_begins_and_with_its_shortest_round(start, round):
    text = start + round * 80
    onset, period = d2l.find_loop(text)
    assert onset <= len(start) and period <= len(round)
    assert len(round) % period == 0
    assert text[onset:-period] == text[onset + period :]
    assert onset == 0 or text[onset - 1] != text[onset - 1 + period]
    assert d2l.find_loop(np.array([ord(c) for c in text])) == (onset, period)


@pytest.mark.parametrize("text", ["", "a", "ab" * 29, "abc" * 19, TEST, "a" * 59])
def test_less_than_three_rounds_or_sixty_characters_are_no_loop(text):
    assert d2l.find_loop(text) is None


def test_three_rounds_are_a_loop():
    round = TEST[:50]
    assert d2l.find_loop("x" + round * 3) == (1, 50)
    assert d2l.find_loop(round * 2 + round[:49]) is None
    assert d2l.find_loop("b" + "a" * 60) == (1, 1)


@pytest.mark.parametrize("length", [0, -1, 1.5, "3", None])
def test_a_length_that_cannot_be_is_named(length):
    for measure in (lambda: d2l.copied("a", "a", length),
                    lambda: d2l.repeated("a", length)):  # fmt: skip
        with pytest.raises(ValueError, match=f"length is {length}"):
            measure()


def test_nonsense_and_recitation_fail_one_measure_each_and_the_author_none():
    def measured(text):
        return d2l.text_shares(text, SEEN, WORDS)

    letters = "".join(random.Random(2).choices(SEEN, k=3000))
    loop, recited = " an" * 1000, SEEN[3000:6000]
    assert [x > 0.5 for x in measured(letters)] == [False, False, False]
    assert [x > 0.5 for x in measured(loop)] == [True, False, True]
    assert [x > 0.5 for x in measured(recited)] == [True, True, False]
    assert [x > 0.5 for x in measured(TEST)] == [True, False, False]


@given(st.text("abc", max_size=9), st.integers(0, 9))
def test_a_loop_has_one_form_whatever_its_entry(loop, entry):
    form = d2l.loop_form(loop)
    assert d2l.loop_form(loop[entry:] + loop[:entry]) == form
    assert form in loop * 2 and len(form) == len(loop)


def test_the_three_shares_are_those_of_a_piece_of_a_text():
    text = "e time traveller timetime the time traveller"
    words, copied, repeated = d2l.text_shares(text, "a time traveller", {"time"}, 9)
    assert words == 16 / 28
    assert words == d2l.real_word_share(text, {"time"}, cut=True, joined=True)
    assert copied == d2l.copied(text, "a time traveller", 9).mean() > 0
    assert repeated == d2l.repeated(text, 9).mean() > 0
    with pytest.raises(ValueError, match="the text is empty"):
        d2l.text_shares("", SEEN, WORDS)
