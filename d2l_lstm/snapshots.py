"""A run after a complete epoch: its history, and all that it takes to be there again.

Weights, the random numbers of Python, NumPy and Paddle, and the optimizer's state. The
state of a schedule is not among it: a rate follows from the epoch, see `fitting.lr_at`.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass, field

import numpy as np
import paddle
from paddle import nn

from .models import parameters_of


@dataclass
class History:
    """What a run measured, one entry per epoch.

    Attributes:
        epochs: 1, 2, ...
        train: the metric over the epoch's minibatches, each before its own update.
        valid: with the weights at the epoch's end, or None if not measured.
        per_second: items (tokens) per second of training, without the validation.
        lr: the learning rate.
        stopped: `'finished'`, `'early stopping'` or `'interrupted'`.
        metric: what was measured; the lower, the better.
        path: what trained the epoch: `'paddle'`, or of the fast path `'numba'` or
            `'numpy'`.

    For a language model `train_perplexity`, `valid_perplexity`, `tokens_per_second` and
    `best_valid_perplexity` are other names of `train`, `valid`, `per_second` and
    `best_valid`.
    """

    epochs: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    valid: list[float | None] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    stopped: str = "finished"
    metric: str = "perplexity"
    path: list[str] = field(default_factory=list)

    def __post_init__(self):
        if not self.path:  # of a file from before there was another
            self.path = ["paddle"] * len(self.epochs)

    def add(self, train, valid, speed, lr, path="paddle"):
        """Append one epoch."""
        self.path.append(path)
        self.epochs.append(len(self.epochs) + 1)
        self.train.append(train)
        self.valid.append(valid)
        self.per_second.append(speed)
        self.lr.append(lr)

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the lowest validation metric, None without validation."""
        valid = [(v, e) for v, e in zip(self.valid, self.epochs) if v is not None]
        return min(valid)[1] if valid else None

    @property
    def best_valid(self) -> float | None:
        """The lowest validation metric, None without validation."""
        best = self.best_epoch
        return None if best is None else self.valid[best - 1]

    @property
    def epochs_since_best(self) -> int:
        """Epochs from the best validation to the last one; 0 without validation."""
        measured = [e for v, e in zip(self.valid, self.epochs) if v is not None]
        return measured[-1] - self.best_epoch if measured else 0

    @property
    def train_perplexity(self) -> list[float]:
        """`train`, in the book's words."""
        return self.train

    @property
    def valid_perplexity(self) -> list[float | None]:
        """`valid`, in the book's words."""
        return self.valid

    @property
    def tokens_per_second(self) -> list[float]:
        """`per_second`, in the book's words."""
        return self.per_second

    @property
    def best_valid_perplexity(self) -> float | None:
        """`best_valid`, in the book's words."""
        return self.best_valid

    def to_dict(self) -> dict:
        """As plain lists, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Snapshot:
    """A run after a complete epoch.

    Attributes:
        history: up to that epoch.
        weights: name to tensor; of a Layer with its buffers.
        random: see `random_state`.
        optimizer: see `optimizer_state`.
        best: the weights of the best epoch, or None without validation.
    """

    history: History
    weights: dict
    random: dict
    optimizer: dict
    best: dict | None = None


def take_snapshot(net, optimizer, history: History, best: dict | None = None):
    """The `Snapshot` of this moment; its weights are the best if `history` says so."""
    weights = {name: t.detach().clone() for name, t in _tensors(net).items()}
    if history.epochs and history.best_epoch == history.epochs[-1]:
        best = weights
    return Snapshot(
        history, weights, random_state(), optimizer_state(optimizer, net), best
    )


def put_back(run: Snapshot, net, optimizer) -> None:
    """Make everything as it was; gradients are forgotten."""
    put_weights(net, run.weights)
    put_optimizer_state(optimizer, net, run.optimizer)
    put_random_state(run.random)
    for param in parameters_of(net).values():
        param.clear_gradient(False)


def _tensors(net) -> dict:
    if not isinstance(net, nn.Layer):
        return parameters_of(net)
    saved = net.state_dict()  # a buffer that is not in it is scratch memory
    buffers = {name: t for name, t in net.named_buffers() if name in saved}
    return {**parameters_of(net), **buffers}


def put_weights(net, weights: dict) -> None:
    """Set a model's parameters and buffers to these values."""
    for name, tensor in _tensors(net).items():
        tensor.set_value(weights[name])


# --------------------------------------------------------------------------------------
# Random numbers


def random_state() -> dict:
    """The states of Python's, NumPy's and Paddle's random numbers, as JSON holds them.

    Of NumPy it is the global generator; generators of one's own are not seen.
    """
    version, numbers, gauss = random.getstate()
    kind, key, *rest = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, key.tolist(), *rest],
        "paddle": [
            [*head, bytes(engine).decode("ascii")]
            for *head, engine in (s.__getstate__() for s in paddle.get_rng_state())
        ],
    }


def put_random_state(state: dict) -> None:
    """Set the random numbers to the states that `random_state` gave.

    Raises:
        ValueError, TypeError, KeyError: for anything else.
    """
    version, numbers, gauss = state["python"]
    kind, key, *rest = state["numpy"]
    generators = []
    for now, (*head, engine) in zip(
        paddle.get_rng_state(), state["paddle"], strict=True
    ):
        # A new object: __setstate__ of one that has a state already does nothing.
        generator = type(now).__new__(type(now))
        generator.__setstate__((*head, list(engine.encode("ascii"))))
        generators.append(generator)
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state((kind, np.array(key, dtype=np.uint32), *rest))
    paddle.set_rng_state(generators)


# --------------------------------------------------------------------------------------
# Optimizers


def _entries(optimizer, net) -> dict:
    """Key in Paddle's own `state_dict` to (name of our parameter, name of its state).

    Paddle calls an entry PARAMETER_STATE_NUMBER by its own name of the parameter, which
    differs from run to run, and counts optimizers in the number.
    """
    params = {p.name: name for name, p in parameters_of(net).items()}
    entries = {}
    for key, value in optimizer.state_dict().items():
        if not isinstance(value, paddle.Tensor):
            continue
        owner = max((n for n in params if key.startswith(n + "_")), key=len)
        state = re.sub(r"_\d+$", "", key[len(owner) + 1 :])
        entries[key] = params[owner], state
    return entries


def _begin(optimizer, net) -> None:
    """Let an optimizer make its state now, which it would make at its first step."""
    trained = [p for p in parameters_of(net).values() if not p.stop_gradient]
    groups = optimizer._parameter_list or []
    held = [p for g in groups for p in (g["params"] if isinstance(g, dict) else [g])]
    names = {p.name for p in held}
    if not names or names - {p.name for p in parameters_of(net).values()}:
        raise ValueError("the optimizer has other parameters than the model.")
    block = paddle.base.framework.default_main_program().global_block()
    optimizer._create_accumulators(block, [p for p in trained if p.name in names])


def optimizer_state(optimizer, net) -> dict:
    """Copies of an optimizer's state: 'PARAMETER.STATE' to tensor; empty for None.

    Raises:
        ValueError: if the optimizer is not one of this model.
    """
    if optimizer is None:
        return {}
    _begin(optimizer, net)
    state = optimizer.state_dict()
    return {
        ".".join(names): state[key].detach().clone()
        for key, names in _entries(optimizer, net).items()
    }


def put_optimizer_state(optimizer, net, values: dict) -> None:
    """Set an optimizer's state to what `optimizer_state` gave.

    Raises:
        ValueError: if it has another state.
    """
    if optimizer is None:
        return
    _begin(optimizer, net)
    entries = {key: ".".join(names) for key, names in _entries(optimizer, net).items()}
    if set(entries.values()) != set(values):
        raise ValueError("the optimizer keeps another state than the one saved.")
    state = optimizer.state_dict()
    optimizer.set_state_dict(
        state | {key: values[name].clone() for key, name in entries.items()}
    )
