"""Animated figures: whole where nothing moves, and small."""

import re
from xml.etree import ElementTree

import pytest
from d2l_lstm.animation import reveal
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt

SVG = "{http://www.w3.org/2000/svg}"


def figure_of(names):
    figure, axes = plt.subplots()
    for i, name in enumerate(names):
        axes.plot([0, 1], [0, i], gid=name)
    return figure


def test_parts_appear_in_the_order_of_the_steps_and_stay():
    shown = reveal(figure_of("abc"), [["a"], ["b", "c"]], seconds=2, rest=6)
    found = {}
    for group in ElementTree.fromstring(shown.svg).iter(f"{SVG}g"):
        moves = group.find(f"{SVG}animate")
        if moves is not None:
            found[group.get("id")] = moves.attrib
            assert group.get("opacity") is None  # seen where nothing moves
    assert set(found) == set("abc")
    assert found["a"]["values"] == "1;1" and found["a"]["dur"] == "10s"
    assert found["b"] == found["c"]
    assert (found["b"]["values"], found["b"]["keyTimes"]) == ("0;1;1", "0;0.2000;1")


def test_without_the_animation_it_is_the_same_figure():
    still = figure_of("ab")
    shown = reveal(still, [["a"], ["b"]])
    assert not plt.fignum_exists(still.number)
    assert "<script" not in shown.svg
    without = re.sub("<animate [^>]*/>", "", shown.svg)
    assert without == reveal(figure_of("ab"), []).svg
    assert shown._repr_mimebundle_()["image/svg+xml"] == shown.svg


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.floats(0.1, 9))
def test_a_part_is_hidden_until_its_step_whatever_the_steps(sizes, rest):
    names = [f"part <{i}> & 'co'" for i in range(sum(sizes))]
    left, steps = iter(names), []
    for size in sizes:
        steps.append([next(left) for _ in range(size)])
    shown = reveal(figure_of(names), steps, seconds=0.5, rest=rest)
    moves = {
        group.get("id"): group.find(f"{SVG}animate")
        for group in ElementTree.fromstring(shown.svg).iter(f"{SVG}g")
    }
    whole = 0.5 * len(steps) + rest
    for k, step in enumerate(steps):
        for name in step:
            values = moves[name].get("values").split(";")
            times = [float(time) for time in moves[name].get("keyTimes").split(";")]
            assert len(values) == len(times) and times == sorted(times)
            assert (times[0], times[-1], values[-1]) == (0, 1, "1")
            assert float(moves[name].get("dur")[:-1]) == pytest.approx(whole, 1e-4)
            if k:
                assert values[0] == "0"
                assert times[1] == pytest.approx(0.5 * k / whole, abs=1e-4)


@pytest.mark.parametrize(
    "how, sentence",
    [
        (dict(steps=["a"]), "a step is 'a'"),
        (dict(steps=[["a"], ["b", "a"]]), "'a' appears twice"),
        (dict(seconds=0), "seconds is 0"),
        (dict(seconds=float("nan")), "seconds is nan"),
        (dict(rest=-1), "rest is -1"),
        (dict(rest=float("inf")), "rest is inf"),
    ],
)
def test_steps_and_times_that_cannot_be_are_refused(how, sentence):
    still = figure_of("ab")
    with pytest.raises(ValueError, match=sentence):
        reveal(still, **{"steps": [["a"], ["b"]], **how})
    plt.close(still)


@pytest.mark.parametrize(("names", "count"), [("a", 0), ("bb", 2)])
def test_a_name_that_is_not_there_once_is_refused(names, count):
    with pytest.raises(ValueError, match=f"has {count} parts named 'b'"):
        reveal(figure_of(names), [["b"]])
    plt.close("all")
