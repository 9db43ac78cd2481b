"""Continuing a prefix."""

import io
import itertools
import random
import sys
import types
import warnings

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import generation
from d2l_lstm.models import evaluation_mode
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from paddle import nn

VOCAB = d2l.Vocab("the time traveller was expounding a recondite matter")
WORDS = d2l.Vocab("the time traveller was here".split())
BOOK = d2l.Vocab("the time traveller was expounding", normalization="book")


def scratch(cell="lstm", vocab=VOCAB):
    paddle.seed(4)
    net = d2l.scratch_model(cell, len(vocab), 8)
    for p in net.params:  # weights of 0.01 would be too small to tell states apart
        p.set_value(paddle.randn(p.shape) * 0.7)
    return net


def layered(kind=nn.LSTM, **options):
    paddle.seed(4)
    layer = kind(len(VOCAB), 8, time_major=True, **options)
    for p in layer.parameters():
        p.set_value(paddle.randn(p.shape) * 0.7)
    return d2l.RNNModel(layer, len(VOCAB))


MODELS = {
    "scratch lstm": scratch,
    "scratch gru": lambda: scratch("gru"),
    "lstm": layered,
    "dropout": lambda: layered(num_layers=2, dropout=0.5),
    "our layer": lambda: d2l.RNNModel(
        d2l.ScratchLayer("peephole", len(VOCAB), 8), len(VOCAB)
    ),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def net(request):
    return request.param()


class Constant:
    """A model with the same scores at every step."""

    def __init__(self, scores):
        self.scores = paddle.to_tensor(np.asarray(scores, dtype="float32"))

    def __call__(self, X, state):
        return self.scores.tile([X.size, 1]), state

    def begin_state(self, batch_size):
        return None


class Watched:
    """A model that notes how many tokens it is given at a time."""

    def __init__(self, net):
        self.net, self.sizes, self.rows = net, [], []

    def __call__(self, X, state):
        self.sizes.append(X.shape[1])
        self.rows.append(X.shape[0])
        return self.net(X, state)

    def begin_state(self, batch_size):
        return self.net.begin_state(batch_size)


def greedy_by_hand(prefix, num_preds, net):
    """One character at a time, as the book warms up and feeds back."""
    if isinstance(net, nn.Layer):
        net.eval()
    state, outputs = net.begin_state(1), []
    for c in prefix:
        scores, state = net(paddle.to_tensor([[VOCAB[c]]]), state)
    for _ in range(num_preds):
        scores[0, 0] = -1e9  # never <unk>
        outputs.append(int(scores[0].argmax()))
        scores, state = net(paddle.to_tensor([outputs[-1:]]), state)
    return prefix + "".join(VOCAB.to_tokens(outputs))


# --------------------------------------------------------------------------------------
# Greedy


@pytest.mark.parametrize("prefix", ["t", "time traveller"])
def test_greedy_prediction_equals_a_loop_over_single_steps(net, prefix):
    text = d2l.predict_ch8(prefix, 20, net, VOCAB)
    assert text == greedy_by_hand(prefix, 20, net)
    assert len(text) == len(prefix) + 20


def test_generating_without_temperature_is_greedy(net):
    greedy = d2l.predict_ch8("time", 15, net, VOCAB)
    assert d2l.generate("time", 15, net, VOCAB, seed=7) == greedy


@pytest.mark.parametrize("temperature", [0.1, 1.0, 50.0])
def test_the_best_token_alone_is_greedy_at_any_temperature(net, temperature):
    text = d2l.generate("time", 15, net, VOCAB, temperature=temperature, top_k=1)
    assert text == d2l.predict_ch8("time", 15, net, VOCAB)


# --------------------------------------------------------------------------------------
# Drawing


def test_the_same_seed_gives_the_same_text_whatever_was_drawn_before(net):
    first = d2l.generate("time", 30, net, VOCAB, temperature=1.0, seed=1)
    random.random(), np.random.rand(), paddle.rand([3])
    assert d2l.generate("time", 30, net, VOCAB, temperature=1.0, seed=1) == first


def test_different_seeds_give_different_texts(net):
    texts = {
        d2l.generate("time", 30, net, VOCAB, temperature=1.0, seed=seed)
        for seed in range(5)
    }
    assert len(texts) == 5


def test_drawing_leaves_the_random_numbers_of_others_alone():
    random.seed(1), np.random.seed(1), paddle.seed(1)
    wanted = random.random(), np.random.rand(), paddle.rand([1]).item()
    random.seed(1), np.random.seed(1), paddle.seed(1)
    d2l.generate("time", 5, Constant(np.ones(len(VOCAB))), VOCAB, temperature=1.0)
    assert (random.random(), np.random.rand(), paddle.rand([1]).item()) == wanted


def test_characters_are_drawn_as_often_as_the_distribution_says():
    scores = np.linspace(-1, 1, len(VOCAB))
    text = d2l.generate(
        "t", 4000, Constant(scores), VOCAB, temperature=0.7, top_k=5, seed=0
    )
    counts = np.bincount(VOCAB.encode(text[1:]), minlength=len(VOCAB)) / 4000
    wanted = d2l.next_token_probabilities(scores, 0.7, 5)
    assert np.count_nonzero(counts) == 5
    np.testing.assert_allclose(counts, wanted, atol=0.04)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 30.0])
def test_the_unknown_token_is_never_emitted_even_with_the_largest_score(temperature):
    scores = np.zeros(len(VOCAB))
    scores[0] = 50.0
    net = Constant(scores)
    text = d2l.generate("t", 200, net, VOCAB, temperature=temperature, seed=0)
    assert "<unk>" not in text and len(text) == 201


# --------------------------------------------------------------------------------------
# Beam search

FEW = d2l.Vocab("ab c")


def few(seed, cell="lstm", size=3.0):
    """A model of four characters with opinions; every cell in `CELLS`."""
    paddle.seed(seed)
    net = d2l.scratch_model(cell, len(FEW), 4)
    for p in net.params:
        p.set_value(paddle.randn(p.shape) * size)
    return net


def few_layers(seed):
    paddle.seed(seed)
    net = d2l.RNNModel(nn.LSTM(len(FEW), 4, num_layers=2, time_major=True), len(FEW))
    for p in net.parameters():
        p.set_value(paddle.randn(p.shape) * 3)
    return net


def log_probability(text, net, vocab=FEW, prefix="a"):
    return d2l.log_probabilities(prefix, text, net, vocab).sum()


def every_text(length, vocab=FEW):
    return map("".join, itertools.product(vocab.idx_to_token[1:], repeat=length))


def reader_of(net, tokens, vocab=VOCAB):
    reader = generation._reader(net, None)
    return reader, generation._read_all(reader, vocab[list(tokens)])


def test_a_beam_of_one_is_greedy(net):
    greedy = d2l.predict_ch8("time", 30, net, VOCAB)
    assert d2l.generate("time", 30, net, VOCAB, beam_size=1) == greedy
    with evaluation_mode(net):
        found = generation._search_beam(*reader_of(net, "time"), 30, 1)
    assert VOCAB.decode(found) == greedy[4:]


@pytest.mark.parametrize("kind", [few, few_layers])
@pytest.mark.parametrize("seed", range(6))
def test_a_beam_that_is_wide_enough_finds_the_most_probable_text(kind, seed):
    net = kind(seed)
    best = max(every_text(4), key=lambda text: log_probability(text, net))
    assert d2l.generate("a", 4, net, FEW, beam_size=4**3) == "a" + best


def beam_by_definition(net, num_preds, width):
    """Every prefix of a text read again from its beginning."""
    beam = [""]
    for _ in range(num_preds):
        texts = [text + c for text in beam for c in FEW.idx_to_token[1:]]
        beam = sorted(texts, key=lambda t: -log_probability(t, net))[:width]
    return beam[0]


@pytest.mark.parametrize("kind", [few, few_layers])
@pytest.mark.parametrize("width", [2, 3, 7])
def test_a_beam_search_is_that_of_the_definition(kind, width):
    for seed in range(4):
        net = kind(seed)
        text = d2l.generate("a", 6, net, FEW, beam_size=width)
        assert text == "a" + beam_by_definition(net, 6, width)


def test_a_beam_finds_what_greedy_does_not():
    """It need not: a wider beam is only exact if it is wide enough."""
    gains = []
    for seed in range(20):
        net = few(seed, size=1.5)
        texts = [d2l.generate("a", 8, net, FEW, beam_size=k)[1:] for k in (1, 900)]
        greedy, best = (log_probability(text, net) for text in texts)
        gains.append(best - greedy)
    assert max(gains) > 0.1 and min(gains) > -1e-6


class Chain:
    """Scores of the next token that depend on the last alone: (V, V)."""

    def __init__(self, scores):
        self.scores = paddle.to_tensor(np.asarray(scores, dtype="float32"))

    def __call__(self, X, state):
        return self.scores[X.T.flatten()], state

    def begin_state(self, batch_size):
        return None


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float32, (5, 5), elements=st.floats(-9, 9, width=32)),
    st.integers(1, 5),
    st.integers(2, 300),
)
def test_no_beam_finds_a_better_text_than_there_is(table, n, width):
    """The best of a chain by Viterbi's algorithm: for every last token the best."""
    logs = table[:, 1:].astype(float)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    best = logs[1]  # the prefix is the first character
    for _ in range(n - 1):
        best = (best[:, None] + logs[1:]).max(axis=0)
    net, prefix = Chain(table), FEW.to_tokens(1)
    text = d2l.generate(prefix, n, net, FEW, beam_size=width)[1:]
    found = log_probability(text, net, prefix=prefix)
    assert found <= best.max() + 1e-6
    if width >= 4 ** (n - 1):
        assert found == pytest.approx(best.max(), abs=1e-6)


@pytest.mark.parametrize("width", [2, 5])
def test_of_equal_texts_the_first_in_the_vocabulary_is_found(width):
    net = Constant(np.zeros(len(VOCAB)))
    text = d2l.generate("t", 6, net, VOCAB, beam_size=width)
    assert text == "t" + 6 * VOCAB.to_tokens(1) == d2l.predict_ch8("t", 6, net, VOCAB)


def test_the_unknown_token_is_in_no_beam():
    y = np.zeros(len(VOCAB))
    y[0] = 50
    text = d2l.generate("t", 20, Constant(y), VOCAB, beam_size=900)
    assert "<unk>" not in text and len(text) == 21


@pytest.mark.parametrize("cell", d2l.CELLS)
def test_both_ways_of_reading_find_the_same_beam(cell):
    net = scratch(cell)
    fast = d2l.generate("time", 12, net, VOCAB, beam_size=5)
    known, place = generation._NumpyReader, generation._place(net)
    # Modules with clocks are more than the fast path knows.
    assert (type(generation._reader(net, place)) is known) == (cell != "clockwork")
    watched = Watched(net)  # nobody's cell, so as written
    assert type(generation._reader(watched, place)) is not known
    assert d2l.generate("time", 12, watched, VOCAB, beam_size=5) == fast
    assert set(watched.rows) == {1, 5}


@pytest.mark.parametrize("small", [1, 2 * 8 * 8, 3 * 8 * 8])
def test_a_beam_is_the_same_in_pieces(small, monkeypatch):
    net = scratch()
    wanted = d2l.generate("time", 12, net, VOCAB, beam_size=5)
    monkeypatch.setattr(generation, "_SMALL", small)
    assert d2l.generate("time", 12, net, VOCAB, beam_size=5) == wanted


@pytest.mark.parametrize("kind", [nn.SimpleRNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "direction": "bidirect"}])
def test_a_beam_goes_through_every_layer_of_paddle(kind, options):
    net = layered(kind, **options)
    text = d2l.generate("time", 10, net, VOCAB, beam_size=3)
    assert text == d2l.generate("time", 10, net, VOCAB, beam_size=3)
    assert text.startswith("time") and len(text) == 14


def test_a_beam_leaves_random_numbers_and_modes_alone():
    net = layered(num_layers=2, dropout=0.5)
    net.train()
    random.seed(1), np.random.seed(1), paddle.seed(1)
    wanted = random.random(), np.random.rand(), paddle.rand([1]).item()
    random.seed(1), np.random.seed(1), paddle.seed(1)
    texts = {d2l.generate("time", 9, net, VOCAB, beam_size=3, seed=s) for s in (1, 2)}
    assert (random.random(), np.random.rand(), paddle.rand([1]).item()) == wanted
    assert len(texts) == 1 and all(layer.training for layer in net.sublayers(True))


def test_a_beam_continues_a_text_of_words():
    text = d2l.generate("the time", 4, scratch(vocab=WORDS), WORDS, beam_size=50)
    assert len(text.split(" ")) == 6
    assert d2l.generate("the", 0, scratch(vocab=WORDS), WORDS, beam_size=3) == "the"


class Nested(Watched):
    """A model whose state is a dictionary, and has a part that knows of no rows."""

    def __call__(self, X, state):
        scores, (H, C) = self.net(X, (state["H"], state["more"][0].T))
        return scores, {"H": H, "more": [C.T, state["more"][1] + 1]}

    def begin_state(self, batch_size):
        H, C = self.net.begin_state(batch_size)
        return {"H": H, "more": [C.T, paddle.zeros([3])]}


def test_a_state_of_any_form_is_chosen_from_by_its_rows():
    net = scratch()
    wanted = d2l.generate("time", 12, net, VOCAB, beam_size=4)
    assert d2l.generate("time", 12, Nested(net), VOCAB, beam_size=4) == wanted


def test_a_state_that_changes_its_form_is_refused():
    class Growing(Nested):
        def __call__(self, X, state):
            scores, state = super().__call__(X, state)
            return scores, {**state, "again": state["H"]}

    with pytest.raises(ValueError, match="another form") as error:
        d2l.generate("time", 5, Growing(scratch()), VOCAB, beam_size=2)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_beam_of_scores_that_are_not_finite_is_an_error(bad):
    for net in (scratch(), Watched(scratch())):
        (net if hasattr(net, "params") else net.net).params[-1].set_value(
            paddle.full([len(VOCAB)], bad)
        )
        with pytest.raises(ValueError, match="not finite"):
            d2l.generate("time", 5, net, VOCAB, beam_size=3)


@pytest.mark.parametrize("size", [3e38, -3e38])
def test_a_beam_bears_the_largest_scores(size):
    y = np.linspace(-size, size, len(VOCAB))
    text = d2l.generate("t", 9, Constant(y), VOCAB, beam_size=3)
    assert text == d2l.predict_ch8("t", 9, Constant(y), VOCAB)


# --------------------------------------------------------------------------------------
# How probable a text is


def test_the_probabilities_of_all_texts_sum_to_one():
    net = few(1)
    total = sum(np.exp(log_probability(text, net)) for text in every_text(3))
    assert total == pytest.approx(1)


def test_a_text_is_as_probable_as_the_characters_one_by_one(net):
    found = d2l.log_probabilities("time", " the", net, VOCAB)
    for i, c in enumerate(" the"):
        with evaluation_mode(net):
            _, y = reader_of(net, "time" + " the"[:i])
        p = d2l.next_token_probabilities(y[0])[VOCAB[c]]
        assert found[i] == pytest.approx(np.log(p), abs=1e-4)
    assert d2l.log_probabilities("time", list(" the"), net, VOCAB).tolist() == [*found]


def test_what_a_model_does_not_know_it_never_writes():
    found = d2l.log_probabilities("time", "t7e", scratch(), VOCAB)
    assert np.isfinite(found).tolist() == [True, False, True]
    assert d2l.log_probabilities("time", "", scratch(), VOCAB).shape == (0,)


def test_words_are_tokens_too():
    net = scratch(vocab=WORDS)
    one = d2l.log_probabilities("the", "time was here", net, WORDS)
    two = d2l.log_probabilities(["the"], ["time", "was", "here"], net, WORDS)
    assert one.shape == (3,) and one.tolist() == two.tolist()


# --------------------------------------------------------------------------------------
# The distribution

scores = arrays(np.float32, st.integers(3, 30), elements=st.floats(-50, 50, width=32))


@settings(deadline=None)
@given(scores, st.floats(0.05, 20), st.none() | st.integers(1, 40))
def test_probabilities_sum_to_one_over_the_best_tokens(y, temperature, top_k):
    given_scores = y.copy()
    p = d2l.next_token_probabilities(y, temperature, top_k)
    assert p.shape == y.shape and p.dtype == np.float64
    assert p[0] == 0 and (p >= 0).all() and p.sum() == pytest.approx(1)
    assert np.count_nonzero(p) <= min(top_k or len(y), len(y) - 1)
    assert p[1 + y[1:].argmax()] == p.max()
    np.testing.assert_array_equal(y, given_scores)  # left as they were


@settings(deadline=None)
@given(scores, st.floats(0.1, 5), st.floats(1.2, 5))
def test_a_higher_temperature_is_flatter(y, temperature, factor):
    def entropy(p):
        p = p[p > 0]
        return -(p * np.log(p)).sum()

    assume(np.ptp(y[1:]) > 1e-2)
    sharp = d2l.next_token_probabilities(y, temperature)
    flat = d2l.next_token_probabilities(y, temperature * factor)
    assert flat.max() <= sharp.max() + 1e-12
    assert entropy(flat) >= entropy(sharp) - 1e-9


@given(scores)
def test_temperature_zero_puts_everything_on_the_best(y):
    p = d2l.next_token_probabilities(y, 0)
    assert p.max() == 1 and p.argmax() == 1 + y[1:].argmax()
    cold = d2l.next_token_probabilities(y, 1e-6, top_k=1)
    np.testing.assert_array_equal(cold, p)


@given(scores)
def test_temperature_one_is_the_softmax_without_the_unknown_token(y):
    exp = np.exp(y[1:].astype(np.float64))
    p = d2l.next_token_probabilities(y)
    np.testing.assert_allclose(p[1:], exp / exp.sum(), rtol=1e-9)


@pytest.mark.parametrize(
    "settings", [(-1.0,), (1.0, 0), (1.0, None, 0.0), (1.0, None, 1.1), (1, None, "1")]
)
def test_a_distribution_that_cannot_be_is_refused(settings):
    with pytest.raises(ValueError):
        d2l.next_token_probabilities(np.arange(4.0), *settings)


shares = st.floats(0, 1, exclude_min=True, allow_subnormal=False)


@settings(deadline=None)
@given(scores, st.floats(0.05, 20), st.none() | st.integers(1, 40), shares)
def test_top_p_keeps_the_fewest_best_tokens_that_reach_it(y, temperature, top_k, p):
    before = d2l.next_token_probabilities(y, temperature, top_k)
    after = d2l.next_token_probabilities(y, temperature, top_k, p)
    kept = after > 0
    if p < 1:
        possible = before[before > 0]
        fewest = 1 + np.sum(np.sort(possible)[::-1].cumsum()[:-1] < p - 1e-12)
        assert kept.sum() == fewest
    assert kept.any() and not kept[0] and after.sum() == pytest.approx(1)
    assert before[kept].min() >= before[~kept & (before > 0)].max(initial=0)
    assert before[kept].sum() >= p - 1e-9
    assert before[kept].sum() - before[kept].min() < p or kept.sum() == 1
    np.testing.assert_allclose(after[kept], before[kept] / before[kept].sum())


@given(scores, st.floats(0.05, 20), st.none() | st.integers(1, 40))
def test_top_p_of_one_changes_no_bit(y, temperature, top_k):
    plain = d2l.next_token_probabilities(y, temperature, top_k)
    everything = d2l.next_token_probabilities(y, temperature, top_k, 1.0)
    assert plain.tobytes() == everything.tobytes()
    assert d2l.next_token_probabilities(y, temperature, top_k, 1).tobytes() == (
        plain.tobytes()
    )


@given(scores, shares, shares)
def test_a_larger_top_p_keeps_what_a_smaller_one_keeps(y, p, q):
    small, large = (d2l.next_token_probabilities(y, 1, None, x) for x in sorted((p, q)))
    assert (large[small > 0] > 0).all()


def test_top_p_is_taken_at_the_temperature():
    y = np.log([1e-9, 0.5, 0.3, 0.2])
    assert np.count_nonzero(d2l.next_token_probabilities(y, 1.0, None, 0.75)) == 2
    assert np.count_nonzero(d2l.next_token_probabilities(y, 9.0, None, 0.75)) == 3
    assert np.count_nonzero(d2l.next_token_probabilities(y, 0.1, None, 0.75)) == 1


def test_top_p_is_taken_of_what_top_k_has_left():
    y = np.log([1e-9, 0.4, 0.3, 0.2, 0.1])
    alone = d2l.next_token_probabilities(y, 1.0, None, 0.5)
    both = d2l.next_token_probabilities(y, 1.0, 2, 0.5)  # 0.4 of 0.7 is more than half
    assert np.flatnonzero(alone).tolist() == [1, 2]
    assert np.flatnonzero(both).tolist() == [1]


@pytest.mark.parametrize("tokens", [3, 7, 10, 27])
def test_top_p_of_equal_tokens_keeps_the_first_ones_to_rounding(tokens):
    for k in range(1, tokens + 1):
        p = d2l.next_token_probabilities(np.zeros(tokens + 1), 1.0, None, k / tokens)
        assert np.flatnonzero(p).tolist() == list(range(1, k + 1))


def test_a_distribution_of_many_tokens_needs_little_memory():
    p = d2l.next_token_probabilities(np.arange(200_000.0), 0)
    assert p[-1] == 1 and p.sum() == 1


def test_drawing_from_everything_is_drawing(net):
    settings = {"temperature": 0.8, "seed": 3}
    plain = d2l.generate("time", 40, net, VOCAB, **settings)
    assert d2l.generate("time", 40, net, VOCAB, **settings, top_p=1.0) == plain
    assert d2l.generate("time", 40, net, VOCAB, **settings, top_p=1) == plain


def test_a_temperature_may_be_any_number():
    for one in (2**70, 1e308, 5e-324, np.float32(0.5), np.int64(2), True):
        text = d2l.generate("time", 5, scratch(), VOCAB, temperature=one, seed=0)
        assert len(text) == 9


@pytest.mark.parametrize("temperature", [0.1, 1.0, 50.0])
def test_the_smallest_top_p_is_greedy_at_any_temperature(net, temperature):
    settings = {"temperature": temperature, "top_p": 1e-9}
    text = d2l.generate("time", 15, net, VOCAB, **settings)
    assert text == d2l.predict_ch8("time", 15, net, VOCAB)


# --------------------------------------------------------------------------------------
# What a call leaves behind


def test_no_gradient_is_recorded(net):
    seen, call = [], type(net).__call__

    class Watched(type(net)):
        def __call__(self, X, state):
            out = call(self, X, state)
            seen.append(out)
            return out

    net.__class__ = Watched
    d2l.generate("time", 3, net, VOCAB, temperature=1.0, seed=0)
    assert len(seen) == 3
    assert all(y.stop_gradient and y.is_leaf for y, _ in seen)
    parameters = net.parameters() if isinstance(net, nn.Layer) else net.params
    assert all(p.grad is None for p in parameters)


def test_no_state_leaks_from_one_call_to_the_next(net):
    first = d2l.predict_ch8("time", 20, net, VOCAB)
    d2l.predict_ch8("traveller", 9, net, VOCAB)
    assert d2l.predict_ch8("time", 20, net, VOCAB) == first


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_a_layer_is_put_back(training):
    net = layered(num_layers=2, dropout=0.5)
    net.train() if training else net.eval()
    d2l.predict_ch8("time", 2, net, VOCAB)
    assert all(layer.training is training for layer in net.sublayers(True))


def test_the_mode_of_a_layer_is_put_back_after_an_error():
    net = layered()
    net.linear.bias.set_value(paddle.full([len(VOCAB)], float("nan")))
    net.train()
    with pytest.raises(ValueError, match="not finite"):
        d2l.predict_ch8("time", 2, net, VOCAB)
    assert net.training


def test_gradients_can_be_recorded_after_a_call(net):
    d2l.predict_ch8("time", 2, net, VOCAB)
    scores, _ = net(paddle.to_tensor([[1, 2]]), net.begin_state(1))
    assert not scores.stop_gradient


# --------------------------------------------------------------------------------------
# Prefixes and bad input


def test_nothing_to_predict_returns_the_prefix(net):
    assert d2l.predict_ch8("time", 0, net, VOCAB) == "time"


@pytest.mark.parametrize("prefix", ["", []])
def test_an_empty_prefix_is_refused(prefix):
    with pytest.raises(ValueError, match="prefix is empty"):
        d2l.predict_ch8(prefix, 5, scratch(), VOCAB)


def test_unknown_characters_are_listed_once_each_and_kept_in_the_text():
    with pytest.warns(UserWarning) as caught:
        text = d2l.predict_ch8("qty 7éq", 5, scratch(), VOCAB)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "'7' 'q' 'y' 'é'" in message and "'t'" not in message
    assert text.startswith("qty 7éq") and len(text) == 12


def test_a_prefix_of_unknown_characters_only_is_continued():
    with pytest.warns(UserWarning, match="'时' '间'"):
        text = d2l.predict_ch8("时间", 5, scratch(), VOCAB)
    assert text[:2] == "时间" and all(c in VOCAB for c in text[2:])


def test_a_known_prefix_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = d2l.generate("time", 5, scratch(), VOCAB, temperature=1e-3, seed=0)
    assert text.startswith("time")


def test_a_prefix_may_be_longer_than_any_text():
    prefix = "time traveller " * 400
    text = d2l.predict_ch8(prefix, 3, scratch("rnn"), VOCAB)
    assert text.startswith(prefix) and len(text) == 6003


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"num_preds": -1}, "num_preds is -1"),
        ({"temperature": -0.5}, "temperature is -0.5"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"temperature": 1.0, "top_k": 0}, "top_k is 0"),
        ({"top_k": -2}, "top_k is -2"),
        ({"temperature": float("inf")}, "a finite number, 0 or more"),
        ({"temperature": "hot"}, "temperature is hot"),
        ({"temperature": 10**400}, "temperature is 1000"),
        ({"temperature": np.float32("inf")}, "temperature is inf"),
        ({"num_preds": 2.5}, "num_preds is 2.5"),
        ({"num_preds": "5"}, "num_preds is 5; it must be a whole number from 0"),
        ({"temperature": 1.0, "top_k": 1.5}, "top_k is 1.5"),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"temperature": 1.0, "top_p": 0}, "top_p is 0; it must be a number above 0"),
        ({"temperature": 1.0, "top_p": 1.5}, "top_p is 1.5"),
        ({"temperature": 1.0, "top_p": float("nan")}, "top_p is nan"),
        ({"temperature": 1.0, "top_p": "much"}, "top_p is much"),
        ({"beam_size": 0}, "beam_size is 0; it must be a whole number from 1 to 1000"),
        ({"beam_size": 2**64}, f"beam_size is {2**64}"),
        ({"beam_size": 2.5}, "beam_size is 2.5"),
        ({"beam_size": None}, "beam_size is None"),
        ({"top_k": 5}, "top_k is 5 and temperature 0, at which nothing is drawn"),
        ({"top_p": 0.9}, "top_p is 0.9 and temperature 0"),
        ({"beam_size": 3, "top_k": 5}, "top_k is 5 and temperature 0"),
        ({"beam_size": 3, "temperature": 0.5}, "beam_size is 3 and temperature 0.5"),
        ({"beam_size": 3, "temperature": 1.0, "top_p": 0.5}, "give one of the two"),
    ],
)
def test_a_value_out_of_range_is_named(options, named):
    options = {"num_preds": 5, **options}
    with pytest.raises(ValueError, match=named) as error:
        d2l.generate("time", net=scratch(), vocab=VOCAB, **options)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_an_error(bad, temperature):
    net = scratch()
    net.params[-1].set_value(paddle.full([len(VOCAB)], bad))
    with pytest.raises(ValueError, match="not finite"):
        d2l.generate("time", 5, net, VOCAB, temperature=temperature)


def test_a_list_of_words_is_a_prefix_for_a_model_of_words():
    text = d2l.predict_ch8(["the", "time"], 4, scratch(vocab=WORDS), WORDS)
    words = text.split(" ")
    assert words[:2] == ["the", "time"] and len(words) == 6
    assert set(words[2:]) <= set(WORDS.idx_to_token[1:])


def test_a_prefix_is_read_as_the_training_text_was():
    net = scratch(vocab=BOOK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = d2l.predict_ch8(" The\n  Time ", 9, net, BOOK)
    assert text == d2l.predict_ch8(" the time ", 9, net, BOOK)
    assert text.startswith(" the time ") and len(text) == 19
    unicode = d2l.Vocab("café au lait", normalization="unicode")
    text = d2l.generate("Cafe\u0301  AU", 3, scratch(vocab=unicode), unicode)
    assert text.startswith("café au") and len(text) == 10


@pytest.mark.parametrize("join", ["", " ", "\n"])
@given(prefix=st.text(st.sampled_from("aTe \n\t7é時-"), min_size=1, max_size=9))
@settings(max_examples=15)
def test_every_prefix_comes_back_normalised(join, prefix):
    vocab = d2l.Vocab("the time\n ", normalization="book", join=join)
    net = Constant(np.arange(len(vocab)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = d2l.generate(prefix, 2, net, vocab)
    assert text[:-2] == vocab.prefix(prefix)


def test_what_the_normalization_takes_away_is_listed_once_each():
    with pytest.warns(UserWarning) as caught:
        text = d2l.predict_ch8("It's 1895!\t11 é", 5, scratch(vocab=BOOK), BOOK)
    (warning,) = caught
    message = str(warning.message)
    assert """'!' "'" '1' '5' '8' '9' 'é'; the model reads a space there""" in message
    assert message.endswith(".") and "\n" not in message
    assert text.startswith("it s ")


def test_a_prefix_may_be_outside_the_alphabet_and_the_vocabulary_at_once():
    vocab = d2l.Vocab("abc ", normalization="book")
    with pytest.warns(UserWarning) as caught:
        text = d2l.predict_ch8("a9q", 2, scratch(vocab=vocab), vocab)
    replaced, unknown = (str(w.message) for w in caught)
    assert "'9'; the model reads a space" in replaced
    assert "characters that the model never saw, 'q'; they" in unknown
    assert text.startswith("a q")


def test_a_list_of_tokens_is_taken_as_it_is():
    with pytest.warns(UserWarning, match="'T'; they become <unk>"):
        text = d2l.predict_ch8(["T", "h"], 2, scratch(vocab=BOOK), BOOK)
    assert text.startswith("Th") and len(text) == 4


def test_a_string_is_a_prefix_for_a_model_of_words():
    words = d2l.Vocab(
        "the time traveller was here".split(), normalization="book", join="\n"
    )
    net = scratch(vocab=words)
    text = d2l.predict_ch8(" The\ntime  ", 4, net, words)
    assert text == d2l.predict_ch8(["the", "time"], 4, net, words)
    assert d2l.predict_ch8("was  here", 0, net, words) == "was here"


def test_words_that_the_model_never_saw_are_listed():
    with pytest.warns(UserWarning, match="words") as caught:
        text = d2l.predict_ch8("the Morlock time", 2, scratch(vocab=WORDS), WORDS)
    message = str(caught[0].message)
    assert "words that the model never saw, 'Morlock'; they become <unk>." in message
    assert text.split(" ")[:3] == ["the", "Morlock", "time"]


@pytest.mark.parametrize("prefix", ["", " ", "1895 \n", []])
def test_a_prefix_without_a_word_is_refused_by_a_model_of_words(prefix):
    words = d2l.Vocab(["the", "time"], normalization="book")
    with pytest.raises(
        ValueError, match="the prefix (is empty|has no word).*one word"
    ) as error:
        d2l.predict_ch8(prefix, 5, scratch(vocab=words), words)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("vocab", [VOCAB, BOOK, WORDS], ids=["none", "book", "words"])
def test_a_warning_stays_short_whatever_the_prefix(vocab):
    prefix = "".join(map(chr, range(0x4E00, 0x5000))) + "\x1b[2J"
    with pytest.warns(UserWarning) as caught:
        d2l.predict_ch8(prefix, 1, scratch(vocab=vocab), vocab)
    for warning in caught:
        assert len(str(warning.message)) < 300
        assert str(warning.message).isprintable()


def test_a_vocabulary_of_the_books_own_library_will_do(book):
    net = scratch()
    theirs = book.Vocab(list("the time traveller was expounding a recondite matter"))
    assert theirs.idx_to_token == VOCAB.idx_to_token
    text = d2l.predict_ch8("time", 9, net, VOCAB)
    assert d2l.predict_ch8("time", 9, net, theirs) == text


# --------------------------------------------------------------------------------------
# Long prefixes, long texts, devices


def test_a_long_prefix_is_read_in_pieces(monkeypatch):
    net = Watched(scratch())
    text = d2l.predict_ch8("time traveller " * 100, 3, net, VOCAB)
    assert sum(net.sizes) == 1502 and max(net.sizes) <= 512
    monkeypatch.setattr(generation, "_PIECE", 10_000)
    assert d2l.predict_ch8("time traveller " * 100, 3, net, VOCAB) == text


@pytest.mark.parametrize("piece", [1, 3, 4, 5])
def test_the_state_goes_on_from_piece_to_piece(net, piece, monkeypatch):
    monkeypatch.setattr(generation, "_PIECE", piece)
    assert d2l.predict_ch8("time", 20, net, VOCAB) == greedy_by_hand("time", 20, net)


def test_a_quick_call_shows_no_progress(capfd):
    d2l.predict_ch8("time", 20, scratch(), VOCAB)
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_slow_call_shows_a_bar_on_a_terminal_and_takes_it_away(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setitem(generation._BAR, "delay", 1e-9)
    monkeypatch.setitem(generation._BAR, "mininterval", 0)
    d2l.predict_ch8("time", 20, scratch(), VOCAB)
    shown = sys.stderr.getvalue()
    assert "/23 " in shown and "token/s" in shown and shown.endswith(" \r")


class Elsewhere(Watched):
    """A model with parameters on a device of its own."""

    def __init__(self, net, place):
        super().__init__(net)
        self.forward_fn = net.forward_fn
        self.params = [types.SimpleNamespace(place=place)]


@pytest.mark.parametrize("named", [True, False])
def test_indices_are_put_where_the_parameters_are(named, monkeypatch):
    places, to_tensor, there = [], paddle.to_tensor, paddle.CPUPlace()

    def watched(data, dtype=None, place=None):
        places.append(place)
        return to_tensor(data, dtype)

    net = Elsewhere(scratch(), None if named else there)
    monkeypatch.setattr(paddle, "to_tensor", watched)
    d2l.predict_ch8("time", 3, net, VOCAB, there if named else None)
    assert len(places) == 3 and all(place is there for place in places)


def test_more_tokens_than_there_are_is_all_of_them():
    y = np.arange(5.0)
    everything = d2l.next_token_probabilities(y)
    np.testing.assert_array_equal(d2l.next_token_probabilities(y, top_k=99), everything)


@pytest.mark.parametrize("kind", [nn.SimpleRNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("direction", ["forward", "bidirect"])
def test_every_layer_of_paddle_continues_a_prefix(kind, layers, direction):
    net = layered(kind, num_layers=layers, direction=direction)
    text = d2l.generate("time", 6, net, VOCAB, temperature=1.0, seed=0)
    assert text.startswith("time") and len(text) == 10


@pytest.mark.parametrize("cell", d2l.CELLS)
def test_every_cell_continues_a_prefix(cell):
    text = d2l.predict_ch8("time", 3, scratch(cell), VOCAB)
    assert text == greedy_by_hand("time", 3, scratch(cell))
