"""What a training run shows while it runs, and what it leaves behind.

In a terminal: a tqdm bar on standard error, samples above it. In a notebook: one
figure with the bar's line under it, replaced in place; at the end the figure, one line
with the result, and the samples stay.
"""

from __future__ import annotations

import sys
import time

from matplotlib.figure import Figure
from tqdm import tqdm

from .plotting import LiveFigure, in_notebook, plot_history

_SECONDS_BETWEEN_FIGURES = 2.0
_SECONDS_BETWEEN_SAMPLES = 20.0


def figures(history) -> dict[str, str]:
    """The last figures of a `History`, as text."""
    shown = {"perplexity": f"{history.train_perplexity[-1]:.2f}"}
    best = history.best_epoch
    if best:
        last = next(v for v in reversed(history.valid_perplexity) if v)
        lowest = f"{history.best_valid_perplexity:.2f} at epoch {best}"
        shown["validation"] = f"{last:.2f} (best {lowest})"
    shown["tokens/s"] = f"{history.tokens_per_second[-1]:,.0f}"
    return shown


class Progress:
    """Progress of one run of `train_ch8`.

    Args:
        num_epochs: in all.
        done: epochs done before, of a run that is resumed.
        enabled: False shows nothing at all.
    """

    def __init__(self, num_epochs: int, done: int = 0, enabled: bool = True):
        self.enabled, self.num_epochs = enabled, num_epochs
        self.start = self._last_figure = self._last_sample = time.monotonic()
        if not enabled:
            return
        self.notebook = in_notebook()
        self._text = ""
        self.bar = tqdm(
            total=num_epochs,
            initial=done,
            unit="epoch",
            dynamic_ncols=not self.notebook,
            ncols=100 if self.notebook else None,
            file=_Nowhere() if self.notebook else sys.stderr,
            leave=False,
        )
        if self.notebook:
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
            self._draw(history, f"{self.bar}\n{self._text}")

    def _draw(self, history, text: str = "") -> None:
        self.figure.axes[0].cla()
        plot_history(history, axes=self.figure.axes[0])
        self.live.show(self.figure, text)

    def wants_sample(self) -> bool:
        """Whether it is time to show samples again."""
        if not self.enabled:
            return False
        return time.monotonic() - self._last_sample > _SECONDS_BETWEEN_SAMPLES

    def sample(self, texts: list[str]) -> None:
        """Show continuations."""
        self._last_sample = time.monotonic()
        if self.notebook:
            self._text = "\n".join(texts)
        else:
            for text in texts:
                self.bar.write(f"  epoch {self.bar.n:>4}  {text}", file=sys.stderr)

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
        print(
            f"{history.stopped} after {len(history.epochs)} epochs, {seconds:.0f} s"
            f"{where}: {result}"
        )
        print("\n".join(samples))


class _Nowhere:
    """A text stream that shows nothing: tqdm computes, the notebook's figure shows."""

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
