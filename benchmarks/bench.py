"""Speed and memory against the installed d2l, in one run: `make bench`.

Each measurement runs in a process of its own, so that neither side inherits the
other's threads, caches or imports. The book's library is repaired first
(`d2l_lstm.compat`), or it would not run; its numbers are otherwise its own, on Paddle's
one default thread. Prints a Markdown table; run it on a quiet machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

BATCH, STEPS, HIDDENS, EPOCHS = 32, 35, 256, 8
MEGABYTES = 10


def train(library: str, model: str) -> dict:
    """Tokens per second of the chapter's LSTM: median of the epochs but the first."""
    import random

    import d2l_lstm
    import paddle
    from paddle import nn

    d2l = _library(library)
    random.seed(0)
    paddle.seed(0)
    train_iter, vocab = d2l.load_data_time_machine(BATCH, STEPS)
    if model == "scratch":
        cell = d2l_lstm.CELLS["lstm"]
        functions = cell.get_params, cell.init_state, cell.forward
        net = d2l.RNNModelScratch(len(vocab), HIDDENS, d2l.try_gpu(), *functions)

        def updater(batch_size):
            d2l.sgd(net.params, 1.0, batch_size)
    else:
        net = d2l.RNNModel(nn.LSTM(len(vocab), HIDDENS, time_major=True), len(vocab))
        updater = paddle.optimizer.SGD(1.0, parameters=net.parameters())
    if library == "d2l_lstm":
        history = d2l.train_ch8(net, train_iter, vocab, 1, EPOCHS, progress=False)
        speeds = history.tokens_per_second
    else:
        loss = nn.CrossEntropyLoss()
        arguments = net, train_iter, loss, updater, d2l.try_gpu(), False
        speeds = [d2l.train_epoch_ch8(*arguments)[1] for _ in range(EPOCHS)]
    return {"value": sorted(speeds[1:])[len(speeds[1:]) // 2]}


def _library(name: str):
    import d2l_lstm

    if name == "d2l_lstm":
        return d2l_lstm
    from d2l_lstm import compat

    if name == "d2l":  # as it is: without what our import sets, see devices.py
        os.environ.pop("MKL_DEBUG_CPU_TYPE", None)
    compat.repair()
    from d2l import paddle

    return paddle


def _novel() -> str:
    from d2l_lstm.text import read_raw_time_machine

    chapter = read_raw_time_machine()
    return (chapter * (MEGABYTES * 1_000_000 // len(chapter) + 1))[: MEGABYTES * 10**6]


def load(library: str, _: str) -> dict:
    """Seconds from a text of 10 MB to a corpus and a vocabulary, the best of three."""
    d2l = _library(library)
    novel = _novel()
    if library == "d2l_lstm":

        def run():
            return d2l.load_corpus(novel)
    else:
        import re

        def read_time_machine():  # what the library does after the download
            lines = novel.splitlines(keepends=True)
            return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in lines]

        d2l.read_time_machine = read_time_machine
        run = d2l.load_corpus_time_machine
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    return {"value": min(seconds), "bytes": peak / len(novel)}


def predict(library: str, _: str) -> dict:
    """Characters per second of greedy prediction with the pretrained LSTM."""
    import d2l_lstm
    from d2l_lstm.cli import PRETRAINED

    d2l = _library(library)
    saved = d2l_lstm.load_checkpoint(PRETRAINED)
    arguments = saved.net, saved.vocab, d2l.try_gpu()
    d2l.predict_ch8("time traveller", 50, *arguments)
    start = time.perf_counter()
    d2l.predict_ch8("time traveller", 2000, *arguments)
    return {"value": 2000 / (time.perf_counter() - start)}


def _seconds_beyond_paddle(*arguments: str) -> float:
    """Of a fresh Python, beyond one that only imports Paddle; each the best of five."""

    def seconds(*arguments):
        start = time.perf_counter()
        command = [sys.executable, "-W", "ignore", *arguments]
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start

    rounds = [(seconds(*arguments), seconds("-c", "import paddle")) for _ in range(5)]
    ours, paddle = map(min, zip(*rounds))
    return ours - paddle


def importing(library: str, _: str) -> dict:
    """Seconds that importing a library takes beyond importing Paddle."""
    name = "d2l_lstm" if library == "d2l_lstm" else "d2l.paddle"
    return {"value": _seconds_beyond_paddle("-c", f"import {name}")}


def answering(library: str, _: str) -> dict:
    """Seconds that the command takes to predict beyond importing Paddle."""
    arguments = "-m", "d2l_lstm.cli", "predict", "--prefix", "time traveller"
    return {"value": _seconds_beyond_paddle(*arguments)}


TASKS = {f.__name__: f for f in (train, load, predict, importing, answering)}


def _measure(task: str, library: str, variant: str = "-") -> dict:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, __file__, task, library, variant, str(result)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(result.read_text())


def main() -> None:
    """Measure everything, and print the table."""
    import d2l_lstm

    report = d2l_lstm.environment_report()
    print(", ".join(f"{k} {report[k]}" for k in ("paddle", "numpy", "d2l", "cores")))
    print("\n| | d2l 0.17.6 | d2l_lstm | ratio |\n|---|---|---|---|")
    beyond = "seconds beyond importing Paddle"
    rows = [
        ("training from scratch, tokens/s", "train", "scratch", 1, "d2l"),
        ("training, concise, tokens/s", "train", "concise", 1, "d2l"),
        ("greedy prediction, characters/s", "predict", "-", 1, "d2l"),
        (f"loading {MEGABYTES} MB of text, seconds", "load", "-", -1, "d2l"),
        (f"importing the package, {beyond}", "importing", "-", -1, "d2l"),
        (f"`d2l-lstm predict`, {beyond}", "answering", "-", -1, None),
    ]
    if "MKL_DEBUG_CPU_TYPE" in os.environ:
        note = "the same, with our setting for AMD processors given to d2l"
        rows[2:2] = [
            (f"from scratch, {note}", "train", "scratch", 1, "d2l, our setting"),
            (f"concise, {note}", "train", "concise", 1, "d2l, our setting"),
        ]
    for name, task, variant, direction, book in rows:
        ours = _measure(task, "d2l_lstm", variant)
        form = ",.0f" if direction == 1 else ".3f"
        if book is None:  # the library has nothing like it
            print(f"| {name} | | {ours['value']:{form}} | |", flush=True)
            continue
        theirs = _measure(task, book, variant)
        # A difference of two times may be nothing, or less: no ratio of that.
        seen = min(ours["value"], theirs["value"]) > 0
        ratio = f"{(ours['value'] / theirs['value']) ** direction:.1f}" if seen else ""
        values = f"{theirs['value']:{form}} | {ours['value']:{form}} | {ratio}"
        print(f"| {name} | {values} |", flush=True)
        if "bytes" in ours:
            values = [f"{side['bytes']:.1f}" for side in (theirs, ours)]
            print(
                "| and its peak memory, bytes per character beyond the text | "
                f"{' | '.join(values)} | {theirs['bytes'] / ours['bytes']:.1f} |"
            )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        _, task, library, variant, result = sys.argv
        Path(result).write_text(json.dumps(TASKS[task](library, variant)))
