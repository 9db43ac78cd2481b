"""Checkpoints: what comes back, and every way a file can be wrong."""

import copy
import errno
import json
import os
import random
import warnings
from collections import Counter
from pathlib import Path

import crafted_checkpoints
import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import checkpoints, files
from d2l_lstm.checkpoints import (
    CheckpointError,
    check_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from paddle import nn
from safetensors import safe_open
from safetensors.numpy import save_file

VOCAB = d2l.Vocab("abc né 时")
SIZE = len(VOCAB)


def size_for(cell):
    return 4 if cell == "clockwork" else 3  # four modules of one size


def scratch(cell, num_hiddens=None):
    paddle.seed(2)
    net = d2l.scratch_model(cell, SIZE, num_hiddens or size_for(cell))
    for p in net.params:
        if not p.stop_gradient:
            p.set_value(paddle.randn(p.shape))
    return net


def layered(kind, **options):
    paddle.seed(2)
    return d2l.RNNModel(kind(SIZE, 3, time_major=True, **options), SIZE)


LAYERS = {
    f"{kind.__name__} {label}": (kind, options)
    for kind in (nn.SimpleRNN, nn.LSTM, nn.GRU)
    for label, options in {
        "plain": {},
        "deep": {"num_layers": 2, "dropout": 0.3},
        "bidirectional": {"direction": "bidirect"},
        "both": {"num_layers": 2, "direction": "bidirect", "dropout": 0.5},
    }.items()
}
MODELS = {
    **{f"scratch {cell}": lambda cell=cell: scratch(cell) for cell in d2l.CELLS},
    **{
        f"layer {cell}": lambda cell=cell: d2l.RNNModel(
            d2l.ScratchLayer(cell, SIZE, size_for(cell)), SIZE
        )
        for cell in d2l.CELLS
    },
    **{
        name: lambda kind=kind, options=options: layered(kind, **options)
        for name, (kind, options) in LAYERS.items()
    },
}
MODELS["relu"] = lambda: layered(nn.SimpleRNN, activation="relu")


def stack(*cells, dropout=0.0):
    """A model of layers around these cells; two of a tuple for two directions."""
    layers = [
        nn.BiRNN(*pair, time_major=True) if isinstance(pair, tuple)
        else nn.RNN(pair, time_major=True)
        for pair in cells
    ]  # fmt: skip
    return d2l.RNNModel(d2l.RNNStack(*layers, dropout=dropout), SIZE)


def of(cell, num_inputs=SIZE):
    return d2l.ScratchLayer(cell, num_inputs, 3)


MODELS["stack"] = lambda: stack(of("lstm"), of("lstm", 3), dropout=0.5)
MODELS["bidirectional stack"] = lambda: stack(
    (of("peephole_i"), of("peephole_i")), (of("peephole_i", 6), of("peephole_i", 6))
)
HISTORY = d2l.History([1, 2], [9.0, 8.5], [None, 8.75], [10.0, 11.0], [1.0, 0.5])


@pytest.fixture
def file(tmp_path):
    """A small checkpoint, as it should be."""
    path = tmp_path / "small.safetensors"
    net = d2l.scratch_model("rnn", SIZE, 2)
    save_checkpoint(path, net, VOCAB, history=HISTORY.to_dict(), metadata={"seed": 7})
    return path


def weights(net):
    return {name: p.numpy() for name, p in d2l.parameters_of(net).items()}


def contents(checkpoint):
    """All of it but the path, as values that can be compared."""
    arrays = {name: w.tobytes() for name, w in weights(checkpoint.net).items()}
    arrays |= {name: t.numpy().tobytes() for name, t in checkpoint.more_tensors.items()}
    return (
        arrays,
        checkpoint.vocab.idx_to_token,
        checkpoint.history,
        checkpoint.metadata,
        checkpoint.run,
        checkpoint.versions,
    )


def refusal(path):
    """The sentence with which a file is refused."""
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(path)
    return sentence(error, str(path))


def sentence(error, *words):
    """The message of an error: one sentence with these words, no Python inside."""
    message = str(error.value)
    assert message.isprintable() and message.endswith(".") and len(message) < 300
    assert not any(inside in message for inside in ("Errno", "Error", "dict_", "`"))
    assert all(word in message for word in words), message
    return message


def rewrite(path, change):
    """Change what a file says, and make its checksum fit again."""
    with safe_open(path, framework="numpy") as opened:
        table = opened.metadata()
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}
    facts = json.loads(table["d2l_lstm"])
    change(facts, arrays)
    table["d2l_lstm"] = json.dumps(facts)
    table["sha256"] = checkpoints._checksum(table["d2l_lstm"], arrays)
    save_file(arrays, path, table)


# --------------------------------------------------------------------------------------
# What comes back


def test_what_is_not_trained_comes_back_so(tmp_path, frozen_cell):
    net = scratch(frozen_cell)
    save_checkpoint(tmp_path / "c", net, VOCAB)
    params = d2l.parameters_of(load_checkpoint(tmp_path / "c").net)
    frozen = {name for name, param in params.items() if param.stop_gradient}
    assert frozen == {"p_f", "p_o"}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_model_comes_back_as_it_was(make, tmp_path):
    net, path = make(), tmp_path / "folder" / "model.safetensors"
    metadata = {"normalization": "unicode", "text": "时间.txt", "seed": None}
    save_checkpoint(path, net, VOCAB, history=HISTORY.to_dict(), metadata=metadata)
    saved = load_checkpoint(path)

    before, after = weights(net), weights(saved.net)
    assert list(before) == list(after)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    frozen = [p.stop_gradient for p in d2l.parameters_of(net).values()]
    assert frozen == [p.stop_gradient for p in d2l.parameters_of(saved.net).values()]
    assert saved.vocab.idx_to_token == VOCAB.idx_to_token
    assert saved.vocab["时"] == VOCAB["时"] and len(saved.vocab) == SIZE
    assert d2l.History(**saved.history) == HISTORY
    assert checkpoints.describe(saved.net) == checkpoints.describe(net)
    assert (saved.metadata, saved.path) == (metadata, path)
    assert saved.versions["paddle"] == paddle.__version__
    text = d2l.predict_ch8("abc", 8, net, VOCAB)
    assert d2l.predict_ch8("abc", 8, saved.net, saved.vocab) == text
    X = paddle.to_tensor([[1, 2, 3], [4, 5, 0]])
    if isinstance(net, nn.Layer):
        net.eval()
    wanted, _ = net(X, net.begin_state(2))
    scores, _ = saved.net(X, saved.net.begin_state(2))
    np.testing.assert_array_equal(scores.numpy(), wanted.numpy())


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_back_with_its_layers_directions_and_dropout(name, tmp_path):
    kind, options = LAYERS[name]
    save_checkpoint(tmp_path / "c", layered(kind, **options), VOCAB)
    rnn = load_checkpoint(tmp_path / "c").net.rnn
    assert type(rnn) is kind and not rnn.training
    assert rnn.num_layers == options.get("num_layers", 1)
    assert rnn.num_directions == 1 + ("direction" in options)
    assert rnn.dropout == options.get("dropout", 0.0)


def test_a_loaded_model_can_be_trained(file):
    saved = load_checkpoint(file)
    before = weights(saved.net)["W_xh"].copy()
    corpus = VOCAB.encode("abcabcabcabcabcabc")
    loader = d2l.SeqDataLoader(2, 3, corpus=corpus, vocab=saved.vocab)
    d2l.train_ch8(saved.net, loader, saved.vocab, 1, 1, progress=False)
    assert not np.array_equal(weights(saved.net)["W_xh"], before)


@pytest.mark.parametrize("cell", d2l.CELLS)
def test_arrays_of_a_scratch_model_have_the_books_names(cell, tmp_path):
    save_checkpoint(tmp_path / "c", scratch(cell), VOCAB)
    with safe_open(tmp_path / "c", framework="numpy") as opened:
        assert set(opened.keys()) == set(d2l.CELLS[cell].param_names)
        assert opened.get_tensor("W_hq").shape == (size_for(cell), SIZE)


def test_a_file_is_plain_safetensors_and_json(file):
    with safe_open(file, framework="numpy") as opened:
        facts = json.loads(opened.metadata()["d2l_lstm"])
    assert facts["format"] == 2
    assert facts["model"]["cell"] == "rnn"
    assert facts["text"]["tokens"] == VOCAB.idx_to_token
    assert facts["metadata"] == {"seed": 7}


def test_loading_executes_nothing(file, monkeypatch):
    import pickle

    def refuse(*_):
        raise AssertionError("a pickle was opened")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(paddle, "load", refuse)
    assert load_checkpoint(file).history == HISTORY.to_dict()


def test_saving_again_replaces_the_file_and_leaves_no_other(file):
    net = d2l.scratch_model("gru", SIZE, 2)
    save_checkpoint(file, net, VOCAB)
    assert d2l.cell_name(load_checkpoint(file).net) == "gru"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_text_comes_back_with_the_vocabulary(tmp_path):
    vocab = d2l.Vocab(
        ["a", "word", "time"], token="word", normalization="unicode", join=" "
    )
    net = d2l.scratch_model("rnn", len(vocab), 2)
    save_checkpoint(tmp_path / "c", net, vocab)
    back = load_checkpoint(tmp_path / "c").vocab
    assert (back.token, back.normalization, back.join) == ("word", "unicode", " ")
    assert back.token_to_idx == vocab.token_to_idx


def test_what_is_not_finite_in_a_history_comes_back(tmp_path):
    nan, inf = float("nan"), float("inf")
    history = d2l.History([1, 2], [9.0, nan], [None, inf], [10.0, 11.0], [1.0, 0.5])
    save(tmp_path / "c", history=history.to_dict())
    assert repr(load_checkpoint(tmp_path / "c").history) == repr(history.to_dict())


RUN = {"settings": {"lr": 1.0}, "random": {"python": [3, [2**32 - 1, 2], None]},
       "weights_are_best": True}  # fmt: skip


def of_a_run(net):
    """Tensors as a run adds them."""
    last = {f"last.{n}": p + 1 for n, p in d2l.parameters_of(net).items()}
    return last | {"optimizer.0.moment": paddle.randn([4, 2])}


def test_a_run_comes_back_as_it_was(tmp_path):
    net = scratch("gru")
    tensors = of_a_run(net)
    save_checkpoint(tmp_path / "c", net, VOCAB, run=RUN, more_tensors=tensors)
    saved = load_checkpoint(tmp_path / "c")
    assert saved.run == RUN and saved.more_tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(saved.more_tensors[name].numpy(), tensor.numpy())


def test_saving_and_loading_draw_no_random_numbers_and_change_no_mode(tmp_path):
    def state():
        drawn = [s.__getstate__() for s in paddle.get_rng_state()]
        return repr((random.getstate(), np.random.get_state(), drawn))

    net, other = layered(nn.LSTM, num_layers=2, dropout=0.5), scratch("lstm")
    net.train()
    net.linear.eval()
    before = state()
    save_checkpoint(tmp_path / "c", net, VOCAB)
    check_checkpoint(tmp_path / "d", other, VOCAB)
    load_checkpoint(tmp_path / "c")
    assert state() == before
    assert [net.training, net.rnn.training, net.linear.training] == [True, True, False]


def test_another_default_type_does_not_change_what_is_loaded(file):
    paddle.set_default_dtype("float64")
    try:
        net = load_checkpoint(file).net
        assert paddle.get_default_dtype() == "float64"
    finally:
        paddle.set_default_dtype("float32")
    assert net.params[0].dtype == paddle.float32


# --------------------------------------------------------------------------------------
# Files of the first edition


def test_a_file_of_the_first_format_is_read(file):
    def first_format(facts, arrays):
        valid = crafted_checkpoints.format_1(facts)
        valid["training"] = {"random": {"python": [3, [1], None]}}
        facts.clear()
        facts.update(valid)
        arrays["last.W_xh"] = arrays["W_xh"]

    wanted = load_checkpoint(file)
    rewrite(file, first_format)
    saved = load_checkpoint(file)
    assert saved.run is None and saved.more_tensors == {}
    assert saved.vocab.idx_to_token == VOCAB.idx_to_token
    assert (saved.vocab.token, saved.vocab.normalization) == ("char", "none")
    assert saved.history == wanted.history and saved.metadata == {
        "normalization": "none"
    }
    assert contents(saved)[0] == contents(wanted)[0]


def test_layers_of_the_first_format_are_read(tmp_path):
    def first_format(facts, arrays):
        valid = crafted_checkpoints.format_1(facts)
        kind, model = facts["model"]["kind"], valid["model"]
        if kind == "ScratchLayer":
            for name in ("num_layers", "direction", "dropout"):
                del model[name]
            for name in list(arrays):
                arrays[name.replace("rnn.0.cell.", "rnn.")] = arrays.pop(name)
        model.pop("activation", None)
        facts.clear()
        facts.update(valid)

    for make in (lambda: layered(nn.SimpleRNN), lambda: stack(of("lstm"))):
        net = make()
        save_checkpoint(tmp_path / "c", net, VOCAB)
        rewrite(tmp_path / "c", first_format)
        saved = load_checkpoint(tmp_path / "c").net
        assert checkpoints.describe(saved) == checkpoints.describe(net)
        for name, array in weights(net).items():
            np.testing.assert_array_equal(weights(saved)[name], array)


# --------------------------------------------------------------------------------------
# Files that are not as they should be


def test_every_truncation_is_refused(file):
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=str(file)):
            load_checkpoint(file)
    file.write_bytes(whole)
    assert load_checkpoint(file).metadata == {"seed": 7}


def test_a_flipped_bit_is_refused_or_harmless(file):
    whole, wanted = file.read_bytes(), contents(load_checkpoint(file))
    draw, refused = random.Random(0), 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << draw.randrange(8)
        file.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                loaded = load_checkpoint(file)
        except CheckpointError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert contents(loaded) == wanted, f"byte {position} changed in silence"
    assert refused > 0.99 * len(whole)


@pytest.mark.parametrize("seed", range(3))
def test_many_random_bytes_are_refused(file, seed):
    whole, draw = file.read_bytes(), random.Random(seed)
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(draw.randrange(2, 40)):
            damaged[draw.randrange(len(whole))] = draw.randrange(256)
        file.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_checkpoint(file)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 8, b"\xff" * 64, b"{}", b"PK\x03\x04 a zip file", "时间".encode()],
    ids=["empty", "zeros", "ones", "json", "zip", "text"],
)
def test_a_file_of_something_else_is_refused(file, content):
    file.write_bytes(content)
    assert "damaged or not a safetensors file" in refusal(file)


def test_bytes_after_the_end_are_refused(file):
    file.write_bytes(file.read_bytes() + b"more")
    assert refusal(file)


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path):
    for table in (None, {"format": "pt"}):
        save_file({"weight": np.zeros((2, 2), "float32")}, tmp_path / "c", table)
        assert "not one of d2l_lstm" in refusal(tmp_path / "c")


def test_a_file_that_does_not_exist_is_named(tmp_path):
    assert "no checkpoint file" in refusal(tmp_path / "none.safetensors")
    assert load_checkpoint(tmp_path / "none.safetensors", missing_ok=True) is None


def test_a_folder_is_refused(tmp_path):
    assert "is a folder, not a checkpoint file" in refusal(tmp_path)
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path, missing_ok=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_a_pipe_and_a_device_are_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a named pipe"), ("/dev/zero", "a device")):
        assert f"is {kind}, not a checkpoint file" in refusal(path)


def test_a_sample_of_crafted_files_is_loaded_or_refused(tmp_path):
    found = list(crafted_checkpoints.outcomes(156, folder=tmp_path))
    assert [f for f in found if f[2] not in ("loaded", "refused")] == []
    whole = Counter(outcome for _, change, outcome in found if change == "as_it_is")
    assert whole == {"loaded": 12}


def test_the_child_that_loads_crafted_files_has_little_memory(file, monkeypatch):
    pytest.importorskip("resource")
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not say how much memory a process has")
    monkeypatch.setattr(crafted_checkpoints, "MEMORY", 1 << 16)
    big = "[" * 100 + "0," * 3_000_000
    file.write_bytes(crafted_checkpoints.sealed(big, {}))
    loader = crafted_checkpoints.Loader()
    try:
        assert "refused" != loader.load(file) != "loaded"
    finally:
        loader.close()


def test_a_newer_format_asks_for_an_update(file):
    rewrite(file, lambda facts, arrays: facts.update(format=3))
    message = refusal(file)
    assert "format 3" in message and "update" in message
    assert "damaged" not in message


def change(arrays, name, value):
    arrays[name] = value


WRONG = {
    "shape": (
        lambda facts, arrays: change(arrays, "b_h", np.zeros(3, "float32")),
        ["b_h", "[3]", "[2]"],
    ),
    "transposed": (
        lambda facts, arrays: change(arrays, "W_xh", arrays["W_xh"].T.copy()),
        ["W_xh"],
    ),
    "dtype": (
        lambda facts, arrays: change(arrays, "b_h", np.zeros(2, "float64")),
        ["b_h", "F64"],
    ),
    "NaN": (
        lambda facts, arrays: change(arrays, "b_h", np.array([0, np.nan], "float32")),
        ["b_h", "not finite"],
    ),
    "inf": (
        lambda facts, arrays: change(arrays, "b_h", np.array([0, np.inf], "float32")),
        ["b_h", "not finite"],
    ),
    "missing array": (lambda facts, arrays: arrays.pop("W_hq"), ["no array W_hq"]),
    "cell": (lambda facts, arrays: facts["model"].update(cell="xyz"), ["'xyz'"]),
    "kind": (lambda facts, arrays: facts["model"].update(kind="Linear"), ["Linear"]),
    "size": (lambda facts, arrays: facts["model"].update(num_hiddens=-1), ["-1"]),
    "size as text": (
        lambda facts, arrays: facts["model"].update(num_hiddens="2"),
        ["'2'"],
    ),
    "vocabulary": (lambda facts, arrays: facts["text"]["tokens"].pop(), ["vocabulary"]),
    "tokens": (lambda facts, arrays: change(facts["text"]["tokens"], 1, 5), ["tokens"]),
    "a token twice": (
        lambda facts, arrays: change(
            facts["text"]["tokens"], 1, facts["text"]["tokens"][2]
        ),
        ["vocabulary"],
    ),
    "normalization": (
        lambda facts, arrays: facts["text"].update(normalization="rot13"),
        ["normalization"],
    ),
    "no tokens": (
        lambda facts, arrays: facts["text"].pop("tokens"),
        ["text.tokens is missing"],
    ),
    "no <unk>": (lambda facts, arrays: facts["text"]["tokens"].reverse(), ["<unk>"]),
    "half a character": (
        lambda facts, arrays: change(facts["text"]["tokens"], 1, "\ud800"),
        ["half a character"],
    ),
    "layers": (
        lambda facts, arrays: facts.update(
            model={
                "kind": "GRU",
                "vocab_size": SIZE,
                "num_hiddens": 2,
                "num_layers": 10**9,
                "direction": "forward",
                "dropout": 0.0,
            }
        ),
        ["model.num_layers is 1000000000", "<= 1000"],
    ),
    "more layers than arrays": (
        lambda facts, arrays: facts.update(
            model={
                "kind": "GRU",
                "vocab_size": SIZE,
                "num_hiddens": 2,
                "num_layers": 900,
                "direction": "forward",
                "dropout": 0.0,
            }
        ),
        ["900 layers"],
    ),
    "activation": (
        lambda facts, arrays: facts["model"].update(kind="SimpleRNN", activation="x"),
        ["unknown"],
    ),
    "one array more": (
        lambda facts, arrays: change(arrays, "last.b_h", np.zeros(2, "float32")),
        ["'last.b_h'", "belongs to nothing"],
    ),
    "history": (
        lambda facts, arrays: facts["history"].update(epochs="1"),
        ["history.epochs is '1'", "a list"],
    ),
    "history of another length": (
        lambda facts, arrays: facts["history"]["lr"].pop(),
        ["history.lr has the length 1, and there are 2 epochs"],
    ),
    "more in the history": (
        lambda facts, arrays: facts["history"].update(more=[]),
        ["'more'"],
    ),
    "run": (lambda facts, arrays: facts.update(run={}), ["run.settings is missing"]),
    "metadata": (
        lambda facts, arrays: facts.update(metadata=[]),
        ["metadata is a list, and should be a table"],
    ),
    "model": (lambda facts, arrays: facts.update(model=None), ["model is nothing"]),
    "no model": (lambda facts, arrays: facts.pop("model"), ["model"]),
    "format as text": (
        lambda facts, arrays: facts.update(format="1"),
        ["format is '1'"],
    ),
    "no format": (lambda facts, arrays: facts.pop("format"), ["format is missing"]),
    "an unknown entry": (lambda facts, arrays: facts.update({"a\n": 1}), ["unknown"]),
}


@pytest.mark.parametrize(("edit", "named"), WRONG.values(), ids=WRONG)
def test_a_file_that_does_not_fit_itself_is_refused(file, edit, named):
    rewrite(file, edit)
    message = refusal(file)
    assert all(word in message for word in named), message


def test_a_size_beyond_the_arrays_is_refused_before_memory_is_taken(file, monkeypatch):
    rewrite(file, lambda facts, arrays: facts["model"].update(num_hiddens=10**6))
    monkeypatch.setattr(paddle, "randn", lambda shape: pytest.fail(f"drew {shape}"))
    assert refusal(file)


# --------------------------------------------------------------------------------------
# Writing


def save(path, **options):
    save_checkpoint(path, d2l.scratch_model("rnn", SIZE, 2), VOCAB, **options)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot write") as error:
        save(tmp_path / "file" / "c.safetensors")
    sentence(error, "c.safetensors")


def test_a_folder_in_the_place_of_the_file_is_one_sentence(tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(CheckpointError, match="cannot write") as error:
        save(tmp_path / "c")
    sentence(error, "it is a folder")
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


FOREIGN = {
    "a novel": b"It was a dark and stormy night; the rain fell in torrents\n" * 99,
    "an empty file": b"",
    "somebody's safetensors": crafted_checkpoints.encoded(
        {"format": "pt", "note": '"d2l_lstm":"'}, [("W", "F32", [1], b"1234")]
    ),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_is_no_checkpoint_is_never_replaced(tmp_path, content):
    novel = tmp_path / "novel.txt"
    novel.write_bytes(content)
    net = d2l.scratch_model("rnn", SIZE, 2)
    for write in (save_checkpoint, check_checkpoint):
        with pytest.raises(CheckpointError) as error:
            write(novel, net, VOCAB)
        sentence(error, "novel.txt", "would be lost")
        assert novel.read_bytes() == content


@pytest.mark.parametrize("end", [400, -1])
def test_a_damaged_checkpoint_may_be_replaced(file, end):
    file.write_bytes(file.read_bytes()[:end])
    save(file)
    assert load_checkpoint(file).metadata == {}


def test_a_check_before_the_training_writes_nothing(file):
    before, net = file.read_bytes(), d2l.scratch_model("lstm", SIZE, 2)
    check_checkpoint(file, net, VOCAB, {"seed": 1})
    check_checkpoint(file.parent / "new" / "c", net, VOCAB)
    assert file.read_bytes() == before
    assert not (file.parent / "new").exists()


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "No space left on device"), (errno.EACCES, "Permission denied")],
)
def test_a_write_that_fails_leaves_the_earlier_file(
    file, monkeypatch, step, code, words
):
    def fail(*_):
        raise OSError(code, words)

    before = file.read_bytes()
    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(CheckpointError) as error:
        save(file)
    monkeypatch.undo()
    message = str(error.value)
    assert str(file) in message and words in message and "\n" not in message
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_weights_that_are_not_finite_do_not_replace_a_good_file(file):
    before = file.read_bytes()
    net = d2l.scratch_model("rnn", SIZE, 2)
    net.params[0].set_value(paddle.full_like(net.params[0], float("nan")))
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(file, net, VOCAB)
    assert file.read_bytes() == before


def float64(make):
    paddle.set_default_dtype("float64")
    try:
        return make()
    finally:
        paddle.set_default_dtype("float32")


def changed(net, **attributes):
    for name, value in attributes.items():
        setattr(net, name, value)
    return net


def frozen(net):
    net.rnn.weight_ih_l0.stop_gradient = True
    return net


def hooked(net):
    net.register_forward_post_hook(lambda layer, X, Y: (Y[0] * 2, Y[1]))
    return net


class Mine(nn.LSTM):
    pass


class MyModel(d2l.RNNModel):
    pass


def own_functions():
    return d2l.RNNModelScratch(
        SIZE, 2, d2l.get_lstm_params, d2l.init_lstm_state, lambda X, state, params: None
    )


REFUSED_MODELS = {
    "functions of its own": (own_functions, ["functions of its own"]),
    "a state of its own": (
        lambda: changed(scratch("rnn"), init_state=lambda b, h: (paddle.ones([b, h]),)),
        ["computes something else"],
    ),
    "a layer of its own": (lambda: layered(Mine), ["Mine"]),
    "a class of its own": (
        lambda: MyModel(nn.LSTM(SIZE, 2, time_major=True), SIZE),
        ["MyModel"],
    ),
    "another layer": (lambda: nn.Linear(SIZE, SIZE), ["Linear"]),
    "no model": (lambda: None, ["NoneType"]),
    "no bias": (lambda: layered(nn.GRU, bias_hh_attr=False), ["bias_hh"]),
    "a fixed weight": (lambda: layered(nn.GRU, weight_ih_attr=False), ["frozen"]),
    "frozen": (lambda: frozen(layered(nn.LSTM)), ["rnn.weight_ih_l0", "frozen"]),
    "float64 layer": (lambda: float64(lambda: layered(nn.LSTM)), ["float64"]),
    "float64 cell": (lambda: float64(lambda: scratch("rnn")), ["float64", "W_xh"]),
    "Paddle's cell": (lambda: stack(nn.LSTMCell(SIZE, 3)), ["LSTMCell"]),
    "backwards": (
        lambda: d2l.RNNModel(nn.RNN(of("rnn"), is_reverse=True, time_major=True), SIZE),
        ["computes something else"],
    ),
    "a hook": (lambda: hooked(layered(nn.LSTM)), ["computes something else"]),
    "dropout": (lambda: layered(nn.LSTM, dropout=2.0), ["model.dropout is 2.0"]),
    "vocabulary": (
        lambda: d2l.scratch_model("rnn", SIZE + 1, 2),
        [f"{SIZE} tokens", str(SIZE + 1)],
    ),
}


@pytest.mark.parametrize(("make", "words"), REFUSED_MODELS.values(), ids=REFUSED_MODELS)
def test_a_model_that_would_not_come_back_is_refused(make, words, tmp_path):
    net = make()
    for write in (save_checkpoint, check_checkpoint):
        with pytest.raises(CheckpointError) as error:
            write(tmp_path / "c", net, VOCAB)
        sentence(error, *words)
    assert not list(tmp_path.iterdir())


def with_tokens(index, token):
    vocab = copy.deepcopy(VOCAB)
    vocab.idx_to_token[index] = token
    return vocab


def in_itself():
    table = {}
    table["again"] = table
    return table


REFUSED_FACTS = {
    "number as token": ({"vocab": with_tokens(3, 5)}, ["text.tokens[3] is 5"]),
    "half a character": ({"vocab": with_tokens(3, "\ud800")}, ["'\\ud800'"]),
    "token twice": ({"vocab": with_tokens(3, "a")}, ["a token twice"]),
    "no <unk>": ({"vocab": with_tokens(0, "?")}, ["<unk>"]),
    "list as vocabulary": ({"vocab": ["a"]}, ["list", "Vocab"]),
    "normalization": (
        {"vocab": changed(copy.deepcopy(VOCAB), normalization="rot13")},
        ["'rot13'"],
    ),
    "NumPy integer": (
        {"metadata": {"a": [1, {"b": np.int64(3)}]}},
        ["metadata['a'][1]['b']", "int64"],
    ),
    "NumPy number": ({"metadata": {"a": np.float64(3)}}, ["metadata['a']", "float64"]),
    "tuple": ({"metadata": {"a": (1, 2)}}, ["metadata['a']", "tuple"]),
    "key": ({"metadata": {1: 2}}, ["the key 1 of metadata"]),
    "no table": ({"metadata": []}, ["metadata is a list"]),
    "circle": ({"metadata": in_itself()}, ["too deeply"]),
    "large number": ({"metadata": {"a": 10**5000}}, ["metadata['a']"]),
    "long": ({"metadata": {"a": "x" * 10_000_001}}, ["longer than 10,000,000"]),
}
REFUSED_RUNS = {
    "history": ({"history": {"epochs": ["1"]}}, ["history.epochs[0] is '1'"]),
    "History": ({"history": HISTORY}, ["history", "History"]),
    "history of two lengths": (
        {"history": {"epochs": [1, 2], "lr": [1.0]}},
        ["history.lr has the length 1"],
    ),
    "run": ({"run": {"settings": {}}}, ["run.random is missing"]),
    "no last weights": ({"run": RUN}, ["no array last.W_xh"]),
    "weights": ({"weights": {"W": paddle.zeros([2])}}, ["no array W_xh"]),
    "another tensor": (
        {"more_tensors": {"x": paddle.zeros([2])}},
        ["'x' belongs to nothing"],
    ),
    "float64 tensor": (
        {
            "run": RUN | {"weights_are_best": False},
            "more_tensors": {"optimizer.x": paddle.zeros([2], "float64")},
        },
        ["optimizer.x", "float64"],
    ),
}


@pytest.mark.parametrize(
    ("options", "words"),
    [*REFUSED_FACTS.values(), *REFUSED_RUNS.values()],
    ids=[*REFUSED_FACTS, *REFUSED_RUNS],
)
def test_what_would_not_come_back_is_not_written(options, words, file):
    net, before = d2l.scratch_model("rnn", SIZE, 2), file.read_bytes()
    options = {"vocab": VOCAB, **options}
    for write in (save_checkpoint, check_checkpoint):
        if write is save_checkpoint or options.keys() <= {"vocab", "metadata"}:
            with pytest.raises(CheckpointError) as error:
                write(file, net, **options)
            sentence(error, *words)
    assert file.read_bytes() == before
