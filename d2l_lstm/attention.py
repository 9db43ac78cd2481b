"""Attention: a mean of many rows, with weights that depend on what is asked.

    layer = nn.LSTM(2, 26, time_major=True)
    net = AttentionModel(layer, num_outputs=1)
    answer, weights = net.attend(X)  # (batch_size, 1), (num_steps, batch_size)

As everywhere here, time comes first: (num_steps, batch_size, ...).
"""

from __future__ import annotations

import math

import numpy as np
import paddle
from paddle import nn
from paddle.nn.functional import softmax

from .models import lengths_of, recurrent_layer
from .text import check_whole


def masked_softmax(scores, inside=None, axis: int = -1):
    """Weights that add up to 1: the larger a score, the more of it.

    Args:
        scores: of any shape.
        inside: truth values of a shape that goes with it: which scores count; by
            default all. The others get a weight of 0.
        axis: along which the weights add up to 1; one score must count there.

    Returns:
        As `scores`.
    """
    if inside is None:
        return softmax(scores, axis=axis)
    zero = paddle.zeros_like(scores)
    weights = softmax(paddle.where(inside, scores, zero - math.inf), axis=axis)
    return paddle.where(inside, weights, zero)  # Paddle's softmax leaves about e^-64


def steps_inside(X, sequence_length):
    """Which steps of X count, (num_steps, batch_size); None if no lengths are given."""
    if sequence_length is None:
        return None
    return paddle.arange(len(X)).unsqueeze(1) < lengths_of(X, sequence_length)


class AdditiveAttention(nn.Layer):
    """Attention whose scores come from a small network of one hidden layer.

    For a query Q and rows H_1 ... H_T,

        score_t = tanh(Q W_q + H_t W_k) w_v,   alpha = softmax(score),
        G = alpha_1 H_1 + ... + alpha_T H_T.

    Args:
        query_size, row_size: entries of Q, and of each H_t.
        num_hiddens: a, of the small network.

    Call with Q (batch_size, query_size), H (num_steps, batch_size, row_size) and, if
    they differ, `sequence_length` (batch_size,): rows behind a sequence's end have no
    influence then. Returns G (batch_size, row_size) and the weights alpha (num_steps,
    batch_size), which add up to 1 over the steps.

    Raises:
        ValueError: for a size below 1; when called, for a length below 1 or above
            num_steps.

    Source: D. Bahdanau, K. Cho, Y. Bengio (2015), Neural machine translation by jointly
    learning to align and translate, ICLR, section 3.1 and appendix A.1.2.
    """

    def __init__(self, query_size: int, row_size: int, num_hiddens: int):
        super().__init__()
        check_whole("query_size", query_size, 1)
        check_whole("row_size", row_size, 1)
        check_whole("num_hiddens", num_hiddens, 1)
        self.W_q = nn.Linear(query_size, num_hiddens, bias_attr=False)
        self.W_k = nn.Linear(row_size, num_hiddens, bias_attr=False)
        self.w_v = nn.Linear(num_hiddens, 1, bias_attr=False)

    def forward(self, Q, H, sequence_length=None):
        inside = steps_inside(H, sequence_length)  # (T, n)
        scores = self.w_v(paddle.tanh(self.W_q(Q) + self.W_k(H)))  # (T, n, 1)
        alpha = masked_softmax(scores.squeeze(-1), inside, axis=0)  # (T, n)
        G = (alpha.unsqueeze(-1) * H).sum(axis=0)  # (n, row_size)
        return G, alpha


class AttentionModel(nn.Layer):
    """A recurrent layer that reads a sequence, and looks back before it answers.

    The last hidden state (of each direction) is the query, the hidden states of all
    steps are the rows; the answer is made from what attention brings, and from nothing
    else.

    Args:
        rnn_layer: as for `SequenceModel`.
        num_outputs: numbers of an answer.
        num_hiddens: of the attention; by default as many as a hidden state has.

    Call as a `SequenceModel`; `attend` gives the weights too.
    """

    def __init__(self, rnn_layer, num_outputs: int, num_hiddens: int | None = None):
        super().__init__()
        check_whole("num_outputs", num_outputs, 1)
        self.rnn = recurrent_layer(rnn_layer)
        size = self.rnn.hidden_size * self.rnn.num_directions
        self.attention = AdditiveAttention(size, size, num_hiddens or size)
        self.linear = nn.Linear(size, num_outputs)

    def attend(self, X, sequence_length=None):
        """Answers (batch_size, num_outputs) and weights (num_steps, batch_size)."""
        if sequence_length is not None:
            sequence_length = lengths_of(X, sequence_length)
        H, state = self.rnn(X, None, sequence_length)  # (T, n, h)
        last = state[0] if self.rnn.state_components > 1 else state
        Q = paddle.concat(list(last[-self.rnn.num_directions :]), axis=-1)
        G, alpha = self.attention(Q, H, sequence_length)
        return self.linear(G), alpha

    def forward(self, X, sequence_length=None):
        return self.attend(X, sequence_length)[0]


class SelfAttention(nn.Layer):
    """One head of self-attention: every step asks, and every step answers.

        Q = X W_q,  K = X W_k,  V = X W_v,   Y = softmax(Q K^T / sqrt(h)) V,

    with the softmax over the steps that answer. It does not know in which order the
    steps come: permuted inputs give the same outputs, permuted.

    Args:
        input_size, num_hiddens: d and h.

    Call with X (num_steps, batch_size, d) and, if they differ, `sequence_length`
    (batch_size,). Returns Y (num_steps, batch_size, h) and the weights (batch_size,
    num_steps, num_steps): entry [:, t, s] is how much step t draws from step s, and
    they add up to 1 over s.

    Raises:
        ValueError: for a size below 1; when called, for a length below 1 or above
            num_steps.

    Source: A. Vaswani et al. (2017), Attention is all you need, NeurIPS, section 3.2.
    """

    def __init__(self, input_size: int, num_hiddens: int):
        super().__init__()
        check_whole("input_size", input_size, 1)
        check_whole("num_hiddens", num_hiddens, 1)
        self.num_hiddens = num_hiddens
        self.W_q, self.W_k, self.W_v = (
            nn.Linear(input_size, num_hiddens, bias_attr=False) for _ in range(3)
        )

    def forward(self, X, sequence_length=None):
        inside = steps_inside(X, sequence_length)
        if inside is not None:
            inside = inside.T.unsqueeze(1)  # (n, 1, T)
        X = X.transpose([1, 0, 2])  # (n, T, d)
        Q, K, V = self.W_q(X), self.W_k(X), self.W_v(X)  # (n, T, h)
        scores = Q @ K.transpose([0, 2, 1]) / math.sqrt(self.num_hiddens)
        alpha = masked_softmax(scores, inside)  # (n, T, T)
        return (alpha @ V).transpose([1, 0, 2]), alpha


def positions(num_steps: int, size: int):
    """Rows that tell one step from another: sines and cosines of many wavelengths.

    Args:
        num_steps: T.
        size: entries of a row, an even number.

    Returns:
        (num_steps, size), float32: entries 2i and 2i + 1 of row t are the sine and the
        cosine of t / 10000^(2i / size).

    Raises:
        ValueError: for another size.

    Source: Vaswani et al. 2017, section 3.5.
    """
    check_whole("num_steps", num_steps, 1)
    check_whole("size", size, 2)
    if size % 2:
        raise ValueError(f"size is {size}; it must be an even number.")
    angle = np.arange(num_steps)[:, None] / 10000 ** (np.arange(0, size, 2) / size)
    both = np.stack([np.sin(angle), np.cos(angle)], axis=-1)  # (T, size / 2, 2)
    return paddle.to_tensor(both.reshape(num_steps, size).astype("float32"))
