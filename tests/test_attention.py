"""Attention, held to plain loops over steps and examples."""

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paddle import nn

SIZES = st.integers(1, 5)


@pytest.fixture
def double():
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


def weights_by_hand(scores, length):
    """Softmax of the first `length` scores, 0 for the others; no vector anywhere."""
    total = sum(np.exp(scores[t]) for t in range(length))
    return [np.exp(s) / total if t < length else 0.0 for t, s in enumerate(scores)]


def additive_by_hand(layer, Q, H, lengths):
    W_q, W_k, w_v = (
        p.weight.numpy().tolist() for p in (layer.W_q, layer.W_k, layer.w_v)
    )
    steps, n, size = H.shape
    G, alpha = np.zeros((n, size)), np.zeros((steps, n))
    for b in range(n):
        scores = []
        for t in range(steps):
            score = 0.0
            for k in range(len(w_v)):
                inner = sum(Q[b, i] * W_q[i][k] for i in range(Q.shape[1]))
                inner += sum(H[t, b, j] * W_k[j][k] for j in range(size))
                score += np.tanh(inner) * w_v[k][0]
            scores.append(score)
        alpha[:, b] = weights_by_hand(scores, lengths[b])
        for t in range(steps):
            for j in range(size):
                G[b, j] += alpha[t, b] * H[t, b, j]
    return G, alpha


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, SIZES, st.integers(0, 1000))
def test_additive_attention_is_the_sum_written_out(steps, n, dq, size, a, seed):
    paddle.set_default_dtype("float64")
    try:
        paddle.seed(seed)
        rng = np.random.default_rng(seed)
        layer = d2l.AdditiveAttention(dq, size, a)
        Q, H = rng.normal(size=(n, dq)), rng.normal(size=(steps, n, size))
        lengths = rng.integers(1, steps + 1, n)
        found = layer(*map(paddle.to_tensor, (Q, H, lengths)))
    finally:
        paddle.set_default_dtype("float32")
    for one, other in zip(found, additive_by_hand(layer, Q, H, lengths), strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-11, atol=1e-13)


def test_weights_of_an_untrained_query_of_zeros_depend_on_the_rows_only(double):
    layer = d2l.AdditiveAttention(3, 4, 5)
    H = paddle.randn([6, 1, 4])
    zero = paddle.zeros([1, 3])
    G, alpha = layer(zero, H)
    order = paddle.to_tensor([3, 0, 5, 1, 2, 4])
    G_permuted, alpha_permuted = layer(zero, H[order])
    np.testing.assert_allclose(G_permuted, G, atol=1e-14)
    np.testing.assert_allclose(alpha_permuted, alpha[order], atol=1e-14)


def test_equal_rows_share_the_weight_equally():
    layer = d2l.AdditiveAttention(2, 3, 4)
    G, alpha = layer(paddle.randn([1, 2]), paddle.ones([5, 1, 3]))
    np.testing.assert_allclose(alpha, np.full((5, 1), 0.2), rtol=1e-6)
    np.testing.assert_allclose(G, np.ones((1, 3)), rtol=1e-6)


@pytest.mark.parametrize("kind", ["additive", "self", "model", "both directions"])
def test_what_stands_behind_the_end_has_no_influence(kind):
    paddle.seed(0)
    lengths = paddle.to_tensor([4, 1, 6])
    X = paddle.randn([6, 3, 2])
    inside = paddle.arange(6).reshape([6, 1, 1]) < lengths.reshape([1, 3, 1])
    seen = inside.astype("float32")
    other = paddle.where(inside, X, X + 100)
    direction = "bidirect" if kind == "both directions" else "forward"
    rnn = nn.LSTM(2, 5, time_major=True, direction=direction)
    query = paddle.randn([3, 4])
    call = {
        "additive": lambda X: d2l_additive(query, X, lengths),
        "self": lambda X: head(X, lengths),
        "model": lambda X: model.attend(X, lengths),
        "both directions": lambda X: model.attend(X, lengths),
    }[kind]
    d2l_additive = d2l.AdditiveAttention(4, 2, 3)
    head, model = d2l.SelfAttention(2, 5), d2l.AttentionModel(rnn, 1)
    one, two = call(X), call(other)
    last = (one[0], two[0]) if kind != "self" else (one[0] * seen, two[0] * seen)
    np.testing.assert_allclose(*last, atol=1e-6)
    alpha = one[1].numpy()
    alpha = alpha.transpose(2, 1, 0) if kind == "self" else alpha
    assert (alpha[4:, ..., 0] == 0).all() and (alpha[1:, ..., 1] == 0).all()
    np.testing.assert_allclose(alpha.sum(axis=0), np.ones(alpha.shape[1:]), rtol=1e-5)


def test_a_shorter_sequence_among_longer_ones_answers_as_if_alone():
    paddle.seed(0)
    net = d2l.AttentionModel(nn.GRU(2, 4, time_major=True), 3)
    X = paddle.randn([7, 2, 2])
    together = net(X, paddle.to_tensor([7, 3]))
    np.testing.assert_allclose(together[1:], net(X[:3, 1:]), atol=1e-6)


def self_attention_by_hand(layer, X, lengths):
    W_q, W_k, W_v = (p.weight.numpy() for p in (layer.W_q, layer.W_k, layer.W_v))
    steps, n, _ = X.shape
    h = W_q.shape[1]
    Y, alpha = np.zeros((steps, n, h)), np.zeros((n, steps, steps))
    for b in range(n):
        for t in range(steps):
            scores = []
            for s in range(steps):
                q = [
                    sum(X[t, b, i] * W_q[i, k] for i in range(len(W_q)))
                    for k in range(h)
                ]
                key = [
                    sum(X[s, b, i] * W_k[i, k] for i in range(len(W_k)))
                    for k in range(h)
                ]
                scores.append(sum(q[k] * key[k] for k in range(h)) / h**0.5)
            alpha[b, t] = weights_by_hand(scores, lengths[b])
            for s in range(steps):
                Y[t, b] += alpha[b, t, s] * (X[s, b] @ W_v)
    return Y, alpha


@pytest.mark.parametrize(
    ("steps", "n", "d", "h"), [(1, 1, 1, 1), (4, 3, 2, 5), (6, 2, 3, 4)]
)
def test_self_attention_is_the_sum_written_out(double, steps, n, d, h):
    rng = np.random.default_rng(steps)
    layer = d2l.SelfAttention(d, h)
    X, lengths = rng.normal(size=(steps, n, d)), rng.integers(1, steps + 1, n)
    found = layer(paddle.to_tensor(X), paddle.to_tensor(lengths))
    for one, other in zip(
        found, self_attention_by_hand(layer, X, lengths), strict=True
    ):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-11, atol=1e-13)


def test_self_attention_does_not_know_the_order_and_positions_tell_it(double):
    paddle.seed(1)
    layer, X = d2l.SelfAttention(4, 3), paddle.randn([6, 2, 4])
    order = paddle.to_tensor([5, 2, 0, 1, 4, 3])
    np.testing.assert_allclose(layer(X[order])[0], layer(X)[0][order], atol=1e-14)
    told = X + d2l.positions(6, 4).astype("float64").unsqueeze(1)
    shuffled = X[order] + d2l.positions(6, 4).astype("float64").unsqueeze(1)
    assert float((layer(shuffled)[0] - layer(told)[0][order]).abs().max()) > 1e-3


def test_positions_are_the_formula_and_no_two_are_alike():
    P = d2l.positions(50, 6).numpy()
    assert P.shape == (50, 6) and P.dtype == np.float32
    for t in (0, 1, 7, 49):
        for i in range(3):
            angle = t / 10000 ** (2 * i / 6)
            np.testing.assert_allclose(P[t, 2 * i], np.sin(angle), atol=1e-6)
            np.testing.assert_allclose(P[t, 2 * i + 1], np.cos(angle), atol=1e-6)
    assert len(np.unique(P.round(4), axis=0)) == 50


def test_attention_is_trained_by_fit_and_every_parameter_has_a_gradient():
    paddle.seed(0)
    net = d2l.AttentionModel(nn.LSTM(2, 4, time_major=True), 1)
    loader = d2l.TaskLoader(d2l.adding, 10, 8, 3)
    adam = paddle.optimizer.Adam(parameters=net.parameters())
    before = {name: p.numpy() for name, p in net.named_parameters()}
    d2l.fit(net, loader, d2l.squared_errors, 2, lr=0.01, optimizer=adam)
    for name, p in net.named_parameters():
        assert (p.numpy() != before[name]).any(), name


def test_a_recurrent_layer_of_ours_can_be_attended_to():
    net = d2l.AttentionModel(d2l.ScratchLayer("gru", 2, 3), 2, num_hiddens=4)
    answer, alpha = net.attend(paddle.randn([5, 4, 2]))
    assert answer.shape == [4, 2] and alpha.shape == [5, 4]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: d2l.AdditiveAttention(0, 1, 1), "query_size is 0"),
        (lambda: d2l.AdditiveAttention(1, 0, 1), "row_size is 0"),
        (lambda: d2l.AdditiveAttention(1, 1, 1.5), "num_hiddens is 1.5"),
        (lambda: d2l.SelfAttention(0, 1), "input_size is 0"),
        (lambda: d2l.SelfAttention(1, 0), "num_hiddens is 0"),
        (lambda: d2l.positions(4, 3), "size is 3; it must be an even number"),
        (lambda: d2l.positions(0, 4), "num_steps is 0"),
        (lambda: d2l.AttentionModel(nn.LSTM(2, 3), 1), "time_major=True"),
        (lambda: d2l.AttentionModel(nn.Linear(2, 3), 1), "no recurrent layer"),
    ],
)
def test_wrong_sizes_are_refused_in_one_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def three_with_lengths(H):
    """Calls with lengths, for H (4, 2, 3)."""
    additive, Q = d2l.AdditiveAttention(2, 3, 1), paddle.randn([2, 2])
    own = d2l.SelfAttention(3, 2)
    model = d2l.AttentionModel(nn.LSTM(3, 2, time_major=True), 1)
    return (
        lambda lengths: additive(Q, H, lengths)[1],
        lambda lengths: own(H, lengths)[0],
        lambda lengths: model(H, lengths),
    )


@pytest.mark.parametrize("as_given", [list, np.array])
def test_lengths_may_be_a_list_or_an_array(as_given):
    for call in three_with_lengths(paddle.randn([4, 2, 3])):
        expected = call(paddle.to_tensor([1, 4])).numpy()
        np.testing.assert_array_equal(call(as_given([1, 4])).numpy(), expected)


@pytest.mark.parametrize("lengths", [[0, 2], [1, 5], [3], [1.0, 2.0]])
def test_impossible_lengths_are_refused(lengths):
    for call in three_with_lengths(paddle.randn([4, 2, 3])):
        for given_as in (paddle.to_tensor(lengths), lengths):
            with pytest.raises(ValueError, match="sequence_length (from|of)"):
                call(given_as)
