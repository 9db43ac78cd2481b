"""A trained model in one safetensors file: weights, cell, sizes, vocabulary, history.

safetensors holds named arrays and a table of strings and can hold no code, so a file
from anybody may be opened. The table has two entries: `sha256`, over everything else,
so that damage is noticed, and `d2l_lstm`, with this JSON object:

    format        1 means this page; a newer number is refused
    model         kind ('scratch' or a layer's name), cell, sizes
    vocab         the tokens by index
    metadata      more facts, e.g. how the text was normalised
    history       see `training.History`, or null
    training      what a run needs to go on, or null
    versions      of d2l_lstm, Paddle and Python

Arrays have the book's names (`W_xi`, ...) for a from-scratch cell and Paddle's for a
layer. A run with early stopping keeps its best weights under these names and its last
as `last.*`, so that it can go on.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .cells import CELLS
from .models import (
    RNNModel,
    RNNModelScratch,
    ScratchLayer,
    cell_name,
    parameters_of,
    scratch_model,
)
from .text import NORMALIZATIONS, Vocab

FORMAT = 1
_LAYERS = {"SimpleRNN": nn.SimpleRNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


class CheckpointError(ValueError):
    """A checkpoint that cannot be written or read; the message says why."""


@dataclass
class Checkpoint:
    """What a file holds, the model ready for use.

    Attributes:
        path: of the file.
        net: `RNNModelScratch` or `RNNModel`, in evaluation mode.
        vocab: the vocabulary.
        history: of the training, as a dict, or None.
        metadata: whatever else was said when it was saved.
        weights: name to tensor, of `net`.
        training, more_tensors: what `train_ch8(resume=True)` needs.
        versions: of the packages that wrote it.
    """

    path: Path
    net: object
    vocab: Vocab
    history: dict | None
    metadata: dict
    weights: dict
    training: dict | None = None
    more_tensors: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)


def describe(net) -> dict:
    """The facts from which `_build` makes the same model again."""
    sizes = {"vocab_size": net.vocab_size, "num_hiddens": net.num_hiddens}
    if isinstance(net, RNNModelScratch):
        if cell_name(net) is None:
            raise CheckpointError(
                "only models of a cell in d2l_lstm.CELLS can be saved; this one has "
                "functions of its own."
            )
        return {"kind": "scratch", "cell": cell_name(net), **sizes}
    rnn = net.rnn
    if isinstance(rnn, ScratchLayer):
        return {"kind": "ScratchLayer", "cell": rnn.cell.name, **sizes}
    kind = type(rnn).__name__
    if kind not in _LAYERS:
        raise CheckpointError(f"a model with a layer of type {kind} cannot be saved.")
    return {
        "kind": kind,
        "num_layers": rnn.num_layers,
        "direction": "bidirect" if rnn.num_directions == 2 else "forward",
        "dropout": rnn.dropout,
        **sizes,
    }


def _build(model: dict, num_numbers: int):
    kind, v, h = model["kind"], model["vocab_size"], model["num_hiddens"]
    for size in (v, h):
        if not isinstance(size, int) or not 1 <= size <= 1_000_000:
            raise ValueError(f"a size of {size!r}")
    if v * h > num_numbers:
        raise ValueError(f"sizes of {v} and {h}, but {num_numbers} numbers")
    if kind in ("scratch", "ScratchLayer") and model["cell"] not in CELLS:
        raise ValueError(f"the unknown cell {model['cell']!r}")
    if kind == "scratch":
        return scratch_model(model["cell"], v, h)
    if kind == "ScratchLayer":
        return RNNModel(ScratchLayer(model["cell"], v, h), v)
    layer = _LAYERS[kind](
        v,
        h,
        num_layers=model["num_layers"],
        direction=model["direction"],
        dropout=model["dropout"],
        time_major=True,
    )
    return RNNModel(layer, v)


def write_atomically(path, write) -> None:
    """Write a file whole or not at all.

    Args:
        path: the file.
        write: called with a temporary path in the same folder, to write there.

    Raises:
        CheckpointError: if the folder cannot be written or the disk is full. An
            earlier file of that name is then still as it was.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=path.name + ".", suffix=".part"
        )
        os.close(handle)
        write(temporary)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(f"cannot write {path}: {reason}.") from error
    finally:
        if temporary and os.path.exists(temporary):
            os.remove(temporary)


def save_checkpoint(
    path,
    net,
    vocab: Vocab,
    *,
    history: dict | None = None,
    metadata: dict | None = None,
    weights: dict | None = None,
    training: dict | None = None,
    more_tensors: dict | None = None,
) -> None:
    """Save a model to one safetensors file, whole or not at all.

    Args:
        path: the file; folders that are missing are made.
        net: a model of a cell in `CELLS` or of a Paddle layer.
        vocab: its vocabulary.
        history: `History.to_dict()`.
        metadata: more facts, as JSON can hold them, e.g. the normalization.
        weights: to save instead of the net's own.
        training, more_tensors: what a run needs to go on, see `train_ch8`.

    Raises:
        CheckpointError: if the model is not one of these, or the file cannot be
            written.
    """
    facts = {
        "format": FORMAT,
        "model": describe(net),
        "vocab": vocab.idx_to_token,
        "history": history,
        "metadata": metadata or {},
        "training": training,
        "versions": _versions(),
    }
    tensors = {**(weights or parameters_of(net)), **(more_tensors or {})}
    arrays = {n: np.ascontiguousarray(t.numpy()) for n, t in tensors.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{path} was not written: numbers in {name} are not finite."
            )
    description = json.dumps(facts)
    table = {"d2l_lstm": description, "sha256": _checksum(description, arrays)}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, table))


def _checksum(description: str, arrays: dict) -> str:
    """SHA-256 over the description and every array with its name, type and shape."""
    digest = hashlib.sha256(description.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _versions() -> dict:
    from . import __version__

    return {
        "d2l_lstm": __version__,
        "paddle": paddle.__version__,
        "python": platform.python_version(),
    }


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
    if not path.is_file():
        if missing_ok and not path.exists():
            return None
        raise CheckpointError(f"there is no checkpoint file {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            table = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file ({error})."
        ) from None
    if "d2l_lstm" not in table:
        raise CheckpointError(f"{path} is a safetensors file, but not one of d2l_lstm.")
    try:
        facts = json.loads(table["d2l_lstm"])
        newer = facts["format"] > FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: its description {error}.") from None
    if newer:
        raise CheckpointError(
            f"{path} has format {facts['format']}, and this version reads up to "
            f"{FORMAT}: update d2l-lstm."
        )
    if table.get("sha256") != _checksum(table["d2l_lstm"], arrays):
        raise CheckpointError(f"{path} is damaged: its checksum does not fit.")
    try:
        return _assemble(path, facts, arrays)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged: its description has {error}."
        ) from None


def _assemble(path, facts, arrays) -> Checkpoint:
    vocab = Vocab()
    vocab.idx_to_token = facts["vocab"]
    if not all(isinstance(token, str) for token in vocab.idx_to_token):
        raise ValueError("tokens that are no strings")
    vocab.token_to_idx = {token: i for i, token in enumerate(vocab.idx_to_token)}
    model = facts["model"]
    if len(vocab) != model["vocab_size"] or len(vocab.token_to_idx) != len(vocab):
        raise ValueError("a vocabulary that does not fit the model")
    metadata = facts["metadata"]
    if metadata.get("normalization", "book") not in NORMALIZATIONS:
        raise ValueError("an unknown normalization")
    net = _build(model, sum(array.size for array in arrays.values()))
    weights = {}
    for name, parameter in parameters_of(net).items():
        array = arrays.pop(name, None)
        if array is None:
            raise ValueError(f"no array {name}")
        if list(array.shape) != list(parameter.shape) or array.dtype != np.float32:
            raise ValueError(
                f"{name} as {array.dtype}{list(array.shape)}, where the model has "
                f"float32{list(parameter.shape)}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"numbers in {name} that are not finite")
        parameter.set_value(array)
        weights[name] = parameter
    if isinstance(net, nn.Layer):
        net.eval()
    return Checkpoint(
        path=path,
        net=net,
        vocab=vocab,
        history=facts["history"],
        metadata=metadata,
        weights=weights,
        training=facts["training"],
        more_tensors={n: paddle.to_tensor(a) for n, a in arrays.items()},
        versions=facts["versions"],
    )
