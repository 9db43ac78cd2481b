"""One training, varied: each piece of advice changes one thing of it.

    bench = Bench(parts, vocab_size, num_epochs=80, patience=8, seeds=(1, 2, 3),
                  rate_seeds=(9,), first_rate=0.02)
    bench.add({"one layer": Variation(), "two layers": Variation(num_layers=2)})
    bench.compare(["two layers"], "one layer")

A `Variation` takes the place of a `Contestant` in `experiments`, whose protocol it
follows: its own learning rate, chosen on other seeds; the validation text says when to
stop and which weights to keep, the test text judges them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np
import paddle
from paddle import nn

from .batches import SeqDataLoader
from .experiments import (
    MARGIN,
    Contest,
    Interval,
    Trial,
    choose_rate,
    contest,
    outcome,
    plot_differences,
    run_trial,
    t_interval,
)
from .fitting import fit
from .models import RNNModel, SequenceModel, num_parameters
from .progress import LiveLine
from .tasks import TaskLoader, accuracy, class_errors, temporal_order
from .training import token_losses

INITIALISATIONS = ("paddle", "gaussian", "xavier", "he", "orthogonal")
SCHEDULES = ("constant", "cosine", "warm-up")


def scheduled(schedule: str, lr: float, num_epochs: int) -> Callable[[int], float]:
    """The learning rate of each epoch, counted from 0.

    "constant"; "cosine": from `lr` at the start along half a cosine towards 0 after the
    last epoch; "warm-up": rising evenly to `lr` over the first quarter of the epochs,
    constant from there.

    Raises:
        ValueError: for another schedule.

    Source: cosine: Loshchilov & Hutter 2017, equation 5, without restarts; warm-up:
    Goyal et al. 2017, section 2.2.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}; there are {', '.join(SCHEDULES)}.")
    rising = max(1, num_epochs // 4)

    def rate(epoch: int) -> float:
        if schedule == "cosine":
            return lr * (1 + math.cos(math.pi * epoch / num_epochs)) / 2
        return lr * min(1, (epoch + 1) / rising) if schedule == "warm-up" else lr

    return rate


def initialise(net: RNNModel, how: str) -> None:
    """Give an LSTM language model new weights; all biases become 0.

    Of every gate's matrix, with `fan_in` inputs and `fan_out` outputs, the entries are
    normal with mean 0 and a standard deviation of 0.01 ("gaussian"), the root of
    2 / (fan_in + fan_out) ("xavier") or the root of 2 / fan_in ("he"). "orthogonal" is
    "xavier", but the matrices from the hidden state are orthogonal. "paddle" leaves the
    library's: weights and biases uniform, from -1/sqrt(h) to 1/sqrt(h).

    Raises:
        ValueError: for another way.

    Source: Glorot & Bengio 2010, equation 12; He et al. 2015, equation 10; Saxe,
    McClelland & Ganguli 2014.
    """
    if how not in INITIALISATIONS:
        raise ValueError(f"init is {how!r}; there are {', '.join(INITIALISATIONS)}.")
    if how == "paddle":
        return

    def matrix(outputs, inputs, orthogonal):
        values = paddle.randn([outputs, inputs]).numpy()
        if orthogonal:
            q, r = np.linalg.qr(values)
            return (q * np.sign(np.diag(r))).astype("float32")
        variance = {"gaussian": 1e-4, "he": 2 / inputs}
        return values * variance.get(how, 2 / (inputs + outputs)) ** 0.5

    for name, weight in net.named_parameters():
        if weight.ndim == 1:
            weight.set_value(paddle.zeros_like(weight))
        elif name.startswith("linear"):  # (h, q)
            weight.set_value(matrix(*weight.shape[::-1], False).T.copy())
        else:  # four gates, one above the other: (4h, inputs)
            rows, inputs = weight.shape
            square = how == "orthogonal" and "_hh_" in name
            blocks = [matrix(rows // 4, inputs, square) for _ in range(4)]
            weight.set_value(np.concatenate(blocks))


@dataclass(frozen=True)
class Variation:
    """A training of Paddle's LSTM on a text; what is not said is as usual.

    Attributes:
        num_hiddens, num_layers: of the network.
        init: see `initialise`.
        batch_size, num_steps: of the minibatches that it is trained on.
        theta: largest norm of the gradient.
        schedule, schedule_epochs: see `scheduled`.
        dropout: share of hidden units whose way to the output layer (and to a layer
            above) is cut, at random and anew for each step, in training.
        weight_decay: this times a weight is added to its gradient.
        optimizer: a name in `paddle.optimizer`.
        carry: whether the state goes from minibatch to minibatch; if not, each begins
            with zeros, in training.

    Raises:
        ValueError: when a network is made, for what does not exist.
    """

    num_hiddens: int = 64
    num_layers: int = 1
    init: str = "paddle"
    batch_size: int = 32
    num_steps: int = 35
    theta: float = 1.0
    schedule: str = "constant"
    schedule_epochs: int = 1
    dropout: float = 0.0
    weight_decay: float = 0.0
    optimizer: str = "Adam"
    carry: bool = True

    def model(self, vocab_size: int) -> RNNModel:
        """A new network."""
        layer = nn.LSTM(
            vocab_size,
            self.num_hiddens,
            self.num_layers,
            time_major=True,
            dropout=self.dropout if self.num_layers > 1 else 0.0,
        )
        net = RNNModel(layer, vocab_size)
        initialise(net, self.init)
        if self.dropout:
            net.linear = nn.Sequential(nn.Dropout(self.dropout), net.linear)
        return net

    def num_parameters(self, vocab_size: int) -> int:
        """Trained numbers, the output layer included."""
        return num_parameters(self.model(vocab_size))

    def losses(self, net, data):
        """See `fitting.fit`."""
        fresh = not self.carry and net.training
        return token_losses(net, data, use_random_iter=fresh)

    def prepare(self, vocab_size: int, train_iter, lr: float):
        """What a run needs: a new network, what it reads, and options of `fit`."""
        net = self.model(vocab_size)
        reading = SeqDataLoader(
            self.batch_size,
            self.num_steps,
            corpus=train_iter.corpus,
            vocab=train_iter.vocab,
        )
        optimizer = getattr(paddle.optimizer, self.optimizer)(
            lr, parameters=net.parameters(), weight_decay=self.weight_decay or None
        )
        options = {
            "lr": scheduled(self.schedule, lr, self.schedule_epochs),
            "optimizer": optimizer,
            "theta": self.theta,
            "losses": self.losses,
        }
        return net, reading, options


class Bench:
    """Variations that are compared with each other, and with those that come later.

    Args:
        parts: loaders of the text to train on, to choose on and to judge on.
        vocab_size: number of tokens.
        **settings: of `experiments.contest`.

    Attributes:
        found: a `Contest` of all variations so far.
    """

    def __init__(self, parts, vocab_size: int, **settings):
        self.parts, self.vocab_size, self.settings = parts, vocab_size, settings
        self.found = Contest({}, dict(settings))

    def add(self, variations: dict[str, Variation], **other) -> None:
        """Train variations by the protocol of `experiments`.

        Args:
            variations: by a name that is not taken.
            **other: settings that differ this time.

        Raises:
            ValueError: for a name that is taken.
        """
        taken = sorted(set(variations) & set(self.found.contestants))
        if taken:
            raise ValueError(f"{', '.join(taken)}: there is one of this name already.")
        settings = {"processes": 1} | self.settings | other
        new = contest(variations, self.parts, self.vocab_size, **settings)
        for what in ("contestants", "num_parameters", "rates", "tried", "trials"):
            getattr(self.found, what).update(getattr(new, what))

    def at_rate(
        self, variations: dict[str, Variation], lr: float, num_epochs: int
    ) -> dict[str, list[Trial]]:
        """Runs of one learning rate that go on to their last epoch.

        Args:
            variations: by name.
            lr: of all of them.
            num_epochs: of each run, measured after every fourth.

        Returns:
            Name to a `Trial` for each seed. They are in no contest: nothing is chosen.
        """
        seeds, rest = self.settings["seeds"], (num_epochs, num_epochs, 4)
        size, line = self.vocab_size, LiveLine()
        found: dict[str, list[Trial]] = {name: [] for name in variations}
        for seed in seeds:
            for name, variation in variations.items():
                line.show(f"{name}, seed {seed}")
                trial = run_trial(variation, lr, seed, self.parts, size, *rest)
                found[name].append(trial)
        line.show(f"{len(found)} variations, {len(list(seeds))} runs each, rate {lr:g}")
        return found

    def mean(self, name: str, of: str = "judged") -> float:
        """Geometric mean over the seeds.

        Args:
            of: "judged", the test perplexity of the chosen weights; "final", that of
                the last ones; "valid", the lowest validation perplexity; "train", the
                training perplexity of the chosen epoch.
        """
        values = {
            "judged": lambda trial: trial.judged(),
            "final": lambda trial: trial.final,
            "valid": lambda trial: min(trial.valid, default=math.inf),
            "train": lambda trial: trial.judged() / math.exp(trial.gap()),
        }
        return float(np.exp(np.mean(np.log(self.values(name, values[of])))))

    def values(self, name: str, of: Callable) -> np.ndarray:
        """A number of each run of a variation, (number of seeds,)."""
        return np.array([of(trial) for trial in self.found.trials[name]], float)

    def epochs_to(self, name: str, target: float) -> np.ndarray:
        """Of each run, see `Trial.epochs_to`."""
        return self.values(name, lambda trial: trial.epochs_to(target))

    def table(self, names: Iterable[str]) -> str:
        """One line a variation: rate, chosen epoch, perplexities, seconds."""
        found, names = self.found, list(names)
        width = max(map(len, names))
        heads = "parameters    rate  epoch  training  validation   test  seconds"
        lines = [f"{'':{width}}  {heads}"]
        for name in names:
            trials = found.trials[name]
            seconds = median(t.epoch() * t.seconds_per_epoch for t in trials)
            lines.append(
                f"{name:{width}}  {found.num_parameters[name]:10,}"
                f"{found.rates[name]:8.4g}{np.median(found.epochs(name)):7.0f}"
                f"{self.mean(name, 'train'):10.2f}{self.mean(name, 'valid'):12.2f}"
                f"{self.mean(name):7.2f}{seconds:9.2f}"
            )
        return "\n".join(lines)

    def compare(
        self,
        names: Iterable[str],
        other: str,
        margin: float = MARGIN,
        *,
        draw: bool = True,
        axes=None,
    ) -> dict[str, Interval]:
        """Print the table and each difference from another variation; draw them.

        Args:
            names: of variations, compared seed by seed on the test text.
            other: with which; what is better than it lies left of 0.
            margin: see `experiments.outcome`.
            draw: whether to draw them.
            axes: where; by default a figure of its own.

        Returns:
            Name to the interval of the difference of log test perplexities.
        """
        names = list(names)
        print(self.table([other, *names]))
        differences = {name: self.found.differences(name, other) for name in names}
        intervals = {name: t_interval(d) for name, d in differences.items()}
        width = max(map(len, names))
        print(f"\nlog test perplexity minus that of {other}:")
        for name, interval in intervals.items():
            print(f"{name:{width}}  {interval}  {outcome(interval, margin)}")
        if draw:
            label = f"log test perplexity minus that of “{other}” (nats)"
            plot_differences(differences, margin, axes=axes, xlabel=label)
        return intervals


@dataclass(frozen=True)
class OrderRun:
    """A network that was trained to tell in which order two symbols came.

    Attributes:
        loss: mean cross-entropy on new sequences after each epoch, nats.
        errors: share of new sequences whose order it tells wrong, at the end.
    """

    loss: tuple[float, ...]
    errors: float


def run_order(
    optimizer: str,
    lr: float,
    num_steps: int,
    seed: int,
    num_epochs: int,
    num_hiddens: int = 32,
) -> OrderRun:
    """Train an LSTM on `tasks.temporal_order`, ten minibatches of 32 an epoch.

    Args:
        optimizer: a name in `paddle.optimizer`.
        num_steps: length of the sequences.
        seed: of the weights and of the sequences.

    Raises:
        NonFiniteLossError: if the loss is not finite.
    """
    paddle.seed(seed)
    net = SequenceModel(nn.LSTM(6, num_hiddens, time_major=True), num_outputs=4)
    train_iter = TaskLoader(temporal_order, 32, num_steps, 10, seed=seed)
    valid_iter = list(TaskLoader(temporal_order, 200, num_steps, 1, seed=seed + 1))
    maker = getattr(paddle.optimizer, optimizer)
    history = fit(
        net, train_iter, class_errors, num_epochs, lr=lr, valid_iter=valid_iter,
        optimizer=maker(lr, parameters=net.parameters()),
    )  # fmt: skip
    net.eval()
    with paddle.no_grad():
        errors = 1 - accuracy(net, valid_iter)
    return OrderRun(tuple(history.valid), errors)


def order_contest(
    first_rates: dict[str, float], lengths, seeds, rate_seed: int, num_epochs: int
) -> tuple[dict, dict]:
    """Optimizers on `tasks.temporal_order`, each with its own rate for each length.

    A rate is judged by the mean loss of the second half of the epochs, of a seed that
    is used for nothing else.

    Args:
        first_rates: name in `paddle.optimizer` to the rate where the walk begins, see
            `experiments.choose_rate`.
        lengths: of the sequences.
        seeds: of the runs that count.
        rate_seed: of the runs that choose.
        num_epochs: of each run.

    Returns:
        (optimizer, length) to its learning rate, and to its runs, one a seed.
    """
    rates, runs, line = {}, {}, LiveLine()
    for optimizer, first in first_rates.items():
        for num_steps in lengths:
            line.show(f"{optimizer}, {num_steps} steps")

            def score(lr, optimizer=optimizer, num_steps=num_steps):
                run = run_order(optimizer, lr, num_steps, rate_seed, num_epochs)
                return float(np.mean(run.loss[num_epochs // 2 :]))

            key = optimizer, num_steps
            rates[key], _ = choose_rate(score, first)
            runs[key] = [
                run_order(optimizer, rates[key], num_steps, seed, num_epochs)
                for seed in seeds
            ]
    line.show(f"{len(runs)} times {len(list(seeds))} networks")
    return rates, runs
