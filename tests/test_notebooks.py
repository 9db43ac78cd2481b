"""The notebooks: executed, clean, true to the package, and able to run again."""

import ast
import json
import re
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from d2l_lstm.claims import collect
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
sys.path.insert(0, str(ROOT / "tools"))
import execute_notebooks  # noqa: E402
from execute_notebooks import code_hash, execute, quote_results  # noqa: E402

# What decides the running time, made small.
SMALL = {
    "01": dict(num_draws=200, num_epochs=2),
    "02": dict(
        num_epochs=6,
        num_hiddens=32,
        num_carry_steps=50,
        num_gate_steps=60,
        num_seeds=2,
        num_epochs_small=2,
        num_places=20,
        num_preds=20,
    ),
    "03": dict(
        num_hiddens=32,
        num_same=2,
        sizes=[8, 16],
        rounds=6,
        num_hiddens_small=16,
        seeds=[3, 4],
        num_epochs=5,
        num_epochs_deep=2,
    ),
    "04": dict(
        num_epochs=20,
        num_seeds=2,
        num_hiddens=12,
        num_nets=2,
        num_clocks=2,
        num_rounds=3,
        num_shapes=3,
    ),
    "05": dict(
        num_hiddens=16,
        num_epochs=10,
        num_seeds=2,
        speed_sizes=[8],
        speed_rounds=6,
        amounts=[3000, 6000],
        amounts_epochs=[3, 2],
        num_hiddens_amounts=16,
    ),
    "06": dict(
        milestones=[1, 2],
        num_loop_prefixes=3,
        num_loop_preds=100,
        num_prefixes=3,
        num_draws=2,
    ),
    "07": dict(
        num_hiddens=16,
        num_seeds=2,
        stages=[0, 1, 2],
        num_epochs_clip=2,
        num_clips=2,
        num_nudges=1,
        tiny_steps=[10, 20],
        task_steps=[10, 20],
        most_steps=50,
        most_seconds=0,
        num_lessons=1,
        num_courses=2,
    ),
    "08": dict(
        num_hiddens=16,
        num_epochs=2,
        num_shapes=2,
        num_seeds=1,
        num_epochs_wrong=2,
        num_updates_wrong=100,
        num_seeds_cut=1,
        stages=[0, 1, 2],
        rounds=2,
    ),
    "09": dict(
        num_hiddens=12,
        num_epochs=10,
        num_untrained=2,
        num_more=1,
        num_places=20,
        farthest=6,
        count_epochs=2,
        num_counters=2,
        count_rates=[4.0],
        most=15,
        num_seeds=2,
        num_hiddens_contest=8,
    ),
    "10": dict(
        num_hiddens=8,
        num_epochs_printed=4,
        num_epochs=3,
        num_series=2,
        num_nets=2,
        num_paths=10,
        num_overfit=2,
        num_epochs_overfit=20,
    ),
    "11": dict(
        lower_hiddens=6,
        upper_hiddens=5,
        num_epochs=1,
        folds=2,
        num_epochs_pixels=1,
        folds_pixels=2,
        num_epochs_text=1,
        folds_text=2,
        num_epochs_scale=2,
        folds_scale=2,
        rates_scale=[0.01, 0.1],
    ),
    "12": dict(
        num_hiddens=8,
        num_epochs=4,
        patience=2,
        num_seeds=2,
        sizes=[4, 16],
        batch_sizes=[8, 64],
        speed_sizes=[8, 32, 64],
        rounds=6,
        target=25.0,
        num_epochs_clip=4,
        num_epochs_schedule=4,
        num_epochs_long=4,
        num_epochs_order=2,
        num_networks=2,
        lengths_order=[10, 12],
        lengths=[10, 50],
        num_resident=100,
        num_epochs_broken=1,
        num_seeds_challenge=2,
        num_epochs_challenge=2,
        orders_challenge=[2],
        discounts_challenge=[0.8],
        rates_challenge=[0.1],
    ),
    "13": dict(
        num_hiddens=8,
        num_epochs=2,
        num_seeds=2,
        rates=[0.01],
        delays=[2, 4],
        num_epochs_text=1,
        num_hiddens_text=8,
        num_seeds_text=2,
        num_long=20,
        seeds_long=2,
        most_steps=25,
        most_seconds=0.1,
    ),
    "14": dict(num_controls=1),
}
CLAIMS = {
    "02": ["C01", "C02", "C03", "C10"],
    "03": ["C04", "C05"],
    "04": ["C06", "C07"],
    "05": ["C08", "C09"],
    "06": ["C11"],
    "07": ["C12", "C13", "C14", "C15", "C16"],
    "08": ["C17", "C18", "C19", "C20"],
    "09": ["C21", "C22", "C23"],
    "10": ["C24", "C25", "C41"],
    "11": ["C26", "C27", "C28"],
    "12": ["C29", "C30", "C31", "C32", "C33", "C34", "C35", "C36"],
    "13": ["C37", "C38", "C42"],
    "14": ["C39", "C40"],
}
MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|work|tmp|usr|opt|Users|mnt|var)/[\w.\-/]+|\b[A-Z]:\\\\?\w"
)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]


def assert_clean(notebook, name):
    for number, cell in enumerate(code_cells(notebook)):
        for output in cell.outputs:
            where = f"{name}, code cell {number}"
            assert output.output_type != "error", f"{where}: {output.get('evalue')}"
            assert output.get("name") != "stderr", f"{where}: {output.text}"
            path = MACHINE_PATH.search(json.dumps(output))
            assert not path, f"{where} shows a path: {path.group()}"


def definitions(source):
    """Top-level definitions of a source without docstrings: name to dump."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for inner in ast.walk(node):
                if isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
                    if ast.get_docstring(inner) is not None:
                        inner.body = inner.body[1:]
            found[node.name] = ast.dump(node)
    return found


def saved_definitions(notebook):
    """Definitions right below a #@save mark."""
    for cell in code_cells(notebook):
        lines = cell.source.split("\n")
        marks = [i for i, line in enumerate(lines) if re.match(r"#\s?@save", line)]
        for mark in marks:
            below = next(i for i in range(mark + 1, len(lines)) if lines[i].strip())
            for name, dump in definitions(cell.source).items():
                if re.match(rf"(def|class) {name}\b", lines[below]):
                    yield name, dump


@each_notebook
def test_outputs_belong_to_the_cells_and_to_one_fresh_run(path):
    notebook = read(path)
    assert notebook.metadata.get("d2l_lstm", {}).get("code") == code_hash(notebook), (
        "a code cell was edited and not run again: make execute"
    )
    counts = [c.execution_count for c in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_numbers_and_findings_in_the_prose_are_those_of_the_run(path):
    assert quote_results(read(path)) == [], "make execute, or write the sentence anew"


def test_executing_puts_numbers_into_the_prose_and_names_what_is_contradicted(
    tmp_path, monkeypatch
):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell("**CPU minutes:** 9"),
        nbformat.v4.new_code_cell(
            "import d2l_lstm as d2l; d2l.result(one=1, two=2)\n"
            "import time\nwhile time.process_time() < 5: pass"
        ),
        nbformat.v4.new_markdown_cell("It is 7<!-- two / one:.1f -->. <!-- if one -->"),
        nbformat.v4.new_markdown_cell("One is more. <!-- if one > two -->"),
    ]
    path = tmp_path / "00_small.ipynb"
    nbformat.write(notebook, path)
    minutes, contradicted = execute(path)
    assert contradicted == ["cell 3: no longer true: one > two."]
    assert (
        read(path).cells[2].source == "It is 2.0<!-- two / one:.1f -->. <!-- if one -->"
    )
    assert (
        0 < minutes < 5 and f"**CPU minutes:** {minutes}" in read(path).cells[0].source
    )


@each_notebook
def test_every_cell_has_an_id_of_its_own(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.parametrize("minor", [4, 5])
@pytest.mark.filterwarnings("ignore:Cell is missing", "ignore:Non-unique")
def test_cells_keep_their_ids_from_one_execution_to_the_next(minor, tmp_path):
    def cell(source, **id):
        code = {"outputs": [], "execution_count": None, "metadata": {}}
        return {"cell_type": "code", "source": source, **code, **id}

    ids = ["the-seed", "cell-7", "cell-7", None] if minor == 5 else [None] * 4
    cells = [
        cell(f"print({i})", **({"id": id} if id else {})) for i, id in enumerate(ids)
    ]
    path = tmp_path / "00_small.ipynb"
    form = {"metadata": {}, "nbformat": 4, "nbformat_minor": minor}
    path.write_text(json.dumps({"cells": cells, **form}), encoding="utf-8")
    execute(path)
    first = [cell["id"] for cell in json.loads(path.read_text())["cells"]]
    assert len(set(first)) == 4
    if minor == 5:
        assert first[:2] == ["the-seed", "cell-7"]
    notebook = read(path)
    assert notebook.cells[3].outputs[0].text == "3\n"
    notebook.cells.insert(1, nbformat.v4.new_code_cell("print('new')", id="new"))
    nbformat.write(notebook, path)
    execute(path)
    second = [cell["id"] for cell in json.loads(path.read_text())["cells"]]
    assert second == [first[0], "new", *first[1:]]


@each_notebook
def test_committed_outputs_have_no_error_warning_or_path(path):
    notebook = read(path)
    assert_clean(notebook, path.name)
    assert "widgets" not in notebook.metadata


@each_notebook
def test_notebook_keeps_its_form(path):
    notebook = read(path)
    first, text = (
        notebook.cells[0].source,
        "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown"),
    )
    assert first.startswith("# ")
    for promise in ("**You will learn**", "**Assumed:**"):
        assert promise in first
    for part in ("## Summary", "## Exercises", "## Further reading"):
        assert part in text
    minutes = notebook.metadata.d2l_lstm.minutes
    assert f"**CPU minutes:** {minutes}" in first
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    longest = max(len(c.source.split("\n")) for c in code_cells(notebook))
    assert longest <= 25


@each_notebook
def test_no_line_of_prose_begins_with_a_mark(path):
    """To Markdown that is the start of a block of HTML, and ends the paragraph."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                assert not line.lstrip().startswith("<!--"), line


@each_notebook
def test_saved_definitions_equal_the_package(path):
    package = {}
    for module in (ROOT / "d2l_lstm").rglob("*.py"):
        package |= definitions(module.read_text(encoding="utf-8"))
    for name, dump in saved_definitions(read(path)):
        assert dump == package.get(name), f"{name} differs from the package's"


def test_save_marks_are_found():
    names = {name for path in NOTEBOOKS for name, _ in saved_definitions(read(path))}
    assert {
        "lstm_step",
        "unroll",
        "RNNModelScratch",
        "gru_step",
        "peephole_step",
    } <= names


@each_notebook
def test_claims_are_where_they_belong(path):
    found = [outcome["id"] for outcome in collect([path])]
    assert found == CLAIMS.get(path.name[:2], [])


@each_notebook
def test_notebook_runs_without_network(path, tmp_path):
    executed = papermill.execute_notebook(
        str(path),
        str(tmp_path / path.name),
        parameters=SMALL[path.name[:2]],
        kernel_name="python3",
        cwd=str(path.parent),
        progress_bar=False,
    )
    assert_clean(executed, path.name)


TRAINED_IN_COLAB = """
shell = get_ipython()  # Colab's class is a subclass of Jupyter's
shell.__class__ = type("Shell", (type(shell),), {})
import d2l_lstm as d2l
corpus, vocab = d2l.load_corpus("the time traveller for so it will be " * 9)
train_iter, valid_iter = d2l.split_corpus(corpus, vocab, 4, 5, 130, 90)
net = d2l.scratch_model("rnn", len(vocab), 4)
d2l.train_ch8(net, train_iter, vocab, 1, 3, prefixes=["time"])
d2l.plot([1, 2])
"""


def test_a_run_leaves_figure_line_and_sample_in_jupyter_and_colab(tmp_path):
    notebook = nbformat.v4.new_notebook()
    jupyter = TRAINED_IN_COLAB.replace('type("Shell"', 'type(shell); ("Shell"')
    assert jupyter != TRAINED_IN_COLAB
    notebook.cells = list(map(nbformat.v4.new_code_cell, (jupyter, TRAINED_IN_COLAB)))
    for cell in NotebookClient(notebook, kernel_name="python3").execute().cells:
        figure, printed, _, plot = cell.outputs
        assert figure.data[
            "text/html" if "text/html" in figure.data else "image/svg+xml"
        ]
        result, sample = printed.text.splitlines()
        assert result.startswith("finished after 3 epochs")
        assert sample.startswith("time") and len(sample) == 54
        assert "image/svg+xml" in plot.data


def test_kernels_have_no_network(tmp_path):
    notebook = nbformat.v4.new_notebook()
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"
    notebook.cells = [nbformat.v4.new_code_cell(code)]
    nbformat.write(notebook, tmp_path / "in.ipynb")
    with pytest.raises(papermill.PapermillExecutionError, match="network"):
        papermill.execute_notebook(
            str(tmp_path / "in.ipynb"),
            str(tmp_path / "out.ipynb"),
            kernel_name="python3",
            progress_bar=False,
        )


def test_docstrings_and_comments_make_no_output_old(tmp_path, monkeypatch):
    monkeypatch.setattr(execute_notebooks, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "d2l_lstm").mkdir()
    module = tmp_path / "d2l_lstm" / "cells.py"
    hashes = []
    for code in ('def f(x):\n    "A."\n    return x', "def f(x): return x  # b"):
        module.write_text(code)
        hashes.append(execute_notebooks.package_hash())
    module.write_text("def f(x): return -x")
    assert hashes[0] == hashes[1] != execute_notebooks.package_hash()


def test_part_one_takes_fifteen_minutes_where_training_02_takes_three_and_a_half():
    """Minutes of processor time, in units of what notebook 02 says of its training.

    That is seconds by the clock; on a busy machine they can be more than was computed,
    but no more than the whole notebook counts.
    """
    part_one = {path.name[:2]: read(path) for path in NOTEBOOKS if path.name < "07"}
    (seconds,) = re.findall(r"(\d+) s on cpu", json.dumps(part_one["02"].cells))
    minutes = {name: n.metadata.d2l_lstm.minutes for name, n in part_one.items()}
    training = min(int(seconds) / 60, minutes["02"])
    assert sum(minutes.values()) <= 15 * training / 3.5


def test_all_notebooks_of_part_one_are_there():
    assert [p.name[:2] for p in NOTEBOOKS][:6] == ["01", "02", "03", "04", "05", "06"]
