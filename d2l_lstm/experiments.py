"""One protocol for comparisons of cells, and rules that say what came out.

Who is compared is a dict of a name to a `Contestant`; `contest` trains them all.

1. Every contestant gets a learning rate of its own, chosen by `choose_rate` on seeds
   that are used for nothing else.
2. It is then trained from each of the seeds of the contest. Validation text says when
   to stop and which weights to keep; the test text, which has had no say, judges them.
3. Two contestants are compared seed by seed: the difference of the logarithms of their
   test perplexities, in nats per token, with its interval. `outcome` puts it beside a
   margin that was fixed before.

Times come from the same runs, so that a budget can also be one of seconds, with rates
chosen for it: `Contest.within`. Every run computes with one thread, and there are as
many runs at a time as there are cores: what comes out does not depend on their number.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
import paddle

from .batches import SeqDataLoader
from .devices import num_threads
from .fast import FastPath
from .fitting import Callback, NonFiniteLossError, fit
from .models import num_parameters, scratch_model
from .plotting import COLOURS, GREY, use_svg_display
from .progress import LiveLine
from .snapshots import History
from .training import evaluate_perplexity, perplexity, token_losses

MARGIN = 0.05  # nats per character: perplexities that differ by 5%
LUCK = 0.02  # nats per character: by which means of two runs differ for no reason
OUTCOMES = ("equivalent", "better", "worse", "cannot tell")


# --------------------------------------------------------------------------------------
# Statistics


@dataclass(frozen=True)
class Interval:
    """A mean, and the ends of an interval that holds the true one."""

    low: float
    mean: float
    high: float

    def __str__(self):
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def t_interval(values, level: float = 0.95) -> Interval:
    """Mean of independent values, with Student's interval.

    Args:
        values: finite numbers; a single one says nothing of the spread, and its
            interval is endless.
        level: how often such an interval holds the true mean.

    Raises:
        ValueError: for no values, some that are not finite, or another level than
            between 0 and 1.

    Source: Student 1908, "The probable error of a mean".
    """
    from scipy import stats

    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"the values are {values!r:.80}; an interval needs finite numbers, a list."
        )
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must be between 0 and 1.")
    mean = float(values.mean())
    if len(values) == 1:
        return Interval(-math.inf, mean, math.inf)
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return Interval(mean - half, mean, mean + half)


def outcome(difference: Interval, margin: float = MARGIN) -> str:
    """What an interval of differences says, the lower being the better.

    - *equivalent*: all of it lies between -margin and +margin: whatever difference
      there is, it is smaller than what was called worth a sentence.
    - *better*, *worse*: not so, and all of it lies on one side of zero.
    - *cannot tell*: it reaches across zero and past a margin. Too few runs for an
      answer: not the same as no difference.

    Args:
        difference: of a loss (nats per token), first minus second.
        margin: above 0, fixed before the run.

    Raises:
        ValueError: unless `margin` is above 0.

    Source: two one-sided tests: Schuirmann 1987.
    """
    if not margin > 0:
        raise ValueError(f"margin is {margin}; it must be above 0.")
    if -margin < difference.low and difference.high < margin:
        return "equivalent"
    if difference.high < 0:
        return "better"
    return "worse" if difference.low > 0 else "cannot tell"


def power(difference: float, spread: float, count: int, level: float = 0.95) -> float:
    """The chance that the interval of so many values does not hold zero.

    Args:
        difference: the true mean.
        spread: the true standard deviation of one value, above 0.
        count: of values, at least 2.
        level: of the interval, see `t_interval`.

    Source: of Student's test, by the noncentral t distribution, as in statsmodels.
    """
    from statsmodels.stats.power import TTestPower

    effect = difference / spread
    return float(TTestPower().power(effect, count, 1 - level))


def detectable(
    spread: float, count: int, chance: float = 0.8, level: float = 0.95
) -> float:
    """The smallest true mean that the interval tells from zero, with a chance.

    Args:
        spread, count, level: see `power`.
        chance: of an interval that does not hold zero.
    """
    from statsmodels.stats.power import TTestPower

    effect = TTestPower().solve_power(nobs=count, alpha=1 - level, power=chance)
    return spread * float(effect)


def plot_differences(differences, margin: float = MARGIN, *, axes=None, xlabel=None):
    """Paired differences of losses with their intervals, and a margin as a band.

    Args:
        differences: name to one number a seed; drawn from top to bottom.
        margin: the band reaches from -margin to +margin.
        axes: where to draw; by default a figure of its own.

    Returns:
        The axes.
    """
    from matplotlib import pyplot as plt

    if axes is None:
        use_svg_display()
        height = 0.36 * len(differences) + 0.9
        axes = plt.subplots(figsize=(5.6, height), layout="constrained")[1]
    axes.axvspan(-margin, margin, color="#e5e7eb", linewidth=0)
    axes.axvline(0, color="black", linewidth=0.8)
    for row, values in enumerate(differences.values()):
        interval = t_interval(values)
        ends = [end for end in (interval.low, interval.high) if math.isfinite(end)]
        axes.plot(values, [row + 0.18] * len(values), ".", color=GREY, markersize=4)
        bar = {"color": COLOURS[0], "linewidth": 3, "solid_capstyle": "butt"}
        axes.plot(ends, [row - 0.12] * len(ends), **bar)
        axes.plot(interval.mean, row - 0.12, "|", color="black", markersize=9)
    axes.set(yticks=range(len(differences)), yticklabels=list(differences))
    axes.set(ylim=(len(differences) - 0.5, -0.5), xlabel=xlabel)
    return axes


# --------------------------------------------------------------------------------------
# Runs


@dataclass(frozen=True)
class Contestant:
    """A cell of the registry, and its number of hidden units."""

    cell: str
    num_hiddens: int

    def num_parameters(self, vocab_size: int) -> int:
        """Trained numbers, the output layer included."""
        return num_parameters(scratch_model(self.cell, vocab_size, self.num_hiddens))

    def prepare(self, vocab_size: int, train_iter, lr: float):
        """What a run needs: a new network, what it reads, and options of `fit`."""
        net = scratch_model(self.cell, vocab_size, self.num_hiddens)
        return net, train_iter, {"fast": FastPath(net, train_iter.use_random_iter)}


@dataclass(frozen=True)
class Trial:
    """One training run.

    Attributes:
        epochs: after which validation was measured.
        valid: perplexity then, on the text to choose on.
        test: perplexity then, on the text to judge on; None where validation was no
            better than before: these weights can never be the chosen ones.
        seconds_per_epoch: of training, the median; validation not counted. They are the
            processor's: what else the machine does hardly changes them.
        train: perplexity of every epoch on the text to train on, as the epoch reports
            it: a mean while the weights move.
        diverged: whether the loss became infinite, which ended the run.
        final: perplexity of the last weights on the text to judge on; not a number for
            a run that ended before its last epoch.
    """

    lr: float
    seed: int
    epochs: tuple[int, ...] = ()
    valid: tuple[float, ...] = ()
    test: tuple[float | None, ...] = ()
    seconds_per_epoch: float = math.nan
    train: tuple[float, ...] = ()
    diverged: bool = False
    final: float = math.nan

    def chosen(self) -> int | None:
        """Place of the best validation, None if there is none."""
        return self.valid.index(min(self.valid)) if self.valid else None

    def epoch(self) -> float:
        """The epoch whose weights are kept; not a number if there are none."""
        return math.nan if self.chosen() is None else self.epochs[self.chosen()]

    def judged(self) -> float:
        """Test perplexity of the weights kept; infinite if there are none."""
        return math.inf if self.chosen() is None else self.test[self.chosen()]

    def gap(self) -> float:
        """By how much the text to train on is easier for the weights kept, in nats."""
        on_train = self.train[self.epochs[self.chosen()] - 1]
        return math.log(self.judged()) - math.log(on_train)

    def epochs_to(self, target: float) -> float:
        """Until validation is as low as this; infinite if it never is.

        Between two measurements the logarithm of the perplexity is taken to lie on a
        straight line; before the first one nothing is known.
        """
        before = None
        for epoch, value in zip(self.epochs, self.valid):
            if value <= target:
                if before is None:
                    return epoch
                there, last = before
                share = math.log(last / target) / math.log(last / value)
                return there + share * (epoch - there)
            before = epoch, value
        return math.inf

    def within(self, num_epochs: float) -> Trial:
        """What it would have been if it had been stopped after so many epochs."""
        kept = sum(epoch <= num_epochs for epoch in self.epochs)
        return replace(
            self,
            epochs=self.epochs[:kept],
            valid=self.valid[:kept],
            test=self.test[:kept],
            train=self.train[: int(min(num_epochs, len(self.train)))],
            final=self.final if kept == len(self.epochs) else math.nan,
        )


class EveryEpoch(Callback):
    """The last history, also of a run that ends with an error."""

    def __init__(self):
        self.history = History()

    def epoch(self, run, scheduled):
        self.history = run.history


@contextmanager
def one_thread() -> Iterator[None]:
    """The project computes with one thread, for as long as this lasts."""
    before = os.environ.get("D2L_LSTM_THREADS")
    os.environ["D2L_LSTM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["D2L_LSTM_THREADS"]
        if before is not None:
            os.environ["D2L_LSTM_THREADS"] = before


def run_trial(
    contestant: Contestant,
    lr: float,
    seed: int,
    parts,
    vocab_size: int,
    num_epochs: int,
    patience: int,
    valid_every: int = 5,
) -> Trial:
    """Train once, as `train_ch8` does, judging whenever validation is the best so far.

    With one thread. A run whose loss becomes infinite ends there, with what it had
    chosen before.

    Args:
        contestant: a `Contestant`, or anything with its methods.
        parts: loaders of the text to train on, to choose on and to judge on; the last
            is None for a run that is only to choose by.
        num_epochs, patience, valid_every: see `fitting.fit`.
    """
    random.seed(seed)
    paddle.seed(seed)
    train_iter, valid_iter, test_iter = parts
    net, train_iter, options = contestant.prepare(vocab_size, train_iter, lr)
    settings = {"lr": lr, "patience": patience, "valid_every": valid_every} | options
    losses = settings.pop("losses", token_losses)
    watched, diverged, final = EveryEpoch(), False, math.nan
    epochs, valid, test, seconds = [], [], [], []
    trained_from = time.process_time()

    def evaluate(net, data):
        nonlocal trained_from, final
        seconds.append((time.process_time() - trained_from) / valid_every)
        value = evaluate_perplexity(net, data)
        best = not valid or value < min(valid)
        judge = best and test_iter is not None
        test.append(evaluate_perplexity(net, test_iter) if judge else None)
        valid.append(value)
        epochs.append(len(valid) * valid_every)
        if epochs[-1] == num_epochs and test_iter is not None:
            final = test[-1] or evaluate_perplexity(net, test_iter)
        trained_from = time.process_time()
        return value

    try:
        with one_thread():
            history = fit(
                net, train_iter, losses, num_epochs, valid_iter=valid_iter,
                metric=perplexity, evaluate=evaluate, callbacks=(watched,), **settings,
            )  # fmt: skip
        if history.stopped == "interrupted":
            raise KeyboardInterrupt  # a run cut short is no run of the contest
    except NonFiniteLossError:
        diverged = True  # a rate this high is judged by what it had reached
    pace = median(seconds) if seconds else math.nan
    measured = tuple(epochs), tuple(valid), tuple(test)
    train = tuple(watched.history.train)
    return Trial(lr, seed, *measured, pace, train, diverged, final)


def choose_rate(
    score: Callable[[float], float],
    first: float = 8.0,
    factor: float = 2.0,
    gain: float = LUCK,
) -> tuple[float, dict[float, float]]:
    """The learning rate with the lowest score, found by walking downhill.

    The walk goes from `first` to the next lower rate or, if that is no better, to the
    next higher one, and on as long as the next rate is better. Better by `gain`, that
    is: scores of few seeds differ by luck, and who follows it walks at random, often to
    rates that take several times as many epochs.

    Args:
        score: of a rate, the lower the better; infinite where training diverges.
        first: where to start.
        factor: from one rate to the next, above 1.
        gain: what a step has to gain.

    Returns:
        The rate, and the scores of all that were tried.

    Raises:
        ValueError: if 20 steps in one direction do not end the walk.
    """
    scores = {}

    def better(rate, than):
        scores[rate] = score(rate)
        return scores[rate] < scores[than] - gain or math.isinf(scores[than])

    scores[first] = score(first)
    for step in (1 / factor, factor):
        rate = first
        for _ in range(20):
            if not better(rate * step, rate):
                break
            rate *= step
        else:
            raise ValueError(f"no learning rate from {first:g} to {rate:g} is best.")
        if rate != first:
            break
    return rate, scores


# --------------------------------------------------------------------------------------
# The contest


@dataclass
class Contest:
    """What `contest` found; every dict has the contestants' names.

    Attributes:
        contestants: who took part.
        settings: those of `contest`, but for the contestants.
        num_parameters: of each.
        rates: the learning rate of each.
        tried: of each, rate to the trials that it was judged by, one a rate seed.
        trials: of each, one a seed, in the same order for all.
    """

    contestants: dict[str, Contestant]
    settings: dict = field(default_factory=dict, repr=False)
    num_parameters: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    tried: dict[str, dict[float, list[Trial]]] = field(default_factory=dict)
    trials: dict[str, list[Trial]] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, dict[float, float]]:
        """Of each, rate to the mean logarithm of the best validation perplexities."""
        return {
            name: {rate: _score(trials) for rate, trials in tried.items()}
            for name, tried in self.tried.items()
        }

    def seconds_per_epoch(self, name: str) -> float:
        """Median over the runs that did not diverge, validation not counted."""
        seconds = [trial.seconds_per_epoch for trial in self.trials[name]]
        return float(np.nanmedian(seconds))

    def seconds(self, name: str) -> float:
        """Of training, from the start to where a run ended; the median over the runs.

        A run ends when it has used up its patience, and was measured then.
        """
        last = median(trial.epochs[-1] for trial in self.trials[name] if trial.epochs)
        return last * self.seconds_per_epoch(name)

    def epochs_in(self, name: str, seconds: float) -> float:
        """How many epochs of this contestant fit into so many seconds."""
        return seconds / self.seconds_per_epoch(name)

    def judged(self, name: str) -> np.ndarray:
        """Test perplexities at the chosen weights, (number of seeds,)."""
        return np.array([trial.judged() for trial in self.trials[name]])

    def gaps(self, name: str) -> np.ndarray:
        """log test minus log training perplexity at the chosen weights, nats."""
        return np.array([trial.gap() for trial in self.trials[name]])

    def epochs(self, name: str) -> np.ndarray:
        """The chosen epochs, (number of seeds,)."""
        return np.array([trial.epoch() for trial in self.trials[name]])

    def differences(self, name: str, other: str) -> np.ndarray:
        """log test perplexity of the one minus the other's, seed by seed.

        Returns:
            (number of seeds,), nats per token; below 0 where the first is better.
        """
        return np.log(self.judged(name)) - np.log(self.judged(other))

    def within(self, seconds: float, names: Iterable[str] | None = None) -> Contest:
        """The contest with a budget of so many seconds of training for each run.

        Learning rates are chosen anew: in little time a high rate may be the best that
        is not in the long run. Runs at a rate that was chosen before are taken over, as
        far as they would have come; the others are trained.

        Args:
            names: of those who take part; all, if not given.

        Raises:
            ValueError: if somebody cannot be measured once in this time.
        """
        names = self.contestants if names is None else names
        limits = {name: self.epochs_in(name, seconds) for name in names}
        for name, epochs in limits.items():
            if not epochs >= self.settings["valid_every"]:
                raise ValueError(
                    f"{name} has time for {epochs:.1f} epochs in {seconds:g} seconds; "
                    f"the first validation is after {self.settings['valid_every']}."
                )
        contestants = {name: self.contestants[name] for name in names}
        return _hold(contestants, self.settings, limits, self)

    def curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Epochs, and validation perplexity there as a geometric mean over the seeds.

        As far as all runs went.
        """
        trials = self.trials[name]
        shared = min(len(trial.valid) for trial in trials)
        values = np.log([trial.valid[:shared] for trial in trials]).mean(axis=0)
        return np.array(trials[0].epochs[:shared]), np.exp(values)


def _score(trials: list[Trial]) -> float:
    """Mean logarithm of the best validation perplexity, nats per token."""
    best = [min(trial.valid, default=math.inf) for trial in trials]
    return float(np.mean([math.log(value) for value in best]))


def _rate_of(contestant, first_rate, rate_seeds, settings, known):
    """The learning rate of a contestant, and the trials of all that were tried.

    Args:
        known: rate to trials, of those that need not be run.
    """
    (*parts, _), *settings = settings  # the test text has no say
    tried = {}

    def score(rate):
        tried[rate] = known.get(rate) or [
            run_trial(contestant, rate, seed, (*parts, None), *settings)
            for seed in rate_seeds
        ]
        return _score(tried[rate])

    return choose_rate(score, first_rate)[0], tried


@contextmanager
def pool_of(processes: int) -> Iterator[ProcessPoolExecutor | None]:
    """So many processes, that begin when they are needed; None for this one only."""
    if processes == 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")  # Paddle does not survive a fork
    with ProcessPoolExecutor(processes, context) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_jobs(function, jobs: dict, pool, line: LiveLine, what: str) -> dict:
    """The function of each job's arguments, by the job's name.

    Args:
        jobs: name to arguments.
        pool: of `pool_of`.
        line, what: shows how many are done, after the words `what`.
    """
    done = {}

    def finished(name, result):
        done[name] = result
        line.show(f"{what} {len(done)} of {len(jobs)}")

    if pool is None:
        for name, arguments in jobs.items():
            finished(name, function(*arguments))
    else:
        futures = {pool.submit(function, *job): name for name, job in jobs.items()}
        for future in as_completed(futures):
            finished(futures[future], future.result())
    return done


def contest(
    contestants: dict[str, Contestant],
    parts: tuple[SeqDataLoader, SeqDataLoader, SeqDataLoader],
    vocab_size: int,
    *,
    num_epochs: int,
    patience: int,
    seeds: Iterable[int],
    rate_seeds: Iterable[int],
    first_rate: float = 8.0,
    valid_every: int = 5,
    processes: int | None = None,
) -> Contest:
    """Train every contestant by the protocol of this module.

    Args:
        contestants: name to contestant.
        parts: loaders of the text to train on, to choose on and to judge on.
        num_epochs, patience, valid_every: see `fitting.fit`.
        seeds: of the runs that are compared.
        rate_seeds: of the runs that choose the learning rates, none of them in `seeds`.
        first_rate: where the walk for a rate starts, see `choose_rate`.
        processes: how many runs at a time; by default as many as there are cores. A
            cell that was defined outside the package is known to this process only:
            give 1, as in a script without `if __name__ == "__main__":`.

    Raises:
        ValueError: if a seed is used for both.
    """
    seeds, rate_seeds = list(seeds), list(rate_seeds)
    if not seeds or not rate_seeds or set(seeds) & set(rate_seeds):
        raise ValueError(
            f"seeds are {seeds} and rate_seeds are {rate_seeds}; both need some, and "
            "none may be in both."
        )
    settings = dict(
        parts=parts, vocab_size=vocab_size, patience=patience, seeds=seeds,
        rate_seeds=rate_seeds, first_rate=first_rate, valid_every=valid_every,
        processes=num_threads() if processes is None else processes,
    )  # fmt: skip
    return _hold(contestants, settings, dict.fromkeys(contestants, num_epochs))


def _hold(contestants, settings, limits, known: Contest | None = None) -> Contest:
    """Hold a contest.

    Args:
        settings: those of `contest`.
        limits: of each contestant, how many epochs a run may have.
        known: the same contest with more epochs.
    """
    found, line, use = Contest(dict(contestants), settings), LiveLine(), settings
    jobs, of_runs = {}, {}
    for name, contestant in contestants.items():
        found.num_parameters[name] = contestant.num_parameters(use["vocab_size"])
        of_runs[name] = (
            use["parts"], use["vocab_size"], int(limits[name]), use["patience"],
            use["valid_every"],
        )  # fmt: skip
        before = known.tried[name] if known else {}
        there = {r: [t.within(limits[name]) for t in ts] for r, ts in before.items()}
        rest = use["first_rate"], use["rate_seeds"], of_runs[name], there
        jobs[name] = (contestant, *rest)
    with pool_of(use["processes"]) as pool:
        rates = run_jobs(_rate_of, jobs, pool, line, "learning rates")
        for name in contestants:
            found.rates[name], found.tried[name] = rates[name]
        new = {n for n in contestants if not known or known.rates[n] != rates[n][0]}
        jobs = {  # in turns: all share the machine's good and bad minutes
            (name, seed): (contestant, found.rates[name], seed, *of_runs[name])
            for seed in use["seeds"]
            for name, contestant in contestants.items()
            if name in new
        }
        trials = run_jobs(run_trial, jobs, pool, line, "runs")
    for name in contestants:
        found.trials[name] = (
            [trials[name, seed] for seed in use["seeds"]]
            if name in new
            else [trial.within(limits[name]) for trial in known.trials[name]]
        )
    line.show(
        f"{len(contestants)} contestants, {len(use['seeds'])} runs each, and "
        f"{sum(map(len, found.tried.values()))} learning rates tried with "
        f"{len(use['rate_seeds'])} seeds each"
    )
    return found
