"""What a test says: one sentence first, Python's traceback after it."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))


class Now:
    """What is being run: the student's cells, and the seed of the random numbers."""

    cell: str | None = None
    #: Cells that the student has added, where the answer is run with them.
    own: tuple[str, ...] = ()
    seed: tuple | None = None


def _execution():
    """A number that differs from cell to cell where a notebook is open."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return getattr(shell, "execution_count", None)


def remember_seed(seed: int) -> None:
    """The seed that a message of this cell names."""
    Now.seed = (seed, _execution())


class Wrong(AssertionError):
    """An answer that a test does not accept.

    Shows its sentence first, then what there is to see (`detail`), then the traceback.
    """

    def __init__(self, sentence: str, detail: str | None = None, mistake: bool = False):
        super().__init__(sentence)
        self.sentence, self.detail = sentence, detail
        self.mistake = mistake  # one that is known, and named by the sentence
        self.worded = True  # by us, and not by Python
        self.seed = None
        if Now.seed and Now.seed[1] == _execution():
            self.seed = Now.seed[0]

    def __str__(self) -> str:
        return self.sentence

    def _render_traceback_(self) -> list[str]:
        return report(self)


def _is_ours(filename: str) -> bool:
    if os.path.dirname(os.path.abspath(filename)) == HERE:
        return True
    return f"{os.sep}IPython{os.sep}" in filename


def short_traceback(error: BaseException) -> list[str]:
    """Python's traceback without the lines of this package and of IPython."""
    frames = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in frames if not _is_ours(frame.filename)]
    if len(frames) > 20:
        frames = frames[:5] + frames[-15:]
    lines = [line.rstrip("\n") for line in traceback.format_list(frames)]
    if isinstance(error, SyntaxError):
        lines += traceback.format_exception_only(type(error), error)
    elif not isinstance(error, Wrong):  # whose sentence has been said
        lines.append(f"{type(error).__name__}: {text_of(error)}")
    lines = "\n".join(lines).rstrip().split("\n")
    return ["Traceback (most recent call last):", *lines] if frames else lines


def report(error: BaseException) -> list[str]:
    """The lines that are shown for an error: its sentence, details, the traceback."""
    lines = [str(error)]
    if getattr(error, "detail", None):
        lines.append(error.detail)
    if getattr(error, "seed", None) is not None:
        lines.append(f"(Random numbers: D2L_LSTM_SEED={error.seed} repeats them.)")
    return [*lines, "", *short_traceback(error.__cause__ or error)]


def text_of(error: BaseException, longest: int = 200) -> str:
    """What an error says, in one line; of Paddle's, the one that says it."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    for line in lines:
        found = re.match(r"(?:\w+Error: )?\((\w+)\) (.+)", line)
        if found:  # Paddle: (InvalidArgument) what is wrong
            lines = [found[2]]
            break
    text = lines[0] if lines else ""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def expect(condition, sentence: str) -> None:
    """Raise `Wrong(sentence)` unless the condition holds."""
    if not bool(condition):
        raise Wrong(sentence)


@contextlib.contextmanager
def hidden(subject: str):
    """What goes wrong inside is reported under its subject.

    Args:
        subject: what the announcement of the test cell calls it.
    """
    try:
        yield
    except Wrong as error:
        error.sentence = f"Hidden test ({subject}): {error.sentence}"
        error.args = (error.sentence,)
        raise
    except Exception as error:
        wrong = Wrong(
            f"Hidden test ({subject}): it stopped with {type(error).__name__}: "
            f"{text_of(error)}"
        )
        wrong.worded = False
        raise wrong from error


def name_of(function) -> str:
    """What a message calls a function, or anything else that is called."""
    return getattr(function, "__name__", type(function).__name__)


def _shown_call(function) -> str:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = ["…"]
    return f"{name_of(function)}({', '.join(names)})"


def files_of(function) -> set[str]:
    """Where the code of a function, or of the methods of a class, comes from."""
    function = inspect.unwrap(function) if callable(function) else function
    code = getattr(function, "__code__", None)
    if code is not None:
        return {code.co_filename}
    owner = function if inspect.isclass(function) else type(function)
    methods = [inspect.unwrap(m) for m in vars(owner).values() if callable(m)]
    return {m.__code__.co_filename for m in methods if hasattr(m, "__code__")}


def line_in(error: BaseException, files: set[str]) -> int | None:
    """The last line of these files that an error went through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename in files]
    return lines[-1] if lines else None


def call(function, *arguments, returns: tuple | None = None):
    """Call a student's function; what goes wrong becomes one sentence.

    Args:
        function: the student's.
        arguments: what it is called with.
        returns: names of what it should return, as ("H", "C"), if that is several
            values: "f returns nothing (None); it should return (H, C)."

    Raises:
        Wrong: it is not written yet, it is no function, or it stopped with an error:
            "f(X, state) stopped with NameError: name 'H' is not defined (line 7 of your
            cell)." Python's own error is its cause.
    """
    if not callable(function):
        kind = type(function).__name__
        raise Wrong(
            f"A function is needed here, and your cell gives a value of {kind}."
        )
    try:
        result = function(*arguments)
    except Wrong:
        raise
    except NotImplementedError as error:
        if str(error):
            raise _stopped(function, error) from error
        raise Wrong(f"{name_of(function)} is not written yet.") from error
    except SystemExit as error:
        raise Wrong(
            f"{_shown_call(function)} ends Python, by exit() or the like; it should "
            "return a value."
        ) from error
    except Exception as error:
        raise _stopped(function, error) from error
    if returns is not None and (
        not isinstance(result, (tuple, list)) or len(result) != len(returns)
    ):
        from .judging import kind_of

        raise Wrong(
            f"{name_of(function)} returns {kind_of(result)}; it should return "
            f"({', '.join(returns)})."
        )
    return result


def _stopped(function, error) -> Wrong:
    line = line_in(error, files_of(function))
    where = f" (line {line} of your cell)" if line else ""
    text = text_of(error).rstrip(".")
    text = f": {text}" if text else ""
    return Wrong(
        f"{_shown_call(function)} stopped with {type(error).__name__}{text}{where}."
    )
