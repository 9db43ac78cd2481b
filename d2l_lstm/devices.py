"""Where, with how many cores and in how much memory things are computed."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import os
import platform
import posixpath
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paddle

MOST_THREADS = 1024


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


def _control_groups(controller: str, root: Path) -> Iterator[Path]:
    """Folders of the control groups that this process is in, inmost first.

    Linux limits a container, or one student of a classroom's server, by these groups;
    the limits of a group hold for all groups inside it. A container may see its own
    group under the name that the host has for it, which it cannot look up, or as the
    outmost: what is not there is passed over by who reads.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        path = posixpath.normpath("/" + path.lstrip("/"))
        while path != "/":
            yield mount / path[1:]
            path = posixpath.dirname(path)
        yield mount


def _numbers(*files: Path) -> list[int] | None:
    """The numbers in these files; None without a limit (`max`, -1) or a file."""
    try:
        numbers = [int(word) for file in files for word in file.read_text().split()]
    except (OSError, ValueError):
        return None
    return numbers if min(numbers, default=0) > 0 else None


def num_threads(root: Path = Path("/")) -> int:
    """Cores to compute with: `$D2L_LSTM_THREADS`, or every core we may use.

    The fast path divides a minibatch among so many threads. Unless it is told a number
    these are the cores that the process may run on, or fewer, rounded up, if its
    control groups have a share of them only; divided among the processes that Paddle's
    launcher has started here (`$PADDLE_LOCAL_SIZE`). `$OMP_NUM_THREADS` cannot be
    asked: Paddle sets it to 1 when it is imported.

    Args:
        root: of the file system, where Linux describes the process.

    Raises:
        ValueError: if `$D2L_LSTM_THREADS` is no number from 1 to 1024.
    """
    wanted = os.environ.get("D2L_LSTM_THREADS", "")
    if re.fullmatch("[0-9]{1,4}", wanted) and 1 <= int(wanted) <= MOST_THREADS:
        return int(wanted)
    if wanted:
        raise ValueError(
            f"D2L_LSTM_THREADS is {wanted!r:.60}; it must be a whole number from 1 to "
            f"{MOST_THREADS}."
        )
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    for group in _control_groups("cpu", root):
        share = _numbers(group / "cpu.max") or _numbers(
            group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us"
        )
        if share:
            quota, period = share  # microseconds of all cores in a period
            cores = min(cores, math.ceil(quota / period))
    workers = os.environ.get("PADDLE_LOCAL_SIZE", "")
    if re.fullmatch("[0-9]{1,6}", workers):
        cores = max(1, cores // max(1, int(workers)))
    return cores


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that this process may use, None where the system does not tell (Windows).

    Those are the machine's memory, or what a control group leaves of it.

    Args:
        root: of the file system, where Linux describes the process.
    """
    try:
        page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no such function, name or number
        page = pages = -1
    limits = [page * pages] if pages > 0 else []
    for group in _control_groups("memory", root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += _numbers(group / name) or []
    return min(limits, default=None)


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


def product_threads() -> int:
    """Threads for each of Paddle's matrix products: `$D2L_LSTM_THREADS`, or one.

    A second thread waits in a loop for the first, between products too. Alone on two
    cores it made training with 256 hidden units faster, from scratch by a tenth and the
    concise layer by a quarter (1.4 and 1.8 times with 1,024); with one other busy
    process both ran at less than half the speed of one thread.
    """
    return num_threads() if os.environ.get("D2L_LSTM_THREADS") else 1


def set_product_threads() -> int:
    """Let Paddle's matrix products use `product_threads()` threads, and return that."""
    n = product_threads()
    paddle.base.core.set_num_threads(n)
    return n


@contextmanager
def flush_denormals() -> Iterator[bool]:
    """Let the processor take numbers too small to be written exactly for 0.

    A float32 number between 1e-45 and 1e-38 is *denormal*: it has fewer digits than
    others, and an x86 processor needs many times as long to compute with it. A
    gradient that vanishes passes through them. Here they count as 0, in this thread and
    in threads that begin inside, until the end of the block.

    Yields:
        Whether it does so: on Linux with an x86-64 processor. Elsewhere nothing is
        changed (the processors of Apple need no more time for such numbers).

    Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1,
    section 10.2.3: bits 15 and 6 of the register MXCSR.
    """
    name = ctypes.util.find_library("m")
    able = sys.platform == "linux" and platform.machine() == "x86_64" and name
    if not able:
        yield False
        return
    library, size, place = ctypes.CDLL(name), 32, 28  # of MXCSR in C's fenv_t
    before = ctypes.create_string_buffer(size)
    library.fegetenv(before)
    changed = ctypes.create_string_buffer(before.raw, size)
    register = ctypes.c_uint32.from_buffer(changed, place)
    register.value |= 1 << 15 | 1 << 6
    library.fesetenv(changed)
    try:
        yield True
    finally:
        library.fesetenv(before)


def allocated_memory() -> int:
    """Bytes of Paddle's tensors on the CPU that are there at this moment.

    Paddle counts what it allocates itself. Python's own tools do not see it, and what
    other libraries allocate is not counted here.
    """
    return paddle.base.core.host_memory_stat_current_value("Allocated", 0)


def peak_memory(function) -> int:
    """Bytes that Paddle's tensors on the CPU take at most while a function runs.

    Beyond those that are there before, see `allocated_memory`.

    Args:
        function: called without arguments.
    """
    before = allocated_memory()
    paddle.base.core.host_memory_stat_reset_peak_value("Allocated", 0)
    function()
    return paddle.base.core.host_memory_stat_peak_value("Allocated", 0) - before
