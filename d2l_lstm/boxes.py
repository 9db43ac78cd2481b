"""Texts drawn with one box for each character, and minibatches beside their text."""

from __future__ import annotations

from .plotting import COLOURS, GREY, set_figsize


def canvas(width: float, height: float, scale: float = 0.19):
    """Empty axes whose unit is one box.

    Args:
        width, height: in boxes.
        scale: inches of a box.

    Returns:
        The axes.
    """
    from matplotlib import pyplot as plt

    set_figsize((width * scale, height * scale))
    axes = plt.subplots()[1]
    axes.set(xlim=(-0.2, width + 0.2), ylim=(-0.2, height + 0.2), aspect="equal")
    axes.axis("off")
    return axes


def draw_boxes(axes, characters, x: float, y: float, colour=None) -> None:
    """Characters in a row of boxes, the first one's lower left corner at (x, y).

    Args:
        characters: a text; a space shows as ␣.
        colour: behind them, light; None leaves them white.
    """
    from matplotlib.patches import Rectangle

    for i, character in enumerate(characters):
        face = colour or "white"
        axes.add_patch(Rectangle((x + i, y), 1, 1, fc=face, alpha=0.3 if colour else 1))
        axes.add_patch(Rectangle((x + i, y), 1, 1, fc="none", ec=GREY, lw=0.5))
        axes.text(
            x + i + 0.5, y + 0.45, "␣" if character == " " else character,
            ha="center", va="center", size=8, family="monospace",
        )  # fmt: skip


def draw_minibatches(text: str, minibatches) -> None:
    """A text above the minibatches that were cut from it.

    Each piece has a tag, the number of its minibatch and the letter of its row. Where a
    row begins right behind the end of the same row one minibatch before, an arrow says
    so. Characters that no minibatch has as input stay white.

    Args:
        text: of a few dozen characters.
        minibatches: pairs (X, Y) of *positions* in the text, of shape (rows, steps)
            each: what an iterator yields for the corpus 0, 1, 2, …
    """
    batches = [X.numpy() for X, _ in minibatches]
    rows, steps = batches[0].shape
    gap = 5
    width, top = len(batches) * (steps + gap) - gap, 2 * rows + 1.5
    axes = canvas(max(len(text), width), top + 1)
    margin = max(0, (len(text) - width) / 2)
    for place in set(range(len(text))).difference(
        *(X.ravel().tolist() for X in batches)
    ):
        draw_boxes(axes, text[place], place, top)
    for k, X in enumerate(batches):
        left, colour = margin + k * (steps + gap), COLOURS[k % len(COLOURS)]
        for b, row in enumerate(X):
            y, tag = 2 * (rows - 1 - b), f"{k + 1}{chr(97 + b)}"
            piece = text[row[0] : row[0] + steps]
            for x, height, above in ((row[0], top, -0.85), (left, y, 1.15)):
                draw_boxes(axes, piece, x, height, colour)
                axes.text(x + steps / 2, height + above, tag, ha="center", size=9)
            if k and row[0] == batches[k - 1][b, -1] + 1:
                ends = (left - 0.1, y + 0.5), (left - gap + 0.1, y + 0.5)
                axes.annotate("", *ends, arrowprops={"arrowstyle": "->", "lw": 1.5})
