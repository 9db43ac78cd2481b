"""Dropout by rows of the weights, and weight decay: the same on every path."""

import random

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm.models import parameters_of
from d2l_lstm.regularising import Regularisation

CORPUS = np.random.default_rng(0).integers(1, 7, 400)


class _Names:
    """What a loader asks of a vocabulary."""

    idx_to_token = ["<unk>", *"abcdef"]

    def __len__(self):
        return 7


def model(num_hiddens=6, seed=1):
    paddle.seed(seed)
    net = d2l.scratch_model("lstm", 7, num_hiddens)
    for param in net.params:
        param.set_value(paddle.randn(param.shape) * 0.5)
    return net


def trained(regularisation, fast, num_epochs=2):
    net = model()
    loader = d2l.SeqDataLoader(4, 10, corpus=CORPUS, vocab=_Names(), offset=0)
    for generator in (random, np.random):
        generator.seed(3)
    vocab = d2l.Vocab(list("abcdef"))
    history = d2l.train_ch8(
        net, loader, vocab, 0.5, num_epochs, regularisation=regularisation,
        fast=fast, progress=False, prefixes=(),
    )  # fmt: skip
    return {n: p.numpy() for n, p in parameters_of(net).items()}, history


@pytest.mark.parametrize(
    "regularisation",
    [Regularisation(decay=0.01), Regularisation(0.3, 0.2, 0.4, 0.001)],
)
def test_autograd_and_the_fast_path_are_regularised_alike(regularisation):
    (slow, one), (fast, two) = (trained(regularisation, f) for f in (False, True))
    assert one.train == pytest.approx(two.train, rel=1e-4)
    for name in slow:
        np.testing.assert_allclose(slow[name], fast[name], atol=2e-4)


def test_nothing_left_out_and_no_decay_is_plain_training():
    plain, _ = trained(None, fast=False)
    same, _ = trained(Regularisation(), fast=False)
    for name in plain:
        np.testing.assert_array_equal(plain[name], same[name])


def test_a_row_left_out_is_a_unit_left_out_at_every_step():
    """Against the step written out with the mask on H and on the one-hot input."""
    np.random.seed(0)
    net, p = model(), Regularisation(0.3, 0.5, 0.5)
    names = parameters_of(net)
    masks = p.masks({n: tuple(q.shape) for n, q in names.items()})
    on = {n[:3] if n != "W_hq" else n: m.T for n, m in masks.items()}  # (1, rows)
    X = paddle.to_tensor(CORPUS[:20].reshape(2, 10))
    net.params = [
        q * paddle.to_tensor(masks[n], q.dtype) if n in masks else q
        for n, q in names.items()
    ]
    found, _ = net(X, net.begin_state(2))
    of = {n: q.numpy().astype("float64") for n, q in names.items()}
    H = C = np.zeros((2, 6))
    scores = []
    for t in range(10):
        one_hot = np.eye(7)[X.numpy()[:, t]] * on["W_x"]
        a = {g: one_hot @ of[f"W_x{g}"] + H * on["W_h"] @ of[f"W_h{g}"] + of[f"b_{g}"]
             for g in "ifoc"}  # fmt: skip
        I, F, O = (1 / (1 + np.exp(-a[g])) for g in "ifo")
        C = F * C + I * np.tanh(a["c"])
        H = O * np.tanh(C)
        scores.append(H * on["W_hq"] @ of["W_hq"] + of["b_q"])
    np.testing.assert_allclose(found.numpy(), np.concatenate(scores), atol=1e-5)


def test_masks_keep_a_sum_as_large_on_the_average_and_are_shared_by_gates():
    np.random.seed(0)
    masks = Regularisation(hidden=0.25).masks(
        {"W_hi": (9000, 2), "W_ho": (9000, 2), "W_xi": (5, 2), "W_hq": (9000, 3)}
    )
    assert set(masks) == {"W_hi", "W_ho"} and masks["W_hi"] is masks["W_ho"]
    assert masks["W_hi"].mean() == pytest.approx(1, abs=0.02)
    assert set(np.unique(masks["W_hi"])) == {0, 1 / 0.75}


def test_decay_is_the_gradient_of_its_penalty_and_leaves_biases_alone():
    plain, regularised = model(), model()
    data = [(paddle.to_tensor(CORPUS[None, :10]), paddle.to_tensor(CORPUS[None, 1:11]))]
    loss, _ = next(d2l.token_losses(plain, data))
    loss.backward()
    decayed, _ = next(
        Regularisation(decay=0.1).losses(d2l.token_losses, regularised, data)
    )
    decayed.backward()
    assert float(loss) == pytest.approx(float(decayed), abs=1e-6)
    for name, p in parameters_of(plain).items():
        more = 0.1 * p.numpy() if name.startswith("W") else 0
        other = parameters_of(regularised)[name].grad.numpy()
        np.testing.assert_allclose(other, p.grad.numpy() + more, atol=1e-6)


def test_validation_leaves_nothing_out():
    net = model()
    train_iter, valid_iter = (
        d2l.SeqDataLoader(4, 10, corpus=CORPUS, vocab=_Names(), offset=0) for _ in "tv"
    )
    history = d2l.train_ch8(
        net, train_iter, d2l.Vocab(list("abcdef")), 0.5, 1, valid_iter=valid_iter,
        regularisation=Regularisation(0.5, 0.5, 0.5), valid_every=1, progress=False,
        prefixes=(), fast=False,
    )  # fmt: skip
    assert history.valid[0] == d2l.evaluate_perplexity(net, valid_iter)


@pytest.mark.parametrize(
    "wrong", [{"inputs": 1.0}, {"hidden": -0.1}, {"outputs": np.nan}, {"decay": -1}]
)
def test_shares_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Regularisation(**wrong)


def test_a_model_of_unknown_parameters_is_refused():
    layer = d2l.RNNModel(paddle.nn.LSTM(7, 6, time_major=True), 7)
    own = d2l.RNNModelScratch(
        7, 6, d2l.get_lstm_params, d2l.init_lstm_state, lambda *a: d2l.lstm(*a)
    )
    loader = d2l.SeqDataLoader(4, 10, corpus=CORPUS, vocab=_Names(), offset=0)
    vocab = d2l.Vocab(list("abcdef"))
    for net in (layer, own):
        with pytest.raises(ValueError, match="regularisation goes with"):
            d2l.train_ch8(
                net, loader, vocab, 1.0, 1, regularisation=Regularisation(hidden=0.2),
                progress=False,
            )  # fmt: skip
