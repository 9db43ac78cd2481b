"""A trained model in one safetensors file: weights, cell, sizes, text, history.

safetensors holds named arrays and a table of strings and can hold no code, so a file
from anybody may be opened. The table has two entries: `sha256`, over everything else,
so that damage is noticed, and `d2l_lstm`, a JSON object, see
`descriptions.Description`. What does not fit it is refused, when reading and when
writing alike.

Arrays are float32 and have the book's names (`W_xi`, ...) for a from-scratch cell and
Paddle's for a layer. A run that can be gone on with adds `last.*`, its last weights
where those of the model are its best, and `optimizer.*`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
import reprlib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import paddle
from paddle import nn
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .descriptions import (
    FORMAT,
    CheckpointError,
    Description,
    build,
    check_same,
    decoded,
    describe,
    not_json,
    nothing_moves,
    shapes_of,
    type_of,
)
from .files import FileError, check_writable, kind_of, shown, told, write_whole
from .models import parameters_of
from .text import Vocab

_LONGEST = 10_000_000  # characters of a description
_LONGEST_HEADER = 3 * _LONGEST  # bytes: it holds the description, quoted once more


@contextlib.contextmanager
def _one_sentence(start: str):
    """Make a ValueError, which says what is wrong, the end of a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except FileError as error:  # a sentence already
        raise CheckpointError(str(error)) from error
    except RecursionError as error:
        raise CheckpointError(
            f"{start}: its description is nested too deeply."
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{start}: {error}.") from error


def _checksum(description: str, arrays: dict) -> str:
    """SHA-256 over the description and every array with its name, type and shape."""
    digest = hashlib.sha256(description.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check_arrays(said: Description, shapes: dict) -> None:
    """Raise ValueError unless these are the arrays of this model and this run."""
    if getattr(said.model, "num_layers", 0) > len(shapes):
        raise ValueError(
            f"the model has {said.model.num_layers} layers, and there are "
            f"{len(shapes)} arrays"
        )
    wanted = shapes_of(said.model)
    has_last = any(name.startswith("last.") for name in shapes)
    if said.run is not None and (has_last or said.run.weights_are_best):
        wanted |= {f"last.{name}": shape for name, shape in wanted.items()}
    for name, shape in wanted.items():
        if name not in shapes:
            raise ValueError(f"there is no array {name}")
        if tuple(shapes[name]) != shape:
            raise ValueError(
                f"the array {name} has the shape {reprlib.repr(list(shapes[name]))}, "
                f"and the model needs {list(shape)}"
            )
    for name in shapes:
        of_the_run = said.run is not None and name.startswith("optimizer.")
        if name not in wanted and not of_the_run:
            raise ValueError(f"the array {reprlib.repr(name)} belongs to nothing")


def _check_types(arrays: dict) -> None:
    """Raise ValueError unless all, name to (type, shape), can be read and written."""
    for name, (dtype, shape) in arrays.items():
        if dtype not in ("F32", "float32"):
            raise ValueError(
                f"the array {reprlib.repr(name)} is of type {dtype}, and should be "
                "float32"
            )
        if len(shape) > 8 or 0 in shape:
            raise ValueError(
                f"the array {reprlib.repr(name)} has the shape "
                f"{reprlib.repr(list(shape))}"
            )


def _check_length(description: str) -> None:
    if len(description) > _LONGEST:
        raise ValueError(f"its description is longer than {_LONGEST:,} characters")


def _check_finite(arrays: dict) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"numbers in {shown(name, 60)} are not finite")


def is_checkpoint(path) -> bool:
    """Whether a file begins as a checkpoint of d2l_lstm does; reads 4 kB of it.

    So one that is damaged further on may be replaced, too.

    Raises:
        OSError: if the file cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(4096)[8:]  # after the length of the header
    return start.startswith(b'{"__metadata__":{') and b'"d2l_lstm":"' in start


def check_checkpoint(path, net, vocab: Vocab, metadata: dict | None = None) -> None:
    """Try all of `save_checkpoint` that can be tried without touching the file.

    For the time before a training: better then than after it.

    Raises:
        CheckpointError: as `save_checkpoint` would.
    """
    with _one_sentence(f"{shown(path)} cannot be written"):
        _encoded(net, vocab, metadata=metadata)
        check_writable(path, may_replace=is_checkpoint)


def save_checkpoint(
    path,
    net,
    vocab: Vocab,
    *,
    history: dict | None = None,
    metadata: dict | None = None,
    weights: dict | None = None,
    run: dict | None = None,
    more_tensors: dict | None = None,
) -> None:
    """Save a model to one safetensors file, whole or not at all.

    Args:
        path: the file; folders that are missing are made. Another checkpoint of this
            name is replaced, any other file is not.
        net: a model of a cell in `CELLS` or of a Paddle layer.
        vocab: its vocabulary.
        history: `History.to_dict()`.
        metadata: more facts, as JSON can hold them, e.g. the name of the text.
        weights: name to tensor, to save instead of the net's own.
        run: what the run needs to go on: `settings`, `random`, `weights_are_best`.
        more_tensors: of the run, named `last.*` and `optimizer.*`.

    Raises:
        CheckpointError: if `load_checkpoint` could not give back exactly this, or the
            file cannot be written. An earlier file is then still as it was.
    """
    with _one_sentence(f"{shown(path)} was not written"):
        content = _encoded(
            net,
            vocab,
            history=history,
            metadata=metadata,
            weights=weights,
            run=run,
            more_tensors=more_tensors,
        )
        write_whole(path, content, may_replace=is_checkpoint)


def _encoded(
    net,
    vocab,
    *,
    history=None,
    metadata=None,
    weights=None,
    run=None,
    more_tensors=None,
) -> bytes:
    """The content of a file, once it is known that it can be read again."""
    model = describe(net)
    if not isinstance(vocab, Vocab):
        raise CheckpointError(
            f"the vocabulary is of the class {type(vocab).__name__}; give a Vocab of "
            "d2l_lstm."
        )
    facts = {
        "format": FORMAT,
        "model": msgspec.to_builtins(model),
        "text": {
            "token": vocab.token,
            "normalization": vocab.normalization,
            "join": vocab.join,
            "tokens": vocab.idx_to_token,
        },
        "history": history,
        "metadata": {} if metadata is None else metadata,
        "run": run,
        "versions": _versions(),
    }
    tensors = parameters_of(net) if weights is None else weights
    tensors = {**tensors, **(more_tensors or {})}
    for name in ("text", "history", "metadata", "run"):
        if fault := not_json(facts[name], name):
            raise ValueError(fault)
    said = decoded(facts)
    check_same(net, model)
    _check_types({name: (type_of(t), t.shape) for name, t in tensors.items()})
    _check_arrays(said, {name: t.shape for name, t in tensors.items()})
    arrays = {n: np.ascontiguousarray(t.numpy()) for n, t in tensors.items()}
    _check_finite(arrays)
    description = json.dumps(facts)
    _check_length(description)
    table = {"d2l_lstm": description, "sha256": _checksum(description, arrays)}
    return save(arrays, table)


def _versions() -> dict:
    from . import __version__

    return {
        "d2l_lstm": __version__,
        "paddle": paddle.__version__,
        "python": platform.python_version(),
    }


@dataclass
class Checkpoint:
    """What a file holds, the model ready for use.

    Attributes:
        path: of the file.
        net: `RNNModelScratch` or `RNNModel`, in evaluation mode.
        vocab: the vocabulary, with the token kind and the normalization of the text.
        history: of the training, as a dict, or None.
        metadata: whatever else was said when it was saved.
        weights: name to tensor, of `net`.
        run, more_tensors: what the run needs to go on, or None and no tensors.
        versions: of the packages that wrote it.
    """

    path: Path
    net: object
    vocab: Vocab
    history: dict | None
    metadata: dict
    weights: dict
    run: dict | None = None
    more_tensors: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)


def load_checkpoint(path, *, missing_ok: bool = False) -> Checkpoint | None:
    """Load a model saved by `save_checkpoint`.

    Args:
        path: the file.
        missing_ok: return None if there is no such file.

    Raises:
        CheckpointError: if the file is missing, damaged, not one of ours, from a newer
            version, or holds arrays that do not fit the model it describes.
    """
    path = Path(path)
    with _one_sentence(f"{shown(path)} is damaged"):
        with told("read", path):
            kind = kind_of(path)
            if kind is None and missing_ok:
                return None
            if kind is None:
                raise CheckpointError(f"there is no checkpoint file {shown(path)}.")
            if kind != "a file":
                raise CheckpointError(
                    f"{shown(path)} is {kind}, not a checkpoint file."
                )
            table, arrays = _read(path)
        return _assembled(path, table, arrays)


def _read(path) -> tuple[dict, dict]:
    """The table and the arrays of a safetensors file."""
    damaged = f"{shown(path)} is damaged or not a safetensors file."
    with open(path, "rb") as file:
        if int.from_bytes(file.read(8), "little") > _LONGEST_HEADER:
            raise CheckpointError(damaged)
    try:
        with safe_open(path, framework="numpy") as file:
            table = file.metadata() or {}
            if "d2l_lstm" not in table:
                raise CheckpointError(
                    f"{shown(path)} is a safetensors file, but not one of d2l_lstm."
                )
            slices = {name: file.get_slice(name) for name in file.keys()}
            _check_types({n: (s.get_dtype(), s.get_shape()) for n, s in slices.items()})
            return table, {name: file.get_tensor(name) for name in slices}
    except SafetensorError as error:
        raise CheckpointError(damaged) from error


def _assembled(path, table, arrays) -> Checkpoint:
    description = table["d2l_lstm"]
    _check_length(description)
    try:
        facts = json.loads(description)
    except ValueError:
        raise ValueError("its description is not JSON") from None
    number = facts.get("format") if isinstance(facts, dict) else None
    if type(number) is int and number > FORMAT:
        raise CheckpointError(
            f"{shown(path)} has format {reprlib.repr(number)}, and this version reads "
            f"up to {FORMAT}: update d2l-lstm."
        )
    if table.get("sha256") != _checksum(description, arrays):
        raise ValueError("its checksum does not fit")
    said = decoded(facts)
    if number == 1:
        arrays = {
            re.sub(r"^rnn\.(?=[Wbcp]_)", "rnn.0.cell.", name): array
            for name, array in arrays.items()
            if not name.startswith("last.")
        }
    _check_arrays(said, {name: array.shape for name, array in arrays.items()})
    _check_finite(arrays)
    with nothing_moves():
        net = build(said.model)
    weights = parameters_of(net)
    for name, parameter in weights.items():
        parameter.set_value(arrays.pop(name))
    if isinstance(net, nn.Layer):
        net.eval()
    text = said.text
    vocab = Vocab(token=text.token, normalization=text.normalization, join=text.join)
    vocab.idx_to_token = text.tokens
    vocab.token_to_idx = {token: i for i, token in enumerate(text.tokens)}
    return Checkpoint(
        path=path,
        net=net,
        vocab=vocab,
        history=None if said.history is None else said.history.to_dict(),
        metadata=said.metadata,
        weights=weights,
        run=None if said.run is None else msgspec.to_builtins(said.run),
        more_tensors={name: paddle.to_tensor(a) for name, a in arrays.items()},
        versions=said.versions,
    )
