"""Language models: a recurrent cell or layer, with the output layer around it."""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.nn.functional import one_hot

from .cells import CELLS, get_cell
from .devices import to_device


class RNNModelScratch:
    """A from-scratch cell as a language model.

    Args:
        vocab_size, num_hiddens: sizes.
        device: where the parameters live; may be left out, as the released d2l does.
        get_params, init_state, forward_fn: the three functions of a cell.

    Call with X (batch_size, num_steps) of token indices and a state; returns scores
    (num_steps * batch_size, vocab_size), time step by time step, and the new state.

    Source: d2l, "RNN from scratch".
    """

    def __init__(self, vocab_size, num_hiddens, *device_and_functions):
        if len(device_and_functions) == 3:
            device_and_functions = (None, *device_and_functions)
        device, get_params, init_state, forward_fn = device_and_functions
        self.vocab_size, self.num_hiddens = vocab_size, num_hiddens
        self.device, self.get_params = device, get_params
        self.init_state, self.forward_fn = init_state, forward_fn
        self.params = []
        for param in get_params(vocab_size, num_hiddens):
            moved = to_device(param.detach(), device)  # detached: still a leaf
            moved.stop_gradient = param.stop_gradient
            self.params.append(moved)

    def __call__(self, X, state):
        X = one_hot(X.T, self.vocab_size)  # (num_steps, batch_size, vocab_size)
        return self.forward_fn(X, state, self.params)

    def begin_state(self, batch_size):
        state = self.init_state(batch_size, self.num_hiddens)
        return tuple(to_device(s, self.device) for s in state)


def cell_name(net: RNNModelScratch) -> str | None:
    """The name in `CELLS` of a model's cell, None for functions of one's own."""
    functions = (getattr(net, "get_params", None), net.forward_fn)
    for name, cell in CELLS.items():
        if (cell.get_params, cell.forward) == functions:
            return name
    return None


def scratch_model(cell: str, vocab_size: int, num_hiddens: int, device=None):
    """`RNNModelScratch` of a cell in `CELLS`, by its name.

    Raises:
        ValueError: for an unknown cell, or a size below 1.
    """
    functions = get_cell(cell)
    if num_hiddens < 1:
        raise ValueError(f"num_hiddens is {num_hiddens}; it must be at least 1.")
    return RNNModelScratch(
        vocab_size,
        num_hiddens,
        device,
        functions.get_params,
        functions.init_state,
        functions.forward,
    )


class ScratchLayer(nn.Layer):
    """A from-scratch cell as a recurrent layer, used like `nn.LSTM(time_major=True)`.

    So the cells that Paddle does not have can be used wherever a layer is wanted: in
    `RNNModel`, with any optimizer, in a `state_dict`.

    Args:
        cell: a name in `CELLS`.
        input_size, hidden_size: d and h.

    Call with X (num_steps, batch_size, d) and a state: a tensor H, or a tuple (H, C)
    for cells that have a memory cell, each (1, batch_size, h). Returns the outputs
    (num_steps, batch_size, h) and the state in the same form.
    """

    num_layers = num_directions = 1

    def __init__(self, cell: str, input_size: int, hidden_size: int):
        super().__init__()
        self.cell = get_cell(cell)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.has_memory_cell = len(self.cell.init_state(1, 1)) == 2
        params = self.cell.get_params(input_size, hidden_size)[:-2]
        for name, value in zip(self.cell.param_names, params):
            parameter = self.create_parameter(value.shape)
            parameter.set_value(value.detach())
            parameter.stop_gradient = value.stop_gradient
            setattr(self, name, parameter)
        # The cell's function ends in an output layer; the identity lets H through.
        self._identity = [paddle.eye(hidden_size), paddle.zeros([hidden_size])]

    def forward(self, X, state):
        params = [getattr(self, name) for name in self.cell.param_names[:-2]]
        state = tuple(s[0] for s in (state if self.has_memory_cell else (state,)))
        Y, state = self.cell.forward(X, state, params + self._identity)
        state = tuple(s.unsqueeze(0) for s in state)
        Y = Y.reshape((*X.shape[:2], self.hidden_size))
        return Y, state if self.has_memory_cell else state[0]


class RNNModel(nn.Layer):
    """A recurrent layer as a language model.

    Args:
        rnn_layer: `nn.SimpleRNN`, `nn.GRU` or `nn.LSTM` with `time_major=True`, any
            number of layers and directions, or our own `ScratchLayer`.
        vocab_size: number of tokens.

    Call with X (batch_size, num_steps) of token indices and a state; returns scores
    (num_steps * batch_size, vocab_size), time step by time step, and the new state.

    Source: d2l, "Concise RNN".
    """

    def __init__(self, rnn_layer, vocab_size):
        super().__init__()
        if not getattr(rnn_layer, "time_major", True):
            raise ValueError(
                "the recurrent layer must be made with time_major=True: RNNModel "
                "gives it (num_steps, batch_size, vocab_size)."
            )
        self.rnn, self.vocab_size = rnn_layer, vocab_size
        self.num_hiddens = rnn_layer.hidden_size
        self.num_directions = rnn_layer.num_directions
        self.linear = nn.Linear(self.num_hiddens * self.num_directions, vocab_size)

    def forward(self, inputs, state):
        X = one_hot(inputs.T, self.vocab_size)  # (num_steps, batch_size, vocab_size)
        Y, state = self.rnn(X, state)  # (num_steps, batch_size, h * directions)
        return self.linear(Y.reshape((-1, Y.shape[-1]))), state

    def begin_state(self, batch_size=1):
        """Zeros (layers * directions, batch_size, h); for an LSTM two of them."""
        layers = self.rnn.num_layers * self.num_directions
        H = paddle.zeros([layers, batch_size, self.num_hiddens])
        if isinstance(self.rnn, nn.LSTM) or getattr(self.rnn, "has_memory_cell", False):
            return H, paddle.zeros_like(H)
        return H


def parameters_of(net) -> dict:
    """Names and tensors of a model: the book's names for a from-scratch cell."""
    if isinstance(net, nn.Layer):
        return dict(net.named_parameters())
    cell = cell_name(net)
    names = CELLS[cell].param_names if cell else map(str, range(len(net.params)))
    return dict(zip(names, net.params, strict=True))


def num_parameters(net) -> int:
    """Number of trained numbers of a model."""
    return sum(p.size for p in parameters_of(net).values() if not p.stop_gradient)
