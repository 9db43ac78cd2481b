"""Tasks that ask for memory: the inputs say what is asked, and it can be learnt."""

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paddle import nn

SIZES = st.integers(1, 9), st.integers(0, 2**32 - 1)


@given(*SIZES, st.integers(2, 40))
def test_adding_asks_for_the_sum_of_one_number_of_each_half(n, seed, T):
    X, y = d2l.adding(n, T, np.random.default_rng(seed))
    assert X.shape == (T, n, 2) and y.shape == (n, 1)
    assert X.dtype == y.dtype == np.float32
    numbers, marks = X[..., 0], X[..., 1]
    assert (0 <= numbers).all() and (numbers < 1).all()
    assert (marks[: T // 2].sum(0) == 1).all() and (marks[T // 2 :].sum(0) == 1).all()
    assert set(np.unique(marks)) <= {0, 1}
    np.testing.assert_allclose((numbers * marks).sum(0), y[:, 0], rtol=1e-6)


def test_the_constant_1_has_a_squared_error_of_a_sixth_in_adding():
    _, y = d2l.adding(50_000, 10, np.random.default_rng(0))
    assert ((y - 1) ** 2).mean() == pytest.approx(1 / 6, rel=0.02)


@given(*SIZES, st.integers(10, 60))
def test_temporal_order_asks_for_the_order_of_two_symbols(n, seed, T):
    X, y = d2l.temporal_order(n, T, np.random.default_rng(seed))
    assert X.shape == (T, n, 6) and X.dtype == np.float32
    assert y.shape == (n,) and y.dtype == np.int64
    symbols = X.argmax(-1)
    assert (X.sum(-1) == 1).all()
    for row, answer in zip(symbols.T, y):
        (first, second) = np.flatnonzero(row >= 4)  # two, no more
        assert T // 10 <= first < max(T // 5, T // 10 + 1)
        assert T // 2 <= second < max(6 * T // 10, T // 2 + 1)
        assert answer == 2 * (row[first] == 5) + (row[second] == 5)


def test_all_classes_and_meaningless_symbols_are_as_likely():
    X, y = d2l.temporal_order(20_000, 20, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(y) / len(y), 0.25, atol=0.01)
    shares = X.reshape(-1, 6).mean(0)
    np.testing.assert_allclose(shares[:4], 0.9 / 4, atol=0.005)


@pytest.mark.parametrize(
    "task, num_steps, least", [(d2l.adding, 1, 2), (d2l.temporal_order, 9, 10)]
)
def test_too_few_steps_are_refused(task, num_steps, least):
    with pytest.raises(ValueError, match=f"num_steps is {num_steps}.* from {least}"):
        task(3, num_steps, np.random.default_rng(0))


def test_a_loader_draws_on_and_its_cut_into_epochs_changes_nothing():
    def numbers(num_batches, epochs):
        loader = d2l.TaskLoader(d2l.adding, 2, 5, num_batches, seed=4)
        assert len(loader) == num_batches
        return [X.numpy() for _ in range(epochs) for X, _ in loader]

    six, again = numbers(6, 1), numbers(2, 3)
    np.testing.assert_array_equal(six, again)
    assert len({x.tobytes() for x in six}) == 6


@pytest.mark.parametrize("option", ["batch_size", "num_batches"])
def test_a_loader_of_nothing_is_refused(option):
    sizes = {"batch_size": 2, "num_steps": 5, "num_batches": 3, option: 0}
    with pytest.raises(ValueError, match=f"{option} is 0"):
        d2l.TaskLoader(d2l.adding, **sizes)


@pytest.mark.parametrize(
    "task, losses, num_outputs, layer, floor",
    [
        (d2l.adding, d2l.squared_errors, 1, nn.GRU(2, 16, time_major=True), 1 / 6),
        (
            d2l.temporal_order, d2l.class_errors, 4,
            nn.GRU(6, 16, time_major=True), np.log(4),
        ),
    ],
)  # fmt: skip
def test_short_tasks_are_learnt(task, losses, num_outputs, layer, floor):
    paddle.seed(0)
    net = d2l.SequenceModel(layer, num_outputs)
    adam = paddle.optimizer.Adam(parameters=net.parameters())
    data = d2l.TaskLoader(task, 32, 10, 150, seed=0)
    fresh = list(d2l.TaskLoader(task, 200, 10, 1, seed=1))
    history = d2l.fit(net, data, losses, 3, lr=0.02, optimizer=adam, valid_iter=fresh)
    assert history.valid[-1] < 0.25 * floor
    if num_outputs == 4:
        assert d2l.accuracy(net, fresh) > 0.9


def test_accuracy_counts_over_minibatches_of_different_sizes():
    scores = paddle.to_tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
    data = [(scores[:1], paddle.to_tensor([0])), (scores[1:], paddle.to_tensor([0, 0]))]
    assert d2l.accuracy(lambda X: X, data) == pytest.approx(2 / 3)


# --------------------------------------------------------------------------------------
# Strings of equal counts


def test_equal_counts_are_filled_up_to_one_length():
    assert d2l.equal_counts([1, 3]) == ["ab|||||", "aaabbb|"]
    assert d2l.equal_counts([2, 1], "abc") == ["aabbcc|", "abc||||"]


@pytest.mark.parametrize(
    "numbers, symbols, sentence",
    [
        ([], "ab", "numbers is empty"),
        ([2, 0], "ab", "a number of symbols is 0"),
        ([1.5], "ab", "a number of symbols is 1.5"),
        ([1], "a", "symbols is 'a'"),
        ([1], "aba", "symbols is 'aba'"),
        ([1], "a|", "none of them '|'"),
    ],
)
def test_counts_that_make_no_string_are_refused(numbers, symbols, sentence):
    with pytest.raises(ValueError, match=sentence.replace("|", r"\|")):
        d2l.equal_counts(numbers, symbols)


class Counter:
    """A language model that counts by the rules, as far as its memory reaches."""

    def __init__(self, vocab, symbols, memory):
        self.vocab, self.symbols, self.memory = vocab, symbols, memory

    def begin_state(self, batch_size):
        return None

    def next_of(self, string):
        """The symbol after a string that begins with some of the first."""
        count = min(string.count(self.symbols[0]), self.memory)
        last = string[-1]
        if last == "|" or (place := self.symbols.index(last)) == 0:
            return self.symbols[0]  # no symbol follows from these: any will do
        if string.count(last) < count:
            return last
        return (*self.symbols, "|")[place + 1]

    def __call__(self, X, state):
        rows = [self.vocab.to_tokens(row) for row in X.tolist()]
        T, one_hot = X.shape[1], np.eye(len(self.vocab), dtype="float32")
        best = [self.next_of("".join(row[: t + 1])) for t in range(T) for row in rows]
        return paddle.to_tensor(one_hot[self.vocab[best]]), state


@pytest.mark.parametrize("symbols", ["ab", "abc"])
@pytest.mark.parametrize("memory", [1, 4, 9])
def test_the_farthest_count_is_the_memory_of_what_counts(symbols, memory):
    vocab = d2l.Vocab(symbols + "|")
    net = Counter(vocab, symbols, memory)
    assert d2l.farthest_count(net, vocab, symbols, most=9) == memory


def test_what_cannot_count_to_one_has_counted_to_0():
    vocab = d2l.Vocab("ab|")
    net = d2l.scratch_model("rnn", len(vocab), 3)
    net.params[-1].set_value(paddle.to_tensor([9.0, 0, 0, 0]))  # always <unk>
    assert d2l.farthest_count(net, vocab, most=3) == 0
    with pytest.raises(ValueError, match="most is 0"):
        d2l.farthest_count(net, vocab, most=0)


def test_accuracy_and_losses_give_a_model_its_lengths():
    net = d2l.SequenceModel(nn.GRU(2, 3, time_major=True), 4)
    X, y = paddle.randn([5, 6, 2]), paddle.to_tensor([0, 1, 2, 3, 0, 1])
    lengths = paddle.to_tensor([1, 2, 3, 4, 5, 5])
    ((loss, size),) = d2l.class_errors(net, [(X, lengths, y)])
    expected = nn.functional.cross_entropy(net(X, lengths), y)
    assert float(loss) == float(expected) and size == 6
    right = (net(X, lengths).argmax(1) == y).numpy().mean()
    assert d2l.accuracy(net, [(X, lengths, y)]) == pytest.approx(right)
    ((loss, _),) = d2l.squared_errors(net, [(X, lengths, paddle.zeros([6, 4]))])
    assert float(loss) == pytest.approx(float((net(X, lengths) ** 2).mean()), rel=1e-5)
