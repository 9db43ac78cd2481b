"""What a step computes, noted by running it once on symbols.

A step of a cell is a function of X, a state and parameters, made of `@ + - *` and what
is in `cells.functions`. Given symbols instead of arrays it leaves a graph of
`Value`s behind; who reads the graph knows the equations without reading the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partialmethod
from numbers import Real

# Of one value, element by element; the way back reads what came out, not what went in.
FUNCTIONS = ("sigmoid", "tanh", "relu", "hard_sigmoid", "exp", "log_sigmoid")
# What else the way back reads: of some operations the result, and some arguments.
READS_RESULT = (*FUNCTIONS, "divide")
READS = {"multiply": (0, 1), "divide": (1,), "maximum": (0, 1)}


class NotUnderstoodError(Exception):
    """A step does what the fast path has no code for; the message says what."""


@dataclass(eq=False)
class Value:
    """One quantity of a step; which one it is, is its identity.

    Attributes:
        op: `'input'`, `'state'`, `'param'` and `'constant'` are given; `'product'`,
            `'add'`, `'subtract'`, `'multiply'`, `'divide'`, `'maximum'` and one of
            `FUNCTIONS` computed.
        args: the values it is computed of.
        name: of a state or a parameter; the number of a constant.
    """

    op: str
    args: tuple[Value, ...] = field(default=(), repr=False)
    name: str | float = ""

    __array_ufunc__ = None  # a NumPy array on the left is no part of a graph

    @property
    def given(self) -> bool:
        """Whether it is there before the step begins."""
        return not self.args

    def _with(self, op, other, swapped=False):
        if isinstance(other, Real) and op != "product":
            other = Value("constant", name=float(other))
        if not isinstance(other, Value):
            raise NotUnderstoodError(f"{op} with {type(other).__name__}")
        return Value(op, (other, self) if swapped else (self, other))

    def __matmul__(self, other):
        return self._with("product", other)

    def __add__(self, other):
        return self._with("add", other)

    def __radd__(self, other):
        return self._with("add", other, swapped=True)

    def __sub__(self, other):
        return self._with("subtract", other)

    def __rsub__(self, other):
        return self._with("subtract", other, swapped=True)

    def __mul__(self, other):
        return self._with("multiply", other)

    def __rmul__(self, other):
        return self._with("multiply", other, swapped=True)

    def __truediv__(self, other):
        return self._with("divide", other)

    def __rtruediv__(self, other):
        return self._with("divide", other, swapped=True)

    def maximum(self, other):
        return self._with("maximum", other)

    def __neg__(self):
        return self * -1.0

    def _function(self, op):
        return Value(op, (self,))


for _name in FUNCTIONS:
    setattr(Value, _name, partialmethod(Value._function, _name))


def trace_step(step, param_names, state_names) -> tuple[Value, ...]:
    """The new state of a step, as a graph of what it is computed of.

    Args:
        step: (X, state, params) to a state.
        param_names, state_names: in the order in which the step unpacks them.

    Raises:
        NotUnderstoodError: if the step wants more of its arguments than a `Value` has,
            or gives back anything else.
    """
    state = tuple(Value("state", name=name) for name in state_names)
    params = [Value("param", name=name) for name in param_names]
    try:
        new = tuple(step(Value("input", name="X"), state, params))
    except Exception as error:  # whatever a function says to arrays that are none
        raise NotUnderstoodError(f"{type(error).__name__}: {error}") from None
    if len(new) != len(state) or not all(isinstance(v, Value) for v in new):
        raise NotUnderstoodError("the step does not give back a state of its values")
    return new


def in_order(values) -> list[Value]:
    """All that these are computed of, and they, each after its arguments, once."""
    done: dict[Value, None] = {}

    def visit(value):
        for arg in value.args:
            visit(arg) if arg not in done else None
        done.setdefault(value)

    for value in values:
        visit(value)
    return list(done)
