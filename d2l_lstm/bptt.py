r"""Backpropagation through time, by hand: the gradients of the recurrent cells.

What `loss.backward()` works out is written down here as equations, one function a cell.
Each takes what the forward pass took, and the values that it went through:

    saved = trace("lstm", inputs, state, [*params, None, None])
    gradients = lstm_backward(inputs, state, params, saved, dH, d_last)
    d_inputs, d_state, d_params = gradients

and returns the gradients in the order of the arguments. `dZ` is the derivative of the
loss with respect to Z, and has the shape of Z. With T steps, n examples, d inputs, h
hidden units:

    inputs   (T, n, d)
    state    a tuple of (n, h), H first: what the sequence starts from
    params   the parameters of the step, without those of the output layer
    saved    name to (T, n, h): what `cells.trace` returns for this cell
    dH       (T, n, h): what arrives at each H_t from outside of the cell, as a rule
             from the output layer
    d_last   a tuple of (n, h): what arrives at the last state from later steps; zeros
             if nothing does

`dA["i"]`, (T, n, h), belongs to the sum X W_xi + H' W_hi + b_i of the input gate,
before the sigmoid, and so for the other layers.

Everything runs on Paddle's tensors, without autograd, and on NumPy's arrays. The cells'
own code stays their definition; these functions are held to it by tests.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it"; for
the LSTM Graves & Schmidhuber 2005, with peepholes Greff et al. 2015, appendix A.
"""

from __future__ import annotations

import numpy as np
import paddle

from .cells.functions import tanh


def stack(arrays):
    """Arrays of one shape, NumPy's or Paddle's, along a new first axis."""
    kind = np if isinstance(arrays[0], np.ndarray) else paddle
    return kind.stack(arrays)


def unpack(values: dict, names: str) -> list:
    """The values of these names, separated by spaces.

    Raises:
        ValueError: if one is missing.
    """
    missing = [name for name in names.split() if name not in values]
    if missing:
        raise ValueError(
            f"the saved values have no {', '.join(missing)}; give what trace returns "
            "for the same cell."
        )
    return [values[name] for name in names.split()]


def before(saved, state, name: str):
    """H or C as each step finds it, (T, n, h): one step earlier than in `saved`."""
    return stack([state["HC".index(name)], *saved[name]][:-1])


# --------------------------------------------------------------------------------------
# The loss and the output layer


def cross_entropy_backward(P, Y):
    """The gradient of the mean cross-entropy with respect to the scores.

    Args:
        P: (T * n, q), probabilities, the softmax of the scores.
        Y: (T * n, q), the right tokens, one-hot.

    Returns:
        dS, (T * n, q); each row adds up to 0.
    """
    return (P - Y) / len(P)


def output_backward(dS, H, W_hq):
    """The gradients of the output layer, S = H W_hq + b_q.

    Args:
        dS: (T * n, q).
        H: (T * n, h), hidden states in the order of the scores.
        W_hq: (h, q).

    Returns:
        dH (T * n, h), dW_hq (h, q) and db_q (q,).
    """
    return dS @ W_hq.T, H.T @ dS, dS.sum(0)


# --------------------------------------------------------------------------------------
# Layers and time


def layer_gradients(X, H, dA):
    """The gradients of the parameters of a layer, A = X W_x + H W_h + b at every step.

    Sums over all steps and examples of outer products, which is one matrix product.

    Args:
        X, H: (T, n, d) and (T, n, h), what the layer sees.
        dA: (T, n, h).

    Returns:
        dW_x (d, h), dW_h (h, h) and db (h,).
    """
    X, H, dA = (Z.reshape((-1, Z.shape[-1])) for Z in (X, H, dA))  # (T * n, ...)
    return X.T @ dA, H.T @ dA, dA.sum(0)


def backward_in_time(step_backward, state, params, saved, dH, d_last):
    """From the last step to the first: the loop of `unroll`, turned round.

    Args:
        step_backward: (d_state, state before, params, saved values of the step) to the
            gradient of the state before, and the step's dA, a dict.
        state, params, saved, dH, d_last: see the module.

    Returns:
        The gradient of `state`, and name of a layer to dA (T, n, h).
    """
    d_state, errors = d_last, []
    for t in reversed(range(len(dH))):
        now = {name: values[t] for name, values in saved.items()}
        old = [saved[name][t - 1] for name in "HC"[: len(state)]] if t > 0 else state
        d_state = d_state[0] + dH[t], *d_state[1:]
        d_state, dA = step_backward(d_state, old, params, now)
        errors.append(dA)
    return d_state, {name: stack([dA[name] for dA in errors[::-1]]) for name in dA}


# --------------------------------------------------------------------------------------
# The LSTM and its variants


def lstm_step_backward(d_state, state, params, now):
    """One step of `lstm_step`, backwards; see `backward_in_time`."""
    W_hi, W_hf, W_ho, W_hc = params[1:12:3]
    (dH, dC), (_, C_prev) = d_state, state
    I, F, O, C_tilde, C = unpack(now, "I F O C_tilde C")
    tanh_C = tanh(C)
    dA_o = dH * tanh_C * O * (1 - O)
    dC = dC + dH * O * (1 - tanh_C * tanh_C)
    dA_i = dC * C_tilde * I * (1 - I)
    dA_f = dC * C_prev * F * (1 - F)
    dA_c = dC * I * (1 - C_tilde * C_tilde)
    dH_prev = dA_i @ W_hi.T + dA_f @ W_hf.T + dA_o @ W_ho.T + dA_c @ W_hc.T
    dC_prev = dC * F
    return (dH_prev, dC_prev), {"i": dA_i, "f": dA_f, "o": dA_o, "c": dA_c}


def lstm_backward(
    inputs, state, params, saved, dH, d_last, step_backward=lstm_step_backward
):
    """The gradients of an LSTM over a sequence; arguments as in the module.

    Args:
        step_backward: another step, to see what another gradient does.

    Returns:
        d_inputs (T, n, d); the gradient of the state, two of (n, h); and that of the
        twelve parameters, a list in their order.
    """
    d_state, dA = backward_in_time(step_backward, state, params, saved, dH, d_last)
    H_prev = before(saved, state, "H")
    d_params = [g for k in "ifoc" for g in layer_gradients(inputs, H_prev, dA[k])]
    d_inputs = sum(dA[k] @ W_x.T for k, W_x in zip("ifoc", params[:12:3]))
    return d_inputs, d_state, d_params


def peephole_step_backward(d_state, state, params, now):
    """One step of `peephole_step`, backwards; see `backward_in_time`."""
    W_hi, W_hf, W_ho, W_hc = params[1:12:3]
    p_i, p_f, p_o = params[12:]
    (dH, dC), (_, C_prev) = d_state, state
    I, F, O, C_tilde, C = unpack(now, "I F O C_tilde C")
    tanh_C = tanh(C)
    dA_o = dH * tanh_C * O * (1 - O)
    dC = dC + dH * O * (1 - tanh_C * tanh_C) + dA_o * p_o
    dA_i = dC * C_tilde * I * (1 - I)
    dA_f = dC * C_prev * F * (1 - F)
    dA_c = dC * I * (1 - C_tilde * C_tilde)
    dH_prev = dA_i @ W_hi.T + dA_f @ W_hf.T + dA_o @ W_ho.T + dA_c @ W_hc.T
    dC_prev = dC * F + dA_i * p_i + dA_f * p_f
    return (dH_prev, dC_prev), {"i": dA_i, "f": dA_f, "o": dA_o, "c": dA_c}


def peephole_backward(inputs, state, params, saved, dH, d_last):
    """The gradients of an LSTM with three peepholes; arguments as in the module.

    Returns:
        d_inputs (T, n, d); the gradient of the state, two of (n, h); and that of the
        fifteen parameters, a list in their order.
    """
    d_state, dA = backward_in_time(
        peephole_step_backward, state, params, saved, dH, d_last
    )
    H_prev, C_prev = before(saved, state, "H"), before(saved, state, "C")
    d_params = [g for k in "ifoc" for g in layer_gradients(inputs, H_prev, dA[k])]
    seen = {"i": C_prev, "f": C_prev, "o": saved["C"]}
    d_params += [(dA[k] * C).sum((0, 1)) for k, C in seen.items()]
    d_inputs = sum(dA[k] @ W_x.T for k, W_x in zip("ifoc", params[:12:3]))
    return d_inputs, d_state, d_params


def cifg_step_backward(d_state, state, params, now):
    """One step of `cifg_step`, backwards; see `backward_in_time`."""
    W_hi, W_ho, W_hc = params[1:9:3]
    (dH, dC), (_, C_prev) = d_state, state
    I, O, C_tilde, C = unpack(now, "I O C_tilde C")
    tanh_C = tanh(C)
    dA_o = dH * tanh_C * O * (1 - O)
    dC = dC + dH * O * (1 - tanh_C * tanh_C)
    dA_i = dC * (C_tilde - C_prev) * I * (1 - I)
    dA_c = dC * I * (1 - C_tilde * C_tilde)
    dH_prev = dA_i @ W_hi.T + dA_o @ W_ho.T + dA_c @ W_hc.T
    dC_prev = dC * (1 - I)
    return (dH_prev, dC_prev), {"i": dA_i, "o": dA_o, "c": dA_c}


def cifg_backward(inputs, state, params, saved, dH, d_last):
    """The gradients of an LSTM with coupled gates; arguments as in the module.

    Returns:
        d_inputs (T, n, d); the gradient of the state, two of (n, h); and that of the
        nine parameters, a list in their order.
    """
    d_state, dA = backward_in_time(cifg_step_backward, state, params, saved, dH, d_last)
    H_prev = before(saved, state, "H")
    d_params = [g for k in "ioc" for g in layer_gradients(inputs, H_prev, dA[k])]
    d_inputs = sum(dA[k] @ W_x.T for k, W_x in zip("ioc", params[:9:3]))
    return d_inputs, d_state, d_params


# --------------------------------------------------------------------------------------
# The two GRUs


def gru_step_backward(d_state, state, params, now):
    """One step of `gru_step`, backwards; see `backward_in_time`."""
    W_hz, W_hr, W_hh = params[1:9:3]
    (dH,), (H_prev,) = d_state, state
    Z, R, H_tilde = unpack(now, "Z R H_tilde")
    dA_z = dH * (H_prev - H_tilde) * Z * (1 - Z)
    dA_h = dH * (1 - Z) * (1 - H_tilde * H_tilde)
    dRH = dA_h @ W_hh.T  # of R * H_prev
    dA_r = dRH * H_prev * R * (1 - R)
    dH_prev = dH * Z + dRH * R + dA_r @ W_hr.T + dA_z @ W_hz.T
    return (dH_prev,), {"z": dA_z, "r": dA_r, "h": dA_h}


def gru_backward(inputs, state, params, saved, dH, d_last):
    """The gradients of the book's GRU, reset before; arguments as in the module.

    Returns:
        d_inputs (T, n, d); the gradient of the state, one of (n, h); and that of the
        nine parameters, a list in their order.
    """
    d_state, dA = backward_in_time(gru_step_backward, state, params, saved, dH, d_last)
    H_prev = before(saved, state, "H")
    seen = {"z": H_prev, "r": H_prev, "h": saved["R"] * H_prev}
    d_params = [g for k in "zrh" for g in layer_gradients(inputs, seen[k], dA[k])]
    d_inputs = sum(dA[k] @ W_x.T for k, W_x in zip("zrh", params[:9:3]))
    return d_inputs, d_state, d_params


def gru_reset_after_step_backward(d_state, state, params, now):
    """One step of `gru_reset_after_step`, backwards; see `backward_in_time`."""
    W_hz, W_hr, W_hh = params[1:9:3]
    (dH,), (H_prev,), c_h = d_state, state, params[9]
    Z, R, H_tilde = unpack(now, "Z R H_tilde")
    dA_z = dH * (H_prev - H_tilde) * Z * (1 - Z)
    dA_h = dH * (1 - Z) * (1 - H_tilde * H_tilde)
    dA_r = dA_h * (H_prev @ W_hh + c_h) * R * (1 - R)
    dU = dA_h * R  # of U = H_prev @ W_hh + c_h
    dH_prev = dH * Z + dU @ W_hh.T + dA_r @ W_hr.T + dA_z @ W_hz.T
    return (dH_prev,), {"z": dA_z, "r": dA_r, "h": dA_h, "u": dU}


def gru_reset_after_backward(inputs, state, params, saved, dH, d_last):
    """The gradients of Paddle's GRU, reset after; arguments as in the module.

    Returns:
        d_inputs (T, n, d); the gradient of the state, one of (n, h); and that of the
        ten parameters, a list in their order.
    """
    d_state, dA = backward_in_time(
        gru_reset_after_step_backward, state, params, saved, dH, d_last
    )
    H_prev = before(saved, state, "H")
    d_params = [g for k in "zrh" for g in layer_gradients(inputs, H_prev, dA[k])]
    _, d_params[7], dc_h = layer_gradients(inputs, H_prev, dA["u"])  # dW_hh, dc_h
    d_inputs = sum(dA[k] @ W_x.T for k, W_x in zip("zrh", params[:9:3]))
    return d_inputs, d_state, [*d_params, dc_h]


# Name in `CELLS` to its backward pass.
BACKWARD = {
    "lstm": lstm_backward,
    "peephole": peephole_backward,
    "cifg": cifg_backward,
    "gru": gru_backward,
    "gru_reset_after": gru_reset_after_backward,
}
