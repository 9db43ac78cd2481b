"""A recurrent cell or layer with an output layer: models of texts and of sequences."""

from __future__ import annotations

import math
from contextlib import contextmanager

import numpy as np
import paddle
from paddle import nn
from paddle.nn.functional import dropout as drop_out
from paddle.nn.functional import one_hot
from paddle.nn.layer.rnn import concat_states, split_states

from .cells import CELLS, Cell, get_cell
from .cells.searched import MODULES
from .devices import to_device
from .text import check_whole


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
    functions = (getattr(net, "get_params", None), getattr(net, "forward_fn", None))
    for name, cell in CELLS.items():
        if (cell.get_params, cell.forward) == functions:
            return name
    return None


def registered_cell(net) -> Cell | None:
    """The cell that a model computes, if nothing about it is somebody's own.

    That is an `RNNModelScratch`, no subclass, of the three functions of a cell in
    `CELLS`, with parameters of its shapes on a CPU: what it computes is known without
    calling it. None otherwise, and what is unknown runs as written.
    """
    name = cell_name(net) if type(net) is RNNModelScratch else None
    if name is None or net.init_state is not CELLS[name].init_state:
        return None
    cell, sizes = CELLS[name], (net.vocab_size, net.num_hiddens, net.vocab_size)
    shapes = [cell.shape(n, *sizes) for n in cell.param_names]
    params = [p for p in net.params if isinstance(p, paddle.Tensor)]
    kinds = {(p.place.is_cpu_place(), p.dtype) for p in params}
    usual = kinds <= {(True, paddle.float32)} or kinds <= {(True, paddle.float64)}
    own = len({id(p) for p in params}) == len(shapes)  # none stands in two places
    return (
        cell if usual and own and [tuple(p.shape) for p in params] == shapes else None
    )


def units_of_size(name: str, vocab_size: int, size: int) -> int:
    """So many hidden units that a cell with its output layer comes nearest to a size.

    Args:
        name: of a cell in `CELLS`.
        vocab_size: d inputs and as many outputs.
        size: number of parameters, the output layer included.

    Raises:
        ValueError: if there is no such cell.
    """
    cell = get_cell(name)
    step = MODULES if name == "clockwork" else 1  # its modules are equally large
    h = step
    while cell.num_params(vocab_size, h + step) <= size:
        h += step
    return min(h, h + step, key=lambda k: abs(cell.num_params(vocab_size, k) - size))


def scratch_model(cell: str, vocab_size: int, num_hiddens: int, device=None):
    """`RNNModelScratch` of a cell in `CELLS`, by its name.

    Raises:
        ValueError: for an unknown cell, or a size below 1.
    """
    functions = get_cell(cell).functions
    check_whole("vocab_size", vocab_size, 1)
    check_whole("num_hiddens", num_hiddens, 1)
    return RNNModelScratch(vocab_size, num_hiddens, device, *functions)


class ScratchLayer(nn.RNNCellBase):
    """A from-scratch cell as Paddle's kind of cell, used like `nn.LSTMCell`.

    Put it into `nn.RNN` or `nn.BiRNN` for sequences, lengths and directions, several of
    these into `RNNStack` for layers; `RNNModel` takes all of them.

    Args:
        cell: a name in `CELLS`.
        input_size, hidden_size: d and h.

    Call with X (batch_size, d) and a state: a tensor H (batch_size, h), or a tuple
    (H, C) for cells that have a memory cell; zeros if left out. Returns H and the new
    state in the same form.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int):
        super().__init__()
        self.cell = get_cell(cell)
        check_whole("input_size", input_size, 1)
        check_whole("hidden_size", hidden_size, 1)
        self.input_size, self.hidden_size = input_size, hidden_size
        self._names = self.cell.param_names[:-2]  # the output layer is the model's
        values = self.cell.get_params(input_size, hidden_size)
        for name, value in zip(self._names, values):
            parameter = self.create_parameter(value.shape, dtype=value.dtype)
            parameter.set_value(value.detach())
            parameter.stop_gradient = value.stop_gradient
            setattr(self, name, parameter)

    def forward(self, X, states=None):
        if states is None:
            states = self.get_initial_states(X, self.state_shape)
        one = len(self.cell.state_names) == 1
        params = [getattr(self, name) for name in self._names]
        state = self.cell.step(X, (states,) if one else tuple(states), params)
        return state[0], state[0] if one else state

    @property
    def state_shape(self):
        """(h,) for each part of the state, without the batch."""
        shapes = tuple((self.hidden_size,) for _ in self.cell.state_names)
        return shapes[0] if len(shapes) == 1 else shapes


class RNNStack(nn.LayerList):
    """`nn.RNN` and `nn.BiRNN` layers on top of each other, used like `nn.LSTM`.

    Around any cells: `nn.LSTM` is the same stack around `nn.LSTMCell`.

    Args:
        *layers: all `nn.RNN` or all `nn.BiRNN`, each with `time_major=True`; a bare
            cell is put into an `nn.RNN`.
        dropout: share of outputs left out between two layers, in training.

    Call with inputs (num_steps, batch_size, d), a state of (layers * directions,
    batch_size, h) tensors (zeros if left out) and, if wanted, `sequence_length`
    (batch_size,). Returns outputs (num_steps, batch_size, h * directions) and the last
    state.

    Raises:
        ValueError: for layers of different kinds or sizes, or not time-major.
    """

    def __init__(self, *layers, dropout: float = 0.0):
        super().__init__()
        if not layers:
            raise ValueError("there is no layer; a stack needs at least one.")
        cells = []
        for layer in layers:
            if isinstance(layer, nn.RNNCellBase):
                layer = nn.RNN(layer, time_major=True)
            if not isinstance(layer, (nn.RNN, nn.BiRNN)):
                raise ValueError(
                    f"a layer is {type(layer).__name__}; RNNStack takes nn.RNN and "
                    "nn.BiRNN."
                )
            if not layer.time_major:
                raise ValueError("every layer must be made with time_major=True.")
            self.append(layer)
            both = isinstance(layer, nn.BiRNN)
            cells.append([layer.cell_fw, layer.cell_bw] if both else [layer.cell])
        first = cells[0][0]
        for i, pair in enumerate(cells):
            inputs = first.input_size if i == 0 else first.hidden_size * len(cells[0])
            kinds = {(type(c), getattr(c, "cell", None), c.hidden_size) for c in pair}
            kinds.add((type(first), getattr(first, "cell", None), first.hidden_size))
            if len(kinds) != 1 or len(pair) != len(cells[0]):
                raise ValueError(
                    "the layers must have one kind of cell, one size and one number of "
                    "directions."
                )
            if any(cell.input_size != inputs for cell in pair):
                raise ValueError(
                    f"layer {i + 1} takes {pair[0].input_size} inputs, and gets "
                    f"{inputs} from the layer below."
                )
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; it must be a share from 0 to 1.")
        self.input_size, self.hidden_size = first.input_size, first.hidden_size
        self.num_layers, self.num_directions = len(cells), len(cells[0])
        nested = isinstance(first.state_shape[0], (tuple, list))
        self.state_components = len(first.state_shape) if nested else 1
        self.dropout, self.time_major = dropout, True

    def forward(self, inputs, initial_states=None, sequence_length=None):
        form = (self.num_directions == 2, self.state_components)
        states, last_states = [None] * self.num_layers, []
        if initial_states is not None:
            states = split_states(initial_states, *form)
        for i, layer in enumerate(self):
            if i > 0:
                inputs = drop_out(inputs, self.dropout, training=self.training)
            inputs, state = layer(inputs, states[i], sequence_length)
            last_states.append(state)
        if sequence_length is not None:  # zeros after the end, as nn.LSTM has them
            inside = paddle.arange(len(inputs)).unsqueeze(1) < sequence_length
            inputs = inputs * inside.unsqueeze(-1).astype(inputs.dtype)
        return inputs, concat_states(last_states, *form)


def recurrent_layer(layer, num_inputs: int | None = None):
    """A layer that is used like `nn.LSTM`: `nn.RNN`, `nn.BiRNN` or a cell in a stack.

    Args:
        num_inputs: how many it has to take, if that is known.

    Raises:
        ValueError: for a layer that is not recurrent, not time-major, or for another
            number of inputs.
    """
    if isinstance(layer, (nn.RNN, nn.BiRNN, nn.RNNCellBase)):
        layer = RNNStack(layer)
    if not hasattr(layer, "state_components") or getattr(layer, "proj_size", 0):
        raise ValueError(
            f"{type(layer).__name__} is no recurrent layer that a model can use; take "
            "nn.SimpleRNN, nn.GRU, nn.LSTM (without proj_size) or an RNNStack."
        )
    if num_inputs is not None and layer.input_size != num_inputs:
        raise ValueError(
            f"the recurrent layer takes {layer.input_size} inputs, and the vocabulary "
            f"has {num_inputs} tokens."
        )
    if not layer.time_major:
        raise ValueError(
            "the recurrent layer must be made with time_major=True: a model gives it "
            "(num_steps, batch_size, inputs)."
        )
    return layer


class RNNModel(nn.Layer):
    """A recurrent layer as a language model.

    Args:
        rnn_layer: `nn.SimpleRNN`, `nn.GRU` or `nn.LSTM` with `time_major=True`, any
            number of layers and directions, or an `RNNStack`; `nn.RNN`, `nn.BiRNN` or a
            cell, e.g. our own `ScratchLayer`, is made one.
        vocab_size: number of tokens.

    Call with X (batch_size, num_steps) of token indices and a state; returns scores
    (num_steps * batch_size, vocab_size), time step by time step, and the new state.

    Source: d2l, "Concise RNN".
    """

    def __init__(self, rnn_layer, vocab_size):
        super().__init__()
        self.rnn, self.vocab_size = recurrent_layer(rnn_layer, vocab_size), vocab_size
        self.num_hiddens = self.rnn.hidden_size
        self.num_directions = self.rnn.num_directions
        self.linear = nn.Linear(self.num_hiddens * self.num_directions, vocab_size)

    def forward(self, inputs, state):
        X = one_hot(inputs.T, self.vocab_size)  # (num_steps, batch_size, vocab_size)
        Y, state = self.rnn(X, state)  # (num_steps, batch_size, h * directions)
        return self.linear(Y.reshape((-1, Y.shape[-1]))), state

    def begin_state(self, batch_size=1):
        """Zeros (layers * directions, batch_size, h); for an LSTM two of them."""
        layers = self.rnn.num_layers * self.num_directions
        shape = [layers, batch_size, self.num_hiddens]
        state = tuple(paddle.zeros(shape) for _ in range(self.rnn.state_components))
        return state if len(state) > 1 else state[0]


def pool(Y, how: str, sequence_length=None):
    """One row for each sequence, of the hidden states at all of its steps.

    Args:
        Y: (num_steps, batch_size, h), the outputs of a recurrent layer.
        how: "last" for the state at the last step, "mean" for the mean over the steps,
            "max" for the largest value of each unit.
        sequence_length: (batch_size,), how many steps of each sequence count; by
            default all. What stands behind them has no influence.

    Returns:
        (batch_size, h).

    Raises:
        ValueError: for another `how`, no state, or a length below 1 or above num_steps.
    """
    check_pooling(how)
    sequence_length = lengths_of(Y, sequence_length)  # all steps if it is None
    step = paddle.arange(len(Y)).unsqueeze(1)  # (num_steps, 1)
    if how == "last":
        is_last = (step == sequence_length - 1).unsqueeze(-1)
        return paddle.where(is_last, Y, paddle.zeros_like(Y)).sum(axis=0)
    inside = (step < sequence_length).unsqueeze(-1)  # (num_steps, batch_size, 1)
    if how == "max":  # by its place: the gradient of Paddle's max is slow
        seen = paddle.where(inside, Y, paddle.full_like(Y, -math.inf))
        place = seen.detach().argmax(axis=0, keepdim=True)
        return paddle.take_along_axis(Y, place, axis=0).squeeze(0)
    total = paddle.where(inside, Y, paddle.zeros_like(Y)).sum(axis=0)
    return total / sequence_length.unsqueeze(1).astype(Y.dtype)


def lengths_of(Y, sequence_length=None):
    """How many steps of each sequence count.

    Args:
        Y: (num_steps, batch_size, h).
        sequence_length: whole numbers (batch_size,), a tensor, array or list; None for
            all steps.

    Returns:
        A tensor (batch_size,), int64.

    Raises:
        ValueError: for lengths that `Y` cannot have, or a `Y` without a state.
    """
    if Y.ndim != 3 or not Y.size:
        raise ValueError(
            f"Y has the shape {tuple(Y.shape)}; it must be (num_steps, batch_size, h), "
            "none of them 0."
        )
    if sequence_length is None:
        return paddle.full([Y.shape[1]], len(Y), "int64")
    return paddle.to_tensor(checked_lengths("sequence_length", sequence_length, Y))


def checked_lengths(name: str, lengths, X) -> np.ndarray:
    """Lengths of the sequences X (num_steps, batch_size, d), as an array of int64.

    Raises:
        ValueError: unless there is a whole number for each, from 1 to num_steps.
    """
    found, (num_steps, count) = np.asarray(lengths), X.shape[:2]
    if found.shape != (count,):
        raise ValueError(
            f"{name} of the shape {found.shape}: it must be ({count},), a length for "
            "each sequence."
        )
    if found.dtype.kind not in "iu":
        raise ValueError(f"{name} of dtype {found.dtype}: a length is a whole number.")
    if found.min() < 1 or found.max() > num_steps:
        raise ValueError(
            f"{name} from {found.min()} to {found.max()}: with {num_steps} steps a "
            f"length must be from 1 to {num_steps}."
        )
    return found.astype("int64")


def check_pooling(how: str) -> None:
    """Refuse a way of pooling that there is not, with a ValueError."""
    if how not in ("last", "mean", "max"):
        raise ValueError(f"pooling is {how!r}; it must be 'last', 'mean' or 'max'.")


class SequenceModel(nn.Layer):
    """A recurrent layer that reads a sequence, and gives one answer at its end.

    Args:
        rnn_layer: as for `RNNModel`.
        num_outputs: numbers of an answer: 1 for a regression, the number of classes for
            a classification.
        pooling: what of the top layer's hidden states the answer is made from: "last",
            the last one (of each direction); "mean" or "max" of all, see `pool`.

    Call with X (num_steps, batch_size, d), and `sequence_length` (batch_size,) if they
    differ: steps after a sequence's end have no influence then. Returns (batch_size,
    num_outputs): numbers, or scores of the classes.

    Raises:
        ValueError: for another pooling; when called, for an X of another shape or
            without a step, and for a length below 1 or above num_steps.
    """

    def __init__(self, rnn_layer, num_outputs: int, pooling: str = "last"):
        super().__init__()
        check_whole("num_outputs", num_outputs, 1)
        check_pooling(pooling)
        self.rnn, self.pooling = recurrent_layer(rnn_layer), pooling
        self.linear = nn.Linear(
            self.rnn.hidden_size * self.rnn.num_directions, num_outputs
        )

    def forward(self, X, sequence_length=None):
        if X.ndim != 3 or not X.size or X.shape[-1] != self.rnn.input_size:
            raise ValueError(  # without a step, Paddle's layers end the process
                f"X has the shape {tuple(X.shape)}; it must be (num_steps, batch_size, "
                f"{self.rnn.input_size}), none of them 0."
            )
        if sequence_length is not None:
            sequence_length = lengths_of(X, sequence_length)
        Y, state = self.rnn(X, None, sequence_length)
        if self.pooling != "last":
            return self.linear(pool(Y, self.pooling, sequence_length))
        H = state[0] if self.rnn.state_components > 1 else state
        H = H[-self.rnn.num_directions :]  # (directions, batch_size, h)
        return self.linear(paddle.concat(list(H), axis=-1))


@contextmanager
def evaluation_mode(net):
    """No gradients, and every layer as it is when it is used; put back at the end."""
    layers = net.sublayers(include_self=True) if isinstance(net, nn.Layer) else []
    modes = [(layer, layer.training) for layer in layers]
    try:
        for layer in layers:
            layer.training = False
        with paddle.no_grad():
            yield
    finally:
        for layer, mode in modes:
            layer.training = mode


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
