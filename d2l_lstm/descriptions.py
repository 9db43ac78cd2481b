"""What a checkpoint says: its schema, and a model and its description in one.

`Description` is all that a file may say. A model is described, made again from the
description, and compared with what was made, so that what is saved can be loaded.
"""

from __future__ import annotations

import contextlib
import json
import re
import reprlib
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import paddle
from msgspec import Meta
from paddle import nn

from .cells import CELLS
from .files import FileError, shown
from .models import (
    RNNModel,
    RNNModelScratch,
    RNNStack,
    ScratchLayer,
    cell_name,
    evaluation_mode,
    parameters_of,
    scratch_model,
)
from .snapshots import History
from .text import NORMALIZATIONS

FORMAT = 2


class CheckpointError(FileError):
    """A checkpoint that cannot be written or read; the message says why."""


# --------------------------------------------------------------------------------------
# What a file says


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the description: these entries, of these types, and no others."""


class _Model(_Entry, frozen=True, tag_field="kind"):
    vocab_size: Annotated[int, Meta(ge=1, le=1_000_000)]
    num_hiddens: Annotated[int, Meta(ge=1, le=1_000_000)]


class _Layers(_Model, frozen=True):
    num_layers: Annotated[int, Meta(ge=1, le=1000)]
    direction: Literal["forward", "bidirect"]
    dropout: Annotated[float, Meta(ge=0, le=1)]


class _Scratch(_Model, frozen=True, tag="scratch"):
    """`RNNModelScratch` of a cell in `CELLS`."""

    cell: str


class _ScratchLayers(_Layers, frozen=True, tag="ScratchLayer"):
    """`RNNModel` of an `RNNStack` of layers around `ScratchLayer`."""

    cell: str


class _SimpleRNN(_Layers, frozen=True, tag="SimpleRNN"):
    activation: Literal["tanh", "relu"]


class _LSTM(_Layers, frozen=True, tag="LSTM"):
    pass


class _GRU(_Layers, frozen=True, tag="GRU"):
    pass


class _Text(_Entry, frozen=True):
    """The fields of a `Vocab`."""

    token: Literal["char", "word"]
    normalization: Literal[NORMALIZATIONS]
    join: Literal["", " ", "\n"]
    tokens: Annotated[list[str], Meta(min_length=1)]


class _Run(_Entry, frozen=True):
    """What a run needs to go on; what is in `settings` and `random` is its own."""

    settings: dict[str, Any]
    random: dict[str, Any]
    weights_are_best: bool


class Description(_Entry, frozen=True):
    """The JSON object of a file.

    Attributes:
        format: 2 means this class; a newer number is refused.
        model: its kind (`scratch`, `ScratchLayer`, `SimpleRNN`, `LSTM`, `GRU`), cell,
            sizes.
        text: tokens by index, and how a text becomes such tokens.
        history: see `snapshots.History`, or null.
        metadata: more facts.
        run: what a run needs to go on, or null.
        versions: of d2l_lstm, Paddle and Python.
    """

    format: Literal[2]
    model: _Scratch | _ScratchLayers | _SimpleRNN | _LSTM | _GRU
    text: _Text
    history: History | None
    metadata: dict[str, Any]
    run: _Run | None
    versions: dict[str, str]


class _Format1(_Entry, frozen=True):
    format: Literal[1]
    model: dict[str, Any]
    vocab: list[str]
    history: dict[str, Any] | None
    metadata: dict[str, Any]
    training: Any
    versions: dict[str, str]


_NOW = {  # what the entries of a history were called
    "train_perplexity": "train",
    "valid_perplexity": "valid",
    "tokens_per_second": "per_second",
}


def _as_format_2(facts: dict) -> dict:
    """What a file of format 1 says. Its run cannot be gone on with."""
    old = _converted(facts, _Format1)
    model = dict(old.model)
    if model.get("kind") == "SimpleRNN":
        model["activation"] = "tanh"
    if model.get("kind") == "ScratchLayer":
        model |= {"num_layers": 1, "direction": "forward", "dropout": 0.0}
    is_char = all(len(token) == 1 for token in old.vocab[1:])
    text = {
        "token": "char" if is_char else "word",
        "normalization": old.metadata.get("normalization", "book"),
        "join": "",
        "tokens": old.vocab,
    }
    history = old.history and {_NOW.get(n, n): v for n, v in old.history.items()}
    new = {"format": FORMAT, "model": model, "text": text, "run": None}
    new |= {"metadata": old.metadata, "versions": old.versions}
    return new | {"history": history}


def decoded(facts) -> Description:
    """The description in its types.

    Raises:
        ValueError: with what is wrong, as the end of a sentence.
    """
    if isinstance(facts, dict) and facts.get("format") == 1:
        facts = _as_format_2(facts)
    said = _converted(facts, Description)
    tokens, model = said.text.tokens, said.model
    if isinstance(model, (_Scratch, _ScratchLayers)) and model.cell not in CELLS:
        raise ValueError(f"the cell {reprlib.repr(model.cell)} is unknown")
    if len(tokens) != model.vocab_size:
        raise ValueError(
            f"the vocabulary has {len(tokens)} tokens, and the model is for "
            f"{model.vocab_size}"
        )
    if tokens[0] != "<unk>":
        raise ValueError("the first token of the vocabulary is not '<unk>'")
    if len(set(tokens)) != len(tokens):
        raise ValueError("the vocabulary has a token twice")
    for token in tokens:
        if any("\ud800" <= character <= "\udfff" for character in token):
            raise ValueError(f"the token {reprlib.repr(token)} is half a character")
    if said.history is not None:
        _check_history(said.history, facts["history"])
    return said


def _check_history(history: History, facts: dict) -> None:
    for name, values in facts.items():
        if name not in vars(history):
            raise ValueError(f"history has the unknown entry {reprlib.repr(name)}")
        if isinstance(values, list) and len(values) != len(history.epochs):
            raise ValueError(
                f"history.{name} has the length {len(values)}, and there are "
                f"{len(history.epochs)} epochs"
            )


def _converted(facts, schema):
    """`msgspec.convert`, its refusal in plain words."""
    try:
        return msgspec.convert(facts, schema, strict=True)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
    except OverflowError:
        raise ValueError("a number is too large") from None
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", place)
    value, name = facts, ""
    for key, index in steps:
        value = value[key] if key else value[int(index)]
        name += f".{key}" if key else f"[{index}]"
    name = name.lstrip(".") or "it"
    if missing := re.match("Object missing required field `(.*)`", message):
        raise ValueError(f"{f'{name}.'.removeprefix('it.')}{missing[1]} is missing")
    if message.startswith("Object contains unknown field"):
        raise ValueError(f"{name} has an entry that is unknown")
    message = re.sub(", got .*", "", message)
    if wanted := re.match("Expected (.*)", message):
        words = re.sub(r"`([\w| ]+)`", lambda m: _in_words(m[1]), wanted[1])
        raise ValueError(f"{name} is {_value(value)}, and should be {words}")
    raise ValueError(f"{name} is {_value(value)}, which is unknown")


_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def _in_words(types: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types.split(" | "))


def _value(value) -> str:
    """A value of a description, as a message names it."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a table"
    if value is None:
        return "nothing"
    return json.dumps(value) if isinstance(value, bool) else reprlib.repr(value)


def not_json(value, name: str) -> str | None:
    """What in a value would not come back from JSON as it was."""
    if type(value) is int and value.bit_length() > 1024:
        return f"{shown(name, 60)} is a number of more than 1024 bits"
    if value is None or type(value) in (bool, int, float, str):
        return None
    if type(value) is list:
        items = ((f"{name}[{i}]", v) for i, v in enumerate(value))
    elif type(value) is dict:
        for key in value:
            if type(key) is not str:
                return f"the key {reprlib.repr(key)} of {name} is no text"
        items = ((f"{name}[{reprlib.repr(k)}]", v) for k, v in value.items())
    else:
        kind = type(value).__name__
        return (
            f"{shown(name, 60)} is of the type {kind}, which JSON cannot hold; give "
            "plain numbers, texts, lists and tables"
        )
    return next(filter(None, (not_json(v, n) for n, v in items)), None)


# --------------------------------------------------------------------------------------
# Models


def describe(net) -> _Model:
    """The facts from which the same model can be made again; compare with `==`.

    Raises:
        CheckpointError: if there are none: only `RNNModelScratch` of a cell in `CELLS`
            and `RNNModel` of a plain layer of Paddle or of `ScratchLayer` have them.
    """
    if type(net) not in (RNNModelScratch, RNNModel):
        raise CheckpointError(
            f"a model of the class {type(net).__name__} cannot be saved; save an "
            "RNNModelScratch or an RNNModel."
        )
    sizes = {"vocab_size": int(net.vocab_size), "num_hiddens": int(net.num_hiddens)}
    if isinstance(net, RNNModelScratch):
        if cell_name(net) is None:
            raise CheckpointError(
                "only models of a cell in d2l_lstm.CELLS can be saved; this one has "
                "functions of its own."
            )
        return _Scratch(cell=cell_name(net), **sizes)
    rnn = net.rnn
    facts = sizes | {
        "num_layers": int(rnn.num_layers),
        "direction": "bidirect" if rnn.num_directions == 2 else "forward",
        "dropout": rnn.dropout,
    }
    if type(rnn) is nn.SimpleRNN:
        activation = rnn.mode.removeprefix("RNN_").lower()
        return _SimpleRNN(activation=activation, **facts)
    if type(rnn) in (nn.LSTM, nn.GRU):
        return (_LSTM if type(rnn) is nn.LSTM else _GRU)(**facts)
    if type(rnn) is not RNNStack:
        raise CheckpointError(
            f"a model with a layer of type {type(rnn).__name__} cannot be saved."
        )
    cells = [c for c in rnn.sublayers() if isinstance(c, nn.RNNCellBase)]
    for cell in cells:
        if type(cell) is not ScratchLayer:
            raise CheckpointError(
                f"a model with a cell of type {type(cell).__name__} cannot be saved; "
                "of a stack only ScratchLayer can."
            )
    names = {cell.cell.name for cell in cells}
    if len(names) != 1 or any(CELLS.get(c.cell.name) is not c.cell for c in cells):
        raise CheckpointError(
            f"a stack of the cells {', '.join(sorted(names))} cannot be saved; all "
            "must be one cell of d2l_lstm.CELLS."
        )
    return _ScratchLayers(cell=names.pop(), **facts)


_GATES = {_SimpleRNN: 1, _GRU: 3, _LSTM: 4}


def shapes_of(model: _Model) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model's parameters, without making one."""
    v, h = model.vocab_size, model.num_hiddens
    if isinstance(model, _Scratch):
        cell = CELLS[model.cell]
        return {name: cell.shape(name, v, h, v) for name in cell.param_names}
    shapes, directions = {}, 2 if model.direction == "bidirect" else 1
    for i in range(model.num_layers):
        d = v if i == 0 else h * directions  # inputs of this layer
        if isinstance(model, _ScratchLayers):
            for cell in ("cell_fw", "cell_bw") if directions == 2 else ("cell",):
                scratch = CELLS[model.cell]
                for name in scratch.param_names[:-2]:
                    shapes[f"rnn.{i}.{cell}.{name}"] = scratch.shape(name, d, h, v)
            continue
        rows = _GATES[type(model)] * h
        for end in (f"l{i}", f"l{i}_reverse")[:directions]:
            shapes[f"rnn.weight_ih_{end}"] = (rows, d)
            shapes[f"rnn.weight_hh_{end}"] = (rows, h)
            shapes[f"rnn.bias_ih_{end}"] = shapes[f"rnn.bias_hh_{end}"] = (rows,)
    return shapes | {"linear.weight": (h * directions, v), "linear.bias": (v,)}


@contextlib.contextmanager
def nothing_moves():
    """Keep random numbers and the default type as they are; float32 inside."""
    dtype, random = paddle.get_default_dtype(), paddle.get_rng_state()
    paddle.set_default_dtype("float32")
    try:
        yield
    finally:
        paddle.set_default_dtype(dtype)
        paddle.set_rng_state(random)


def build(model: _Model):
    """A model of this description, its weights drawn as ever."""
    v, h = model.vocab_size, model.num_hiddens
    if isinstance(model, _Scratch):
        return scratch_model(model.cell, v, h)
    if isinstance(model, _ScratchLayers):
        both, layers = model.direction == "bidirect", []
        for i in range(model.num_layers):
            d = v if i == 0 else h * (1 + both)
            cells = [ScratchLayer(model.cell, d, h) for _ in range(1 + both)]
            layers.append((nn.BiRNN if both else nn.RNN)(*cells, time_major=True))
        return RNNModel(RNNStack(*layers, dropout=model.dropout), v)
    options = {
        "num_layers": model.num_layers,
        "direction": model.direction,
        "dropout": model.dropout,
        "time_major": True,
    }
    if isinstance(model, _SimpleRNN):
        options["activation"] = model.activation
    kinds = {_SimpleRNN: nn.SimpleRNN, _LSTM: nn.LSTM, _GRU: nn.GRU}
    return RNNModel(kinds[type(model)](v, h, **options), v)


def check_same(net, model: _Model) -> None:
    """Make the model again and compare: parameters, what is frozen, scores.

    Raises:
        CheckpointError: for the first difference.
    """
    with nothing_moves():
        twin = build(model)
        theirs, ours = parameters_of(net), parameters_of(twin)
        if different := set(theirs) ^ set(ours):
            name = min(different)
            more, fewer = ("lacks", "has") if name in ours else ("has", "lacks")
            raise CheckpointError(
                f"the model cannot be saved: it {more} {name}, and a plain one {fewer} "
                "it."
            )
        for name, one in theirs.items():
            if _in_short(one) != _in_short(ours[name]):
                raise CheckpointError(
                    f"the model cannot be saved: {name} is {_in_short(one)}, and in a "
                    f"plain model {_in_short(ours[name])}."
                )
            ours[name].set_value(one)
        wanted, found = _scores(net, model), _scores(twin, model)
        # Not bit by bit: a matrix product may depend on where its numbers lie.
        near = 1e-5 * np.nan_to_num(np.abs(wanted)).max()
        if not np.allclose(found, wanted, rtol=0, atol=near, equal_nan=True):
            raise CheckpointError(
                "the model cannot be saved: it computes something else than a plain "
                "one with its weights, so a layer was changed or runs backwards."
            )


def _scores(net, model: _Model):
    """Scores of a tiny batch, in evaluation mode."""
    X = paddle.arange(6).reshape((2, 3)) % model.vocab_size
    with evaluation_mode(net):
        return net(X, net.begin_state(2))[0].numpy()


def _in_short(parameter) -> str:
    """Type, shape, and whether it is trained: `'float32[28, 256]'`."""
    frozen = ", frozen" if parameter.stop_gradient else ""
    return f"{type_of(parameter)}{list(parameter.shape)}{frozen}"


def type_of(tensor) -> str:
    """`'float32'`, ..."""
    return str(tensor.dtype).rpartition(".")[2]
