"""What the source of a piece is made of, compiled by numba.

Everything here is called from compiled code, without Python's lock, so pieces of a
minibatch are computed at the same time. The products are MKL's (`mkl`).
"""

from __future__ import annotations

import llvmlite.binding
import numpy as np
from numba import njit, types

from . import mkl
from .with_numpy import LOWEST

# Not among the last: that numbers are finite. A loss that is not has to be seen.
_OPTIONS = {"nogil": True, "error_model": "numpy"}
_OPTIONS |= {"fastmath": {"contract", "nsz", "arcp"}}
part = njit(**_OPTIONS)  # of what is compiled: kept on disk as a part of it
inlined = njit(inline="always", **_OPTIONS)


def compiled(function):
    """A function of a piece's source; what is compiled is kept, if it can be."""
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder may be written to
        return njit(**_OPTIONS)(function)


def _external(products: mkl.Products, name: str, real, arguments):
    """A C function, known to compiled code by a name that is the same in each process.

    So compiled code can be kept on disk: where the function is, is not part of it.
    """
    symbol = f"d2l_lstm_{name}_{real}"
    llvmlite.binding.add_symbol(symbol, products.addresses[name])
    return types.ExternalFunction(symbol, types.void(*arguments))


def _products(dtype):
    """Matrix products of arrays whose rows are contiguous."""
    i, p, real = types.intc, types.uintp, getattr(types, dtype)
    products = mkl.load(dtype)
    six = [i] * 6
    gemm = _external(products, "gemm", real, [*six, real, p, i, p, i, real, p, i])
    compute = _external(products, "compute", real, [*six, p, i, p, i, real, p, i])
    return map(part, mkl.of_arrays(gemm, compute, dtype))


# tanh(x) = x * P(x * x) / Q(x * x), coefficients from the constant one on, fitted up to
# LAST by `tools/fit_tanh.py`: the largest error is 3.5e-7 of the value. From ONE on
# float32 has no other value than 1.
LAST, ONE = 7.9, 9.02
P = (1.0, 0.13450627, 0.0035789993, 2.2023367e-05, 1.5428146e-08)
Q = (1.0, 0.46783954, 0.026192266, 0.00034236626, 8.5988495e-07)


def _functions(dtype):
    real = np.dtype(dtype).type
    half, one, last, from_one = real(0.5), real(1), real(LAST), real(ONE)
    zero, fifth = real(0), real(0.2)
    p0, p1, p2, p3, p4 = (real(c) for c in P)
    q0, q1, q2, q3, q4 = (real(c) for c in Q)

    @inlined
    def tanh32(x):
        y = min(max(x, -last), last)
        s = y * y
        p = (((p4 * s + p3) * s + p2) * s + p1) * s + p0
        q = (((q4 * s + q3) * s + q2) * s + q1) * s + q0
        y = y * p / q
        y = one if x >= from_one else y
        return -one if x <= -from_one else y

    @inlined
    def tanh64(x):
        return np.tanh(x)

    tanh = tanh32 if dtype == "float32" else tanh64

    @inlined
    def sigmoid(x):
        return half * tanh(half * x) + half

    @inlined
    def relu(x):
        return zero if x < zero else x  # what is not a number stays so

    @inlined
    def hard_sigmoid(x):
        y = fifth * x + half
        y = zero if y < zero else y
        return one if y > one else y

    @inlined
    def exp(x):
        return np.exp(x)

    @inlined
    def log_sigmoid(x):
        return min(x, zero) - np.log1p(np.exp(-abs(x)))

    @inlined
    def maximum(x, y):
        return y if x < y else x

    @inlined
    def where(condition, x, y):
        return x if condition else y

    return {
        "sigmoid": sigmoid, "tanh": tanh, "relu": relu, "hard_sigmoid": hard_sigmoid,
        "exp": exp, "log_sigmoid": log_sigmoid, "maximum": maximum, "where": where,
        "fifth": fifth,
    }  # fmt: skip


@part
def cross_entropy(logits, b_q, labels, scale):
    """Sum of the losses; the scores become the loss's derivative, times scale."""
    total = 0.0
    for r in range(logits.shape[0]):
        row = logits[r]
        largest, lowest = row[0] + b_q[0], logits.dtype.type(LOWEST)
        for j in range(row.shape[0]):
            row[j] += b_q[j]
            largest = max(largest, row[j])
        of_label = max(row[labels[r]] - largest, lowest)
        normalizer = scale - scale
        for j in range(row.shape[0]):
            row[j] = np.exp(max(row[j] - largest, lowest))
            normalizer += row[j]
        total += np.log(np.float64(normalizer)) - of_label
        factor = scale / normalizer
        for j in range(row.shape[0]):
            row[j] *= factor
        row[labels[r]] -= scale
    return total


@part
def sum_rows(matrix, into):
    """The sum of a matrix's rows."""
    into[:] = matrix[0]
    for r in range(1, matrix.shape[0]):
        row = matrix[r]
        for j in range(row.shape[0]):
            into[j] += row[j]


@part
def _add(row, into):
    for j in range(row.shape[0]):
        into[j] += row[j]


@part
def add_rows(slots, which, tokens, into, h):
    """Add up the rows of each token: column i of `into` from the slot `which[i]`."""
    into[:] = 0
    for r in range(slots.shape[0]):
        row, table_row = slots[r], into[tokens[r]]
        for i in range(which.shape[0]):
            first = which[i] * h
            _add(row[first : first + h], table_row[i * h : i * h + h])


def functions(dtype: str) -> dict:
    """All of it for float32 or float64, by the names in the source of a piece."""
    real = np.dtype(dtype).type
    multiply, multiply_packed, multiply_packed_back = _products(dtype)
    return {
        "compiled": compiled, "real": real, "one": real(1), "zero": real(0),
        **_functions(dtype), "multiply": multiply, "multiply_packed": multiply_packed,
        "multiply_packed_back": multiply_packed_back, "sum_rows": sum_rows,
        "cross_entropy": cross_entropy, "add_rows": add_rows,
    }  # fmt: skip
