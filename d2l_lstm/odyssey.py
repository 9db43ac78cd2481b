"""Every cell, three tasks, one protocol: the contest of notebook 14, and its results.

    found = odyssey(CONTESTANTS, TASKS, seeds=range(10), rate_seeds=(100, 101))
    keep(found, "14_variant_odyssey.json")
    found = kept("14_variant_odyssey.json")

A `Task` says what is read, how large a network may be, and how a network is judged: by
one number, the lower the better, whose unit differs from task to task. Each contestant
gets as many hidden units as come nearest to the size, and a learning rate of its own.
What is compared is chosen on one set of strings or part of the text, and judged on
another.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import paddle

from .batches import load_time_machine_splits
from .cells import CELLS
from .devices import num_threads
from .experiments import (
    Interval,
    choose_rate,
    one_thread,
    pool_of,
    run_jobs,
    t_interval,
)
from .fast import FastPath, is_understood
from .files import FileError, shown, told, write_whole
from .fitting import NonFiniteLossError, fit
from .generation import OneHot
from .models import registered_cell, scratch_model, units_of_size
from .progress import LiveLine
from .provenance import PACKAGE, code_hash, versions
from .tasks import equal_counts, recall
from .text import Vocab
from .training import token_losses

# --------------------------------------------------------------------------------------
# Judging a network


def scores(net, X) -> np.ndarray:
    """What a network of a registered cell answers when it reads, beginning with zeros.

    Args:
        net: see `models.registered_cell`.
        X: (batch_size, num_steps), indices of tokens.

    Returns:
        (batch_size, num_steps, vocab_size), scores of the next token.
    """
    *params, W_hq, b_q = (param.numpy() for param in net.params)
    step, state = registered_cell(net).step, net.begin_state(len(X))
    state, hidden = tuple(values.numpy() for values in state), []
    for tokens in X.T:
        state = step(OneHot(tokens), state, params)
        hidden.append(state[0])
    return np.stack(hidden, axis=1) @ W_hq + b_q


def surprise(net, X, Y) -> float:
    """Mean of -log P(right token), in nats per token: log perplexity.

    Args:
        net, X: see `scores`.
        Y: (batch_size, num_steps), the right tokens.
    """
    S = scores(net, X).astype("float64")
    S -= S.max(axis=2, keepdims=True)
    right = np.take_along_axis(S, Y[:, :, None], axis=2)[:, :, 0]
    return float((np.log(np.exp(S).sum(axis=2)) - right).mean())


def share_wrong(net, X, Y) -> float:
    """The share of answers that are wrong: not the token with the highest score.

    Args:
        net, X: see `scores`.
        Y: (batch_size, num_steps), the answers; 0, `<unk>`, where nothing is asked.
    """
    wrong = scores(net, X).argmax(axis=2) != Y
    return float(wrong[Y != 0].mean())


def strings_wrong(net, X, Y) -> float:
    """The share of strings with at least one wrong answer; see `share_wrong`."""
    wrong = (scores(net, X).argmax(axis=2) != Y) & (Y != 0)
    return float(wrong.any(axis=1).mean())


# --------------------------------------------------------------------------------------
# Tasks


@dataclass(frozen=True)
class Task:
    """What is read, and how a network is judged.

    Attributes:
        vocab_size: number of tokens.
        size: parameters of a network, as nearly as a whole number of units gives it.
        num_epochs: of a run.
        valid_every: epochs from one look at the set to choose on to the next.
        patience: epochs without a better look that end a run, or None.
        first_rate: where the walk for a learning rate begins.
        minibatches: seed to what an epoch yields, and whether the state starts anew.
        sets: X and Y to choose on, X and Y to judge on.
        error: of (net, X, Y), the lower the better.
        guess: the error of who knows nothing.
        unit: of the error.
    """

    vocab_size: int
    size: int
    num_epochs: int
    valid_every: int
    patience: int | None
    first_rate: float
    minibatches: Callable
    sets: Callable
    error: Callable
    guess: float
    unit: str


class _Again:
    """Minibatches made anew for each epoch."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return iter(self.make())


@cache
def _text():
    return load_time_machine_splits(32, 35)


def _text_minibatches(seed):
    return _text()[0], False


@cache
def _text_sets():
    """The rows of the two other parts of the text."""
    return tuple(
        tuple(
            np.concatenate([np.asarray(batch[i]) for batch in part], axis=1)
            for i in (0, 1)
        )
        for part in _text()[1:3]
    )


def _recall_minibatches(seed):
    rng = np.random.default_rng(seed)

    def make():
        for _ in range(10):
            X, Y = recall(32, 30, rng)
            yield paddle.to_tensor(X), paddle.to_tensor(Y)

    return _Again(make), True


@cache
def _recall_sets():
    """Rows of one letter and 99 further signs, questions among them."""
    make = (np.random.default_rng(seed) for seed in (1, 2))
    return tuple(recall(100, 100, rng, letters=0) for rng in make)


def _strings(numbers):
    """Strings of equal counts as X and Y; 0 in Y where nothing can be known."""
    vocab = Vocab("ab|")
    indices = np.array([vocab[list(string)] for string in equal_counts(numbers)])
    X, Y = indices[:, :-1], indices[:, 1:].copy()
    Y[X == vocab["a"]] = 0
    return X, Y


def _counting_minibatches(seed):
    X, Y = _strings(range(1, 11))
    return [(paddle.to_tensor(X), paddle.to_tensor(Y))] * 20, True


@cache
def _counting_sets():
    """Up to three times as far as was shown: odd numbers, even numbers."""
    return _strings(range(1, 30, 2)), _strings(range(2, 31, 2))


def _size(vocab_size, num_hiddens):
    """Parameters of a peephole LSTM, the output layer included."""
    return CELLS["peephole"].num_params(vocab_size, num_hiddens)


TASKS = {
    "text": Task(
        28, _size(28, 32), 60, 5, 15, 2.0,
        _text_minibatches, _text_sets, surprise, math.log(28), "nats per character",
    ),
    "memory": Task(
        7, _size(7, 16), 50, 5, None, 2.0,
        _recall_minibatches, _recall_sets, share_wrong, 0.75, "share of answers",
    ),
    "counting": Task(
        4, _size(4, 10), 30, 5, None, 2.0,
        _counting_minibatches, _counting_sets, strings_wrong, 1.0, "share of strings",
    ),
}  # fmt: skip


# --------------------------------------------------------------------------------------
# Runs


@dataclass(frozen=True)
class Entrant:
    """A cell of the registry that takes part.

    Attributes:
        cell: its name in `CELLS`.
        forget_bias: b_f at the start.
    """

    cell: str
    forget_bias: float = 0.0

    def num_hiddens(self, task: Task) -> int:
        """So many units that the number of parameters comes nearest to the size."""
        return units_of_size(self.cell, task.vocab_size, task.size)

    def model(self, task: Task):
        """A new network: matrices Gaussian, of standard deviation 0.1, the rest 0."""
        net = scratch_model(self.cell, task.vocab_size, self.num_hiddens(task))
        for name, param in zip(CELLS[self.cell].param_names, net.params):
            if name.startswith("W"):  # 0.01 in the book
                param.set_value(10 * param)
            if name == "b_f":
                param.set_value(paddle.full_like(param, self.forget_bias))
        return net


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        lr, seed: of the run.
        seconds: of training for one epoch, the processor's, a median; looks not
            counted.
        chosen: the error on the set to choose on, at every look.
        judged: that on the set to judge on, at looks better than all before; None at
            the others. Empty for a run that chooses a rate.
    """

    lr: float
    seed: int
    seconds: float = 0.0
    chosen: tuple[float, ...] = ()
    judged: tuple[float | None, ...] = ()

    def best(self, looks: int | None = None) -> float:
        """The lowest error on the set to choose on; infinite if there was no look.

        Args:
            looks: how many count, the first ones; all if not given.
        """
        return min(self.chosen[:looks], default=math.inf)

    def error(self, looks: int | None = None, worst: float = math.inf) -> float:
        """The error on the set to judge on, at the look that was best by the other.

        Args:
            looks: see `best`.
            worst: of a run that diverged before its first look.
        """
        if not self.chosen[:looks]:
            return worst
        return self.judged[self.chosen.index(self.best(looks))]


_COMPARED = set()  # entrants and tasks whose first minibatch autograd has judged


def run(entrant: Entrant, task: Task, lr: float, seed: int, judge: bool) -> Run:
    """Train once, with one thread, on the fast path.

    A run ends with its last epoch, when the task's patience does, or when its loss
    becomes infinite.

    Args:
        entrant, task, lr, seed: what is trained, on what, how fast, from where.
        judge: whether the set to judge on is looked at.
    """
    random.seed(seed)
    paddle.seed(seed)
    net = entrant.model(task)
    data, fresh = task.minibatches(seed)
    to_choose, to_judge = task.sets()
    chosen, judged, seconds = [], [], []
    start = time.process_time()

    def evaluate(net, _):
        nonlocal start
        seconds.append((time.process_time() - start) / task.valid_every)
        chosen.append(round(task.error(net, *to_choose), 4))
        if judge:
            best = chosen[-1] < min(chosen[:-1], default=math.inf)
            judged.append(round(task.error(net, *to_judge), 4) if best else None)
        start = time.process_time()
        return chosen[-1]

    fast, path = None, None
    if is_understood(registered_cell(net)):
        fast = FastPath(net, fresh, compared=(entrant, task) in _COMPARED)
        path = fast.name
    try:
        with one_thread():
            fit(
                net, data, token_losses, task.num_epochs, lr=lr, valid_iter=[None],
                evaluate=evaluate, valid_every=task.valid_every, fast=fast,
                patience=task.patience,
            )  # fmt: skip
    except NonFiniteLossError:
        pass  # a rate this high is judged by what it had reached
    if fast and fast.name == path:
        _COMPARED.add((entrant, task))
    pace = round(float(np.median(seconds)), 5) if seconds else 0.0
    return Run(lr, seed, pace, tuple(chosen), tuple(judged))


@dataclass(frozen=True)
class Result:
    """What one entrant did at one task.

    Attributes:
        num_hiddens, num_parameters: of its networks.
        lr: its learning rate.
        tried: the runs that chose it, all rates.
        runs: those that are compared, one a seed, at that rate.
    """

    num_hiddens: int
    num_parameters: int
    lr: float
    tried: tuple[Run, ...]
    runs: tuple[Run, ...]

    def seconds(self) -> float:
        """Of training for one epoch, median over the runs."""
        return float(np.median([run.seconds for run in self.runs if run.seconds]))

    def errors(self, worst: float, looks: int | None = None) -> np.ndarray:
        """See `Run.error`, of every seed."""
        return np.array([run.error(looks, worst) for run in self.runs])


@dataclass(frozen=True)
class Odyssey:
    """What `odyssey` found.

    Attributes:
        results: task, then entrant, to `Result`.
        seeds, rate_seeds: of the runs that are compared, and of those that choose.
        cpu_seconds: of the processor, of all runs.
        code: see `code_of_results`.
        versions: see `provenance.versions`.
    """

    results: dict[str, dict[str, Result]]
    seeds: tuple[int, ...]
    rate_seeds: tuple[int, ...]
    cpu_seconds: float
    code: str
    versions: dict[str, str]

    def errors(self, task: str, entrant: str, seconds: float | None = None):
        """The error of every seed; what diverged at once has guessed.

        Args:
            seconds: of training that each run may take; all that it had, if not given.

        Returns:
            (number of seeds,), in the unit of the task.

        Raises:
            ValueError: if in this time there is no look at the network.
        """
        result, looks = self.results[task][entrant], None
        if seconds is not None:
            every = result.seconds() * TASKS[task].valid_every
            looks = int(seconds / every)
            if not looks:
                raise ValueError(
                    f"{seconds:g} seconds are too few for {entrant} at {task}: the "
                    f"first look comes after {every:.2f}."
                )
        return result.errors(TASKS[task].guess, looks)

    def differences(self, task: str, one: str, other: str, seconds=None) -> np.ndarray:
        """Errors of the one minus those of the other, seed by seed."""
        return self.errors(task, one, seconds) - self.errors(task, other, seconds)

    def shortest(self, task: str) -> float:
        """Seconds in which the quickest entrant trains for all its epochs."""
        epochs = TASKS[task].num_epochs
        return epochs * min(r.seconds() for r in self.results[task].values())

    def compare(
        self,
        names: Iterable[str],
        other: str,
        *,
        level: float = 0.95,
        in_time: bool = False,
    ) -> dict[str, dict[str, Interval]]:
        """Errors minus those of another entrant, with intervals over the seeds.

        Args:
            names: of entrants.
            other: with whom they are compared.
            level: see `experiments.t_interval`.
            in_time: whether each run may take `shortest` seconds only.

        Returns:
            Task to entrant to interval.
        """
        names, found = list(names), {}
        for task in self.results:
            seconds = self.shortest(task) if in_time else None
            found[task] = {
                n: t_interval(self.differences(task, n, other, seconds), level)
                for n in names
            }
        return found


def _rate_of(entrant, task, rate_seeds):
    """The learning rate of an entrant, and the runs that it was chosen by."""
    task, tried = TASKS[task], []

    def score(rate):
        runs = [run(entrant, task, rate, seed, judge=False) for seed in rate_seeds]
        tried.extend(runs)
        return float(np.mean([min(r.best(), task.guess) for r in runs]))

    return choose_rate(score, task.first_rate)[0], tuple(tried)


def _counted(function, *arguments):
    """What a function returns, and the processor's seconds that it took."""
    start = time.process_time()
    return function(*arguments), time.process_time() - start


def _run_of(entrant, task, lr, seed):
    return run(entrant, TASKS[task], lr, seed, judge=True)


def odyssey(
    entrants: dict[str, Entrant],
    tasks: Iterable[str] = tuple(TASKS),
    *,
    seeds: Iterable[int],
    rate_seeds: Iterable[int],
    processes: int | None = None,
) -> Odyssey:
    """Train every entrant at every task.

    Args:
        entrants: name to entrant.
        tasks: names in `TASKS`.
        seeds: of the runs that are compared.
        rate_seeds: of the runs that choose learning rates, none of them in `seeds`.
        processes: how many runs at a time, each with one thread; by default as many as
            there are cores.

    Raises:
        ValueError: if a seed is used for both.
    """
    seeds, rate_seeds, tasks = tuple(seeds), tuple(rate_seeds), tuple(tasks)
    if not seeds or not rate_seeds or set(seeds) & set(rate_seeds):
        raise ValueError(
            f"seeds are {seeds} and rate_seeds are {rate_seeds}; both need some, and "
            "none may be in both."
        )
    line, cost, every = LiveLine(), 0.0, [(t, n) for t in tasks for n in entrants]
    with pool_of(num_threads() if processes is None else processes) as pool:

        def done(function, jobs, what):
            nonlocal cost
            jobs = {name: (function, *arguments) for name, arguments in jobs.items()}
            found = run_jobs(_counted, jobs, pool, line, what)
            cost += sum(seconds for _, seconds in found.values())
            return {name: result for name, (result, _) in found.items()}

        jobs = {(t, n): (entrants[n], t, rate_seeds) for t, n in every}
        rates = done(_rate_of, jobs, "learning rates")
        jobs = {
            (t, n, seed): (entrants[n], t, rates[t, n][0], seed)
            for seed in seeds
            for t, n in every
        }
        runs = done(_run_of, jobs, "runs")
    results = {task: {} for task in tasks}
    for t, n in every:
        h = entrants[n].num_hiddens(TASKS[t])
        size = CELLS[entrants[n].cell].num_params(TASKS[t].vocab_size, h)
        of_seeds = tuple(runs[t, n, seed] for seed in seeds)
        results[t][n] = Result(h, size, *rates[t, n], of_seeds)
    line.show(
        f"{len(runs)} runs, and {sum(len(tried) for _, tried in rates.values())} more "
        f"to choose learning rates: {cost / 60:.1f} minutes of the processor"
    )
    return Odyssey(
        results, seeds, rate_seeds, round(cost, 1), code_of_results(), versions()
    )


# --------------------------------------------------------------------------------------
# Results that are kept

ENTRANTS = {
    cell: Entrant(cell)
    for cell in (
        "peephole nig nfg nog niaf noaf peephole_cifg lstm fgr lstm_1997 janet gru "
        "gru_reset_after mut1 mut2 mut3 rnn clockwork depth_gated mingru minlstm slstm"
    ).split()
} | {"lstm, b_f = 1": Entrant("lstm", forget_bias=1.0)}

_MADE_OF = (
    "batches.py", "cells", "experiments.py", "fast", "fitting.py", "generation.py",
    "models.py", "odyssey.py", "tasks.py", "text.py", "training.py",
)  # fmt: skip


def code_of_results() -> str:
    """Hash of the code that results depend on, see `provenance.code_hash`."""
    parts = [PACKAGE / part for part in _MADE_OF]
    return code_hash(
        file for part in parts for file in sorted(part.glob("*.py")) or [part]
    )


def keep(found: Odyssey, path) -> None:
    """Write what was found into a JSON file, whole or not at all."""
    write_whole(path, msgspec.json.encode(found) + b"\n")


def kept(path) -> Odyssey:
    """Read what `keep` wrote.

    Raises:
        FileError: if there is no such file, or it holds something else.
    """
    with told("read", path):
        raw = Path(path).read_bytes()
    try:
        return msgspec.json.decode(raw, type=Odyssey)
    except msgspec.DecodeError as error:
        raise FileError(
            f"{shown(path)} holds no results of an odyssey: {error}."
        ) from None
