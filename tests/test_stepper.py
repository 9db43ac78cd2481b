"""Stepping through a text: what is shown is what the trace says."""

import json
import re
import shutil
import subprocess

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm.stepper import QUANTITIES
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from paddle.nn.functional import one_hot

TEXT = "the <time> & a half"
VOCAB = d2l.Vocab(TEXT)


def network(cell="lstm", h=5, spread=2.0):
    paddle.seed(0)
    net = d2l.scratch_model(cell, len(VOCAB), h)
    for param in net.params:
        param.set_value(paddle.randn(param.shape) * spread)
    return net


def traced(net, text):
    inputs = one_hot(paddle.to_tensor(VOCAB[list(text)]), len(VOCAB)).unsqueeze(1)
    state = net.begin_state(1)
    found = d2l.trace("lstm", inputs, state, net.params)
    return {name: values.numpy()[:, 0] for name, values in found.items()}


def data_of(page):
    return json.loads(re.search(r"const data = (\{.*\});", page)[1])


def test_the_values_in_the_page_are_those_of_the_trace():
    net = network()
    view = d2l.step_through(net, TEXT, VOCAB)
    expected, data = traced(net, TEXT), data_of(view._repr_html_())
    for name in QUANTITIES:
        np.testing.assert_allclose(
            np.array(data[name]) / 1e4, expected[name], atol=6e-5
        )
    before = np.concatenate([np.zeros((1, 5)), expected["C"][:-1]])
    np.testing.assert_allclose(np.array(data["C_prev"]) / 1e4, before, atol=6e-5)
    assert data["text"] == TEXT


def test_what_was_read_before_fills_the_state():
    net, (early, late) = network(), (TEXT[:7], TEXT[7:])
    view = d2l.step_through(net, late, VOCAB, before=early)
    expected = traced(net, TEXT)
    for name in QUANTITIES:
        np.testing.assert_allclose(view.values[name], expected[name][7:], atol=1e-6)
    np.testing.assert_allclose(view.values["C_prev"][0], expected["C"][6], atol=1e-6)


def numbers_of(equation):
    found = re.findall(r"\N{MINUS SIGN}?\d+\.\d{3}", equation)
    return [float(number.replace("\N{MINUS SIGN}", "-")) for number in found]


@given(step=st.integers(0, len(TEXT) - 1), unit=st.integers(0, 4))
def test_the_equations_are_right_by_the_numbers_that_stand_in_them(step, unit):
    view = d2l.step_through(network(), TEXT, VOCAB, step=step, unit=unit)
    first, second = view.equations(step, unit)
    F, before, I, C_tilde, C = numbers_of(first)
    assert F * before + I * C_tilde == pytest.approx(C, abs=0.004)
    O, squashed, H = numbers_of(second)
    assert O * squashed == pytest.approx(H, abs=0.002)
    assert squashed == pytest.approx(np.tanh(C), abs=0.002)
    assert first in (page := view._repr_html_()) and second in page


def test_expected_characters_are_the_models_most_probable():
    net = network()
    view = d2l.step_through(net, TEXT, VOCAB)
    with paddle.no_grad():
        indices = paddle.to_tensor([VOCAB[list(TEXT[:4])]])
        scores = net(indices, net.begin_state(1))[0][-1]
    P = paddle.nn.functional.softmax(scores).numpy()
    best = np.argsort(-P, kind="stable")[:5]
    assert [c for c, _ in view.expected[3]] == VOCAB.to_tokens(best.tolist())
    np.testing.assert_allclose([p for _, p in view.expected[3]], P[best], atol=6e-5)


def test_the_page_needs_nothing_and_leaves_no_name_behind():
    page = d2l.step_through(network(), TEXT, VOCAB)._repr_html_()
    script, page = page[page.index("<script>") :], re.sub('base64,[^"]*', "", page)
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+[\w/.]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, nothing is fetched
    assert script.startswith("<script>\n(function () {") and "window." not in script
    assert page.count("<script") == page.count("</script>") == 1
    assert "\\u003ctime>" in script and "&lt;" in page and "&amp;" in page
    assert re.search(r'\bid="', page) is None


def test_equal_views_are_equal_to_the_byte_and_others_have_another_name():
    def page(**options):
        return d2l.step_through(network(), TEXT, VOCAB, **options)._repr_html_()

    def name(page):
        return re.search(r'class="([\w-]+)"', page)[1]

    assert page() == page()
    assert name(page()) != name(page(unit=1))


def test_without_the_script_the_chosen_step_is_shown():
    view = d2l.step_through(network(), TEXT, VOCAB, step=4, unit=3)
    still = re.sub("<script>.*</script>", "", view._repr_html_(), flags=re.S)
    for place, text in view.numbers(4, 3).items():
        text = text.replace("<", "&lt;")
        assert re.search(rf'data-place="{place}"[^>]*>{re.escape(text)}<', still)
    assert "step 5 of 19" in still and "data:image/svg+xml;base64," in still


def test_the_still_picture_has_the_numbers_of_the_page():
    view = d2l.step_through(network(), TEXT, VOCAB, step=4, unit=3)
    drawn = {text.get_text() for text in view.draw().axes.texts}
    plt.close("all")
    assert set(view.numbers(4, 3).values()) <= drawn


@pytest.mark.parametrize(
    "cell", ["lstm", "lstm_relu_gates", "lstm_hard_sigmoid", "lstm_sigmoid_candidate"]
)
def test_cells_with_other_activations_can_be_stepped_through(cell):
    assert "<svg" in d2l.step_through(network(cell), "the", VOCAB)._repr_html_()


@pytest.mark.parametrize(
    "cell, text, options, sentence",
    [
        ("gru", TEXT, {}, "the model's cell is gru"),
        ("lstm", "", {}, "the text is ''"),
        ("lstm", "thy", {}, "not 'y'"),
        ("lstm", TEXT, {"before": "Q"}, "not 'Q'"),
        ("lstm", TEXT, {"step": 19}, "step is 19; there are 0 to 18"),
        ("lstm", TEXT, {"unit": -1}, "unit is -1; there are 0 to 4"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(cell, text, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        d2l.step_through(network(cell), text, VOCAB, **options)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_script_is_javascript(tmp_path):
    page = d2l.step_through(network(), TEXT, VOCAB)._repr_html_()
    script = re.search("<script>(.*)</script>", page, re.S)[1]
    (tmp_path / "script.js").write_text(script, encoding="utf-8")
    done = subprocess.run(
        ["node", "--check", tmp_path / "script.js"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
