"""Run notebooks at full length, in place, each in a fresh kernel.

    python tools/execute_notebooks.py [PART_OF_A_NAME ...]

A notebook is replaced only after it has run to its end. What differs from run to run
without meaning is removed, the code that was run is recorded as a hash (so that a test
can tell when a cell was edited and not run again), and so are the minutes it took,
which also go into the line "CPU minutes" of its first cell.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
MINUTES = re.compile(r"(\*\*CPU minutes:\*\* )[\d.]+")


def code_hash(notebook) -> str:
    """SHA-256 of the code cells, in order."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


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


def execute(path: Path) -> float:
    """Run one notebook and put it back with its outputs; return the minutes."""
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
        start = time.monotonic()
        client.execute()
    minutes = round((time.monotonic() - start) / 60, 1)
    _tidy(notebook)
    notebook.metadata["d2l_lstm"] = {"code": code_hash(notebook), "minutes": minutes}
    first = notebook.cells[0]
    first.source = MINUTES.sub(rf"\g<1>{minutes}", first.source)
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    os.replace(part, path)
    return minutes


def main() -> None:
    """Execute all notebooks, or those whose name contains one of the arguments."""
    wanted = [
        path
        for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
        if not sys.argv[1:] or any(part in path.name for part in sys.argv[1:])
    ]
    for path in wanted:
        print(f"{path.name}: {execute(path):.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
