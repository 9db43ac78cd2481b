"""The process in which one question runs: set-up cells, the answer, its test cells.

    python -c "from d2l_lstm.classroom.worker import main; main()" FOLDER
    python -c "..." --serve

The folder has `job.json`; what comes of each cell is added to `results.jsonl` as soon
as it is known, so that the process that waits knows where this one stands when it dies.
With `--serve` (Linux) folders are read from standard input, and each is done by a fork
of this process, which has imported Paddle and run nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import secrets
import signal
import sys
from dataclasses import asdict
from pathlib import Path

MEGABYTE = 2**20
#: Modules on which tests rely: what an answer puts into them is taken out again.
RELIED_ON = (
    "builtins", "math", "numpy", "paddle", "paddle.nn", "paddle.nn.functional",
    "d2l_lstm",
)  # fmt: skip


def limit_resources(megabytes: int, seconds: float) -> None:
    """Bound memory, processor time and file sizes of this process, where that is done.

    Memory is counted from what the process has now; processor time is only a second
    bound behind the time limit of each cell.
    """
    try:
        import resource
    except ImportError:  # Windows: the process that waits watches the memory
        return

    def limit(what, value):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (value, value))

    statm = Path("/proc/self/statm")
    if statm.exists():
        pages = int(statm.read_text().split()[0])
        now = pages * os.sysconf("SC_PAGE_SIZE")
        limit(resource.RLIMIT_AS, now + megabytes * MEGABYTE)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 50 * MEGABYTE)
    limit(resource.RLIMIT_CPU, int(seconds) + 1)


def _silence() -> None:
    """Nothing to read, and what is printed past Python goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    sys.stdin = open(os.devnull)
    sys.stdout = sys.stderr = open(os.devnull, "w")


def _reseed() -> None:
    import numpy as np
    import paddle

    random.seed()
    np.random.seed(secrets.randbits(32))
    paddle.seed(secrets.randbits(31))


def work(folder) -> None:
    """Do the job in a folder."""
    from d2l_lstm import classroom

    from . import judging, messages, running
    from .running import new_namespace, run_cell, run_test

    folder = Path(folder)
    file = folder / "job.json"
    job = json.loads(file.read_text(encoding="utf-8"))
    file.unlink()  # the answer need not see its tests there
    # A print may have half a character in it, which no file takes.
    results = open(folder / "results.jsonl", "a", encoding="utf-8", errors="replace")
    here = folder / "here"
    here.mkdir(exist_ok=True)
    os.chdir(here)
    _silence()
    _reseed()
    if job["seed"] is not None:
        os.environ["D2L_LSTM_SEED"] = str(job["seed"])
    limit_resources(job["megabytes"], job["processor_seconds"])

    def say(**line):
        line = {"token": job["token"], **line}
        results.write(json.dumps(line, ensure_ascii=False) + "\n")
        results.flush()

    ours = (classroom, judging, messages, *(sys.modules[name] for name in RELIED_ON))
    kept = [(module, dict(vars(module))) for module in ours]
    seed = os.environ.get("D2L_LSTM_SEED")
    before, run, test = new_namespace(), run_cell, run_test
    # Set-up cells and right answers keep their names, whatever the answer calls its
    # own: it runs in a copy, and the tests find what was there before it.
    answered = tested = None
    seconds = job["seconds"]
    for kind, name, source in job["cells"]:
        say(begin=name)
        if kind == "test":  # also where the answer has put something else there
            for module, names in kept:
                vars(module).update(names)
            os.environ.pop("D2L_LSTM_SEED", None)
            if seed is not None:
                os.environ["D2L_LSTM_SEED"] = seed
            if tested is None:
                tested = {**(answered or {}), **before}
            if "classroom" in tested:
                tested["classroom"] = classroom
            outcome = test(source, tested, name, seconds)
        elif kind in ("own", "student"):
            if answered is None:
                answered = dict(before)
            if kind == "own":
                messages.Now.own += (running.as_python(source),)
            as_kind = "setup" if kind == "own" else kind
            outcome = run(source, answered, name, as_kind, seconds)
        else:
            kind = {"earlier": "student"}.get(kind, kind)
            outcome = run(source, before, name, kind, seconds)
        say(end=name, outcome=asdict(outcome))
    results.close()


def _work_and_end(folder) -> None:
    """Do the job, and end this process, also where the answer has left threads."""
    status = 1
    try:
        work(folder)
        status = 0
    finally:
        os._exit(status)


def _note(file: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)


def _kill_children() -> None:
    """End what an answer has left running; it has become a child of this process."""
    try:
        import psutil

        left = psutil.Process().children(recursive=True)
    except ImportError:
        return
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=2)  # a busy machine takes a while to end them
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def serve() -> None:
    """Fork for every folder that standard input names, one after the other."""
    import d2l_lstm.classroom  # noqa: F401
    import numpy  # noqa: F401
    import paddle  # noqa: F401

    from . import running  # noqa: F401

    with contextlib.suppress(OSError, AttributeError):
        # PR_SET_CHILD_SUBREAPER: orphans come here, so that they can be ended.
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        folder = Path(line.rstrip("\n"))
        pid = os.fork()
        if pid == 0:
            os.setsid()
            _work_and_end(folder)
        _note(folder / "pid", str(pid))
        _, status = os.waitpid(pid, 0)
        _kill_children()
        _note(folder / "exit", str(os.waitstatus_to_exitcode(status)))


def main() -> None:
    """Serve one job after another, or do the one in the folder that is named."""
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        _work_and_end(sys.argv[1])


if __name__ == "__main__":
    main()
