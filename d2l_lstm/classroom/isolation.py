"""Each question in a process of its own, with limits; what happens there stays there.

A process gets the set-up cells, right answers to the questions before, the student's
cell and its test cells, in a namespace with nothing else. It is ended, with all that it
has started, when a cell takes too long or the memory is used up. If it dies in one test
cell, the others run in a new one.

This is protection against accidents and against most mischief of beginners. It is no
sandbox: the answer runs with the rights of whoever grades.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .questions import Question
from .running import Outcome

_CODE = "from d2l_lstm.classroom.worker import main; main()"
_PACKAGES = str(Path(__file__).resolve().parents[2])
_KEPT = (
    "PATH", "HOME", "USER", "LANG", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV",
    "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA",
    "LOCALAPPDATA", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "NUMBER_OF_PROCESSORS",
)  # fmt: skip
_PREFIXES = ("LC_", "PYTHON", "D2L_LSTM_", "XDG_", "CONDA_", "FLAGS_")


@dataclass(frozen=True)
class Limits:
    """What one question may use."""

    #: Wall-clock seconds of one cell.
    seconds: float = 20.0
    #: Of all cells of a question.
    question_seconds: float = 50.0
    #: Memory beyond what Python and Paddle take.
    megabytes: int = 700


@dataclass
class Graded:
    """What came of a question: its solution cell and its tests, in order."""

    cell: Outcome
    tests: dict[str, Outcome] = field(default_factory=dict)
    #: Earlier cells that did not run, with what they said.
    earlier: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0


class NotRunnable(RuntimeError):
    """A set-up cell or a reference of the exercise itself does not run."""


def _environment() -> dict[str, str]:
    kept = {
        k: v
        for k, v in os.environ.items()
        if k.upper() in _KEPT or k.upper().startswith(_PREFIXES)
    }
    paths = [_PACKAGES, *kept.get("PYTHONPATH", "").split(os.pathsep)]
    kept["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    kept.update(
        OMP_NUM_THREADS="1", MPLBACKEND="Agg", GLOG_minloglevel="2", PYTHONUTF8="1"
    )
    return kept


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", _CODE, *arguments]


def _children(pid: int) -> list:
    try:
        import psutil

        return psutil.Process(pid).children(recursive=True)
    except Exception:  # no psutil, or no such process any more
        return []


def _memory(pid: int) -> int:
    """Bytes of a process and its children; 0 where that cannot be known."""
    try:
        import psutil
    except ImportError:
        return 0
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def kill_tree(pid: int, known=()) -> None:
    """End a process and all that it has started."""
    for process in (*known, *_children(pid)):
        with contextlib.suppress(Exception):
            process.kill()
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    else:
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False
        )


class _Spawned:
    """A job in a Python that is started for it: everywhere, two seconds each."""

    def __init__(self, folder: Path):
        options = {"start_new_session": True} if os.name == "posix" else {}
        self.process = subprocess.Popen(
            _command(str(folder)),
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **options,
        )
        self.pid = self.process.pid

    def status(self) -> int | None:
        return self.process.poll()

    def kill(self, known=()) -> None:
        kill_tree(self.pid, known)
        self.process.wait()


class _Template:
    """A Python that has imported Paddle and forks for each job: Linux."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="d2l_lstm_grading_")
        self.process = subprocess.Popen(
            _command("--serve"),
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        if self.alive():
            kill_tree(self.process.pid)
        self.process.wait()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Forked:
    """A job in a fork of the template."""

    _template: _Template | None = None
    _lock = threading.RLock()

    def __init__(self, folder: Path):
        cls = type(self)
        with cls._lock:
            if cls._template is None or not cls._template.alive():
                cls.close()
                cls._template = _Template()
                atexit.register(cls.close)
        self.folder, self.template = folder, cls._template
        self.pid = None
        try:
            self.template.process.stdin.write(f"{folder}\n")
            self.template.process.stdin.flush()
        except OSError:
            return  # it has just died: status() says so
        while self.pid is None and self.template.alive():
            with contextlib.suppress(OSError, ValueError):
                self.pid = int((folder / "pid").read_text())
            time.sleep(0.002)

    @classmethod
    def close(cls) -> None:
        if cls._template is not None:
            cls._template.close()
            cls._template = None

    def status(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "exit").read_text())
        if not self.template.alive():
            if self.pid:
                kill_tree(self.pid)
            return -9
        return None

    def kill(self, known=()) -> None:
        if self.pid:
            kill_tree(self.pid, known)
        deadline = time.monotonic() + 5
        while self.status() is None:
            if time.monotonic() > deadline:
                self.close()
                return
            time.sleep(0.005)


def _process_class():
    chosen = os.environ.get("D2L_LSTM_GRADING", "")
    if chosen == "spawn" or not sys.platform.startswith("linux"):
        return _Spawned
    return _Forked


@dataclass
class _Ended:
    """How a process came to its end, and what it had said until then."""

    outcomes: dict[str, Outcome]
    running: str | None
    reason: str | None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _run_process(cells, limits: Limits, seconds: float, seed) -> _Ended:
    """Run cells in one process until it ends or is ended."""
    folder = Path(tempfile.mkdtemp(prefix="d2l_lstm_question_"))
    token = secrets.token_hex(8)
    job = {
        "token": token,
        "seconds": limits.seconds,
        "processor_seconds": limits.question_seconds + 30,
        "megabytes": limits.megabytes,
        "seed": seed,
        "cells": cells,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    outcomes: dict[str, Outcome] = {}
    running, reason, known = None, None, {}
    start, begun = time.monotonic(), None
    baseline, looked = 0, 0.0
    process = _process_class()(folder)
    try:
        position = 0

        def read():
            nonlocal position, running, begun
            with (
                contextlib.suppress(OSError),
                open(folder / "results.jsonl", "rb") as f,
            ):
                f.seek(position)
                text = f.read()
                text = text[: text.rfind(b"\n") + 1]
                position += len(text)
                for line in text.decode("utf-8", "replace").split("\n"):
                    try:
                        said = json.loads(line)
                    except ValueError:
                        continue
                    if not isinstance(said, dict) or said.get("token") != token:
                        continue
                    if "begin" in said:
                        running, begun = said["begin"], time.monotonic()
                    else:
                        outcomes[said["end"]] = Outcome(**said["outcome"])
                        running = None

        while True:
            status = process.status()
            read()
            now = time.monotonic()
            if status is not None:
                if status != 0 or running is not None or len(outcomes) < len(cells):
                    how = (
                        f"signal {_signal_name(-status)}"
                        if status < 0
                        else f"exit status {status}"
                    )
                    reason = (
                        f"Python itself ended here ({how}): the answer calls os._exit, "
                        "or makes Python crash."
                    )
                break
            if running is not None and now - begun > limits.seconds + 2:
                reason = (
                    f"It was stopped after {limits.seconds:g} seconds: is there a loop "
                    "that never ends?"
                )
            elif now - start > seconds + (0 if begun else 60):
                reason = (
                    f"It was stopped: the question has used up its {seconds:.0f} "
                    "seconds."
                )
            elif process.pid and now - looked > 0.1:
                looked = now
                for child in _children(process.pid):
                    known.setdefault(child.pid, child)
                used = _memory(process.pid)
                if running is not None:
                    baseline = baseline or used
                    more = (used - baseline) / 2**20
                    if more > limits.megabytes:
                        reason = (
                            f"It was stopped when it had taken {more:.0f} MB of "
                            f"memory; it may have {limits.megabytes}."
                        )
            if reason:
                break
            time.sleep(0.005)
    finally:
        process.kill(known.values())
        read()
        shutil.rmtree(folder, ignore_errors=True)
    return _Ended(outcomes, running, reason)


def run_question(
    question: Question,
    *,
    before=None,
    own_answers: bool = False,
    limits: Limits | None = None,
    seed: int | None = None,
) -> Graded:
    """Run a question in processes of its own.

    Cells that the student has added run only if the answer lacks a name that they may
    define: what somebody tried out there should not cost time or points.

    Args:
        question: its source is the student's cell, its tests what is to be held.
        before: (name, source) of the cells that run before it; the question's own if
            None.
        own_answers: the answers among them are the student's, so that one that does not
            run is no fault of the exercise.
        limits: of time and memory.
        seed: of the tests' random numbers.

    Raises:
        NotRunnable: a set-up cell or reference does not run.
    """
    limits, options = limits or Limits(), (before, own_answers, seed)
    graded = _run_question(question, [], limits, *options)
    said = [o.sentence for o in (graded.cell, *graded.tests.values()) if not o.passed]
    if question.own and any("is not defined" in t for t in said):
        again = _run_question(question, question.own, limits, *options)
        count, counts = (
            [outcome.passed for outcome in g.tests.values()].count(True)
            for g in (graded, again)
        )
        again.seconds += graded.seconds
        graded = again if counts > count else graded
    return graded


def _run_question(question, own, limits, before, own_answers, seed) -> Graded:
    """Run it with some cells of the student's own; see `run_question`."""
    start = time.monotonic()
    cells = []
    for name, source in question.before if before is None else before:
        earlier = own_answers and name in question.earlier
        cells.append(["earlier" if earlier else "setup", name, source])
    count = len(cells)
    cells += [["own", name, source] for name, source in own]
    cells.append(["student", question.name, question.source])
    tests = [["test", test.name, test.source] for test in question.tests]
    graded = Graded(Outcome(True))
    while True:
        left = limits.question_seconds - (time.monotonic() - start)
        ended = _run_process(cells + tests, limits, max(left, 1.0), seed)
        for kind, name, _ in cells[:count]:
            outcome = ended.outcomes.get(name)
            if outcome is not None and outcome.passed:
                continue
            if kind == "setup":
                said = "\n".join(outcome.traceback) if outcome else ended.reason
                raise NotRunnable(
                    f"The cell {name} of the exercise does not run: {said}"
                )
            graded.earlier[name] = outcome or Outcome(False, ended.reason or "")
        cell = ended.outcomes.get(question.name)
        if cell is None:
            reason = ended.reason or "Python ended before it was run."
            cell = Outcome(False, reason, [reason], stopped=True)
        graded.cell = cell
        if not cell.passed:
            for _, name, _ in tests:
                graded.tests[name] = cell
            break
        remaining = []
        for test in tests:
            name = test[1]
            if name in ended.outcomes:
                graded.tests[name] = ended.outcomes[name]
            elif name == ended.running:
                reason = ended.reason or "Python ended."
                graded.tests[name] = Outcome(False, reason, [reason])
            else:
                remaining.append(test)
        if not remaining:
            break
        used_up = time.monotonic() - start > limits.question_seconds
        if used_up or len(remaining) == len(tests):
            reason = ended.reason or "Python ended."
            if used_up:
                reason = (
                    "It was not run: the question has used up its "
                    f"{limits.question_seconds:g} seconds."
                )
            for _, name, _ in remaining:
                graded.tests[name] = Outcome(False, reason, [reason])
            break
        tests = remaining
    order = [test.name for test in question.tests]
    graded.tests = {name: graded.tests[name] for name in order}
    graded.seconds = time.monotonic() - start
    return graded
