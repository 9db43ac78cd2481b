"""The mean of the weights along a run.

At a high learning rate the weights of a run do not come to rest: they move about
around a good place. Their mean over many epochs lies nearer to it than most of them.
"""

from __future__ import annotations

from .fitting import Callback
from .snapshots import put_weights
from .text import check_whole


class Averaging(Callback):
    """Gives a model the mean of its weights after each epoch from `first` on.

    At the end of the training, also after an interrupt. A run that ends before keeps
    its last weights.

    Args:
        net: the model that is trained.
        first: the first epoch that counts, from 1.

    Attributes:
        count: epochs averaged so far.

    Raises:
        ValueError: if a run is resumed after this epoch: weights of before are gone.

    Source: Polyak and Juditsky 1992; Izmailov et al. 2018, "Averaging Weights Leads to
    Wider Optima and Better Generalization", UAI.
    """

    def __init__(self, net, first: int):
        check_whole("first", first, 1)
        self.net, self.first = net, first
        self.count, self.mean = 0, {}

    def begin(self, run) -> None:
        self.count, self.mean = 0, {}
        done = len(run.history.epochs)
        if done >= self.first:
            raise ValueError(
                f"the run has {done} epochs already, and its weights are averaged "
                f"from epoch {self.first} on; begin anew."
            )

    def epoch(self, run, scheduled: bool) -> None:
        if run.history.epochs[-1] < self.first:
            return
        self.count += 1
        for name, value in run.weights.items():
            mean = self.mean.get(name, value)
            self.mean[name] = mean + (value - mean) / self.count

    def end(self, run) -> None:
        if self.count:
            put_weights(self.net, self.mean)
