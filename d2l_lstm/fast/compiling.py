"""From a cell to the function that computes a piece of a minibatch."""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pooch

from ..files import write_whole
from . import mkl
from .planning import Plan
from .source import Source
from .tracing import NotUnderstoodError, trace_step

BACKENDS = ("numba", "numpy")


@dataclass(frozen=True, eq=False)
class CompiledCell:
    """A cell's step as a function on buffers.

    Attributes:
        plan, source, backend: what it was made of, and with.
        piece: see `source.Source.arguments`.
    """

    plan: Plan
    source: Source
    backend: str
    piece: Callable

    def forget(self) -> bool:
        """Remove what is kept of the compiled code; whether there was anything."""
        compile_cell.cache_clear()
        file = Path(getattr(sys.modules.get(self.piece.__module__), "__file__", ""))
        kept = list(file.parent.glob(f"__pycache__/{file.stem}.*.nb?"))
        for part in kept:
            part.unlink(missing_ok=True)
        return bool(kept)


def available_backends(dtype: str = "float32") -> tuple[str, ...]:
    """Those of 'numba' and 'numpy' that work here, the faster first; perhaps none."""
    if mkl.load(dtype) is None:
        return ()
    has_numba = importlib.util.find_spec("numba") is not None
    return BACKENDS if has_numba else BACKENDS[1:]


def _from_outside(step) -> str | None:
    """The name of something that a step reads and that is no function or module."""
    code = getattr(step, "__code__", None)
    if code is None:
        return repr(step)
    found = {n: step.__globals__[n] for n in code.co_names if n in step.__globals__}
    cells = step.__closure__ or ()
    found |= {n: cell.cell_contents for n, cell in zip(code.co_freevars, cells)}
    plain = [
        n for n, v in found.items() if not (callable(v) or isinstance(v, ModuleType))
    ]
    return plain[0] if plain else None


@functools.lru_cache
def is_understood(cell) -> bool:
    """Whether `cell_plan` has no objection to a cell's step."""
    try:
        cell_plan(cell)
    except NotUnderstoodError:
        return False
    return True


def cell_plan(cell) -> Plan:
    """The plan of a cell's step.

    Raises:
        NotUnderstoodError: if its step or its parameters are of another kind than the
            fast path has code for.
    """
    names = cell.param_names[:-2]
    for name in (*names, *cell.state_names):
        if not f"_{name}".isidentifier():
            raise NotUnderstoodError(f"the name {name!r}")
    if name := _from_outside(cell.step):
        raise NotUnderstoodError(f"{name} from outside, which may change")
    plan = Plan(trace_step(cell.step, names, cell.state_names), cell.state_names)
    matrices = {v.args[1].name: v for v in plan.values if v.op == "product"}
    for name in names:
        if name in matrices:
            rows = "d" if plan.is_lookup(matrices[name]) else "h"
            if cell.shape(name, "d", "h", "q") != (rows, "h"):
                raise NotUnderstoodError(f"{name} in a product with another shape")
        elif name not in plan.vectors:
            raise NotUnderstoodError(f"{name}, which the step does not use")
    return plan


@functools.lru_cache
def compile_cell(cell, backend: str, dtype: str) -> CompiledCell:
    """The function for a cell, with 'numba' or 'numpy', for float32 or float64.

    Raises:
        NotUnderstoodError: see `cell_plan`.
    """
    plan = cell_plan(cell)
    source = Source(plan, backend, dtype)
    return CompiledCell(plan, source, backend, _imported(source.text, backend).piece)


def _imported(text: str, backend: str) -> ModuleType:
    """The module of a text.

    For numba it is a file in the user's cache folder, since numba keeps by file what it
    has compiled; its name depends on all that the compiled code is made of. Where no
    such file can be written, it is compiled anew in each process.
    """
    module = ModuleType(f"piece_{hashlib.sha256(text.encode()).hexdigest()[:16]}")
    if backend == "numba":
        import llvmlite
        import numba

        names = "with_numba.py", "with_numpy.py", "mkl.py"
        kernels = b"".join(Path(__file__).with_name(n).read_bytes() for n in names)
        made_of = [text, sys.version, numba.__version__, llvmlite.__version__]
        digest = hashlib.sha256("\0".join(made_of).encode() + kernels).hexdigest()
        try:
            file = _written(f"piece_{digest[:16]}.py", text.encode())
        except ValueError:  # no home, a full disk, a folder of somebody else's
            folder = tempfile.mkdtemp(prefix="d2l-lstm-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            file = Path(folder, "piece.py")
            file.write_bytes(text.encode())
        spec = importlib.util.spec_from_file_location(module.__name__, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[module.__name__] = module  # where its compiled code looks for it
        spec.loader.exec_module(module)
    else:
        exec(compile(text, "<piece>", "exec"), module.__dict__)
    return module


def _written(name: str, content: bytes) -> Path:
    file = Path(pooch.os_cache("d2l-lstm"), "compiled", name)
    if not file.exists() or file.read_bytes() != content:
        write_whole(file, content)
    return file
