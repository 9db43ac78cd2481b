"""Checkpoints: what comes back, and every way a file can be wrong."""

import errno
import json
import random
import warnings

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from d2l_lstm import checkpoints
from d2l_lstm.checkpoints import CheckpointError, load_checkpoint, save_checkpoint
from paddle import nn
from safetensors import safe_open
from safetensors.numpy import save_file

VOCAB = d2l.Vocab("abc né 时")
SIZE = len(VOCAB)


def scratch(cell, num_hiddens=3):
    paddle.seed(2)
    net = d2l.scratch_model(cell, SIZE, num_hiddens)
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
            d2l.ScratchLayer(cell, SIZE, 3), SIZE
        )
        for cell in d2l.CELLS
    },
    **{
        name: lambda kind=kind, options=options: layered(kind, **options)
        for name, (kind, options) in LAYERS.items()
    },
}
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
        checkpoint.training,
        checkpoint.versions,
    )


def refusal(path):
    """The sentence with which a file is refused."""
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(path)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".") and str(path) in message
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
        assert opened.get_tensor("W_hq").shape == (3, SIZE)


def test_a_file_is_plain_safetensors_and_json(file):
    with safe_open(file, framework="numpy") as opened:
        facts = json.loads(opened.metadata()["d2l_lstm"])
    assert facts["format"] == 1
    assert facts["model"]["cell"] == "rnn"
    assert facts["vocab"] == VOCAB.idx_to_token
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
    refusal(tmp_path)
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path, missing_ok=True)


def test_a_newer_format_asks_for_an_update(file):
    rewrite(file, lambda facts, arrays: facts.update(format=2))
    message = refusal(file)
    assert "format 2" in message and "update" in message


def change(arrays, name, value):
    arrays[name] = value


WRONG = {
    "shape": (
        lambda facts, arrays: change(arrays, "b_h", np.zeros(3, "float32")),
        ["b_h", "float32[3]", "float32[2]"],
    ),
    "transposed": (
        lambda facts, arrays: change(arrays, "W_xh", arrays["W_xh"].T.copy()),
        ["W_xh"],
    ),
    "dtype": (
        lambda facts, arrays: change(arrays, "b_h", np.zeros(2, "float64")),
        ["b_h", "float64"],
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
    "vocabulary": (lambda facts, arrays: facts["vocab"].pop(), ["vocabulary"]),
    "tokens": (lambda facts, arrays: change(facts["vocab"], 1, 5), ["tokens"]),
    "a token twice": (
        lambda facts, arrays: change(facts["vocab"], 1, facts["vocab"][2]),
        ["vocabulary"],
    ),
    "normalization": (
        lambda facts, arrays: facts["metadata"].update(normalization="rot13"),
        ["normalization"],
    ),
    "metadata": (lambda facts, arrays: facts.update(metadata=[]), []),
    "model": (lambda facts, arrays: facts.update(model=None), []),
    "no model": (lambda facts, arrays: facts.pop("model"), ["model"]),
    "format as text": (lambda facts, arrays: facts.update(format="1"), []),
    "no format": (lambda facts, arrays: facts.pop("format"), ["format"]),
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
    message = str(error.value)
    assert "\n" not in message and message.endswith(".") and "c.safetensors" in message


def test_a_folder_in_the_place_of_the_file_is_one_sentence(tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(CheckpointError, match="cannot write"):
        save(tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("step", ["mkstemp", "save_file", "replace"])
@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "No space left on device"), (errno.EACCES, "Permission denied")],
)
def test_a_write_that_fails_leaves_the_earlier_file(
    file, monkeypatch, step, code, words
):
    def fail(*_, **__):
        raise OSError(code, words)

    def fail_half_way(arrays, path, table):
        with open(path, "wb") as half:
            half.write(b"half")
        fail()

    before = file.read_bytes()
    if step == "mkstemp":
        monkeypatch.setattr(checkpoints.tempfile, "mkstemp", fail)
    elif step == "replace":
        monkeypatch.setattr(checkpoints.os, "replace", fail)
    else:
        monkeypatch.setattr(checkpoints, "save_file", fail_half_way)
    with pytest.raises(CheckpointError) as error:
        save(file)
    monkeypatch.undo()
    message = str(error.value)
    assert str(file) in message and words in message and "\n" not in message
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("step", ["save_file", "replace"])
def test_an_interrupted_write_leaves_the_earlier_file_and_no_other(
    file, monkeypatch, step
):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = file.read_bytes()
    where = checkpoints if step == "save_file" else checkpoints.os
    monkeypatch.setattr(where, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(file)
    monkeypatch.undo()
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_weights_that_are_not_finite_do_not_replace_a_good_file(file):
    before = file.read_bytes()
    net = d2l.scratch_model("rnn", SIZE, 2)
    net.params[0].set_value(paddle.full_like(net.params[0], float("nan")))
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(file, net, VOCAB)
    assert file.read_bytes() == before


def test_a_model_with_functions_of_its_own_is_refused(tmp_path):
    net = d2l.RNNModelScratch(
        SIZE, 2, d2l.get_lstm_params, d2l.init_lstm_state, lambda X, state, params: None
    )
    with pytest.raises(CheckpointError, match="functions of its own"):
        save_checkpoint(tmp_path / "c", net, VOCAB)
    assert not list(tmp_path.iterdir())


def test_a_model_with_a_layer_of_its_own_is_refused(tmp_path):
    class Mine(nn.LSTM):
        pass

    net = d2l.RNNModel(Mine(SIZE, 2, time_major=True), SIZE)
    with pytest.raises(CheckpointError, match="Mine"):
        save_checkpoint(tmp_path / "c", net, VOCAB)
    assert not list(tmp_path.iterdir())
