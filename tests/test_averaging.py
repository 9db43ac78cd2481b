"""The mean of the weights along a run."""

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm.averaging import Averaging
from d2l_lstm.fitting import Callback

TEXT = "the time machine " * 40


class Weights(Callback):
    """Notes the weights after each epoch."""

    def __init__(self):
        self.noted = []

    def epoch(self, run, scheduled):
        self.noted.append([t.numpy() for t in run.weights.values()])


def trained(*callbacks, num_epochs=5, net=None, **options):
    corpus, vocab = d2l.load_corpus(TEXT)
    loader = d2l.SeqDataLoader(4, 10, corpus=corpus, vocab=vocab)
    net = net or d2l.scratch_model("lstm", len(vocab), 5)
    made = [make(net) if callable(make) else make for make in callbacks]
    history = d2l.train_ch8(
        net, loader, vocab, 2.0, num_epochs, progress=False, callbacks=made, **options
    )
    return net, history, made


def test_the_model_has_the_mean_of_its_last_epochs():
    noting = Weights()
    net, _, (_, averaging) = trained(noting, lambda net: Averaging(net, 3))
    assert averaging.count == 3
    for i, param in enumerate(net.params):
        mean = np.mean([weights[i] for weights in noting.noted[2:]], axis=0)
        np.testing.assert_allclose(param.numpy(), mean, rtol=1e-5, atol=1e-7)


def test_training_goes_on_from_the_weights_themselves():
    one, two = Weights(), Weights()
    d2l_seed(0)
    trained(one)
    d2l_seed(0)
    trained(two, lambda net: Averaging(net, 1))
    for a, b in zip(one.noted[-1], two.noted[-1]):
        np.testing.assert_array_equal(a, b)


def d2l_seed(seed):
    import random

    import paddle

    random.seed(seed)
    paddle.seed(seed)


def test_a_run_that_ends_before_keeps_its_last_weights():
    noting = Weights()
    net, _, _ = trained(noting, lambda net: Averaging(net, 9))
    for param, last in zip(net.params, noting.noted[-1]):
        np.testing.assert_array_equal(param.numpy(), last)


def test_a_run_that_went_on_after_the_first_epoch_is_refused(tmp_path):
    file = tmp_path / "a.safetensors"
    net, _, _ = trained(checkpoint=file, num_epochs=4)
    with pytest.raises(ValueError, match="4 epochs already"):
        trained(
            lambda net: Averaging(net, 3), net=net, checkpoint=file, resume=True,
            num_epochs=6,
        )  # fmt: skip


def test_the_first_epoch_is_a_whole_number():
    with pytest.raises(ValueError, match="first"):
        Averaging(None, 0)
