"""Reading, and learning while reading: no token has a part in its own prediction."""

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import reading
from d2l_lstm.fast import available_backends
from d2l_lstm.reading import gradients_of, read_along
from d2l_lstm.training import perplexity

V, TEXT = 7, np.random.default_rng(0).integers(0, 7, 61)


@pytest.fixture(params=["fast", "autograd"])
def way(request, monkeypatch):
    if request.param == "autograd":
        monkeypatch.setattr(reading, "available_backends", lambda dtype: ())
    elif not available_backends():
        pytest.skip("this wheel of Paddle has no MKL")
    return request.param


def model(cell="lstm", seed=1):
    paddle.seed(seed)
    net = d2l.scratch_model(cell, V, 6)
    for param in net.params:
        param.set_value(paddle.randn(param.shape) * 0.5)
    return net


def weights(net):
    return [p.numpy().copy() for p in net.params]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_reading_gives_the_perplexity_that_evaluation_gives(cell):
    net = model(cell)
    one_row = d2l.SeqDataLoader(1, 10, corpus=TEXT, vocab=None, offset=0)
    found = np.exp(-np.log(read_along(net, TEXT, num_steps=7)).mean())
    assert found == pytest.approx(d2l.evaluate_perplexity(net, one_row), rel=1e-5)


def test_learning_while_reading_is_one_epoch_of_training_in_one_row(way):
    """Whose training perplexity is measured before each update."""
    net, num_steps = model(), 10
    before = weights(net)
    p = read_along(net, TEXT, lr=0.7, num_steps=num_steps)
    for one, two in zip(before, weights(net)):
        np.testing.assert_array_equal(one, two)  # the network stays as it was
    loader = d2l.SeqDataLoader(1, num_steps, corpus=TEXT, vocab=None, offset=0)
    history = d2l.fit(net, loader, d2l.token_losses, 1, lr=0.7, metric=perplexity)
    assert np.exp(-np.log(p).mean()) == pytest.approx(history.train[0], rel=1e-5)


def test_each_token_is_predicted_before_it_is_learnt(way):
    other = TEXT.copy()
    other[35:] = (other[35:] + 1) % V
    one, two = (read_along(model(), t, lr=1.0, num_steps=5) for t in (TEXT, other))
    np.testing.assert_array_equal(one[:34], two[:34])
    assert (one[34:] != two[34:]).all()


def test_both_ways_learn_the_same(monkeypatch):
    net = model()
    fast = read_along(net, TEXT, lr=1.0, theta=0.5)
    monkeypatch.setattr(reading, "available_backends", lambda dtype: ())
    assert type(gradients_of(net)) is reading._Autograd
    slow = read_along(net, TEXT, lr=1.0, theta=0.5)
    np.testing.assert_allclose(fast, slow, rtol=1e-3)


def test_a_text_that_repeats_itself_is_learnt():
    net, text, nats = model(), [0, 3, 1, 4, 2, 5] * 60, []
    for lr in (0, 3.0):
        p = read_along(net, text, lr=lr, num_steps=10)
        nats.append(-np.log(p[-60:]).mean())
    assert nats[1] < nats[0] / 2


def test_what_is_no_registered_cell_is_refused():
    net = d2l.RNNModel(paddle.nn.LSTM(V, 6, time_major=True), V)
    with pytest.raises(ValueError, match="RNNModelScratch"):
        read_along(net, TEXT)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lr": -1.0}, "lr is -1"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"theta": 0}, "theta 0"),
        ({"num_steps": 0}, "num_steps"),
    ],
)
def test_numbers_that_cannot_be_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        read_along(model(), TEXT, **options)


@pytest.mark.parametrize("text", [[1], [[1, 2]], [0.5, 1.0], [1, V]])
def test_a_text_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="text|token"):
        read_along(model(), text)


def test_scores_that_are_not_finite_are_no_probabilities():
    net = model()
    net.params[0].set_value(net.params[0] * float("nan"))
    with np.errstate(all="ignore"), pytest.raises(d2l.NonFiniteLossError, match="scor"):
        read_along(net, TEXT)
