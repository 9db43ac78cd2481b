"""Writing a file whole or not at all.

The content goes into a `.part` file beside the target, to the disk, and then into the
target's place in one step, so a reader sees the old file or the new one. What is not an
ordinary file, or not the caller's to replace, is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file can be neither removed nor replaced
    fcntl = None

_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_TRIES, _PAUSE = 20, 0.1  # seconds: a virus scanner or an editor needs about that


class FileError(ValueError):
    """A file that cannot be read or written; the message says why."""


def shown(text, most: int = 160) -> str:
    """A path or an address as a message names it: printable, of a bounded length."""
    text = str(text)
    text = text if text.isprintable() else ascii(text)
    half = most // 2 - 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


@contextlib.contextmanager
def told(action: str, path):
    """Say in one sentence what the operating system refused.

    Args:
        action: `'read'` or `'write'`.
        path: the file in question.

    Raises:
        FileError: "cannot `action` `path`: ...", for an `OSError` inside the block.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the operating system refuses"
        raise FileError(f"cannot {action} {shown(path)}: {reason}.") from error


def kind_of(path) -> str | None:
    """What stands at a path: `'a file'`, `'a folder'`, ...; None if nothing does.

    A link is followed, and nothing is opened, so a named pipe cannot block.

    Raises:
        OSError: if that cannot be known.
        FileError: for a path that no file can have.
    """
    try:
        return _KINDS.get(stat.S_IFMT(Path(path).stat().st_mode), "no ordinary file")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise FileError(f"{shown(path)} is no name that a file can have.") from None


def write_whole(
    path,
    content: bytes | Iterable[bytes],
    *,
    may_replace: Callable[[Path], bool] | None = None,
) -> None:
    """Write a file whole or not at all.

    A link is followed: its target is written. A file that is replaced keeps its mode.
    What a killed process left of an earlier try is removed.

    Args:
        path: the file; folders that are missing are made.
        content: all of it, or its pieces.
        may_replace: called with an ordinary file that has this name already; False
            keeps it. By default it is replaced.

    Raises:
        FileError: if the name is taken by something else, the folder cannot be written
            or the disk is full. An earlier file is then still as it was.
    """
    with told("write", path):
        target, mode = _target(path, may_replace)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        with _part_of(target, mode) as file:
            pieces = [content] if isinstance(content, bytes) else content
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()
            _replace(file.name, target)


def check_writable(path, *, may_replace: Callable[[Path], bool] | None = None) -> None:
    """Try all of `write_whole` that can be tried without touching the file.

    Raises:
        FileError: as `write_whole` would.
    """
    with told("write", path):
        target, mode = _target(path, may_replace)
        folder = target.parent
        while not folder.exists():  # it would be made: not yet
            folder = folder.parent
        with _part_of(folder / target.name, mode):
            pass


def _target(path, may_replace) -> tuple[Path, int | None]:
    """The file to write, links followed, and the mode that it has."""
    kind, target = kind_of(path), Path(os.path.realpath(path))
    if kind is None:
        for folder in target.parents:
            if (there := kind_of(folder)) not in (None, "a folder"):
                raise FileError(
                    f"cannot write {shown(path)}: {shown(folder, 60)} is {there}, not "
                    "a folder."
                )
        return target, None
    if kind != "a file":
        raise FileError(f"cannot write {shown(path)}: it is {kind}.")
    mode = stat.S_IMODE(os.stat(target).st_mode)
    if not mode & 0o222 or not os.access(target, os.W_OK):
        raise FileError(f"cannot write {shown(path)}: it is write-protected.")
    if may_replace is not None and not may_replace(target):
        raise FileError(
            f"cannot write {shown(path)}: a file of another kind has this name and "
            "would be lost; choose another name."
        )
    return target, mode


def _beginning(target: Path) -> str:
    """How the names of a target's parts begin, a long name cut short."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()
    return f"{target.name[:40]}.{digest[:12]}."


@contextlib.contextmanager
def _part_of(target: Path, mode: int | None):
    """A new file beside the target, open and locked; removed if it is still there."""
    while True:
        name = _beginning(target) + secrets.token_hex(8) + ".part"
        part = target.parent / name
        with contextlib.ExitStack() as stack:
            file = open(part, "xb", opener=lambda *a: os.open(*a, mode or 0o666))
            stack.callback(part.unlink, missing_ok=True)
            stack.enter_context(file)
            _lock(file, wait=True)
            if not part.exists():  # taken for a leftover, before it was locked
                continue
            if mode is not None:
                os.chmod(part, mode)
            yield file
            return


def _lock(file, *, wait: bool = False) -> bool:
    """Mark a part as being written, as long as it is open; False if another has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held by its writer, or a file system without locks
        return False
    return True


def _remove_leftovers(target: Path) -> None:
    """Remove parts of this target that nobody is writing any more."""
    beginning = _beginning(target)
    for part in list(target.parent.iterdir()):
        if not (part.name.startswith(beginning) and part.name.endswith(".part")):
            continue
        try:
            with open(part, "rb") as file:
                left = _lock(file)
                if left and fcntl is not None:
                    part.unlink()
            if left and fcntl is None:
                part.unlink()
        except OSError:  # Windows: it is being written; elsewhere: somebody else's
            continue


def _replace(part, target: Path) -> None:
    """`os.replace`; on Windows it waits for others to close the target."""
    for attempt in range(_TRIES):
        try:
            return os.replace(part, target)
        except PermissionError:
            if fcntl is not None:
                raise
            if attempt + 1 < _TRIES:
                time.sleep(_PAUSE)
    raise FileError(
        f"cannot write {shown(target)}: the file is open in another program; close it "
        "there first."
    )
