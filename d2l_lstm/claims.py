"""The claims that the sources make, put to the test in the notebooks.

    d2l.claim("C04", ratio > 1, f"{ratio:.1f} times the tokens per second")

shows a call-out with the claim, the verdict and the measured evidence. A verdict is
computed from the run. `collect` and `to_markdown` gather the call-outs of executed
notebooks into a table, CLAIMS.md.
"""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np

MIME = "application/vnd.d2l-lstm.claim+json"
VERDICTS = ("holds", "holds with limits", "does not hold")

# What is claimed, a text a language; the package shows the English one.
_TEXTS = json.loads(Path(__file__).with_name("claims.json").read_text(encoding="utf-8"))
CLAIMS = {id: texts["en"] for id, texts in _TEXTS.items()}


class Claim:
    """The outcome of one test, as a notebook or a terminal shows it."""

    def __init__(self, id: str, verdict: str, evidence: str):
        self.id, self.verdict, self.evidence = id, verdict, evidence
        self.text = CLAIMS[id]

    def __repr__(self):
        return f"{self.id}. {self.text}\n{self.verdict.upper()}: {self.evidence}"

    def _repr_html_(self):
        colour = dict(zip(VERDICTS, ("#2e7d32", "#b26a00", "#b71c1c")))[self.verdict]
        return (
            f'<div style="border-left: 5px solid {colour}; padding: 0.4em 1em;">'
            f"<b>Claim {self.id}.</b> {html.escape(self.text)}<br>"
            f'<b style="color: {colour}">{self.verdict}</b>: '
            f"{html.escape(self.evidence)}</div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        facts = {"id": self.id, "verdict": self.verdict, "evidence": self.evidence}
        return {
            "text/plain": repr(self),
            "text/html": self._repr_html_(),
            MIME: facts,
        }


def claim(id: str, verdict: bool | str, evidence: str) -> Claim:
    """The outcome of putting a claim to the test; the last value of a cell.

    Args:
        id: of a claim in `CLAIMS`.
        verdict: computed from the run: True for *holds*, False for *does not hold*, or
            one of `VERDICTS`.
        evidence: what was measured, with its numbers.

    Raises:
        ValueError: for an unknown id or verdict, or no evidence.
    """
    if id not in CLAIMS:
        raise ValueError(f"unknown claim {id!r}; there are {', '.join(CLAIMS)}.")
    if isinstance(verdict, (bool, np.bool_)):
        verdict = "holds" if verdict else "does not hold"
    if verdict not in VERDICTS:
        raise ValueError(f"verdict is {verdict!r}; choose one of {VERDICTS}.")
    if not evidence.strip():
        raise ValueError("a verdict needs evidence.")
    return Claim(id, verdict, evidence)


def collect(notebooks) -> list[dict]:
    """The outcomes in executed notebooks: id, verdict, evidence, notebook."""
    found = []
    for path in map(Path, notebooks):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                outcome = output.get("data", {}).get(MIME)
                if outcome:
                    found.append({**outcome, "notebook": path.name})
    return sorted(found, key=lambda outcome: outcome["id"])


def to_markdown(outcomes: list[dict]) -> str:
    """A table of outcomes."""
    lines = [
        "# Claims put to the test",
        "",
        "What the LSTM chapter and other texts on the subject claim, and what the",
        "notebooks here measured. Collected from their outputs by `make claims`.",
        "",
        "| | claim | verdict | evidence | notebook |",
        "|---|---|---|---|---|",
    ]
    for o in outcomes:
        link = f"[{o['notebook'][:2]}](notebooks/{o['notebook']})"
        evidence = " ".join(o["evidence"].split()).replace("|", "\\|")
        verdict = f"**{o['verdict']}**"
        columns = (o["id"], CLAIMS[o["id"]], verdict, evidence, link)
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"
