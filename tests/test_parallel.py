"""One run in several processes, started by Paddle's launcher."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm.cli import app
from d2l_lstm.parallel import ALONE, LOST, Workers, launched_as
from hypothesis import given
from hypothesis import strategies as st

LAUNCH = pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="Paddle's wheels connect processes without a GPU on Linux only",
)
SMALL = ["--hidden", "8", "--batch-size", "5", "--num-steps", "20"]
SMALL += ["--max-tokens", "3000"]

# The command, as a script that says which process it is.
SCRIPT = """
import os, pathlib
pathlib.Path(f"pid.{os.environ['PADDLE_TRAINER_ID']}").write_text(str(os.getpid()))
from d2l_lstm_command import main
main()
"""


class Launched:
    """A run of several workers in a folder of its own."""

    def __init__(self, folder, workers, script, *arguments):
        self.folder = folder
        (folder / "script.py").write_text(script)
        outside = {k: v for k, v in os.environ.items() if not k.startswith("PADDLE_")}
        line = ["-m", "paddle.distributed.launch", "--nproc_per_node", str(workers)]
        self.process = subprocess.Popen(
            [sys.executable, *line, "script.py", *map(str, arguments)],
            cwd=folder,
            env={**outside, "D2L_LSTM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, file, seconds=90):
        """Until a file is there; a run that has ended before is an error."""
        end = time.monotonic() + seconds
        while not file.exists():
            assert self.process.poll() is None, self.ended()
            assert time.monotonic() < end, f"no {file.name} after {seconds} seconds"
            time.sleep(0.02)

    def ended(self):
        """The exit status, when all is over."""
        try:
            self.process.communicate(timeout=90)
        finally:
            self.process.kill()
        return self.process.returncode

    def log(self, rank):
        return (self.folder / "log" / f"workerlog.{rank}").read_text()


def train(*arguments):
    """The command in this process."""
    app(["train", *map(str, arguments)], standalone_mode=False)


def close(one, other):
    """Whether two checkpoints hold the same run, to rounding."""
    one, other = d2l.load_checkpoint(one), d2l.load_checkpoint(other)
    for name in ("train", "valid"):
        measured = (checkpoint.history[name] for checkpoint in (one, other))
        pairs = list(zip(*measured, strict=True))
        assert all(a == pytest.approx(b, rel=1e-5) for a, b in pairs if a is not None)
    weights = (d2l.parameters_of(checkpoint.net) for checkpoint in (one, other))
    for a, b in zip(*(w.values() for w in weights), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)
    assert one.run["random"]["python"] == other.run["random"]["python"]


# --------------------------------------------------------------------------------------
# One process


@given(st.integers(1, 40), st.integers(0, 100))
def test_every_row_is_of_one_worker_and_every_worker_has_rows(size, more):
    parts = [Workers(rank, size).rows(size + more) for rank in range(size)]
    rows = [row for part in parts for row in range(size + more)[part]]
    lengths = [part.stop - part.start for part in parts]
    assert rows == list(range(size + more))
    assert min(lengths) >= 1 and max(lengths) - min(lengths) <= 1


def test_fewer_rows_than_workers_are_refused():
    with pytest.raises(ValueError, match="batch_size is 2, and there are 3 workers"):
        Workers(0, 3).rows(2)


def test_a_single_process_is_alone_and_sums_nothing(monkeypatch):
    monkeypatch.delenv("PADDLE_TRAINERS_NUM", raising=False)
    values = np.ones(3)
    assert launched_as() == (0, 1) and ALONE.main
    assert ALONE.sum(values) is values and ALONE.rows(7) == slice(0, 7)


@pytest.mark.parametrize(
    ("rank", "size"), [("x", "2"), ("2", "2"), ("-1", "2"), ("0", "")]
)
def test_numbers_of_workers_that_are_none_are_refused(monkeypatch, rank, size):
    monkeypatch.setenv("PADDLE_TRAINER_ID", rank)
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", size)
    with pytest.raises(ValueError, match="for Paddle's launcher to set"):
        launched_as()


def test_the_module_is_the_command():
    line = [sys.executable, "-m", "d2l_lstm", "info"]
    assert b"paddle" in subprocess.run(line, capture_output=True, check=True).stdout


# --------------------------------------------------------------------------------------
# Several


@LAUNCH
def test_one_two_and_again_one_worker_train_the_model_of_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    options = [*SMALL, "--patience", 9, "--epochs"]
    train(*options, 2, "-c", two)
    line = ["train", *options, 5, "-c", two, "--resume"]
    launched = Launched(tmp_path, 2, SCRIPT, *line)
    train(*options, 7, "-c", one)
    assert launched.ended() == 0, launched.log(0)
    assert "finished after 5 epochs" in launched.log(0)
    assert "Saved in" in launched.log(0) and "epoch" not in launched.log(1)
    train(*options, 7, "-c", two, "--resume")
    close(one, two)


@LAUNCH
def test_in_the_checkout_the_launcher_takes_the_package_for_a_script(tmp_path):
    file = tmp_path / "c"
    line = ["-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir"]
    line += [tmp_path / "log", "-m", "d2l_lstm", "train", *SMALL, "--epochs", "1"]
    root = Path(__file__).parent.parent
    command = [sys.executable, *map(str, line), "-c", str(file)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=120)
    assert len(d2l.load_checkpoint(file).history["epochs"]) == 1
    assert "Saved in" in (tmp_path / "log" / "workerlog.0").read_text()


IN_PYTHON = """
import json, pathlib, random, sys
import d2l_lstm as d2l, paddle
from paddle import nn

wanted = json.loads(sys.argv[1])
corpus, vocab = d2l.load_corpus("the time traveller for so it will be convenient " * 5)
seed = 3 if paddle.distributed.get_rank() == 0 else 9  # worker 0's has to count

def run(batch_size=5, layer=False, adam=False, **options):
    paddle.seed(seed)
    random.seed(seed)
    if layer:
        lstm = nn.LSTM(len(vocab), 6, 2, time_major=True)
        net = d2l.RNNModel(lstm, len(vocab))
    else:
        net = d2l.scratch_model("lstm", len(vocab), 6)
    if adam:
        parameters = list(d2l.parameters_of(net).values())
        options["optimizer"] = paddle.optimizer.Adam(parameters=parameters)
    train_iter, valid_iter = d2l.split_corpus(corpus, vocab, batch_size, 5, 150, 60)
    apart = options.pop("apart", None)
    if apart:
        options[apart] = 1.0 + paddle.distributed.get_rank()
    try:
        history = d2l.train_ch8(
            net, train_iter, vocab, num_epochs=6, valid_iter=valid_iter, valid_every=1,
            progress=False, **{"lr": 0.5, **options})
    except (ValueError, ArithmeticError) as error:
        return str(error)
    sums = [float(p.abs().sum()) for p in d2l.parameters_of(net).values()]
    return [history.stopped, history.train, history.valid, sums]

found = [run(**options) for options in wanted]
file = pathlib.Path(f"found.{paddle.distributed.get_rank()}")
file.write_text(json.dumps(found))
"""
IN_EVERY_WAY = [
    {},
    {"layer": True, "use_random_iter": True, "theta": 0.01},
    {"adam": True, "lr": 0.05, "patience": 1},
    {"lr": 3.0, "patience": 1},
    {"lr": 1e39},
]


@LAUNCH
def test_three_workers_take_the_decisions_of_one_in_python_too(tmp_path):
    wanted = [*IN_EVERY_WAY, {"batch_size": 2}, {"apart": "theta"}, {"apart": "lr"}]
    launched = Launched(tmp_path, 3, IN_PYTHON, json.dumps(wanted))
    (alone := tmp_path / "alone").mkdir()
    (alone / "script.py").write_text(IN_PYTHON)
    line = [sys.executable, "script.py", json.dumps(wanted)]
    subprocess.run(line, cwd=alone, check=True, capture_output=True, timeout=90)
    expected = json.loads((alone / "found.0").read_text())
    assert launched.ended() == 0, launched.log(0)
    said = {(tmp_path / f"found.{rank}").read_text() for rank in range(3)}
    (found,) = map(json.loads, said)  # of all three the same, to the last digit
    *found, refused, apart, rates = found
    assert rates == apart
    assert refused.startswith("batch_size is 2, and there are 3 workers")
    assert apart.startswith("worker 1 has another text or other settings")
    for options, one, three in zip(IN_EVERY_WAY, expected, found):
        assert one[0] == three[0], options
        for a, b in zip(one[1:], three[1:]):
            assert a == b or np.allclose(a, b, rtol=1e-4), options
    assert expected[3][0] == "early stopping" and "try a smaller" in expected[4]


@LAUNCH
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_run_with_a_sentence_and_a_checkpoint(
    tmp_path, victim
):
    file = tmp_path / "c"
    line = ["train", *SMALL, "-c", file, "--epochs"]
    launched = Launched(tmp_path, 2, SCRIPT, *line, 9999)
    launched.wait_for(file)
    time.sleep(0.3 * victim)
    os.kill(int((tmp_path / f"pid.{victim}").read_text()), signal.SIGKILL)
    assert launched.ended() != 0
    logs = launched.log(0) + launched.log(1)
    assert logs.count(f"d2l-lstm: {LOST}\n") == 1 and "Traceback" not in logs
    epochs = len(d2l.load_checkpoint(file).history["epochs"])
    train(*line[1:], epochs + 1, "--resume")
    assert len(d2l.load_checkpoint(file).history["epochs"]) == epochs + 1
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("seconds", [0.3, 0.8])
def test_a_launched_run_that_is_stopped_while_it_starts_is_one_sentence(
    tmp_path, seconds
):
    process = subprocess.Popen(
        [sys.executable, "-m", "d2l_lstm_command", "train"],
        cwd=tmp_path,
        env={**os.environ, "PADDLE_TRAINER_ID": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, "d2l-lstm: interrupted.")


ONE_FAILS = """
import pathlib, random
import d2l_lstm as d2l, numpy as np, paddle

rank, found = paddle.distributed.get_rank(), []
corpus, vocab = d2l.load_corpus("the time traveller for so it will be convenient " * 5)
for bad in (True, False):
    random.seed(0)
    paddle.seed(0)
    net = d2l.scratch_model("lstm", len(vocab), 6)
    train_iter, valid_iter = d2l.split_corpus(corpus, vocab, 5, 5, 150, 60)
    pairs = [(X.numpy(), Y.numpy()) for X, Y in valid_iter]
    if bad and rank == 1:
        pairs[0][0][-1, 0] = 999
    pairs = [tuple(map(paddle.to_tensor, pair)) for pair in pairs]
    try:
        history = d2l.train_ch8(
            net, train_iter, vocab, 0.5, 3, valid_iter=pairs, valid_every=1,
            progress=False)
        found.append(str(history.valid))
    except Exception as error:
        found.append(type(error).__name__)
pathlib.Path(f"found.{rank}").write_text(" ".join(found))
"""


@LAUNCH
def test_a_worker_whose_run_failed_is_not_taken_for_one_of_the_next(tmp_path):
    launched = Launched(tmp_path, 2, ONE_FAILS)
    launched.ended()
    found = [tmp_path / f"found.{rank}" for rank in range(2)]
    said = [file.read_text().split() for file in found if file.exists()]
    assert all("LostWorkerError" in words for words in said)
    assert not any("[" in word for words in said for word in words)


@LAUNCH
def test_ctrl_c_keeps_what_all_have_learnt(tmp_path):
    file = tmp_path / "c"
    line = ["train", *SMALL, "-c", file, "--epochs", 9999]
    launched = Launched(tmp_path, 2, SCRIPT, *line)
    launched.wait_for(file)
    launched.process.send_signal(signal.SIGINT)
    launched.ended()
    epochs = len(d2l.load_checkpoint(file).history["epochs"])
    assert f"interrupted after {epochs} epochs" in launched.log(0)
    assert "To go on: " in launched.log(0)
    logs = launched.log(0) + launched.log(1)
    assert LOST not in logs and "Traceback" not in logs
