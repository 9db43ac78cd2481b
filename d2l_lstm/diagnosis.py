"""What is wrong with a training: symptoms, and questions that lead to a cause.

    seen, history = observe(prepare, lr, num_epochs, valid_iter)
    diagnose(seen)
    draw_questions({"as it should be": seen, ...})

The questions are asked in order; the first one that is answered with no names a cause.
They are for a language model that begins with guessing, and falls below the loss of
who knows how frequent each token is, and nothing else.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import paddle

from .drawing import Diagram
from .experiments import EveryEpoch
from .fitting import NonFiniteLossError, clear_gradients, fit, grad_clipping
from .models import parameters_of
from .snapshots import History

HEALTHY = "nothing: go on"


@dataclass(frozen=True)
class Symptoms:
    """What a few epochs show; losses in nats per token.

    Attributes:
        guessing: loss of who guesses: log q.
        frequencies: loss of who knows the frequencies of the tokens.
        first: loss of the first minibatch.
        cut: norm of its gradient, divided by the threshold.
        moved: largest change of an entry by the training, of the parameter for which
            that is smallest.
        highest, last: mean loss of the worst epoch and of the last one; infinite if a
            loss was not finite.
        faster: the last one with ten times the learning rate.
        valid: last validation loss minus the lowest.
    """

    guessing: float
    frequencies: float
    first: float
    cut: float
    moved: float
    highest: float
    last: float
    faster: float
    valid: float


# The question, what says yes, and the cause if it is no.
QUESTIONS: tuple[tuple[str, Callable[[Symptoms], bool], str], ...] = (
    (
        "Is the first loss a number?",
        lambda s: math.isfinite(s.first),
        "a weight or an input is not a number",
    ),
    (
        "Is it log q, to within 0.5?",
        lambda s: abs(s.first - s.guessing) < 0.5,
        "the weights are too large at the start",
    ),
    (
        "Do all parameters change?",
        lambda s: s.moved > 0,
        "a parameter is not updated",
    ),
    (
        "Does the loss stay below its start?",
        lambda s: s.highest < s.first + 0.1,
        "the steps are too long",
    ),
    (
        "Is the gradient within ten thresholds?",
        lambda s: s.cut <= 10,
        "the threshold is too small",
    ),
    (
        "Is ten times the rate no better?",
        lambda s: s.faster > s.last - 0.05,
        "the learning rate is too small",
    ),
    (
        "Is the loss below that of frequencies?",
        lambda s: s.last < s.frequencies - 0.05,
        "the labels do not belong to the inputs",
    ),
    (
        "Is validation near its lowest?",
        lambda s: s.valid < 0.05,
        "over-fitting",
    ),
)


def diagnose(seen: Symptoms) -> str:
    """The cause that the first question with the answer no names, or `HEALTHY`."""
    causes = (cause for _, is_yes, cause in QUESTIONS if not is_yes(seen))
    return next(causes, HEALTHY)


def observe(prepare: Callable, lr: float, num_epochs: int, valid_iter, seed: int = 0):
    """Train for a few epochs, and once more with ten times the rate.

    Args:
        prepare: of a learning rate: a network, the `SeqDataLoader` that it reads, and
            options of `fit` with `losses` among them, as `Variation.prepare`.
        lr: learning rate.
        num_epochs: epochs of each of the two runs.
        valid_iter: minibatches of another text.
        seed: of both runs.

    Returns:
        `Symptoms`, and the `History` of the first run with losses in nats per token, up
        to the last loss that is finite.
    """
    random.seed(seed)
    paddle.seed(seed)
    net, data, options = prepare(lr)
    losses, theta = options["losses"], options.get("theta", 1.0)
    loss, _ = next(losses(net, data))
    first = float(loss)
    loss.backward()
    cut = grad_clipping(net, math.inf) / theta
    clear_gradients(net)
    before = {name: p.numpy() for name, p in parameters_of(net).items()}
    history, ended = _train(net, data, options, num_epochs, valid_iter)
    change = (abs(p.numpy() - before[n]).max() for n, p in parameters_of(net).items())
    valid = [value for value in history.valid if value is not None]
    worst = max(history.train, default=math.inf)

    random.seed(seed)
    paddle.seed(seed)
    again, ended_again = _train(*prepare(10 * lr), num_epochs, None)
    counts = np.bincount(np.asarray(data.corpus))
    shares = counts[counts > 0] / counts.sum()
    seen = Symptoms(
        guessing=math.log(net.vocab_size),
        frequencies=float(-(shares * np.log(shares)).sum()),
        first=first,
        cut=cut,
        moved=float(min(change)),
        highest=worst if ended else math.inf,
        last=history.train[-1] if ended else math.inf,
        faster=again.train[-1] if ended_again else math.inf,
        valid=valid[-1] - min(valid) if valid else math.inf,
    )
    return seen, history


def _train(net, data, options, num_epochs, valid_iter) -> tuple[History, bool]:
    """The history, and whether all losses were finite."""
    options, watched = dict(options), EveryEpoch()
    losses = options.pop("losses")
    try:
        fit(
            net, data, losses, num_epochs, valid_iter=valid_iter, callbacks=(watched,),
            **options,
        )  # fmt: skip
    except NonFiniteLossError:
        return watched.history, False
    return watched.history, True


def draw_questions(found: dict[str, Symptoms], axes=None) -> Diagram:
    """The questions as a flow chart, each cause beside the runs that it was named for.

    Args:
        found: name of a run to its symptoms.
        axes: where to draw; by default a figure of its own.
    """
    runs: dict[str, list[str]] = {}
    for name, seen in found.items():
        runs.setdefault(diagnose(seen), []).append(name)
    top = 1.15 * len(QUESTIONS) + 0.3
    d = Diagram(width=23, height=top + 0.5, scale=0.4, axes=axes)

    def leaf(x, y, cause):
        names = ", ".join(runs.get(cause, []))
        d.text(x, y, names, size=8, ha="left", style="italic")

    for i, (question, _, cause) in enumerate(QUESTIONS):
        y = top - 1.15 * i
        d.box(3.8, y, "", width=7.4).text(3.8, y, question, size=8)
        d.arrow((7.5, y), (8.9, y)).text(8.15, y + 0.25, "no", size=8)
        d.box(12.7, y, "", width=7.6).text(12.7, y, cause, size=8)
        d.arrow((3.8, y - 0.35), (3.8, y - 0.8)).text(4.35, y - 0.57, "yes", size=8)
        leaf(16.8, y, cause)
    d.box(3.8, 0.3, "", width=7.4).text(3.8, 0.3, HEALTHY, size=8)
    leaf(7.8, 0.3, HEALTHY)
    return d
