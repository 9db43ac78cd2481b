"""One run in several processes, each of which takes some rows of every minibatch.

Paddle's launcher starts the processes, here called workers:

    python -m paddle.distributed.launch --nproc_per_node 2 d2l-lstm train --text FILE

All read the same minibatches and add up their gradients before anything is decided, so
that they take the same decisions, and end with the weights of a single process, to
rounding. Worker 0 alone shows and saves.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import paddle
from paddle import nn

from .models import parameters_of
from .snapshots import put_random_state, random_state

LOST = (
    "a worker of this run has ended, is somewhere else, or has not answered for half a "
    "minute, and so the run ends. What was saved can be gone on with: the same command "
    "with --resume, with any number of workers."
)
_RUNS = 251  # how many runs are told apart: few enough for exact sums of squares


class LostWorkerError(RuntimeError):
    """Another process of the run has ended, does something else, or is silent."""

    def __init__(self):
        super().__init__(LOST)


class Workers:
    """The processes of a run, as one of them sees them.

    Args:
        rank: number of this one, from 0.
        size: how many there are.

    Attributes:
        main: whether this is worker 0, which shows and saves.
    """

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size, self.main = rank, size, rank == 0
        self._run = 0  # the number of runs begun: all have to be in the same
        self._stop = False  # a signal asks to stop: the next `sum` tells all
        self._handlers = {}

    def rows(self, batch_size: int) -> slice:
        """The rows of a minibatch that this worker computes.

        Raises:
            ValueError: if there are fewer rows than workers.
        """
        if batch_size < self.size:
            raise ValueError(
                f"batch_size is {batch_size}, and there are {self.size} workers; each "
                "needs a row of every minibatch."
            )
        ends = [(self.rank + i) * batch_size // self.size for i in (0, 1)]
        return slice(*ends)

    def sum(self, values):
        """The sum over all workers, on each of them; all have to call it.

        Args:
            values: floats: a tensor, or a NumPy array. Of a single process they are
                returned as they are.

        Raises:
            LostWorkerError: if another worker has ended, or is in another run: an
                exception ended the one that is summed here.
            KeyboardInterrupt: on all workers, if one of them was asked to stop.
        """
        if self.size == 1:
            return values
        with paddle.no_grad():
            is_array = isinstance(values, np.ndarray)
            mine = paddle.to_tensor(values) if is_array else values.detach()
            run = self._run % _RUNS
            facts = paddle.to_tensor([self._stop, run, run * run], mine.dtype)
            flat = paddle.concat([mine.reshape([-1]), facts])
            try:
                paddle.distributed.all_reduce(flat)
            except RuntimeError as error:
                raise LostWorkerError() from error
            stops, runs, squares = flat[-3:].tolist()
            if (runs, squares) != (run * self.size, run * run * self.size):
                raise LostWorkerError()
            if stops > 0:
                raise KeyboardInterrupt
            whole = flat[:-3].reshape(mine.shape)
        return whole.numpy() if is_array else whole

    def backward(self, net, loss, size: int) -> tuple[float, int]:
        """Compute the gradients of a whole minibatch.

        Args:
            net: a `Layer`, or a model with `params`, without gradients yet.
            loss: mean loss of this worker's items, a tensor.
            size: number of these items.

        Returns:
            The mean loss of all items, and their number. Of a loss that is not finite
            there are no gradients to be used.
        """
        value = float(loss)
        if self.size == 1:
            if math.isfinite(value):
                loss.backward()
            return value, size
        loss.backward()
        grads = [p.grad for p in parameters_of(net).values() if p.grad is not None]
        with paddle.no_grad():
            parts = [grad.reshape([-1]) for grad in grads]
            ends = paddle.to_tensor([value, 1.0], loss.dtype)
            *sums, total = self.sum(paddle.concat([*parts, ends]) * size).split(
                [part.shape[0] for part in parts] + [2]
            )
            value, count = total.tolist()
            for grad, whole in zip(grads, sums):
                grad.set_value((whole / count).reshape(grad.shape))
        return value / count, round(count)

    @contextlib.contextmanager
    def together(self, net, settings: dict):
        """A run, which all workers start alike: `with workers.together(...):`.

        They start from the weights and random numbers of worker 0. What interrupts one
        of them inside the block (Ctrl-C, or the launcher's SIGTERM) interrupts all, at
        the same minibatch.

        Args:
            net: a `Layer`, or a model with `params`.
            settings: what has to be the same on all workers; JSON can hold it.

        Raises:
            ValueError: if it is not the same.
        """
        if self.size == 1:
            yield
            return
        self._run, self._stop = self._run + 1, False
        try:
            self._begin(net, settings)
            yield
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers = {}

    def _begin(self, net, settings: dict) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._asked_to_stop)
        self._check_alike(net, settings)
        for param in parameters_of(net).values():
            param.set_value(self._of_main(param.numpy()))
        put_random_state(self._random_state_of_main())
        if not self.main and isinstance(net, nn.Layer):
            paddle.seed(self.rank)  # other rows have to be dropped out differently

    def _asked_to_stop(self, *_) -> None:
        self._stop = True

    def _check_alike(self, net, settings: dict) -> None:
        model = [
            (name, list(p.shape), str(p.dtype), bool(p.stop_gradient))
            for name, p in parameters_of(net).items()
        ]
        facts = {**settings, "model": [type(net).__name__, model]}
        content = json.dumps(facts, sort_keys=True).encode()
        digests = np.zeros(self.size)
        digests[self.rank] = int(hashlib.sha256(content).hexdigest()[:12], 16)
        digests = self.sum(digests)
        (others,) = np.nonzero(digests != digests[0])
        if len(others):
            raise ValueError(
                f"worker {others[0]} has another text or other settings than worker 0; "
                "each needs the same files and the same command."
            )

    def _of_main(self, values: np.ndarray) -> np.ndarray:
        return self.sum(values if self.main else np.zeros_like(values))

    def _random_state_of_main(self) -> dict:
        content = np.frombuffer(json.dumps(random_state()).encode(), dtype=np.uint8)
        length = int(self._of_main(np.array([len(content)], dtype=float))[0])
        mine = np.zeros(length)
        if self.main:
            mine[:] = content
        return json.loads(self.sum(mine).astype(np.uint8).tobytes())


ALONE = Workers()


def launched_as() -> tuple[int, int]:
    """The number of this process, and of all, as Paddle's launcher has set them.

    Raises:
        ValueError: if what is set are no such numbers.
    """
    size = os.environ.get("PADDLE_TRAINERS_NUM", "1")
    rank = os.environ.get("PADDLE_TRAINER_ID", "0")
    if size == "1":
        return 0, 1
    numbers = all(re.fullmatch("[0-9]{1,6}", value) for value in (rank, size))
    if not numbers or int(rank) >= int(size):
        raise ValueError(
            f"PADDLE_TRAINER_ID is {rank!r:.20} and PADDLE_TRAINERS_NUM {size!r:.20}; "
            "these are for Paddle's launcher to set."
        )
    return int(rank), int(size)


@functools.cache
def launched_workers() -> Workers:
    """The workers of a run that Paddle's launcher has started, else `ALONE`.

    The first call waits for all of them, and has to come before a model is made, so
    that it is made on this worker's device.

    Raises:
        LostWorkerError: if they cannot be reached.
    """
    rank, size = launched_as()
    if size == 1:
        return ALONE
    paddle.disable_signal_handler()  # it shows the inside of a run that was stopped
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # from here the witness speaks
    if rank == 0:
        _call_a_witness()
    try:
        paddle.distributed.init_parallel_env()
    except Exception as error:  # also for addresses that are none
        raise LostWorkerError() from error
    return Workers(rank, size)


# If one worker is killed, the library that connects them sometimes aborts the others,
# which then can say nothing any more. So another process waits for the end of worker 0,
# and speaks if that had no last word.
_WITNESS = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not sys.stdin.buffer.read():
    print("\\n" + sys.argv[1], file=sys.stderr)
"""


def _call_a_witness() -> None:
    witness = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WITNESS, f"d2l-lstm: {LOST}"],
        stdin=subprocess.PIPE,
    )
    atexit.register(witness.communicate, b"an orderly end")
