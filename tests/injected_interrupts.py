"""An interrupt (Ctrl-C) at every line of the training loop: is anything ever lost?

    python tests/injected_interrupts.py [EVERY [FIRST]]

Trains a small model with a checkpoint, and raises KeyboardInterrupt when the N-th line
of the modules of the loop is about to run, for N = 1, 2, 3, ... (or every EVERY-th).
The run that is resumed from what is on the disk has to end with the weights of the run
that nobody interrupted, bit for bit. Exits with 1 if one does not.
"""

from __future__ import annotations

import random
import sys
import tempfile
import warnings
from pathlib import Path

import d2l_lstm as d2l
import numpy as np
import paddle
from d2l_lstm import checkpoints, files, fitting, runs, snapshots, training
from d2l_lstm.fast import training as fast_training

LOOP = {m.__file__ for m in (checkpoints, files, fitting, runs, snapshots, training)}
FAST = fast_training.__file__
CORPUS, VOCAB = d2l.load_corpus("the time traveller for so it will be convenient " * 3)
NUM_EPOCHS = 3
SCENARIOS = {
    "plain": {},
    "patience": {"patience": 2},
    "adam": {"optimizer": True},
}


class Injector:
    """Counts the lines of the loop's modules; interrupts before number `stop`."""

    def __init__(self, stop=None):
        self.stop, self.count, self.epoch_at = stop, 0, None

    def trace(self, frame, event, _):
        if frame.f_code.co_filename not in LOOP | {FAST}:
            return None
        if event == "line":
            self.count += 1
            name = frame.f_code.co_name
            is_callback = name == "epoch" and frame.f_code.co_filename != FAST
            if self.epoch_at is None and is_callback:  # one is complete
                self.epoch_at = self.count
            if self.count == self.stop:
                raise KeyboardInterrupt
        return self.trace

    def __enter__(self):
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_):
        sys.settrace(None)


def train(file, options, *, resume=False, seed=3):
    """One run; the seed of a resumed run is another, and must not matter."""
    options = dict(options)
    random.seed(seed)
    paddle.seed(seed)
    net = d2l.scratch_model("rnn", len(VOCAB), 3)
    if options.pop("optimizer", False):
        options["optimizer"] = paddle.optimizer.Adam(parameters=net.params)
    train_iter, valid_iter = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 70, 40)
    history = d2l.train_ch8(
        net, train_iter, VOCAB, 0.5, NUM_EPOCHS, valid_iter=valid_iter, valid_every=1,
        checkpoint=file, resume=resume, progress=False, **options,
    )  # fmt: skip
    return history, [p.numpy() for p in net.params]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def places(options) -> tuple[int, int, list]:
    """Lines of a whole run, the line where an epoch is first complete, its weights."""
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder) / "run", options)  # what is compiled once is not counted
    with tempfile.TemporaryDirectory() as folder:
        with Injector() as injector:
            _, weights = train(Path(folder) / "run", options)
    return injector.count, injector.epoch_at, weights


def interrupted_at(place, options, epoch_at, wanted) -> str | None:
    """What went wrong with an interrupt at this line, None if nothing did."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run"
        with Injector(place) as injector:
            try:
                train(file, options)
            except KeyboardInterrupt:
                pass
        if injector.count < place:
            return "the line was never reached"
        if not file.exists() and place > epoch_at:
            return "nothing was saved"
        history, weights = train(file, options, resume=file.exists(), seed=9)
        if not file.exists():
            return "the second run saved nothing"
        if [f.name for f in Path(folder).iterdir()] != ["run"]:
            return f"left behind {[f.name for f in Path(folder).iterdir()]}"
        if len(history.epochs) > NUM_EPOCHS:
            return f"{len(history.epochs)} epochs"
        if file.exists() and place > epoch_at and not same(weights, wanted):
            return "other weights"
    return None


def main() -> None:
    """Interrupt everywhere, and say what happened."""
    # A file whose `open` was interrupted is closed by Python, which remarks on it.
    warnings.simplefilter("ignore", ResourceWarning)
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    tried = lost = 0
    for name, options in SCENARIOS.items():
        total, epoch_at, wanted = places(options)
        for place in range(first, total + 1, every):
            tried += 1
            wrong = interrupted_at(place, options, epoch_at, wanted)
            if wrong:
                lost += 1
                print(f"{name}, line {place} of {total}: {wrong}", flush=True)
            if tried % 200 == 0:
                print(f"{tried} interrupts, {lost} lost", flush=True)
    print(f"{tried} interrupts, {lost} lost")
    sys.exit(lost > 0)


if __name__ == "__main__":
    main()
