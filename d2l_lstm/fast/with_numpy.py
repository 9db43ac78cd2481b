"""What the source of a piece is made of, on NumPy's arrays.

Slower than `with_numba`, and without anything to compile. The products are MKL's.
"""

from __future__ import annotations

import numpy as np

from . import mkl

LOWEST = -64.0  # Paddle's softmax lets no score be further below the largest


def functions(dtype: str) -> dict:
    """All of it for float32 or float64, by the names in the source of a piece."""
    products, real = mkl.load(dtype), np.dtype(dtype).type
    multiply, *packed = mkl.of_arrays(products.gemm, products.compute, dtype)
    multiply_packed, multiply_packed_back = packed
    half, fifth, zero, one = real(0.5), real(0.2), real(0), real(1)

    def sigmoid(x):
        y = np.tanh(half * x)
        y *= half
        y += half
        return y

    def relu(x):
        return np.maximum(x, zero)

    def hard_sigmoid(x):
        y = fifth * x
        y += half
        return y.clip(zero, one)

    def log_sigmoid(x):
        return -np.logaddexp(zero, -x)

    def cross_entropy(logits, b_q, labels, scale):
        rows = np.arange(len(logits))
        logits += b_q
        logits -= logits.max(1, keepdims=True)
        np.maximum(logits, LOWEST, out=logits)
        of_label = logits[rows, labels]
        np.exp(logits, out=logits)
        normalizer = logits.sum(1)
        logits *= (scale / normalizer)[:, None]
        logits[rows, labels] -= scale
        return float(np.log(normalizer, dtype=float).sum() - of_label.sum(dtype=float))

    def sum_rows(matrix, into):
        matrix.sum(0, out=into)

    def add_rows(slots, which, tokens, into, h):
        one_hot = np.zeros((len(tokens), len(into)), real)
        one_hot[np.arange(len(tokens)), tokens] = 1
        for i, slot in enumerate(which):
            columns = slots[:, slot * h : (slot + 1) * h]
            multiply(one_hot, columns, into[:, i * h : (i + 1) * h], True, False)

    return {
        "real": real, "one": one, "zero": zero, "fifth": fifth, "sigmoid": sigmoid,
        "tanh": np.tanh, "relu": relu, "hard_sigmoid": hard_sigmoid, "exp": np.exp,
        "log_sigmoid": log_sigmoid, "maximum": np.maximum, "where": np.where,
        "multiply": multiply, "multiply_packed": multiply_packed,
        "multiply_packed_back": multiply_packed_back, "sum_rows": sum_rows,
        "cross_entropy": cross_entropy, "add_rows": add_rows,
    }  # fmt: skip
