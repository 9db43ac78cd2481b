"""What a training run shows while it runs, and what it leaves behind.

In a terminal: a tqdm bar on standard error, samples above it. In a notebook: one
figure with the bar's line under it, replaced in place; at the end the figure, one line
with the result, and the samples stay. Nothing here can stop a run: there may be no
standard error, or one that has no letters for the text.
"""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from . import text
from .plotting import LiveFigure, in_notebook, plot_history

_SECONDS_BETWEEN_FIGURES = 2.0
_SECONDS_BETWEEN_SAMPLES = 20.0


def figures(history) -> dict[str, str]:
    """The last figures of a `History`, as text."""
    shown = {text.printable(history.metric): f"{history.train[-1]:.2f}"}
    if history.best_epoch:
        last = next(v for v in reversed(history.valid) if v is not None)
        lowest = f"{history.best_valid:.2f} at epoch {history.best_epoch}"
        shown["validation"] = f"{last:.2f} (best {lowest})"
    by = text.printable(history.path[-1])
    shown["tokens/s"] = f"{history.per_second[-1]:,.0f} by {by}"
    return shown


def _shown(line: str, stream) -> str:
    """A line as a stream can show it, without what would drive a terminal."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.printable(line).encode(encoding, "replace").decode(encoding)


class Progress:
    """Progress of one run of `train_ch8`.

    Args:
        num_epochs: in all.
        done: epochs done before, of a run that is resumed.
        enabled: False shows nothing at all.
        yardsticks: see `plot_history`.
    """

    def __init__(
        self, num_epochs: int, done: int = 0, enabled: bool = True, yardsticks=None
    ):
        self.enabled, self.num_epochs = enabled, num_epochs
        self.yardsticks = yardsticks
        self.start = self._last_figure = self._last_sample = time.monotonic()
        if not enabled:
            return
        self.notebook = in_notebook()
        self._samples = ""
        closed = sys.stderr is None or getattr(sys.stderr, "closed", False)
        self.bar = tqdm(
            total=num_epochs,
            initial=done,
            unit="epoch",
            dynamic_ncols=not self.notebook,
            ncols=100 if self.notebook else None,
            file=_Nowhere() if self.notebook or closed else _Unfailing(sys.stderr),
            leave=False,
        )
        if self.notebook:
            from matplotlib.figure import Figure

            self.figure, self.live = Figure(figsize=(4.5, 2.8)), LiveFigure()
            self.figure.subplots()

    def epoch(self, history) -> None:
        """Show that another epoch is done."""
        if not self.enabled:
            return
        self.bar.set_postfix(figures(history), refresh=False)
        self.bar.update()
        now = time.monotonic()
        if self.notebook and now - self._last_figure > _SECONDS_BETWEEN_FIGURES:
            self._last_figure = now
            self._draw(history, f"{self.bar}\n{self._samples}")

    def _draw(self, history, caption: str = "") -> None:
        self.figure.axes[0].cla()
        axes = self.figure.axes[0]
        plot_history(history, axes=axes, yardsticks=self.yardsticks)
        self.live.show(self.figure, caption)

    def wants_sample(self) -> bool:
        """Whether it is time to show samples again."""
        waited = time.monotonic() - self._last_sample
        return self.enabled and waited > _SECONDS_BETWEEN_SAMPLES

    def sample(self, texts: list[str]) -> None:
        """Show continuations."""
        self._last_sample = time.monotonic()
        if self.notebook:
            self._samples = _shown("\n".join(texts), None)
        else:
            for line in texts:
                line = _shown(f"  epoch {self.bar.n:>4}  {line}", sys.stderr)
                self.bar.write(line, file=self.bar.fp)  # may be closed, as for the bar

    def clear(self) -> None:
        """Take the bar away."""
        if self.enabled:
            self.bar.close()

    def close(self, history, device, samples: list[str]) -> None:
        """Leave behind the figure, the result in one line, and the samples."""
        if not self.enabled:
            return
        self.bar.close()
        if not history.epochs:
            print("stopped before the first epoch was complete")
            return
        if self.notebook:
            self._draw(history)
        seconds = time.monotonic() - self.start
        result = ", ".join(
            f"{name} {value}" for name, value in figures(history).items()
        )
        where = "" if device is None else " on " + str(device)[6:-1]  # Place(cpu)
        ended = f"{history.stopped} after {len(history.epochs)} epochs, {seconds:.0f} s"
        print(_shown("\n".join([f"{ended}{where}: {result}", *samples]), sys.stdout))


class _Unfailing:
    """A stream that is given up where it fails: a closed pipe, a full disk."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        try:
            self._stream.write(text)
        except (OSError, ValueError):  # a run is worth more than what is shown of it
            self._stream = _Nowhere()

    def flush(self):
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = _Nowhere()


class _Nowhere:
    """A text stream that shows nothing: tqdm computes, a notebook's figure shows."""

    def write(self, text):
        pass

    def flush(self):
        pass


class LiveLine:
    """One line of text that is replaced in place: progress of a loop over runs.

    A saved notebook keeps the last text.
    """

    def __init__(self):
        self._handle = None

    def show(self, text: str) -> None:
        """Show this text instead of the one before."""
        if not in_notebook():
            print(text)
            return
        from IPython.display import Pretty, display

        if self._handle is None:
            self._handle = display(Pretty(text), display_id=True)
        else:
            self._handle.update(Pretty(text))
