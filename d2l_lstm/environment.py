"""What a bug report needs to say about the machine: `d2l-lstm info`."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import numpy
import paddle

from . import __version__
from .devices import num_threads, product_threads, try_gpu
from .download import FILE_NAME, data_folder
from .fast import available_backends
from .text import CHAPTER


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _fast_path() -> str:
    backends = available_backends()
    if not backends:
        return "none: this wheel of Paddle has no MKL"
    if backends == ("numpy",):
        return "numpy (twice as fast after: pip install numba)"
    return backends[0]


def environment_report() -> dict[str, str]:
    """What a bug report needs: versions, device, cores, threads, where data comes from.

    A value that begins with `! ` names something known not to work.
    """
    python = platform.python_version()
    if not (3, 10) <= tuple(map(int, python.split(".")[:2])) <= (3, 13):
        python = f"! {python}: Paddle 3.3 has wheels for Python 3.10 to 3.13"
    paddle_version = paddle.__version__
    if not paddle_version.startswith("3.3"):
        paddle_version = f"! {paddle_version}: tested with 3.3"
    numpy_version = numpy.__version__
    if tuple(map(int, numpy_version.split(".")[:2])) >= (2, 4):
        numpy_version = (
            f"! {numpy_version}: from 2.4 on, the book's own code stops with a "
            "TypeError; use numpy<2.4 or d2l_lstm.compat.repair()"
        )
    d2l_version = _version("d2l") or (
        "not installed; only comparisons with the book's code need it: "
        "pip install --no-deps d2l==0.17.6"
    )
    if d2l_version.startswith("1."):
        d2l_version = f"! {d2l_version}: has no Paddle module; 0.17.6 is the last"
    whole_book = data_folder() / FILE_NAME
    return {
        "d2l-lstm": __version__,
        "Python": python,
        "paddle": paddle_version,
        "numpy": numpy_version,
        "d2l": d2l_version,
        "system": f"{platform.system()} {platform.machine()}",
        "device": str(try_gpu()),
        "cores": str(os.cpu_count()),
        "threads": f"{num_threads()} for the fast path, {product_threads()} for each "
        "of Paddle's products (D2L_LSTM_THREADS sets both)",
        "fast path": _fast_path(),
        "chapter": str(CHAPTER),
        "whole book": f"{whole_book}"
        + ("" if whole_book.exists() else " (not there; source='full' downloads it)"),
    }
