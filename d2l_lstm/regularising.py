"""Against learning by heart: units that are left out at random, weights held small.

*Variational dropout* draws once for each minibatch which inputs and units are left out,
and leaves them out at all of its steps. To leave out unit i of H in H @ W is to leave
out row i of W. So a mask for the rows of the weights is all it takes, and every way to
train works with it, also the fast path.

*Weight decay* adds decay / 2 times the sum of the squared weights to the loss, that is
decay * W to their gradient. Biases are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import paddle

from .fast import FastPath, FastTraining
from .models import RNNModelScratch, cell_name, parameters_of
from .parallel import ALONE, Workers


def _source_of(name: str) -> str | None:
    """Where the rows of a matrix come from; None for what is no matrix."""
    if name == "W_hq":
        return "outputs"
    return {"W_x": "inputs", "W_h": "hidden"}.get(name[:3])


@dataclass(frozen=True)
class Regularisation:
    """How much is left out, and how small weights are held.

    Attributes:
        inputs: share of the tokens of the vocabulary that are not seen.
        hidden: share of the hidden units that the next step does not see.
        outputs: share of the hidden units that the output layer does not see.
        decay: of the weights, see the module.

    Raises:
        ValueError: for a share outside [0, 1), or a decay that is not from 0 on.

    Source: dropout: Gal and Ghahramani 2016, "A Theoretically Grounded Application of
    Dropout in Recurrent Neural Networks", NeurIPS, section 4; there each sequence of a
    minibatch has masks of its own, here they share one of each kind. Decay: Krogh and
    Hertz 1992.
    """

    inputs: float = 0.0
    hidden: float = 0.0
    outputs: float = 0.0
    decay: float = 0.0

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < (np.inf if field.name == "decay" else 1):
                most = "" if field.name == "decay" else ", below 1"
                raise ValueError(
                    f"{field.name} is {value}; it must be a number from 0 on{most}."
                )

    def masks(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        """New masks: (rows, 1) for each matrix of which something is left out.

        Matrices that see the same thing share a mask. A row is multiplied by 0, or else
        by 1 / (1 - share), so that a sum stays as large on the average.

        Args:
            shapes: name of a parameter to its shape. The random numbers are NumPy's.
        """
        rows = {_source_of(name): shape[0] for name, shape in shapes.items()}
        masks = {}
        for source in ("inputs", "hidden", "outputs"):
            share = getattr(self, source)
            if share and source in rows:
                kept = np.random.random_sample((rows[source], 1)) >= share
                masks[source] = kept / (1 - share)
        found = {name: masks.get(_source_of(name)) for name in shapes}
        return {name: mask for name, mask in found.items() if mask is not None}

    def check(self, net) -> None:
        """Refuse a model of whose parameters nothing is known, with a ValueError."""
        if not isinstance(net, RNNModelScratch) or cell_name(net) is None:
            raise ValueError(
                "regularisation goes with an RNNModelScratch of a cell in "
                f"d2l_lstm.CELLS, and the model is a {type(net).__name__}."
            )

    def losses(self, losses: Callable, net: RNNModelScratch, data, *options):
        """Losses for training, regularised, by autograd.

        Args:
            losses: `training.token_losses` or its like; gets the other arguments.

        Yields:
            As `losses`; a loss is without the decay's part, its gradient with it.
        """
        named, params = parameters_of(net), net.params
        try:
            for loss, size in losses(net, _Masking(self, net, data), *options):
                net.params = params
                if self.decay:
                    squares = [(named[n] ** 2).sum() for n in named if _source_of(n)]
                    penalty = self.decay / 2 * sum(squares)
                    loss = loss + (penalty - penalty.detach())
                yield loss, size
        finally:
            net.params = params

    def path(self, net, fresh: bool, workers: Workers = ALONE) -> FastPath:
        """`FastPath` with masks and decay."""
        return _Path(net, fresh, workers, self)


class _Masking:
    """Minibatches; each puts new masks onto the weights of a model when it comes."""

    def __init__(self, regularisation: Regularisation, net, data):
        self.regularisation, self.net, self.data = regularisation, net, data
        self.use_random_iter = getattr(data, "use_random_iter", False)

    def __iter__(self):
        named = parameters_of(self.net)
        shapes = {name: tuple(p.shape) for name, p in named.items()}
        for X, Y in self.data:
            masks = self.regularisation.masks(shapes)
            self.net.params = [
                p * paddle.to_tensor(masks[name], p.dtype) if name in masks else p
                for name, p in named.items()
            ]
            yield X, Y


class _Training(FastTraining):
    def __init__(self, net, compiled, workers, regularisation):
        super().__init__(net, compiled, workers)
        self.regularisation, self.judging = regularisation, False
        self.shapes = {n: v.shape for n, v in self.weights.of_param.items()}

    def gradient(self, X, Y, state, pool):
        if self.judging:
            return super().gradient(X, Y, state, pool)
        kept, of_param = self.weights.flat.copy(), self.weights.of_param
        masks = self.regularisation.masks(self.shapes)
        for name, mask in masks.items():
            of_param[name][:] *= mask.astype(self.dtype)
        loss, gradient = super().gradient(X, Y, state, pool)
        self.weights.flat[:] = kept
        for name, values in gradient.of_param.items():
            if name in masks:
                values *= masks[name].astype(self.dtype)
            if _source_of(name):
                values += self.dtype.type(self.regularisation.decay) * of_param[name]
        return loss, gradient

    def _judged(self, judge, X, Y, state, pool):
        """What is judged is the gradient without masks, which draw random numbers."""
        before, self.judging = {n: s.copy() for n, s in state.items()}, True
        try:
            super()._judged(judge, X, Y, state, pool)
        finally:
            self.judging = False
        for name, values in before.items():
            state[name][:] = values
        return self.gradient(X, Y, state, pool)


class _Path(FastPath):
    def __init__(self, net, fresh, workers, regularisation):
        self.regularisation = regularisation
        super().__init__(net, fresh, workers)

    def _training_of(self, compiled):
        return _Training(self.net, compiled, self.workers, self.regularisation)
