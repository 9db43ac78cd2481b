"""Training as the book does it, and what the book leaves out.

The weights after an epoch are those of the book's loop: mean cross-entropy over a
minibatch, gradients clipped to norm 1, plain SGD, the state carried from minibatch to
minibatch under sequential partitioning. Beyond it: perplexity on text that was not
trained on, early stopping, schedules, checkpoints to go on from, an end to a run that
has gone wrong. The loop itself is `fitting.fit`.
"""

from __future__ import annotations

import math
import time
from copy import deepcopy
from dataclasses import asdict
from functools import partial

import numpy as np
import paddle
from paddle import nn

from .devices import to_device
from .fast import FastPath
from .fitting import (
    Callback,
    check_fit,
    fit,
    fit_epoch,
    lr_at,
    mean_loss,
    stepping,
)
from .generation import predict_ch8
from .parallel import ALONE, launched_workers
from .progress import Progress
from .runs import Saving, resume_run, settings_of
from .snapshots import History
from .text import Vocab


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


def perplexity(nats: float) -> float:
    """The exponential of a mean cross-entropy in nats per token; infinite from 700."""
    return math.exp(nats) if nats < 700 else math.inf


def token_losses(
    net, data_iter, loss=None, device=None, use_random_iter=False, *, workers=ALONE
):
    """Minibatch by minibatch, the mean loss in nats per token, and the tokens.

    The state goes from minibatch to minibatch as a value (no gradient flows into the
    minibatch before), unless `use_random_iter` or the data's own says that neighbours
    in a batch are none in the text.

    Args:
        net: `RNNModelScratch` or `RNNModel`.
        data_iter: yields X, Y (batch_size, num_steps).
        loss: of scores (num_steps * batch_size, vocab_size) and labels; cross-entropy
            unless given.
        device: where to compute; by default where the parameters are.
        workers: among whom the rows of a minibatch are divided.

    Yields:
        The mean loss, a tensor, and the number of tokens; of this worker's rows.
    """
    loss = loss or nn.CrossEntropyLoss()
    fresh = use_random_iter or getattr(data_iter, "use_random_iter", False)
    state = None
    for X, Y in data_iter:
        if workers.size > 1:
            rows = workers.rows(X.shape[0])
            X, Y = X[rows], Y[rows]
        if state is None or fresh:
            state = net.begin_state(batch_size=X.shape[0])
        else:
            state = paddle.utils.map_structure(lambda s: s.detach(), state)
        y = Y.T.reshape([-1])
        X, y = to_device(X, device), to_device(y, device)
        y_hat, state = net(X, state)
        yield loss(y_hat, y).mean(), y.size


def train_epoch_ch8(
    net, train_iter, loss, updater, device=None, use_random_iter=False, *, theta=1.0
):
    """Train for one epoch.

    Args:
        net, train_iter, loss, device, use_random_iter: see `token_losses`.
        updater: a Paddle optimizer, or a function of the batch size.
        theta: largest norm of the gradient.

    Returns:
        Training perplexity, and tokens per second.

    Raises:
        NonFiniteLossError: at the first loss that is not finite, before any update
            with it.

    Source: d2l, "RNN from scratch".
    """
    if isinstance(updater, paddle.optimizer.Optimizer):
        update = stepping(updater, net)
    else:
        update = partial(updater, batch_size=1)  # the loss is a mean already
    losses = token_losses(net, train_iter, loss, device, use_random_iter)
    nats, speed = fit_epoch(net, losses, update, theta)
    return perplexity(nats), speed


def evaluate_perplexity(net, data_iter, device=None) -> float:
    """Perplexity on a text with the weights as they are.

    The exponential of the mean cross-entropy in nats per token, over all tokens that
    `data_iter` yields. The state is carried from minibatch to minibatch, unless
    `data_iter.use_random_iter` is true.

    Raises:
        NonFiniteLossError: if the cross-entropy is not a number.
        ValueError: if there is no minibatch.
    """
    return perplexity(mean_loss(net, token_losses(net, data_iter, device=device)))


class _Shown(Callback):
    """Progress of a run, with samples of what the model writes."""

    def __init__(self, num_epochs, net, vocab, device, prefixes, enabled, yardsticks):
        self.num_epochs, self.device, self.enabled = num_epochs, device, enabled
        self.yardsticks = yardsticks
        self.arguments, self.prefixes = (net, vocab, device), prefixes
        self.progress = None

    def _samples(self):
        return [predict_ch8(p, 50, *self.arguments) for p in self.prefixes]

    def begin(self, run):
        done = len(run.history.epochs)
        self.progress = Progress(self.num_epochs, done, self.enabled, self.yardsticks)

    def epoch(self, run, scheduled):
        self.progress.epoch(run.history)
        if self.progress.wants_sample():
            self.progress.sample(self._samples())

    def failed(self):
        if self.progress:
            self.progress.clear()

    def close(self, history):
        if self.enabled and self.progress:
            self.progress.close(history, self.device, self._samples())


def _default_prefixes(vocab):
    """The book's two, for a text that has their tokens."""
    two = ("time traveller", "traveller")
    return two if all(vocab.encode(prefix).all() for prefix in two) else ()


def _rates(lr, num_epochs: int) -> list[float]:
    """The learning rates of all epochs; `lr`, which may be a schedule, stays."""
    lr = deepcopy(lr)
    return [lr_at(lr, epoch) for epoch in range(num_epochs)]


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
    regularisation=None,
    fast=True,
    checkpoint=None,
    resume=False,
    force=False,
    metadata=None,
    prefixes=None,
    progress=True,
    yardsticks=None,
    callbacks=(),
) -> History:
    """Train a language model as the book does, and measure it better.

    Args:
        net, train_iter, device, use_random_iter: see `token_losses`.
        vocab: the model's text.
        lr, num_epochs, patience, theta, optimizer: see `fitting.fit`.
        regularisation: a `Regularisation`: what is left out at random, and decay.
        valid_iter: minibatches of another text, measured every `valid_every` epochs,
            and after the last one unless there is `patience`.
        fast: where `net` is an `RNNModelScratch` of a cell in `CELLS`, on a CPU, with
            plain SGD, compute the same steps without autograd, see `d2l_lstm.fast`;
            `history.path` says what ran, and `net` has the new weights at the end of
            each epoch. False runs the cell's function as written, as models of your own
            functions always do.
        checkpoint: file to save to, every `valid_every` epochs and at the end.
        resume: go on from `checkpoint`. A run that was stopped and resumed ends with
            the same weights as one that was not, bit for bit if it takes the same path
            with the same number of threads. Refused, with what differs, if this is not
            the run that was stopped.
        force: resume although settings differ.
        metadata: more facts to keep in the checkpoint.
        prefixes: what to continue now and then, and at the end; by default the book's
            `'time traveller'` and `'traveller'`.
        progress: show progress, curve and samples; False for silence.
        yardsticks: name to perplexity, level lines in the curve, see `plot_history`.
        callbacks: what else happens after each epoch, see `fitting.Callback`.

    Returns:
        The `History`. An interrupt (Ctrl-C) returns too, with the weights after the
        last complete epoch; `history.stopped` says so.

    Raises:
        NonFiniteLossError: at the first loss that is not finite, with what to try.
        CheckpointError: if the checkpoint cannot be written, or not be gone on from.
        LostWorkerError: if this is one of several workers (see `parallel`), and another
            has ended.
        ValueError: for arguments that do not fit together.

    Source: d2l, "RNN from scratch".
    """
    check_fit(num_epochs, lr, theta, optimizer, valid_every, patience, valid_iter)
    if resume and checkpoint is None:
        raise ValueError("resume needs a checkpoint file.")
    if getattr(net, "vocab_size", len(vocab)) != len(vocab):
        raise ValueError(
            f"the model is for {net.vocab_size} tokens, and the vocabulary has "
            f"{len(vocab)}."
        )
    if not isinstance(vocab, Vocab):  # the book's own
        vocab = Vocab(vocab.idx_to_token[1:])
    fresh = use_random_iter or getattr(train_iter, "use_random_iter", False)
    workers = launched_workers()
    settings = settings_of(
        train_iter, valid_iter, fresh, theta, optimizer, valid_every, patience
    )
    if regularisation is not None:
        regularisation.check(net)
        settings["regularisation"] = asdict(regularisation)
    start, callbacks = None, [*callbacks]
    if checkpoint is not None:
        best = patience is not None
        saving = Saving(checkpoint, net, vocab, settings, metadata, best, optimizer)
        callbacks += [saving] if workers.main else []
    if resume:
        start = resume_run(checkpoint, net, vocab, lr, settings, optimizer, force)
    prefixes = _default_prefixes(vocab) if prefixes is None else prefixes
    if any(len(prefix) == 0 for prefix in prefixes):
        raise ValueError("a prefix is empty; give each at least one token.")
    enabled = progress and workers.main
    shown = _Shown(num_epochs, net, vocab, device, prefixes, enabled, yardsticks)

    def losses(net, data):
        trained = data is train_iter
        options = (None, device, use_random_iter and trained)
        if trained and regularisation is not None:
            plain = partial(token_losses, workers=workers)
            return regularisation.losses(plain, net, data, *options)
        return token_losses(net, data, *options, workers=workers)

    alike = settings | {
        "fast": bool(fast),
        "epochs done": len(start.history.epochs) if start else 0,
        "rates": _rates(lr, num_epochs) if workers.size > 1 else None,
    }
    with workers.together(net, alike):
        fast_path = None
        if fast and optimizer is None and str(device or "cpu") in ("cpu", "Place(cpu)"):
            path = FastPath if regularisation is None else regularisation.path
            fast_path = path(net, fresh, workers)
        history = fit(
            net, train_iter, losses, num_epochs, lr=lr, optimizer=optimizer,
            theta=theta, valid_iter=valid_iter, valid_every=valid_every,
            patience=patience, metric=perplexity, fast=fast_path, start=start,
            callbacks=(*callbacks, shown), workers=workers,
        )  # fmt: skip
        try:
            shown.close(history)
        except KeyboardInterrupt:
            pass  # of the samples: all is trained and saved
    return history
