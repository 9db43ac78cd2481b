"""Recipes: named sets of options to train a language model with.

`book` is the book's. `best` is what notebook 12 recommends for a short text: the
notebook runs these very settings, and `d2l-lstm train --recipe best` does.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import paddle

from .averaging import Averaging
from .batches import SeqDataLoader
from .devices import num_threads
from .experiments import one_thread, pool_of, run_jobs
from .fitting import Callback
from .models import parameters_of, scratch_model
from .progress import LiveLine
from .regularising import Regularisation
from .snapshots import History
from .training import train_ch8


@dataclass(frozen=True)
class Recipe:
    """A set of options; each is one of the command `d2l-lstm train`, by its name.

    Attributes:
        cell: a name in `CELLS`.
        hidden: number of hidden units.
        epochs, lr, theta, patience: see `fitting.fit`.
        batch_size, num_steps: shape of a minibatch.
        dropout_inputs, dropout_hidden, dropout_outputs, weight_decay: see
            `Regularisation`.
        average_from: the first epoch whose weights are averaged, see `Averaging`; None
            takes the last weights (with patience, the best).
    """

    cell: str = "lstm"
    hidden: int = 256
    epochs: int = 500
    lr: float = 1.0
    batch_size: int = 32
    num_steps: int = 35
    theta: float = 1.0
    patience: int | None = None
    dropout_inputs: float = 0.0
    dropout_hidden: float = 0.0
    dropout_outputs: float = 0.0
    weight_decay: float = 0.0
    average_from: int | None = None

    @property
    def regularisation(self) -> Regularisation | None:
        """None where nothing is regularised."""
        found = Regularisation(
            self.dropout_inputs, self.dropout_hidden, self.dropout_outputs,
            self.weight_decay,
        )  # fmt: skip
        return None if found == Regularisation() else found

    def __str__(self):
        """The options that are not the book's, as the command line takes them."""
        book = Recipe()
        changed = {f.name: getattr(self, f.name) for f in fields(self)}
        return " ".join(
            f"--{name.replace('_', '-')} {value}"
            for name, value in changed.items()
            if value != getattr(book, name)
        )


RECIPES = {
    "book": Recipe(),
    "best": Recipe(
        hidden=64,
        epochs=250,
        lr=8.0,
        batch_size=8,
        dropout_inputs=0.1,
        dropout_hidden=0.25,
        dropout_outputs=0.25,
        average_from=151,
    ),
}


def get_recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        ValueError: if there is none.
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; choose {', '.join(RECIPES)}.")
    return RECIPES[name]


def seed_all(seed: int) -> None:
    """Begin the random numbers of Python, NumPy and Paddle anew."""
    random.seed(seed)
    np.random.seed(seed)
    paddle.seed(seed)


def train_by(recipe: Recipe, net, train_iter, vocab, *, callbacks=(), **options):
    """`train_ch8` with the options of a recipe; at its end the averaged weights.

    Args:
        net: of the recipe's cell and size.
        train_iter: minibatches of the recipe's shape.
        options: more, for `train_ch8`.

    Returns:
        The `History`; what it measured are the weights of the run, not their average.
    """
    if recipe.average_from is not None:
        callbacks = [*callbacks, Averaging(net, recipe.average_from)]
    return train_ch8(
        net, train_iter, vocab, recipe.lr, recipe.epochs, theta=recipe.theta,
        patience=recipe.patience, regularisation=recipe.regularisation,
        callbacks=callbacks, **options,
    )  # fmt: skip


@dataclass
class Trained:
    """A network that a recipe has made.

    Attributes:
        recipe, seed: how.
        weights: name to array, at the end: averaged, if the recipe says so.
        last: name to array, after the last epoch.
        history: of the run.
        seconds: of the processor, for the training, validation included.
    """

    recipe: Recipe
    seed: int
    weights: dict[str, np.ndarray] = field(repr=False)
    last: dict[str, np.ndarray] = field(repr=False)
    history: History = field(repr=False)
    seconds: float

    def network(self, weights: Mapping[str, np.ndarray] | None = None):
        """A model with its weights, or with others.

        Args:
            weights: name to array, as `weights` and `last` are.
        """
        weights = self.weights if weights is None else weights
        h, V = weights["W_hq"].shape
        net = scratch_model(self.recipe.cell, V, h)
        for name, param in parameters_of(net).items():
            param.set_value(weights[name])
        return net


class _LastWeights(Callback):
    """Notes the weights after the last epoch."""

    def end(self, run):
        self.last = {name: t.numpy() for name, t in run.weights.items()}


def run_recipe(recipe: Recipe, seed: int, corpus, vocab, valid=None) -> Trained:
    """Train a network by a recipe, in silence and with one thread.

    Args:
        corpus: token indices to learn from.
        valid: token indices to choose on, for a recipe with patience.
    """
    seed_all(seed)
    net = scratch_model(recipe.cell, len(vocab), recipe.hidden)
    shape = recipe.batch_size, recipe.num_steps
    train_iter = SeqDataLoader(*shape, corpus=corpus, vocab=vocab)
    valid_iter = None
    if recipe.patience is not None:
        valid_iter = SeqDataLoader(*shape, corpus=valid, vocab=vocab, offset=0)
    noting = _LastWeights()
    start = time.process_time()
    with one_thread():
        history = train_by(
            recipe, net, train_iter, vocab, valid_iter=valid_iter, progress=False,
            callbacks=[noting],
        )  # fmt: skip
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    seconds = time.process_time() - start
    weights = {name: p.numpy() for name, p in parameters_of(net).items()}
    return Trained(recipe, seed, weights, noting.last, history, seconds)


def run_recipes(
    recipes: Mapping[str, Recipe],
    seeds: Iterable[int],
    corpus,
    vocab,
    valid=None,
    processes: int | None = None,
) -> dict[str, list[Trained]]:
    """`run_recipe` for each recipe and seed, as many at a time as there are cores.

    Args:
        recipes: by name.
        processes: how many at a time; each computes with one thread, so what comes out
            does not depend on it.

    Returns:
        Name to the networks, one a seed, in the order of the seeds.
    """
    seeds, line = list(seeds), LiveLine()
    jobs = {
        (name, seed): (recipe, seed, corpus, vocab, valid)
        for seed in seeds
        for name, recipe in recipes.items()
    }
    with pool_of(num_threads() if processes is None else processes) as pool:
        done = run_jobs(run_recipe, jobs, pool, line, "networks trained:")
    line.show(f"networks trained: {len(jobs)}")
    return {name: [done[name, seed] for seed in seeds] for name in recipes}
