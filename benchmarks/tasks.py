"""What a measuring process of `bench.py` does: one task, for one library.

    python benchmarks/tasks.py TASK LIBRARY VARIANT

A task is a generator: it prepares, yields once, is measured, and yields what it found.
The process says "ready" between the two and waits for a line, so that several can start
at one moment. The book's library is repaired first (`d2l_lstm.compat`), or it would not
run; its numbers are otherwise its own.
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
import tracemalloc
import types
from pathlib import Path

BATCH, STEPS, HIDDENS, EPOCHS = 32, 35, 256, 5
TIMES = {"fast": 4}  # as many epochs, for what is done with one in a twentieth second
MEGABYTES, CHARACTERS = 10, 2000
CHAPTER = Path(__file__).parent.parent / "data" / "timemachine_chapter1.txt"


def cleaned(text: str) -> list[str]:
    """Lines of lower-case letters, as the book makes them after the download."""
    lines = text.splitlines(keepends=True)
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in lines]


def library_of(name: str):
    """The module: ours, or the book's, repaired, with or without our setting."""
    import d2l_lstm

    if name == "d2l_lstm":
        return d2l_lstm
    from d2l_lstm import compat

    if name == "d2l":  # as it is: without what our import sets, see devices.py
        os.environ.pop("MKL_DEBUG_CPU_TYPE", None)
    compat.repair()
    from d2l import paddle

    return paddle


def torch_library():
    """The book's PyTorch module; nothing here imports Paddle, which sets threads."""
    # It imports torchvision at its top, which its recurrent chapters do not use: an
    # empty stand-in, in this process only.
    vision = types.ModuleType("torchvision")
    vision.transforms = types.ModuleType("torchvision.transforms")
    sys.modules["torchvision"] = vision
    from d2l import torch as d2l

    text = CHAPTER.read_text(encoding="utf-8")
    d2l.read_time_machine = lambda: cleaned(text)
    return d2l


def torch_lstm(torch):
    """The three functions of the book's LSTM: parameters, state, and the loop."""

    def get_params(vocab_size, num_hiddens, device):
        def normal(*shape):
            return 0.01 * torch.randn(shape, device=device)

        def gate():
            inputs, hidden = (vocab_size, num_hiddens), (num_hiddens, num_hiddens)
            return normal(*inputs), normal(*hidden), torch.zeros(num_hiddens)

        params = [*gate(), *gate(), *gate(), *gate()]  # input, forget, output, memory
        params += [normal(num_hiddens, vocab_size), torch.zeros(vocab_size)]
        return [param.requires_grad_() for param in params]

    def init_state(batch_size, num_hiddens, device):
        shape = batch_size, num_hiddens
        return torch.zeros(shape, device=device), torch.zeros(shape, device=device)

    def lstm(inputs, state, params):
        W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, *rest = params
        W_xc, W_hc, b_c, W_hq, b_q = rest
        H, C = state
        outputs = []
        for X in inputs:
            I = torch.sigmoid(X @ W_xi + H @ W_hi + b_i)
            F = torch.sigmoid(X @ W_xf + H @ W_hf + b_f)
            O = torch.sigmoid(X @ W_xo + H @ W_ho + b_o)
            C = F * C + I * torch.tanh(X @ W_xc + H @ W_hc + b_c)
            H = O * torch.tanh(C)
            outputs.append(H @ W_hq + b_q)
        return torch.cat(outputs), (H, C)

    return get_params, init_state, lstm


def epochs_of(d2l, net, train_iter, loss, updater):
    """A function that trains with the book's own loop: epochs to tokens per second."""
    arguments = net, train_iter, loss, updater, d2l.try_gpu(), False
    return lambda n: {"speeds": [d2l.train_epoch_ch8(*arguments)[1] for _ in range(n)]}


def torch_training(variant: str):
    """The data, and the function that trains the book's PyTorch model."""
    d2l = torch_library()
    torch, nn = d2l.torch, d2l.nn
    torch.manual_seed(0)
    train_iter, vocab = d2l.load_data_time_machine(BATCH, STEPS)
    if variant == "scratch":
        functions = torch_lstm(torch)
        net = d2l.RNNModelScratch(len(vocab), HIDDENS, d2l.try_gpu(), *functions)

        def updater(batch_size):
            d2l.sgd(net.params, 1.0, batch_size)
    else:
        net = d2l.RNNModel(nn.LSTM(len(vocab), HIDDENS), len(vocab))
        updater = torch.optim.SGD(net.parameters(), lr=1.0)
    return train_iter, epochs_of(d2l, net, train_iter, nn.CrossEntropyLoss(), updater)


def paddle_training(library: str, variant: str):
    """The data, and the function that trains a Paddle model, ours or the book's."""
    import d2l_lstm
    import paddle
    from paddle import nn

    d2l = library_of(library)
    paddle.seed(0)
    train_iter, vocab = d2l.load_data_time_machine(BATCH, STEPS)
    if variant == "concise":
        net = d2l.RNNModel(nn.LSTM(len(vocab), HIDDENS, time_major=True), len(vocab))
        updater = paddle.optimizer.SGD(1.0, parameters=net.parameters())
    else:
        get_params, init_state, forward = d2l_lstm.CELLS["lstm"].functions
        if variant == "traced":
            forward = paddle.jit.to_static(forward)
        functions = get_params, init_state, forward
        net = d2l.RNNModelScratch(len(vocab), HIDDENS, d2l.try_gpu(), *functions)

        def updater(batch_size):
            d2l.sgd(net.params, 1.0, batch_size)

    if library != "d2l_lstm":
        loss = nn.CrossEntropyLoss()
        return train_iter, epochs_of(d2l, net, train_iter, loss, updater)
    which = {} if variant == "concise" else {"fast": variant == "fast"}

    def train(epochs):
        arguments = net, train_iter, vocab, 1, epochs
        history = d2l.train_ch8(*arguments, progress=False, **which)
        path = {"path": history.path[-1]} if variant == "fast" else {}
        return {"speeds": history.tokens_per_second, **path}

    return train_iter, train


def train(library: str, variant: str):
    """Training the chapter's LSTM, after an epoch that is not counted.

    Yields tokens per second, the median of the epochs; their `tokens`; the `cpu`
    seconds of all threads; how many seconds `longer` the uncounted epoch took.
    """
    random.seed(0)
    if library == "torch":
        train_iter, run = torch_training(variant)
    else:
        train_iter, run = paddle_training(library, variant)
    tokens = sum(len(Y) * len(Y[0]) for _, Y in train_iter)
    first = run(1)["speeds"][0]
    yield
    cpu = time.process_time()
    epochs = EPOCHS * TIMES.get(variant, 1)
    found = run(epochs)
    cpu = time.process_time() - cpu
    value = statistics.median(found.pop("speeds"))
    longer = tokens / first - tokens / value
    yield {
        "value": value, "tokens": tokens * epochs, "cpu": cpu, "longer": longer, **found
    }  # fmt: skip


def load(library: str, what: str):
    """From a text of 10 MB to a corpus and a vocabulary: `seconds`, or peak `memory`.

    The memory is in bytes per character beyond the text.
    """
    from d2l_lstm.text import read_raw_time_machine

    d2l = library_of(library)
    chapter = read_raw_time_machine()
    novel = chapter * (MEGABYTES * 10**6 // len(chapter) + 1)
    novel = novel[: MEGABYTES * 10**6]
    if library == "d2l_lstm":

        def run():
            return d2l.load_corpus(novel)
    else:
        d2l.read_time_machine = lambda: cleaned(novel)
        run = d2l.load_corpus_time_machine
    yield
    if what == "memory":
        tracemalloc.start()
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    yield {"value": peak / len(novel) if what == "memory" else seconds}


def predict(library: str, cell: str):
    """Characters per second of greedy prediction, with a cell from scratch."""
    import d2l_lstm
    import paddle

    d2l = library_of(library)
    paddle.seed(0)
    _, vocab = d2l.load_data_time_machine(BATCH, STEPS)
    functions = d2l_lstm.CELLS[cell].functions
    net = d2l.RNNModelScratch(len(vocab), HIDDENS, d2l.try_gpu(), *functions)
    arguments = net, vocab, d2l.try_gpu()
    d2l.predict_ch8("time traveller", 50, *arguments)
    yield
    start = time.perf_counter()
    d2l.predict_ch8("time traveller", CHARACTERS, *arguments)
    yield {"value": CHARACTERS / (time.perf_counter() - start)}


STARTS = {
    "paddle": ("-c", "import paddle"),
    "d2l": ("-c", "import d2l.paddle"),
    "d2l_lstm": ("-c", "import d2l_lstm"),
    "command": ("-m", "d2l_lstm_command", "predict", "--prefix", "time traveller"),
}


def start(library: str, _: str):
    """Seconds of a fresh Python that imports or predicts."""
    command = [sys.executable, "-W", "ignore", *STARTS[library]]
    yield
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    yield {"value": time.perf_counter() - begun}


TASKS = {task.__name__: task for task in (train, load, predict, start)}


def main(task: str, library: str, variant: str) -> None:
    """Prepare, say so, wait for a line, measure, and say what was found."""
    # What a library prints goes to standard error: here the other side reads.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    steps = TASKS[task](library, variant)
    next(steps)
    print("ready", file=channel, flush=True)
    sys.stdin.readline()
    print(json.dumps(next(steps)), file=channel, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
