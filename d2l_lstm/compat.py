"""Repair the installed `d2l.paddle` in place, so that the book's own cells run.

d2l 0.17.6 (November 2022) is the last release with a Paddle module. With today's Paddle
and NumPy 2.4 its recurrent chapters stop in every cell that trains or predicts.
`repair()` replaces what is broken inside `d2l.paddle` and leaves the rest, so the
numbers that it computes are still the library's own.

    from d2l_lstm import compat
    print(compat.repair())
    from d2l import paddle as d2l
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from dataclasses import dataclass, field

import paddle
from paddle import nn

from . import text
from .download import DownloadError, reason_of
from .files import FileError, kind_of, shown, write_whole
from .models import RNNModel, RNNStack, recurrent_layer


@dataclass
class Repairs:
    """What `repair()` did: one sentence for each thing, none if it was done before."""

    done: list[str] = field(default_factory=list)

    def __str__(self):
        if not self.done:
            return "d2l.paddle was repaired already."
        return "Repaired d2l.paddle:\n" + "\n".join(f"- {line}" for line in self.done)


def _import_d2l():
    """Import d2l.paddle without letting it silence the warnings of the process."""
    imported_before = "d2l.paddle" in sys.modules
    try:
        with warnings.catch_warnings():  # takes back the filter that d2l adds
            warnings.simplefilter("ignore")
            from d2l import paddle as d2l
    except ImportError as error:
        raise ImportError(
            f"d2l.paddle cannot be imported ({error}); "
            "pip install --no-deps d2l==0.17.6 installs it."
        ) from error
    if imported_before:  # its filter is the plain "ignore everything"
        everything = ("ignore", None, Warning, None, 0)
        warnings.filters[:] = [f for f in warnings.filters if f != everything]
        with warnings.catch_warnings():  # tells the module that its filters changed
            pass
    return d2l


def repair(source: str = "chapter") -> Repairs:
    """Patch the installed `d2l.paddle`. A second call does nothing more.

    Args:
        source: what `read_time_machine` of the library reads: `'chapter'`, the first
            chapter, embedded here and enough for its default of 10,000 characters, or
            `'full'`, the whole book, downloaded and checked.

    Returns:
        What was repaired; print it.

    Raises:
        ValueError: for an unknown source; nothing is patched then.
        ImportError: if d2l 0.17.6 is not installed, with the command to install it.
        ValueError: for an unknown source; nothing is patched then.
    """
    if source not in ("chapter", "full"):
        raise ValueError(f"unknown source {source!r}; choose 'chapter' or 'full'.")
    d2l = _import_d2l()
    repairs = Repairs()
    if getattr(d2l, "_repaired_by_d2l_lstm", None) == source:
        return repairs
    first_time = not hasattr(d2l, "_repaired_by_d2l_lstm")
    d2l._repaired_by_d2l_lstm = source

    def read_time_machine():
        return text.read_time_machine(source)

    d2l.read_time_machine = read_time_machine
    repairs.done.append(
        "read_time_machine reads "
        + ("the embedded chapter" if source == "chapter" else "the whole book, checked")
    )
    if not first_time:
        return repairs
    repairs.done.insert(0, "Python's warnings are shown again")

    d2l.download = _checked_download(d2l)
    d2l.DATA_URL = d2l.DATA_URL.replace("http://", "https://")
    for name, (url, sha1) in d2l.DATA_HUB.items():
        d2l.DATA_HUB[name] = (url.replace("http://", "https://"), sha1)
    repairs.done.append("download uses HTTPS, and checks what came")

    original_tokenize = d2l.tokenize

    def tokenize(lines, token="word"):
        if token not in ("word", "char"):
            raise ValueError(f"unknown token type {token!r}; choose 'word' or 'char'.")
        return original_tokenize(lines, token)

    d2l.tokenize = tokenize
    repairs.done.append("tokenize refuses an unknown token type")

    _repair_models(d2l)
    repairs.done.append("RNNModelScratch takes a device, or none")
    repairs.done.append("RNNModel needs a time-major layer, and takes ours too")

    _repair_training(d2l)
    repairs.done.append(
        "predict_ch8 reads its indices as NumPy 2 wants; device optional"
    )
    repairs.done.append("grad_clipping and sgd leave out parameters without a gradient")
    repairs.done.append("train_ch8 takes a whole number as learning rate")
    return repairs


def _checked_download(d2l):
    def download(name, cache_dir="../data"):
        """The path of a file of `DATA_HUB`, downloaded whole and right, or an error."""
        if name not in d2l.DATA_HUB:
            raise ValueError(f"{name!r} is not in DATA_HUB.")
        url, sha1 = d2l.DATA_HUB[name]
        path = os.path.join(cache_dir, url.split("/")[-1])

        def is_right(content):
            return hashlib.sha1(content).hexdigest() == sha1

        if kind_of(path) == "a file":
            with open(path, "rb") as file:
                if is_right(file.read()):
                    return path
        try:
            response = d2l.requests.get(url, timeout=60)
            response.raise_for_status()
        except d2l.requests.RequestException as error:
            raise DownloadError(
                f"cannot download {shown(url, 90)}: {reason_of(error)}."
            ) from error
        if not is_right(response.content):
            raise DownloadError(f"{url} is not the file expected: its SHA-1 differs.")
        try:
            write_whole(path, response.content)
        except FileError as error:
            raise DownloadError(str(error)) from error
        return path

    return download


def _repair_models(d2l):
    # Methods are replaced, not classes: the library's own code names its classes.
    scratch_init = d2l.RNNModelScratch.__init__

    def init_with_or_without_device(
        self, vocab_size, num_hiddens, *device_and_functions
    ):
        scratch_init(self, vocab_size, num_hiddens, *device_and_functions[-3:])

    d2l.RNNModelScratch.__init__ = init_with_or_without_device
    layer_init, layer_state = d2l.RNNModel.__init__, d2l.RNNModel.begin_state

    def init_time_major(self, rnn_layer, vocab_size, **kwargs):
        rnn_layer = recurrent_layer(rnn_layer, vocab_size)
        layer_init(self, rnn_layer, vocab_size, **kwargs)

    def begin_state(self, batch_size=1):
        if isinstance(self.rnn, RNNStack):
            return RNNModel.begin_state(self, batch_size)
        return layer_state(self, batch_size)

    d2l.RNNModel.__init__, d2l.RNNModel.begin_state = init_time_major, begin_state


def _repair_training(d2l):
    def predict_ch8(prefix, num_preds, net, vocab, device=None):
        if len(prefix) == 0:
            raise ValueError("the prefix is empty; give at least one character.")
        state = net.begin_state(batch_size=1)
        outputs = [vocab[prefix[0]]]

        def step(state):
            X = paddle.to_tensor([[outputs[-1]]], place=device)
            return net(X, state)

        for token in prefix[1:]:
            _, state = step(state)
            outputs.append(vocab[token])
        for _ in range(num_preds):
            y, state = step(state)
            outputs.append(int(y.argmax(axis=1).item()))
        return "".join(vocab.to_tokens(outputs))

    d2l.predict_ch8 = predict_ch8
    original_clipping = d2l.grad_clipping

    class _WithGradients:
        def __init__(self, params):
            self.params = params

    def grad_clipping(net, theta):
        params = net.parameters() if isinstance(net, nn.Layer) else net.params
        params = [p for p in params if p.grad is not None]
        if params:
            original_clipping(_WithGradients(params), theta)

    d2l.grad_clipping = grad_clipping
    original_sgd = d2l.sgd

    def sgd(params, lr, batch_size):
        original_sgd([p for p in params if p.grad is not None], lr, batch_size)

    d2l.sgd = sgd
    original_train = d2l.train_ch8

    def train_ch8(
        net, train_iter, vocab, lr, num_epochs, device=None, use_random_iter=False
    ):
        device = d2l.try_gpu() if device is None else device
        return original_train(
            net, train_iter, vocab, float(lr), num_epochs, device, use_random_iter
        )

    d2l.train_ch8 = train_ch8
