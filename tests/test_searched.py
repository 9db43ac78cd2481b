"""The search space: every cell against an oracle, or against what it must become."""

from copy import copy

import numpy as np
import paddle
import pytest
from d2l_lstm import CELLS, cells, scratch_model
from hypothesis import given
from hypothesis import strategies as st
from paddle import nn
from test_cells import OPEN, SEEDS, SHUT, SIZES, Problem, onnx_run, sigmoid


def with_cell(problem, cell, weights):
    """The same inputs for another cell, with weights of its own."""
    other = copy(problem)
    other.cell = CELLS[cell]
    other.weights = {name: weights[name] for name in CELLS[cell].param_names}
    other.state = problem.state[: len(CELLS[cell].state_names)]
    return other


def assert_same(one, other, tolerance=1e-12):
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance)


# --------------------------------------------------------------------------------------
# Greff et al.: one change at a time


@pytest.mark.parametrize("cell, gate", [("nig", "i"), ("nfg", "f"), ("nog", "o")])
@given(sizes=SIZES, seed=SEEDS)
def test_a_gate_left_out_is_onnxruntimes_gate_held_open(cell, gate, sizes, seed):
    problem = Problem(cell, sizes, seed)
    oracle = copy(problem)
    held_open = np.full(problem.sizes["h"], 100, "float32")
    oracle.weights = {**problem.weights, f"b_{gate}": held_open}
    problem.assert_equals(*onnx_run(oracle, "LSTM", "iofc"))


@pytest.mark.parametrize(
    "cell, activations",
    [
        ("niaf", ["Sigmoid", "Affine", "Tanh"]),
        ("noaf", ["Sigmoid", "Tanh", "Affine"]),
    ],
)
@given(sizes=SIZES, seed=SEEDS)
def test_an_activation_left_out_is_onnxruntimes_identity(
    cell, activations, sizes, seed
):
    problem = Problem(cell, {**sizes, "num_steps": min(sizes["num_steps"], 3)}, seed)
    oracle = onnx_run(
        problem, "LSTM", "iofc", activations=activations, activation_alpha=[1.0],
        activation_beta=[0.0],
    )  # fmt: skip
    problem.assert_equals(*oracle, tolerance=1e-5 * max(1, np.abs(oracle[-1]).max()))


@given(sizes=SIZES, seed=SEEDS)
def test_gate_recurrence_of_zeros_is_the_peephole_lstm(sizes, seed):
    problem = Problem("fgr", sizes, seed, "float64")
    for name in problem.weights:
        if name[2:] in ("ii", "fi", "oi", "if", "ff", "of", "io", "fo", "oo"):
            problem.weights[name][:] = 0
    peephole = with_cell(problem, "peephole", problem.weights)
    assert_same(peephole.run(), problem.run())


@pytest.mark.parametrize("to", "ifo")
@pytest.mark.parametrize("source", "ifo")
def test_a_gate_hears_the_gate_that_its_matrix_names(source, to):
    sizes = dict(num_steps=1, batch_size=2, d=3, h=4, q=2)
    problem = Problem("fgr", sizes, dtype="float64")
    before = problem.run()
    problem.weights[f"W_{source}{to}"] += 1.0
    problem.state[2 + "ifo".index(source)][:] += 1.0
    for name in problem.weights:  # nothing else of what this gate says is heard
        if name[:3] == f"W_{source}" and name != f"W_{source}{to}":
            problem.weights[name][:] = 0
    after = problem.run()
    others = [g for g in "ifo" if g != to]
    gates = dict(zip("ifo", after[3:]))
    assert np.abs(gates[to] - before[3 + "ifo".index(to)]).min() > 0
    reference = Problem("fgr", sizes, dtype="float64")
    for name in problem.weights:
        if name[:3] == f"W_{source}" and len(name) == 4:
            reference.weights[name][:] = 0
    silent = dict(zip("ifo", reference.run()[3:]))
    for gate in others:
        if gate == "o" or to == "o":
            continue  # the output gate also sees what the others have made of the cell
        np.testing.assert_allclose(gates[gate], silent[gate], atol=1e-12)


@given(sizes=SIZES, seed=SEEDS)
def test_the_lstm_of_1997_is_the_one_without_forget_gate_and_peepholes(sizes, seed):
    problem = Problem("nfg", sizes, seed, "float64")
    problem.weights["p_i"][:] = problem.weights["p_o"][:] = 0
    assert_same(with_cell(problem, "lstm_1997", problem.weights).run(), problem.run())


@given(sizes=SIZES, seed=SEEDS)
def test_janet_is_what_the_paper_says_in_a_loop(sizes, seed):
    problem = Problem("janet", sizes, seed, "float64")
    w, h = problem.weights, problem.state[0]
    for x in problem.X:
        s = np.concatenate([x, h], 1) @ np.concatenate([w["W_xf"], w["W_hf"]])
        s += w["b_f"]
        new = np.tanh(x @ w["W_xc"] + h @ w["W_hc"] + w["b_c"])
        h = h / (1 + np.exp(-s)) + new / (1 + np.exp(s - 1))
    np.testing.assert_allclose(problem.run()[1], h, atol=1e-12)


# --------------------------------------------------------------------------------------
# Jozefowicz et al., by way of the GRU (whose Z is the share of the old)


def gru_of(problem, **weights):
    w = {**problem.weights, **weights}
    w |= {name: -w[name] for name in ("W_xz", "W_hz", "b_z")}
    return with_cell(problem, "gru", w).run()


@given(sizes=SIZES, seed=SEEDS)
def test_mut1_with_one_hot_inputs_is_a_gru_whose_update_gate_sees_no_state(sizes, seed):
    problem = Problem("mut1", sizes, seed, "float64")
    d, h = problem.sizes["d"], problem.sizes["h"]
    problem.X = np.eye(d)[np.abs(problem.X).argmax(-1)]
    added = np.tanh(problem.weights["W_xe"])  # of a row of a table, or a row of tanh
    expected = gru_of(problem, W_xh=added, W_hz=np.zeros((h, h)))
    assert_same(problem.run(), expected)


@given(sizes=SIZES, seed=SEEDS)
def test_mut2_is_a_gru_whose_reset_gate_has_the_map_of_the_input(sizes, seed):
    problem = Problem("mut2", sizes, seed, "float64")
    assert_same(problem.run(), gru_of(problem, W_xr=problem.weights["W_xe"]))


def test_mut2_adds_the_input_itself_where_the_map_is_the_identity():
    problem = Problem("mut2", dict(num_steps=1, batch_size=3, d=5, h=5, q=2))
    problem.weights["W_xe"][:] = np.eye(5)
    w, (X,), (H,) = problem.weights, problem.X, problem.state
    R = sigmoid(X + H @ w["W_hr"] + w["b_r"])
    H_tilde = np.tanh(X @ w["W_xh"] + (R * H) @ w["W_hh"] + w["b_h"])
    Z = sigmoid(X @ w["W_xz"] + H @ w["W_hz"] + w["b_z"])
    np.testing.assert_allclose(problem.run()[1], H + Z * (H_tilde - H), atol=1e-6)


@given(sizes=SIZES, seed=SEEDS)
def test_mut3_is_a_gru_where_tanh_hardly_bends(sizes, seed):
    problem = Problem("mut3", {**sizes, "num_steps": 1}, seed, "float64")
    problem.state[0] *= 1e-5  # tanh(H) is H but for H^3 / 3
    assert_same(problem.run(), gru_of(problem))
    problem.state[0] *= 2e5
    bent = np.arctanh(np.tanh(problem.state[0]) / 2)  # another state: no GRU any more
    assert np.abs(bent - problem.state[0]).max() > 0
    assert np.abs(problem.run()[1] - gru_of(problem)[1]).max() > 1e-6


# --------------------------------------------------------------------------------------
# More than one layer, more than one clock


@given(sizes=SIZES, seed=SEEDS)
def test_a_shut_depth_gate_leaves_two_layers_of_paddles_lstm(sizes, seed):
    problem = Problem("depth_gated", sizes, seed)
    d, h = problem.sizes["d"], problem.sizes["h"]
    problem.weights["b_d"][:] = SHUT
    layer = nn.LSTM(d, h, num_layers=2, time_major=True)
    w = problem.weights
    for k, (x, s) in enumerate([("W_x", "W_h"), ("W_b", "W_u")]):
        bias = ("b_", "b_u")[k]
        for kind, prefix in (("weight_ih", x), ("weight_hh", s)):
            stacked = np.concatenate([w[prefix + g].T for g in "ifco"])
            getattr(layer, f"{kind}_l{k}").set_value(stacked)
        getattr(layer, f"bias_ih_l{k}").set_value(
            np.concatenate([w[bias + g] for g in "ifco"])
        )
        getattr(layer, f"bias_hh_l{k}").set_value(np.zeros(4 * h, "float32"))
    H, C, H_below, C_below = map(paddle.to_tensor, problem.state)
    state = paddle.stack([H_below, H]), paddle.stack([C_below, C])
    Y, (H, C) = layer(paddle.to_tensor(problem.X), state)
    last = [H[1], C[1], H[0], C[0]]
    problem.assert_equals(Y.numpy(), *(part.numpy() for part in last))


def test_an_open_depth_gate_adds_the_cell_below():
    sizes = dict(num_steps=1, batch_size=3, d=4, h=5, q=2)
    shut, opened = (Problem("depth_gated", sizes) for _ in range(2))
    shut.weights["b_d"][:], opened.weights["b_d"][:] = SHUT, OPEN
    difference = opened.run()[2] - shut.run()[2]
    np.testing.assert_allclose(difference, shut.run()[4], atol=1e-6)


@given(sizes=SIZES, seed=SEEDS)
def test_one_module_of_period_one_is_paddles_rnn(sizes, seed):
    problem = Problem("rnn", sizes, seed)
    layer = nn.SimpleRNN(problem.sizes["d"], problem.sizes["h"], time_major=True)
    layer.weight_ih_l0.set_value(problem.W_xh.T.copy())
    layer.weight_hh_l0.set_value(problem.W_hh.T.copy())
    layer.bias_ih_l0.set_value(problem.b_h)
    layer.bias_hh_l0.set_value(np.zeros_like(problem.b_h))
    H = paddle.to_tensor(problem.state[0])
    expected, _ = layer(paddle.to_tensor(problem.X), H.unsqueeze(0))
    params = [paddle.to_tensor(problem.weights[k]) for k in ("W_xh", "W_hh", "b_h")]
    state = (H, paddle.zeros_like(H))
    for X, Y in zip(paddle.to_tensor(problem.X), expected):
        state = CELLS["clockwork"].step(X, state, params)
        np.testing.assert_allclose(state[0], Y, atol=1e-4)


def test_a_module_moves_at_its_own_steps_only_and_hears_slower_ones_only():
    sizes = dict(num_steps=16, batch_size=1, d=3, h=8, q=2)
    problem = Problem("clockwork", sizes)
    params = [paddle.to_tensor(w) for w in problem.weights.values()]
    state = CELLS["clockwork"].init_state(1, 8)
    seen = cells.trace("clockwork", paddle.to_tensor(problem.X), state, params)["H"]
    H = np.concatenate([np.zeros((1, 8)), seen.numpy()[:, 0]]).reshape(17, 4, 2)
    for k in range(4):
        moved = np.abs(np.diff(H[:, k], axis=0)).max(-1) > 0
        np.testing.assert_array_equal(moved, np.arange(16) % 2**k == 0)
    # What the quick module says is heard by no other.
    first, other = problem.run(), Problem("clockwork", sizes)
    other.state[0][:, :2] += 1
    changed = np.abs(other.run()[1] - first[1])[0] > 0
    assert not changed[2:].any()


def test_a_clockwork_of_a_size_without_four_parts_is_one_sentence():
    with pytest.raises(ValueError, match="num_hiddens is 6; .* multiple of 4"):
        scratch_model("clockwork", 5, 6)


# --------------------------------------------------------------------------------------
# All steps at once


@pytest.mark.parametrize("cell", ["mingru", "minlstm"])
@given(sizes=SIZES, seed=SEEDS, num_steps=st.sampled_from([1, 2, 3, 8, 9, 31, 32, 33]))
def test_a_scan_is_the_loop(cell, sizes, seed, num_steps):
    problem = Problem(cell, {**sizes, "num_steps": num_steps}, seed, "float64")
    params = [paddle.to_tensor(w) for w in problem.weights.values()]
    state = tuple(map(paddle.to_tensor, problem.state))
    scanned = getattr(cells, f"{cell}_scan")
    outputs, last = scanned(paddle.to_tensor(problem.X), state, params)
    assert_same([outputs, *last], problem.run(), 1e-10)


def test_a_scan_is_differentiated_like_the_loop():
    a, b, H = paddle.rand([7, 2, 3]), paddle.randn([7, 2, 3]), paddle.randn([2, 3])
    gradients = []
    for at_once in (True, False):
        given = [paddle.to_tensor(x.numpy(), stop_gradient=False) for x in (a, b, H)]
        if at_once:
            Y = cells.scan(*given)
        else:
            state, states = given[2], []
            for factor, summand in zip(given[0], given[1]):
                state = factor * state + summand
                states.append(state)
            Y = paddle.stack(states)
        gradients.append(paddle.grad((Y * Y).sum(), given))
    for one, other in zip(*gradients):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@given(sizes=SIZES, seed=SEEDS)
def test_minlstm_is_a_mingru_whose_gate_is_the_share_of_the_input_gate(sizes, seed):
    problem = Problem("minlstm", {**sizes, "num_steps": 1}, seed, "float64")
    w, (X,), (H,) = problem.weights, problem.X, problem.state
    I, F = sigmoid(X @ w["W_xi"] + w["b_i"]), sigmoid(X @ w["W_xf"] + w["b_f"])
    share = I / (I + F)
    new = X @ w["W_xh"] + w["b_h"]
    np.testing.assert_allclose(problem.run()[1], H + share * (new - H), atol=1e-12)


# --------------------------------------------------------------------------------------
# sLSTM


def plain_slstm(problem):
    """sLSTM as its equations stand, which overflows for large input gates."""
    w, (H, C, N, M) = problem.weights, problem.state
    C, N = C * np.exp(M), N * np.exp(M)
    for X in problem.X:
        a = {g: X @ w[f"W_x{g}"] + H @ w[f"W_h{g}"] + w[f"b_{g}"] for g in "ifoc"}
        C = sigmoid(a["f"]) * C + np.exp(a["i"]) * np.tanh(a["c"])
        N = sigmoid(a["f"]) * N + np.exp(a["i"])
        H = sigmoid(a["o"]) * C / N
    return H, C, N


@given(sizes=SIZES, seed=SEEDS)
def test_the_stabilised_slstm_is_the_plain_one(sizes, seed):
    problem = Problem("slstm", sizes, seed, "float64", scale=0.5)
    _, H, C, N, M = problem.run()
    assert_same(plain_slstm(problem), (H, C * np.exp(M), N * np.exp(M)), 1e-9)


@pytest.mark.parametrize("bias", [-500.0, 500.0])
def test_an_input_gate_that_overflows_or_underflows_is_still_a_number(bias):
    sizes = dict(num_steps=6, batch_size=2, d=3, h=4, q=2)
    problem = Problem("slstm", sizes)
    problem.state = [np.zeros_like(part) for part in problem.state]
    problem.weights["b_i"][:] = bias
    expected = problem.run()
    assert all(np.isfinite(part).all() for part in expected)
    params = [
        paddle.to_tensor(w, stop_gradient=False) for w in problem.weights.values()
    ]
    outputs, _ = problem.cell.forward(
        paddle.to_tensor(problem.X), problem.cell.init_state(2, 4), params
    )
    for gradient in paddle.grad(outputs.sum(), params):
        assert np.isfinite(gradient.numpy()).all()


@given(sizes=SIZES, seed=SEEDS)
def test_slstm_shows_a_weighted_mean_of_what_it_took_in(sizes, seed):
    problem = Problem("slstm", sizes, seed, "float64")
    problem.state = [np.zeros_like(part) for part in problem.state]
    problem.weights["b_o"][:] = OPEN
    assert np.abs(problem.run()[1]).max() < 1  # of tanhs, however many
