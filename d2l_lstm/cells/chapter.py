"""The cells of the book: the recurrent network, the LSTM, the GRU.

Each step takes X (batch_size, d), a state of (batch_size, h) tensors, and the
parameters of its gates, and returns the new state; see `cells.core` for shapes.
"""

from __future__ import annotations

from .core import define, gates
from .functions import sigmoid, tanh


def rnn_step(X, state, params):
    """H = tanh(X W_xh + H' W_hh + b_h).

    Source: d2l, "RNN from scratch".
    """
    W_xh, W_hh, b_h = params
    (H,) = state
    H = tanh(X @ W_xh + H @ W_hh + b_h)
    return (H,)


def lstm_step(X, state, params):
    """C = F*C' + I*C~, H = O*tanh(C); gates of X and H'.

    Source: Hochreiter & Schmidhuber 1997; the forget gate is from Gers, Schmidhuber &
    Cummins 2000; notation of d2l, "Long Short-Term Memory (LSTM)".
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params
    H, C = state
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C


def gru_step(X, state, params):
    """H = Z*H' + (1-Z)*H~, the reset gate before the product.

    Source: Cho et al. 2014; notation of d2l, "Gated Recurrent Units (GRU)".
    """
    W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h = params
    (H,) = state
    Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
    R = sigmoid(X @ W_xr + H @ W_hr + b_r)
    H_tilde = tanh(X @ W_xh + (R * H) @ W_hh + b_h)
    H = Z * H + (1 - Z) * H_tilde
    return (H,)


def gru_reset_after_step(X, state, params):
    """The GRU of `paddle.nn.GRU`: the reset gate after the product.

    Another function than the book's: H~ = tanh(X W_xh + b_h + R*(H' W_hh + c_h)).
    Source: the documentation of `paddle.nn.GRU`.
    """
    W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h, c_h = params
    (H,) = state
    Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
    R = sigmoid(X @ W_xr + H @ W_hr + b_r)
    H_tilde = tanh(X @ W_xh + b_h + R * (H @ W_hh + c_h))
    H = Z * H + (1 - Z) * H_tilde
    return (H,)


get_rnn_params, init_rnn_state, rnn = define("rnn", rnn_step, gates("h")).functions
get_lstm_params, init_lstm_state, lstm = define(
    "lstm", lstm_step, gates("ifoc"), "H C"
).functions
get_gru_params, init_gru_state, gru = define("gru", gru_step, gates("zrh")).functions
get_gru_reset_after_params, init_gru_reset_after_state, gru_reset_after = define(
    "gru_reset_after", gru_reset_after_step, gates("zrh") + " c_h"
).functions
