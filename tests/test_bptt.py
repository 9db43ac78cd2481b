"""Backward passes by hand, held to autograd and to finite differences."""

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import bptt
from d2l_lstm.bptt import BACKWARD
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

each_cell = pytest.mark.parametrize("cell", list(BACKWARD))
shapes = st.tuples(*(st.integers(1, top) for top in (6, 4, 5, 5)))  # T, n, d, h


def drawn(cell, shape, seed):
    """Random inputs, states, parameters and arriving gradients, float64."""
    T, n, d, h = shape
    draw = np.random.default_rng(seed)
    names = d2l.CELLS[cell].param_names[:-2]
    params = [
        draw.normal(0, 0.8, d2l.cells.param_shape(name, d, h, 1)) for name in names
    ]
    states = len(d2l.CELLS[cell].state_names)
    state, d_last = draw.normal(size=(2, states, n, h))
    dH = draw.normal(size=(T, n, h))
    return draw.normal(size=(T, n, d)), tuple(state), params, dH, tuple(d_last)


def tensors(arrays, gradient=False):
    made = [paddle.to_tensor(np.array(a)) for a in arrays]
    for tensor in made:
        tensor.stop_gradient = not gradient
    return made


def run(cell, inputs, state, params, dH, d_last):
    """The saved values, and a loss whose gradients arrive as dH and d_last."""
    saved = d2l.trace(cell, inputs, tuple(state), [*params, None, None])
    loss = (saved["H"] * dH).sum()
    for name, d in zip("HC", d_last):
        loss = loss + (saved[name][-1] * d).sum()
    return saved, loss


def both(cell, shape, seed):
    """Gradients by hand and by autograd, flat lists of tensors."""
    inputs, state, params, dH, d_last = drawn(cell, shape, seed)
    leaves = tensors([inputs, *state, *params], gradient=True)
    X, S, P = leaves[0], leaves[1 : 1 + len(state)], leaves[1 + len(state) :]
    (dH,), d_last = tensors([dH]), tensors(d_last)
    saved, loss = run(cell, X, S, P, dH, d_last)
    by_autograd = paddle.grad(loss, leaves)
    with paddle.no_grad():
        d_inputs, d_state, d_params = BACKWARD[cell](X, S, P, saved, dH, d_last)
    return [d_inputs, *d_state, *d_params], by_autograd


@each_cell
@settings(max_examples=25, deadline=None)
@given(shape=shapes, seed=st.integers(0, 10**6))
def test_every_gradient_equals_autograds(cell, shape, seed):
    ours, theirs = both(cell, shape, seed)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape
        scale = max(1, float(b.abs().max()))
        assert float((a - b).abs().max()) <= 1e-10 * scale


@each_cell
def test_gradients_equal_finite_differences(cell):
    """Nothing of Paddle's autograd is in this one."""
    inputs, state, params, dH, d_last = drawn(cell, (4, 2, 3, 3), 1)
    flat = [inputs, *state, *params]
    cuts = np.cumsum([a.size for a in flat])[:-1]

    def parts(x):
        arrays = [piece.reshape(a.shape) for piece, a in zip(np.split(x, cuts), flat)]
        return arrays[0], arrays[1 : 1 + len(state)], arrays[1 + len(state) :]

    def forward(x):
        X, S, P = parts(x)
        (X,), S, P = tensors([X]), tensors(S), tensors(P)
        saved, loss = run(cell, X, S, P, *tensors([dH]), tensors(d_last))
        return saved, float(loss)

    def gradient(x):
        X, S, P = parts(x)
        saved = {name: v.numpy() for name, v in forward(x)[0].items()}
        d_inputs, d_state, d_params = BACKWARD[cell](X, S, P, saved, dH, d_last)
        return np.concatenate([g.ravel() for g in (d_inputs, *d_state, *d_params)])

    x = np.concatenate([a.ravel() for a in flat])
    size = np.linalg.norm(gradient(x))
    assert check_grad(lambda x: forward(x)[1], gradient, x) < 1e-6 * size


@each_cell
def test_numpy_and_paddle_give_the_same(cell):
    inputs, state, params, dH, d_last = drawn(cell, (5, 3, 2, 4), 2)
    (X,), S, P = tensors([inputs]), tensors(state), tensors(params)
    saved = d2l.trace(cell, X, tuple(S), [*P, None, None])
    by_paddle = BACKWARD[cell](X, S, P, saved, *tensors([dH]), tensors(d_last))
    arrays = {name: values.numpy() for name, values in saved.items()}
    by_numpy = BACKWARD[cell](inputs, state, params, arrays, dH, d_last)
    for a, b in zip(paddle.utils.flatten(by_paddle), paddle.utils.flatten(by_numpy)):
        assert isinstance(b, np.ndarray)
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-12, atol=1e-12)


@each_cell
def test_gradients_are_returned_in_the_order_of_the_parameters(cell):
    inputs, state, params, dH, d_last = drawn(cell, (2, 3, 4, 5), 3)
    (X,), S, P = tensors([inputs]), tensors(state), tensors(params)
    saved = d2l.trace(cell, X, tuple(S), [*P, None, None])
    *_, d_params = BACKWARD[cell](X, S, P, saved, *tensors([dH]), tensors(d_last))
    assert [g.shape for g in d_params] == [p.shape for p in P]


def test_pieces_of_a_sequence_hand_on_their_gradients():
    """What the second half gives its start arrives at the end of the first half."""
    inputs, state, params, dH, d_last = drawn("lstm", (6, 2, 3, 4), 4)
    (X,), S, P = tensors([inputs]), tensors(state), tensors(params)
    saved = d2l.trace("lstm", X, tuple(S), [*P, None, None])
    saved = {name: values.numpy() for name, values in saved.items()}
    whole = bptt.lstm_backward(inputs, state, params, saved, dH, d_last)
    first = {name: values[:3] for name, values in saved.items()}
    second = {name: values[3:] for name, values in saved.items()}
    middle = saved["H"][2], saved["C"][2]
    b = bptt.lstm_backward(inputs[3:], middle, params, second, dH[3:], d_last)
    a = bptt.lstm_backward(inputs[:3], state, params, first, dH[:3], b[1])
    np.testing.assert_allclose(np.concatenate([a[0], b[0]]), whole[0], atol=1e-13)
    for k in range(12):
        np.testing.assert_allclose(a[2][k] + b[2][k], whole[2][k], atol=1e-13)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(2, 5), st.integers(0, 10**6))
def test_output_layer_and_loss_equal_autograds(rows, h, q, seed):
    draw = np.random.default_rng(seed)
    H, W_hq, b_q = leaves = tensors(
        [draw.normal(size=s) for s in ((rows, h), (h, q), (q,))], gradient=True
    )
    labels = paddle.to_tensor(draw.integers(0, q, rows))
    S = H @ W_hq + b_q
    S.stop_gradient = False
    loss = paddle.nn.functional.cross_entropy(S, labels)
    right = paddle.grad(loss, [S, *leaves])
    Y = paddle.nn.functional.one_hot(labels, q).astype("float64")
    with paddle.no_grad():
        dS = bptt.cross_entropy_backward(paddle.nn.functional.softmax(S), Y)
        ours = [dS, *bptt.output_backward(dS, H, W_hq)]
    assert float(dS.sum(-1).abs().max()) < 1e-12
    for a, b in zip(ours, right):
        assert a.shape == b.shape and float((a - b).abs().max()) <= 1e-10


def test_values_of_another_cell_are_refused():
    inputs, state, params, dH, d_last = drawn("lstm", (2, 1, 1, 1), 5)
    saved = {name: dH for name in ("I", "O", "C_tilde", "C", "H")}
    with pytest.raises(ValueError, match="have no F; give what trace returns"):
        bptt.lstm_backward(inputs, state, params, saved, dH, d_last)


def test_what_goes_in_is_not_changed():
    inputs, state, params, dH, d_last = drawn("peephole", (3, 2, 2, 2), 6)
    (X,), S, P = tensors([inputs]), tensors(state), tensors(params)
    saved = d2l.trace("peephole", X, tuple(S), [*P, None, None])
    saved = {name: values.numpy() for name, values in saved.items()}
    given = [inputs, *state, *params, *saved.values(), dH, *d_last]
    copies = [array.copy() for array in given]
    bptt.peephole_backward(inputs, state, params, saved, dH, d_last)
    assert all((a == b).all() for a, b in zip(given, copies))


def test_another_step_may_be_given():
    inputs, state, params, dH, d_last = drawn("lstm", (3, 2, 2, 2), 7)
    (X,), S, P = tensors([inputs]), tensors(state), tensors(params)
    saved = d2l.trace("lstm", X, tuple(S), [*P, None, None])
    saved = {name: values.numpy() for name, values in saved.items()}

    def forgotten(d_state, state, params, now):
        (dH, dC), dA = bptt.lstm_step_backward(d_state, state, params, now)
        return (0 * dH, 0 * dC), dA

    *_, right = bptt.lstm_backward(inputs, state, params, saved, dH, d_last)
    found = bptt.lstm_backward(inputs, state, params, saved, dH, d_last, forgotten)
    assert all((part == 0).all() for part in found[1])
    assert not np.allclose(found[2][0], right[0])
