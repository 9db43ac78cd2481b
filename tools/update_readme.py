"""Put what was measured where readers look: READMEs, CLAIMS.md, docs/lstm.svg.

    python tools/update_readme.py

Everything comes from executed notebooks, from `make bench` and from the pretrained
checkpoint. The text between `<!-- NAME -->` and `<!-- /NAME -->` is replaced.
"""

from __future__ import annotations

import re
from pathlib import Path

import d2l_lstm
import matplotlib
import nbformat
from d2l_lstm.claims import collect, to_markdown
from d2l_lstm.cli import PREFIXES, PRETRAINED
from d2l_lstm.drawing import draw_lstm
from matplotlib import pyplot as plt

ROOT = Path(__file__).parent.parent
TRAINED = re.compile(
    r"perplexity [\d.]+, validation [\d.]+ \(best [\d.]+ at epoch \d+\)"
)


def notebook_table() -> str:
    """One row a notebook: title, minutes, what its run reached."""
    rows = ["| notebook | minutes | what it reaches |", "|---|---|---|"]
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        title = notebook.cells[0].source.split("\n")[0].removeprefix("# ")
        printed = [
            output.text
            for cell in notebook.cells
            for output in cell.get("outputs", [])
            if output.get("name") == "stdout"
        ]
        found = TRAINED.search("\n".join(printed))
        reaches = ["training " + found.group()] if found else []
        reaches += [f"{o['id']} {o['verdict']}" for o in collect([path])]
        link = f"[{path.name[:2]} {title}](notebooks/{path.name})"
        minutes = notebook.metadata.d2l_lstm.minutes
        rows.append(f"| {link} | {minutes} | {'; '.join(reaches) or 'data'} |")
    return "\n".join(rows)


def pretrained_table() -> str:
    """What the pretrained checkpoint says that it reaches."""
    saved = d2l_lstm.load_checkpoint(PRETRAINED)
    history, made_with = d2l_lstm.History(**saved.history), saved.versions
    versions = f"Paddle {made_with['paddle']}, Python {made_with['python']}"
    rows = [
        "| | |",
        "|---|---|",
        f"| epochs | {len(history.epochs)} |",
        f"| perplexity of the last epoch | {history.train_perplexity[-1]:.2f} |",
        f"| on the next 5,000 characters | {history.valid_perplexity[-1]:.1f} |",
        f"| best on those | {history.best_valid_perplexity:.2f}, at epoch "
        f"{history.best_epoch} |",
        f"| made with | {versions} |",
    ]
    return "\n".join(rows)


def predictions_table() -> str:
    """How the pretrained checkpoint continues five prefixes, on this machine."""
    saved = d2l_lstm.load_checkpoint(PRETRAINED)
    rows = ["| prefix | greedy prediction |", "|---|---|"]
    for prefix in PREFIXES:
        text = d2l_lstm.predict_ch8(prefix, 40, saved.net, saved.vocab)
        rows.append(f"| `{prefix}` | `{text}` |")
    return "\n".join(rows)


def picture(path: Path) -> None:
    """The cell, and how it learns."""
    matplotlib.rcParams["svg.hashsalt"] = "d2l-lstm"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), width_ratios=(1.5, 1))
    draw_lstm(axes=left)
    saved = d2l_lstm.load_checkpoint(PRETRAINED)
    d2l_lstm.plot_history(d2l_lstm.History(**saved.history), axes=right)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def replaced(text: str, name: str, content: str) -> str:
    """The text with new content between the two marks of a name."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, rest = text.split(start)
    return f"{before}{start}\n{content}\n{end}{rest.split(end)[1]}"


def updated() -> dict[Path, str]:
    """The documents as they should be, on every machine.

    The predictions in `data/README.md` are left as they stand: two scores that are
    nearly equal are rounded differently by another processor, and one other character
    changes all that follow it.
    """
    readme, data = ROOT / "README.md", ROOT / "data" / "README.md"
    bench = (ROOT / "benchmarks" / "results.md").read_text(encoding="utf-8").strip()
    notebooks = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    text = replaced(readme.read_text(encoding="utf-8"), "notebooks", notebook_table())
    return {
        ROOT / "CLAIMS.md": to_markdown(collect(notebooks)),
        readme: replaced(text, "bench", bench),
        data: replaced(
            data.read_text(encoding="utf-8"), "pretrained", pretrained_table()
        ),
    }


if __name__ == "__main__":
    for path, text in updated().items():
        if path.parent.name == "data":
            text = replaced(text, "predictions", predictions_table())
        path.write_text(text, encoding="utf-8")
    picture(ROOT / "docs" / "lstm.svg")
