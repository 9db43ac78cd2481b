"""A table that counts while it reads: the same as one that was counted at once."""

from collections import Counter

import numpy as np
import pytest
from d2l_lstm.growing import GrowingTable, choose_table
from d2l_lstm.ngrams import KneserNey
from hypothesis import given, settings
from hypothesis import strategies as st

V = 4
texts = st.lists(st.integers(0, V - 1), min_size=6, max_size=40)


@settings(deadline=None, max_examples=60)
@given(texts, st.integers(1, 5), st.sampled_from([0.3, 0.75, 1.0]))
def test_a_grown_table_is_the_table_of_kneser_and_ney(text, order, discount):
    """Counted token by token from a short beginning, against all at once."""
    grown = GrowingTable(text[:order], V, order, discount)
    for i in range(order, len(text)):
        grown.add(tuple(text[max(0, i - order + 1) : i + 1]))
    whole = KneserNey(text, V, order, discount)
    contexts = {tuple(text[i : i + n]) for i in range(len(text)) for n in range(order)}
    for context in sorted(contexts)[:30]:
        found = [grown.probability(context, token) for token in range(V)]
        np.testing.assert_allclose(found, whole.probabilities(context), atol=1e-12)
        assert sum(found) == pytest.approx(1)


def test_reading_without_learning_is_the_table_that_stands_still():
    draw = np.random.default_rng(0)
    corpus, text = draw.integers(0, V, 300), draw.integers(0, V, 80)
    p = GrowingTable(corpus, V, 3).read(text, learn=False)
    assert len(p) == 79
    assert np.exp(-np.log(p).mean()) == pytest.approx(
        KneserNey(corpus, V, 3).perplexity(text)
    )


def test_each_token_is_predicted_before_it_is_counted():
    """Changing a token changes no prediction up to it but its own."""
    draw = np.random.default_rng(1)
    corpus, text = draw.integers(0, V, 300), draw.integers(0, V, 60)
    other = text.copy()
    other[30:] = (other[30:] + 1) % V
    table = GrowingTable(corpus, V, 3)
    one, two = table.read(text), table.read(other)
    np.testing.assert_array_equal(one[:29], two[:29])
    assert (one[29:] != two[29:]).any()


def test_a_reading_leaves_the_table_as_it_was():
    draw = np.random.default_rng(2)
    corpus, text = draw.integers(0, V, 300), draw.integers(0, V, 60)
    table = GrowingTable(corpus, V, 3)
    np.testing.assert_array_equal(table.read(text), table.read(text))


def test_two_texts_are_counted_as_two():
    """By hand: bigrams of each text, none across the seam."""
    corpus, text = [0, 1, 0, 1, 2], [2, 0, 2, 0, 3]
    p = GrowingTable(corpus, V, 2, 0.5).read(text)
    seen = [(0, 1), (1, 0), (0, 1), (1, 2)]  # of the corpus
    for i, (u, w) in enumerate(zip(text, text[1:])):
        counts = Counter(seen)
        after_u = {b: n for (a, b), n in counts.items() if a == u}
        # One token counts once for each different token before it.
        before = Counter(b for _, b in counts)
        base = (before[w] - 0.5 if before[w] else 0) + 0.5 * len(before) / V
        base /= sum(before.values())
        expected = base
        if after_u:
            kept = max(after_u.get(w, 0) - 0.5, 0) + 0.5 * len(after_u) * base
            expected = kept / sum(after_u.values())
        assert p[i] == pytest.approx(expected)
        seen.append((u, w))


def test_a_table_that_learns_gains_on_a_text_of_its_own():
    corpus, text = [0, 1, 2, 3] * 20, [0, 2, 1, 3] * 20
    table = GrowingTable(corpus, V, 3)
    still, grown = (-np.log(table.read(text, learn)).mean() for learn in (False, True))
    assert grown < still / 2


def test_the_best_table_is_chosen_on_the_text_that_is_given():
    draw = np.random.default_rng(3)
    corpus, text = draw.integers(0, V, 300), draw.integers(0, V, 60)
    table, scores = choose_table(corpus, V, text, (1, 2, 4), (0.5, 0.9))
    assert len(scores) == 6
    assert (table.order, table.discount) == min(scores, key=scores.get)


@pytest.mark.parametrize("text", [[1], [], [[1, 2]], [1, V], [0.5, 1.0]])
def test_a_text_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="text"):
        GrowingTable([0, 1, 2, 3], V, 2).read(text)
