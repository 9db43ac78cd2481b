"""Continuing a prefix."""

import random
import warnings

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from paddle import nn

VOCAB = d2l.Vocab("the time traveller was expounding a recondite matter")
WORDS = d2l.Vocab("the time traveller was here".split())


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


@pytest.mark.parametrize(("temperature", "top_k"), [(-1.0, None), (1.0, 0)])
def test_a_distribution_that_cannot_be_is_refused(temperature, top_k):
    with pytest.raises(ValueError):
        d2l.next_token_probabilities(np.arange(4.0), temperature, top_k)


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
