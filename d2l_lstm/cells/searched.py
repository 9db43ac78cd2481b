"""The search space: what was left out of an LSTM, found by machines, or came after it.

Shapes as in `cells.core`, unless a cell says otherwise. A prime, as in C', marks what
was there before the step.
"""

from __future__ import annotations

import numpy as np
import paddle

from .core import define, gates, param_shape
from .functions import choose, exp, joined, log_sigmoid, maximum, sigmoid, tanh

# --------------------------------------------------------------------------------------
# One thing at a time left out of the LSTM with peepholes (Greff et al.)


def nig_step(X, state, params):
    """An LSTM with peepholes and no input gate: I = 1.

    Source: Greff et al. 2015, "LSTM: a search space odyssey", variant NIG.
    """
    W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c, p_f, p_o = params
    H, C = state
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    H = O * tanh(C)
    return H, C


def nfg_step(X, state, params):
    """An LSTM with peepholes and no forget gate: F = 1.

    Source: Greff et al. 2015, variant NFG.
    """
    W_xi, W_hi, b_i, W_xo, W_ho, b_o, W_xc, W_hc, b_c, p_i, p_o = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = C + I * C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    H = O * tanh(C)
    return H, C


def nog_step(X, state, params):
    """An LSTM with peepholes and no output gate: O = 1.

    Source: Greff et al. 2015, variant NOG.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xc, W_hc, b_c, p_i, p_f = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = tanh(C)
    return H, C


def niaf_step(X, state, params):
    """An LSTM with peepholes whose candidate goes through no tanh.

    Source: Greff et al. 2015, variant NIAF (no input activation function).
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params[:12]
    p_i, p_f, p_o = params[12:]
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    C_tilde = X @ W_xc + H @ W_hc + b_c
    C = F * C + I * C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    H = O * tanh(C)
    return H, C


def noaf_step(X, state, params):
    """An LSTM with peepholes whose cell goes out through no tanh.

    Source: Greff et al. 2015, variant NOAF (no output activation function).
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params[:12]
    p_i, p_f, p_o = params[12:]
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
    H = O * C
    return H, C


def fgr_step(X, state, params):
    """An LSTM with peepholes whose gates also see all gates of the step before.

    Nine more matrices (h, h): W_fi leads from the forget gate, as it was, to the input
    gate, and so on. The gates are part of the state.

    Source: Greff et al. 2015, variant FGR (full gate recurrence).
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params[:12]
    p_i, p_f, p_o, W_ii, W_fi, W_oi, W_if, W_ff, W_of, W_io, W_fo, W_oo = params[12:]
    H, C, I_old, F_old, O_old = state
    seen_i = I_old @ W_ii + F_old @ W_fi + O_old @ W_oi
    seen_f = I_old @ W_if + F_old @ W_ff + O_old @ W_of
    seen_o = I_old @ W_io + F_old @ W_fo + O_old @ W_oo
    I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + seen_i + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + seen_f + b_f)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + seen_o + b_o)
    H = O * tanh(C)
    return H, C, I, F, O


def lstm_1997_step(X, state, params):
    """The first LSTM: nothing is ever forgotten, C = C' + I*C~.

    Source: Hochreiter & Schmidhuber 1997, "Long short-term memory". (Their cells came
    in blocks that shared gates, and squashed with scaled sigmoids; here as elsewhere
    every unit has gates of its own, and tanh.)
    """
    W_xi, W_hi, b_i, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = C + I * C_tilde
    H = O * tanh(C)
    return H, C


def janet_step(X, state, params):
    """An LSTM of which only the forget gate is left; the cell is the hidden state.

    C = F*C' + (1 - F_less)*C~, where F_less is the forget gate at its argument less 1,
    so that a little more is taken in than is forgotten.

    Source: van der Westhuizen & Lasenby 2018, "The unreasonable effectiveness of the
    forget gate", with beta = 1.
    """
    W_xf, W_hf, b_f, W_xc, W_hc, b_c = params
    (H,) = state
    A = X @ W_xf + H @ W_hf + b_f
    F, F_less = sigmoid(A), sigmoid(A - 1)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    H = F * H + (1 - F_less) * C_tilde
    return (H,)


# --------------------------------------------------------------------------------------
# Found by a search over ten thousand cells (Jozefowicz et al.)


def mut1_step(X, state, params):
    """A GRU whose update gate sees the input only; its candidate adds tanh(X).

    The paper adds X itself, which needs d = h; here W_xe (d, h) leads there.

    Source: Jozefowicz, Zaremba & Sutskever 2015, "An empirical exploration of recurrent
    network architectures", MUT1. Its Z is the share of the new.
    """
    W_xz, b_z, W_xr, W_hr, b_r, W_xe, W_hh, b_h = params
    (H,) = state
    Z = sigmoid(X @ W_xz + b_z)
    R = sigmoid(X @ W_xr + H @ W_hr + b_r)
    H_tilde = tanh((R * H) @ W_hh + tanh(X @ W_xe) + b_h)
    H = Z * H_tilde + (1 - Z) * H
    return (H,)


def mut2_step(X, state, params):
    """A GRU whose reset gate adds the input as it is.

    The paper adds X itself, which needs d = h; here W_xe (d, h) leads there.

    Source: Jozefowicz et al. 2015, MUT2. Its Z is the share of the new.
    """
    W_xz, W_hz, b_z, W_xe, W_hr, b_r, W_xh, W_hh, b_h = params
    (H,) = state
    Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
    R = sigmoid(X @ W_xe + H @ W_hr + b_r)
    H_tilde = tanh(X @ W_xh + (R * H) @ W_hh + b_h)
    H = Z * H_tilde + (1 - Z) * H
    return (H,)


def mut3_step(X, state, params):
    """A GRU whose update gate sees tanh(H') where a GRU's sees H'.

    Source: Jozefowicz et al. 2015, MUT3. Its Z is the share of the new.
    """
    W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h = params
    (H,) = state
    Z = sigmoid(X @ W_xz + tanh(H) @ W_hz + b_z)
    R = sigmoid(X @ W_xr + H @ W_hr + b_r)
    H_tilde = tanh(X @ W_xh + (R * H) @ W_hh + b_h)
    H = Z * H_tilde + (1 - Z) * H
    return (H,)


# --------------------------------------------------------------------------------------
# More than one clock, more than one layer


def depth_gated_step(X, state, params):
    """Two layers of LSTMs; through a gate D the lower cell feeds the upper.

    C = F*C' + I*C~ + D*C_below in the upper layer, where C_below is the lower layer's
    cell of the same step. The gate sees the upper layer's input and, by the vectors p_d
    and p_b, its cell as it was and the cell below. W_b... (h, h) lead from the lower
    layer to the upper, W_u... (h, h) from the upper layer to itself.

    Source: Yao et al. 2015, "Depth-gated recurrent neural networks".
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params[:12]
    W_bi, W_ui, b_ui, W_bf, W_uf, b_uf, W_bo, W_uo, b_uo = params[12:21]
    W_bc, W_uc, b_uc, W_bd, b_d, p_d, p_b = params[21:]
    H, C, H_below, C_below = state
    I_below = sigmoid(X @ W_xi + H_below @ W_hi + b_i)
    F_below = sigmoid(X @ W_xf + H_below @ W_hf + b_f)
    O_below = sigmoid(X @ W_xo + H_below @ W_ho + b_o)
    C_tilde_below = tanh(X @ W_xc + H_below @ W_hc + b_c)
    C_below = F_below * C_below + I_below * C_tilde_below
    H_below = O_below * tanh(C_below)
    I = sigmoid(H_below @ W_bi + H @ W_ui + b_ui)
    F = sigmoid(H_below @ W_bf + H @ W_uf + b_uf)
    O = sigmoid(H_below @ W_bo + H @ W_uo + b_uo)
    D = sigmoid(H_below @ W_bd + p_d * C + p_b * C_below + b_d)
    C_tilde = tanh(H_below @ W_bc + H @ W_uc + b_uc)
    C = F * C + I * C_tilde + D * C_below
    H = O * tanh(C)
    return H, C, H_below, C_below


def clockwork_step(X, state, params):
    """A plain RNN in modules with periods 1, 2, 4, 8: a slow one rests in between.

    Module k computes something new at every 2^k-th step, the first included, and keeps
    its state at the others. It hears itself and the slower modules: with h/g units in
    each of g modules, W_hk is ((g - k) h/g, h/g). `clock` counts the steps.

    Source: Koutník et al. 2014, "A Clockwork RNN", with exponential periods.
    """
    W_xh, *W_hs, b_h = params
    H, clock = state
    size = W_hs[0].shape[1]
    heard = joined([H[:, k * size :] @ W_h for k, W_h in enumerate(W_hs)])
    H_new = tanh(X @ W_xh + heard + b_h)
    period = 2.0 ** (np.arange(H.shape[1]) // size)
    H = choose(clock % period.astype("float32") == 0, H_new, H)
    clock = clock + 1
    return H, clock


MODULES = 4


def _clockwork_shape(name, num_inputs, num_hiddens, num_outputs):
    """Shapes of a Clockwork RNN's parameters; h has to be a multiple of its modules."""
    size, rest = divmod(num_hiddens, MODULES)
    if rest:
        raise ValueError(
            f"num_hiddens is {num_hiddens}; a Clockwork RNN needs a multiple of "
            f"{MODULES}, one part for each module."
        )
    if name in _RECURRENT:
        return ((MODULES - _RECURRENT.index(name)) * size, size)
    return param_shape(name, num_inputs, num_hiddens, num_outputs)


_RECURRENT = [f"W_h{k}" for k in range(MODULES)]

# --------------------------------------------------------------------------------------
# What came after


def mingru_step(X, state, params):
    """A GRU whose gate and candidate see the input only: H = (1 - Z)*H' + Z*H~.

    Being linear in H', all steps can be had at once: see `mingru_scan`.

    Source: Feng et al. 2024, "Were RNNs all we needed?", minGRU.
    """
    W_xz, b_z, W_xh, b_h = params
    (H,) = state
    Z = sigmoid(X @ W_xz + b_z)
    H_tilde = X @ W_xh + b_h
    H = (1 - Z) * H + Z * H_tilde
    return (H,)


def minlstm_step(X, state, params):
    """An LSTM whose gates see the input only, and are made to sum to 1.

    H = F/(F + I) * H' + I/(F + I) * H~, linear in H': see `minlstm_scan`.

    Source: Feng et al. 2024, minLSTM.
    """
    W_xf, b_f, W_xi, b_i, W_xh, b_h = params
    (H,) = state
    F = sigmoid(X @ W_xf + b_f)
    I = sigmoid(X @ W_xi + b_i)
    H_tilde = X @ W_xh + b_h
    H = (F * H + I * H_tilde) / (F + I)
    return (H,)


def scan(a, b, H):
    """All states of H_t = a_t * H_(t-1) + b_t, in log2(num_steps) rounds.

    Two steps are one of the same form: a_2 * (a_1 * H + b_1) + b_2 has the factor
    a_2 * a_1 and the summand a_2 * b_1 + b_2. A round joins every step with the one
    that ends where it begins, so that it reaches twice as far back.

    Args:
        a, b: (num_steps, batch_size, h).
        H: (batch_size, h), the state before.

    Returns:
        (num_steps, batch_size, h).

    Source: Hillis & Steele 1986, "Data parallel algorithms"; for linear recurrences
    Blelloch 1990, "Prefix sums and their applications".
    """
    reach, num_steps = 1, len(a)
    while reach < num_steps:
        b = paddle.concat([b[:reach], b[reach:] + a[reach:] * b[:-reach]])
        a = paddle.concat([a[:reach], a[reach:] * a[:-reach]])
        reach *= 2
    return a * H + b


def mingru_scan(inputs, state, params):
    """`mingru` over a whole sequence at once; arguments and returns as `unroll`."""
    W_xz, b_z, W_xh, b_h, W_hq, b_q = params
    Z = sigmoid(inputs @ W_xz + b_z)
    Y = scan(1 - Z, Z * (inputs @ W_xh + b_h), state[0])
    return (Y @ W_hq + b_q).flatten(0, 1), (Y[-1],)


def minlstm_scan(inputs, state, params):
    """`minlstm` over a whole sequence at once; arguments and returns as `unroll`."""
    W_xf, b_f, W_xi, b_i, W_xh, b_h, W_hq, b_q = params
    F, I = sigmoid(inputs @ W_xf + b_f), sigmoid(inputs @ W_xi + b_i)
    Y = scan(F / (F + I), I * (inputs @ W_xh + b_h) / (F + I), state[0])
    return (Y @ W_hq + b_q).flatten(0, 1), (Y[-1],)


def slstm_step(X, state, params):
    """An LSTM whose input gate is an exponential, divided by what has been taken in.

    With a the gates' arguments: C = F*C' + exp(a_i)*C~, N = F*N' + exp(a_i),
    H = O*C/N. An exponential overflows; so C and N are kept as shares of exp(M), where
    M is the largest weight that anything in them has. H stays the same.

    Source: Beck et al. 2024, "xLSTM", sLSTM with a sigmoid for F and one head.
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C, N, M = state
    log_I = X @ W_xi + H @ W_hi + b_i
    log_F = log_sigmoid(X @ W_xf + H @ W_hf + b_f) + M  # weight of the old
    M = maximum(log_F, log_I)
    I, F = exp(log_I - M), exp(log_F - M)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    N = F * N + I
    H = O * (C / maximum(N, 1e-30))  # N is 0 as long as nothing was taken in
    return H, C, N, M


# Peephole weights and gate recurrences start at 0 or small: see `core.initial_params`.
_P = " p_i p_f p_o"
define("nig", nig_step, gates("foc") + " p_f p_o", "H C")
define("nfg", nfg_step, gates("ioc") + " p_i p_o", "H C")
define("nog", nog_step, gates("ifc") + " p_i p_f", "H C")
define("niaf", niaf_step, gates("ifoc") + _P, "H C")
define("noaf", noaf_step, gates("ifoc") + _P, "H C")
_GATE_TO_GATE = " ".join(f"W_{a}{b}" for b in "ifo" for a in "ifo")
define("fgr", fgr_step, f"{gates('ifoc')}{_P} {_GATE_TO_GATE}", "H C I F O")
define("lstm_1997", lstm_1997_step, gates("ioc"), "H C")
define("janet", janet_step, gates("fc"))
define("mut1", mut1_step, "W_xz b_z W_xr W_hr b_r W_xe W_hh b_h")
define("mut2", mut2_step, "W_xz W_hz b_z W_xe W_hr b_r W_xh W_hh b_h")
define("mut3", mut3_step, gates("zrh"))
_UPPER = " ".join(f"W_b{g} W_u{g} b_u{g}" for g in "ifoc")
define(
    "depth_gated",
    depth_gated_step,
    f"{gates('ifoc')} {_UPPER} W_bd b_d p_d p_b",
    "H C H_below C_below",
)
define(
    "clockwork",
    clockwork_step,
    f"W_xh {' '.join(_RECURRENT)} b_h",
    "H clock",
    shape=_clockwork_shape,
)
define("mingru", mingru_step, "W_xz b_z W_xh b_h")
define("minlstm", minlstm_step, "W_xf b_f W_xi b_i W_xh b_h")
define("slstm", slstm_step, gates("ifoc"), "H C N M")
