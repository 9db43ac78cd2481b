"""Figures, drawings, and what a training run shows in a terminal."""

import io
import subprocess
import sys

import d2l_lstm as d2l
import matplotlib
import numpy as np
import paddle
import pytest
from d2l_lstm import drawing, plotting
from d2l_lstm.plotting import LiveFigure
from d2l_lstm.progress import LiveLine, Progress
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def fresh_figures():
    with matplotlib.rc_context():
        yield
    plt.close("all")


def svg(figure):
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def lines(axes):
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]


# --------------------------------------------------------------------------------------
# Where figures are shown


@pytest.mark.parametrize("shell", ["ZMQInteractiveShell", "Shell", "Terminal", None])
def test_any_shell_with_a_kernel_is_a_notebook(monkeypatch, shell):
    import IPython

    made = None
    if shell is not None:  # Colab's is called Shell
        made = type(shell, (), {} if shell == "Terminal" else {"kernel": object()})()
    monkeypatch.setattr(IPython, "get_ipython", lambda: made)
    assert plotting.in_notebook() == (shell in ("ZMQInteractiveShell", "Shell"))


def test_importing_the_package_does_not_import_pyplot():
    code = "import sys, d2l_lstm; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# --------------------------------------------------------------------------------------
# plot

UP, DOWN = [1.0, 2.0, 4.0], [5.0, 3.0, 0.0]
X = [0.5, 1.0, 1.5]
N = [0, 1, 2]
FORMS = {
    "one list": ((UP,), [(N, UP)]),
    "one array": ((np.array(UP),), [(N, UP)]),
    "a list of lists": (([UP, DOWN],), [(N, UP), (N, DOWN)]),
    "X and Y": ((X, UP), [(X, UP)]),
    "an array X and Y": ((np.array(X), np.array(UP)), [(X, UP)]),
    "one X, several Y": ((X, [UP, DOWN]), [(X, UP), (X, DOWN)]),
    "one array X, several Y": (
        (np.array(X), [np.array(UP), np.array(DOWN)]),
        [(X, UP), (X, DOWN)],
    ),
    "one X in a list, several Y": (([X], [UP, DOWN]), [(X, UP), (X, DOWN)]),
    "several X, several Y": (([X, N], [UP, DOWN]), [(X, UP), (N, DOWN)]),
    "curves of two lengths": (([X, [7]], [UP, [8]]), [(X, UP), ([7], [8])]),
    "a range": ((range(3), UP), [(N, UP)]),
    "tensors": ((paddle.to_tensor(X), [paddle.to_tensor(UP)]), [(X, UP)]),
}


@pytest.mark.parametrize(("arguments", "wanted"), FORMS.values(), ids=FORMS)
def test_plot_takes_the_forms_of_the_book(arguments, wanted):
    axes = d2l.plot(*arguments)
    assert [(list(map(float, x)), list(map(float, y))) for x, y in lines(axes)] == [
        (x, y) for x, y in wanted
    ]


def test_plot_labels_scales_and_limits_the_axes():
    axes = d2l.plot(
        X, [UP, DOWN], "time", "level (m)", ["a", "b"], [0, 2], [1, 9], yscale="log"
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time", "level (m)")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 2), (1, 9))
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    assert [text.get_text() for text in axes.get_legend().texts] == ["a", "b"]


def test_plot_draws_into_the_axes_that_it_is_given():
    axes = plt.subplots()[1]
    axes.plot([9, 9])
    assert d2l.plot(UP, axes=axes) is axes
    assert lines(axes) == [(N, UP)]


def test_curves_differ_in_dash_as_well_as_in_colour():
    axes = d2l.plot([UP] * 4)
    assert len({line.get_linestyle() for line in axes.lines}) == 4
    assert len({line.get_color() for line in axes.lines}) == 4


def test_more_curves_than_formats_use_them_again():
    assert len(d2l.plot([UP] * 6).lines) == 6


def test_set_figsize_is_the_size_of_the_next_figure():
    d2l.set_figsize((5, 1.5))
    assert list(plt.figure().get_size_inches()) == [5, 1.5]


# --------------------------------------------------------------------------------------
# Animator


def test_the_animator_collects_a_point_a_curve():
    animator = d2l.Animator("epoch", "loss", ["a", "b"], fmts=("-", "--"))
    animator.add(1, (3.0, 4.0))
    animator.add(2, (2.0, None))
    animator.add(3, [1.0, 2.0])
    assert lines(animator.axes[0]) == [([1, 2, 3], [3, 2, 1]), ([1, 3], [4, 2])]
    assert animator.axes[0].get_xlabel() == "epoch"
    assert [line.get_linestyle() for line in animator.axes[0].lines] == ["-", "--"]


def test_the_animator_takes_a_single_number():
    animator = d2l.Animator()
    for epoch in range(3):
        animator.add(epoch, epoch**2)
    assert lines(animator.axes[0]) == [([0, 1, 2], [0, 1, 4])]


def test_an_animator_leaves_no_figure_to_be_shown_again():
    d2l.Animator().add(1, 2)
    assert plt.get_fignums() == []


# --------------------------------------------------------------------------------------
# Learning curves, heat maps, drawings


def history(valid=True):
    run = d2l.History()
    for epoch in range(1, 5):
        run.add(20.0 / epoch, 22.0 / epoch if valid and epoch % 2 == 0 else None, 9, 1)
    return run


def test_one_history_shows_training_and_validation():
    axes = d2l.plot_history(history())
    assert lines(axes) == [
        ([1, 2, 3, 4], [20 / e for e in (1, 2, 3, 4)]),
        ([2, 4], [11.0, 5.5]),
    ]
    assert axes.get_yscale() == "log" and axes.get_ylabel() == "perplexity"


def test_a_history_without_validation_shows_training_only():
    assert len(d2l.plot_history(history(valid=False)).lines) == 1


def test_several_histories_show_what_is_asked_for():
    runs = {"lstm": history(), "gru": history()}
    axes = d2l.plot_history(runs)
    assert [x for x, _ in lines(axes)] == [[2, 4], [2, 4]]
    assert [text.get_text() for text in axes.get_legend().texts] == ["LSTM", "GRU"]
    axes = d2l.plot_history(runs, what="train_perplexity", axes=plt.subplots()[1])
    assert [x for x, _ in lines(axes)] == [[1, 2, 3, 4]] * 2


def test_a_heat_map_has_a_column_a_character_and_a_row_a_label():
    values = np.arange(8.0).reshape(2, 4)
    axes = d2l.text_heatmap(values, "a bc", ["i", "f"], label="gate", vmin=0, vmax=9)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "␣", "b", "c"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["i", "f"]
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), values)
    assert image.get_clim() == (0, 9)


def a_diagram():
    d = d2l.Diagram(6, 4)
    d.frame(1, 1, 4, 2).box(2, 2, r"$\sigma$").op(3, 2, r"$\odot$").dot(4, 2)
    d.arrow((1, 2), (1.5, 2)).arrow((4, 2), (4, 3), (5, 3), head=False, style="--")
    return d.text(5, 3, "$H_t$", faded=True)


def test_a_diagram_draws_what_it_is_told():
    axes = a_diagram().axes
    assert [text.get_text() for text in axes.texts if text.get_text()] == [
        r"$\sigma$",
        r"$\odot$",
        "$H_t$",
    ]
    assert len(axes.patches) == 3  # frame, box, circle
    assert len(axes.lines) == 3  # two arrows and a dot
    assert axes.get_xlim() == (0, 6) and axes.get_aspect() == 1


def test_what_is_faded_has_another_colour():
    d = d2l.Diagram().box(1, 1, "a").box(2, 1, "b", faded=True)
    colours = [patch.get_edgecolor() for patch in d.axes.patches]
    assert colours[0] != colours[1]
    assert d.axes.texts[0].get_color() != d.axes.texts[1].get_color()


@pytest.mark.parametrize(
    ("draw", "stages"), [(drawing.draw_lstm, 4), (drawing.draw_gru, 3)]
)
def test_a_cell_fades_less_from_stage_to_stage(draw, stages):
    faded = []
    for stage in range(1, stages + 1):
        axes = draw(stage).axes
        faded.append(sum(t.get_color() == drawing.FADED for t in axes.texts))
    assert faded == sorted(faded, reverse=True) and len(set(faded)) == stages
    assert faded[-1] == 0
    with pytest.raises(ValueError, match=f"stage is {stages + 1}"):
        draw(stages + 1)


def test_the_lines_of_the_lstm_are_numbered_where_they_are_drawn():
    plain = drawing.draw_lstm().axes
    axes = drawing.draw_lstm(numbers=True).axes
    shown = [(t.get_text(), t.get_position()) for t in axes.texts]
    assert [text for text, _ in shown[len(plain.texts) :]] == list("123456")
    at = dict(shown)
    for number, name in zip("1234", ("I", "F", "O", r"\tilde{\mathbf{C}}")):
        label = at[rf"$\mathbf{{{name}}}_t$" if len(name) == 1 else f"${name}_t$"]
        assert abs(at[number][0] - label[0]) < 0.8  # below its box
    assert len(axes.patches) == len(plain.patches) + 6


def test_an_unrolled_network_has_a_column_a_character():
    d = drawing.draw_unrolled("a b", " bc")
    texts = [t.get_text() for t in d.axes.texts if t.get_text()]
    assert [t for t in texts if len(t) == 1] == ["a", "␣", "␣", "b", "b", "c"]
    assert sum(t == r"$\tanh$" for t in texts) == len(d.axes.patches) == 3
    assert r"$\mathbf{H}_0$" in texts and r"$\mathbf{S}_3$" in texts
    for read, predicted in (("", ""), ("ab", "a")):
        with pytest.raises(ValueError, match="as many"):
            drawing.draw_unrolled(read, predicted)


EDGES = "w_hf A_f A_i A_c A_o F I C_tilde O C_old kept new C tanh_C H".split()


def test_values_stand_above_the_lines_and_gradients_below():
    values = {name: 1 + k / 100 for k, name in enumerate(EDGES)}
    gradients = {name: -(2 + k / 1000) for k, name in enumerate(EDGES)}
    axes = drawing.draw_backward(values, gradients).axes
    at = {text.get_text(): text.get_position() for text in axes.texts}
    for name in EDGES:
        (above,) = (at[t] for t in at if t.endswith(f" {values[name]:.2f}"))
        below = at[f"−{-gradients[name]:.3f}"]
        assert above[0] == below[0] and above[1] - below[1] == pytest.approx(0.72)
    assert set("1234567") <= set(at)
    with pytest.raises(ValueError, match="no value or no gradient of C, F"):
        drawing.draw_backward({**values}, {k: 0 for k in EDGES if k not in "CF"})


def animated():
    animator = d2l.Animator(legend=["a"], yscale="log")
    animator.add(1, 2)
    animator.add(2, 3)
    return animator.fig


FIGURES = {
    "plot": lambda: d2l.plot(X, [UP, DOWN], "x", "y", ["a", "b"]).figure,
    "animator": animated,
    "history": lambda: d2l.plot_history(history()).figure,
    "heat map": lambda: d2l.text_heatmap(np.eye(3), "a b", list("ifo")).figure,
    "diagram": lambda: a_diagram().axes.figure,
    "lstm": lambda: drawing.draw_lstm(2, numbers=True).axes.figure,
    "unrolled": lambda: drawing.draw_unrolled("th", "he").axes.figure,
    "gru": lambda: drawing.draw_gru(2).axes.figure,
    "backward": lambda: (
        drawing.draw_backward(
            dict.fromkeys(EDGES, 0.5), dict.fromkeys(EDGES, -0.5)
        ).axes.figure
    ),
}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
@pytest.mark.filterwarnings("error")
def test_a_figure_is_the_same_svg_every_time(make):
    d2l.use_svg_display()
    first = svg(make())
    plt.close("all")
    assert first.lstrip().startswith("<?xml") and "</svg>" in first
    assert svg(make()) == first


class WithKernel:
    kernel = object()


class Colab(WithKernel):
    """Colab's shell is a subclass of Jupyter's."""


@pytest.mark.parametrize(
    ("shell", "shows"),
    [(WithKernel(), True), (Colab(), True), (object(), False), (None, False)],
    ids=["Jupyter", "Colab", "IPython in a terminal", "no shell"],
)
def test_every_shell_with_a_kernel_is_a_notebook(shell, shows, monkeypatch):
    import IPython
    from ipykernel.zmqshell import ZMQInteractiveShell
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

    assert hasattr(ZMQInteractiveShell, "kernel")
    assert not hasattr(TerminalInteractiveShell, "kernel")
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert plotting.in_notebook() is shows


def test_outside_a_notebook_nothing_is_displayed(monkeypatch, capsys):
    assert not plotting.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython.display", None)  # cannot be imported
    d2l.use_svg_display()
    d2l.Animator().add(1, 2)
    d2l.plot(UP)
    LiveLine().show("run 1 of 3")
    assert capsys.readouterr() == ("run 1 of 3\n", "")


# --------------------------------------------------------------------------------------
# A training run in a terminal

CORPUS, VOCAB = d2l.load_corpus("the time traveller for so it will be convenient " * 5)


def train(num_epochs=3, **options):
    train_iter, valid_iter = d2l.split_corpus(CORPUS, VOCAB, 4, 5, 130, 90)
    net = d2l.scratch_model("rnn", len(VOCAB), 4)
    options = {"prefixes": ["time", "the"], "valid_iter": valid_iter, **options}
    iterator = options.pop("train_iter", train_iter)
    return d2l.train_ch8(net, iterator, VOCAB, 1, num_epochs, **options)


def test_a_run_leaves_its_result_and_samples_on_standard_output(capsys):
    run = train(valid_every=1)
    out, err = capsys.readouterr()
    result, *samples = out.splitlines()
    assert result.startswith("finished after 3 epochs")
    assert f"perplexity {run.train_perplexity[-1]:.2f}" in result
    assert f"best {run.best_valid_perplexity:.2f} at epoch" in result
    assert "tokens/s" in result
    assert [len(sample) for sample in samples] == [54, 53]
    assert samples[0].startswith("time") and samples[1].startswith("the")
    assert "epoch" in err and "finished" not in err


def test_a_run_without_validation_says_so_little(capsys):
    train(valid_iter=None)
    result = capsys.readouterr().out.splitlines()[0]
    assert "validation" not in result and "best" not in result


def test_a_silent_run_shows_nothing(capsys):
    train(progress=False)
    assert capsys.readouterr() == ("", "")


def test_samples_appear_while_the_run_goes_on(monkeypatch, capsys):
    monkeypatch.setattr("d2l_lstm.progress._SECONDS_BETWEEN_SAMPLES", 0)
    train(prefixes=["trav"])
    err = capsys.readouterr().err
    assert err.count("  trav") == 3
    assert "epoch    1  trav" in err


class Terminal(io.TextIOWrapper):
    """A terminal that has the letters of an encoding only."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding, newline="")

    def shown(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


SAMPLE = "tr\x1b[2J\x07\u202e é 时"


def shown_by(progress):
    progress.epoch(history())
    progress.sample([SAMPLE])
    progress.close(history(), None, [SAMPLE])


@pytest.mark.parametrize(
    ("encoding", "letters"),
    [("utf-8", "é 时"), ("latin-1", "é ?"), ("ascii", "? ?"), ("cp1252", "é ?")],
)
def test_samples_are_shown_as_the_terminal_can(encoding, letters, monkeypatch):
    out, err = Terminal(encoding), Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    shown_by(Progress(10))
    wanted = f"tr\\x1b[2J\\x07\\u202e {letters}"
    assert out.shown().splitlines()[1] == wanted
    assert f"  epoch    1  {wanted}" in err.shown()
    assert "1/10" in err.shown()


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_run_goes_on_without_standard_error(when, monkeypatch, capsys):
    closed = Terminal("utf-8")
    monkeypatch.setattr(sys, "stderr", closed)
    if when == "before":
        closed.close()
    progress = Progress(10)
    closed.close()
    shown_by(progress)
    out = capsys.readouterr().out
    assert out.startswith("finished after 4 epochs") and "1b[2J" in out


def test_a_process_without_any_standard_stream_trains(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    shown_by(Progress(10))
    assert len(train().epochs) == 3


def test_a_run_stopped_in_its_first_epoch_says_so(capsys):
    class Interrupted:
        def __iter__(self):
            raise KeyboardInterrupt

    run = train(train_iter=Interrupted(), patience=2, valid_every=1)
    assert run.stopped == "interrupted"
    assert "before the first epoch" in capsys.readouterr().out


def test_the_bar_is_gone_after_a_run_that_failed(capsys):
    class Broken:
        def __iter__(self):
            raise OSError("the data is gone")

    with pytest.raises(OSError, match="gone") as error:
        train(train_iter=Broken())
    assert error.traceback  # the run's variables live as long as its error
    err = capsys.readouterr().err
    assert err.endswith("\r") and err.rsplit("\r", 2)[1].strip() == ""


def test_what_a_model_writes_cannot_drive_a_terminal(capsys):
    progress = Progress(2)
    progress.sample(["a\x1b[2Jb"])
    history = d2l.History()
    history.add(3.0, None, 10.0, 1.0)
    progress.close(history, None, ["c\x9b31md"])
    out, err = capsys.readouterr()
    assert r"a\x1b[2Jb" in err and r"c\x9b31md" in out and "\x9b" not in out


def test_progress_without_a_standard_error_is_no_matter(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    history = train()
    assert history.stopped == "finished"


def test_the_curve_of_a_run_has_the_yardsticks(monkeypatch, capsys):
    monkeypatch.setattr("d2l_lstm.progress.in_notebook", lambda: True)
    monkeypatch.setattr(LiveFigure, "show", lambda *_: None)
    progress = Progress(10, yardsticks={"5-grams": 5.3})
    progress.close(history(), None, [])
    assert [t.get_text() for t in progress.figure.axes[0].texts] == ["5-grams"]


def test_a_resumed_run_starts_its_bar_where_it_stopped(capsys):
    progress = Progress(10, done=4)
    assert progress.bar.n == 4 and progress.bar.total == 10
    progress.epoch(history())
    assert progress.bar.n == 5
    progress.close(history(), None, [])
    out, err = capsys.readouterr()
    assert "4/10" in err and out.startswith("finished after 4 epochs")


# --------------------------------------------------------------------------------------
# The same thing looks the same everywhere


def test_every_cell_has_a_look_of_its_own():
    kinds = [(d2l.look(c)["color"], str(d2l.look(c)["linestyle"])) for c in d2l.CELLS]
    assert len(set(kinds)) == len(kinds)


def test_a_name_without_a_look_is_refused():
    with pytest.raises(ValueError, match="no look for 'lstmm'; there are lstm, gru"):
        d2l.look("lstmm")


def test_curves_of_cells_have_the_look_of_the_cell():
    (line, other) = d2l.plot_history({"gru": history(), "mine": history()}).lines
    kind = d2l.look("gru")
    assert (line.get_color(), line.get_linestyle()) == (
        kind["color"],
        kind["linestyle"],
    )
    assert (line.get_label(), other.get_label()) == ("GRU", "mine")


def overlaps(texts, renderer):
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    return [
        (a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a.overlaps(b)
    ]


@pytest.mark.parametrize("low", [1, 4.9, 6.8, 7, 9])
@pytest.mark.parametrize("high", [9.5, 11, 28, 300, 1e5])
def test_numbers_of_a_perplexity_axis_never_collide(low, high):
    run = d2l.History()
    for value in (low, high):
        run.add(value, None, 1, 1)
    axes = d2l.plot_history(run)
    axes.figure.canvas.draw()
    labels = axes.get_yticklabels(which="both")
    inside = [t for t in labels if axes.get_ylim()[0] <= t.get_position()[1]]
    inside = [t for t in inside if t.get_position()[1] <= axes.get_ylim()[1]]
    assert len(inside) >= 2
    assert not overlaps(inside, axes.figure.canvas.get_renderer())


def test_yardsticks_are_named_beside_the_axes_without_collision():
    yardsticks = {"3-grams": 6.92, "4-grams": 5.57, "5-grams": 5.27, "6-grams": 5.26}
    axes = d2l.plot_history(history(), yardsticks=yardsticks)
    axes.figure.canvas.draw()
    renderer = axes.figure.canvas.get_renderer()
    assert {text.get_text() for text in axes.texts} == set(yardsticks)
    assert not overlaps(axes.texts, renderer)
    frame = axes.get_window_extent(renderer)
    assert all(t.get_window_extent(renderer).x0 >= frame.x1 for t in axes.texts)
    low, high = axes.get_ylim()
    assert all(low < value < high for value in yardsticks.values())


def test_a_run_that_is_all_infinite_can_still_be_drawn():
    run = d2l.History()
    run.add(float("inf"), None, 1, 1)
    axes = d2l.plot_history(run)
    axes.figure.canvas.draw()
    assert lines(axes) == [([1], [float("inf")])]
