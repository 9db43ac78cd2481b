"""Counting models: probabilities, hand-counted cases, another implementation."""

import math
import time
from fractions import Fraction

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm.ngrams import COMPRESSORS
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.lm import KneserNeyInterpolated, Vocabulary
from nltk.util import everygrams

corpora = st.lists(st.integers(0, 3), min_size=1, max_size=60)
orders = st.integers(1, 5)
discounts = st.floats(1e-6, 1.0)


@pytest.fixture(scope="module")
def text():
    return d2l.load_corpus_time_machine()


def by_definition(corpus, vocab_size, order, discount, context, level=None):
    """The equation, read out word by word, with sets instead of arrays."""
    corpus, context = tuple(corpus), tuple(context)
    level = order if level is None else level
    if not level:
        return [Fraction(1, vocab_size)] * vocab_size
    if level > len(context) + 1:
        return by_definition(corpus, vocab_size, order, discount, context, level - 1)
    u = context[len(context) - level + 1 :]

    def count(gram):
        length = len(gram)
        places = [i for i in range(len(corpus)) if corpus[i : i + length] == gram]
        if level == order:
            return len(places)
        return len({corpus[i - 1] for i in places if i > 0})

    counts = [count((*u, w)) for w in range(vocab_size)]
    lower = by_definition(corpus, vocab_size, order, discount, context, level - 1)
    if not sum(counts):
        return lower
    left = discount * sum(c > 0 for c in counts)
    return [
        (max(c - discount, 0) + left * p) / sum(counts) for c, p in zip(counts, lower)
    ]


# --------------------------------------------------------------------------------------
# Probabilities


@given(corpora, orders, discounts, st.lists(st.integers(0, 5), max_size=8))
@settings(deadline=None)
def test_probabilities_sum_to_one_after_any_context(corpus, order, discount, context):
    order = min(order, len(corpus))
    p = d2l.KneserNey(corpus, 6, order, discount).probabilities(context)
    assert p.shape == (6,) and (p > 0).all()
    assert p.sum() == pytest.approx(1, abs=1e-12)


@given(corpora, orders, st.integers(1, 8), st.lists(st.integers(0, 4), max_size=6))
@settings(deadline=None)
def test_probabilities_are_those_of_the_definition(corpus, order, eighths, context):
    order, discount = min(order, len(corpus)), Fraction(eighths, 8)
    model = d2l.KneserNey(corpus, 5, order, float(discount))
    expected = by_definition(corpus, 5, order, discount, context)
    assert sum(expected) == 1
    np.testing.assert_allclose(
        model.probabilities(context), np.array(expected, float), rtol=1e-12
    )


LETTERS = "abcdr"
ABRACADABRA = [LETTERS.index(letter) for letter in "abracadabra"]


def test_abracadabra_counted_by_hand():
    # After a: b twice, c, d. Before a: r, c, d; before each other letter only one.
    one = d2l.KneserNey(ABRACADABRA, 5, 2).probabilities()
    np.testing.assert_allclose(one, np.array([3, 1, 1, 1, 1]) / 7)
    after_a = d2l.KneserNey(ABRACADABRA, 5, 2).probabilities([0])
    back = 0.75 * 3 / 4
    expected = [back * 3 / 7, 1.25 / 4 + back / 7, 0.25 / 4 + back / 7]
    np.testing.assert_allclose(after_a, [*expected, expected[2], back / 7])
    after_b = d2l.KneserNey(ABRACADABRA, 5, 2).probabilities([3, 1])
    np.testing.assert_allclose(after_b[4], 1.25 / 2 + 0.75 / 2 / 7)


def test_order_one_is_the_share_in_the_text_a_little_smoothed():
    p = d2l.KneserNey(ABRACADABRA, 7, 1).probabilities([1, 2, 3])
    seen = (np.array([5, 2, 1, 1, 2, 0, 0]) - 0.75).clip(0) / 11
    np.testing.assert_allclose(p, seen + 0.75 * 5 / 11 / 7)


def test_one_token_says_as_much_as_one_count_can():
    p = d2l.KneserNey([2], 4, 1).probabilities()
    np.testing.assert_allclose(p, [0.1875, 0.1875, 0.4375, 0.1875])


def test_a_corpus_of_one_token_repeated():
    model = d2l.KneserNey([1] * 50, 3, 4)
    p = model.probabilities([1, 1, 1])
    assert p[1] > 0.98 and p[0] == p[2] > 0 and p.sum() == pytest.approx(1)
    np.testing.assert_allclose(model.probabilities([0]), model.probabilities())


def test_only_the_end_of_a_long_context_counts():
    model = d2l.KneserNey(ABRACADABRA, 5, 3)
    np.testing.assert_array_equal(
        model.probabilities([3, 3, 3, 0, 1]), model.probabilities([0, 1])
    )


def test_a_context_never_seen_asks_the_shorter_one():
    model = d2l.KneserNey(ABRACADABRA, 5, 3)
    np.testing.assert_array_equal(model.probabilities([2, 1]), model.probabilities([1]))


def test_with_discount_one_what_was_seen_once_counts_as_unseen():
    p = d2l.KneserNey(ABRACADABRA, 5, 2, discount=1).probabilities([0])
    assert p[2] == p[4] > 0 and p.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64])
def test_the_integer_type_of_the_corpus_makes_no_difference(kind):
    corpus = np.arange(200) % 23
    expected = d2l.KneserNey(corpus, 255, 4).perplexity(corpus)
    assert d2l.KneserNey(corpus.astype(kind), 255, 4).perplexity(
        corpus.astype(kind)
    ) == pytest.approx(expected, rel=1e-14)


def test_the_largest_vocabulary_and_a_high_order_do_not_overflow():
    measured = []
    for size in (2**20, 2**31):  # beside the counts, 1 / size is next to nothing
        corpus = [size - 1, size - 2] * 40
        measured.append(d2l.KneserNey(corpus, size, 30).perplexity(corpus[:20]))
    assert 1 < measured[0] < 1.2
    assert measured[0] == pytest.approx(measured[1], rel=1e-5)


@pytest.mark.parametrize("order", [2, 3, 4])
@given(st.lists(st.integers(0, 3), min_size=4, max_size=60), st.floats(0.05, 1))
@settings(deadline=None, max_examples=30)
def test_above_the_unigrams_as_in_nltk(order, corpus, discount):
    """Where the two models are the same.

    NLTK gives the unigrams their plain share of continuations, without a discount and
    without a uniform distribution below, so a token that never occurs is impossible.
    And it gives back D for each follower that was seen, also for the very first
    n-gram, which nothing stands before, so that its sum can exceed 1. Here ours takes
    the place of its unigrams, and the text ends as it began.
    """
    corpus = corpus + corpus[:order]
    ours = d2l.KneserNey(corpus, 4, order, discount)
    theirs = KneserNeyInterpolated(
        order, discount, vocabulary=Vocabulary(["0", "1", "2", "3"])
    )
    theirs.fit([list(everygrams([str(w) for w in corpus], max_len=order))])
    unigrams = ours.probabilities()
    theirs.estimator.unigram_score = lambda word: unigrams[int(word)]
    for start in range(len(corpus) - order):
        context = corpus[start : start + order - 1]
        expected = [theirs.score(str(w), [str(c) for c in context]) for w in range(4)]
        np.testing.assert_allclose(ours.probabilities(context), expected, rtol=1e-12)


def test_unigrams_differ_from_those_of_nltk_by_the_uniform_distribution():
    theirs = KneserNeyInterpolated(2, 0.75, vocabulary=Vocabulary(LETTERS + "z"))
    theirs.fit([list(everygrams("abracadabra", max_len=2))])
    assert theirs.score("z") == 0
    ours = d2l.KneserNey(ABRACADABRA, 6, 2).probabilities()
    for index, letter in enumerate(LETTERS):
        left = 0.75 / 7  # what each of the five gives up, they share it among six
        assert ours[index] == pytest.approx(theirs.score(letter) - left + 5 * left / 6)


# --------------------------------------------------------------------------------------
# Perplexity


def slow_perplexity(model, minibatches, carried=True):
    """One token after the other, its row's past in a list."""
    nats, rows = [], None
    for X, Y in minibatches:
        if rows is None or not carried:
            rows = [[] for _ in range(len(X))]
        for row, x, y in zip(rows, np.asarray(X).tolist(), np.asarray(Y).tolist()):
            for token, label in zip(x, y):
                row.append(token)
                nats.append(-math.log(model.probabilities(row)[label]))
    return math.exp(sum(nats) / len(nats)), len(nats)


@given(
    st.lists(st.integers(0, 3), min_size=30, max_size=60),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 5),
)
@settings(deadline=None, max_examples=40)
def test_perplexity_is_over_the_tokens_that_a_loader_yields(
    corpus, order, batch_size, num_steps
):
    model = d2l.KneserNey(corpus[:15], 4, order)
    fixed = d2l.SeqDataLoader(
        batch_size, num_steps, corpus=corpus, vocab=None, offset=2
    )
    expected, count = slow_perplexity(model, fixed)
    assert count == (len(corpus) - 3) // batch_size * batch_size
    assert model.perplexity(fixed) == pytest.approx(expected, rel=1e-12)
    for carried in (True, False):
        minibatches = list(
            d2l.SeqDataLoader(batch_size, num_steps, not carried, corpus=corpus)
        )
        expected, _ = slow_perplexity(model, minibatches, carried)

        class Again(list):
            use_random_iter = not carried

        assert model.perplexity(Again(minibatches)) == pytest.approx(expected)


def test_one_row_is_one_row_of_a_loader(text):
    corpus, vocab = text
    model = d2l.KneserNey(corpus[:1000], len(vocab), 4)
    row = corpus[1000:1300]
    loader = d2l.SeqDataLoader(1, 7, corpus=row, vocab=vocab, offset=0)
    for same in (row, row.tolist(), row.astype(int), paddle_tensor(row)):
        assert model.perplexity(same) == pytest.approx(model.perplexity(loader))
    assert model.perplexity(row) == pytest.approx(slow_perplexity(model, loader)[0])


def paddle_tensor(row):
    import paddle

    return paddle.to_tensor(row.astype("int64"))


def test_perplexities_of_the_embedded_text(text):
    """Orders 1 to 7 learnt on the book's 10,000 characters, in 32 rows from cold."""
    corpus, vocab = text
    rows = corpus[10_000:14_992].reshape(32, 156)
    expected = [16.948, 9.889, 6.917, 5.565, 5.274, 5.271, 5.375]
    measured = [
        d2l.KneserNey(corpus[:10_000], len(vocab), order).perplexity(
            [(rows[:, :-1], rows[:, 1:])]
        )
        for order in range(1, 8)
    ]
    np.testing.assert_allclose(measured, expected, atol=6e-4)


def test_what_was_learnt_by_heart_is_hardly_surprising(text):
    corpus, vocab = text
    model = d2l.KneserNey(corpus, len(vocab), 8)
    assert model.perplexity(corpus) < 1.5
    assert model.perplexity(corpus[:500]) < model.perplexity(corpus[499::-1])


def test_a_million_tokens_of_order_eight_take_seconds(text):
    corpus, vocab = text
    pieces = np.random.default_rng(0).integers(0, len(corpus) - 50, 20_000)
    large = corpus[pieces[:, None] + np.arange(50)].reshape(-1)
    start = time.process_time()
    model = d2l.KneserNey(large, len(vocab), 8)
    assert 1 < model.perplexity(large) < 3
    assert time.process_time() - start < 20


# --------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([], 3, 1), r"shape \(0,\); n-grams of order 1 need one row of at least 1"),
        (([1, 2], 3, 3), "order 3 need one row of at least 3 tokens"),
        (([[1, 2, 0]], 3, 1), r"shape \(1, 3\)"),
        (([0, 3], 3, 1), "from 0 to 3; with vocab_size 3 they go from 0 to 2"),
        (([0, -1], 3, 1), "from -1 to 0"),
        (([0.0, 1.0], 3, 1), "float64, not indices"),
        ((list("ab"), 3, 1), "not indices"),
        (([0, 1], 0, 1), "vocab_size is 0"),
        (([0, 1], 2**31 + 1, 1), "vocab_size is 2147483649"),
        (([0, 1], 3, 0), "order is 0"),
        (([0, 1], 3, 1.5), "order is 1.5"),
        (([0, 1], 3, 1, 0), "discount is 0; it must be above 0, at most 1"),
        (([0, 1], 3, 1, 1.01), "discount is 1.01"),
        (([0, 1], 3, 1, math.nan), "discount is nan"),
    ],
)
def test_a_model_that_cannot_be(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        d2l.KneserNey(*arguments)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], r"shape \(0,\); to predict one token"),
        ([1], r"shape \(1,\)"),
        (np.zeros((2, 3), int), r"shape \(2, 3\)"),
        ([0, 5], "from 0 to 5"),
        (np.array([0.5, 1]), "not indices"),
        (iter([]), "no minibatch"),
        ([([[0, 1]], [[1, 7]])], "Y has tokens from 1 to 7"),
        ([([[0, 1]], [[1]])], r"X has shape \(1, 2\), Y \(1, 1\)"),
        ([([[0], [1]], [[1], [0]]), ([[0]], [[1]])], "with 2 rows as at the start"),
        ([([0, 1], [1, 0])], r"X has shape \(2,\)"),
    ],
)
def test_a_text_that_cannot_be_measured(data, sentence):
    with pytest.raises(ValueError, match=sentence):
        d2l.KneserNey([0, 1, 2], 3, 2).perplexity(data)


def test_a_context_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="the context has tokens from 3 to 3"):
        d2l.KneserNey([0, 1, 2], 3, 2).probabilities([3])


# --------------------------------------------------------------------------------------
# Compressors


@pytest.mark.parametrize("method", COMPRESSORS)
def test_compressors_find_the_bits_that_are_there(method):
    random = np.random.default_rng(0)
    four = "".join(random.choice(list("abcd"), 20_000))
    assert 1.95 < d2l.bits_per_character(four, method=method) < 2.6
    assert d2l.bits_per_character(four, four, method) < 0.2
    assert d2l.bits_per_character("a" * 5000, method=method) < 0.2


@pytest.mark.parametrize("method", COMPRESSORS)
def test_a_text_costs_less_behind_one_of_its_kind(method, text):
    corpus, vocab = text
    novel = "".join(vocab.to_tokens(corpus.tolist()))
    train, test = novel[:10_000], novel[13_000:]
    behind = d2l.bits_per_character(test, train, method)
    assert 2 < behind < d2l.bits_per_character(test, method=method) - 0.3
    assert behind < d2l.bits_per_character(test, train[:2000], method)


def test_the_difference_of_lengths_is_a_code_that_can_be_read(text):
    """Deflate can be given the text before as a dictionary, and be decoded with it."""
    import zlib

    corpus, vocab = text
    novel = "".join(vocab.to_tokens(corpus.tolist())).encode()
    train, test = novel[:10_000], novel[13_000:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=train)
    packed = packer.compress(test) + packer.flush()
    assert zlib.decompressobj(-15, zdict=train).decompress(packed) == test
    difference = d2l.bits_per_character(test.decode(), train.decode(), "gzip")
    assert difference == pytest.approx(8 * len(packed) / len(test), abs=0.02)


def test_nothing_to_compress_and_no_such_compressor():
    with pytest.raises(ValueError, match="text is empty"):
        d2l.bits_per_character("", "abc")
    with pytest.raises(ValueError, match="no compressor 'zip'; choose from gzip, lzma"):
        d2l.bits_per_character("abc", method="zip")


# --------------------------------------------------------------------------------------
# Many histories at a time


def test_log_probabilities_of_many_are_those_of_each():
    corpus = np.random.default_rng(0).integers(0, 5, 200)
    model = d2l.KneserNey(corpus, 5, 4)
    rng = np.random.default_rng(1)
    histories, tokens = rng.integers(0, 5, (30, 3)), rng.integers(0, 5, 30)
    for missing in range(4):  # at the beginning of a text
        histories[:, :missing] = -1
        found = model.log_probabilities(histories, tokens)
        for history, token, value in zip(histories, tokens, found, strict=True):
            wanted = math.log(model.probabilities(history[missing:])[token])
            assert value == pytest.approx(wanted, abs=1e-12)
    assert model.log_probabilities(np.zeros((0, 3)), []).shape == (0,)


@pytest.mark.parametrize(
    ("histories", "tokens", "said"),
    [
        ([[0, 1]], [0], r"histories has shape \(1, 2\)"),
        ([[0, 1, 2]], [0, 1], r"for 2 tokens it must be \(2, 3\)"),
        ([[0, 1, 5]], [0], "histories has tokens from 0 to 5"),
        ([[0, 1, 2]], [5], "tokens has tokens from 5 to 5"),
        ([[0, 1, 2]], [0.5], "holds float64, not indices"),
    ],
)
def test_log_probabilities_refuse_what_is_no_history(histories, tokens, said):
    model = d2l.KneserNey(np.arange(5), 5, 4)
    with pytest.raises(ValueError, match=said):
        model.log_probabilities(histories, tokens)
