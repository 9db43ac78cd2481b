"""Training: the update, the epoch, stopping, going on, measuring."""

import json
import math
import random
import time

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import training
from d2l_lstm.checkpoints import CheckpointError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from paddle import nn

CORPUS, VOCAB = d2l.load_corpus(
    "the time traveller for so it will be convenient to speak of him was expounding a "
    "recondite matter to us his grey eyes shone and twinkled and his usually pale face "
    "was flushed and animated the fire burned brightly and the soft radiance of the "
)
SEED = 3


def data(use_random_iter=False):
    return d2l.split_corpus(CORPUS, VOCAB, 4, 5, 130, 90, use_random_iter)


def make(kind="scratch", seed=SEED, num_hiddens=8):
    paddle.seed(seed)
    if kind == "scratch":
        return d2l.scratch_model("lstm", len(VOCAB), num_hiddens)
    layer = nn.LSTM(len(VOCAB), num_hiddens, 2, dropout=0.3, time_major=True)
    return d2l.RNNModel(layer, len(VOCAB))


def train(net, num_epochs, *, lr=1.0, train_iter=None, random_iter=False, **options):
    """Train with the random numbers of a seed; another one where a run is resumed."""
    seed = SEED + options.get("resume", False)
    random.seed(seed)
    paddle.seed(seed)
    loader, valid_iter = data(random_iter)
    if options.pop("validate", False):
        options["valid_iter"] = valid_iter
    return d2l.train_ch8(
        net,
        loader if train_iter is None else train_iter,
        VOCAB,
        lr,
        num_epochs,
        None,
        random_iter,
        progress=False,
        **options,
    )


def weights(net):
    return {name: p.numpy().copy() for name, p in d2l.parameters_of(net).items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[n], b[n]) for n in a)


def is_one_sentence(text):
    return "\n" not in text and text.rstrip()[-1] in ".?" and len(text) < 300


class Watched:
    """Minibatches, counted; an exception instead of minibatch number `stop`."""

    def __init__(self, loader, stop=math.inf, error=KeyboardInterrupt):
        self.loader, self.stop, self.error, self.count = loader, stop, error, 0

    def __iter__(self):
        for batch in self.loader:
            self.count += 1
            if self.count > self.stop:
                raise self.error
            yield batch


class Table:
    """A model without memory: the scores of the next token are a row of a table.

    It notes the states that it is given; a state counts the calls since it was new.
    """

    def __init__(self, table):
        self.table = paddle.to_tensor(table, "float32")
        self.params, self.seen = [], []

    def __call__(self, X, state):
        self.seen.append(state)
        return self.table[X.T.reshape([-1])], (state[0] + 1,)

    def begin_state(self, batch_size):
        return (paddle.zeros([batch_size, 1]),)


# --------------------------------------------------------------------------------------
# Stopped and resumed

STOPPED = {
    "scratch": ("scratch", False, {}),
    "scratch, random": ("scratch", True, {}),
    "scratch, patience": ("scratch", False, {"validate": True, "patience": 6}),
    "concise": ("concise", False, {}),
    "concise, random, validated": ("concise", True, {"validate": True}),
    "concise, patience": ("concise", False, {"validate": True, "patience": 6}),
    "concise, random, patience": ("concise", True, {"validate": True, "patience": 6}),
}


@pytest.mark.parametrize(
    ("kind", "random_iter", "options"), STOPPED.values(), ids=STOPPED
)
@pytest.mark.parametrize("how", ["fewer epochs", "interrupt"])
def test_a_run_stopped_and_resumed_ends_with_the_same_weights(
    kind, random_iter, options, how, tmp_path
):
    options = {"random_iter": random_iter, "valid_every": 2, **options}
    net = make(kind)
    whole = train(net, 6, **options)

    stopped, file = make(kind), tmp_path / "run.safetensors"
    if how == "fewer epochs":
        train(stopped, 4, checkpoint=file, **options)
    else:
        watched = Watched(data(random_iter)[0])
        watched.stop = 3 * len(list(watched)) + 2
        watched.count = 0
        first = train(stopped, 6, train_iter=watched, checkpoint=file, **options)
        assert (first.stopped, first.epochs) == ("interrupted", [1, 2, 3])
    resumed = make(kind, seed=99)
    history = train(resumed, 6, checkpoint=file, resume=True, **options)

    assert same(weights(resumed), weights(net))
    assert history.train_perplexity == whole.train_perplexity
    assert history.valid_perplexity == whole.valid_perplexity
    assert history.stopped == "finished"


def test_a_validation_that_only_the_stop_caused_does_not_change_the_resumed_run(
    tmp_path,
):
    # Epoch 3 is the best one, but an unstopped run measures epochs 2, 4 and 6 only.
    file = tmp_path / "run.safetensors"
    options = {"validate": True, "valid_every": 2, "patience": 9}
    options["lr"] = lambda epoch: 1.0 if epoch < 3 else -0.2
    net, resumed = make(), make()
    train(net, 6, **options)
    train(resumed, 3, checkpoint=file, **options)
    train(resumed, 6, checkpoint=file, resume=True, **options)
    assert same(weights(resumed), weights(net))


@pytest.mark.parametrize(
    "schedule",
    [
        lambda: paddle.optimizer.lr.CosineAnnealingDecay(1.0, T_max=6),
        lambda: paddle.optimizer.lr.LinearWarmup(1.0, 4, 0.1, 1.0),
        lambda: paddle.optimizer.lr.LinearLR(1.0, total_steps=6, start_factor=0.2),
        lambda: lambda epoch: 1 / (1 + epoch),
    ],
    ids=["cosine", "warm-up", "linear", "function"],
)
def test_a_schedule_goes_on_where_it_stopped(schedule, tmp_path):
    file = tmp_path / "run.safetensors"
    net, resumed = make(), make()
    whole = train(net, 5, lr=schedule())
    train(resumed, 3, lr=schedule(), checkpoint=file)
    history = train(resumed, 5, lr=schedule(), checkpoint=file, resume=True)
    assert history.lr == whole.lr
    assert same(weights(resumed), weights(net))


def test_resume_without_the_file_is_refused_and_trains_nothing(tmp_path):
    net = make()
    before = weights(net)
    with pytest.raises(CheckpointError, match="mistyped") as error:
        train(net, 2, checkpoint=tmp_path / "mistyped", resume=True)
    assert is_one_sentence(str(error.value))
    assert same(weights(net), before) and not list(tmp_path.iterdir())


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    file = tmp_path / "run.safetensors"
    net, other = make(), make(seed=5)
    history = train(net, 2, checkpoint=file)
    again = train(other, 2, checkpoint=file, resume=True)
    assert again.to_dict() == history.to_dict()
    assert same(weights(net), weights(other))


OTHERS = {
    "size": lambda: d2l.scratch_model("lstm", len(VOCAB), 9),
    "cell": lambda: d2l.scratch_model("gru", len(VOCAB), 8),
    "kind": lambda: make("concise"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_resuming_the_run_of_another_model_is_refused_in_one_sentence(other, tmp_path):
    file = tmp_path / "run.safetensors"
    train(make(), 1, checkpoint=file)
    net = other()
    before = weights(net)
    with pytest.raises(CheckpointError, match="another model") as error:
        train(net, 2, checkpoint=file, resume=True)
    assert is_one_sentence(str(error.value))
    assert same(weights(net), before)


def test_resuming_a_cell_with_the_same_shapes_is_refused(tmp_path, frozen_cell):
    file = tmp_path / "run.safetensors"
    net = d2l.scratch_model("peephole", len(VOCAB), 8)
    train(net, 1, checkpoint=file)
    with pytest.raises(CheckpointError):
        other = d2l.scratch_model(frozen_cell, len(VOCAB), 8)
        train(other, 2, checkpoint=file, resume=True)


def test_resuming_with_another_vocabulary_of_the_same_size_is_refused(tmp_path):
    file = tmp_path / "run.safetensors"
    train(make(), 1, checkpoint=file)
    other = d2l.Vocab(sorted(VOCAB.idx_to_token[1:], reverse=True))
    assert len(other) == len(VOCAB)
    with pytest.raises(CheckpointError):
        d2l.train_ch8(
            make(), data()[0], other, 1, 2, checkpoint=file, resume=True, progress=False
        )


def test_resuming_a_file_without_a_run_is_refused_in_one_sentence(tmp_path):
    file = tmp_path / "model.safetensors"
    d2l.save_checkpoint(file, make(), VOCAB)
    with pytest.raises(CheckpointError, match="no run to go on with") as error:
        train(make(), 2, checkpoint=file, resume=True)
    assert is_one_sentence(str(error.value))


def test_resuming_with_patience_needs_a_run_that_kept_its_best_weights(tmp_path):
    file = tmp_path / "run.safetensors"
    train(make(), 2, checkpoint=file, validate=True, valid_every=1)
    with pytest.raises(CheckpointError, match="without patience") as error:
        options = {"validate": True, "valid_every": 1, "resume": True}
        train(make(), 3, checkpoint=file, patience=2, **options)
    assert is_one_sentence(str(error.value))


def test_resuming_a_damaged_file_is_refused_and_leaves_it_alone(tmp_path):
    file = tmp_path / "run.safetensors"
    file.write_bytes(b"damaged")
    with pytest.raises(CheckpointError):
        train(make(), 2, checkpoint=file, resume=True)
    assert file.read_bytes() == b"damaged"


# --------------------------------------------------------------------------------------
# Interrupts


def test_an_interrupt_keeps_and_saves_the_last_complete_epoch(tmp_path):
    file = tmp_path / "run.safetensors"
    net, two = make(), make()
    train(two, 2)
    calls = Watched(data()[0], stop=2 * len(list(data()[0])) + 3)
    history = train(net, 50, train_iter=calls, checkpoint=file, valid_every=50)
    assert history.stopped == "interrupted"
    assert history.epochs == [1, 2] and len(history.train_perplexity) == 2
    assert same(weights(net), weights(two))
    saved = d2l.load_checkpoint(file)
    assert same(weights(saved.net), weights(two))
    assert saved.history == history.to_dict()


def test_an_interrupt_in_the_first_epoch_keeps_the_first_weights():
    net = make()
    before = weights(net)
    history = train(net, 5, train_iter=Watched(data()[0], stop=2))
    assert (history.stopped, history.epochs) == ("interrupted", [])
    assert same(weights(net), before)


def test_an_interrupt_under_patience_keeps_the_last_weights_not_the_best(tmp_path):
    options = {"validate": True, "valid_every": 1, "patience": 9}
    options["lr"] = lambda epoch: 1.0 if epoch < 2 else -0.2
    net, four = make(), make()
    train(four, 4, lr=options["lr"])
    calls = Watched(data()[0], stop=4 * len(list(data()[0])) + 1)
    file = tmp_path / "run.safetensors"
    history = train(net, 9, train_iter=calls, checkpoint=file, **options)
    assert history.stopped == "interrupted" and history.best_epoch < 4
    assert same(weights(net), weights(four))
    saved = d2l.load_checkpoint(file)
    measured = d2l.evaluate_perplexity(saved.net, data()[1])
    assert measured == pytest.approx(history.best_valid_perplexity, rel=1e-6)


def test_another_error_of_the_data_is_passed_on():
    with pytest.raises(OSError):
        train(make(), 2, train_iter=Watched(data()[0], stop=2, error=OSError))


# --------------------------------------------------------------------------------------
# A loss that is not finite


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_updates_nothing(value):
    net = make()
    before = weights(net)

    def loss(y_hat, y):
        return nn.functional.cross_entropy(y_hat, y) * value

    updates = []
    with pytest.raises(d2l.NonFiniteLossError, match=str(value)):
        d2l.train_epoch_ch8(net, data()[0], loss, updates.append)
    assert same(weights(net), before) and not updates


@pytest.mark.parametrize("kind", ["scratch", "concise"])
def test_an_explosion_names_the_epoch_the_loss_and_what_to_try(kind):
    with pytest.raises(d2l.NonFiniteLossError) as error:
        train(make(kind), 9, lr=lambda epoch: 0.1 if epoch < 2 else 1e39)
    message = str(error.value)
    assert "epoch 3" in message and ("nan" in message or "inf" in message)
    assert "1e+39" in message and "smaller learning rate" in message
    assert "theta=1" in message and is_one_sentence(message)


def test_a_finite_loss_beyond_the_exponential_is_an_infinite_perplexity():
    def loss(y_hat, y):
        return nn.functional.cross_entropy(y_hat, y) * 1000

    perplexity, _ = d2l.train_epoch_ch8(make(), data()[0], loss, lambda batch_size: 0)
    assert perplexity == math.inf


# --------------------------------------------------------------------------------------
# Early stopping


def stopping_early(net, **options):
    """Validated on a text that the training text is misleading about."""
    letters = d2l.Vocab("ab")
    corpus = letters.encode("ab" * 60)
    train_iter = d2l.SeqDataLoader(4, 5, corpus=corpus, vocab=letters)
    other = letters.encode("aabb" * 10)
    valid_iter = d2l.SeqDataLoader(4, 5, corpus=other, vocab=letters, offset=0)
    options = {"valid_every": 1, "patience": 3, "progress": False, **options}
    history = d2l.train_ch8(
        net, train_iter, letters, 0.5, 60, valid_iter=valid_iter, **options
    )
    return history, valid_iter


@pytest.mark.parametrize("kind", ["scratch", "layer"])
def test_early_stopping_stops_and_puts_back_the_best_weights(kind, tmp_path):
    def small():
        random.seed(1)
        paddle.seed(1)
        if kind == "scratch":
            return d2l.scratch_model("rnn", 3, 4)
        return d2l.RNNModel(nn.GRU(3, 4, time_major=True), 3)

    file = tmp_path / "run.safetensors"
    net = small()
    history, valid_iter = stopping_early(net, checkpoint=file)
    assert history.stopped == "early stopping"
    assert len(history.epochs) == history.best_epoch + 3 < 60
    assert history.valid_perplexity[-1] > history.best_valid_perplexity
    measured = d2l.evaluate_perplexity(net, valid_iter)
    assert measured == pytest.approx(history.best_valid_perplexity, rel=1e-6)
    assert same(weights(net), weights(d2l.load_checkpoint(file).net))

    other = small()
    again, _ = stopping_early(other, checkpoint=file, resume=True)
    assert again.to_dict() == history.to_dict()
    assert same(weights(other), weights(net))


def test_patience_puts_back_the_best_weights_at_the_end_of_a_run_too():
    net = make()
    lr = lambda epoch: 1.0 if epoch < 2 else -0.2  # noqa: E731
    history = train(net, 4, lr=lr, validate=True, valid_every=1, patience=9)
    assert history.stopped == "finished" and history.best_epoch < 4
    measured = d2l.evaluate_perplexity(net, data()[1])
    assert measured == pytest.approx(history.best_valid_perplexity, rel=1e-6)


def test_a_callback_can_keep_the_weights_of_the_best_epoch():
    class KeepBest(d2l.Callback):
        epochs = 0

        def epoch(self, run, scheduled):
            self.epochs += 1
            if run.history.best_epoch == run.history.epochs[-1]:
                self.weights = run.weights

    net, kept = make(), KeepBest()
    lr = lambda epoch: 1.0 if epoch < 2 else -0.2  # noqa: E731
    history = train(net, 4, lr=lr, validate=True, valid_every=1, callbacks=[kept])
    assert kept.epochs == 4 and history.best_epoch < 4
    last = d2l.evaluate_perplexity(net, data()[1])
    assert last > history.best_valid_perplexity
    for param, best in zip(net.params, kept.weights.values()):
        param.set_value(best)
    measured = d2l.evaluate_perplexity(net, data()[1])
    assert measured == pytest.approx(history.best_valid_perplexity, rel=1e-6)


def test_validation_does_not_change_the_training():
    net, validated = make("concise"), make("concise")
    train(net, 3)
    train(validated, 3, validate=True, valid_every=1)
    assert same(weights(net), weights(validated))


def test_validation_is_measured_every_few_epochs_and_after_the_last():
    history = train(make(), 5, validate=True, valid_every=2)
    measured = [value is not None for value in history.valid_perplexity]
    assert measured == [False, True, False, True, True]


# --------------------------------------------------------------------------------------
# Learning rates, optimizers, clipping


@pytest.mark.parametrize("kind", ["scratch", "concise"])
def test_a_learning_rate_may_be_an_integer(kind):
    net, other = make(kind), make(kind)
    assert train(net, 2, lr=1).lr == [1.0, 1.0]
    train(other, 2, lr=1.0)
    assert same(weights(net), weights(other))


def test_a_function_of_the_epoch_is_the_learning_rate():
    history = train(make(), 4, lr=lambda epoch: 2.0**-epoch)
    assert history.lr == [1, 0.5, 0.25, 0.125]


def test_cosine_annealing_follows_its_formula():
    history = train(make(), 5, lr=paddle.optimizer.lr.CosineAnnealingDecay(2.0, 4))
    wanted = [1 + math.cos(math.pi * epoch / 4) for epoch in range(5)]
    assert history.lr == pytest.approx(wanted, abs=1e-12)


def test_linear_warm_up_rises_and_stays():
    history = train(make(), 5, lr=paddle.optimizer.lr.LinearWarmup(1.0, 4, 0.0, 1.0))
    assert history.lr == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_a_learning_rate_of_zero_changes_no_weight():
    net = make()
    before = weights(net)
    train(net, 2, lr=lambda epoch: 0.0)
    assert same(weights(net), before)


def test_a_schedule_that_wants_to_see_the_loss_is_refused():
    schedule = paddle.optimizer.lr.ReduceOnPlateau(1.0)
    with pytest.raises(ValueError):
        train(make(), 3, lr=schedule)


@pytest.mark.parametrize("kind", ["scratch", "concise"])
def test_an_optimizer_may_replace_the_plain_descent(kind):
    net = make(kind)
    parameters = list(d2l.parameters_of(net).values())
    adam = paddle.optimizer.Adam(0.5, parameters=parameters)
    history = train(net, 8, lr=0.02, optimizer=adam)
    assert adam.get_lr() == pytest.approx(0.02)
    assert history.train_perplexity[-1] < 0.9 * history.train_perplexity[0]
    assert all(p.grad is None or not p.grad.any() for p in parameters)


class Net:
    """Parameters with given gradients; one None stays without."""

    def __init__(self, grads, layer=False):
        self.params = []
        for g in grads:
            p = paddle.ones(np.shape(g) if g is not None else [3])
            p.stop_gradient = False
            if g is not None:
                (p * paddle.to_tensor(g)).sum().backward()
            self.params.append(p)

    def grads(self):
        return [None if p.grad is None else p.grad.numpy() for p in self.params]


gradient = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    elements=st.floats(-1e6, 1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | gradient, min_size=1, max_size=4), st.floats(1e-3, 1e3))
def test_clipping_bounds_the_norm_and_keeps_the_direction(grads, theta):
    net = Net(grads)
    d2l.grad_clipping(net, theta)
    clipped = net.grads()
    assert [g is None for g in clipped] == [g is None for g in grads]
    before = np.concatenate([[0.0], *(g.ravel() for g in grads if g is not None)])
    after = np.concatenate([[0.0], *(g.ravel() for g in clipped if g is not None)])
    norm = np.linalg.norm(before.astype(np.float64))
    assert np.linalg.norm(after.astype(np.float64)) <= theta * (1 + 1e-5)
    scale = min(1, theta / norm) if norm else 1
    np.testing.assert_allclose(after, before * scale, rtol=1e-5, atol=1e-12)


def test_clipping_reaches_the_parameters_of_a_layer():
    layer = nn.Linear(2, 2)
    layer(paddle.full([1, 2], 50.0)).sum().backward()
    d2l.grad_clipping(layer, 1.0)
    squares = [float((p.grad * p.grad).sum()) for p in layer.parameters()]
    assert sum(squares) == pytest.approx(1, rel=1e-5)


def test_a_frozen_parameter_is_neither_clipped_nor_updated(frozen_cell):
    net = d2l.scratch_model(frozen_cell, len(VOCAB), 8)
    train(net, 1)
    moved = {name: bool(w.any()) for name, w in weights(net).items() if name[0] == "p"}
    assert moved == {"p_i": True, "p_f": False, "p_o": False}


@settings(deadline=None, max_examples=30)
@given(gradient, st.floats(1e-3, 10), st.integers(1, 64))
def test_sgd_subtracts_the_gradient_times_the_rate_over_the_batch_size(g, lr, batch):
    net = Net([g, None])
    d2l.sgd(net.params, lr, batch)
    wanted = 1 - g.astype(np.float64) * lr / batch
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(
        net.params[0].numpy(), wanted, rtol=1e-5, atol=scale / 1e6
    )
    assert not net.params[0].grad.any()
    assert (net.params[1].numpy() == 1).all()


# --------------------------------------------------------------------------------------
# One epoch


def no_update(batch_size):
    """An updater that leaves everything as it is."""


@pytest.mark.parametrize("kind", ["scratch", "concise"])
def test_an_epoch_returns_its_perplexity_and_tokens_per_second(kind):
    net, valid_iter = make(kind), data()[1]
    if kind == "concise":
        net.rnn.dropout = 0.0  # dropout is at work in training only
        for layer in net.rnn:
            layer.dropout = 0.0
    tokens = sum(Y.size for _, Y in valid_iter)
    start = time.perf_counter()
    loss = nn.CrossEntropyLoss()
    perplexity, speed = d2l.train_epoch_ch8(net, valid_iter, loss, no_update)
    seconds = time.perf_counter() - start
    wanted = d2l.evaluate_perplexity(net, valid_iter)
    assert perplexity == pytest.approx(wanted, rel=1e-5)
    assert tokens / seconds <= speed < 1e9


@pytest.mark.parametrize("random_iter", [False, True])
def test_the_state_is_carried_between_minibatches_without_its_graph(random_iter):
    net, seen = make(), []
    forward = net.forward_fn

    def watch(inputs, state, params):
        seen.append(state)
        return forward(inputs, state, params)

    net.forward_fn = watch
    loader = data(random_iter)[0]
    d2l.train_epoch_ch8(
        net, loader, nn.CrossEntropyLoss(), no_update, None, random_iter
    )
    assert len(seen) > 3
    assert all(s.stop_gradient and s.is_leaf for state in seen for s in state)
    carried = [bool(state[0].any()) for state in seen]
    assert carried == [False] + [not random_iter] * (len(seen) - 1)


def test_a_state_of_one_tensor_is_detached_too():
    net = d2l.RNNModel(nn.GRU(len(VOCAB), 8, time_major=True), len(VOCAB))
    seen, rnn = [], net.rnn.forward
    net.rnn.forward = lambda X, state: seen.append(state) or rnn(X, state)
    d2l.train_epoch_ch8(net, data()[0], nn.CrossEntropyLoss(), no_update)
    assert [bool(s.any()) for s in seen] == [False] + [True] * (len(seen) - 1)
    assert all(s.stop_gradient for s in seen)


def test_an_epoch_updates_with_a_batch_size_of_one_since_the_loss_is_a_mean():
    sizes = []
    d2l.train_epoch_ch8(
        make(),
        data()[0],
        nn.CrossEntropyLoss(),
        lambda batch_size: sizes.append(batch_size),
    )
    assert set(sizes) == {1} and len(sizes) == len(list(data()[0]))


def test_showing_progress_does_not_change_the_weights(monkeypatch, capsys):
    monkeypatch.setattr("d2l_lstm.progress._SECONDS_BETWEEN_SAMPLES", 0)
    net, shown = make("concise"), make("concise")
    train(net, 3)
    random.seed(SEED)
    paddle.seed(SEED)
    d2l.train_ch8(shown, data()[0], VOCAB, 1.0, 3, prefixes=["time", "the"])
    assert "time" in capsys.readouterr().err
    assert same(weights(net), weights(shown))


# --------------------------------------------------------------------------------------
# Evaluation


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(40, 90), st.integers(0, 99))
def test_evaluation_weighs_every_token_the_same(batch_size, num_steps, length, seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(len(VOCAB), len(VOCAB)))
    loader = d2l.SeqDataLoader(
        batch_size, num_steps, corpus=CORPUS[:length], vocab=VOCAB, offset=0
    )
    X, Y = (np.concatenate([b[i].numpy().ravel() for b in loader]) for i in (0, 1))
    log_p = table - np.log(np.exp(table).sum(1, keepdims=True))
    wanted = np.exp(-log_p[X, Y].mean())
    assert d2l.evaluate_perplexity(Table(table), loader) == pytest.approx(wanted, 1e-5)


def test_evaluation_carries_the_state_unless_the_minibatches_are_random():
    table = np.zeros((len(VOCAB), len(VOCAB)))
    carried, fresh = Table(table), Table(table)
    d2l.evaluate_perplexity(carried, data()[1])
    d2l.evaluate_perplexity(fresh, data(use_random_iter=True)[0])
    assert [int(s[0].max()) for s in carried.seen] == list(range(len(carried.seen)))
    assert len(carried.seen) > 1 and len(fresh.seen) > 1
    assert not any(s[0].any() for s in fresh.seen)


def test_a_model_that_knows_nothing_has_the_perplexity_of_the_vocabulary():
    net = make()
    for p in net.params:
        p.set_value(paddle.zeros_like(p))
    measured = d2l.evaluate_perplexity(net, data()[1])
    assert measured == pytest.approx(len(VOCAB), rel=1e-6)


@pytest.mark.parametrize("kind", ["scratch", "concise"])
@pytest.mark.parametrize("training", [True, False])
def test_evaluation_changes_nothing(kind, training):
    net = make(kind)
    if kind == "concise":
        net.train() if training else net.eval()
    before = weights(net)
    first = d2l.evaluate_perplexity(net, data()[1])
    assert first == d2l.evaluate_perplexity(net, data()[1])  # no dropout either
    assert same(weights(net), before)
    assert all(p.grad is None for p in d2l.parameters_of(net).values())
    if kind == "concise":
        assert all(layer.training is training for layer in net.sublayers(True))


def test_an_interrupted_evaluation_goes_back_to_training_mode():
    net = make("concise")
    net.train()
    with pytest.raises(KeyboardInterrupt):
        d2l.evaluate_perplexity(net, Watched(data()[1], stop=1))
    assert net.training


def test_evaluating_no_minibatch_is_an_error():
    with pytest.raises(ValueError, match="nothing to evaluate"):
        d2l.evaluate_perplexity(make(), [])


# --------------------------------------------------------------------------------------
# Arguments that do not fit


@pytest.mark.parametrize(
    ("num_epochs", "options", "named"),
    [
        (0, {}, "num_epochs is 0"),
        (-3, {}, "num_epochs is -3"),
        (2, {"valid_every": 0}, "valid_every is 0"),
        (2, {"patience": 3}, "patience needs a valid_iter"),
        (2, {"patience": 0, "validate": True}, "patience is 0"),
        (2, {"resume": True}, "resume needs a checkpoint"),
    ],
)
def test_arguments_that_do_not_fit_get_one_sentence(num_epochs, options, named):
    net = make()
    before = weights(net)
    with pytest.raises(ValueError, match=named) as error:
        train(net, num_epochs, **options)
    assert is_one_sentence(str(error.value))
    assert same(weights(net), before)


# --------------------------------------------------------------------------------------
# What the run is measured with


def test_a_history_survives_json():
    history = train(make(), 3, validate=True, valid_every=2)
    again = d2l.History(**json.loads(json.dumps(history.to_dict())))
    assert again == history and again.best_epoch == history.best_epoch


def test_a_history_knows_its_best_epoch():
    history = d2l.History()
    assert history.best_epoch is history.best_valid_perplexity is None
    assert history.epochs_since_best == 0
    for valid in (9.0, None, 4.0, 4.0, 5.0):
        history.add(3.0, valid, 100.0, 1.0)
    assert (history.best_epoch, history.best_valid_perplexity) == (3, 4.0)
    assert history.epochs_since_best == 2
    assert history.epochs == [1, 2, 3, 4, 5]


def test_the_timer_sums_its_laps(monkeypatch):
    clock = iter([0, 2, 10, 13])
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    timer = d2l.Timer()
    assert timer.stop() == 2
    timer.start()
    assert timer.stop() == 3
    assert (timer.sum(), timer.avg(), timer.cumsum()) == (5, 2.5, [2, 5])


def test_the_accumulator_sums_each_of_its_numbers():
    metric = d2l.Accumulator(2)
    metric.add(1, 10)
    metric.add(0.5, paddle.to_tensor(5.0))
    assert (metric[0], metric[1]) == (1.5, 15.0)
    metric.reset()
    assert metric.data == [0.0, 0.0]
    with pytest.raises(ValueError):
        metric.add(1)
