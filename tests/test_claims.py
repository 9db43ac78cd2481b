"""Claims: their outcome, how it is shown, and the table of all of them."""

import json
from pathlib import Path

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm import claims
from d2l_lstm.claims import CLAIMS, MIME, VERDICTS, collect, to_markdown


def test_the_texts_stand_in_a_file_with_a_place_for_another_language():
    file = Path(d2l.__file__).with_name("claims.json")
    texts = json.loads(file.read_text(encoding="utf-8"))
    assert {id: text["en"] for id, text in texts.items()} == CLAIMS
    assert list(texts) == sorted(texts) and "C01" in texts
    assert all(text.endswith(".") and text.isprintable() for text in CLAIMS.values())


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (True, "holds"),
        (False, "does not hold"),
        (np.bool_(True), "holds"),
        (np.float64(2) < 1, "does not hold"),
        *((verdict, verdict) for verdict in VERDICTS),
    ],
)
def test_a_verdict_is_a_truth_value_or_one_of_three(verdict, words):
    outcome = d2l.claim("C01", verdict, "measured 1.5")
    assert outcome.verdict == words
    assert repr(outcome).endswith(f"{words.upper()}: measured 1.5")
    assert CLAIMS["C01"] in repr(outcome)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("C99", True, "1.5"), "'C99'"),
        (("c01", True, "1.5"), "'c01'"),
        (("C01", "maybe", "1.5"), "'maybe'"),
        (("C01", "", "1.5"), "verdict is ''"),
        (("C01", None, "1.5"), "None"),
        (("C01", float("nan"), "1.5"), "nan"),
        (("C01", True, ""), "evidence"),
        (("C01", True, " \n"), "evidence"),
    ],
)
def test_a_claim_without_a_verdict_or_evidence_is_refused(arguments, named):
    with pytest.raises(ValueError, match=named) as error:
        d2l.claim(*arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_notebook_shows_text_html_and_facts(verdict):
    bundle = d2l.claim("C04", verdict, "2 < 3")._repr_mimebundle_()
    assert bundle[MIME] == {"id": "C04", "verdict": verdict, "evidence": "2 < 3"}
    assert "2 < 3" in bundle["text/plain"]
    assert verdict in bundle["text/html"] and "C04" in bundle["text/html"]


def test_html_is_escaped():
    shown = d2l.claim("C04", True, "<script>a & b</script>")._repr_html_()
    assert "&lt;script&gt;a &amp; b&lt;/script&gt;" in shown
    assert "<script>" not in shown


def test_each_verdict_has_a_colour_of_its_own():
    shown = {d2l.claim("C04", verdict, "x")._repr_html_()[:60] for verdict in VERDICTS}
    assert len(shown) == 3


def notebook(path, *outcomes):
    """An executed notebook with a printing cell, and a cell for each outcome."""
    printed = {"output_type": "stream", "name": "stdout", "text": "no claim"}
    cells = [
        {"cell_type": "markdown", "source": "# A title", "metadata": {}},
        {"cell_type": "code", "source": "print()", "outputs": [printed]},
        *(
            {
                "cell_type": "code",
                "source": "d2l.claim(...)",
                "outputs": [
                    {
                        "output_type": "execute_result",
                        "data": json.loads(json.dumps(outcome._repr_mimebundle_())),
                    }
                ],
            }
            for outcome in outcomes
        ),
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}), encoding="utf-8")
    return path


@pytest.fixture
def notebooks(tmp_path):
    return [
        notebook(
            tmp_path / "05_gru.ipynb",
            d2l.claim("C09", False, "by 2 %"),
            d2l.claim("C08", "holds with limits", "1.3 × | 7.2 − 7.1"),
        ),
        notebook(tmp_path / "01_data.ipynb"),
        notebook(tmp_path / "02_lstm.ipynb", d2l.claim("C01", True, "exactly")),
    ]


def test_outcomes_are_collected_in_the_order_of_the_claims(notebooks):
    found = collect(notebooks)
    assert [outcome["id"] for outcome in found] == ["C01", "C08", "C09"]
    assert [outcome["notebook"] for outcome in found] == [
        "02_lstm.ipynb",
        "05_gru.ipynb",
        "05_gru.ipynb",
    ]
    assert found[1]["evidence"] == "1.3 × | 7.2 − 7.1"
    assert found[2]["verdict"] == "does not hold"
    assert collect([]) == []


def rows(markdown):
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    return [line.replace("\\|", "¦").strip("|").split("|") for line in table]


def test_the_table_has_a_row_of_five_columns_for_each_outcome(notebooks):
    header, _, *body = rows(to_markdown(collect(notebooks)))
    assert len(header) == 5 and [len(row) for row in body] == [5, 5, 5]
    id, text, verdict, evidence, link = (column.strip() for column in body[1])
    assert (id, text, verdict) == ("C08", CLAIMS["C08"], "**holds with limits**")
    assert evidence == "1.3 × ¦ 7.2 − 7.1"
    assert link == "[05](notebooks/05_gru.ipynb)"


def test_evidence_of_two_lines_stays_in_its_row(tmp_path):
    path = notebook(tmp_path / "05.ipynb", d2l.claim("C08", True, "first\nsecond"))
    _, _, *body = rows(to_markdown(collect([path])))
    assert len(body) == 1 and len(body[0]) == 5
    assert "first" in body[0][3] and "second" in body[0][3]


def test_every_claim_has_a_text_that_ships_with_the_package():
    texts = json.loads(
        Path(claims.__file__).with_name("claims.json").read_text(encoding="utf-8")
    )
    assert list(claims.CLAIMS) == list(texts) == sorted(texts)
    assert all(text["en"].endswith(".") for text in texts.values())
