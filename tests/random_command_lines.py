"""Random command lines: none may end in a traceback, hang, or destroy a file.

    python tests/random_command_lines.py [NUMBER [SEED]]

Every line is run in this process with `cli.main`, on small files, good and bad. It has
to end with status 0, or with status 2 and a message that shows nothing of Python's
inside, within 30 seconds; texts and foreign files have to be as they were. Exits with 1
and the lines that did otherwise.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import shlex
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import d2l_lstm as d2l
import numpy as np
from d2l_lstm import cli
from safetensors.numpy import save_file

INSIDE = re.compile(
    r"Traceback|Error:|Exception|Errno|object at 0x|NoneType|dict_keys|not supported "
    r"between|invalid literal|<class|paddle\.|numpy\.|PreconditionNotMet|expected str"
)
NUMBERS = ["0", "-1", "1", "2", "3", "nan", "inf", "-inf", "1e400", "1.5", "x", "",
           str(2**32), str(2**64), "-9" * 20, "１", "0x10", "1_000", " 2"]  # fmt: skip
TEXTS = ["the", "The", "", " ", "\n", "时间", "é", "e\u0301", "\x1b[2J", "1895!", "-p",
         "a" * 3000, "\u202e", "'\"", "\ud800", "--help", "the time"]  # fmt: skip
WORDS = ["book", "unicode", "none", "char", "word", "rnn", "lstm", "gru", "cifg",
         "peephole", "gru_reset_after", "lstn", "LSTM", "", "rot13"]  # fmt: skip


def make_files(folder: Path) -> dict[str, bytes]:
    """Good and bad files; returns what must not change, by name."""
    novel = "the time traveller for so it will be convenient to speak of him " * 6
    (folder / "novel.txt").write_text(novel, encoding="utf-8")
    (folder / "时间.txt").write_text(
        "时间旅行者对我们讲解一个深奥的问题。" * 20, "utf-8"
    )
    (folder / "latin.txt").write_bytes("café ".encode("latin-1") * 99)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "short.txt").write_text("a short one")
    (folder / "zeros").write_bytes(bytes(100))
    save_file({"w": np.zeros((2, 2), "float32")}, folder / "foreign.safetensors")
    (folder / "folder").mkdir()
    os.symlink(folder / "novel.txt", folder / "link.txt")
    os.symlink(folder / "nowhere", folder / "broken")
    kept = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    corpus, vocab = d2l.load_corpus(novel)
    loader, valid = d2l.split_corpus(corpus, vocab, 4, 5, 200, 100)
    for name in ("good", "mine"):
        net = d2l.scratch_model("lstm", len(vocab), 4)
        d2l.train_ch8(
            net, loader, vocab, 1, 1, valid_iter=valid, checkpoint=folder / name,
            progress=False,
        )  # fmt: skip
    (folder / "cut").write_bytes((folder / "good").read_bytes()[:-9])
    return kept


def command_line(draw: random.Random, folder: Path) -> list[str]:
    """One line: mostly right, with one or two things that need not be."""
    paths = [str(p) for p in sorted(folder.iterdir())]
    paths += [
        str(folder / n) for n in ("new", "folder/new", "novel.txt/new", "x" * 300)
    ]
    paths += ["/dev/null", "", str(folder) + "/nul\0" if draw.random() < 0.02 else "."]

    def value(kind):
        good = {"number": ["1", "2", "3"], "path": paths, "text": TEXTS, "word": WORDS}
        good["share"], every = ["0.3", "0.9", "1"], {**good, "number": NUMBERS}
        every["share"] = NUMBERS
        return draw.choice((good if draw.random() < 0.7 else every)[kind])

    options = {
        "train": [
            ("--text", "path"), ("--cell", "word"), ("--concise", None),
            ("--hidden", "number"), ("--epochs", "number"), ("--lr", "number"),
            ("--batch-size", "number"), ("--num-steps", "number"),
            ("--theta", "number"), ("--patience", "number"), ("--token", "word"),
            ("--normalize", "word"), ("--max-tokens", "number"), ("--seed", "number"),
            ("--checkpoint", "path"), ("--resume", None), ("--force", None),
            ("--overwrite", None), ("--recipe", "word"), ("--dropout-inputs", "share"),
            ("--dropout-hidden", "share"), ("--dropout-outputs", "share"),
            ("--weight-decay", "number"), ("--average-from", "number"),
        ],
        "predict": [
            ("--prefix", "text"), ("--num-preds", "number"), ("--checkpoint", "path"),
            ("--temperature", "number"), ("--top-k", "number"), ("--top-p", "share"),
            ("--beam-size", "number"), ("--seed", "number"), ("--json", None),
        ],
        "evaluate": [("--checkpoint", "path"), ("--text", "path")],
        "info": [],
    }  # fmt: skip
    command = draw.choices(list(options), (6, 6, 2, 0.2))[0]
    line = {"train": {"--text": str(folder / "novel.txt"), "--hidden": "4",
                      "--epochs": "1", "--batch-size": "4", "--num-steps": "5",
                      "--checkpoint": str(folder / "new")},
            "predict": {"--prefix": "the", "--checkpoint": str(folder / "good"),
                        "--num-preds": "3"},
            "evaluate": {"--checkpoint": str(folder / "good"),
                         "--text": str(folder / "novel.txt")},
            "info": {}}[command]  # fmt: skip
    if command == "predict" and draw.random() < 0.5:  # else little is drawn
        line["--temperature"] = "0.8"
    for name, kind in draw.sample(options[command], min(len(options[command]), 3)):
        line[name] = None if kind is None else value(kind)
    words = [w for pair in line.items() for w in pair if w is not None]
    if draw.random() < 0.05:
        words.append(draw.choice(["--wings", "extra", "-", "--", "--help"]))
    return [command, *words]


def outcome(line: list[str], stdin: str = "") -> tuple[object, str, str]:
    """Exit status, standard output and standard error of one line."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv, stdin_before = ["d2l-lstm", *line], sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogatepass")))
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            warnings.simplefilter("default")
            try:
                cli.main()
                status = 0
            except SystemExit as ended:
                status = ended.code or 0
            except BaseException as error:  # what the user would see as a traceback
                status = repr(error)[:300]
    finally:
        sys.argv, sys.stdin = argv, stdin_before
    return status, out.getvalue(), err.getvalue()


def fault(line, result, before: dict, folder: Path) -> str | None:
    """What is wrong with the result of a line, None if nothing is."""
    status, _, err = result
    if status not in (0, 2):
        return f"status {status}"
    shown = INSIDE.search(err)
    if shown:
        return f"shows {shown.group()!r}: {err[-300:]}"
    if status == 2 and not err.strip():
        return "says nothing"
    for name, content in before.items():
        if (folder / name).read_bytes() != content:
            return f"changed {name}"
    if not (folder / "link.txt").is_symlink() or not Path("/dev/null").is_char_device():
        return "replaced a link or a device"
    left = [p.name for p in folder.iterdir() if p.suffix == ".part"]
    return f"left {left}" if left else None


def run(number: int, seed: int = 0) -> list[str]:
    """Run so many lines; returns the faults, each with its line."""
    draw, faults = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = make_files(folder)
        if hasattr(signal, "alarm"):

            def too_long(*_):
                raise TimeoutError("30 seconds")

            signal.signal(signal.SIGALRM, too_long)
        for i in range(number):
            line = command_line(draw, folder)
            if hasattr(signal, "alarm"):
                signal.alarm(30)
            stdin = draw.choice(["", "the\n", "\ud800\n", "时间\n\nthe\n"])
            result = outcome(line, stdin)
            if hasattr(signal, "alarm"):
                signal.alarm(0)
            wrong = fault(line, result, kept, folder)
            if wrong:
                faults.append(f"{shlex.join(line)[:300]}\n    {wrong}")
            (folder / "new").unlink(missing_ok=True)
            (folder / "folder" / "new").unlink(missing_ok=True)
            if number > 500 and i % 500 == 499:
                print(f"{i + 1} command lines, {len(faults)} faults", flush=True)
    return faults


def main() -> None:
    """Run them, and print the faults."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    faults = run(number, seed)
    print("\n".join(faults[:30]))
    print(f"{number} command lines, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
