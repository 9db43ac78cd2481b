"""Run notebooks at full length, in place, each in a fresh kernel.

    python tools/execute_notebooks.py [PART_OF_A_NAME ...] [--stale]

A notebook is replaced only after it has run to its end. What differs from run to run
without meaning is removed. The code that was run is recorded as a hash, so that a test
can tell when a cell was edited and not run again, and so is the package's, so that
`--stale` can run only what may no longer be true. So are the minutes of processor time
that it took, which also go into the line "CPU minutes" of its first cell. Numbers of
the run that the prose quotes (see `d2l_lstm.results`) are put in; a sentence that the
run contradicts is named, and the command fails: somebody has to write it anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from d2l_lstm.provenance import code_hash as hash_of_files
from d2l_lstm.results import problems, quoted, results_of
from nbclient import NotebookClient
from tqdm import tqdm

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
# Modules that no output of a notebook depends on.
_SAYS_NOTHING = ("cli", "environment", "download", "parallel", "corpora", "__main__")
MINUTES = re.compile(r"(\*\*CPU minutes:\*\* )[\d.]+")


def code_hash(notebook) -> str:
    """SHA-256 of the code cells, in order."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def package_hash() -> str:
    """SHA-256 of the package's code, docstrings and comments left out."""
    files = sorted((NOTEBOOKS.parent / "d2l_lstm").rglob("*.py"))
    return hash_of_files(f for f in files if f.stem not in _SAYS_NOTHING)


def is_stale(path: Path) -> bool:
    """Whether the notebook or the package computes something else since it ran."""
    notebook = nbformat.read(path, as_version=4)
    ran = notebook.metadata.get("d2l_lstm", {})
    now = {"code": code_hash(notebook), "package": package_hash()}
    return any(ran.get(what) != value for what, value in now.items())


def _tidy(notebook) -> None:
    """Remove what says nothing about the content: times and widget states."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", []):  # a widget without a kernel: its text
            output.get("data", {}).pop(WIDGET, None)


def processor_seconds() -> float:
    """Processor time of all ended processes that this one has started.

    Where the system does not keep it (Windows), the time of the clock.
    """
    if sys.platform == "win32":
        return time.monotonic()
    times = os.times()
    return times.children_user + times.children_system


def quote_results(notebook) -> list[str]:
    """Put the run's numbers into the prose; return what it contradicts."""
    results, contradicted = results_of(notebook), []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = quoted(cell.source, results)
            found = problems(cell.source, results)
            contradicted += [f"cell {number}: {problem}" for problem in found]
    return contradicted


def execute(path: Path) -> tuple[float, list[str]]:
    """Run one notebook and put it back with its outputs.

    Returns:
        The minutes of processor time, and what the run contradicts in the prose.
    """
    notebook = nbformat.v4.upgrade(nbformat.read(path, as_version=4))
    # A cell keeps its id; one that has none, or another cell's, gets a new one.
    _, notebook = nbformat.validator.normalize(notebook)
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": NOTEBOOKS}},
    )
    code = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=code, desc=path.stem, unit="cell", leave=False) as bar:
        client.on_cell_executed = lambda **_: bar.update()
        start = processor_seconds()
        client.execute()
    minutes = round((processor_seconds() - start) / 60, 1)
    contradicted = quote_results(notebook)
    _tidy(notebook)
    notebook.metadata["d2l_lstm"] = {
        "code": code_hash(notebook),
        "package": package_hash(),
        "minutes": minutes,
    }
    first = notebook.cells[0]
    first.source = MINUTES.sub(rf"\g<1>{minutes}", first.source)
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    os.replace(part, path)
    return minutes, contradicted


def main() -> None:
    """Execute all notebooks, or those whose name contains one of the arguments."""
    parts = [argument for argument in sys.argv[1:] if argument != "--stale"]
    wanted = [
        path
        for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
        if not parts or any(part in path.name for part in parts)
    ]
    if "--stale" in sys.argv:
        wanted = [path for path in wanted if is_stale(path)]
    failed = False
    for path in wanted:
        minutes, contradicted = execute(path)
        print(
            f"{path.name}: {minutes:.1f} minutes", *contradicted, sep="\n  ", flush=True
        )
        failed = failed or bool(contradicted)
    sys.exit(failed)


if __name__ == "__main__":
    main()
