"""The whole of The Time Machine, downloaded once and checked on every load."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path

import pooch

from .files import FileError, kind_of, shown, told, write_whole

FILE_NAME = "timemachine.txt"
SHA256 = "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"
URL = "https://d2l-data.s3-accelerate.amazonaws.com/" + FILE_NAME
MOST_BYTES = 2_000_000  # the book has 178,979
MOST_SECONDS = 120
_WAY_OUT = (
    "Use the embedded chapter (source='chapter'), or put "
    f"{FILE_NAME} into a folder that D2L_LSTM_DATA names."
)


class DownloadError(RuntimeError):
    """The whole book is not to be had; the message says why and what to do."""


def data_folder() -> Path:
    """Where the whole book is kept: `$D2L_LSTM_DATA`, or the user's cache folder.

    Raises:
        DownloadError: for the home folder of a user who does not exist.
    """
    folder = os.environ.get("D2L_LSTM_DATA") or pooch.os_cache("d2l-lstm")
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise DownloadError(
            f"D2L_LSTM_DATA is {shown(folder)}, and there is no such home folder."
        ) from None


def _verified(path: Path) -> Path | None:
    """The path if a file is there and right, None if no file is there."""
    try:
        with told("read", path):
            folder, kind = kind_of(path.parent), kind_of(path)
            if folder not in (None, "a folder"):
                raise FileError(f"cannot read {shown(path)}: its folder is {folder}.")
            if kind is None:
                return None
            if kind != "a file":
                raise FileError(f"cannot read {shown(path)}: it is {kind}.")
            digest = pooch.file_hash(str(path))
    except FileError as error:
        raise DownloadError(f"{error} {_WAY_OUT}") from error
    if digest != SHA256:
        raise DownloadError(
            f"{shown(path)} is not the book that d2l serves (its SHA-256 begins with "
            f"{digest[:12]}, not {SHA256[:12]}); remove it to download it again."
        )
    return path


class _Page(io.BytesIO):
    """The content of an address as it comes, up to a length."""

    def write(self, chunk):
        if self.tell() + len(chunk) > MOST_BYTES:
            raise DownloadError(f"it is longer than {MOST_BYTES:,} bytes")
        return super().write(chunk)


def _downloaded(url: str) -> bytes:
    """The content of an address, bounded in length and in time.

    Raises:
        DownloadError: with the reason, as the end of a sentence.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError("it is no address that begins with https://")
    page, errors = _Page(), []

    def download():
        try:
            pooch.HTTPDownloader(timeout=MOST_SECONDS)(url, page, None)
        except Exception as error:  # of a thread: raised below, in the caller's
            errors.append(error)

    # In a thread, since a server that sends a byte now and then never times out.
    thread = threading.Thread(target=download, daemon=True)
    thread.start()
    thread.join(MOST_SECONDS)
    if thread.is_alive():
        raise DownloadError(f"it took longer than {MOST_SECONDS:g} seconds")
    if errors:
        raise DownloadError(reason_of(errors[0])) from errors[0]
    return page.getvalue()


def reason_of(error: BaseException) -> str:
    """Why a download failed, without the inside of the libraries."""
    if isinstance(error, DownloadError):
        return str(error)
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answers with the status {response.status_code}"
    while error is not None:  # the first cause is the operating system's
        reason, error = getattr(error, "strerror", None), error.__context__
        if reason and error is None:
            return shown(reason, 80)
    return "the connection is broken, or there is none"


def fetch_time_machine(mirror: str | None = None) -> Path:
    """Path of the whole book, downloaded first if it is not there yet.

    Args:
        mirror: another address to download from, of the file itself. By default
            `$D2L_LSTM_MIRROR`, or the address where d2l keeps it.

    Returns:
        The path of a file whose SHA-256 has just been checked.

    Raises:
        DownloadError: without a network, for a missing page, a wrong, truncated or
            endless file, or a folder that cannot be read or written. No half file is
            left.
    """
    path = data_folder() / FILE_NAME
    found = _verified(path)
    if found:
        return found
    url = mirror or os.environ.get("D2L_LSTM_MIRROR") or URL
    try:
        content = _downloaded(url)
        digest = hashlib.sha256(content).hexdigest()
        if digest != SHA256:
            raise DownloadError(
                f"its SHA-256 hash begins with {digest[:12]}, not {SHA256[:12]}"
            )
    except DownloadError as error:
        raise DownloadError(
            f"cannot download {shown(url, 90)}: {error}. {_WAY_OUT}"
        ) from error
    try:
        write_whole(path, content)
    except FileError as error:
        raise DownloadError(str(error)) from error
    return path
