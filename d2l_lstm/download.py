"""The whole of The Time Machine, downloaded once and checked on every load."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pooch

FILE_NAME = "timemachine.txt"
SHA256 = "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"
URL = "https://d2l-data.s3-accelerate.amazonaws.com/" + FILE_NAME
_WAY_OUT = (
    "The embedded chapter needs no network (source='chapter'); or put the file "
    f"{FILE_NAME} into a folder and set D2L_LSTM_DATA to that folder."
)


class DownloadError(RuntimeError):
    """The whole book is not to be had; the message says why and what to do."""


def data_folder() -> Path:
    """Where the whole book is kept: `$D2L_LSTM_DATA`, or the user's cache folder."""
    folder = os.environ.get("D2L_LSTM_DATA") or pooch.os_cache("d2l-lstm")
    return Path(folder).expanduser()


def _verified(path: Path) -> Path | None:
    """The path if a file is there and right, None if no file is there."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DownloadError(
            f"cannot read {path}: {error.strerror}. {_WAY_OUT}"
        ) from None
    if digest != SHA256:
        raise DownloadError(
            f"{path} is not the book that d2l serves (its SHA-256 begins with "
            f"{digest[:12]}, not {SHA256[:12]}); remove it to download it again."
        )
    return path


def fetch_time_machine(mirror: str | None = None) -> Path:
    """Path of the whole book, downloaded first if it is not there yet.

    Args:
        mirror: another address to download from, of the file itself. By default
            `$D2L_LSTM_MIRROR`, or the address where d2l keeps it.

    Returns:
        The path of a file whose SHA-256 has just been checked.

    Raises:
        DownloadError: without a network, for a missing page, a wrong or truncated
            file, or a folder that cannot be read or written. No half file is left.
    """
    folder = data_folder()
    found = _verified(folder / FILE_NAME)
    if found:
        return found
    url = mirror or os.environ.get("D2L_LSTM_MIRROR") or URL
    try:
        # pooch writes to a temporary file beside the target and moves it into place
        # after the hash is checked.
        return Path(pooch.retrieve(url, SHA256, FILE_NAME, folder, progressbar=False))
    except Exception as error:  # requests, urllib3, OSError, ValueError: all one answer
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise DownloadError(f"cannot download {url}: {reason}. {_WAY_OUT}") from error
