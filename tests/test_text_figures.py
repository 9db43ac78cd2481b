"""Figures of texts: what stands in them, and that nothing collides."""

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm.experiments import Interval
from d2l_lstm.text_figures import (
    draw_cuts,
    draw_expectations,
    draw_intervals,
    draw_marked_texts,
    draw_text_tree,
    visible,
)
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

VOCAB = d2l.Vocab("abc ")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def written(axes):
    """The texts in the axes, with their places."""
    return [(t.get_text(), *t.get_position()) for t in axes.texts]


def overlap(axes):
    """Pairs of texts whose boxes have a common area."""
    figure = axes.get_figure()
    figure.canvas.draw()
    boxes = [(t.get_text(), t.get_window_extent()) for t in axes.texts]
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    return [
        (a[0], b[0]) for a, b in pairs
        if min(a[1].x1, b[1].x1) - max(a[1].x0, b[1].x0) > 0.5
        and min(a[1].y1, b[1].y1) - max(a[1].y0, b[1].y0) > 0.5
    ]  # fmt: skip


def test_spaces_are_seen():
    assert visible("a b ") == "a␣b␣"


def test_every_step_shows_its_best_characters_and_frames_the_next():
    P = np.array([[0, 0.1, 0.6, 0.3, 0], [0, 0.4, 0.1, 0.2, 0.3]])
    text = VOCAB.decode([2, 3, 4])
    axes = draw_expectations(P, text, VOCAB, ranks=2, first=1)
    best = [[2, 3], [1, 4]]
    wanted = {
        (visible(VOCAB.to_tokens(i)), t, rank)
        for t, column in enumerate(best) for rank, i in enumerate(column)
    }  # fmt: skip
    assert set(written(axes)) == wanted
    framed = [t.get_text() for t in axes.texts if t.get_bbox_patch() is not None]
    assert framed == [visible(c) for c in text[1:]]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == [visible(c) for c in text[:2]]
    assert not overlap(axes)


def test_marks_lie_on_their_characters():
    texts = {"one": "abcabc", "two": "ab"}
    copied = {"one": np.array([1, 1, 0, 0, 1, 1], bool), "two": np.zeros(2, bool)}
    repeated = {"one": np.zeros(6, bool), "two": np.array([False, True])}
    axes = draw_marked_texts(texts, {"copied": copied, "repeated": repeated})
    spans = [(b.get_x(), b.get_x() + b.get_width()) for b in axes.patches]
    assert spans == [(-0.5, 1.5), (3.5, 5.5), (0.5, 1.5)]
    assert sorted(written(axes)) == sorted(
        (c, t, row) for row, text in enumerate(texts.values())
        for t, c in enumerate(text)
    )  # fmt: skip
    legend = [t.get_text() for t in axes.get_legend().get_texts()]
    assert legend == ["copied", "repeated"]


TREE = {"a": 0.5, "b": 0.3, "aa": 0.2, "ab": 0.1, "ba": 0.29, "ba ": 0.2}


def test_a_tree_has_every_text_once_with_its_probability():
    axes = draw_text_tree(TREE, {"greedy": "aa", "most probable": "ba "})
    texts = [text for text, *_ in written(axes)]
    assert sorted(t for t in texts if t.startswith("0.")) == sorted(
        f"{p:.2g}" for p in TREE.values()
    )
    assert texts.count("␣") == 1 and texts.count("…") == 1
    assert "greedy" in texts and "most probable" in texts
    assert not overlap(axes)


def test_two_names_of_one_text_stand_side_by_side():
    axes = draw_text_tree({"a": 0.5}, {"greedy": "a", "best": "a"})
    assert "greedy, best" in [text for text, *_ in written(axes)]
    assert not overlap(axes)


@pytest.mark.parametrize(
    ("tree", "paths"),
    [({"ab": 0.1}, {}), (TREE, {"way": "bb"}), ({"b": 1}, {"w": "a"})],
)
def test_a_tree_without_the_beginning_of_a_text_is_refused(tree, paths):
    with pytest.raises(ValueError, match="the tree has"):
        draw_text_tree(tree, paths)


def test_cuts_are_drawn_over_the_distribution_as_it_was():
    before = {"x": np.array([0, 0.5, 0.3, 0.15, 0.05])}
    after = {"x": {"all": before["x"], "one": np.array([0, 1.0, 0, 0, 0])}}
    grid = draw_cuts(after, before, VOCAB, ranks=3)
    assert grid.shape == (1, 2)
    heights = [[bar.get_height() for bar in axes.patches] for axes in grid[0]]
    assert heights == [[0.5, 0.3, 0.15] * 2, [1, 0, 0, 0.5, 0.3, 0.15]]
    labels = [label.get_text() for label in grid[0, 1].get_xticklabels()]
    assert labels == [visible(VOCAB.to_tokens(i)) for i in (1, 2, 3)]


def test_intervals_are_drawn_in_their_rows_and_full_where_told():
    rows = {"a": [Interval(-0.2, -0.1, 0.0)], "b": [Interval(0.3, 0.4, 0.5)]}
    (axes,) = draw_intervals(rows, {"share": (-1, 0.1)}, ["a"])
    lines = [line for line in axes.lines if len(line.get_xdata()) == 2][:2]
    spans = [tuple(line.get_xdata()) for line in lines]
    assert spans == [(-0.2, 0.0), (0.3, 0.5)]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == [-0.1, 0.4]
    fills = [to_hex(dot.get_markerfacecolor()) for dot in dots]
    assert fills[0] != "#ffffff" and fills[1] == "#ffffff"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
