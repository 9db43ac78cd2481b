"""The loop: any model, loss and metric; what it clears, refuses and notices."""

import math
import random

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import devices, fitting, training
from paddle import nn
from paddle.nn.functional import cross_entropy, mse_loss

CORPUS, VOCAB = d2l.load_corpus(
    "the time traveller for so it will be convenient to speak of him was expounding a "
    "recondite matter to us his grey eyes shone and twinkled and his usually pale face "
)


def data(**options):
    return d2l.SeqDataLoader(4, 5, corpus=CORPUS, vocab=VOCAB, **options)


def model(kind="scratch"):
    paddle.seed(3)
    if kind == "scratch":
        return d2l.scratch_model("lstm", len(VOCAB), 8)
    return d2l.RNNModel(nn.GRU(len(VOCAB), 8, time_major=True), len(VOCAB))


def train(net, num_epochs=2, train_iter=None, **options):
    random.seed(3)
    options = {"lr": 1.0, **options}
    return d2l.train_ch8(
        net, data() if train_iter is None else train_iter, VOCAB,
        num_epochs=num_epochs, progress=False, **options,
    )  # fmt: skip


def weights(net):
    return {name: p.numpy().copy() for name, p in d2l.parameters_of(net).items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[n], b[n]) for n in a)


# --------------------------------------------------------------------------------------
# Any model, loss and metric


def points(n=64):
    """A regression problem: y = 3 x_1 - 2 x_2 + 1, in minibatches of 16."""
    X = np.random.default_rng(0).normal(size=(n, 2)).astype("float32")
    y = X @ np.array([[3.0], [-2.0]], "float32") + 1
    X, y = paddle.to_tensor(X), paddle.to_tensor(y)
    return [(X[i : i + 16], y[i : i + 16]) for i in range(0, n, 16)]


def squared(net, data):
    for X, y in data:
        yield mse_loss(net(X), y), len(y)


def test_a_regression_is_fitted_and_measured_in_its_own_metric():
    net = nn.Linear(2, 1)

    def rmse(mse):
        return mse**0.5

    history = d2l.fit(
        net, points(), squared, 60, lr=0.1, valid_iter=points(32), metric=rmse
    )
    np.testing.assert_allclose(net.weight.numpy().ravel(), [3, -2], atol=1e-3)
    assert history.metric == "rmse" and history.valid[-1] < 1e-3 < history.train[0]
    mse = np.mean([float(mse_loss(net(X), y)) for X, y in points(32)])
    assert history.valid[-1] == pytest.approx(mse**0.5, rel=1e-5)


def test_a_classifier_is_judged_by_another_number_than_its_loss():
    net = nn.Linear(2, 2)
    two = [(X, (y[:, 0] > 0).astype("int64")) for X, y in points()]

    def losses(net, data):
        for X, y in data:
            yield cross_entropy(net(X), y), len(y)

    def error(net, data):
        wrong = [float((net(X).argmax(1) != y).sum()) for X, y in data]
        return sum(wrong) / sum(len(y) for _, y in data)

    history = d2l.fit(net, two, losses, 30, lr=1.0, valid_iter=two, evaluate=error)
    assert history.valid[-1] < 0.1 < math.log(2) < history.train[0] + 1
    assert history.valid[-1] == error(net, two)


def test_a_judge_of_ones_own_sees_evaluation_mode_and_no_gradients():
    net, seen = nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5)), []

    def judge(net, data):
        seen.append((net.training, net[1].training, paddle.is_grad_enabled()))
        return 1.0

    d2l.fit(net, points(), squared, 2, lr=0.1, valid_iter=points(), evaluate=judge)
    assert seen == [(False, False, False)] * 2
    assert net.training and paddle.is_grad_enabled()


def test_a_judgement_that_is_not_a_number_is_an_error():
    options = {"lr": 0.1, "valid_iter": points(), "evaluate": lambda *_: math.nan}
    with pytest.raises(d2l.NonFiniteLossError, match="validation is not a number"):
        d2l.fit(nn.Linear(2, 1), points(), squared, 2, **options)


def test_random_minibatches_to_validate_on_do_not_move_the_training():
    net, other = model(), model()
    shuffled = d2l.SeqDataLoader(2, 3, corpus=CORPUS[:60], vocab=VOCAB)
    train(net, 4)
    train(other, 4, valid_iter=shuffled, valid_every=3)
    assert same(weights(net), weights(other))


def test_every_layer_keeps_its_own_mode():
    net = nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5))
    net.train()
    net[0].eval()
    d2l.mean_loss(net, squared(net, points()))
    assert [layer.training for layer in net] == [False, True] and net.training
    net.eval()
    net[1].train()  # and yet an evaluation has no dropout
    losses = {d2l.mean_loss(net, squared(net, points())) for _ in range(5)}
    assert len(losses) == 1 and net[1].training


def test_a_model_of_params_and_a_call_is_enough():
    class Line:
        def __init__(self):
            self.params = [paddle.zeros([2, 1])]
            self.params[0].stop_gradient = False

        def __call__(self, X):
            return X @ self.params[0]

    net = Line()
    d2l.fit(net, points(), squared, 20, lr=0.1)
    np.testing.assert_allclose(net.params[0].numpy().ravel(), [3, -2], atol=0.7)


def test_what_an_optimizer_does_not_hold_does_not_pile_up():
    norms, net = [], model()
    clip = fitting.grad_clipping
    some = paddle.optimizer.SGD(1e-9, parameters=net.params[:-2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            fitting, "grad_clipping", lambda *a: norms.append(clip(*a)) or norms[-1]
        )
        d2l.train_epoch_ch8(net, data(offset=0), None, some)
    assert len(norms) > 5 and max(norms) < 2 * min(norms)


def test_the_mean_weighs_every_item_the_same():
    net = nn.Linear(1, 1, weight_attr=nn.initializer.Constant(0.0))
    net.bias.set_value(paddle.zeros([1]))
    sizes = [
        (paddle.zeros([n, 1]), paddle.full([n, 1], v)) for n, v in ((9, 1), (1, 3))
    ]
    assert d2l.mean_loss(net, squared(net, sizes)) == pytest.approx(1.8)
    losses = squared(net, sizes)
    loss, _ = fitting.fit_epoch(net, losses, lambda: None, math.inf)
    assert loss == pytest.approx(1.8)


def test_statistics_of_a_layer_go_back_with_its_weights():
    net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1D(4), nn.Linear(4, 1))
    batches = points()

    def stop(net, data):
        for i, (X, y) in enumerate(data):
            if i == 2 and stop.epochs == 1:
                raise KeyboardInterrupt
            yield mse_loss(net(X), y), len(y)
        stop.epochs += 1

    stop.epochs = 0
    states = []

    class Watch(d2l.Callback):
        def epoch(self, run, scheduled):
            states.append({n: t.numpy().copy() for n, t in net.state_dict().items()})

    history = d2l.fit(net, batches, stop, 5, lr=0.1, callbacks=(Watch(),))
    assert (history.stopped, len(states)) == ("interrupted", 1)
    assert same({n: t.numpy() for n, t in net.state_dict().items()}, states[0])


def test_callbacks_are_told_of_every_epoch_of_the_end_and_of_a_failure():
    told = []

    class Tell(d2l.Callback):
        def begin(self, run):
            told.append("begun")

        def epoch(self, run, scheduled):
            told.append((len(run.history.epochs), scheduled))

        def end(self, run):
            told.append(run.history.stopped)

        def failed(self):
            told.append("failed")

    options = {"lr": 0.1, "valid_every": 2, "callbacks": (Tell(),)}
    d2l.fit(nn.Linear(2, 1), points(), squared, 3, **options)
    assert told == ["begun", (1, False), (2, True), (3, True), "finished"]
    told.clear()
    with pytest.raises(d2l.NonFiniteLossError):
        d2l.fit(nn.Linear(2, 1), points(), squared, 3, **{**options, "lr": 1e30})
    assert told[-1] == "failed" and "finished" not in told


# --------------------------------------------------------------------------------------
# Gradients


@pytest.mark.parametrize("kind", ["scratch", "layer"])
def test_gradients_from_before_are_not_added_to_the_first_step(kind):
    net, other = model(kind), model(kind)
    X, _ = next(iter(data(offset=0)))
    scores, _ = other(X, other.begin_state(4))
    (scores**2).sum().backward()
    train(net)
    train(other)
    assert same(weights(net), weights(other))


@pytest.mark.parametrize("kind", ["scratch", "layer"])
def test_an_interrupt_after_backward_leaves_nothing_for_the_next_run(kind, monkeypatch):
    net, other = model(kind), model(kind)
    train(net)

    def interrupt(net, theta):  # the gradients are there, and not yet used
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "grad_clipping", interrupt)
        assert train(other, fast=False).stopped == "interrupted"
    assert all(p.grad is None for p in d2l.parameters_of(other).values())
    train(other)
    assert same(weights(net), weights(other))


@pytest.mark.parametrize("size", [3e19, 1e30, 3e38])
def test_a_gradient_whose_square_overflows_keeps_its_direction(size):
    layer = nn.Linear(2, 1)
    (layer.weight * paddle.to_tensor([[size], [-size]])).sum().backward()
    d2l.grad_clipping(layer, 1.0)
    np.testing.assert_allclose(
        layer.weight.grad.numpy().ravel(), [0.5**0.5, -(0.5**0.5)], rtol=1e-5
    )


def test_clipping_returns_the_norm_and_infinity_clips_nothing():
    layer = nn.Linear(2, 1)
    (layer.weight * paddle.to_tensor([[3.0], [4.0]])).sum().backward()
    assert d2l.grad_clipping(layer, math.inf) == pytest.approx(5)
    assert layer.weight.grad.numpy().ravel().tolist() == [3, 4]


def test_a_gradient_that_is_not_finite_updates_nothing():
    net = nn.Linear(1, 1, weight_attr=nn.initializer.Constant(0.0))
    before = weights(net)

    def losses(net, data):
        for _, y in data:
            yield net.weight.sqrt().sum(), len(y)  # its slope at 0 is infinite

    with pytest.raises(d2l.NonFiniteLossError, match="gradient is"):
        d2l.fit(net, points(), losses, 1, lr=0.1)
    assert same(weights(net), before)


# --------------------------------------------------------------------------------------
# What an epoch does beside the update


def test_an_epoch_puts_a_layer_into_training_mode():
    net = d2l.RNNModel(
        nn.LSTM(len(VOCAB), 8, 2, dropout=0.5, time_major=True), len(VOCAB)
    )
    modes = []
    forward = net.rnn.forward
    net.rnn.forward = lambda *a: modes.append(net.rnn.training) or forward(*a)
    net.eval()
    d2l.train_epoch_ch8(net, data(), None, lambda batch_size: None)
    assert modes and all(modes)


def test_tokens_per_second_are_the_tokens_over_the_seconds(monkeypatch):
    clock = iter([10.0, 14.0])
    monkeypatch.setattr(fitting.time, "perf_counter", lambda: next(clock))
    batches = list(data(offset=0))
    _, speed = d2l.train_epoch_ch8(model(), batches, None, lambda batch_size: None)
    assert speed == sum(Y.size for _, Y in batches) / 4


def test_an_epoch_and_an_evaluation_set_the_number_of_threads(monkeypatch):
    calls = []
    monkeypatch.setattr(fitting, "set_product_threads", lambda: calls.append(1))
    d2l.train_epoch_ch8(model(), data(), None, lambda batch_size: None)
    assert len(calls) == 1
    d2l.evaluate_perplexity(model(), data(offset=0))
    assert len(calls) == 2
    set_to = []
    monkeypatch.setattr(paddle.base.core, "set_num_threads", set_to.append)
    monkeypatch.setenv("D2L_LSTM_THREADS", "3")
    assert devices.set_product_threads() == 3 and set_to == [3]
    monkeypatch.delenv("D2L_LSTM_THREADS")
    assert devices.set_product_threads() == 1 and set_to == [3, 1]


def test_random_minibatches_start_from_a_fresh_state_though_nobody_says_so():
    net, states = model(), []
    forward = net.forward_fn
    net.forward_fn = lambda X, state, params: (
        states.append(bool(state[0].any())) or forward(X, state, params)
    )
    train(net, 1, data(use_random_iter=True))
    assert len(states) > 3 and not any(states)


def test_counting_parameters_draws_no_random_number():
    cell = d2l.CELLS["lstm"]
    paddle.seed(7)
    wanted = paddle.randn([3]).numpy()
    paddle.seed(7)
    cell.num_params(5, 4)
    np.testing.assert_array_equal(paddle.randn([3]), wanted)


# --------------------------------------------------------------------------------------
# Patience


def test_patience_below_the_distance_of_measurements_waits_for_a_second_one():
    rates = [1.0] * 4 + [0.0] * 16
    history = train(
        model(), 20, lr=lambda epoch: rates[epoch],
        valid_iter=data(offset=0), valid_every=4, patience=2,
    )  # fmt: skip
    measured = [e for e, v in zip(history.epochs, history.valid) if v is not None]
    assert measured[:2] == [4, 8] and history.stopped == "early stopping"
    assert history.epochs[-1] == measured[-1] == 8


# --------------------------------------------------------------------------------------
# Arguments that do not fit, and numbers that are none


def scheduled(net):
    schedule = paddle.optimizer.lr.CosineAnnealingDecay(0.1, 5)
    return paddle.optimizer.Adam(schedule, parameters=net.params)


REFUSED = {
    "theta -1": ({"theta": -1.0}, "theta is -1.0; it must be above 0"),
    "theta 0": ({"theta": 0}, "theta is 0; it must be above 0"),
    "theta NaN": ({"theta": math.nan}, "theta is nan; it must be above 0"),
    "theta as text": ({"theta": "1"}, "theta is 1; it must be above 0"),
    "no theta": ({"theta": None}, "theta is None; it must be above 0"),
    "lr as text": ({"lr": "fast"}, "lr is fast; it must be a number above 0"),
    "no lr": ({"lr": None}, "lr is None; it must be a number above 0"),
    "no rate": ({"lr": lambda epoch: None}, "rate of epoch 1 is nan"),
    "optimizer as text": ({"optimizer": "adam"}, "it must be a Paddle optimizer"),
    "no data": ({"train_iter": 5}, "train_iter is 5; it must yield minibatches"),
    "no validation data": ({"valid_iter": 5}, "valid_iter is 5; it must yield"),
    "an empty validation": ({"valid_iter": []}, "valid_iter yields no minibatch"),
    "a validation to be read once": (
        {"valid_iter": (b for b in list(data(offset=0))), "valid_every": 1},
        "valid_iter can be read only once",
    ),
    "an empty prefix": ({"prefixes": ["the", ""]}, "a prefix is empty"),
    "lr 0": ({"lr": 0}, "lr is 0; it must be a number above 0"),
    "lr -1": ({"lr": -1.0}, "lr is -1.0; it must be a number above 0"),
    "lr NaN": ({"lr": math.nan}, "lr is nan; it must be a number above 0"),
    "lr inf": ({"lr": math.inf}, "lr is inf; it must be a number above 0"),
    "a rate of NaN": ({"lr": lambda epoch: math.nan}, "rate of epoch 1 is nan"),
    "a generator": (
        {"train_iter": (b for b in list(data(offset=0)))},
        "can be read only once",
    ),
    "nothing": ({"train_iter": []}, "yields no minibatch; there is nothing to train"),
    "an optimizer with a schedule": ({"optimizer": scheduled}, "holds a schedule"),
    "somebody else's optimizer": (
        {"optimizer": lambda net: paddle.optimizer.Adam(parameters=model().params)},
        "has other parameters than the model",
    ),
}


@pytest.mark.parametrize(("options", "named"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_one_sentence_and_changes_nothing(options, named):
    net = model()
    before = weights(net)
    if callable(options.get("optimizer")):
        options = {"optimizer": options["optimizer"](net)}
    with pytest.raises(ValueError, match=named) as error:
        train(net, **options)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")
    assert same(weights(net), before)


def test_a_vocabulary_of_another_size_is_one_sentence():
    with pytest.raises(ValueError, match="the model is for 5 tokens"):
        train(d2l.scratch_model("rnn", 5, 3))


def test_sparse_gradients_are_refused_before_they_crash():
    net = nn.Sequential(nn.Embedding(5, 3, sparse=True), nn.Linear(3, 5))
    with pytest.raises(ValueError, match="sparse=False"):
        d2l.fit(net, [1], lambda net, data: iter([]), 1, lr=0.1)


def test_theta_is_refused_by_an_epoch_of_its_own_too():
    with pytest.raises(ValueError, match="theta is -2"):
        d2l.train_epoch_ch8(model(), data(), None, lambda batch_size: None, theta=-2)


def test_weights_that_are_no_numbers_have_no_perplexity():
    net = model()
    net.params[0].set_value(paddle.full_like(net.params[0], math.nan))
    with pytest.raises(d2l.NonFiniteLossError, match="not a number"):
        d2l.evaluate_perplexity(net, data(offset=0))


def test_a_perplexity_beyond_all_numbers_is_infinite():
    assert training.perplexity(0.0) == 1 and training.perplexity(800.0) == math.inf
