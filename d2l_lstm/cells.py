r"""The recurrent cells from scratch: for each, three pure functions in book notation.

    params = get_X_params(vocab_size, num_hiddens)
    state = init_X_state(batch_size, num_hiddens)
    outputs, state = X(inputs, state, params)

with

    inputs   (num_steps, batch_size, vocab_size)   one-hot rows
    state    a tuple of (batch_size, num_hiddens)  (H,) or (H, C)
    outputs  (num_steps * batch_size, vocab_size)  the scores (logits) of every step

A vector of examples is a row, so a product reads `X @ W`. Weights are drawn from a
Gaussian of standard deviation 0.01 and biases are 0, as in the book.

`CELLS` names them all, so that a model, a checkpoint or the command line can be told a
cell by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import paddle
from paddle import tanh
from paddle.nn.functional import sigmoid


def normal(*shape):
    """Numbers from a Gaussian of standard deviation 0.01, in this shape."""
    return paddle.randn(shape) * 0.01


def three(vocab_size, num_hiddens):
    """W_x, W_h and b of one gate: (d, h), (h, h), (h,)."""
    return (
        normal(vocab_size, num_hiddens),
        normal(num_hiddens, num_hiddens),
        paddle.zeros([num_hiddens]),
    )


def output_layer(vocab_size, num_hiddens):
    """W_q and b_q: (h, q), (q,)."""
    return normal(num_hiddens, vocab_size), paddle.zeros([vocab_size])


def attach_gradients(params):
    """Ask Paddle for the gradients of these parameters; return them."""
    for param in params:
        param.stop_gradient = False
    return params


# --------------------------------------------------------------------------------------
# The plain recurrent network


def get_rnn_params(vocab_size, num_hiddens):
    """W_xh, W_hh, b_h, W_hq, b_q. Source: d2l, "RNN from scratch"."""
    hidden = three(vocab_size, num_hiddens)
    return attach_gradients([*hidden, *output_layer(vocab_size, num_hiddens)])


def init_rnn_state(batch_size, num_hiddens):
    """(H,), zeros of (batch_size, num_hiddens)."""
    return (paddle.zeros([batch_size, num_hiddens]),)


def rnn(inputs, state, params):
    """H = tanh(X W_xh + H' W_hh + b_h). Shapes: see the module.

    Source: d2l, "RNN from scratch".
    """
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,) = state
    outputs = []
    for X in inputs:  # X: (batch_size, vocab_size)
        H = tanh(X @ W_xh + H @ W_hh + b_h)
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), (H,)


# --------------------------------------------------------------------------------------
# Long short-term memory


def get_lstm_params(vocab_size, num_hiddens):
    """Weights of the input, forget and output gates, the candidate, the output layer.

    Source: d2l, "Long Short-Term Memory (LSTM)".
    """
    return attach_gradients(
        [
            *three(vocab_size, num_hiddens),  # input gate
            *three(vocab_size, num_hiddens),  # forget gate
            *three(vocab_size, num_hiddens),  # output gate
            *three(vocab_size, num_hiddens),  # candidate memory cell
            *output_layer(vocab_size, num_hiddens),
        ]
    )


def init_lstm_state(batch_size, num_hiddens):
    """(H, C), zeros of (batch_size, num_hiddens)."""
    return (
        paddle.zeros([batch_size, num_hiddens]),
        paddle.zeros([batch_size, num_hiddens]),
    )


def lstm(inputs, state, params):
    """C = F*C' + I*C~, H = O*tanh(C); gates of X and H'. Shapes: see the module.

    Source: Hochreiter & Schmidhuber 1997; the forget gate is from Gers, Schmidhuber &
    Cummins 2000; notation of d2l, "Long Short-Term Memory (LSTM)".
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c, W_hq, b_q = (
        params
    )
    H, C = state
    outputs = []
    for X in inputs:  # X: (batch_size, vocab_size)
        I = sigmoid(X @ W_xi + H @ W_hi + b_i)
        F = sigmoid(X @ W_xf + H @ W_hf + b_f)
        O = sigmoid(X @ W_xo + H @ W_ho + b_o)
        C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
        C = F * C + I * C_tilde
        H = O * tanh(C)
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), (H, C)


# --------------------------------------------------------------------------------------
# LSTM with peephole connections


def get_peephole_params(vocab_size, num_hiddens, peepholes="ifo"):
    """The LSTM's parameters and the peephole weights p_i, p_f, p_o, each (h,).

    Peephole weights start at 0, so that the cell starts as the LSTM with the same
    random numbers.

    Args:
        peepholes: which gates look at the cell. One that is left out stays at 0: it is
            not trained.

    Raises:
        ValueError: for another letter than i, f and o.
    """
    if set(peepholes) - set("ifo"):
        raise ValueError(f"peepholes is {peepholes!r}; it may have i, f and o only.")
    *gates, W_hq, b_q = get_lstm_params(vocab_size, num_hiddens)
    p = attach_gradients([paddle.zeros([num_hiddens]) for _ in "ifo"])
    for gate, weight in zip("ifo", p):
        weight.stop_gradient = gate not in peepholes
    return [*gates, *p, W_hq, b_q]


init_peephole_state = init_lstm_state


def peephole(inputs, state, params):
    """An LSTM whose gates also see the cell, each unit its own.

    The input and forget gates see the cell as it was, C'; the output gate sees the
    cell as it has just become, C. Shapes: see the module.

    Source: Gers & Schmidhuber 2000, "Recurrent nets that time and count".
    """
    W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c = params[:12]
    p_i, p_f, p_o, W_hq, b_q = params[12:]
    H, C = state
    outputs = []
    for X in inputs:  # X: (batch_size, vocab_size)
        I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
        F = sigmoid(X @ W_xf + H @ W_hf + p_f * C + b_f)
        C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
        C = F * C + I * C_tilde
        O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
        H = O * tanh(C)
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), (H, C)


# --------------------------------------------------------------------------------------
# Coupled input and forget gates (CIFG)


def get_cifg_params(vocab_size, num_hiddens):
    """Weights of the input and output gates, the candidate, the output layer."""
    return attach_gradients(
        [
            *three(vocab_size, num_hiddens),  # input gate
            *three(vocab_size, num_hiddens),  # output gate
            *three(vocab_size, num_hiddens),  # candidate memory cell
            *output_layer(vocab_size, num_hiddens),
        ]
    )


init_cifg_state = init_lstm_state


def cifg(inputs, state, params):
    """An LSTM that forgets as much as it takes in: F = 1 - I. Shapes: see the module.

    Source: Greff et al. 2015, "LSTM: a search space odyssey", variant CIFG.
    """
    W_xi, W_hi, b_i, W_xo, W_ho, b_o, W_xc, W_hc, b_c, W_hq, b_q = params
    H, C = state
    outputs = []
    for X in inputs:  # X: (batch_size, vocab_size)
        I = sigmoid(X @ W_xi + H @ W_hi + b_i)
        O = sigmoid(X @ W_xo + H @ W_ho + b_o)
        C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
        C = (1 - I) * C + I * C_tilde
        H = O * tanh(C)
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), (H, C)


def get_peephole_cifg_params(vocab_size, num_hiddens):
    """The CIFG's parameters and the peephole weights p_i and p_o, each (h,)."""
    *gates, W_hq, b_q = get_cifg_params(vocab_size, num_hiddens)
    p = attach_gradients([paddle.zeros([num_hiddens]) for _ in "io"])
    return [*gates, *p, W_hq, b_q]


init_peephole_cifg_state = init_lstm_state


def peephole_cifg(inputs, state, params):
    """Coupled gates that also see the cell. Shapes: see the module.

    Source: Greff et al. 2015: CIFG is a change to the LSTM with peepholes.
    """
    W_xi, W_hi, b_i, W_xo, W_ho, b_o, W_xc, W_hc, b_c, p_i, p_o, W_hq, b_q = params
    H, C = state
    outputs = []
    for X in inputs:  # X: (batch_size, vocab_size)
        I = sigmoid(X @ W_xi + H @ W_hi + p_i * C + b_i)
        C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
        C = (1 - I) * C + I * C_tilde
        O = sigmoid(X @ W_xo + H @ W_ho + p_o * C + b_o)
        H = O * tanh(C)
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), (H, C)


# --------------------------------------------------------------------------------------
# Gated recurrent units


def get_gru_params(vocab_size, num_hiddens):
    """Weights of the update and reset gates, the candidate, the output layer.

    Source: d2l, "Gated Recurrent Units (GRU)".
    """
    return attach_gradients(
        [
            *three(vocab_size, num_hiddens),  # update gate
            *three(vocab_size, num_hiddens),  # reset gate
            *three(vocab_size, num_hiddens),  # candidate hidden state
            *output_layer(vocab_size, num_hiddens),
        ]
    )


init_gru_state = init_rnn_state


def gru(inputs, state, params):
    """H = Z*H' + (1-Z)*H~, the reset gate before the product. Shapes: see the module.

    Source: Cho et al. 2014; notation of d2l, "Gated Recurrent Units (GRU)".
    """
    W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h, W_hq, b_q = params
    (H,) = state
    outputs = []
    for X in inputs:  # X: (batch_size, vocab_size)
        Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
        R = sigmoid(X @ W_xr + H @ W_hr + b_r)
        H_tilde = tanh(X @ W_xh + (R * H) @ W_hh + b_h)
        H = Z * H + (1 - Z) * H_tilde
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), (H,)


def get_gru_reset_after_params(vocab_size, num_hiddens):
    """The GRU's parameters and c_h, (h,), a bias inside the reset product."""
    *gates, W_hq, b_q = get_gru_params(vocab_size, num_hiddens)
    (c_h,) = attach_gradients([paddle.zeros([num_hiddens])])
    return [*gates, c_h, W_hq, b_q]


init_gru_reset_after_state = init_rnn_state


def gru_reset_after(inputs, state, params):
    """The GRU of `paddle.nn.GRU`: the reset gate after the product.

    Another function than the book's: H~ = tanh(X W_xh + b_h + R*(H' W_hh + c_h)).
    Shapes: see the module. Source: the documentation of `paddle.nn.GRU`.
    """
    W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h, c_h, W_hq, b_q = params
    (H,) = state
    outputs = []
    for X in inputs:  # X: (batch_size, vocab_size)
        Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
        R = sigmoid(X @ W_xr + H @ W_hr + b_r)
        H_tilde = tanh(X @ W_xh + b_h + R * (H @ W_hh + c_h))
        H = Z * H + (1 - Z) * H_tilde
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), (H,)


# --------------------------------------------------------------------------------------
# The registry


@dataclass(frozen=True)
class Cell:
    """A cell: its name, its three functions, and the names of its parameters."""

    name: str
    get_params: Callable
    init_state: Callable
    forward: Callable
    param_names: tuple[str, ...]

    def num_params(self, vocab_size: int, num_hiddens: int) -> int:
        """Trained numbers, the output layer included."""
        params = self.get_params(vocab_size, num_hiddens)
        return sum(p.size for p in params if not p.stop_gradient)


def _names(gates: str, extra: str = "") -> tuple[str, ...]:
    three = [name for g in gates for name in (f"W_x{g}", f"W_h{g}", f"b_{g}")]
    return (*three, *extra.split(), "W_hq", "b_q")


CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in [
        Cell("rnn", get_rnn_params, init_rnn_state, rnn, _names("h")),
        Cell("lstm", get_lstm_params, init_lstm_state, lstm, _names("ifoc")),
        Cell(
            "peephole",
            get_peephole_params,
            init_peephole_state,
            peephole,
            _names("ifoc", "p_i p_f p_o"),
        ),
        Cell("cifg", get_cifg_params, init_cifg_state, cifg, _names("ioc")),
        Cell(
            "peephole_cifg",
            get_peephole_cifg_params,
            init_peephole_cifg_state,
            peephole_cifg,
            _names("ioc", "p_i p_o"),
        ),
        Cell("gru", get_gru_params, init_gru_state, gru, _names("zrh")),
        Cell(
            "gru_reset_after",
            get_gru_reset_after_params,
            init_gru_reset_after_state,
            gru_reset_after,
            _names("zrh", "c_h"),
        ),
        *(
            Cell(
                f"peephole_{some}",
                partial(get_peephole_params, peepholes=some),
                init_peephole_state,
                peephole,
                _names("ifoc", "p_i p_f p_o"),
            )
            for some in ("i", "f", "o", "if", "io", "fo")
        ),
    ]
}


def get_cell(name: str) -> Cell:
    """The cell of this name.

    Raises:
        ValueError: if there is none.
    """
    if name not in CELLS:
        raise ValueError(f"unknown cell {name!r}; choose one of {', '.join(CELLS)}.")
    return CELLS[name]
