"""Stopping a run and going on: what is saved, and what has to be the same again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy

import msgspec
import paddle

from .checkpoints import (
    CheckpointError,
    check_checkpoint,
    describe,
    load_checkpoint,
    save_checkpoint,
)
from .fitting import Callback, lr_at
from .snapshots import (
    History,
    Snapshot,
    optimizer_state,
    put_optimizer_state,
    put_random_state,
    put_weights,
)


class Saving(Callback):
    """Saves a run to a checkpoint when validation is due, and at its end.

    A file of that name is replaced when another epoch is complete, not before.

    Args:
        path: the file.
        net, vocab: the model, and its text.
        settings: see `settings_of`.
        metadata: more facts to keep.
        keep_best: save the best weights as the model's, and the last beside them.

    Raises:
        CheckpointError: if this model cannot be saved there.
    """

    def __init__(
        self, path, net, vocab, settings, metadata, keep_best: bool, optimizer=None
    ):
        check_checkpoint(path, net, vocab, metadata=metadata)
        _check_savable(optimizer, net)
        self.epochs_before = 0
        self.path, self.net, self.vocab = path, net, vocab
        self.settings, self.metadata, self.keep_best = settings, metadata, keep_best

    def begin(self, run: Snapshot) -> None:
        self.epochs_before = len(run.history.epochs)

    def epoch(self, run: Snapshot, scheduled: bool) -> None:
        if scheduled:
            self.end(run)

    def end(self, run: Snapshot) -> None:
        if len(run.history.epochs) == self.epochs_before:
            return  # nothing new: what is in the file is as good, or better
        best = run.best if self.keep_best else None
        more = {f"optimizer.{name}": t for name, t in run.optimizer.items()}
        if best is not None:
            more |= {f"last.{name}": t for name, t in run.weights.items()}
        save_checkpoint(
            self.path,
            self.net,
            self.vocab,
            history=run.history.to_dict(),
            metadata=self.metadata,
            weights=run.weights if best is None else best,
            run={
                "settings": self.settings,
                "random": run.random,
                "weights_are_best": best is not None,
            },
            more_tensors=more,
        )


def settings_of(
    train_iter, valid_iter, use_random_iter, theta, optimizer, valid_every, patience
) -> dict:
    """What decides where a run ends, as JSON can hold it; the rates are in the history.

    Of minibatches that are no `SeqDataLoader` nothing is known, and nothing compared.
    """
    return {
        "theta": float(theta) if math.isfinite(theta) else str(float(theta)),
        "optimizer": _described(optimizer),
        "epochs between validations": int(valid_every),
        "patience": None if patience is None else int(patience),
        "random minibatches": bool(use_random_iter),
        "training text": _text(train_iter),
        "validation text": _text(valid_iter),
    }


def _text(data_iter):
    if data_iter is None:
        return None
    return data_iter.settings() if hasattr(data_iter, "settings") else "unknown"


# What an optimizer holds beside its settings: parameters, state, names of Paddle's.
_NO_SETTINGS = {
    "_accumulators", "_accumulators_holder", "_already_create_accumulator",
    "_auxiliary_vars", "_learning_rate", "_learning_rate_map", "_master_grads",
    "_master_weights", "_name", "_opti_name_list", "_param_device_map", "_param_dict",
    "_parameter_list", "clear_gradients", "helper", "params", "type",
}  # fmt: skip


def _described(value):
    """An optimizer by its type and its settings, and in these whatever they hold."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, paddle.Tensor):
        return value.tolist() if value.size < 10 else list(value.shape)
    if isinstance(value, (list, tuple)):
        return [_described(v) for v in value if not isinstance(v, paddle.Tensor)]
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__qualname__
    facts = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    kind = {} if isinstance(value, Mapping) else {"type": type(value).__name__}
    return kind | {
        str(name).lstrip("_"): _described(held)
        for name, held in sorted(facts.items(), key=str)
        if name not in _NO_SETTINGS
    }


def _check_savable(optimizer, net) -> None:
    """Refuse an optimizer whose state a checkpoint cannot hold, or is not all of it."""
    if optimizer is None:
        return
    kind = type(optimizer).__name__
    if not type(optimizer).__module__.startswith("paddle.optimizer."):
        raise CheckpointError(f"a run with the optimizer {kind} cannot be saved.")
    for name, tensor in optimizer_state(optimizer, net).items():
        if tensor.dtype != paddle.float32:
            raise CheckpointError(
                f"a run with the optimizer {kind} cannot be saved: {name} is not "
                "float32."
            )


def _differences(before: Mapping, now: Mapping, inside: str = "") -> list[str]:
    """What differs, as 'NAME was OLD and is NEW'; of a text, that it is another."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{inside}{name}, ")
        elif old != new and name == "sha256":
            found.append(f"the {inside.rstrip(', ')} is another")
        elif old != new and "unknown" not in (old, new):
            found.append(f"{inside}{name} was {_short(old)} and is {_short(new)}")
    return found


def _short(value) -> str:
    if isinstance(value, Mapping):
        value = value.get("type", "another")
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 12 else text[:8] + "…"


def resume_run(
    path, net, vocab, lr, settings: dict, optimizer=None, force: bool = False
) -> Snapshot:
    """Put a saved run back: last weights, optimizer and random numbers.

    Args:
        path: of a checkpoint that `Saving` has written.
        net, vocab, optimizer: of the run to go on.
        lr: its learning rate; the rates of the epochs done have to be the same.
        settings: of the run to go on, see `settings_of`.
        force: go on also if rates or settings differ.

    Raises:
        CheckpointError: if there is no such run, or for what differs, by name. Nothing
            has been changed then.
    """
    saved = load_checkpoint(path)
    if saved.run is None or saved.history is None:
        raise CheckpointError(
            f"{path} holds a model, but no run to go on with; train without resume."
        )
    history = History(**{**saved.history, "stopped": "finished"})
    before, has_best = saved.run["settings"], saved.run["weights_are_best"]
    _check_same_model(path, saved, net, vocab)
    if settings["patience"] and history.best_epoch and not has_best:
        raise CheckpointError(
            f"{path} was trained without patience and has not kept its best "
            "weights; go on without patience."
        )
    differ = _other_rates(history, lr) + _differences(before, settings)
    if differ and not force:
        raise CheckpointError(
            f"{path} was trained otherwise: {'; '.join(differ[:3])}; to go on all the "
            "same, add force (--force)."
        )
    weights = {name: tensor.detach() for name, tensor in saved.weights.items()}
    last = _named(saved.more_tensors, "last.") if has_best else weights
    state = _named(saved.more_tensors, "optimizer.")
    fresh = optimizer_state(optimizer, net)
    try:
        if fresh.keys() == state.keys():
            put_optimizer_state(optimizer, net, state)
        elif force and before.get("optimizer") != settings["optimizer"]:
            state = fresh  # another optimizer begins with a state of its own
        else:
            raise ValueError("the optimizer keeps another state")
        put_random_state(saved.run["random"])
        put_weights(net, last)
    except _UNFIT:
        raise CheckpointError(
            f"{path} is damaged: the state of its run does not fit its model."
        ) from None
    best = weights if has_best else None
    return Snapshot(history, last, saved.run["random"], state, best)


# What Python, NumPy and Paddle say of a state that is not theirs.
_UNFIT = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    RuntimeError,
)  # fmt: skip


def _check_same_model(path, saved, net, vocab) -> None:
    forms = [
        {name: getattr(text, name) for name in ("token", "normalization", "join")}
        for text in (saved.vocab, vocab)
    ]
    if differ := _differences(*forms):
        raise CheckpointError(f"{path} reads its text otherwise: {'; '.join(differ)}.")
    before, now = (msgspec.to_builtins(describe(n)) for n in (saved.net, net))
    if differ := _differences(before, now | {"vocab_size": before["vocab_size"]}):
        raise CheckpointError(
            f"{path} holds another model than the one to train: {'; '.join(differ)}."
        )
    if saved.vocab.idx_to_token != vocab.idx_to_token:
        raise CheckpointError(
            f"{path} was trained with another vocabulary, so on another text."
        )


def _other_rates(history: History, lr) -> list[str]:
    """The first epoch whose learning rate would be another now, if there is one."""
    lr = deepcopy(lr)  # a schedule that is refused has not moved
    for epoch, rate in enumerate(history.lr):
        now = lr_at(lr, epoch)
        if now != rate:
            return [
                f"the learning rate of epoch {epoch + 1} was {rate:g} and is {now:g}"
            ]
    return []


def _named(tensors: dict, prefix: str) -> dict:
    """The tensors whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(prefix): tensor.detach()
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
