"""Problems with a known answer that ask for memory, made as many as are wanted.

    X, y = adding(batch_size, num_steps, rng)

X is (num_steps, batch_size, d): time first, as recurrent layers here read it. What has
to be remembered lies far from the end, where the answer is asked for.

    net = SequenceModel(nn.LSTM(2, 64, time_major=True), num_outputs=1)
    train_iter = TaskLoader(adding, batch_size=50, num_steps=100, num_batches=20)
    history = fit(net, train_iter, squared_errors, num_epochs, lr=0.01, optimizer=...)

Strings of equal counts are for a language model, which is asked at every step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
from paddle.nn.functional import cross_entropy, mse_loss

from .text import check_whole


def adding(batch_size: int, num_steps: int, rng: np.random.Generator):
    """Add the two numbers, of many, that are marked.

    At each step an input has a number, uniform in [0, 1), and a mark. The mark is 1 at
    one step of the first half and at one of the second half, and 0 elsewhere. The
    answer is the sum of the two marked numbers: the constant 1 has a mean squared error
    of 1/6.

    Returns:
        X (num_steps, batch_size, 2), float32, and y (batch_size, 1), float32.

    Raises:
        ValueError: for fewer than 2 steps.

    Source: Hochreiter & Schmidhuber 1997, experiment 4, in the form of Arjovsky,
    Shah & Bengio 2016.
    """
    check_whole("num_steps", num_steps, 2)
    rows = np.arange(batch_size)
    X = np.zeros((num_steps, batch_size, 2), "float32")
    X[:, :, 0] = rng.random((num_steps, batch_size), "float32")
    first = rng.integers(0, num_steps // 2, batch_size)
    second = rng.integers(num_steps // 2, num_steps, batch_size)
    X[first, rows, 1] = X[second, rows, 1] = 1
    y = X[first, rows, 0] + X[second, rows, 0]
    return X, y[:, None]


def temporal_order(batch_size: int, num_steps: int, rng: np.random.Generator):
    """Tell in which order two symbols came, of many that mean nothing.

    Symbols 0 to 3 mean nothing; symbols 4 and 5 come twice in all: once between steps
    T/10 and 2T/10, once between 5T/10 and 6T/10, each time one of the two. The answer
    is the class 2a + b, where a says whether the first was symbol 5, b the second.

    Returns:
        X (num_steps, batch_size, 6), one-hot float32, and y (batch_size,), int64, from
        0 to 3, all as likely.

    Raises:
        ValueError: for fewer than 10 steps.

    Source: Hochreiter & Schmidhuber 1997, experiment 6a, without its symbols for begin
    and end: all sequences are as long.
    """
    check_whole("num_steps", num_steps, 10)
    rows, T = np.arange(batch_size), num_steps
    symbols = rng.integers(0, 4, (T, batch_size))
    which = rng.integers(0, 2, (2, batch_size))
    for a, (begin, end) in zip(which, ((T // 10, T // 5), (T // 2, 6 * T // 10))):
        symbols[rng.integers(begin, end, batch_size), rows] = 4 + a
    return np.eye(6, dtype="float32")[symbols], 2 * which[0] + which[1]


class TaskLoader:
    """Minibatches of a task, new ones each time they are read.

    Args:
        task: (batch_size, num_steps, rng) to X and y, as the functions of this module.
        batch_size, num_steps: n and T.
        num_batches: minibatches until the loader ends; what `fit` calls an epoch.
        seed: of the loader's own random numbers, drawn on from one reading to the next.
            What is drawn does not depend on how it is cut into epochs.

    Yields X and y as tensors.
    """

    def __init__(self, task: Callable, batch_size, num_steps, num_batches, seed=0):
        check_whole("batch_size", batch_size, 1)
        check_whole("num_batches", num_batches, 1)
        self.task, self.sizes, self.num_batches = (
            task,
            (batch_size, num_steps),
            num_batches,
        )
        self._rng = np.random.default_rng(seed)

    def __len__(self):
        return self.num_batches

    def __iter__(self):
        for _ in range(self.num_batches):
            X, y = self.task(*self.sizes, self._rng)
            yield paddle.to_tensor(X), paddle.to_tensor(y)


def squared_errors(net, data):
    """For `fit`: the mean squared error of each minibatch, and its size."""
    for *inputs, y in data:
        yield mse_loss(net(*inputs), y), len(y)


def class_errors(net, data):
    """For `fit`: the mean cross-entropy (nats) of each minibatch, and its size.

    A minibatch is X and y, or X, the sequences' lengths and y.
    """
    for *inputs, y in data:
        yield cross_entropy(net(*inputs), y), len(y)


def accuracy(net, data) -> float:
    """The share of examples for which the class with the highest score is right."""
    right, count = 0, 0
    for *inputs, y in data:
        right += int((net(*inputs).argmax(1) == y).sum())
        count += len(y)
    return right / count


# --------------------------------------------------------------------------------------
# Strings of equal counts, for a language model

END = "|"  # of a string of equal counts


def equal_counts(numbers, symbols: str = "ab") -> list[str]:
    """Strings with as many of each symbol: aabb for 2, aaabbb for 3.

    They are filled up with end marks, `|`, to one length: that of the longest and one
    end mark. From the second symbol on each symbol follows from those before it: how
    many were the first has to be counted, and counted down.

    Args:
        numbers: how many of each symbol, one number a string, each at least 1.
        symbols: in their order, `"ab"` or `"abc"`; none twice, and not the end mark.

    Raises:
        ValueError: for other numbers or symbols.

    Source: Gers & Schmidhuber 2001, "LSTM recurrent networks learn simple context-free
    and context-sensitive languages".
    """
    numbers = list(numbers)
    if not numbers:
        raise ValueError("numbers is empty; give how many of each symbol, from 1 on.")
    for number in numbers:
        check_whole("a number of symbols", number, 1)
    if len(symbols) < 2 or len({*symbols, END}) != len(symbols) + 1:
        raise ValueError(
            f"symbols is {symbols!r}; give two or more, none twice and none of them "
            f"{END!r}, which ends a string."
        )
    length = len(symbols) * max(numbers) + 1
    strings = ("".join(symbol * n for symbol in symbols) for n in numbers)
    return [string.ljust(length, END) for string in strings]


def farthest_count(net, vocab, symbols: str = "ab", most: int = 100) -> int:
    """How far a language model counts: the largest N for which 1, 2, … N are all right.

    A string is right if, from its second symbol on, the next symbol is at every step
    the one with the highest score, up to and with the end mark.

    Args:
        net: as `RNNModelScratch`; it starts from zeros at each string.
        vocab: of the symbols and the end mark.
        symbols: see `equal_counts`.
        most: the largest number that is tried.

    Returns:
        From 0, not even one of each, to `most`.

    Raises:
        ValueError: see `equal_counts`.
    """
    check_whole("most", most, 1)
    strings = equal_counts(range(1, most + 1), symbols)
    indices = np.array([vocab[list(string)] for string in strings])  # (most, T)
    with paddle.no_grad():
        scores, _ = net(paddle.to_tensor(indices), net.begin_state(most))
    best = scores.numpy().argmax(axis=1).reshape(-1, most).T  # (most, T)
    right = best[:, :-1] == indices[:, 1:]
    for n in range(1, most + 1):
        if not right[n - 1, n : len(symbols) * n].all():
            return n - 1
    return most


# --------------------------------------------------------------------------------------
# Recall, for a language model

RECALL_SIGNS = "abcd.?"


def recall(
    batch_size: int,
    num_steps: int,
    rng: np.random.Generator,
    letters: float = 0.08,
    questions: float = 0.4,
):
    """Rows of letters, dots and questions: which was the last letter?

    A row begins with a letter. Each further sign is by chance a new letter, a `?`, or a
    `.` that means nothing. The answer at a `?` is the last letter.

    Args:
        batch_size, num_steps: n and T.
        rng: where chance comes from.
        letters, questions: the chances of a letter and of a question at a step.

    Returns:
        X (batch_size, num_steps), int64: indices into a vocabulary of `RECALL_SIGNS`
        behind `<unk>`; and Y of the same shape: the answer at a question, elsewhere 0,
        `<unk>`, "cannot be known".

    Raises:
        ValueError: for sizes below 1, or chances that are none.

    Source: the latch of Bengio, Simard & Frasconi 1994, here asked again and again.
    """
    check_whole("batch_size", batch_size, 1)
    check_whole("num_steps", num_steps, 1)
    if not (letters >= 0 and questions >= 0 and letters + questions <= 1):
        raise ValueError(
            f"letters is {letters} and questions is {questions}; give two chances, "
            "together at most 1."
        )
    chance = rng.random((batch_size, num_steps))
    is_letter = chance < letters
    is_letter[:, 0] = True
    is_question = ~is_letter & (chance < letters + questions)
    which = rng.integers(1, RECALL_SIGNS.index(".") + 1, (batch_size, num_steps))
    dot, question = RECALL_SIGNS.index(".") + 1, RECALL_SIGNS.index("?") + 1
    X = np.where(is_letter, which, np.where(is_question, question, dot))
    steps = np.arange(num_steps)
    last = np.maximum.accumulate(np.where(is_letter, steps, 0), axis=1)
    return X, np.where(is_question, np.take_along_axis(X, last, axis=1), 0)
