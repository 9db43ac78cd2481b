"""The whole book: downloaded once, checked on every load, never half there."""

import contextlib
import errno
import hashlib
import http.server
import os
import random
import re
import socket
import subprocess
import sys
import threading

import d2l_lstm
import pytest
from d2l_lstm import download

BOOK = b"The Time Machine, by H. G. Wells\n\nThe Time Traveller\n" * 600


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path in ("/endless", "/slow"):
            return self.send_for_ever()
        content, size, status = {
            "/right": (BOOK, len(BOOK), 200),
            "/wrong": (b"<html>Please log in</html>", 26, 200),
            "/empty": (b"", 0, 200),
            "/truncated": (BOOK[:1000], len(BOOK), 200),
            "/short": (BOOK[:1000], 1000, 200),
            "/forbidden": (b"no", 2, 403),
            "/broken": (b"oh", 2, 500),
        }.get(self.path, (b"not found", 9, 404))
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(content)

    def send_for_ever(self):
        """A kilobyte after the other, or slowly, a byte after the other."""
        slow = self.path == "/slow"
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the other side has had enough
            while not self.server.closing.wait(0.05 if slow else 0):
                self.wfile.write(b"x" * (1 if slow else 1024))

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.requests, server.closing = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.closing.set()
        server.shutdown()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for a book that is only some kilobytes long."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("D2L_LSTM_DATA", str(folder))
    monkeypatch.setattr(download, "SHA256", hashlib.sha256(BOOK).hexdigest())
    return folder


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def refused(call=d2l_lstm.fetch_time_machine, *arguments):
    """The message of the DownloadError, which is one line with a way out."""
    with pytest.raises(d2l_lstm.DownloadError) as error:
        call(*arguments)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".") and len(message) < 300
    assert not re.search(r"Errno|Error|Pool|object at 0x|None", message)
    return message


# --------------------------------------------------------------------------------------
# The suite itself has no network


@pytest.mark.parametrize(
    "call",
    [
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
        lambda: socket.socket().connect(("192.0.2.1", 80)),
        lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
        lambda: socket.getaddrinfo("d2l.ai", 80),
    ],
)
def test_the_suite_has_no_network(call):
    with pytest.raises(OSError, match="the tests have no network"):
        call()


def test_processes_that_the_suite_starts_have_no_network_either(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('the other one ran')")
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(tmp_path)])
    code = "import socket; socket.create_connection(('192.0.2.1', 80))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert "the tests have no network: 192.0.2.1 is barred" in done.stderr
    assert done.stdout == "the other one ran\n"


# --------------------------------------------------------------------------------------
# What goes right


def test_book_is_downloaded_once_from_a_mirror(server, folder):
    path = d2l_lstm.fetch_time_machine(server.url + "/right")
    assert path == folder / "timemachine.txt"
    assert path.read_bytes() == BOOK
    assert d2l_lstm.fetch_time_machine(server.url + "/right") == path
    assert server.requests == ["/right"]
    assert files(folder) == ["timemachine.txt"]


def test_mirror_can_be_given_by_the_environment(server, folder, monkeypatch):
    monkeypatch.setenv("D2L_LSTM_MIRROR", server.url + "/right")
    assert d2l_lstm.read_raw_time_machine("full") == BOOK.decode()
    assert server.requests == ["/right"]


def test_mirror_by_argument_goes_before_the_environment(server, folder, monkeypatch):
    monkeypatch.setenv("D2L_LSTM_MIRROR", server.url + "/wrong")
    d2l_lstm.fetch_time_machine(server.url + "/right")
    assert server.requests == ["/right"]


def test_file_in_the_data_folder_needs_no_network(folder):
    folder.mkdir()
    (folder / "timemachine.txt").write_bytes(BOOK)
    loader, vocab = d2l_lstm.load_data_time_machine(4, 5, max_tokens=20_000)
    assert len(loader.corpus) == 20_000
    assert "".join(vocab.to_tokens(loader.corpus[:16].tolist())) == "the time machine"
    assert d2l_lstm.read_time_machine("full")[2] == "the time traveller"


def test_splits_beyond_the_chapter_use_the_whole_book(folder):
    folder.mkdir()
    (folder / "timemachine.txt").write_bytes(BOOK)
    train, valid, test, _ = d2l_lstm.load_time_machine_splits(
        4, 5, num_train=12_000, num_valid=4_000, num_test=1_000
    )
    assert [len(part.corpus) for part in (train, valid, test)] == [12_000, 4_000, 1_000]
    assert d2l_lstm.normalize_text(BOOK.decode()).startswith(
        "".join(train.vocab.to_tokens(train.corpus.tolist()))
    )


# --------------------------------------------------------------------------------------
# What goes wrong


@pytest.mark.parametrize(
    "page, reason",
    [
        ("/nowhere", "404"),
        ("/forbidden", "403"),
        ("/broken", "500"),
        ("/wrong", "(?i)hash"),
        ("/empty", "(?i)hash"),
        ("/short", "(?i)hash"),
        ("/truncated", "(?i)incomplete|broken|hash"),
    ],
)
def test_bad_download_is_one_sentence_and_leaves_no_file(server, folder, page, reason):
    message = refused(d2l_lstm.fetch_time_machine, server.url + page)
    assert message.startswith(f"cannot download {server.url}{page}: ")
    assert re.search(reason, message)
    assert "D2L_LSTM_DATA" in message
    assert files(folder) == []


def test_a_file_without_an_end_is_refused(server, folder):
    message = refused(d2l_lstm.fetch_time_machine, server.url + "/endless")
    assert "longer than 2,000,000 bytes" in message and files(folder) == []


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    server, folder, monkeypatch
):
    monkeypatch.setattr(download, "MOST_SECONDS", 0.5)
    message = refused(d2l_lstm.fetch_time_machine, server.url + "/slow")
    assert "took longer than 0.5 seconds" in message and files(folder) == []


def test_a_long_address_makes_no_long_message(folder):
    message = refused(d2l_lstm.fetch_time_machine, "http://127.0.0.1:1/" + "n" * 5000)
    assert "http://127.0.0.1:1/nnn" in message


def test_nobody_listening_is_one_sentence_and_leaves_no_file(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = refused(d2l_lstm.fetch_time_machine, f"http://127.0.0.1:{port}/book")
    assert "refused" in message and files(folder) == []


@pytest.mark.parametrize("mirror", ["nonsense", "gopher://127.0.0.1/book", "http://["])
def test_mirror_that_is_no_address_is_one_sentence(folder, mirror):
    assert f"cannot download {mirror}: " in refused(d2l_lstm.fetch_time_machine, mirror)


@pytest.mark.parametrize(
    "call",
    [
        lambda: d2l_lstm.load_data_time_machine(32, 35, max_tokens=20_000),
        lambda: d2l_lstm.load_data_time_machine(32, 35, source="full"),
        lambda: d2l_lstm.load_time_machine_splits(32, 35, num_train=20_000),
        lambda: d2l_lstm.read_time_machine("full"),
    ],
)
def test_whole_book_without_a_network_says_what_to_do(call, folder):
    message = refused(call)
    assert download.URL in message and "source='chapter'" in message
    assert files(folder) == []


def test_chapter_needs_neither_network_nor_folder(monkeypatch):
    monkeypatch.setenv("D2L_LSTM_DATA", "/nowhere/at/all")
    loader, _ = d2l_lstm.load_data_time_machine(32, 35, max_tokens=16_263)
    assert len(loader.corpus) == 16_263


def test_hash_is_checked_on_every_load(server, folder):
    path = d2l_lstm.fetch_time_machine(server.url + "/right")
    content = bytearray(BOOK)
    content[random.randrange(len(BOOK))] ^= 1
    path.write_bytes(content)
    message = refused(d2l_lstm.fetch_time_machine, server.url + "/right")
    assert str(path) in message and "remove it" in message
    assert path.read_bytes() == content  # never overwritten: it is the user's
    assert server.requests == ["/right"]


def test_real_hash_is_that_of_the_book_that_d2l_serves():
    assert download.URL.startswith("https://") and download.URL.endswith(".txt")
    assert download.SHA256 == (
        "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"
    )


def test_data_folder_that_is_a_file_is_one_sentence(folder):
    folder.write_bytes(BOOK)
    message = refused()
    assert f"cannot read {folder / 'timemachine.txt'}: its folder is a file" in message
    assert folder.read_bytes() == BOOK


def test_book_that_is_a_folder_is_one_sentence(folder):
    (folder / "timemachine.txt").mkdir(parents=True)
    assert "it is a folder" in refused()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_book_that_is_a_named_pipe_is_one_sentence_and_no_wait(folder):
    folder.mkdir()
    os.mkfifo(folder / "timemachine.txt")
    assert "it is a named pipe" in refused()


def test_unreadable_book_is_one_sentence(folder, monkeypatch):
    def no_entry(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    folder.mkdir()
    (folder / "timemachine.txt").write_bytes(BOOK)
    monkeypatch.setattr(download.pooch, "file_hash", no_entry)  # root may read it
    assert "Permission denied" in refused()


@pytest.mark.skipif(os.name == "nt", reason="Windows guesses the folder of anybody")
def test_home_folder_of_nobody_is_one_sentence(monkeypatch):
    monkeypatch.setenv("D2L_LSTM_DATA", "~nobody_has_this_name/books")
    assert "~nobody_has_this_name" in refused()


def test_folder_that_cannot_be_made_is_one_sentence(server, folder, monkeypatch):
    folder.write_bytes(b"a file")
    monkeypatch.setenv("D2L_LSTM_DATA", str(folder / "below"))
    refused(d2l_lstm.fetch_time_machine, server.url + "/right")
    assert folder.read_bytes() == b"a file"


def test_full_disk_is_one_sentence_and_leaves_no_file(server, folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    message = refused(d2l_lstm.fetch_time_machine, server.url + "/right")
    assert "No space left" in message and files(folder) == []


def test_folder_without_write_permission_is_one_sentence(server, folder):
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    message = refused(d2l_lstm.fetch_time_machine, server.url + "/right")
    folder.chmod(0o700)
    assert "ermi" in message and files(folder) == []


def test_data_folder_below_the_home_folder_may_be_written_with_a_tilde(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("D2L_LSTM_DATA", "~/books")
    assert download.data_folder() == tmp_path / "books"
