"""Gradients by distance, Jacobians and rates, against autograd and cases by hand."""

import math

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm.gradients import (
    fit_decay,
    gradient_norms,
    jacobian,
    log_product_norms,
    spectral_norm,
    spectral_radius,
    step_jacobian,
    with_radius,
)

STEPS = {name: d2l.CELLS[name].step for name in ("rnn", "lstm", "gru", "cifg")}


@pytest.fixture(autouse=True)
def double_precision():
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


def params_of(name, d, h):
    paddle.seed(3)
    made = d2l.CELLS[name].get_params(d, h)[:-2]
    return [paddle.randn(p.shape, dtype="float64") * 0.7 for p in made]


# The norm of the gradient, by distance


def test_one_linear_unit_loses_the_same_factor_at_every_step():
    X = paddle.randn([6, 3, 1], dtype="float64")

    def last_state(X):
        H = paddle.zeros([3, 1])
        for x in X:
            H = 0.5 * H + x
        return H

    norms = gradient_norms(last_state, X)
    assert norms.shape == (6, 3)
    assert np.allclose(norms, 0.5 ** np.arange(5, -1, -1)[:, None])


def test_every_example_has_a_gradient_of_its_own():
    X = paddle.randn([4, 2, 3], dtype="float64")

    def loss(X):
        return (X[0] * paddle.to_tensor([[3.0], [5.0]])).sum()

    norms = gradient_norms(loss, X)
    assert np.allclose(norms[0], [3 * 3**0.5, 5 * 3**0.5])
    assert (norms[1:] == 0).all()


def test_norms_are_those_of_finite_differences():
    params = params_of("lstm", 2, 3)
    X = paddle.randn([5, 1, 2], dtype="float64")

    def loss(X):
        state = paddle.zeros([1, 3]), paddle.zeros([1, 3])
        for x in X:
            state = d2l.lstm_step(x, state, params)
        return (state[0] ** 2).sum()

    found = gradient_norms(loss, X)[:, 0]
    for t in range(5):
        by_hand = []
        for j in range(2):
            nudge = np.zeros([5, 1, 2])
            nudge[t, 0, j] = 1e-6
            up, down = (float(loss(X + s * paddle.to_tensor(nudge))) for s in (1, -1))
            by_hand.append((up - down) / 2e-6)
        assert found[t] == pytest.approx(np.linalg.norm(by_hand), rel=1e-6)


def test_what_the_caller_gave_is_left_as_it_was():
    X = paddle.ones([2, 1, 1])
    weight = paddle.ones([1])
    weight.stop_gradient = False
    gradient_norms(lambda X: X * weight, X)
    assert X.stop_gradient and weight.grad is None


@pytest.mark.parametrize("loss", [lambda X: paddle.ones([1]), lambda X: WEIGHT * 2])
def test_a_loss_without_the_inputs_is_refused(loss):
    with pytest.raises(ValueError, match="does not depend on the inputs"):
        gradient_norms(loss, paddle.ones([2, 1, 1]))


WEIGHT = paddle.ones([1])
WEIGHT.stop_gradient = False


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 1\); it must be \(num_steps"):
        gradient_norms(lambda X: X, paddle.ones([2, 1]))


# Jacobians


@pytest.mark.parametrize("name", STEPS)
def test_jacobian_is_that_of_finite_differences(name):
    cell, d, h = d2l.CELLS[name], 2, 3
    params, X = params_of(name, d, h), paddle.randn([1, d], dtype="float64")
    state = tuple(paddle.randn([1, h], dtype="float64") for _ in cell.state_names)
    J = step_jacobian(cell.step, X, state, params)
    count = h * len(state)
    assert J.shape == (count, count)

    def new(flat):
        parts = [paddle.to_tensor(part[None]) for part in np.split(flat, len(state))]
        return np.concatenate([z.numpy()[0] for z in cell.step(X, parts, params)])

    flat = np.concatenate([z.numpy()[0] for z in state])
    for i in range(count):
        nudge = 1e-6 * np.eye(count)[i]
        row = (new(flat + nudge) - new(flat - nudge)) / 2e-6
        assert np.allclose(J[i], row, atol=1e-8)


def test_jacobian_of_a_function_with_another_number_of_results():
    x = paddle.to_tensor([[1.0, 2.0, 3.0]], "float64")
    J = jacobian(lambda z: paddle.stack([z[:, 0] * z[:, 1], z[:, 2] ** 2], 1), x)
    assert np.allclose(J.numpy(), [[2, 0], [1, 0], [0, 6]])
    for constant in (
        lambda z: paddle.ones([len(z), 2], "float64"),
        lambda z: x.detach().tile([len(z), 1]),
    ):
        assert not jacobian(constant, x).numpy().any()
    with pytest.raises(ValueError, match="x has 2 rows"):
        jacobian(lambda z: z, paddle.ones([2, 3]))


def test_jacobian_of_the_rnn_is_the_formula():
    params, X = params_of("rnn", 2, 4), paddle.randn([1, 2], dtype="float64")
    state = (paddle.randn([1, 4], dtype="float64"),)
    (H,) = d2l.rnn_step(X, state, params)
    formula = params[1].numpy() * (1 - H.numpy() ** 2)  # W_hh diag(1 - H^2)
    assert np.allclose(step_jacobian(d2l.rnn_step, X, state, params), formula)


def test_cell_by_cell_is_the_forget_gate_where_gates_do_not_see_the_state():
    params, X = params_of("lstm", 2, 3), paddle.randn([1, 2], dtype="float64")
    for k in (1, 4, 7, 10):
        params[k] *= 0
    state = tuple(paddle.randn([1, 3], dtype="float64") for _ in "HC")
    J = step_jacobian(d2l.lstm_step, X, state, params)
    F = paddle.nn.functional.sigmoid(X @ params[3] + params[5]).numpy()[0]
    assert np.allclose(J[3:, 3:], np.diag(F))
    assert (J[:3] == 0).all()  # nothing depends on the old H


def test_a_state_that_is_not_used_has_no_derivative():
    J = step_jacobian(lambda X, s, p: (s[0] + X, s[0]), *one_step(2), [])
    assert np.allclose(J, [[1, 0, 1, 0], [0, 1, 0, 1], [0] * 4, [0] * 4])


def one_step(h):
    return paddle.ones([1, h]), (paddle.ones([1, h]), paddle.ones([1, h]))


def test_a_jacobian_is_of_one_example():
    state = (paddle.ones([2, 3]),)
    with pytest.raises(ValueError, match="has 2 examples; a Jacobian is that of one"):
        step_jacobian(d2l.rnn_step, paddle.ones([2, 2]), state, [])


# Matrices and their powers


def test_radius_and_norm_of_matrices_by_hand():
    shear = [[0.9, 5.0], [0.0, 0.9]]
    turn = [[0.0, -2.0], [2.0, 0.0]]
    assert spectral_radius(shear) == pytest.approx(0.9)
    assert spectral_norm(shear) > 5
    assert spectral_radius(turn) == pytest.approx(2)
    assert spectral_norm(turn) == pytest.approx(2)
    assert spectral_norm([[3.0, 0.0], [0.0, -4.0]]) == pytest.approx(4)


def test_a_matrix_is_given_a_radius():
    matrix = np.random.default_rng(0).normal(size=(20, 20))
    scaled = with_radius(matrix, 1.5)
    assert spectral_radius(scaled) == pytest.approx(1.5)
    assert np.allclose(scaled / scaled[0, 0], matrix / matrix[0, 0])
    with pytest.raises(ValueError, match="no eigenvalue but 0"):
        with_radius([[0, 1], [0, 0]], 1)


def test_norms_of_powers_are_those_of_the_powers():
    W = np.array([[0.9, 5.0], [0.0, 0.9]])
    powers = [np.linalg.matrix_power(W, k) for k in range(1, 40)]
    expected = [spectral_norm(power) for power in powers]
    assert np.allclose(np.exp(log_product_norms([W] * 39)), expected)
    assert max(expected) > 19 > expected[0] > expected[-1]  # up before down


def test_products_are_taken_in_order():
    A, B = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 0.0]])
    assert log_product_norms([A, B])[1] == -math.inf
    assert log_product_norms([B, A])[1] == pytest.approx(0)


def test_neither_underflow_nor_overflow_in_long_products():
    for factor in (1e-9, 1e9):
        logs = log_product_norms([factor * np.eye(2)] * 500)
        assert np.allclose(logs, math.log(factor) * np.arange(1, 501))


def test_a_product_of_zero_stays_zero():
    logs = log_product_norms([np.eye(2), np.zeros((2, 2)), np.eye(2)])
    assert list(logs) == [0, -math.inf, -math.inf]


# Rates


def test_an_exact_decay_is_found():
    decay = fit_decay(math.log(3) + math.log(0.8) * np.arange(30))
    assert decay.factor == pytest.approx(0.8)
    assert decay.straight == pytest.approx(1)
    assert decay.used == 30
    assert decay.length == pytest.approx(-1 / math.log(0.8))


def test_growth_has_no_length():
    decay = fit_decay(0.1 * np.arange(9))
    assert decay.factor == pytest.approx(math.exp(0.1)) and decay.length == math.inf
    assert fit_decay(np.zeros(9)).length == math.inf


def test_the_first_distances_can_be_left_out():
    logs = -0.5 * np.arange(30)
    logs[:4] = 7
    assert fit_decay(logs, first=4).slope == pytest.approx(-0.5)
    assert fit_decay(logs).slope != pytest.approx(-0.5, abs=0.01)


def test_what_underflowed_is_not_used():
    norms = (0.1 ** np.arange(60)).astype("float32")  # 0 from 1e-46 on
    with np.errstate(divide="ignore"):
        decay = fit_decay(np.log(norms), floor=math.log(1e-38))
    assert decay.used == 38 and decay.factor == pytest.approx(0.1, rel=1e-4)
    with np.errstate(divide="ignore"):
        assert fit_decay(np.log(norms)).factor != pytest.approx(0.1, rel=1e-4)


def test_a_power_law_is_not_straight():
    assert fit_decay(-3 * np.log(np.arange(1, 100))).straight < 0.9


def test_too_few_distances_are_refused():
    with pytest.raises(ValueError, match="2 distances are above the floor"):
        fit_decay([-1, -2, -math.inf, -1])
    with pytest.raises(ValueError, match="not a number or infinite"):
        fit_decay([0, math.nan, 1, 2])
