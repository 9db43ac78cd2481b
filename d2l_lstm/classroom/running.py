"""Running one cell of a question, in the process that calls."""

from __future__ import annotations

import contextlib
import io
import linecache
import re
import signal
import threading
import time
from dataclasses import dataclass, field

from .messages import Now, Wrong, line_in, report, text_of
from .questions import hidden_part

_MAGIC = re.compile(r"^(\s*)([%!?].*)$")
#: Characters of what a cell prints that are kept.
PRINTED = 10_000


class TooLong(BaseException):
    """A cell has run for longer than it may."""


@dataclass
class Outcome:
    """What came of a cell."""

    passed: bool
    sentence: str = ""
    traceback: list[str] = field(default_factory=list)
    printed: str = ""
    seconds: float = 0.0
    kind: str = ""
    #: The sentence names a known mistake.
    mistake: bool = False
    #: The sentence is one of ours, not one of Python's.
    worded: bool = False
    #: It took too long, or Python ended in it.
    stopped: bool = False


class Printed(io.TextIOBase):
    """Keeps the beginning of what is printed, and drops the rest."""

    def __init__(self, limit: int = PRINTED):
        self.parts, self.left = [], limit

    def writable(self):
        return True

    def write(self, text):
        kept = text[: self.left]
        self.left -= len(kept)
        if kept:
            self.parts.append(kept)
            if not self.left:
                self.parts.append("\n… (more was printed)\n")
        return len(text)

    def text(self) -> str:
        return "".join(self.parts)


def as_python(source: str) -> str:
    """A cell without IPython's own lines: %magic, !command, ?help."""
    try:
        compile(source, "cell", "exec")
        return source  # it may have a % at the beginning of a line, inside a text
    except (SyntaxError, ValueError):
        pass
    return "\n".join(_MAGIC.sub(r"\1pass  # \2", line) for line in source.split("\n"))


def _file_of(name: str, source: str) -> str:
    """A file name under which tracebacks find the lines of a cell."""
    file = f"<{name}>"
    lines = [line + "\n" for line in source.split("\n")]
    linecache.cache[file] = (len(source), None, lines, file)
    return file


@contextlib.contextmanager
def time_limit(seconds: float | None, processor: bool = False):
    """Raise `TooLong` inside after so many seconds; nothing where signals do not do.

    Args:
        processor: count processor time, which a busy machine does not lengthen.
    """
    able = hasattr(signal, "setitimer")
    able = able and threading.current_thread() is threading.main_thread()
    if not seconds or not able:
        yield
        return

    def stop(*_):
        raise TooLong

    timer = signal.ITIMER_PROF if processor else signal.ITIMER_REAL
    number = signal.SIGPROF if processor else signal.SIGALRM
    before = signal.signal(number, stop)
    signal.setitimer(timer, seconds, 1.0)  # again, if it is caught
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)


def sentence_for(error: BaseException, kind: str, name: str, line: int | None) -> str:
    """One sentence for what stopped a cell.

    Args:
        kind: "test", "student", or something else for cells that are ours.
    """
    if isinstance(error, Wrong):
        return str(error)
    cell = {"test": "The test", "student": f"Your cell {name}"}.get(
        kind, f"The cell {name}"
    )
    where = f" (line {line})" if line else ""
    text = text_of(error).rstrip(".")
    if isinstance(error, NameError) and kind == "test":
        missing = getattr(error, "name", None)
        if missing:
            return f"{missing} is not defined: your cell has to define it."
    if isinstance(error, NotImplementedError) and not text:
        return "This is not written yet."
    if isinstance(error, SystemExit):
        return f"{cell} ends Python, by exit() or the like{where}."
    if isinstance(error, MemoryError):
        return f"{cell} needs more memory than it may have{where}" + (
            f": {text}." if text else "."
        )
    if isinstance(error, SyntaxError):
        where = f" (line {error.lineno})" if error.lineno else ""
        return f"{cell} is not Python: {error.msg}{where}."
    text = f": {text}" if text else ""
    if kind == "test":
        return (
            "The test cannot go on with what your answer gives: "
            f"{type(error).__name__}{text}{where}."
        )
    return f"{cell} stopped with {type(error).__name__}{text}{where}."


def run_cell(
    source: str,
    namespace: dict,
    name: str,
    kind: str = "setup",
    seconds: float | None = None,
    processor: bool = False,
) -> Outcome:
    """Run a cell in a namespace.

    Args:
        kind: "setup", "reference", "student" or "test": how its errors are worded. The
            source of a "student" cell is what `forbid` looks at.
        seconds: stop it after that. processor: count processor time only.
    """
    source = as_python(source)
    if kind == "student":
        Now.cell = source
    Now.seed = None
    printed = Printed()
    start = time.perf_counter()
    outcome = Outcome(True, kind=kind)
    try:
        file = _file_of(name, source)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            with time_limit(seconds, processor):
                exec(compile(source, file, "exec"), namespace)
    except TooLong as error:
        outcome.passed, outcome.stopped = False, True
        outcome.sentence = (
            f"It was stopped after {seconds:g} seconds: is there a loop that never "
            "ends?"
        )
        outcome.traceback = [outcome.sentence, *report(error)[1:-1]]
    except (Exception, SystemExit) as error:
        outcome.passed = False
        line = line_in(error, {f"<{name}>"})
        outcome.sentence = sentence_for(error, kind, name, line)
        lines = report(error)
        outcome.traceback = [outcome.sentence, *lines[1:]]
        outcome.mistake = bool(getattr(error, "mistake", False))
        outcome.worded = bool(getattr(error, "worded", False))
    outcome.printed = printed.text()
    outcome.seconds = time.perf_counter() - start
    return outcome


def run_test(
    source: str,
    namespace: dict,
    name: str,
    seconds: float | None = None,
    processor: bool = False,
) -> Outcome:
    """Run a test cell.

    Where a visible test fails, the hidden ones may still recognise a known mistake; its
    sentence is then the first. The verdict stays what it is.
    """
    outcome = run_cell(source, namespace, name, "test", seconds, processor)
    hidden = hidden_part(source)
    if outcome.passed or outcome.mistake or outcome.stopped or not hidden:
        return outcome
    again = run_cell(hidden, namespace, name, "test", seconds, processor)
    if again.mistake or (again.worded and not outcome.worded):
        outcome.traceback = [again.sentence, *outcome.traceback]
        outcome.sentence, outcome.mistake = again.sentence, again.mistake
    outcome.seconds += again.seconds
    return outcome


def display(*_, **__):
    """What `display` does where no notebook is open: nothing."""


def new_namespace() -> dict:
    """The names that a cell finds before anything has run."""
    return {"__name__": "__main__", "__builtins__": __builtins__, "display": display}
