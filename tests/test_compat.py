"""The book's own library: what is broken in it today, and that repair() mends it.

What d2l is like before the repair can only be seen in a process of its own.
"""

import os
import random
import re
import subprocess
import sys
import textwrap

import d2l_lstm
import numpy as np
import paddle
import pytest
from d2l_lstm import CELLS, compat
from paddle import nn

PREPARE = """
import os, sys, warnings
import numpy as np
import paddle
from paddle import nn
import d2l_lstm
from d2l_lstm import compat, text

def raised(function):
    try:
        function()
    except BaseException as error:
        return type(error).__name__ + ": " + str(error)
    return "nothing"
"""
RELEASED = """
from d2l import paddle as d2l
d2l.download = lambda name: str(text.CHAPTER)
"""
REPAIRED = """
print(compat.repair())
from d2l import paddle as d2l
"""
CELL = "d2l_lstm.get_lstm_params, d2l_lstm.init_lstm_state, d2l_lstm.lstm"


def python(*code, folder=None):
    """What a fresh Python prints that runs this code."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + "".join(map(textwrap.dedent, code))],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --------------------------------------------------------------------------------------
# As released


@pytest.fixture(scope="module")
def released():
    """What the calls that the repair mends do in the library as released."""
    out = python(
        RELEASED,
        f"""
        print("filters", warnings.filters[0])
        data, vocab = d2l.load_data_time_machine(8, 10)
        net = d2l.RNNModelScratch(len(vocab), 8, {CELL})
        print("lines", d2l.read_time_machine() == d2l_lstm.read_time_machine())
        print("corpus", d2l.load_corpus_time_machine()[0]
            == d2l_lstm.load_corpus_time_machine()[0].tolist())
        print("device", raised(lambda: d2l.RNNModelScratch(
            len(vocab), 8, d2l.try_gpu(), {CELL})))
        print("clipping", raised(lambda: d2l.grad_clipping(net, 1)))
        print("tokens", d2l.tokenize(["a"], "letter"))
        print("empty", raised(lambda: d2l.predict_ch8("", 2, net, vocab, None)))
        layer = d2l.RNNModel(nn.LSTM(len(vocab), 8, time_major=True), len(vocab))
        print("rate", raised(lambda: d2l.train_ch8(
            layer, data, vocab, 1, 1, d2l.try_gpu())))
        print("address", d2l.DATA_URL)
        # NumPy 2.4 makes an error of what 2.3 warns of.
        warnings.simplefilter("error", DeprecationWarning)
        print("predict", raised(lambda: d2l.predict_ch8(
            "time", 2, net, vocab, d2l.try_gpu())))
        """,
    )
    return dict(line.split(" ", 1) for line in out.splitlines() if " " in line)


@pytest.mark.parametrize(
    "what, seen",
    [
        ("filters", r"'ignore', None, <class 'Warning'>, None, 0"),
        ("device", "TypeError: .*takes 6 positional arguments but 7 were given"),
        ("predict", "DeprecationWarning: Conversion of an array .* to a scalar"),
        ("clipping", "TypeError"),
        ("tokens", "None"),
        ("empty", "IndexError"),
        ("rate", "TypeError: learning rate should be float"),
        ("address", "http://"),
    ],
)
def test_library_as_released_is_broken(released, what, seen):
    assert re.search(seen, released[what]), released[what]


@pytest.mark.parametrize("what", ["lines", "corpus"])
def test_library_as_released_reads_the_chapter_as_we_do(released, what):
    assert released[what] == "True"


# --------------------------------------------------------------------------------------
# repair()


def test_repair_says_what_it_did_and_twice_is_harmless():
    out = python(
        REPAIRED,
        """
        before = dict(vars(d2l))
        print("again:", compat.repair())
        print("same:", dict(vars(d2l)) == before)
        """,
    )
    said, again = out.split("again: ")
    for name in (
        "warnings",
        "read_time_machine",
        "download",
        "tokenize",
        "RNNModelScratch",
        "RNNModel",
        "train_ch8",
        "predict_ch8",
        "grad_clipping",
    ):
        assert re.search(rf"^- .*\b{name}\b", said, re.MULTILINE), name
    assert said.startswith("Repaired d2l.paddle:\n- ")
    assert again == "d2l.paddle was repaired already.\nsame: True\n"


def test_unknown_source_is_refused_before_anything_is_patched():
    out = python(
        """
        print("error:", raised(lambda: compat.repair("bogus")))
        print("imported:", "d2l.paddle" in sys.modules)
        """,
        REPAIRED,
        """
        before = dict(vars(d2l))
        print("again:", raised(lambda: compat.repair("bogus")))
        print("same:", dict(vars(d2l)) == before)
        """,
    )
    sentence = "ValueError: unknown source 'bogus'; choose 'chapter' or 'full'.\n"
    assert out.startswith(f"error: {sentence}imported: False\n")
    assert out.endswith(f"again: {sentence}same: True\n")


def test_another_source_can_be_chosen_afterwards():
    out = python(
        REPAIRED,
        """
        print("full:", compat.repair("full"))
        text.read_time_machine = lambda source: source
        print("read:", d2l.read_time_machine())
        """,
    )
    assert "full: Repaired d2l.paddle:\n- read_time_machine reads the whole book" in out
    assert out.endswith("read: full\n")


def test_missing_library_is_one_sentence_with_the_command(monkeypatch):
    for name in [m for m in sys.modules if m == "d2l" or m.startswith("d2l.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "d2l", None)
    with pytest.raises(ImportError, match="pip install --no-deps d2l==0.17.6"):
        compat.repair()


@pytest.mark.parametrize("first", ["library", "repair", "repair, then library"])
def test_warnings_are_shown_after_the_repair(first):
    out = python(
        """
        warnings.filterwarnings("error", "mine", RuntimeWarning)
        warnings.filterwarnings("ignore", "not wanted")
        """,
        RELEASED if first == "library" else "",
        "compat.repair()",
        RELEASED if first.endswith("then library") else "",
        """
        print("error:", raised(lambda: warnings.warn("mine", RuntimeWarning)))
        with warnings.catch_warnings(record=True) as seen:
            warnings.warn("not wanted")
            warnings.warn("this one")
        print("seen:", [str(w.message) for w in seen])
        """,
    )
    assert "error: RuntimeWarning: mine" in out
    assert "seen: ['this one']" in out


def test_silence_that_the_user_asked_for_stays():
    out = python(
        """
        warnings.simplefilter("ignore")
        compat.repair()
        with warnings.catch_warnings(record=True) as seen:
            warnings.warn("this one")
        print(len(seen))
        """
    )
    assert out == "0\n"


def test_a_warning_once_shown_can_be_shown_again_after_the_repair():
    """The filters' version is bumped, else Python trusts its registry of ignored."""
    out = python(
        RELEASED,
        """
        def warn():
            warnings.warn("twice")
        warn()
        compat.repair()
        with warnings.catch_warnings(record=True) as seen:
            warn()
        print(len(seen))
        """,
    )
    assert out == "1\n"


# --------------------------------------------------------------------------------------
# The book's own cells after the repair


def trained(out):
    """Perplexity and the two continuations at the end of d2l's train_ch8."""
    perplexity = float(re.search(r"困惑度 ([\d.]+), [\d.]+ 词元/秒", out).group(1))
    *_, first, second = out.splitlines()
    assert first.startswith("time traveller") and len(first) == 64
    assert second.startswith("traveller") and len(second) == 59
    return perplexity


SMALL = dict(batch_size=32, num_steps=15, max_tokens=1500)  # two or three minibatches


@pytest.mark.parametrize(
    "cell, use_random_iter", [("lstm", True), *((cell, False) for cell in CELLS)]
)
def test_chapter_from_scratch_runs(book, capsys, cell, use_random_iter):
    data, vocab = book.load_data_time_machine(**SMALL, use_random_iter=use_random_iter)
    device, num_epochs, lr = book.try_gpu(), 11, 1
    c = CELLS[cell]
    model = book.RNNModelScratch(
        len(vocab), 16, device, c.get_params, c.init_state, c.forward
    )
    book.train_ch8(model, data, vocab, lr, num_epochs, device, use_random_iter)
    assert 5 < trained(capsys.readouterr().out) < 28
    text = book.predict_ch8("time traveller", 10, model, vocab, device)
    assert len(text) == 24


CONCISE = {
    "simple": lambda v: nn.SimpleRNN(v, 16, time_major=True),
    "gru": lambda v: nn.GRU(v, 16, time_major=True),
    "lstm": lambda v: nn.LSTM(v, 16, time_major=True),
    "deep": lambda v: nn.LSTM(v, 16, 2, time_major=True),
    "bidirectional": lambda v: nn.LSTM(v, 16, direction="bidirect", time_major=True),
    "ours": lambda v: d2l_lstm.ScratchLayer("gru", v, 16),
    "ours with a memory cell": lambda v: d2l_lstm.ScratchLayer("peephole_i", v, 16),
    "Paddle's around our cell": lambda v: nn.RNN(
        d2l_lstm.ScratchLayer("lstm", v, 16), time_major=True
    ),
    "both directions of ours": lambda v: nn.BiRNN(
        d2l_lstm.ScratchLayer("lstm", v, 16),
        d2l_lstm.ScratchLayer("lstm", v, 16),
        time_major=True,
    ),
    "a stack of ours": lambda v: d2l_lstm.RNNStack(
        d2l_lstm.ScratchLayer("gru", v, 16), d2l_lstm.ScratchLayer("gru", 16, 16)
    ),
}


@pytest.mark.parametrize("layer", CONCISE)
def test_chapter_with_layers_runs(book, capsys, layer):
    data, vocab = book.load_data_time_machine(**SMALL)
    net = book.RNNModel(CONCISE[layer](len(vocab)), len(vocab))
    book.train_ch8(net, data, vocab, 1, 11, book.try_gpu())
    assert 1 < trained(capsys.readouterr().out) < 28


def test_chapter_runs_in_a_fresh_process_without_a_warning():
    out = python(
        REPAIRED,
        f"""
        warnings.simplefilter("error", DeprecationWarning)
        warnings.simplefilter("error", RuntimeWarning)
        data, vocab = d2l.load_data_time_machine(32, 15, max_tokens=1500)
        device = d2l.try_gpu()
        net = d2l.RNNModelScratch(len(vocab), 16, device, {CELL})
        net = d2l.RNNModelScratch(len(vocab), 16, {CELL})
        d2l.train_ch8(net, data, vocab, 1, 10, device)
        """,
    )
    assert trained(out) < 28


@pytest.fixture
def their_vocab(book):
    """The library's vocabulary, which answers every index: a search would not end."""

    class Patient(book.Vocab):
        lookups = 0

        def __getitem__(self, tokens):
            self.lookups += 1
            assert self.lookups < 10_000, "an endless search"
            return super().__getitem__(tokens)

    return Patient(list(d2l_lstm.normalize_text(d2l_lstm.read_raw_time_machine())))


def test_repaired_prediction_is_ours(book):
    _, vocab = d2l_lstm.load_data_time_machine(**SMALL)
    net = d2l_lstm.scratch_model("lstm", len(vocab), 16)
    for param in net.params:
        param.set_value(paddle.randn(param.shape))
    never_unk = paddle.zeros([len(vocab)])
    never_unk[0] = -100.0  # the library might emit <unk>
    net.params[-1].set_value(never_unk)
    ours = d2l_lstm.predict_ch8("time traveller", 30, net, vocab)
    assert book.predict_ch8("time traveller", 30, net, vocab) == ours


def test_our_prediction_takes_the_vocabulary_of_the_library(their_vocab):
    net = d2l_lstm.scratch_model("rnn", len(their_vocab), 4)
    text = d2l_lstm.predict_ch8("time traveller", 5, net, their_vocab)
    assert text.startswith("time traveller") and len(text) == 19


def test_our_training_takes_the_vocabulary_of_the_library(book, their_vocab):
    data, _ = book.load_data_time_machine(**SMALL)
    net = d2l_lstm.scratch_model("rnn", len(their_vocab), 4)
    history = d2l_lstm.train_ch8(net, data, their_vocab, 1, 1, progress=False)
    assert len(history.epochs) == 1


def test_repaired_prediction_refuses_an_empty_prefix(book):
    with pytest.raises(ValueError, match="the prefix is empty"):
        book.predict_ch8("", 5, None, None)


def test_repaired_tokenize_refuses_an_unknown_type(book):
    with pytest.raises(ValueError, match="unknown token type 'letter'"):
        book.tokenize(["a"], "letter")
    assert book.tokenize(["a b"], "word") == [["a", "b"]]


def test_repaired_model_refuses_a_batch_major_layer(book):
    with pytest.raises(ValueError, match="time_major=True"):
        book.RNNModel(nn.LSTM(5, 4), 5)


@pytest.mark.parametrize("theta", [0.5, 100.0])
def test_repaired_clipping_leaves_out_a_parameter_without_a_gradient(book, theta):
    class Net:
        params = [paddle.ones([3]), paddle.ones([2])]

    for param in Net.params:
        param.stop_gradient = False
    (Net.params[0] * paddle.to_tensor([2.0, 3.0, 6.0])).sum().backward()
    book.grad_clipping(Net, theta)
    norm = float(Net.params[0].grad.norm())
    assert norm == pytest.approx(min(theta, 7.0), rel=1e-6)
    assert Net.params[1].grad is None


def test_model_with_an_untrained_parameter_trains_in_the_library(
    book, capsys, frozen_cell
):
    data, vocab = book.load_data_time_machine(**SMALL)
    cell = CELLS[frozen_cell]
    net = book.RNNModelScratch(
        len(vocab), 8, cell.get_params, cell.init_state, cell.forward
    )
    book.train_ch8(net, data, vocab, 1, 1)
    assert trained(capsys.readouterr().out) < 28


# --------------------------------------------------------------------------------------
# The repaired download


@pytest.fixture
def page(book, monkeypatch):
    """Pretend that the library's requests get this answer."""
    requests = book.requests

    def pretend(content, status=200):
        def get(url, **_):
            assert url.startswith("https://")
            response = requests.Response()
            response._content, response.status_code, response.url = content, status, url
            return response

        monkeypatch.setattr(requests, "get", get)

    monkeypatch.setitem(
        book.DATA_HUB,
        "a_file",
        (book.DATA_URL + "a.txt", "a9993e364706816aba3e25717850c26c9cd0d89d"),  # abc
    )
    return pretend


def test_repaired_download_keeps_what_is_right(book, page, tmp_path):
    page(b"abc")
    path = book.download("a_file", str(tmp_path / "data"))
    with open(path, "rb") as file:
        assert file.read() == b"abc"
    page(b"not asked for again")
    assert book.download("a_file", str(tmp_path / "data")) == path


@pytest.mark.parametrize(
    "content, status, message",
    [
        (b"<html>Forbidden</html>", 403, "403"),
        (b"abd", 200, "SHA-1 differs"),
        (b"", 200, "SHA-1 differs"),
        (b"abc", 404, "404"),
    ],
)
def test_repaired_download_refuses_what_is_wrong(
    book, page, tmp_path, content, status, message
):
    page(content, status)
    with pytest.raises(d2l_lstm.DownloadError, match=message):
        book.download("a_file", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_repaired_download_replaces_a_damaged_file(book, page, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"ab")
    page(b"abc")
    book.download("a_file", str(tmp_path))
    assert (tmp_path / "a.txt").read_bytes() == b"abc"


def test_repaired_download_without_a_network_is_a_clear_error(book, tmp_path):
    with pytest.raises(d2l_lstm.DownloadError, match="cannot download https://"):
        book.download("time_machine", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_repaired_download_refuses_an_unknown_name(book):
    with pytest.raises(ValueError, match="'nothing' is not in DATA_HUB"):
        book.download("nothing")


def test_every_address_of_the_repaired_library_is_https(book):
    assert book.DATA_URL.startswith("https://")
    assert all(url.startswith("https://") for url, _ in book.DATA_HUB.values())


# --------------------------------------------------------------------------------------
# The first epochs

NUM_EPOCHS = 5


def models(book, kind, vocab_size, num_hiddens=64):
    """The library's model and ours, with the same weights."""
    if kind in CELLS:
        c = CELLS[kind]
        functions = c.get_params, c.init_state, c.forward
        theirs = book.RNNModelScratch(vocab_size, num_hiddens, *functions)
        ours = d2l_lstm.RNNModelScratch(vocab_size, num_hiddens, *functions)
        pairs = zip(theirs.params, ours.params, strict=True)
    else:
        theirs, ours = (
            library.RNNModel(
                getattr(nn, kind)(vocab_size, num_hiddens, time_major=True), vocab_size
            )
            for library in (book, d2l_lstm)
        )
        pairs = zip(theirs.parameters(), ours.parameters(), strict=True)
    for their, our in pairs:
        our.set_value(their.detach())
    return theirs, ours


def perplexities(library, net, data, use_random_iter):
    """Of the first epochs, by the library's own train_epoch_ch8, with its updater."""
    if isinstance(net, nn.Layer):
        updater = paddle.optimizer.SGD(1.0, parameters=net.parameters())
    else:

        def updater(batch_size):
            return library.sgd(net.params, 1.0, batch_size)

    random.seed(0)
    loss, device = nn.CrossEntropyLoss(), library.try_gpu()
    return [
        library.train_epoch_ch8(net, data, loss, updater, device, use_random_iter)[0]
        for _ in range(NUM_EPOCHS)
    ]


@pytest.mark.parametrize("use_random_iter", [False, True])
@pytest.mark.parametrize(
    "kind, max_tokens",
    [
        ("lstm", 10_000),
        ("LSTM", 10_000),
        ("rnn", 4_000),
        ("gru", 4_000),
        ("SimpleRNN", 4_000),
        ("GRU", 4_000),
    ],
)
def test_first_epochs_have_the_perplexity_of_the_library(
    book, kind, max_tokens, use_random_iter
):
    (their_data, _), (data, vocab) = (
        library.load_data_time_machine(32, 35, use_random_iter, max_tokens)
        for library in (book, d2l_lstm)
    )
    theirs, ours = models(book, kind, len(vocab))
    expected = perplexities(book, theirs, their_data, use_random_iter)
    random.seed(0)
    history = d2l_lstm.train_ch8(
        ours,
        data,
        vocab,
        1,
        NUM_EPOCHS,
        use_random_iter=use_random_iter,
        progress=False,
    )
    assert expected[-1] < 0.95 * expected[0]  # it has learnt something
    np.testing.assert_allclose(history.train_perplexity, expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["rnn", "LSTM"])
def test_one_epoch_can_be_trained_as_in_the_book(book, kind):
    (their_data, vocab), (data, _) = (
        library.load_data_time_machine(**SMALL) for library in (book, d2l_lstm)
    )
    theirs, ours = models(book, kind, len(vocab))
    expected = perplexities(book, theirs, their_data, False)
    found = perplexities(d2l_lstm, ours, data, False)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_an_unknown_source_is_refused_before_anything_is_patched(book):
    before = dict(vars(book))
    with pytest.raises(ValueError, match="unknown source 'bogus'; choose") as error:
        compat.repair("bogus")
    assert "\n" not in str(error.value) and dict(vars(book)) == before
