"""Stopping a run and going on: the same run, or a refusal that says what differs."""

import random

import d2l_lstm as d2l
import injected_interrupts
import numpy as np
import paddle
import pytest
from d2l_lstm.checkpoints import CheckpointError
from d2l_lstm.snapshots import put_random_state, random_state
from paddle import nn

CORPUS, VOCAB = d2l.load_corpus(
    "the time traveller for so it will be convenient to speak of him was expounding a "
    "recondite matter to us his grey eyes shone and twinkled and his usually pale face "
)
OTHER, _ = d2l.load_corpus(
    "recondite matter to us his grey eyes shone and twinkled and his usually pale face "
    "the time traveller for so it will be convenient to speak of him was expounding a "
)


def model(kind="scratch", seed=3, num_hiddens=8):
    paddle.seed(seed)
    if kind == "scratch":
        return d2l.scratch_model("lstm", len(VOCAB), num_hiddens)
    layer = nn.LSTM(len(VOCAB), num_hiddens, 2, dropout=0.3, time_major=True)
    return d2l.RNNModel(layer, len(VOCAB))


def train(net, num_epochs, *, corpus=CORPUS, batch_size=4, num_steps=5, **options):
    """Train from a fixed seed; a resumed run from another, which must not matter."""
    seed = 9 if options.get("resume") else 3
    random.seed(seed)
    np.random.seed(seed)
    paddle.seed(seed)
    train_iter, valid_iter = d2l.split_corpus(
        corpus, VOCAB, batch_size, num_steps, 110, 40,
        options.pop("random_iter", False),
    )  # fmt: skip
    options = {"lr": 0.5, "valid_iter": valid_iter, "valid_every": 2, **options}
    train_iter = options.pop("train_iter", train_iter)
    return d2l.train_ch8(
        net, train_iter, VOCAB, num_epochs=num_epochs, progress=False, **options
    )


def weights(net):
    return {name: p.numpy().copy() for name, p in d2l.parameters_of(net).items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[n], b[n]) for n in a)


class Interrupting:
    """Minibatches; Ctrl-C instead of number `stop`."""

    def __init__(self, loader, stop):
        self.loader, self.stop, self.count = loader, stop, 0
        self.settings = loader.settings

    def __iter__(self):
        for batch in self.loader:
            self.count += 1
            if self.count > self.stop:
                raise KeyboardInterrupt
            yield batch


# --------------------------------------------------------------------------------------
# Optimizers, schedules, random numbers

OPTIMIZERS = {
    "Adam": lambda p: paddle.optimizer.Adam(parameters=p),
    "AdamW": lambda p: paddle.optimizer.AdamW(parameters=p, weight_decay=0.02),
    "NAdam": lambda p: paddle.optimizer.NAdam(parameters=p),
    "Momentum": lambda p: paddle.optimizer.Momentum(parameters=p, momentum=0.8),
    "RMSProp": lambda p: paddle.optimizer.RMSProp(0.1, parameters=p),
    "SGD": lambda p: paddle.optimizer.SGD(parameters=p, weight_decay=0.01),
}


@pytest.mark.parametrize("kind", ["scratch", "layer"])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("how", ["fewer epochs", "interrupt"])
def test_a_run_with_an_optimizer_goes_on_bit_for_bit(make, kind, how, tmp_path):
    file, options = tmp_path / "run", {"lr": 0.01, "patience": 9}

    def begin(seed=3):
        net = model(kind, seed)
        return net, make(list(d2l.parameters_of(net).values()))

    net, optimizer = begin()
    whole = train(net, 4, optimizer=optimizer, **options)
    stopped, optimizer = begin()
    options["checkpoint"] = file
    if how == "fewer epochs":
        train(stopped, 2, optimizer=optimizer, **options)
    else:
        loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
        batches = Interrupting(loader, 2 * len(list(loader)) + 3)
        batches.count = 0
        history = train(stopped, 4, optimizer=optimizer, train_iter=batches, **options)
        assert (history.stopped, history.epochs) == ("interrupted", [1, 2])
    resumed, optimizer = begin(seed=99)
    history = train(resumed, 4, optimizer=optimizer, resume=True, **options)
    assert same(weights(resumed), weights(net))
    assert history.train == whole.train


def test_an_interrupted_run_goes_on_in_the_same_session_with_its_own_optimizer():
    net, other = model(), model()
    adam, its_adam = (paddle.optimizer.Adam(parameters=n.params) for n in (net, other))
    train(net, 2, lr=0.01, optimizer=adam)
    loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
    batches = Interrupting(loader, 2)  # in the first epoch: as if nothing had been
    first = train(other, 2, lr=0.01, optimizer=its_adam, train_iter=batches)
    assert first.epochs == []
    train(other, 2, lr=0.01, optimizer=its_adam)
    assert same(weights(net), weights(other))


def test_the_random_numbers_of_all_three_libraries_are_put_back():
    draw = lambda: (random.random(), np.random.rand(), float(paddle.rand([1])))  # noqa: E731
    draw()
    state = random_state()
    wanted = [draw() for _ in range(3)]
    [draw() for _ in range(5)]
    put_random_state(state)
    assert [draw() for _ in range(3)] == wanted


# --------------------------------------------------------------------------------------
# Another run than the one that was stopped

OTHERWISE = {
    "learning rate": ({"lr": 0.25}, "the learning rate of epoch 1 was 0.5 and is 0.25"),
    "schedule": (
        {"lr": lambda epoch: 0.5 if epoch < 1 else 0.4},
        "the learning rate of epoch 2 was 0.5 and is 0.4",
    ),
    "theta": ({"theta": 2.0}, "theta was 1.0 and is 2.0"),
    "batch size": ({"batch_size": 5}, "batch_size was 4 and is 5"),
    "steps": ({"num_steps": 4}, "num_steps was 5 and is 4"),
    "text": ({"corpus": OTHER}, "the training text is another"),
    "random": ({"random_iter": True}, "random minibatches was False and is True"),
    "validation": ({"valid_every": 1}, "epochs between validations was 2 and is 1"),
    "optimizer": (
        {"optimizer": lambda p: paddle.optimizer.Adam(parameters=p)},
        "optimizer was nothing and is Adam",
    ),
}


@pytest.mark.parametrize(("options", "named"), OTHERWISE.values(), ids=OTHERWISE)
def test_a_run_resumed_otherwise_is_refused_and_named_and_forced_if_wanted(
    options, named, tmp_path
):
    file, options = tmp_path / "run", dict(options)
    train(model(), 2, checkpoint=file)
    before, net = file.read_bytes(), model(seed=99)
    if "optimizer" in options:
        options["optimizer"] = options["optimizer"](net.params)
    with pytest.raises(CheckpointError, match=named) as error:
        train(net, 3, checkpoint=file, resume=True, **options)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".") and len(message) < 300
    assert file.read_bytes() == before
    history = train(net, 3, checkpoint=file, resume=True, force=True, **options)
    assert history.epochs == [1, 2, 3]


def changed(**options):
    return lambda p: paddle.optimizer.Adam(parameters=p, **options)


OTHER_OPTIMIZERS = {
    "momentum": lambda p: paddle.optimizer.Momentum(parameters=p),
    "amsgrad": changed(amsgrad=True),
    "decay": changed(weight_decay=0.1),
    "clipping": changed(grad_clip=nn.ClipGradByNorm(0.5)),
    "a tensor": changed(beta1=paddle.to_tensor([0.5])),
    "nothing": lambda p: None,
}


@pytest.mark.parametrize("make", OTHER_OPTIMIZERS.values(), ids=OTHER_OPTIMIZERS)
def test_another_optimizer_is_refused_and_forced_and_may_be_interrupted(make, tmp_path):
    file, net = tmp_path / "run", model()
    train(net, 2, lr=0.01, checkpoint=file, optimizer=changed()(net.params))
    before = file.read_bytes()
    net = model()
    options = {"lr": 0.01, "checkpoint": file, "optimizer": make(net.params)}
    with pytest.raises(CheckpointError, match="optimizer"):
        train(net, 4, resume=True, **options)
    loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
    batches = Interrupting(loader, 2)
    options |= {"resume": True, "force": True}
    history = train(net, 4, train_iter=batches, **options)
    assert (history.stopped, history.epochs) == ("interrupted", [1, 2])
    assert file.read_bytes() == before  # nothing new, nothing written
    assert train(net, 4, **options).epochs == [1, 2, 3, 4]


def test_another_rate_of_a_group_is_refused(tmp_path):
    file = tmp_path / "run"

    def run(rate, **options):
        net = model("layer")
        some, *rest = net.parameters()
        groups = [{"params": [some], "learning_rate": rate}, {"params": rest}]
        adam = paddle.optimizer.Adam(parameters=groups)
        return train(net, 3, lr=0.01, checkpoint=file, optimizer=adam, **options)

    run(0.1)
    with pytest.raises(CheckpointError, match="groups"):
        run(0.5, resume=True)
    assert run(0.1, resume=True).epochs == [1, 2, 3]


def test_best_weights_are_not_lost_before_there_is_another_epoch(tmp_path):
    file = tmp_path / "run"
    train(model(), 4, patience=4, checkpoint=file)
    before = file.read_bytes()
    loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
    options = {"checkpoint": file, "resume": True, "force": True}
    train(model(), 6, train_iter=Interrupting(loader, 1), **options)
    assert file.read_bytes() == before


def test_an_optimizer_of_another_model_is_not_called_damage(tmp_path):
    file, net = tmp_path / "run", model()
    train(net, 2, lr=0.01, checkpoint=file, optimizer=changed()(net.params))
    options = {"lr": 0.01, "checkpoint": file, "resume": True}
    with pytest.raises(ValueError, match="has other parameters than the model"):
        train(model(), 4, optimizer=changed()(model().params), **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: paddle.optimizer.ASGD(0.1, batch_num=3, parameters=p),
        lambda p: paddle.incubate.LookAhead(paddle.optimizer.SGD(parameters=p)),
    ],
)
def test_an_optimizer_whose_state_cannot_be_saved_is_refused_at_once(make, tmp_path):
    net = model()
    loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
    batches = Interrupting(loader, 0)
    options = {"train_iter": batches, "checkpoint": tmp_path / "run", "lr": 0.1}
    with pytest.raises(CheckpointError, match="cannot be saved"):
        train(net, 2, optimizer=make(net.params), **options)
    assert batches.count == 0


def test_numbers_of_numpy_are_settings_like_others(tmp_path):
    file, options = tmp_path / "run", {"theta": np.float32(1), "patience": np.int64(5)}
    train(model(), 2, checkpoint=file, **options)
    assert train(model(), 3, checkpoint=file, resume=True, patience=5).epochs[-1] == 3


def test_a_schedule_that_is_refused_has_not_moved(tmp_path):
    file = tmp_path / "run"
    train(model(), 3, checkpoint=file)
    schedule = paddle.optimizer.lr.StepDecay(0.5, 1)
    with pytest.raises(CheckpointError, match="learning rate"):
        train(model(), 5, lr=schedule, checkpoint=file, resume=True)
    assert schedule.last_epoch == 0


def test_another_hyperparameter_of_the_optimizer_is_named(tmp_path):
    file = tmp_path / "run"
    for beta, options in ((0.9, {}), (0.8, {"resume": True})):
        net = model()
        adam = paddle.optimizer.Adam(beta1=beta, parameters=net.params)
        if options:
            with pytest.raises(CheckpointError, match="beta1 was 0.9 and is 0.8"):
                train(net, 3, checkpoint=file, optimizer=adam, **options)
        else:
            train(net, 2, checkpoint=file, optimizer=adam)


UNFIT_RUNS = {
    "no random numbers": lambda run: run["random"].clear(),
    "half of Python's": lambda run: run["random"].update(python=[3, [1, 2], None]),
    "text for NumPy's": lambda run: run["random"].update(numpy="MT19937"),
    "nothing of Paddle's": lambda run: run["random"].update(paddle=[]),
    "a list for Paddle's": lambda run: run["random"].update(paddle=[[1]]),
}


@pytest.mark.parametrize("edit", UNFIT_RUNS.values(), ids=UNFIT_RUNS)
def test_a_run_whose_state_is_none_is_refused_in_one_sentence(edit, tmp_path):
    file = tmp_path / "run"
    train(model(), 1, checkpoint=file)
    saved = d2l.load_checkpoint(file)
    run = saved.run
    edit(run)
    d2l.save_checkpoint(file, saved.net, saved.vocab, history=saved.history, run=run)
    with pytest.raises(CheckpointError, match="does not fit") as error:
        train(model(), 2, checkpoint=file, resume=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("settings", [{}, {"optimizer": 3, "training text": [1]}])
def test_settings_of_somebody_elses_are_differences(settings, tmp_path):
    file = tmp_path / "run"
    train(model(), 1, checkpoint=file)
    saved = d2l.load_checkpoint(file)
    run = {**saved.run, "settings": settings}
    d2l.save_checkpoint(file, saved.net, saved.vocab, history=saved.history, run=run)
    with pytest.raises(CheckpointError, match="was trained otherwise"):
        train(model(), 2, checkpoint=file, resume=True)


def test_more_epochs_are_no_other_run(tmp_path):
    file = tmp_path / "run"
    train(model(), 2, checkpoint=file)
    assert train(model(), 5, checkpoint=file, resume=True).epochs == [1, 2, 3, 4, 5]


# --------------------------------------------------------------------------------------
# Nothing is lost


@pytest.mark.parametrize("minibatches", [0, 2])
def test_an_interrupt_in_the_first_epoch_leaves_an_earlier_checkpoint(
    minibatches, tmp_path
):
    file = tmp_path / "run"
    train(model(), 2, checkpoint=file)
    before = file.read_bytes()
    loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
    batches = Interrupting(loader, minibatches)
    history = train(model(), 5, train_iter=batches, checkpoint=file)
    assert (history.stopped, history.epochs) == ("interrupted", [])
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_a_run_that_explodes_leaves_an_earlier_checkpoint(tmp_path):
    file = tmp_path / "run"
    train(model(), 2, checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(d2l.NonFiniteLossError):
        train(model(), 2, lr=1e39, checkpoint=file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("scenario", injected_interrupts.SCENARIOS)
def test_an_interrupt_at_any_line_leaves_a_run_that_goes_on_bit_for_bit(scenario):
    # A sample; `make attack` tries every line.
    options = injected_interrupts.SCENARIOS[scenario]
    total, epoch_at, wanted = injected_interrupts.places(options)
    draw = random.Random(0)
    places = {epoch_at + 1, total, *draw.sample(range(1, total + 1), 25)}
    for place in sorted(places):
        wrong = injected_interrupts.interrupted_at(place, options, epoch_at, wanted)
        assert wrong is None, f"line {place} of {total}: {wrong}"


def test_an_interrupt_while_an_epoch_is_noted_keeps_history_and_weights_together(
    monkeypatch, tmp_path
):
    add, file, net = d2l.History.add, tmp_path / "run", model()

    def interrupt(self, *measured):
        add(self, *measured)
        if len(self.epochs) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(d2l.History, "add", interrupt)
    history = train(net, 5, checkpoint=file)
    monkeypatch.undo()
    assert history.epochs == [1, 2] and history.stopped == "interrupted"
    two = model()
    train(two, 2)
    assert same(weights(net), weights(two))
    saved = d2l.load_checkpoint(file)
    assert saved.history["epochs"] == [1, 2] and same(weights(saved.net), weights(two))


# --------------------------------------------------------------------------------------
# What cannot be saved is known before the first minibatch


class MyModel(d2l.RNNModelScratch.__mro__[-1]):
    """A model of a notebook's own, that no checkpoint can describe."""

    def __init__(self):
        self.net = model()
        self.params, self.begin_state = self.net.params, self.net.begin_state

    def __call__(self, X, state):
        return self.net(X, state)


def own_functions():
    net = model()
    net.forward_fn = lambda *arguments: d2l.lstm(*arguments)
    return net


UNSAVABLE = {
    "a class of one's own": (MyModel, {}),
    "functions of one's own": (own_functions, {}),
    "metadata that JSON cannot hold": (model, {"metadata": {"seed": {1, 2}}}),
    "metadata of NumPy": (model, {"metadata": {"seed": np.float32(1)}}),
    "activation": (
        lambda: d2l.RNNModel(
            nn.LSTM(len(VOCAB), 8, time_major=True, bias_hh_attr=False), len(VOCAB)
        ),
        {},
    ),
}


@pytest.mark.parametrize(("make", "options"), UNSAVABLE.values(), ids=UNSAVABLE)
def test_what_cannot_be_saved_is_refused_before_the_first_minibatch(
    make, options, tmp_path
):
    loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
    batches = Interrupting(loader, 0)
    with pytest.raises(CheckpointError) as error:
        train(make(), 2, checkpoint=tmp_path / "run", train_iter=batches, **options)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".") and len(message) < 300
    assert batches.count == 0 and not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_refused_before_the_first_minibatch(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    novel = tmp_path / "novel.txt"
    novel.write_text("it was a dark and stormy night")
    loader, _ = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 110, 40)
    for place in (tmp_path / "file" / "run", tmp_path / "folder", novel):
        batches = Interrupting(loader, 0)
        with pytest.raises(CheckpointError):
            train(model(), 2, checkpoint=place, train_iter=batches)
        assert batches.count == 0
    assert novel.read_text() == "it was a dark and stormy night"
