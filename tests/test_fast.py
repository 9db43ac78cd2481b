"""The fast path: the same steps as autograd's, or a warning and autograd itself."""

import math
import random
import warnings
from concurrent.futures import ThreadPoolExecutor

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import generation, models
from d2l_lstm.cells import CELLS, Cell, define
from d2l_lstm.cells.functions import hard_sigmoid, relu, sigmoid, tanh
from d2l_lstm.fast import compiling, mkl, training
from d2l_lstm.fast.compiling import (
    available_backends,
    cell_plan,
    compile_cell,
    is_understood,
)
from d2l_lstm.fast.tracing import NotUnderstoodError
from d2l_lstm.fast.training import FastPath, FastTraining
from hypothesis import given, settings
from hypothesis import strategies as st

needs_mkl = pytest.mark.skipif(
    not available_backends(), reason="this wheel of Paddle has no MKL"
)
backends = pytest.mark.parametrize("backend", available_backends())
V, H = 7, 12


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.fixture
def new_cells():
    """Cells that a test defines are gone after it."""
    before = dict(CELLS)
    yield
    CELLS.clear()
    CELLS.update(before)


def model(cell="lstm", vocab_size=V, num_hiddens=H, dtype="float32", spread=0.3):
    """A model with parameters that are all far from 0."""
    net = d2l.scratch_model(cell, vocab_size, num_hiddens)
    for i, param in enumerate(net.params):
        value = paddle.randn(param.shape, dtype=dtype) * spread
        frozen = param.stop_gradient
        net.params[i] = value * 0 if frozen else value
        net.params[i].stop_gradient = frozen
    return net


def minibatch(rows, steps, vocab_size=V, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.integers(0, vocab_size, (rows, steps)) for _ in "XY"]


def autograd(net, X, Y, state):
    """Loss, gradients by name and new state, by the readable code."""
    dtype = net.params[0].dtype
    inputs = paddle.nn.functional.one_hot(paddle.to_tensor(X).T, net.vocab_size)
    state = tuple(paddle.to_tensor(s) for s in state.values())
    y_hat, state = net.forward_fn(inputs.astype(dtype), state, net.params)
    labels = paddle.to_tensor(Y.T.reshape(-1))
    loss = paddle.nn.functional.cross_entropy(y_hat, labels)
    named = models.parameters_of(net).items()
    trained = {name: p for name, p in named if not p.stop_gradient}
    grads = paddle.grad(loss, list(trained.values()))
    return float(loss), dict(zip(trained, grads)), state


def assert_equal_to_autograd(net, backend, X, Y, pool, num_pieces=2, tolerance=1e-10):
    fast = FastTraining(
        net, compile_cell(cell_of(net), backend, dtype_of(net)), num_pieces
    )
    fast.load()
    state = fast.begin_state(len(X))
    draw = np.random.default_rng(1)
    for values in state.values():
        values[:] = draw.normal(size=values.shape)
    loss, grads, new_state = autograd(net, X, Y, state)
    fast_loss, gradient = fast.gradient(X, Y, state, pool)
    assert math.isclose(fast_loss, loss, rel_tol=tolerance)
    for name, grad in grads.items():
        np.testing.assert_allclose(
            gradient.of_param[name], grad.numpy(), atol=tolerance, rtol=tolerance
        )
    for fast_values, values in zip(state.values(), new_state):
        np.testing.assert_allclose(fast_values, values.numpy(), atol=tolerance)


def cell_of(net) -> Cell:
    return CELLS[d2l.cell_name(net)]


def dtype_of(net) -> str:
    return net.params[0].numpy().dtype.name


# --------------------------------------------------------------------------------------
# The same numbers


@backends
@pytest.mark.parametrize("cell", [c for c in CELLS if c != "clockwork"])
def test_loss_gradient_and_state_are_autograds(cell, backend, pool):
    net = model(cell, dtype="float64")
    assert_equal_to_autograd(net, backend, *minibatch(9, 5), pool)


@backends
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@given(
    sizes=st.tuples(*[st.integers(1, 20)] * 4),
    pieces=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_loss_gradient_and_state_are_autograds_in_every_shape(
    cell, backend, sizes, pieces, seed
):
    vocab_size, num_hiddens, rows, steps = sizes
    net = model(cell, vocab_size, num_hiddens, "float64")
    X, Y = minibatch(rows, steps, vocab_size, seed)
    with ThreadPoolExecutor(3) as pool:
        assert_equal_to_autograd(net, backend, X, Y, pool, pieces)


@backends
@pytest.mark.parametrize("cell", ["lstm", "peephole", "gru_reset_after"])
def test_single_precision_is_autograds_but_for_rounding(cell, backend, pool):
    net = model(cell, spread=0.1)
    assert_equal_to_autograd(net, backend, *minibatch(32, 35), pool, tolerance=2e-5)


def run(fast, epochs=5, cell="lstm", lr=1.0, num_hiddens=64, **options):
    """Some epochs as `make run` has them, smaller: perplexities, model."""
    random.seed(0)
    paddle.seed(0)
    train_iter, valid_iter, _, vocab = d2l.load_time_machine_splits(
        16, 20, num_train=2500, num_valid=1000, num_test=1000
    )
    net = d2l.scratch_model(cell, len(vocab), num_hiddens)
    history = d2l.train_ch8(
        net, train_iter, vocab, lr, epochs, valid_iter=valid_iter, valid_every=2,
        progress=False, fast=fast, **options,
    )  # fmt: skip
    return history, net


def assert_same_weights(one, other):
    for p, q in zip(one.params, other.params):
        assert (p == q).all()


@backends
@pytest.mark.parametrize("cell", ["lstm", "gru", "cifg", "lstm_hard_sigmoid"])
def test_epochs_are_those_of_autograd(cell, backend, monkeypatch):
    monkeypatch.setattr(training, "available_backends", lambda dtype: (backend,))
    fast, _ = run(True, cell=cell)
    readable, _ = run(False, cell=cell)
    assert fast.path == [backend] * 5 and readable.path == ["paddle"] * 5
    np.testing.assert_allclose(fast.train, readable.train, rtol=1e-5)
    np.testing.assert_allclose(fast.valid[1::2], readable.valid[1::2], rtol=1e-5)


@backends
def test_a_clipped_gradient_is_the_minibatchs(backend, monkeypatch):
    monkeypatch.setattr(training, "available_backends", lambda dtype: (backend,))
    fast, _ = run(True, theta=0.05, lr=2.0)
    readable, _ = run(False, theta=0.05, lr=2.0)
    unclipped, _ = run(True, theta=math.inf, lr=2.0)
    np.testing.assert_allclose(fast.train, readable.train, rtol=1e-5)
    assert abs(fast.train[-1] / unclipped.train[-1] - 1) > 1e-3


@needs_mkl
@pytest.mark.parametrize("random_iter", [False, True])
def test_equal_runs_are_equal_bit_for_bit(random_iter):
    one, net = run(True, use_random_iter=random_iter)
    other, again = run(True, use_random_iter=random_iter)
    assert one.train == other.train and one.valid == other.valid
    assert_same_weights(net, again)


@needs_mkl
def test_a_run_that_is_resumed_ends_bit_for_bit_as_one_that_was_not(tmp_path):
    whole, net = run(True, 6)
    run(True, 4, checkpoint=tmp_path / "run.safetensors")
    resumed, again = run(True, 6, checkpoint=tmp_path / "run.safetensors", resume=True)
    assert resumed.train == whole.train and resumed.path == whole.path
    assert_same_weights(net, again)


@needs_mkl
def test_random_minibatches_begin_with_a_fresh_state():
    fast, _ = run(True, use_random_iter=True)
    readable, _ = run(False, use_random_iter=True)
    np.testing.assert_allclose(fast.train, readable.train, rtol=1e-5)


@needs_mkl
def test_parameters_that_are_frozen_stay(frozen_cell):
    net, (X, Y) = model(frozen_cell), minibatch(8, 5)
    before = [p.numpy().copy() for p in net.params]
    assert FastPath(net, False).epoch([(X, Y)], 1.0, 1.0) is not None
    names = CELLS[frozen_cell].param_names
    moved = {n for n, p, b in zip(names, net.params, before) if (p.numpy() != b).any()}
    assert moved == set(names) - {"p_f", "p_o"}


@needs_mkl
def test_weights_that_somebody_sets_between_two_epochs_count():
    net, data = model(), [minibatch(8, 5)]
    path = FastPath(net, False)
    path.epoch(data, 1.0, 1.0)
    for param in net.params:
        param.set_value(param * 0)
    loss, _ = path.epoch(data, 1e-9, 1.0)
    assert math.isclose(loss, math.log(V), rel_tol=1e-6)


@needs_mkl
def test_minibatches_of_other_lengths_are_trained_on():
    data = [minibatch(8, steps, seed=steps) for steps in (5, 3, 9, 5, 1)]
    tensors = [tuple(map(paddle.to_tensor, pair)) for pair in data]
    readable = model()
    losses = d2l.token_losses(readable, tensors)
    expected, _ = d2l.fitting.fit_epoch(
        readable, losses, lambda: d2l.sgd(readable.params, 0.5, 1)
    )
    paddle.seed(0)
    loss, _ = FastPath(model(), False).epoch(data, 0.5, 1.0)
    assert math.isclose(loss, expected, rel_tol=1e-5)


# --------------------------------------------------------------------------------------
# A reader's own cell


def own_step(X, state, params):
    """A cell with all that a step may do, and in another order than the book's."""
    W_xa, W_ha, W_xb, W_hb, W_hc, b_a, p_b = params
    H, C = state
    A = sigmoid(b_a + X @ W_xa + H @ W_ha)
    B = tanh(-(X @ W_xb) + 0.5 * (C @ W_hb) - p_b * C)
    C = (2 - A * B - A) * C + B
    H = tanh(0.5 * ((A * C) @ W_hc) + H) - A * A
    return H, C


@backends
def test_a_cell_of_ones_own_is_compiled_too(backend, pool, new_cells):
    names = "W_xa W_ha W_xb W_hb W_hc b_a p_b"
    define("own", own_step, names, "H C")
    assert_equal_to_autograd(
        model("own", dtype="float64"), backend, *minibatch(9, 4), pool
    )


def straight_step(X, state, params):
    """A cell of straight lines, in stages that hand them on."""
    W_xa, W_ha, W_xb, W_hb, b_a = params
    (H,) = state
    A = relu(X @ W_xa + H @ W_ha + b_a)
    B = hard_sigmoid(X @ W_xb + (A * H) @ W_hb) - 0.5 * A
    return (hard_sigmoid(A - B) * relu(1 - A * H),)


@backends
def test_a_cell_of_straight_lines_is_compiled_too(backend, pool, new_cells):
    define("own", straight_step, "W_xa W_ha W_xb W_hb b_a")
    assert_equal_to_autograd(
        model("own", dtype="float64"), backend, *minibatch(9, 4), pool
    )


@backends
def test_a_bias_that_two_gates_share_gets_both_derivatives(backend, pool, new_cells):
    def step(X, state, params):
        W_xa, W_ha, W_xb, W_hb, b_a = params
        (H,) = state
        A = sigmoid(X @ W_xa + H @ W_ha + b_a)
        return (A * tanh(X @ W_xb + H @ W_hb + b_a),)

    define("own", step, "W_xa W_ha W_xb W_hb b_a")
    assert_equal_to_autograd(
        model("own", dtype="float64"), backend, *minibatch(9, 4), pool
    )


def unusual_steps():
    def other_function(X, state, params):
        W_xa, W_ha, b_a = params
        return (paddle.exp(X @ W_xa + state[0] @ W_ha + b_a),)

    def input_outside(X, state, params):
        W_xa, W_ha, b_a = params
        return (tanh(X + state[0] @ W_ha + b_a),)

    def twice(X, state, params):
        W_xa, W_ha, b_a = params
        return (tanh(X @ W_xa + state[0] @ W_ha + tanh(state[0]) @ W_ha + b_a),)

    def unused(X, state, params):
        W_xa, W_ha, _ = params
        return (tanh(X @ W_xa + state[0] @ W_ha),)

    def no_state(X, state, params):
        W_xa, W_ha, b_a = params
        return (tanh(X @ W_xa + b_a),)

    def same_state(X, state, params):
        return state

    def shape(X, state, params):
        W_xa, W_ha, b_a = params
        return (tanh(X @ W_xa + state[0] @ W_ha + b_a) * X.shape[0],)

    return locals().values()


def test_modules_with_clocks_run_as_written():
    with pytest.raises(NotUnderstoodError):
        cell_plan(CELLS["clockwork"])


def test_a_product_that_two_stages_read_is_refused(new_cells):
    def step(X, state, params):
        W_xa, W_ha, W_hb = params
        (H,) = state
        A = H @ W_ha
        return (tanh(A + tanh(X @ W_xa + A) @ W_hb),)

    define("own", step, "W_xa W_ha W_hb")
    with pytest.raises(NotUnderstoodError, match="two stages"):
        cell_plan(CELLS["own"])


@pytest.mark.parametrize("step", list(unusual_steps()))
def test_what_is_not_understood_is_refused_and_runs_as_written(step, new_cells):
    define("own", step, "W_xa W_ha b_a")
    with pytest.raises(NotUnderstoodError):
        cell_plan(CELLS["own"])
    net = d2l.scratch_model("own", V, V)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = FastPath(net, False)
    assert path.name == "paddle" and path.epoch([minibatch(4, 3)], 1.0, 1.0) is None


@needs_mkl
@pytest.mark.parametrize(
    ("params", "state"),
    [
        ("W_xa W_ha b_a", "T C"),
        ("W_xa W_ha b_a", "a carried"),
        ("W_xa W_ha b_a", "H H_new"),
        ("W_xa W_ha b_a", "h c"),
        ("W_xa W_ha scale", "H C"),
        ("W_xa W_ha lambda", "H C"),
    ],
)
def test_names_may_be_any(params, state, pool, new_cells):
    def step(X, state, params):
        W_xa, W_ha, b_a = params
        H, C = state
        H = tanh(X @ W_xa + H @ W_ha + b_a * C)
        return H, 0.5 * C + H

    define("own", step, params, state)
    net = model("own", dtype="float64")
    assert_equal_to_autograd(net, "numpy", *minibatch(9, 4), pool)


@backends
def test_a_stage_of_nothing_but_sums_has_a_way_back(backend, pool, new_cells):
    def step(X, state, params):
        W_xa, W_ha, b_a = params
        H, C = state
        A = tanh(X @ W_xa + (H + C) @ W_ha + b_a)
        return A, A * C

    define("own", step, "W_xa W_ha b_a", "H C")
    net = model("own", dtype="float64")
    assert_equal_to_autograd(net, backend, *minibatch(9, 4), pool)

    def step(X, state, params):
        W_xa, W_ha, W_hc = params
        H, C = state
        H = tanh(X @ W_xa + H @ W_ha + C)
        return H, H @ W_hc + C

    define("own2", step, "W_xa W_ha W_hc", "H C")
    net = model("own2", dtype="float64")
    assert_equal_to_autograd(net, backend, *minibatch(9, 4), pool)


factor = [1.0]


def outside_step(X, state, params):
    W_xa, W_ha, b_a = params
    return (tanh(X @ W_xa + state[0] @ W_ha + b_a * factor[0]),)


def test_a_step_with_a_number_that_may_change_is_refused(new_cells):
    define("own", outside_step, "W_xa W_ha b_a")
    with pytest.raises(NotUnderstoodError, match="factor from outside"):
        cell_plan(CELLS["own"])


def paddles_own_step(X, state, params):
    W_xa, W_ha, b_a = params
    A = paddle.matmul(X, W_xa) + state[0] @ W_ha + b_a
    return (paddle.nn.functional.relu(A),)


def in_place_step(X, state, params):
    W_xa, W_ha, b_a = params
    A = X @ W_xa
    A += state[0] @ W_ha
    A += b_a
    return (tanh(A),)


@pytest.mark.parametrize("step", [paddles_own_step, in_place_step])
def test_prediction_is_paddles_for_every_step(step, new_cells, monkeypatch):
    _, vocab = d2l.load_data_time_machine(4, 5)
    define("own", step, "W_xa W_ha b_a")
    net = model("own", len(vocab), 12)
    text = d2l.predict_ch8("time traveller", 40, net, vocab)
    monkeypatch.setattr(generation, "registered_cell", lambda net: None)
    assert text == d2l.predict_ch8("time traveller", 40, net, vocab)


def test_plans_have_the_products_and_stages_of_the_equations():
    groups = {
        "rnn": [1], "lstm": [4], "gru": [2, 1], "gru_reset_after": [3],
        "peephole": [4], "peephole_i": [4], "cifg": [3],
    }  # fmt: skip
    for cell, sizes in groups.items():
        plan = cell_plan(CELLS[cell])
        assert [len(group.products) for group in plan.groups] == sizes
        assert len(plan.lookups) == sum(
            name[:3] == "W_x" for name in CELLS[cell].param_names
        )
        assert len(plan.stages) == len(sizes) + 1


# --------------------------------------------------------------------------------------
# Who takes it, and who does not


def test_who_has_no_cell_of_the_registry_or_another_optimizer_runs_as_written():
    train_iter, vocab = d2l.load_data_time_machine(8, 5, max_tokens=300)
    sizes, cell = (len(vocab), 8), CELLS["lstm"]

    def forward(*arguments):
        return cell.forward(*arguments)

    class Mine(d2l.RNNModelScratch):
        pass

    own = d2l.RNNModelScratch(*sizes, cell.get_params, cell.init_state, forward)
    layer = paddle.nn.LSTM(len(vocab), 8, time_major=True)
    for net in (own, Mine(*sizes, *cell.functions), d2l.RNNModel(layer, len(vocab))):
        history = d2l.train_ch8(net, train_iter, vocab, 1, 1, progress=False)
        assert history.path == ["paddle"]
    net = d2l.scratch_model("lstm", *sizes)
    adam = paddle.optimizer.Adam(0.01, parameters=net.params)
    history = d2l.train_ch8(
        net, train_iter, vocab, 0.01, 1, optimizer=adam, progress=False
    )
    assert history.path == ["paddle"]


def test_without_numba_it_is_numpy_and_without_mkl_paddle(monkeypatch):
    real = compiling.importlib.util.find_spec
    monkeypatch.setattr(
        compiling.importlib.util,
        "find_spec",
        lambda name, *more: None if name == "numba" else real(name, *more),
    )
    assert available_backends() in (("numpy",), ())
    monkeypatch.setattr(mkl, "load", lambda dtype: None)
    assert available_backends() == ()
    assert FastPath(model(), False).name == "paddle"


@needs_mkl
def test_a_library_without_the_functions_is_none(monkeypatch):
    mkl.load.cache_clear()
    try:
        monkeypatch.setattr(mkl, "_FILES", {"linux": ("nothing.so",)})
        assert mkl.load("float32") is None
        mkl.load.cache_clear()
        monkeypatch.setattr(mkl.sys, "platform", "darwin")
        assert mkl.load("float32") is None
    finally:
        mkl.load.cache_clear()


@needs_mkl
def test_where_it_disagrees_with_autograd_a_warning_says_so_and_autograd_trains(
    monkeypatch,
):
    readable, expected = run(False, 3)
    right, of_run = FastTraining.gradient, {8, 16}

    def wrong(self, X, *arguments):
        loss, gradient = right(self, X, *arguments)
        if len(X) in of_run:  # not when the cell is tried out
            gradient.of_param["W_hf"][:] *= 1.02
        return loss, gradient

    monkeypatch.setattr(FastTraining, "gradient", wrong)
    with pytest.warns(UserWarning, match="not used: the gradient of W_hf differs"):
        history, net = run(True, 3)
    assert history.path == ["paddle"] * 3
    assert history.train == readable.train
    assert_same_weights(net, expected)


@needs_mkl
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_chaos_that_makes_rounding_large_is_no_disagreement(cell):
    net = model(cell, num_hiddens=64, spread=3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FastPath(net, False).epoch([minibatch(32, 60)], 1.0, 1.0) is not None


@needs_mkl
def test_where_it_does_not_work_the_next_path_is_tried(monkeypatch):
    def fails(cell, backend, dtype):
        raise RuntimeError("no compiler\n    and much more")

    monkeypatch.setattr(training, "working_cell", fails)
    with pytest.warns(UserWarning, match="not used: no compiler"):
        history, _ = run(True, 1)
    assert history.path == ["paddle"]


@needs_mkl
def test_a_loss_that_is_not_finite_ends_a_run_before_the_update():
    for i, damage in ((0, math.nan), (-2, math.inf)):  # W_xi, W_hq
        net = model()
        value = net.params[i].numpy()
        value[0, 0] = damage
        net.params[i].set_value(value)
        before = [p.numpy().copy() for p in net.params]
        X, Y = minibatch(8, 5)
        X[:] = 0
        with pytest.raises(d2l.NonFiniteLossError):
            FastPath(net, False).epoch([(X, Y)], 1.0, 1.0)
        for param, value in zip(net.params, before):
            np.testing.assert_array_equal(param.numpy(), value)


@needs_mkl
def test_a_norm_whose_squares_overflow_is_still_a_norm():
    big = np.full(4, 1e30, dtype=np.float32)
    assert math.isclose(training.norm_of(big), 2e30, rel_tol=1e-6)
    assert training.norm_of(np.full(4, np.inf, dtype=np.float32)) == math.inf


def wrong_minibatches():
    X, Y = minibatch(8, 5)
    yield "no whole number from 0 to 6", [(X + 1, Y)]
    yield "no whole number from 0 to 6", [(X, Y - 1)]
    yield "no whole number from 0 to 6", [(X.astype(float), Y)]
    yield r"shapes \(8, 5\) and \(8, 4\)", [(X, Y[:, 1:])]
    yield r"shapes \(8, 0\)", [(X[:, :0], Y[:, :0])]
    yield "4 rows follows one of 8", [(X, Y), (X[:4], Y[:4])]
    yield "no minibatch", []


@needs_mkl
@pytest.mark.parametrize(("sentence", "data"), list(wrong_minibatches()))
def test_what_would_be_outside_of_the_buffers_is_one_sentence(sentence, data):
    data = [(X * 0 + X, Y) for X, Y in data]
    with pytest.raises(ValueError, match=sentence):
        FastPath(model(), False).epoch(data, 1.0, 1.0)


@needs_mkl
def test_what_is_wrong_with_the_data_is_the_callers_to_know():
    class Data:
        def __iter__(self):
            raise RuntimeError("the data is gone")

    with pytest.raises(RuntimeError, match="the data is gone"):
        FastPath(model(), False).epoch(Data(), 1.0, 1.0)


@needs_mkl
def test_an_interrupt_leaves_the_weights_of_the_epoch_before():
    net, X_Y = model(), minibatch(8, 5)
    before = [p.numpy().copy() for p in net.params]

    class Data:
        def __iter__(self):
            yield X_Y
            yield X_Y
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FastPath(net, False).epoch(Data(), 1.0, 1.0)
    for param, value in zip(net.params, before):
        np.testing.assert_array_equal(param.numpy(), value)


def changed_lines(text):
    """The lines of a source, each changed in all the ways that a program thinks of.

    What is added to zeros (`E_...`, `carried`) may as well be stored.
    """
    slots = "a[:, 0 * h : 1 * h]", "a[:, 1 * h : 2 * h]"
    changes = [
        (" + ", " - "), (" - ", " + "), (" * v", " + v"), ("one - ", ""), slots,
        ("[:] += (", "[:] = ("), ("[t]", "[0]"), ("True", "False"),
        (" sigmoid(", " tanh("), (" tanh(", " sigmoid("), (" relu(", " tanh("),
        ("hard_sigmoid(", "sigmoid("), ("fifth * ", ""), (" > zero", " < zero"),
        (" < one", " > zero"), ("where(", "one * ("),
    ]  # fmt: skip
    for i, line in enumerate(text.split("\n")):
        if " = " in line or " += " in line:
            for old, new in changes:
                if old in line:
                    yield i, line.replace(old, new, 1)


@needs_mkl
@pytest.mark.parametrize(
    "cell",
    ["lstm", "gru", "peephole", "lstm_relu_gates", "lstm_hard_sigmoid", "minlstm"],
)
def test_every_mistake_in_the_source_of_a_cell_is_noticed(cell):
    right = compile_cell(CELLS[cell], "numpy", "float32")
    training.try_out(right, CELLS[cell], "float32")
    lines = right.source.text.split("\n")
    tried, missed = 0, []
    for i, line in changed_lines(right.source.text):
        text = "\n".join([*lines[:i], line, *lines[i + 1 :]])
        piece = compiling._imported(text, "numpy").piece
        wrong = compiling.CompiledCell(right.plan, right.source, "numpy", piece)
        tried += 1
        try:
            training.try_out(wrong, CELLS[cell], "float32")
        except Exception:
            continue
        missed.append(f"{lines[i].strip()} -> {line.strip()}")
    assert tried > 20 and missed == []


@needs_mkl
@pytest.mark.parametrize("cell", [c for c in CELLS if is_understood(CELLS[c])])
def test_a_cell_that_is_understood_passes_the_trial_of_its_compiled_code(cell):
    training.try_out(
        compile_cell(CELLS[cell], "numpy", "float32"), CELLS[cell], "float32"
    )


@needs_mkl
def test_who_has_compared_before_need_not_compare_again(monkeypatch):
    judged = []
    paths = [FastPath(model(), False, compared=compared) for compared in (False, True)]
    monkeypatch.setattr(training, "compare_with_autograd", lambda *_: judged.append(1))
    for path in paths:
        assert path.epoch([minibatch(8, 5)], 1.0, 1.0) is not None
    assert judged == [1]


@needs_mkl
def test_a_parameter_that_stands_in_two_places_is_left_to_autograd():
    net = model()
    net.params[4] = net.params[1]
    assert FastPath(net, False).name == "paddle"


@needs_mkl
def test_a_hook_on_a_gradient_is_left_to_autograd():
    net, (X, Y) = model(), minibatch(8, 5)
    net.params[0].register_hook(lambda grad: grad * 0)
    with pytest.warns(UserWarning, match="not used: the gradient of W_xi differs"):
        assert FastPath(net, False).epoch([(X, Y)], 1.0, 1.0) is None


@needs_mkl
def test_labels_that_are_not_to_be_learnt_are_left_to_autograd():
    X, Y = minibatch(8, 5)
    Y[0, 0] = training.IGNORED
    with pytest.warns(UserWarning, match="labels that are not to be learnt"):
        assert FastPath(model(), False).epoch([(X, Y)], 1.0, 1.0) is None


@needs_mkl
def test_data_that_can_be_read_once_is_left_to_autograd():
    pairs = iter([minibatch(8, 5)])
    assert FastPath(model(), False).epoch(pairs, 1.0, 1.0) is None
    assert len(list(pairs)) == 1


@needs_mkl
def test_a_model_with_nothing_to_train_is_left_to_autograd():
    net = model()
    for param in net.params:
        param.stop_gradient = True
    assert FastPath(net, False).name == "paddle"


@needs_mkl
def test_scores_far_apart_have_paddles_loss():
    net, (X, Y) = model(), minibatch(8, 5)
    net.params[-1].set_value(paddle.to_tensor([100.0, *[0.0] * (V - 1)]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, _ = FastPath(net, False).epoch([(X, Y)], 1.0, 1.0)
    assert math.isclose(loss, 64 * (Y != 0).mean(), rel_tol=0.05)


@needs_mkl
def test_several_models_are_trained_in_threads_of_ones_own():
    cells, data = ["lstm", "gru", "lstm", "rnn"], [minibatch(8, 5)]
    nets, alone = [model(cell) for cell in cells], [model(cell) for cell in cells]
    for net, same in zip(nets, alone):
        for param, value in zip(net.params, same.params):
            param.set_value(value)

    def losses(net):
        path = FastPath(net, False)
        return [path.epoch(data, 0.1, 1.0)[0] for _ in range(20)]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(losses, nets)) == [losses(net) for net in alone]


# --------------------------------------------------------------------------------------
# What it is made of


@pytest.mark.skipif("numba" not in available_backends(), reason="numba is not here")
class TestNumba:
    def test_straight_functions_are_numpys_and_keep_what_is_no_number(self):
        from d2l_lstm.fast.with_numba import functions
        from numba import njit

        made = functions("float32")
        relu, hard, where = made["relu"], made["hard_sigmoid"], made["where"]

        @njit
        def of(x, r, s, w):
            for i in range(len(x)):
                r[i], s[i] = relu(x[i]), hard(x[i])
                w[i] = where(x[i] > 0, x[i], -x[i])

        x = np.linspace(-5, 5, 1001, dtype=np.float32)
        x[:4] = [np.nan, np.inf, -np.inf, -0.0]
        r, s, w = np.empty((3, len(x)), np.float32)
        of(x, r, s, w)
        np.testing.assert_array_equal(r, relu_of := np.maximum(x, 0))
        assert np.isnan(relu_of[0])
        np.testing.assert_allclose(s, (0.2 * x + 0.5).clip(0, 1), atol=1e-7)
        np.testing.assert_array_equal(w[1:], abs(x[1:]))

    def functions(self, dtype="float32"):
        from d2l_lstm.fast.with_numba import functions
        from numba import njit

        made = functions(dtype)
        sigmoid, tanh = made["sigmoid"], made["tanh"]

        @njit
        def of(x, s, t):
            for i in range(len(x)):
                s[i], t[i] = sigmoid(x[i]), tanh(x[i])

        def both(x):
            s, t = np.empty_like(x), np.empty_like(x)
            of(x, s, t)
            return s, t

        return both

    def test_tanh_and_sigmoid_are_right_to_single_precision(self):
        x = np.linspace(-30, 30, 100_001, dtype=np.float32)
        s, t = self.functions()(x)
        true = np.tanh(x.astype(float))
        assert np.abs(t - true).max() < 4e-7 and np.abs(t).max() <= 1
        inside = np.abs(true) > 1e-6
        assert np.abs(t / np.where(inside, true, 1) - 1)[inside].max() < 4e-7
        assert np.abs(s - 1 / (1 + np.exp(-x.astype(float)))).max() < 3e-7
        assert s.min() >= 0 and s.max() <= 1

    def test_what_is_not_a_number_stays_so(self):
        s, t = self.functions()(np.array([np.nan, np.inf, -np.inf], dtype=np.float32))
        assert np.isnan([s[0], t[0]]).all()
        np.testing.assert_allclose(t[1:], [1, -1], atol=1e-6)

    def test_what_is_compiled_is_kept_and_found_again(self, tmp_path, monkeypatch):
        monkeypatch.setattr(compiling.pooch, "os_cache", lambda name: tmp_path / name)
        text = compile_cell(CELLS["rnn"], "numba", "float32").source.text
        first = compiling._imported(text, "numba")
        (file,) = (tmp_path / "d2l-lstm" / "compiled").glob("*.py")
        assert file.read_text() == text
        file.write_text("damaged")
        assert compiling._imported(text, "numba").__file__ == first.__file__
        assert file.read_text() == text

    def test_what_is_damaged_is_compiled_again(self, tmp_path, monkeypatch):
        monkeypatch.setattr(compiling.pooch, "os_cache", lambda name: tmp_path / name)
        for again in (False, True):
            compile_cell.cache_clear()
            training.working_cell.cache_clear()
            training.working_cell(CELLS["rnn"], "numba", "float32")
            kept = list(tmp_path.rglob("*.nb?"))
            assert kept
            if not again:
                for file in kept:
                    file.write_bytes(file.read_bytes()[:20])
        assert all(file.stat().st_size > 20 for file in kept)
        compile_cell.cache_clear()
        training.working_cell.cache_clear()

    def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(
        self, tmp_path, monkeypatch
    ):
        (tmp_path / "d2l-lstm").write_text("a file where the folder should be")
        monkeypatch.setattr(compiling.pooch, "os_cache", lambda name: tmp_path / name)
        text = compile_cell(CELLS["rnn"], "numba", "float32").source.text
        assert compiling._imported(text, "numba").piece


@needs_mkl
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_packed_matrix_multiplies_as_the_matrix_does(dtype, transposed):
    products = mkl.load(dtype)
    A = np.random.default_rng(0).normal(size=(5, 3)).astype(dtype)
    B = np.random.default_rng(1).normal(size=(3, 4)).astype(dtype)
    packed = mkl.PackedMatrix(products, 3, 4, 5)
    packed.pack(np.ascontiguousarray(B.T) if transposed else B, transposed)
    C = np.full((5, 4), 2.0, dtype)
    products.compute(
        mkl.ROW_MAJOR, mkl.AS_IT_IS, mkl.PACKED, 5, 4, 3, A.ctypes.data, 3,
        packed.address, 4, 1.0, C.ctypes.data, 4,
    )  # fmt: skip
    np.testing.assert_allclose(C, A @ B + 2, rtol=1e-5)
