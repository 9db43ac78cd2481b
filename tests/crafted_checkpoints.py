"""Load checkpoints that somebody crafted, each with its checksum made right again.

    python tests/crafted_checkpoints.py [N] [SEED]

Every file has to be loaded or refused in one sentence: no traceback, no memory beyond
what a file of its size needs, no wait. They are loaded in a child with little memory.
"""

from __future__ import annotations

import copy
import itertools
import json
import queue
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import d2l_lstm as d2l
import numpy as np
import paddle
from d2l_lstm import checkpoints
from paddle import nn
from safetensors import safe_open

SECONDS = 30  # for one file
MEMORY = 1 << 30  # bytes beyond what Paddle has after its import
CHILD = """
import sys
from pathlib import Path
import paddle
from d2l_lstm.checkpoints import CheckpointError, load_checkpoint
try:
    import resource
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + {memory}
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
except (ImportError, OSError, ValueError):  # no such limit here
    pass
print("ready", flush=True)
for line in sys.stdin:
    try:
        load_checkpoint(line.rstrip())
        answer = "loaded"
    except CheckpointError as error:
        message = str(error)
        good = message.isprintable() and message.endswith(".") and len(message) < 300
        inside = ("Error", "errno", "dict_", "NoneType", "NaN", "Expected `")
        good = good and not any(word in message for word in inside)
        answer = "refused" if good else "no clear sentence: " + ascii(message)
    except BaseException as error:
        answer = "traceback: " + ascii(error)
    print(answer, flush=True)
"""

# --------------------------------------------------------------------------------------
# Files


def bases(folder: Path) -> list[tuple[dict, dict]]:
    """Descriptions and arrays of valid checkpoints, one for each kind of model."""
    paddle.seed(0)
    vocab = d2l.Vocab("abc né 时\n")
    v = len(vocab)
    cells = [d2l.ScratchLayer("lstm", v, 3), d2l.ScratchLayer("lstm", 3, 3)]
    stack = d2l.RNNStack(*(nn.RNN(cell, time_major=True) for cell in cells))
    nets = [
        d2l.scratch_model("lstm", v, 4),
        d2l.scratch_model("peephole_i", v, 2),
        d2l.RNNModel(stack, v),
        d2l.RNNModel(nn.SimpleRNN(v, 3, activation="relu", time_major=True), v),
        d2l.RNNModel(nn.LSTM(v, 3, 2, direction="bidirect", time_major=True), v),
        d2l.RNNModel(nn.GRU(v, 3, dropout=0.5, time_major=True), v),
    ]
    history = d2l.History([1, 2], [9.0, 8.5], [None, 8.75], [10.0, 11.0], [1.0, 0.5])
    run = {
        "settings": {"lr": 1.0, "names": ["a", "b"]},
        "random": {"python": [3, [1, 2, 3], None], "numpy": [], "paddle": []},
        "weights_are_best": True,
    }
    found = []
    for i, net in enumerate(nets):
        path, more = folder / f"base{i}", {}
        if i % 2 == 0:
            more = {f"last.{n}": p for n, p in d2l.parameters_of(net).items()}
            more["optimizer.velocity"] = paddle.zeros([2])
        d2l.save_checkpoint(
            path,
            net,
            vocab,
            history=history.to_dict(),
            metadata={"text": "时间.txt", "seed": None, "sizes": [1, 2.5, {"a": True}]},
            run=run if more else None,
            more_tensors=more,
        )
        with safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()["d2l_lstm"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        found.append((facts, arrays))
        if i == 0:
            found.append(
                (format_1(facts), {n: arrays[n] for n in arrays if "." not in n})
            )
    return found


def format_1(facts: dict) -> dict:
    """What the first edition would have said of the same model."""
    return {
        "format": 1,
        "model": facts["model"],
        "vocab": facts["text"]["tokens"],
        "history": facts["history"],
        "metadata": {"normalization": "none"},
        "training": None,
        "versions": facts["versions"],
    }


def encoded(table: dict, arrays: list, header: dict | None = None) -> bytes:
    """A safetensors file, also one that the library would not write.

    Args:
        table: the strings.
        arrays: (name, type, shape, bytes).
        header: what replaces entries of the header.
    """
    entries, content = {"__metadata__": table}, b""
    for name, dtype, shape, data in arrays:
        offsets = [len(content), len(content) + len(data)]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        content += data
    text = json.dumps({**entries, **(header or {})}).encode()
    return len(text).to_bytes(8, "little") + text + content


def sealed(facts, arrays: dict) -> bytes:
    """A file with this description, a text or JSON, and the checksum that fits."""
    text = facts if isinstance(facts, str) else json.dumps(facts)
    table = {"d2l_lstm": text, "sha256": checkpoints._checksum(text, arrays)}
    types = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64",
             "int8": "I8", "bool": "BOOL"}  # fmt: skip
    parts = [
        (name, types[str(a.dtype)], list(a.shape), a.tobytes())
        for name, a in sorted(arrays.items())
    ]
    return encoded(table, parts)


# --------------------------------------------------------------------------------------
# What is done to them

DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
VALUES = [
    None, True, False, 0, -1, 1, 2, 10**6, 10**9, 10**18, -(10**18), 10**400, 0.5, -0.0,
    1e308, float("nan"), float("inf"), "", "a", "lstm", "\x1b[31mred\n", "\ud800",
    "时" * 50, "x" * 5000, [], {}, [[]], [None], [1] * 100, {"a": 1}, {"": {"": []}},
    ["\x07"], [float("nan")], "__class__", "2", "\0", [10**400], {"\n": 1},
]  # fmt: skip


def a_value(draw):
    return copy.deepcopy(draw.choice(VALUES))  # it may itself be changed later


def places(value, path=()):
    """The paths of everything inside a JSON value."""
    yield path
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inside in items:
            yield from places(inside, (*path, key))


def parent_of(facts, path):
    for key in path[:-1]:
        facts = facts[key]
    return facts


def other_value(draw, facts, arrays):
    path = draw.choice(list(places(facts))[1:])
    parent_of(facts, path)[path[-1]] = a_value(draw)
    return sealed(facts, arrays)


def several_other_values(draw, facts, arrays):
    for _ in range(draw.randrange(2, 6)):
        path = draw.choice(list(places(facts))[1:])
        parent_of(facts, path)[path[-1]] = a_value(draw)
    return sealed(facts, arrays)


def no_such_entry(draw, facts, arrays):
    path = draw.choice(list(places(facts))[1:])
    del parent_of(facts, path)[path[-1]]
    return sealed(facts, arrays)


def one_more_entry(draw, facts, arrays):
    tables = [facts, *(v for v in facts.values() if isinstance(v, dict))]
    name = draw.choice(["more", "", "\n", "\ud800", "x" * 5000, "kind", "__init__"])
    draw.choice(tables)[name] = a_value(draw)
    return sealed(facts, arrays)


def other_size(draw, facts, arrays):
    name = draw.choice(["vocab_size", "num_hiddens", "num_layers"])
    sizes = [0, -1, 1, 2, 5, 1000, 1001, 10**6, 10**6 + 1, 10**9, 2**63, 2**64, 1.5]
    facts["model"][name] = draw.choice(sizes)
    return sealed(facts, arrays)


def other_kind(draw, facts, arrays):
    kinds = ["scratch", "ScratchLayer", "SimpleRNN", "LSTM", "GRU", "Linear", "\n"]
    facts["model"]["kind"] = draw.choice(kinds)
    if draw.random() < 0.7:
        facts["model"]["cell"] = draw.choice([*d2l.CELLS, "x" * 1000, "\x1b", 1])
    if draw.random() < 0.5:
        facts["model"].update(activation="tanh", num_layers=1, dropout=0.0)
    return sealed(facts, arrays)


def other_tokens(draw, facts, arrays):
    tokens = facts["text"]["tokens"] if "text" in facts else facts["vocab"]
    change = draw.randrange(5)
    if change == 0:
        tokens[draw.randrange(len(tokens))] = draw.choice(tokens)
    elif change == 1:
        tokens[draw.randrange(len(tokens))] = a_value(draw)
    elif change == 2:
        tokens[draw.randrange(len(tokens))] = draw.choice(["\x1b[2J", "\0", "\ud800"])
    elif change == 3:
        tokens += [chr(0x4E00 + i) for i in range(draw.choice([1, 10, 20_000]))]
    else:
        draw.shuffle(tokens)
    return sealed(facts, arrays)


def raw_description(draw, facts, arrays):
    text = json.dumps(facts)
    cut = draw.randrange(len(text))
    texts = [
        DEEP, "[" * 10**6, '{"metadata": ' + DEEP + "}", "", "null", "1", '"text"',
        "[]", "{}", "NaN", "1" * 5000, '{"format": ' + "9" * 5000 + "}", text[:cut],
        text[:cut] + draw.choice('{}[]",:\x00') + text[cut:], text + text,
        text.replace('"metadata": {', '"metadata": {"deep": ' + DEEP + ", ", 1),
        text.replace('"metadata": {', '"metadata": {"n": 1e999, "m": -Infinity, ', 1),
        text.replace("1", "1" * 5000, 1), '{"format": 3}', '{"format": 1e9}',
        "[" + "[]," * 3_000_000 + "1]", " " * 12_000_000 + text,
    ]  # fmt: skip
    return sealed(draw.choice(texts), arrays)


def other_array(draw, facts, arrays):
    name, change = draw.choice(sorted(arrays)), draw.randrange(8)
    array = arrays[name]
    if change == 0:
        arrays[name] = array.astype(
            draw.choice(["float64", "float16", "int64", "bool"])
        )
    elif change == 1:
        arrays[name] = np.ascontiguousarray(array.T)
    elif change == 2:
        arrays[name] = array.reshape(-1)[:-1]
    elif change == 3:
        arrays[name] = array.reshape((1,) * draw.choice([1, 5, 40]) + array.shape)
    elif change == 4:
        del arrays[name]
    elif change == 5:
        new = draw.choice(["", "\n", "x" * 5000, "last.x", "optimizer.x", "W_xi", "0"])
        arrays[new] = array
    elif change == 6:
        array = arrays[name] = array.copy()
        array.reshape(-1)[0] = draw.choice([np.nan, np.inf, 3e38, -0.0])
    else:
        arrays.clear()
    return sealed(facts, arrays)


def other_type_in_the_header(draw, facts, arrays):
    text = json.dumps(facts)
    table = {"d2l_lstm": text, "sha256": checkpoints._checksum(text, arrays)}
    changed, parts = draw.choice(sorted(arrays)), []
    dtype, size = draw.choice(
        [("F8_E4M3", 1), ("F8_E5M2", 1), ("F8_E8M0", 1), ("BF16", 2), ("F16", 2),
         ("I8", 1), ("U8", 1), ("I16", 2), ("U32", 4), ("I32", 4), ("C64", 8),
         ("U64", 8), ("F64", 8), ("BOOL", 1), ("F4", 1), ("F6_E2M3", 1), ("X", 4)]
    )  # fmt: skip
    for name, array in sorted(arrays.items()):
        data, kind = array.tobytes(), "F32"
        if name == changed:
            data, kind = bytes(array.size * size), dtype
        parts.append((name, kind, list(array.shape), data))
    return encoded(table, parts)


def other_header(draw, facts, arrays):
    whole = sealed(facts, arrays)
    length = int.from_bytes(whole[:8], "little")
    header, content = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    name = draw.choice([name for name in header if name != "__metadata__"] or ["W"])
    entry = header.setdefault(
        name, {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    )
    change = draw.randrange(9)
    if change == 0:
        entry["shape"] = draw.choice(
            [[10**9, 10**9], [2**63], [-1], [2**32] * 2, [0], [], [0, 2**40, 2**40]]
        )
    elif change == 1:
        entry["data_offsets"] = draw.choice([[0, 10**12], [8, 4], [0, 0], [-1, 3], [0]])
    elif change == 2:
        header["__metadata__"] = draw.choice([None, [], "x", {"d2l_lstm": 1}, {}])
    elif change == 3:
        table = header["__metadata__"]
        table[draw.choice(["d2l_lstm", "sha256"])] = draw.choice(["", "\n", "é" * 9999])
    elif change == 4:
        header["__metadata__"].pop(draw.choice(["d2l_lstm", "sha256"]))
    elif change == 5:
        empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        header |= {f"a{i}": empty for i in range(draw.choice([10, 20_000]))}
    elif change == 6:
        entry["shape"] = [1] * draw.choice([64, 65, 5000]) + entry["shape"]
    text = json.dumps(header).encode()
    if change == 7:
        text = draw.choice([DEEP.encode(), b"\xff" * 100, b"[]", b" " * (1 << 21), b""])
    length = len(text)
    if change == 8:
        length = draw.choice([0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1])
    return length.to_bytes(8, "little") + text + content


def damaged(draw, facts, arrays):
    content = bytearray(sealed(facts, arrays))
    if draw.random() < 0.3:
        return bytes(content[: draw.randrange(len(content))])
    for _ in range(draw.randrange(1, 30)):
        content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content)


def as_it_is(draw, facts, arrays):
    return sealed(facts, arrays)


CHANGES = [
    other_value, several_other_values, no_such_entry, one_more_entry, other_size,
    other_kind, other_tokens, raw_description, other_array, other_type_in_the_header,
    other_header, damaged, as_it_is,
]  # fmt: skip


def crafted(folder: Path, seed: int = 0):
    """Yield what was done and the content, for ever; the same for the same seed."""
    valid = bases(folder)
    for i in itertools.count():
        draw = random.Random(f"{seed} {i}")
        change, (facts, arrays) = CHANGES[i % len(CHANGES)], draw.choice(valid)
        facts = copy.deepcopy(facts)
        yield change.__name__, change(draw, facts, dict(arrays))


# --------------------------------------------------------------------------------------
# Loading them


class Loader:
    """A child that loads one file after the other, with little memory."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", CHILD.format(memory=MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answers = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        if self._answer(120) != "ready":
            raise RuntimeError("the child did not start")

    def _listen(self):
        for line in self.process.stdout:
            self.answers.put(line.rstrip("\n"))
        self.answers.put(f"the child ended: {self.process.wait()}")

    def _answer(self, seconds):
        try:
            return self.answers.get(timeout=seconds)
        except queue.Empty:
            return f"no answer in {seconds} seconds"

    def load(self, path) -> str:
        """`'loaded'`, `'refused'`, or what went wrong."""
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        return self._answer(SECONDS)

    def close(self):
        self.process.kill()
        self.process.communicate()


def outcomes(number: int, seed: int = 0, folder: Path | None = None):
    """Yield the index, what was done, and what came of it, for so many files."""
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
        path, loader = Path(name) / "crafted.safetensors", Loader()
        try:
            files = itertools.islice(crafted(Path(name), seed), number)
            for i, (change, content) in enumerate(files):
                path.write_bytes(content)
                outcome = loader.load(path)
                if outcome not in ("loaded", "refused"):
                    loader.close()
                    loader = Loader()
                yield i, change, outcome
        finally:
            loader.close()


def main(number: int = 1000, seed: int = 0) -> int:
    counts, faults = Counter(), 0
    for i, change, outcome in outcomes(number, seed):
        counts[outcome] += 1
        if outcome not in ("loaded", "refused"):
            faults += 1
            print(f"{i} {change}: {outcome}", flush=True)
    print(f"{number} files: {counts['loaded']} loaded, {counts['refused']} refused")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
