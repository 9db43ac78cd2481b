"""Where and with how many cores things are computed: the one place that decides."""

from __future__ import annotations

import os
from pathlib import Path

import paddle


def try_gpu(i: int = 0):
    """GPU number `i` if there is one, else the CPU. Source: d2l, "GPUs"."""
    if paddle.device.cuda.device_count() > i:
        return paddle.CUDAPlace(i)
    return paddle.CPUPlace()


def to_device(tensor, device):
    """The tensor on a device; the same tensor if it is there or `device` is None."""
    if device is None or str(tensor.place) == str(device):
        return tensor
    return tensor.to(device)


def num_threads() -> int:
    """Threads for matrix products: `$D2L_LSTM_THREADS`, or every core we may use.

    `$OMP_NUM_THREADS` cannot be asked: Paddle sets it to 1 when it is imported.
    """
    wanted = os.environ.get("D2L_LSTM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_amd_with_avx2() -> bool:
    try:
        cpu = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux: leave things as they are
        return False
    return "AuthenticAMD" in cpu and " avx2 " in cpu


# The MKL of 2019 that Paddle carries takes a slow path on AMD processors unless it is
# told to use AVX2, and it looks at that only before the first matrix product of the
# process. So this has to happen when the package is imported.
if _is_amd_with_avx2():
    os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")


def use_all_cores() -> int:
    """Let Paddle's matrix products use `num_threads()` threads; it starts with one.

    Returns:
        The number of threads.
    """
    n = num_threads()
    paddle.base.core.set_num_threads(n)
    return n


def environment_report() -> dict[str, str]:
    """What a bug report needs: versions, device, cores, threads, where data comes from.

    A value that begins with `! ` names something known not to work.
    """
    import importlib.metadata
    import platform

    import numpy

    from . import __version__
    from .download import FILE_NAME, data_folder
    from .text import CHAPTER

    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

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
    d2l_version = version("d2l") or (
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
        "threads": f"{use_all_cores()} for matrix products (D2L_LSTM_THREADS sets it)",
        "chapter": str(CHAPTER),
        "whole book": f"{whole_book}"
        + ("" if whole_book.exists() else " (not there; source='full' downloads it)"),
    }
