"""The from-scratch cells, held against implementations that are not ours."""

import functools
import sys
from functools import partial

import d2l_lstm
import numpy as np
import onnxruntime
import paddle
import pytest
from d2l_lstm import CELLS
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from paddle import nn

SIZES = st.fixed_dictionaries(
    {
        "num_steps": st.integers(1, 7),
        "batch_size": st.integers(1, 5),
        "d": st.integers(1, 8),
        "h": st.integers(1, 16),
        "q": st.integers(1, 6),
    }
)
SEEDS = st.integers(0, 2**32 - 1)
# The gates that see the cell.
PEEPHOLES = {
    "lstm": "",
    "peephole_i": "i",
    "peephole_f": "f",
    "peephole_o": "o",
    "peephole": "ifo",
}
# Activations of gates, candidate and cell, as onnxruntime's operator names them.
ACTIVATIONS = {
    "lstm": ["Sigmoid", "Tanh", "Tanh"],
    "lstm_relu_gates": ["Relu", "Tanh", "Tanh"],
    "lstm_hard_sigmoid": ["HardSigmoid", "Tanh", "Tanh"],
    "lstm_sigmoid_candidate": ["Sigmoid", "Sigmoid", "Tanh"],
}
SWAPPED = [cell for cell in ACTIVATIONS if cell != "lstm"]
# What notebooks 02 to 05 show is a function of the package too; all others are in the
# registry only.
FUNCTIONS = [
    *("rnn", "lstm", "gru", "gru_reset_after", "peephole", "cifg", "peephole_cifg")
]


def shape_of(name, d, h, q, cell=None):
    """The shape of a parameter, by its name in the book."""
    if cell == "clockwork" and name in ("W_h0", "W_h1", "W_h2", "W_h3"):
        return (h - h // 4 * int(name[3]), h // 4)  # hears itself and the slower ones
    if name in ("W_hq", "b_q"):
        return (h, q) if name == "W_hq" else (q,)
    if not name.startswith("W"):
        return (h,)
    return (d if name.startswith("W_x") else h, h)


def fitting(cell, sizes):
    """Sizes that a cell can have: a Clockwork RNN has four modules."""
    return {**sizes, "h": -(-sizes["h"] // 4) * 4} if cell == "clockwork" else sizes


class Problem:
    """Random weights, inputs and initial state for a cell, as NumPy arrays."""

    def __init__(self, cell, sizes, seed=0, dtype="float32", scale=0.8):
        sizes = fitting(cell, sizes)
        self.cell, self.dtype, self.sizes = CELLS[cell], dtype, sizes
        draw = np.random.default_rng(seed).standard_normal
        d, h, q = sizes["d"], sizes["h"], sizes["q"]
        T, n = sizes["num_steps"], sizes["batch_size"]
        self.weights = {
            name: (scale * draw(shape_of(name, d, h, q, cell))).astype(dtype)
            for name in self.cell.param_names
        }
        self.X = draw((T, n, d)).astype(dtype)
        self.state = [
            (scale * draw((n, h))).astype(dtype) for _ in self.cell.state_names
        ]
        for i, name in enumerate(self.cell.state_names):
            if name == "N":  # a sum of weights
                self.state[i] = 0.5 + abs(self.state[i])
            if name == "clock":  # of each example another
                self.state[i] = np.ones_like(self.state[i]) * np.arange(n)[:, None]

    def __getattr__(self, name):
        try:
            return self.__dict__["weights"][name]
        except KeyError:
            raise AttributeError(name) from None

    def run(self):
        """Outputs and final states of our cell."""
        outputs, state = self.cell.forward(
            paddle.to_tensor(self.X),
            tuple(map(paddle.to_tensor, self.state)),
            [paddle.to_tensor(w) for w in self.weights.values()],
        )
        return [outputs.numpy(), *(s.numpy() for s in state)]

    def assert_equals(self, Y, *state, tolerance=1e-5):
        """Y (num_steps, batch_size, h): hidden states of the other implementation."""
        scores = Y.reshape(-1, Y.shape[-1]) @ self.W_hq + self.b_q
        for ours, theirs in zip(self.run(), [scores, *state], strict=True):
            assert ours.dtype == theirs.dtype == self.dtype
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=tolerance)

    def stack(self, kind, gates, transpose=False):
        """`kind + gate` of several gates; zeros where the cell has no such thing."""
        shape = shape_of(kind + "i", self.sizes["d"], self.sizes["h"], 0)
        parts = [
            self.weights.get(kind + gate, np.zeros(shape, self.dtype)) for gate in gates
        ]
        return np.concatenate([p.T for p in parts] if transpose else parts)


# --------------------------------------------------------------------------------------
# Against paddle.nn


def paddle_layer(problem, layer, gates):
    """Outputs and final states of a Paddle layer with the same weights."""
    d, h = problem.sizes["d"], problem.sizes["h"]
    paddle.set_default_dtype(problem.dtype)
    try:
        layer = layer(d, h, time_major=True)
    finally:
        paddle.set_default_dtype("float32")
    layer.weight_ih_l0.set_value(problem.stack("W_x", gates, transpose=True))
    layer.weight_hh_l0.set_value(problem.stack("W_h", gates, transpose=True))
    layer.bias_ih_l0.set_value(problem.stack("b_", gates))
    second = problem.stack("c_", gates)  # the GRU's; zeros for the other cells
    layer.bias_hh_l0.set_value(second)
    state = [paddle.to_tensor(s).unsqueeze(0) for s in problem.state]
    Y, state = layer(
        paddle.to_tensor(problem.X), tuple(state) if len(state) == 2 else state[0]
    )
    state = state if isinstance(state, tuple) else (state,)
    return [Y.numpy(), *(s[0].numpy() for s in state)]


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize(
    "cell, layer, gates",
    [
        ("rnn", nn.SimpleRNN, "h"),
        ("lstm", nn.LSTM, "ifco"),
        ("gru_reset_after", nn.GRU, "rzh"),
    ],
)
@given(sizes=SIZES, seed=SEEDS)
def test_cell_equals_the_layer_of_paddle(
    cell, layer, gates, dtype, tolerance, sizes, seed
):
    problem = Problem(cell, sizes, seed, dtype)
    problem.assert_equals(*paddle_layer(problem, layer, gates), tolerance=tolerance)


def test_the_two_grus_are_two_functions():
    sizes = dict(num_steps=5, batch_size=3, d=4, h=8, q=2)
    after = Problem("gru_reset_after", sizes)
    after.weights["c_h"][:] = 0
    before = Problem("gru", sizes)
    before.X, before.state = after.X, after.state
    before.weights = {k: after.weights[k] for k in before.weights}
    assert np.abs(before.run()[1] - after.run()[1]).max() > 0.01
    before.b_r[:] = 100  # a reset gate of 1 lets everything through: no difference left
    np.testing.assert_allclose(before.run()[0], after.run()[0], atol=1e-5)


# --------------------------------------------------------------------------------------
# Against onnxruntime


def onnx_run(problem, operator, gates, **attributes):
    """Outputs and final states of onnxruntime with the same weights."""
    zeros = np.zeros_like(problem.stack("b_", gates))
    second = problem.stack("c_", gates) if operator == "GRU" else zeros
    feeds = {
        "X": problem.X,
        "W": problem.stack("W_x", gates, transpose=True)[None],
        "R": problem.stack("W_h", gates, transpose=True)[None],
        "B": np.concatenate([problem.stack("b_", gates), second])[None],
        "initial_h": problem.state[0][None],
    }
    names, results = ["X", "W", "R", "B", "", "initial_h"], ["Y", "Y_h"]
    if operator == "LSTM":
        feeds |= {
            "initial_c": problem.state[1][None],
            "P": problem.stack("p_", "iof")[None],
        }
        names, results = [*names, "initial_c", "P"], [*results, "Y_c"]
    node = helper.make_node(
        operator, names, results, hidden_size=problem.sizes["h"], **attributes
    )
    graph = helper.make_graph(
        [node],
        "cell",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
            for name, array in feeds.items()
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in results
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    Y, *state = session.run(None, feeds)
    return [Y[:, 0], *(s[0] for s in state)]


@pytest.mark.parametrize("cell", PEEPHOLES)
@given(sizes=SIZES, seed=SEEDS)
def test_lstm_with_any_peepholes_equals_onnxruntime(cell, sizes, seed):
    problem = Problem(cell, sizes, seed)
    problem.assert_equals(*onnx_run(problem, "LSTM", "iofc"))


@pytest.mark.parametrize("cell", ACTIVATIONS)
@given(sizes=SIZES, seed=SEEDS)
def test_other_activations_equal_onnxruntime(cell, sizes, seed):
    problem = Problem(cell, {**sizes, "num_steps": min(sizes["num_steps"], 3)}, seed)
    found = onnx_run(
        problem, "LSTM", "iofc", activations=ACTIVATIONS[cell],
        activation_alpha=[0.2], activation_beta=[0.5],
    )  # fmt: skip
    # ReLU gates are no fractions: what they multiply grows, and its rounding with it.
    problem.assert_equals(*found, tolerance=1e-5 * max(1, np.abs(found[-1]).max()))


@pytest.mark.parametrize("cell", ["cifg", "peephole_cifg"])
@given(sizes=SIZES, seed=SEEDS)
def test_coupled_gates_equal_onnxruntime(cell, sizes, seed):
    problem = Problem(cell, sizes, seed)
    problem.assert_equals(*onnx_run(problem, "LSTM", "iofc", input_forget=1))


@pytest.mark.parametrize("cell, after", [("gru", 0), ("gru_reset_after", 1)])
@given(sizes=SIZES, seed=SEEDS)
def test_gru_equals_onnxruntime(cell, after, sizes, seed):
    problem = Problem(cell, sizes, seed)
    problem.assert_equals(*onnx_run(problem, "GRU", "zrh", linear_before_reset=after))


# --------------------------------------------------------------------------------------
# Gradients


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seed", range(2))
def test_gradients_equal_finite_differences(cell, seed):
    sizes = dict(num_steps=3, batch_size=2, d=2, h=3, q=2)
    problem = Problem(cell, sizes, seed, "float64")
    num_states = len(problem.state)
    arrays = [problem.X, *problem.state, *problem.weights.values()]
    named = ["X", *problem.cell.state_names, *problem.weights]
    draw = np.random.default_rng(seed + 100).standard_normal
    weighting = [paddle.to_tensor(draw(a.shape)) for a in problem.run()]

    def value(tensors):  # depends on all outputs and all final states
        X, tensors = tensors[0], tensors[1:]
        outputs, state = problem.cell.forward(
            X, tuple(tensors[:num_states]), tensors[num_states:]
        )
        return sum((a * w).sum() for a, w in zip([outputs, *state], weighting))

    tensors = [paddle.to_tensor(a, stop_gradient=False) for a in arrays]
    gradients = paddle.grad(value(tensors), tensors)
    eps = 1e-5
    with paddle.no_grad():
        for i, array in enumerate(arrays):
            if named[i] == "clock":
                continue  # it counts: there is nothing between two numbers
            for index in np.ndindex(array.shape):
                ends = []
                for step in (eps, -eps):
                    moved = array.copy()
                    moved[index] += step
                    changed = [*tensors[:i], paddle.to_tensor(moved), *tensors[i + 1 :]]
                    ends.append(float(value(changed)))
                slope = (ends[0] - ends[1]) / (2 * eps)
                assert gradients[i].numpy()[index] == pytest.approx(slope, abs=1e-8)


# --------------------------------------------------------------------------------------
# What each gate does

ONE_STEP = dict(num_steps=1, batch_size=3, d=4, h=5, q=2)
OPEN, SHUT = 200.0, -200.0


def problem_with(cell, sizes=ONE_STEP, **constants):
    """A problem in which some parameters are one number everywhere."""
    problem = Problem(cell, sizes)
    for name, constant in constants.items():
        problem.weights[name][:] = constant
    return problem


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("cell", ["lstm", "peephole", "lstm_hard_sigmoid"])
def test_forget_gate_one_input_gate_zero_keeps_the_cell(cell):
    problem = problem_with(cell, {**ONE_STEP, "num_steps": 20}, b_f=OPEN, b_i=SHUT)
    np.testing.assert_array_equal(problem.run()[2], problem.state[1])


@pytest.mark.parametrize("cell", ["lstm", "peephole"])
def test_forget_gate_zero_input_gate_one_takes_the_candidate(cell):
    problem = problem_with(cell, b_f=SHUT, b_i=OPEN)
    H = problem.state[0]
    candidate = np.tanh(problem.X[0] @ problem.W_xc + H @ problem.W_hc + problem.b_c)
    np.testing.assert_allclose(problem.run()[2], candidate, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "peephole", "cifg", "peephole_cifg"])
def test_output_gate_zero_hides_the_cell_and_one_shows_it(cell):
    _, H, C = problem_with(cell, b_o=SHUT).run()
    assert (H == 0).all() and (C != 0).all()
    _, H, C = problem_with(cell, b_o=OPEN).run()
    np.testing.assert_allclose(H, np.tanh(C), atol=1e-6)


@pytest.mark.parametrize("gate, largest", [("hard_sigmoid", 1), ("relu_gates", OPEN)])
def test_a_gate_without_an_upper_end_multiplies_the_cell(gate, largest):
    problem = problem_with(f"lstm_{gate}", b_f=OPEN, b_i=SHUT, W_xf=0, W_hf=0)
    _, _, C = problem.run()
    np.testing.assert_allclose(C, largest * problem.state[1], rtol=1e-6)


def test_a_candidate_of_sigmoids_never_lowers_the_cell():
    problem = problem_with(
        "lstm_sigmoid_candidate", {**ONE_STEP, "num_steps": 9}, b_f=OPEN
    )
    _, _, C = problem.run()
    assert (C >= problem.state[1]).all()


@pytest.mark.parametrize("cell", ["cifg", "peephole_cifg"])
def test_coupled_gates_keep_the_cell_or_replace_it(cell):
    problem = problem_with(cell, b_i=SHUT)
    np.testing.assert_array_equal(problem.run()[2], problem.state[1])
    problem = problem_with(cell, b_i=OPEN)
    _, _, C = problem.run()
    problem.state[1] = -problem.state[1]
    np.testing.assert_array_equal(problem.run()[2], C)


@given(sizes=SIZES, seed=SEEDS)
def test_coupled_gates_are_an_lstm_with_opposite_gates(sizes, seed):
    cifg, lstm = Problem("cifg", sizes, seed), Problem("lstm", sizes, seed)
    lstm.X, lstm.state = cifg.X, cifg.state
    lstm.weights |= cifg.weights
    for kind in ("W_x", "W_h", "b_"):  # sigma(-a) = 1 - sigma(a)
        lstm.weights[kind + "f"] = -cifg.weights[kind + "i"]
    for one, other in zip(cifg.run(), lstm.run()):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("cell", ["peephole", "peephole_cifg"])
def test_output_gate_sees_the_new_cell(cell):
    problem = problem_with(cell, b_i=OPEN, b_c=OPEN, W_xo=0, W_ho=0, b_o=0, p_o=1.5)
    if cell == "peephole":
        problem.b_f[:] = SHUT
    problem.state[1][:] = 0.3
    _, H, C = problem.run()
    np.testing.assert_array_equal(C, np.ones_like(C))
    np.testing.assert_allclose(H, sigmoid(1.5) * np.tanh(1), atol=1e-6)


def test_input_and_forget_gates_see_the_old_cell():
    zero = dict(W_xi=0, W_hi=0, b_i=0, W_xf=0, W_hf=0, b_f=0)
    problem = problem_with("peephole", **zero, b_c=OPEN, p_i=0.5, p_f=2.0)
    problem.state[1][:] = 0.3
    C = problem.run()[2]
    expected = sigmoid(2.0 * 0.3) * 0.3 + sigmoid(0.5 * 0.3)
    np.testing.assert_allclose(C, expected, atol=1e-6)


def test_peepholes_look_at_their_own_unit_only():
    problem = problem_with("peephole", W_hi=0, W_hf=0, W_ho=0, W_hc=0)
    _, H, C = problem.run()
    problem.state[1][:, 2] += 1
    _, H_changed, C_changed = problem.run()
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(C[:, others], C_changed[:, others])
    np.testing.assert_array_equal(H[:, others], H_changed[:, others])
    assert (C[:, 2] != C_changed[:, 2]).all()


@pytest.mark.parametrize("cell", ["gru", "gru_reset_after"])
def test_update_gate_one_keeps_the_state(cell):
    problem = problem_with(cell, {**ONE_STEP, "num_steps": 20}, b_z=OPEN)
    np.testing.assert_array_equal(problem.run()[1], problem.state[0])


def test_reset_gate_zero_makes_the_candidate_blind_to_the_state():
    problem = problem_with("gru", b_z=SHUT, b_r=SHUT)
    candidate = np.tanh(problem.X[0] @ problem.W_xh + problem.b_h)
    np.testing.assert_allclose(problem.run()[1], candidate, atol=1e-6)


@pytest.mark.parametrize("gate", "ifo")
@given(sizes=SIZES, seed=SEEDS)
def test_one_peephole_is_three_of_which_two_are_zero(gate, sizes, seed):
    one, three = Problem(f"peephole_{gate}", sizes, seed), Problem("peephole", sizes)
    three.X, three.state = one.X, one.state
    zeros = {f"p_{g}": np.zeros(sizes["h"], "float32") for g in "ifo"}
    three.weights |= zeros | one.weights
    for ours, theirs in zip(one.run(), three.run()):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("cell", PEEPHOLES)
def test_a_cell_with_peepholes_starts_as_the_lstm(cell):
    X, state = paddle.randn([4, 2, 5]), d2l_lstm.init_lstm_state(2, 6)
    paddle.seed(1)
    expected, _ = d2l_lstm.lstm(X, state, d2l_lstm.get_lstm_params(5, 6))
    paddle.seed(1)
    outputs, _ = CELLS[cell].forward(X, state, CELLS[cell].get_params(5, 6))
    np.testing.assert_array_equal(outputs, expected)


# --------------------------------------------------------------------------------------
# Every quantity of a step, traced

QUANTITIES = {
    "rnn": "H",
    **dict.fromkeys([*PEEPHOLES, *SWAPPED], "I F O C_tilde C H"),
    "cifg": "I O C_tilde C H",
    "peephole_cifg": "I O C_tilde C H",
    "gru": "Z R H_tilde H",
    "gru_reset_after": "Z R H_tilde H",
    "nig": "F O C_tilde C H",
    "nfg": "I O C_tilde C H",
    "nog": "I F C_tilde C H",
    "niaf": "I F O C_tilde C H",
    "noaf": "I F O C_tilde C H",
    "fgr": "I F O C_tilde C H I_old F_old O_old seen_i seen_f seen_o",
    "lstm_1997": "I O C_tilde C H",
    "janet": "A F F_less C_tilde H",
    **dict.fromkeys(["mut1", "mut2", "mut3"], "Z R H_tilde H"),
    "depth_gated": "I F O D C_tilde C H I_below F_below O_below C_tilde_below C_below "
    "H_below",
    "clockwork": "heard H_new H clock",
    "mingru": "Z H_tilde H",
    "minlstm": "F I H_tilde H",
    "slstm": "log_I log_F I F O C_tilde C N M H",
}


@pytest.mark.parametrize("cell", CELLS)
@given(sizes=SIZES, seed=SEEDS)
def test_a_trace_has_the_equations_quantities_at_every_step(cell, sizes, seed):
    problem = Problem(cell, sizes, seed)
    X, (T, n) = problem.X, problem.X.shape[:2]
    h = problem.sizes["h"]
    state = tuple(map(paddle.to_tensor, problem.state))
    params = [paddle.to_tensor(w) for w in problem.weights.values()]
    traced = d2l_lstm.trace(cell, paddle.to_tensor(X), state, params)
    assert set(traced) == set(QUANTITIES[cell].split())
    assert all(values.shape == [T, n, h] for values in traced.values())
    outputs, *last = problem.run()
    H = traced["H"].numpy()
    scores = H.reshape(-1, h) @ problem.W_hq + problem.b_q
    np.testing.assert_allclose(scores, outputs, atol=1e-5)
    for name, value in zip(CELLS[cell].state_names, last, strict=True):
        np.testing.assert_array_equal(traced[name][-1], value)
    if cell == "lstm":  # from the quantities of the step before, by hand
        before = np.concatenate([problem.state[1][None], traced["C"].numpy()[:-1]])
        I, F, O, C_tilde, C = (traced[k].numpy() for k in "I F O C_tilde C".split())
        np.testing.assert_allclose(C, F * before + I * C_tilde, atol=1e-6)
        np.testing.assert_allclose(H, O * np.tanh(C), atol=1e-6)


def test_a_step_of_ones_own_is_traced_and_a_profiler_goes_on():
    def leaky_step(X, state, params):
        (W,) = params
        (H,) = state
        A = X @ W
        H = 0.5 * H + A
        return (H,)

    X, H, W = paddle.randn([4, 2, 3]), paddle.zeros([2, 5]), paddle.randn([3, 5])
    calls = []
    sys.setprofile(lambda *event: calls.append(event[1]))
    try:
        traced = d2l_lstm.trace(leaky_step, X, (H,), [W, None, None])
        mine = sys.getprofile()
    finally:
        sys.setprofile(None)
    assert set(traced) == {"A", "H"} and mine is not None
    np.testing.assert_allclose(traced["A"], (X @ W).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "thing", [partial(d2l_lstm.rnn_step), d2l_lstm.ScratchLayer("rnn", 3, 2), 5]
)
def test_what_has_no_step_to_trace_is_one_sentence(thing):
    state, params = d2l_lstm.init_rnn_state(1, 2), d2l_lstm.get_rnn_params(3, 2)
    with pytest.raises(ValueError, match="no step that can be traced"):
        d2l_lstm.trace(thing, paddle.zeros([2, 1, 3]), state, params)


def test_a_decorated_step_is_not_traced_in_silence():
    @functools.wraps(d2l_lstm.rnn_step)
    def step(*arguments):
        return d2l_lstm.rnn_step(*arguments)

    state, params = d2l_lstm.init_rnn_state(1, 2), d2l_lstm.get_rnn_params(3, 2)
    with pytest.raises(ValueError, match="no step that can be traced"):
        d2l_lstm.trace(step, paddle.zeros([2, 1, 3]), state, params)


def test_nothing_to_trace_is_one_sentence():
    state, params = d2l_lstm.init_lstm_state(1, 2), d2l_lstm.get_lstm_params(3, 2)
    with pytest.raises(ValueError, match="no time step"):
        d2l_lstm.trace("lstm", paddle.zeros([0, 1, 3]), state, params)
    with pytest.raises(ValueError, match="unknown cell 'lstn'"):
        d2l_lstm.trace("lstn", paddle.zeros([1, 1, 3]), state, params)


@pytest.mark.parametrize("name", CELLS)
def test_help_shows_the_shapes_of_a_cells_functions(name):
    cell = CELLS[name]
    assert "(num_steps, batch_size, d)" in cell.forward.__doc__
    for function in (cell.forward, CELLS[name].init_state):
        assert "H (batch_size, h)" in function.__doc__
    assert cell.forward.__name__ == name and "W_hq (h, q)" in cell.forward.__doc__


# --------------------------------------------------------------------------------------
# What every cell is


@pytest.mark.parametrize("cell", CELLS)
@given(sizes=SIZES, seed=SEEDS, cut=st.integers(0, 6))
def test_state_carries_a_sequence_over_a_cut(cell, sizes, seed, cut):
    problem = Problem(cell, {**sizes, "num_steps": 7}, seed)
    X = problem.X
    whole = problem.run()
    if cut == 0:
        return
    problem.X = X[:cut]
    first, *problem.state = problem.run()
    problem.X = X[cut:]
    second, *state = problem.run()
    for one, other in zip(whole, [np.concatenate([first, second]), *state]):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_cell_is_a_pure_function(cell):
    problem = Problem(cell, {**ONE_STEP, "num_steps": 4})
    X = paddle.to_tensor(problem.X)
    state = tuple(map(paddle.to_tensor, problem.state))
    params = [paddle.to_tensor(w) for w in problem.weights.values()]
    first, _ = problem.cell.forward(X, state, params)
    second, _ = problem.cell.forward(X, state, params)
    np.testing.assert_array_equal(first, second)
    before = [problem.X, *problem.state, *problem.weights.values()]
    for tensor, array in zip([X, *state, *params], before, strict=True):
        np.testing.assert_array_equal(tensor, array)


PARAM_NAMES = {
    "rnn": "W_xh W_hh b_h",
    "lstm": "W_xi W_hi b_i W_xf W_hf b_f W_xo W_ho b_o W_xc W_hc b_c",
    "cifg": "W_xi W_hi b_i W_xo W_ho b_o W_xc W_hc b_c",
    "gru": "W_xz W_hz b_z W_xr W_hr b_r W_xh W_hh b_h",
}
PARAM_NAMES["gru_reset_after"] = PARAM_NAMES["gru"] + " c_h"
PARAM_NAMES["peephole_cifg"] = PARAM_NAMES["cifg"] + " p_i p_o"
for _name, _seen in PEEPHOLES.items():
    PARAM_NAMES[_name] = " ".join([PARAM_NAMES["lstm"], *(f"p_{g}" for g in _seen)])
PARAM_NAMES |= dict.fromkeys([*SWAPPED, "slstm"], PARAM_NAMES["lstm"])
PARAM_NAMES |= dict.fromkeys(["niaf", "noaf"], PARAM_NAMES["peephole"])
PARAM_NAMES |= {
    "nig": "W_xf W_hf b_f W_xo W_ho b_o W_xc W_hc b_c p_f p_o",
    "nfg": "W_xi W_hi b_i W_xo W_ho b_o W_xc W_hc b_c p_i p_o",
    "nog": "W_xi W_hi b_i W_xf W_hf b_f W_xc W_hc b_c p_i p_f",
    "fgr": PARAM_NAMES["peephole"] + " W_ii W_fi W_oi W_if W_ff W_of W_io W_fo W_oo",
    "lstm_1997": PARAM_NAMES["cifg"],
    "janet": "W_xf W_hf b_f W_xc W_hc b_c",
    "mut1": "W_xz b_z W_xr W_hr b_r W_xe W_hh b_h",
    "mut2": "W_xz W_hz b_z W_xe W_hr b_r W_xh W_hh b_h",
    "mut3": PARAM_NAMES["gru"],
    "depth_gated": PARAM_NAMES["lstm"]
    + " W_bi W_ui b_ui W_bf W_uf b_uf W_bo W_uo b_uo W_bc W_uc b_uc W_bd b_d p_d p_b",
    "clockwork": "W_xh W_h0 W_h1 W_h2 W_h3 b_h",
    "mingru": "W_xz b_z W_xh b_h",
    "minlstm": "W_xf b_f W_xi b_i W_xh b_h",
}


def test_registry_has_the_cells_of_the_book_and_their_variants():
    assert set(CELLS) == set(PARAM_NAMES)


@pytest.mark.parametrize("name", CELLS)
def test_registry_names_the_parameters_in_the_books_order(name):
    cell = CELLS[name]
    assert cell.name == name and d2l_lstm.get_cell(name) is cell
    assert cell.param_names == (*PARAM_NAMES[name].split(), "W_hq", "b_q")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_registry_holds_the_functions_of_the_book(name):
    cell = CELLS[name]
    assert cell.forward is getattr(d2l_lstm, name)
    assert cell.get_params is getattr(d2l_lstm, f"get_{name}_params")
    assert cell.init_state is getattr(d2l_lstm, f"init_{name}_state")


@pytest.mark.parametrize("name", CELLS)
@given(vocab_size=st.integers(1, 30), num_hiddens=st.integers(1, 20))
def test_parameters_have_the_shapes_of_their_names(name, vocab_size, num_hiddens):
    cell = CELLS[name]
    h = fitting(name, {"h": num_hiddens})["h"]
    params = cell.get_params(vocab_size, h)
    for param_name, param in zip(cell.param_names, params, strict=True):
        expected = shape_of(param_name, vocab_size, h, vocab_size, name)
        assert tuple(param.shape) == expected
        assert param.dtype == paddle.float32
        assert not param.stop_gradient


@pytest.mark.parametrize("name", CELLS)
def test_weights_start_as_small_gaussians_and_all_else_as_zero(name):
    cell = CELLS[name]
    for param_name, param in zip(cell.param_names, cell.get_params(100, 100)):
        if param_name.startswith("W"):
            assert float(param.std()) == pytest.approx(0.01, rel=0.06)
            assert abs(float(param.mean())) < 8e-4
        else:
            assert (param == 0).all()


@pytest.mark.parametrize("name", CELLS)
@given(d=st.integers(1, 30), h=st.integers(1, 20))
def test_parameter_count_is_that_of_the_formula(name, d, h):
    B = d * h + h * h + h
    hidden = {
        "rnn": B,
        "lstm": 4 * B,
        "cifg": 3 * B,
        "peephole_cifg": 3 * B + 2 * h,
        "gru": 3 * B,
        "gru_reset_after": 3 * B + h,
    }
    hidden |= {k: 4 * B + len(seen) * h for k, seen in PEEPHOLES.items()}
    hidden |= dict.fromkeys([*SWAPPED, "slstm"], 4 * B)
    hidden |= dict.fromkeys(["nig", "nfg", "nog"], 3 * B + 2 * h)
    hidden |= dict.fromkeys(["niaf", "noaf"], 4 * B + 3 * h)
    hidden |= {
        "fgr": 4 * B + 3 * h + 9 * h * h,
        "lstm_1997": 3 * B,
        "janet": 2 * B,
        # The paper's, and d * h for the map of the input.
        "mut1": 2 * d * h + 2 * h * h + 3 * h + d * h,
        "mut2": 2 * d * h + 3 * h * h + 3 * h + d * h,
        "mut3": 3 * B,
        "depth_gated": 4 * B + 4 * (2 * h * h + h) + h * h + 3 * h,
        "mingru": 2 * (d * h + h),
        "minlstm": 3 * (d * h + h),
    }
    if name == "clockwork":  # a module hears itself and the slower ones
        h = fitting(name, {"h": h})["h"]
        hidden[name] = d * h + h + h * h * (4 + 1) // (2 * 4)
    assert CELLS[name].num_params(d, h) == hidden[name] + h * d + d


@pytest.mark.parametrize("name", CELLS)
@given(n=st.integers(1, 9), h=st.integers(1, 9))
def test_initial_state_is_zeros_for_every_example(name, n, h):
    state = CELLS[name].init_state(n, h)
    assert isinstance(state, tuple)
    parts = dict.fromkeys(["rnn", "janet", "minlstm", "mut1", "mut2", "mut3"], 1)
    parts |= {"depth_gated": 4, "slstm": 4, "fgr": 5}
    assert len(state) == parts.get(name, 1 if "gru" in name else 2)
    for tensor in state:
        assert tensor.shape == [n, h] and (tensor == 0).all()


def test_unknown_cell_is_one_sentence_that_lists_the_cells():
    with pytest.raises(ValueError, match="unknown cell 'lstn'; choose one of") as error:
        d2l_lstm.get_cell("lstn")
    assert "\n" not in str(error.value)
    assert all(name in str(error.value) for name in CELLS)
