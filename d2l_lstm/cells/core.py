r"""What a cell is: the equations of one step, and the names in them.

    state = lstm_step(X, state, params)      X (batch_size, d), one time step
    outputs, state = unroll(lstm_step, inputs, state, params)

`params` of a step are in the order of the cell's `param_names`; `unroll` loops a step
over time and wants the two of the output layer, `W_hq` and `b_q`, at the end. Shapes,
with d inputs, h hidden units and q outputs, follow from the names:

    W_x...  (d, h)        any other W_  (h, h)  W_hq  (h, q)
    b_...  c_...  p_...   (h,)                  b_q   (q,)

A vector of examples is a row, so a product reads `X @ W`. A state is a tuple of
(batch_size, h), the hidden state H first.

From these alone follow the book's three functions of a cell: the initial parameters,
the initial state, and the cell over a whole sequence. `CELLS` names every cell, so that
a model, a checkpoint or the command line can be told one by its name.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import paddle

CELLS: dict[str, Cell] = {}


def normal(*shape):
    """Numbers from a Gaussian of standard deviation 0.01, in this shape."""
    return paddle.randn(shape) * 0.01


def param_shape(name: str, num_inputs: int, num_hiddens: int, num_outputs: int):
    """The shape of a parameter, by its name: see the module."""
    if name in ("W_hq", "b_q"):
        return (num_hiddens, num_outputs) if name == "W_hq" else (num_outputs,)
    if not name.startswith("W_"):
        return (num_hiddens,)
    return (num_inputs if name.startswith("W_x") else num_hiddens, num_hiddens)


def initial_params(names, vocab_size, num_hiddens, shape=param_shape):
    """Parameters as the book starts them: weights W small and Gaussian, the rest 0.

    Returns:
        A list of tensors in the order of `names`, in which the random numbers are drawn
        too; Paddle records their gradients.
    """
    params = []
    for name in names:
        sizes = shape(name, vocab_size, num_hiddens, vocab_size)
        param = normal(*sizes) if name.startswith("W") else paddle.zeros(sizes)
        param.stop_gradient = False
        params.append(param)
    return params


def unroll(step, inputs, state, params):
    """Loop one step of a cell over a sequence, and put the output layer on top.

    Args:
        step: (X, state, params) to state, see the module.
        inputs: (num_steps, batch_size, d).
        state: a tuple of (batch_size, h), H first.
        params: those of the step, then W_hq (h, q) and b_q (q,).

    Returns:
        The outputs, (num_steps * batch_size, q), and the last state.
    """
    *params, W_hq, b_q = params
    outputs = []
    for X in inputs:  # X: (batch_size, d)
        state = step(X, state, params)
        H = state[0]
        outputs.append(H @ W_hq + b_q)
    return paddle.concat(outputs), state


def trace(cell, inputs, state, params) -> dict:
    """Every quantity of a cell's equations, at every step.

    What is returned are the variables of the step's own code under their own names, so
    no gate has to be computed a second time to be looked at.

    Args:
        cell: a name in `CELLS`, a `Cell`, or a step function.
        inputs, state, params: as for `unroll`.

    Returns:
        Name to tensor (num_steps, batch_size, h): for an LSTM I, F, O, C_tilde, C, H.

    Raises:
        ValueError: for an unknown cell, or if there is no step to trace.
    """
    step = get_cell(cell).step if isinstance(cell, str) else getattr(cell, "step", cell)
    if not hasattr(step, "__code__") or hasattr(step, "__wrapped__"):
        raise ValueError(
            f"{step!r} is no step that can be traced; give the plain function of "
            "(X, state, params)."
        )
    *params, _, _ = params
    seen = []
    for X in inputs:  # X: (batch_size, d)
        state, variables = _call_and_look(step, X, state, params)
        known = {id(X), *map(id, params)}
        seen.append(
            {
                name: value
                for name, value in variables.items()
                if isinstance(value, paddle.Tensor) and id(value) not in known
            }
        )
    if not seen:
        raise ValueError("the inputs have no time step; there is nothing to trace.")
    return {name: paddle.stack([v[name] for v in seen]) for name in seen[0]}


def _call_and_look(step, *arguments):
    """What a function returns, and its variables at that moment."""
    variables, outer = {}, sys.getprofile()

    def look(frame, event, _):
        if event == "return" and frame.f_code is step.__code__:
            variables.update(frame.f_locals)

    sys.setprofile(look)
    try:
        result = step(*arguments)
    finally:
        sys.setprofile(outer)
    return result, variables


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent cell.

    Attributes:
        name: its name in `CELLS`.
        step: its equations, (X, state, params) to state.
        param_names: in the order of `params`, the output layer's `W_hq`, `b_q` last.
        state_names: `('H',)` or `('H', 'C')`.
        get_params: (vocab_size, num_hiddens) to a list of parameters; follows from the
            names, unless a cell brings its own.
        init_state: (batch_size, num_hiddens) to a state of zeros.
        forward: (inputs, state, params) to outputs and state: the step, unrolled.
        shape: (name, d, h, q) to the shape of a parameter: `param_shape`, unless the
            cell has others.
    """

    name: str
    step: Callable
    param_names: tuple[str, ...]
    state_names: tuple[str, ...]
    get_params: Callable
    init_state: Callable
    forward: Callable
    shape: Callable = param_shape

    def __deepcopy__(self, memo):
        return self  # there is one of each name, also in a copy of a model

    @property
    def functions(self):
        """The book's three: `get_params`, `init_state`, `forward`."""
        return self.get_params, self.init_state, self.forward

    def num_params(self, vocab_size: int, num_hiddens: int) -> int:
        """Numbers in the parameters, the output layer included."""
        return sum(
            math.prod(self.shape(name, vocab_size, num_hiddens, vocab_size))
            for name in self.param_names
        )


def gates(names: str) -> str:
    """Parameter names of layers that see X and H: 'ifo' gives W_xi W_hi b_i W_xf ..."""
    return " ".join(f"W_x{g} W_h{g} b_{g}" for g in names)


def define(
    name, step, params, state="H", *, get_params=None, shape=param_shape
) -> Cell:
    """Make a cell of one step, and give it a name in `CELLS`.

    Args:
        name: of the cell; `get_NAME_params`, `init_NAME_state` and `NAME` are what its
            functions are called.
        step: its equations; the first line of its docstring describes the cell.
        params, state: names, separated by spaces, as the step unpacks them.
        get_params: a function of its own for parameters that start otherwise.
        shape: a function of its own for parameters of other shapes, see `Cell`.
    """
    param_names = (*params.split(), "W_hq", "b_q")
    state_names = tuple(state.split())

    def initial(vocab_size, num_hiddens):
        return initial_params(param_names, vocab_size, num_hiddens, shape)

    def init_state(batch_size, num_hiddens):
        return tuple(paddle.zeros([batch_size, num_hiddens]) for _ in state_names)

    def forward(inputs, state, params):
        return unroll(step, inputs, state, params)

    shapes = ", ".join(
        f"{n} ({', '.join(param_shape(n, 'd', 'h', 'q'))})" for n in param_names
    )
    states = ", ".join(f"{n} (batch_size, h)" for n in state_names)
    summary, _, rest = (step.__doc__ or name).partition("\n")
    initial.__doc__ = f"Initial parameters of the cell {name!r}, a list.\n\n{shapes}"
    init_state.__doc__ = f"Zeros, a tuple of {states}."
    forward.__doc__ = (
        f"{summary}\n{rest}\n\nArgs:\n    inputs: (num_steps, batch_size, d).\n"
        f"    state: a tuple of {states}.\n    params: {shapes}.\n\n"
        "Returns:\n    The outputs, (num_steps * batch_size, q), and the last state."
    )
    cell = Cell(
        name, step, param_names, state_names, get_params or initial, init_state,
        forward, shape,
    )  # fmt: skip
    called = (f"get_{name}_params", f"init_{name}_state", name)
    for function, public_name in zip(cell.functions, called):
        function.__name__ = function.__qualname__ = public_name
    CELLS[name] = cell
    return cell


def get_cell(name: str) -> Cell:
    """The cell of this name.

    Raises:
        ValueError: if there is none.
    """
    if name not in CELLS:
        raise ValueError(f"unknown cell {name!r}; choose one of {', '.join(CELLS)}.")
    return CELLS[name]
