"""Variants of the LSTM: peephole connections, coupled gates, other activations.

Shapes as in `cells.core`; the peephole weights p_i, p_f and p_o are vectors, (h,).
"""

from __future__ import annotations

from .core import define, gates
from .functions import hard_sigmoid, relu, sigmoid, tanh


def peephole_step(X, state, params):
    """An LSTM whose gates also see the cell, each unit its own.

    The input and forget gates see the cell as it was, C'; the output gate sees the
    cell as it has just become, C.

    Source: Gers & Schmidhuber 2000, "Recurrent nets that time and count".
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params[:12]
    p_i, p_f, p_o = params[12:]
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    H = O * tanh(C)
    return H, C


def peephole_i_step(X, state, params):
    """An LSTM whose input gate, alone, sees the cell as it was.

    Source: as `peephole_step`, two of its three peepholes left out.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c, p_i = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C


def peephole_f_step(X, state, params):
    """An LSTM whose forget gate, alone, sees the cell as it was.

    Source: as `peephole_step`, two of its three peepholes left out.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c, p_f = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C


def peephole_o_step(X, state, params):
    """An LSTM whose output gate, alone, sees the cell as it has just become.

    Source: as `peephole_step`, two of its three peepholes left out.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c, p_o = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    H = O * tanh(C)
    return H, C


def cifg_step(X, state, params):
    """An LSTM that forgets as much as it takes in: F = 1 - I.

    Source: Greff et al. 2015, "LSTM: a search space odyssey", variant CIFG.
    """
    W_xi, W_hi, b_i, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = (1 - I) * C + I * C_tilde
    H = O * tanh(C)
    return H, C


def peephole_cifg_step(X, state, params):
    """Coupled gates that also see the cell.

    Source: Greff et al. 2015: CIFG is a change to the LSTM with peepholes.
    """
    W_xi, W_hi, b_i, W_xo, W_ho, b_o, W_xc, W_hc, b_c, p_i, p_o = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = (1 - I) * C + I * C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    H = O * tanh(C)
    return H, C


def lstm_relu_gates_step(X, state, params):
    """An LSTM whose gates are ramps, max(0, a): never below 0, with no upper end.

    Source: none; the question is whether a gate has to saturate.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = relu(X @ W_xi + H @ W_hi + b_i)
    F = relu(X @ W_xf + H @ W_hf + b_f)
    O = relu(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C


def lstm_hard_sigmoid_step(X, state, params):
    """An LSTM whose gates are three straight lines: 0.2 a + 0.5 between 0 and 1.

    Source: ONNX, operator LSTM with HardSigmoid at its own alpha and beta.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = hard_sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = hard_sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = hard_sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C


def lstm_sigmoid_candidate_step(X, state, params):
    """An LSTM whose candidate is a sigmoid: it can only ever push the cell up.

    Source: none; the question is what tanh is good for there.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = sigmoid(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C


# Peephole weights start at 0: the cell starts as the LSTM with the same random numbers.
_LSTM = gates("ifoc")
get_peephole_params, init_peephole_state, peephole = define(
    "peephole", peephole_step, f"{_LSTM} p_i p_f p_o", "H C"
).functions
define("peephole_i", peephole_i_step, f"{_LSTM} p_i", "H C")
define("peephole_f", peephole_f_step, f"{_LSTM} p_f", "H C")
define("peephole_o", peephole_o_step, f"{_LSTM} p_o", "H C")
get_cifg_params, init_cifg_state, cifg = define(
    "cifg", cifg_step, gates("ioc"), "H C"
).functions
get_peephole_cifg_params, init_peephole_cifg_state, peephole_cifg = define(
    "peephole_cifg", peephole_cifg_step, gates("ioc") + " p_i p_o", "H C"
).functions
define("lstm_relu_gates", lstm_relu_gates_step, _LSTM, "H C")
define("lstm_hard_sigmoid", lstm_hard_sigmoid_step, _LSTM, "H C")
define("lstm_sigmoid_candidate", lstm_sigmoid_candidate_step, _LSTM, "H C")
