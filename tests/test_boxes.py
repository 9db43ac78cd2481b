"""Texts in boxes: every character once, arrows where a row goes on."""

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm.boxes import canvas, draw_boxes, draw_minibatches
from matplotlib import pyplot as plt

TEXT = "the time traveller for so it will be"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def drawn(axes):
    texts = [t.get_text() for t in axes.texts]
    return [t for t in texts if t], texts.count("")


def test_a_space_is_seen_and_nothing_is_drawn_twice():
    axes = canvas(9, 1)
    draw_boxes(axes, "so it", 2, 0)
    places = [(t.get_position()[0], t.get_text()) for t in axes.texts]
    assert places == [(2.5, "s"), (3.5, "o"), (4.5, "␣"), (5.5, "i"), (6.5, "t")]
    assert {t.get_family()[0] for t in axes.texts} == {"monospace"}


@pytest.mark.parametrize(("offset", "arrows"), [(0, 4), (3, 4)])
def test_rows_of_sequential_partitioning_are_joined_by_arrows(offset, arrows):
    positions = np.arange(len(TEXT))
    cut = d2l.seq_data_iter_sequential(positions, 2, 5, offset=offset)
    draw_minibatches(TEXT, list(cut)[:3])
    texts, found = drawn(plt.gca())
    assert found == arrows
    assert texts.count("1a") == texts.count("3b") == 2
    above = [t for t in plt.gca().texts if t.get_position()[1] > 5 and t.get_text()]
    assert "".join(
        t.get_text() for t in sorted(above, key=lambda t: t.get_position()[0])
    ) == TEXT.replace(" ", "␣")


def test_pieces_that_do_not_continue_have_no_arrow():
    X = np.array([[10, 11, 12], [0, 1, 2]])

    class Positions(np.ndarray):
        def numpy(self):
            return np.asarray(self)

    draw_minibatches(TEXT, [(x.view(Positions), None) for x in (X, X + 4)])
    assert drawn(plt.gca())[1] == 0
