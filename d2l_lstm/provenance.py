"""What a result was made with: the code, the versions, the processor."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import platform
import re
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).parent
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def code_hash(files: Iterable[Path]) -> str:
    """SHA-256 of Python files, without their docstrings and comments.

    It changes with what the code computes, and not with what is said about it.

    Args:
        files: in an order that is always the same.
    """
    digest = hashlib.sha256()
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        digest.update(f"{path.name} {ast.dump(tree)}".encode())
    return digest.hexdigest()


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The name of the processor, as far as the system knows it."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.M)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of Python, Paddle and NumPy, and the processor's name."""
    import numpy
    import paddle

    return {
        "Python": platform.python_version(),
        "Paddle": paddle.__version__,
        "NumPy": numpy.__version__,
        "processor": processor(),
    }
