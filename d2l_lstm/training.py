"""Training as the book does it, and what the book leaves out.

The weights after an epoch are those of the book's loop: mean cross-entropy over a
minibatch, gradients clipped to norm 1, plain SGD, the state carried from minibatch to
minibatch under sequential partitioning. Beyond it: perplexity on text that was not
trained on, early stopping, schedules, checkpoints to go on from, an end to a run that
has gone wrong.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import asdict, dataclass, field

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from .checkpoints import CheckpointError, describe, load_checkpoint, save_checkpoint
from .devices import to_device, use_all_cores
from .generation import predict_ch8
from .models import parameters_of
from .progress import Progress


class NonFiniteLossError(ArithmeticError):
    """The loss became infinite or not a number; the message says when."""


class Timer:
    """A stop watch for several laps, in seconds. Source: d2l, "Linear Regression"."""

    def __init__(self):
        self.times = []
        self.start()

    def start(self):
        """Start a lap."""
        self.tik = time.perf_counter()

    def stop(self):
        """End the lap and return its seconds."""
        self.times.append(time.perf_counter() - self.tik)
        return self.times[-1]

    def avg(self):
        """Mean seconds of a lap."""
        return sum(self.times) / len(self.times)

    def sum(self):
        """Seconds of all laps."""
        return sum(self.times)

    def cumsum(self):
        """Seconds up to the end of each lap."""
        return np.array(self.times).cumsum().tolist()


class Accumulator:
    """Sums of `n` quantities. Source: d2l, "Softmax Regression from Scratch"."""

    def __init__(self, n):
        self.data = [0.0] * n

    def add(self, *args):
        """Add one number to each sum."""
        self.data = [a + float(b) for a, b in zip(self.data, args, strict=True)]

    def reset(self):
        """Set every sum to 0."""
        self.data = [0.0] * len(self.data)

    def __getitem__(self, i):
        return self.data[i]


@dataclass
class History:
    """What a run measured, one entry per epoch.

    Attributes:
        epochs: 1, 2, ...
        train_perplexity: over the epoch's minibatches, each before its own update.
        valid_perplexity: with the weights at the epoch's end, or None if not measured.
        tokens_per_second: of training, without the validation.
        lr: the learning rate.
        stopped: `'finished'`, `'early stopping'` or `'interrupted'`.
    """

    epochs: list[int] = field(default_factory=list)
    train_perplexity: list[float] = field(default_factory=list)
    valid_perplexity: list[float | None] = field(default_factory=list)
    tokens_per_second: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    stopped: str = "finished"

    def add(self, train, valid, speed, lr):
        """Append one epoch."""
        self.epochs.append(len(self.epochs) + 1)
        self.train_perplexity.append(train)
        self.valid_perplexity.append(valid)
        self.tokens_per_second.append(speed)
        self.lr.append(lr)

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the lowest validation perplexity, None without validation."""
        valid = [(v, e) for v, e in zip(self.valid_perplexity, self.epochs) if v]
        return min(valid)[1] if valid else None

    @property
    def best_valid_perplexity(self) -> float | None:
        """The lowest validation perplexity, None without validation."""
        best = self.best_epoch
        return None if best is None else self.valid_perplexity[best - 1]

    @property
    def epochs_since_best(self) -> int:
        """Epochs since the lowest validation perplexity; 0 without validation."""
        return len(self.epochs) - (self.best_epoch or len(self.epochs))

    def to_dict(self) -> dict:
        """As plain lists, for JSON."""
        return asdict(self)


def sgd(params, lr, batch_size):
    """Minibatch stochastic gradient descent, in place; then clear the gradients.

    Source: d2l, "Linear Regression from Scratch".
    """
    with paddle.no_grad():
        for param in params:
            if param.grad is not None:
                param.subtract_(param.grad * (lr / batch_size))
                param.clear_gradient()


def grad_clipping(net, theta):
    """Scale all gradients so that their common norm is at most `theta`.

    Parameters without a gradient are left alone. Source: d2l, "RNN from scratch".
    """
    params = net.parameters() if isinstance(net, nn.Layer) else net.params
    grads = [p.grad for p in params if p.grad is not None]
    with paddle.no_grad():
        norm = float(sum((g * g).sum() for g in grads)) ** 0.5
        if norm > theta:
            for grad in grads:
                grad.scale_(theta / norm)


def _detach(state):
    """The state as a value: no gradient flows into the minibatch before."""
    if isinstance(state, tuple):
        return tuple(s.detach() for s in state)
    return state.detach()


def train_epoch_ch8(
    net, train_iter, loss, updater, device=None, use_random_iter=False, *, theta=1.0
):
    """Train for one epoch.

    Args:
        net: `RNNModelScratch` or `RNNModel`.
        train_iter: yields X, Y (batch_size, num_steps).
        loss: of scores (num_steps * batch_size, vocab_size) and labels; its mean, in
            nats per token, is minimised.
        updater: a Paddle optimizer, or a function of the batch size.
        device: where to compute; by default where the parameters are.
        use_random_iter: start every minibatch from a fresh state.
        theta: largest norm of the gradient.

    Returns:
        Training perplexity, and tokens per second.

    Raises:
        NonFiniteLossError: at the first loss that is not finite, before any update
            with it.

    Source: d2l, "RNN from scratch".
    """
    use_all_cores()
    if isinstance(net, nn.Layer):
        net.train()
    state, timer, metric = None, Timer(), Accumulator(2)
    for X, Y in train_iter:
        if state is None or use_random_iter:
            state = net.begin_state(batch_size=X.shape[0])
        else:
            state = _detach(state)
        y = Y.T.reshape([-1])
        X, y = to_device(X, device), to_device(y, device)
        y_hat, state = net(X, state)
        l = loss(y_hat, y).mean()
        value = float(l)
        if not math.isfinite(value):
            raise NonFiniteLossError(f"the loss is {value}")
        l.backward()
        grad_clipping(net, theta)
        if isinstance(updater, paddle.optimizer.Optimizer):
            updater.step()
            updater.clear_grad()
        else:
            updater(batch_size=1)  # the loss is a mean already
        metric.add(value * y.size, y.size)
    return _perplexity(metric[0] / metric[1]), metric[1] / timer.stop()


def evaluate_perplexity(net, data_iter, device=None) -> float:
    """Perplexity on a text with the weights as they are.

    The exponential of the mean cross-entropy in nats per token, over all tokens that
    `data_iter` yields. The state is carried from minibatch to minibatch, unless
    `data_iter.use_random_iter` is true.
    """
    use_all_cores()
    was_training = isinstance(net, nn.Layer) and net.training
    if was_training:
        net.eval()
    fresh = getattr(data_iter, "use_random_iter", False)
    state, total, count = None, 0.0, 0
    try:
        with paddle.no_grad():
            for X, Y in data_iter:
                if state is None or fresh:
                    state = net.begin_state(batch_size=X.shape[0])
                y = Y.T.reshape([-1])
                X, y = to_device(X, device), to_device(y, device)
                y_hat, state = net(X, state)
                total += float(F.cross_entropy(y_hat, y, reduction="sum"))
                count += y.size
    finally:
        if was_training:
            net.train()
    if not count:
        raise ValueError("the data yields no minibatch; there is nothing to evaluate.")
    return _perplexity(total / count)


def _perplexity(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf


def _random_state() -> dict:
    """The states of Python's and Paddle's random numbers, as JSON can hold them."""
    version, numbers, gauss = random.getstate()
    paddle_states = [s.__getstate__() for s in paddle.get_rng_state()]
    return {
        "python": [version, list(numbers), gauss],
        "paddle": [[*s[:3], bytes(s[3]).decode("ascii")] for s in paddle_states],
    }


def _set_random_state(state: dict) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    generators = []
    for now, values in zip(paddle.get_rng_state(), state["paddle"], strict=True):
        *head, engine = values
        # A new object: __setstate__ of one that has a state already does nothing.
        generator = type(now).__new__(type(now))
        generator.__setstate__((*head, list(engine.encode("ascii"))))
        generators.append(generator)
    paddle.set_rng_state(generators)


def _copy(net) -> dict:
    return {name: p.detach().clone() for name, p in parameters_of(net).items()}


def _restore(net, weights: dict) -> None:
    for name, p in parameters_of(net).items():
        p.set_value(weights[name])


def _lr_at(lr, epoch: int) -> float:
    """The learning rate of an epoch, from 0: of a number, a schedule, a function."""
    if isinstance(lr, paddle.optimizer.lr.LRScheduler):
        # One by one: some schedules compute a rate from the one before.
        for e in range(lr.last_epoch + 1 if lr.last_epoch < epoch else 0, epoch + 1):
            lr.step(e)
        return float(lr())
    return float(lr(epoch)) if callable(lr) else float(lr)


def _updater(net, lr: float, optimizer):
    """What `train_epoch_ch8` updates with: the optimizer at this rate, or plain SGD."""
    if optimizer is not None:
        optimizer.set_lr(lr)
        return optimizer
    params = list(parameters_of(net).values())
    return lambda batch_size: sgd(params, lr, batch_size)


def _default_prefixes(vocab):
    """The book's two, for a vocabulary that has their characters."""
    two = ("time traveller", "traveller")
    return two if all(c in vocab.token_to_idx for prefix in two for c in prefix) else ()


@dataclass
class _Snapshot:
    """A run after a complete epoch: weights and random numbers, best weights so far."""

    weights: dict
    random: dict
    best: dict | None = None

    def save(self, path, net, vocab, history, metadata, use_best: bool):
        """Save the best weights, and the last beside them; or only the last."""
        use_best = use_best and self.best is not None
        last = {"last." + name: w for name, w in self.weights.items()}
        save_checkpoint(
            path,
            net,
            vocab,
            history=history.to_dict(),
            metadata=metadata,
            weights=self.best if use_best else self.weights,
            training={"random": self.random, "weights_are_best": use_best},
            more_tensors=last if use_best else None,
        )


def _resume(net, vocab, checkpoint, with_patience: bool) -> tuple[History, dict | None]:
    """Put a saved run's last weights and random numbers back.

    Returns its history, and its best weights if it kept them.
    """
    saved = load_checkpoint(checkpoint, missing_ok=True)
    if saved is None:
        return History(), None
    if saved.training is None or saved.history is None:
        raise CheckpointError(
            f"{checkpoint} holds a model, but no run to go on with; train without "
            "resume."
        )
    history = History(**{**saved.history, "stopped": "finished"})
    has_best = saved.training["weights_are_best"]
    if with_patience and history.best_epoch and not has_best:
        raise CheckpointError(
            f"{checkpoint} was trained without patience and has not kept its best "
            "weights; go on without patience."
        )
    last = saved.weights
    if has_best:
        last = {n.removeprefix("last."): t for n, t in saved.more_tensors.items()}
    if describe(saved.net) != describe(net):
        raise CheckpointError(
            f"{checkpoint} holds another model than the one to train: "
            "another cell, layer or size."
        )
    if saved.vocab.idx_to_token != vocab.idx_to_token:
        raise CheckpointError(
            f"{checkpoint} was trained with another vocabulary, so on another text."
        )
    _restore(net, last)
    _set_random_state(saved.training["random"])
    return history, dict(saved.weights) if has_best else None


def train_ch8(
    net,
    train_iter,
    vocab,
    lr,
    num_epochs,
    device=None,
    use_random_iter=False,
    *,
    valid_iter=None,
    valid_every=5,
    patience=None,
    theta=1.0,
    optimizer=None,
    checkpoint=None,
    resume=False,
    metadata=None,
    prefixes=None,
    progress=True,
) -> History:
    """Train a language model as the book does, and measure it better.

    Args:
        net, train_iter, vocab, device, use_random_iter: see `train_epoch_ch8`.
        lr: learning rate: a number, a function of the epoch (from 0), or a
            `paddle.optimizer.lr` schedule, which is stepped once an epoch.
        num_epochs: epochs in all, those of a run that is resumed included.
        valid_iter: minibatches of another text, measured every `valid_every` epochs,
            and after the last one unless there is `patience`.
        patience: stop when the validation perplexity has not fallen for this many
            epochs, and put back the best weights.
        theta: largest norm of the gradient.
        optimizer: a Paddle optimizer instead of plain SGD; its learning rate is set to
            `lr`. A run with one cannot be resumed: its own state is not saved.
        checkpoint: file to save to, every `valid_every` epochs and at the end.
        resume: go on from `checkpoint` if that file exists. A run that was stopped and
            resumed ends with the same weights as one that was not, bit for bit.
        metadata: more facts to keep in the checkpoint.
        prefixes: what to continue now and then, and at the end; by default the book's
            `'time traveller'` and `'traveller'`.
        progress: show progress, curve and samples; False for silence.

    Returns:
        The `History`. An interrupt (Ctrl-C) returns too, with the weights after the
        last complete epoch; `history.stopped` says so.

    Raises:
        NonFiniteLossError: at the first loss that is not finite, with what to try.
        CheckpointError: if the checkpoint cannot be written, or not be gone on from.
        ValueError: for arguments that do not fit together.

    Source: d2l, "RNN from scratch"; early stopping: Prechelt 1998.
    """
    for name, value in (("num_epochs", num_epochs), ("valid_every", valid_every)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    if patience is not None and patience < 1:
        raise ValueError(f"patience is {patience}; it must be at least 1.")
    if isinstance(lr, paddle.optimizer.lr.ReduceOnPlateau):
        raise ValueError(
            "lr is a ReduceOnPlateau, which wants to see the loss; give a schedule of "
            "the epoch, or patience."
        )
    if patience is not None and valid_iter is None:
        raise ValueError("patience needs a valid_iter: what should it watch?")
    if resume and (checkpoint is None or optimizer is not None):
        raise ValueError("resume needs a checkpoint file, and plain SGD.")
    prefixes = _default_prefixes(vocab) if prefixes is None else prefixes
    history, best = History(), None
    if resume:
        history, best = _resume(net, vocab, checkpoint, patience is not None)
    snapshot = _Snapshot(_copy(net), _random_state(), best)
    loss = nn.CrossEntropyLoss()
    shown = Progress(num_epochs, len(history.epochs), enabled=progress)

    def save():
        if checkpoint is not None:
            use_best = patience is not None
            snapshot.save(checkpoint, net, vocab, history, metadata, use_best)

    try:
        for epoch in range(len(history.epochs), num_epochs):
            if patience is not None and history.epochs_since_best >= patience:
                history.stopped = "early stopping"
                break
            rate, valid = _lr_at(lr, epoch), None
            updater = _updater(net, rate, optimizer)
            try:
                perplexity, speed = train_epoch_ch8(
                    net, train_iter, loss, updater, device, use_random_iter, theta=theta
                )
            except NonFiniteLossError as error:
                raise NonFiniteLossError(
                    f"{error} in epoch {epoch + 1}, at learning rate {rate:g}; try a "
                    f"smaller learning rate, or clip the gradient at a smaller norm "
                    f"than theta={theta:g}."
                ) from None
            # With patience only on schedule: a longer run has to choose the same best.
            due = (epoch + 1) % valid_every == 0
            due = due or (epoch + 1 == num_epochs and patience is None)
            if due and valid_iter is not None:
                valid = evaluate_perplexity(net, valid_iter, device)
            finished = _Snapshot(_copy(net), _random_state(), snapshot.best)
            history.add(perplexity, valid, speed, rate)
            snapshot = finished
            if history.best_epoch == epoch + 1:
                snapshot.best = snapshot.weights
            shown.epoch(history)
            if shown.wants_sample():
                shown.sample([predict_ch8(p, 50, net, vocab, device) for p in prefixes])
            if due:
                save()
    except KeyboardInterrupt:
        history.stopped = "interrupted"
        _restore(net, snapshot.weights)
        _set_random_state(snapshot.random)
    except BaseException:
        shown.clear()
        raise
    save()
    if history.stopped != "interrupted" and patience is not None and snapshot.best:
        _restore(net, snapshot.best)
    shown.close(
        history, device, [predict_ch8(p, 50, net, vocab, device) for p in prefixes]
    )
    return history
