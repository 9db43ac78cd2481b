"""One loop for any model, loss and metric: `fit`.

What is particular to a task is one generator, `losses(net, data)`, which yields for
each minibatch its mean loss (a tensor) and how many items that is the mean of:

    def losses(net, data):
        for X, y in data:
            yield mse_loss(net(X), y), len(y)

    history = fit(net, train_iter, losses, num_epochs, lr=0.1, valid_iter=valid_iter)

The same generator trains and, without gradients, evaluates. `train_ch8` is the book's
face on this loop.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import paddle
from paddle import nn

from .devices import set_product_threads
from .models import evaluation_mode, parameters_of
from .parallel import ALONE, LostWorkerError, Workers
from .snapshots import (
    History,
    Snapshot,
    put_back,
    put_random_state,
    put_weights,
    random_state,
    take_snapshot,
)
from .text import check_whole


class NonFiniteLossError(ArithmeticError):
    """The loss became infinite or not a number; the message says when."""


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

    Returns:
        The norm before.

    Raises:
        ValueError: unless `theta` is above 0; infinity clips nothing.
    """
    if not theta > 0:
        raise ValueError(f"theta is {theta}; it must be above 0 (inf does not clip).")
    params = net.parameters() if isinstance(net, nn.Layer) else net.params
    grads = [p.grad for p in params if p.grad is not None]
    with paddle.no_grad():
        norm = float(sum((g * g).sum() for g in grads)) ** 0.5
        if norm == math.inf:  # squares overflow from 2e19 on: in units of the largest
            unit = max(float(g.abs().max()) for g in grads)
            norm = unit * float(sum(((g / unit) ** 2).sum() for g in grads)) ** 0.5
        if norm > theta:
            for grad in grads:
                grad.scale_(theta / norm)
    return norm


def clear_gradients(net) -> None:
    """Forget every gradient, also one that somebody else has left."""
    for param in parameters_of(net).values():
        param.clear_gradient(False)


def fit_epoch(
    net,
    losses: Iterator,
    update: Callable,
    theta: float = 1.0,
    workers: Workers = ALONE,
):
    """Train for one epoch.

    Args:
        net: a `Layer`, or a model with `params`.
        losses: yields the mean loss of a minibatch and its number of items.
        update: called after the gradients of a minibatch are there and clipped.
        theta: largest norm of the gradient.
        workers: whose items are one minibatch together.

    Returns:
        The mean loss of an item, and items per second; of all workers.

    Raises:
        NonFiniteLossError: at the first loss or gradient that is not finite, before any
            update with it.
        ValueError: if there is no minibatch.
    """
    set_product_threads()
    if isinstance(net, nn.Layer):
        net.train()
        if any(getattr(layer, "_sparse", False) for layer in net.sublayers(True)):
            raise ValueError("sparse gradients cannot be clipped; use sparse=False.")
    clear_gradients(net)
    total, count, start = 0.0, 0, time.perf_counter()
    for loss, size in losses:
        value, size = workers.backward(net, loss, size)
        if not math.isfinite(value):
            raise NonFiniteLossError(f"the loss is {value}")
        norm = grad_clipping(net, theta)
        if not math.isfinite(norm):
            raise NonFiniteLossError(f"the norm of the gradient is {norm}")
        update()
        total, count = total + value * size, count + size
    if not count:
        raise ValueError("the data yields no minibatch; there is nothing to train on.")
    return total / count, count / (time.perf_counter() - start)


def mean_loss(net, losses: Iterator, workers: Workers = ALONE) -> float:
    """The mean loss of an item with the weights as they are, in evaluation mode.

    Args:
        losses: a generator that has not begun, see `fit_epoch`.
        workers: whose items are measured together.

    Raises:
        NonFiniteLossError: if it is not a number.
        ValueError: if there is no minibatch.
    """
    set_product_threads()
    total, count = 0.0, 0
    with evaluation_mode(net):
        for loss, size in losses:
            total, count = total + float(loss) * size, count + size
    if not count:
        raise ValueError("the data yields no minibatch; there is nothing to evaluate.")
    total, count = workers.sum(np.array([total, count], dtype=float)).tolist()
    if math.isnan(total):
        raise NonFiniteLossError("the loss is not a number; are all weights finite?")
    return total / count


def lr_at(lr, epoch: int) -> float:
    """The learning rate of an epoch, from 0: of a number, a schedule, a function."""
    if isinstance(lr, paddle.optimizer.lr.LRScheduler):
        # One by one: some schedules compute a rate from the one before.
        for e in range(lr.last_epoch + 1 if lr.last_epoch < epoch else 0, epoch + 1):
            lr.step(e)
        rate = float(lr())
    else:
        rate = _number(lr(epoch) if callable(lr) else lr)
    if not math.isfinite(rate):
        raise ValueError(f"the learning rate of epoch {epoch + 1} is {rate}.")
    return rate


class Callback:
    """What happens beside the training: subclass it, and give it to `fit`."""

    def begin(self, run: Snapshot) -> None:
        """Before the first epoch, or the first after those of a run that is resumed."""

    def epoch(self, run: Snapshot, scheduled: bool) -> None:
        """After a complete epoch; `scheduled` says whether validation was due."""

    def end(self, run: Snapshot) -> None:
        """After the last epoch, an interrupt, or the loss of another worker.

        Best weights are not back yet.
        """

    def failed(self) -> None:
        """Before any other exception goes on to the caller."""


def _number(value) -> float:
    """A number as it is; not a number for anything else."""
    return float(value) if isinstance(value, numbers.Real) else math.nan


def check_fit(num_epochs, lr, theta, optimizer, valid_every, patience, valid_iter):
    """Refuse arguments of `fit` that do not fit together, with a ValueError."""
    check_whole("num_epochs", num_epochs, 1)
    check_whole("valid_every", valid_every, 1)
    if patience is not None:
        check_whole("patience", patience, 1)
        if valid_iter is None:
            raise ValueError("patience needs a valid_iter: what should it watch?")
    if not _number(theta) > 0:
        raise ValueError(f"theta is {theta}; it must be above 0 (inf does not clip).")
    if isinstance(lr, paddle.optimizer.lr.ReduceOnPlateau):
        raise ValueError(
            "lr is a ReduceOnPlateau, which wants to see the loss; give a schedule of "
            "the epoch, or patience."
        )
    is_number = not callable(lr) and not isinstance(lr, paddle.optimizer.lr.LRScheduler)
    if is_number and not 0 < _number(lr) < math.inf:
        raise ValueError(f"lr is {lr}; it must be a number above 0.")
    bare = isinstance(optimizer, paddle.optimizer.Optimizer)
    if isinstance(optimizer, paddle.optimizer.LBFGS) or not (bare or optimizer is None):
        raise ValueError(
            f"optimizer is {optimizer!r:.80}; it must be a Paddle optimizer that needs "
            "no closure."
        )
    held = getattr(optimizer, "_learning_rate", None)
    if isinstance(held, paddle.optimizer.lr.LRScheduler):
        raise ValueError(
            "the optimizer holds a schedule; give the schedule as lr, and the "
            "optimizer a number."
        )


def _check_data(name: str, data, times: int) -> None:
    """Refuse what cannot be read so many times, or is empty."""
    if not hasattr(data, "__iter__"):
        raise ValueError(f"{name} is {data!r:.80}; it must yield minibatches.")
    if isinstance(data, Iterator) and times > 1:
        raise ValueError(
            f"{name} can be read only once, and is needed several times; give a "
            "SeqDataLoader or a list of minibatches."
        )
    if hasattr(data, "__len__") and len(data) == 0:
        raise ValueError(f"{name} yields no minibatch; there is nothing to train on.")


def fit(
    net,
    train_iter,
    losses: Callable,
    num_epochs: int,
    *,
    lr,
    optimizer=None,
    theta: float = 1.0,
    valid_iter=None,
    valid_every: int = 1,
    patience: int | None = None,
    metric: Callable[[float], float] = float,
    evaluate: Callable | None = None,
    fast=None,
    start: Snapshot | None = None,
    callbacks: tuple[Callback, ...] = (),
    workers: Workers = ALONE,
) -> History:
    """Train a model.

    Args:
        net: a `Layer`, or a model with `params`.
        train_iter, valid_iter: minibatches, iterable again and again.
        losses: (net, data) to a generator of (mean loss, number of items).
        num_epochs: epochs in all, those of `start` included.
        lr: learning rate: a number, a function of the epoch (from 0), or a
            `paddle.optimizer.lr` schedule, which is stepped once an epoch.
        optimizer: a Paddle optimizer instead of plain SGD; its rate is set to `lr`.
        theta: largest norm of the gradient.
        valid_every: epochs from one validation to the next; the last epoch is measured
            too, unless there is `patience`: a longer run has to choose the same best.
        patience: stop when validation has not become better for so many epochs, and put
            back the best weights.
        metric: of a mean loss, what the history keeps; its name too.
        evaluate: (net, data) to a number, the lower the better, instead of `metric` of
            the mean loss; called without gradients and in evaluation mode.
        fast: another way to do the same epochs, see `fast.FastPath`.
        start: where to go on, see `runs.resume_run`.
        callbacks: what else happens, in this order.
        workers: the processes that train together; `losses` yields this one's items.

    Returns:
        The `History`. An interrupt (Ctrl-C) returns too, with everything as it was
        after the last complete epoch; `history.stopped` says so.

    Raises:
        NonFiniteLossError: at the first loss that is not finite, with what to try.
        ValueError: for arguments that do not fit together.

    Source: early stopping: Prechelt 1998.
    """
    check_fit(num_epochs, lr, theta, optimizer, valid_every, patience, valid_iter)
    epochs_left = num_epochs - (len(start.history.epochs) if start else 0)
    _check_data("train_iter", train_iter, epochs_left)
    if valid_iter is not None:
        _check_data("valid_iter", valid_iter, epochs_left // valid_every + 1)
    if evaluate is None:

        def evaluate(net, data):
            return metric(mean_loss(net, losses(net, data), workers))

    # A complete epoch becomes visible by one assignment, `run = ...`: an interrupt
    # anywhere finds either all of it or nothing.
    recording = paddle.is_grad_enabled()
    name = "loss" if metric is float else getattr(metric, "__name__", "metric")
    run = start or take_snapshot(net, optimizer, History(metric=name))
    try:
        for callback in callbacks:
            callback.begin(run)
        for epoch in range(len(run.history.epochs), num_epochs):
            if patience is not None and run.history.epochs_since_best >= patience:
                run = _ended(run, "early stopping")
                break
            rate, valid = lr_at(lr, epoch), None
            due = (epoch + 1) % valid_every == 0
            due = due or (epoch + 1 == num_epochs and patience is None)
            try:
                done = fast.epoch(train_iter, rate, theta) if fast else None
                path = fast.name if done else "paddle"
                if done is None:
                    update = _updater(net, rate, optimizer)
                    batches = losses(net, train_iter)
                    done = fit_epoch(net, batches, update, theta, workers)
                loss, speed = done
                if due and valid_iter is not None:
                    valid = _judged(evaluate, net, valid_iter)
            except NonFiniteLossError as error:
                raise NonFiniteLossError(
                    f"{error} in epoch {epoch + 1}, at learning rate {rate:g}; try a "
                    f"smaller learning rate, or clip the gradient at a smaller norm "
                    f"than theta={theta:g}."
                ) from None
            history = deepcopy(run.history)
            history.add(metric(loss), valid, speed, rate, path)
            run = take_snapshot(net, optimizer, history, run.best)
            for callback in callbacks:
                callback.epoch(run, due)
        for callback in callbacks:
            callback.end(run)
        if patience is not None and run.best:
            put_weights(net, run.best)
    except KeyboardInterrupt:
        paddle.set_grad_enabled(recording)  # it may have come while no_grad ended
        put_back(run, net, optimizer)
        run = _ended(run, "interrupted")
        for callback in callbacks:
            callback.end(run)
    except BaseException as error:
        for callback in callbacks:
            if isinstance(error, LostWorkerError):
                callback.end(run)
            callback.failed()
        raise
    return run.history


def _judged(evaluate, net, data) -> float:
    """A validation, from which no random number of the training depends."""
    before = random_state()
    with evaluation_mode(net):
        valid = float(evaluate(net, data))
    put_random_state(before)
    if math.isnan(valid):
        raise NonFiniteLossError("the validation is not a number")
    return valid


def _ended(run: Snapshot, how: str) -> Snapshot:
    return replace(run, history=replace(run.history, stopped=how))


def _updater(net, lr: float, optimizer):
    """One update with the gradients that are there, at this learning rate."""
    if optimizer is None:
        params = list(parameters_of(net).values())
        return lambda: sgd(params, lr, batch_size=1)  # the loss is a mean already

    optimizer.set_lr(lr)
    return stepping(optimizer, net)


def stepping(optimizer, net) -> Callable:
    """What `fit_epoch` updates with: a step, after which no gradient is left.

    Of parameters that the optimizer does not hold neither, or theirs would pile up and
    count when the gradient is clipped.
    """
    params = list(parameters_of(net).values())

    def update():
        optimizer.step()
        for param in params:
            param.clear_gradient()

    return update
