"""Files: whole or not at all, and only where they may be written."""

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from d2l_lstm import files
from d2l_lstm.files import FileError, check_writable, kind_of, shown, write_whole

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
WRITER = """
import os, sys, time
from pathlib import Path
from d2l_lstm import files
def wait(number):
    print("in the middle", flush=True)
    sys.stdin.readline()
files.os.fsync = wait
files.write_whole(Path(sys.argv[1]), b"new" * 1000)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refusal(function, *arguments, **options):
    """The sentence with which a path is refused."""
    with pytest.raises(FileError) as error:
        function(*arguments, **options)
    message = str(error.value)
    assert message.isprintable() and message.endswith(".") and len(message) < 300
    assert "Errno" not in message and "Error" not in message
    return message


@pytest.fixture
def writer(tmp_path):
    """A process that stands in the middle of writing `file`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "file"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[1])},
    )
    assert process.stdout.readline() == "in the middle\n"
    yield process
    process.kill()
    process.communicate()


# --------------------------------------------------------------------------------------
# What is written


def test_a_file_is_written_with_the_folders_that_are_missing(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"content")
    assert path.read_bytes() == b"content" and names(path.parent) == ["file"]


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    write_whole(tmp_path / "file", b"old")
    write_whole(str(tmp_path / "file"), b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and names(tmp_path) == ["file"]


@posix
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o646])
def test_a_replaced_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing yet"])
def test_a_link_stays_and_its_target_is_written(tmp_path, there):
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert names(target.parent) == ["target"]


@posix  # Windows counts the folders too
def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new" and names(tmp_path) == [path.name]


# --------------------------------------------------------------------------------------
# What is refused

REFUSED = {
    "a folder": lambda path: path.mkdir(),
    "a named pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/null"),
    "write-protected": lambda path: (path.write_bytes(b"old"), path.chmod(0o444)),
}


@posix
@pytest.mark.parametrize("write", [lambda p: write_whole(p, b""), check_writable])
@pytest.mark.parametrize(("kind", "make"), REFUSED.items(), ids=REFUSED)
def test_what_is_no_ordinary_file_is_refused_and_stays(tmp_path, kind, make, write):
    path = tmp_path / "file"
    make(path)
    before = path.stat()
    assert kind in refusal(write, path)
    assert path.stat().st_mode == before.st_mode and names(tmp_path) == ["file"]


@posix
def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("s")
        assert "a socket" in refusal(write_whole, "s", b"")


@pytest.mark.parametrize("write", [lambda *a, **o: write_whole(*a, b"", **o),
                                   check_writable])  # fmt: skip
def test_a_file_that_may_not_be_replaced_stays(tmp_path, write):
    novel = tmp_path / "novel.txt"
    novel.write_bytes(b"It was a dark and stormy night")
    message = refusal(write, novel, may_replace=lambda path: path.suffix != ".txt")
    assert "novel.txt" in message and "another name" in message
    assert novel.read_bytes().startswith(b"It was") and names(tmp_path) == ["novel.txt"]


@posix
@pytest.mark.parametrize("write", [lambda p: write_whole(p, b""), check_writable])
@pytest.mark.parametrize(
    "name", ["n" * 256, "file/below", "null\0", "half \ud800", "line\nbreak/" * 40]
)
def test_a_name_that_cannot_be_written_is_one_sentence(tmp_path, write, name):
    (tmp_path / "file").write_bytes(b"in the way")
    (tmp_path / "line\nbreak").write_bytes(b"in the way")
    refusal(write, tmp_path / name)
    assert names(tmp_path) == ["file", "line\nbreak"]


@posix
@pytest.mark.parametrize("write", [lambda p: write_whole(p, b""), check_writable])
def test_links_in_a_circle_are_one_sentence(tmp_path, write):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert str(tmp_path / "a") in refusal(write, tmp_path / "a")


def test_a_check_leaves_nothing_and_changes_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    before = (tmp_path / "file").stat().st_mtime_ns
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "folder" / "new")
    assert (tmp_path / "file").stat().st_mtime_ns == before
    assert names(tmp_path) == ["file"]  # a folder is made when there is a file for it


@pytest.mark.parametrize("write", [lambda p: write_whole(p, b""), check_writable])
def test_no_name_at_all_is_the_folder_where_one_is(write):
    assert "a folder" in refusal(write, "")


def test_a_check_finds_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files.os, "open", full)
    assert "Read-only file system" in refusal(check_writable, tmp_path / "file")


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_write_that_fails_leaves_the_earlier_file_and_no_other(
    tmp_path, monkeypatch, step, error
):
    def fail(*_):
        raise error

    write_whole(tmp_path / "file", b"old")
    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises((FileError, KeyboardInterrupt)):
        write_whole(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"old" and names(tmp_path) == ["file"]


def test_a_path_is_shown_on_one_line_of_a_bounded_length():
    assert shown("plain né 时.txt") == "plain né 时.txt"
    assert "\n" not in shown("two\nlines") and "\x1b" not in shown("\x1b[31m")
    assert len(shown("n" * 10_000)) <= 160


@posix
def test_what_stands_at_a_path_is_known_without_opening_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for a writer for ever
    assert kind_of(tmp_path / "pipe") == "a named pipe"
    assert kind_of(tmp_path) == "a folder" and kind_of(tmp_path / "none") is None
    assert kind_of("/dev/null") == "a device"


# --------------------------------------------------------------------------------------
# Others at the same time


def test_what_a_killed_process_left_is_removed_at_the_next_write(tmp_path, writer):
    (tmp_path / "mine.part").write_bytes(b"not of a save")
    writer.kill()
    writer.wait()
    assert len(names(tmp_path)) == 2 and not (tmp_path / "file").exists()
    write_whole(tmp_path / "another", b"")
    assert len(names(tmp_path)) == 3
    write_whole(tmp_path / "file", b"next")
    assert names(tmp_path) == ["another", "file", "mine.part"]


def test_a_process_that_is_writing_now_is_left_to_write(tmp_path, writer):
    write_whole(tmp_path / "file", b"first")
    assert len(names(tmp_path)) == 2
    writer.communicate("go on\n")
    assert writer.returncode == 0
    assert (tmp_path / "file").read_bytes() == b"new" * 1000
    assert names(tmp_path) == ["file"]


@posix
def test_a_part_that_another_process_took_for_a_leftover_is_made_again(
    tmp_path, monkeypatch
):
    create, parts = os.open, []

    def create_and_lose(path, *options):
        handle = create(path, *options)
        parts.append(path)
        if len(parts) == 1:
            os.unlink(path)  # by the other process, before this one has locked it
        return handle

    write_whole(tmp_path / "file", b"old")
    monkeypatch.setattr(files.os, "open", create_and_lose)
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and len(parts) == 2
    assert names(tmp_path) == ["file"]


def test_on_windows_a_file_that_is_open_elsewhere_is_waited_for(tmp_path, monkeypatch):
    replace, tries = os.replace, []

    def open_at_first(*arguments):
        tries.append(arguments)
        if len(tries) < 4:
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(*arguments)

    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "_PAUSE", 0)
    monkeypatch.setattr(files.os, "replace", open_at_first)
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and len(tries) == 4


def test_on_windows_a_file_that_stays_open_elsewhere_is_named(tmp_path, monkeypatch):
    def always_open(*_):
        raise PermissionError(errno.EACCES, "Access is denied")

    write_whole(tmp_path / "file", b"old")
    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "_PAUSE", 0)
    monkeypatch.setattr(files.os, "replace", always_open)
    message = refusal(write_whole, tmp_path / "file", b"new")
    assert str(tmp_path / "file") in message and "open in another program" in message
    assert (tmp_path / "file").read_bytes() == b"old" and names(tmp_path) == ["file"]


# --------------------------------------------------------------------------------------
# A clone on Windows


def test_a_clone_that_wants_windows_line_ends_has_the_same_files(tmp_path):
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        pytest.skip("there is no repository to clone")
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    clone = tmp_path / "clone"
    subprocess.run([*git, "clone", "--quiet", root, clone], check=True)
    for name in ("data/timemachine_chapter1.txt", "Makefile", ".ci/run"):
        assert b"\r" not in (clone / name).read_bytes(), name
    for name in ("data/timemachine_chapter1.txt", "data/lstm_time_machine.safetensors"):
        kept = subprocess.check_output(["git", "show", f"HEAD:{name}"], cwd=root)
        assert (clone / name).read_bytes() == kept, name
