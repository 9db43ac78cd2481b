"""Answers that are known to be right or wrong, and whether they get the points they
must.

`exercises/answers/<assignment>.py` has sections

    # %% [update_only] other: one product for both
    # %% [update_only] wrong 2/5: the state given is not used
    # says: You started from zeros
    # %% [update_only] circulating 0/5: all gates at 0
    # %% [update_only] survives: tanh(H) → H; because the state is 0 there

each with the content of the whole solution cell. They are run here in this process,
since they are ours; students' answers are run by `isolation`.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from .messages import Now
from .mutants import mutants
from .questions import Exercise, Question, blank, read_exercise
from .running import Outcome, new_namespace, run_cell, run_test

_HEAD = re.compile(
    r"# %% \[(?P<question>\w+)\] (?P<kind>other|wrong|circulating|survives)"
    r"(?: (?P<points>[\d.]+)/(?P<of>[\d.]+))?: (?P<title>.*)$"
)
_SAYS = re.compile(r"# says: (.*)$")
#: Seconds that a test of an answer of ours may take.
SECONDS = 20.0


@dataclass
class Section:
    """One answer of an answers file."""

    question: str
    kind: str
    title: str
    points: float | None = None
    of: float | None = None
    says: list[str] = field(default_factory=list)
    source: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        return f"[{self.question}] {self.kind}: {self.title} (line {self.line})"


def read_sections(path) -> list[Section]:
    """The sections of an answers file.

    Raises:
        ValueError: a line that begins with `# %%` is none, or something stands before
            the first.
    """
    path = Path(path)
    sections: list[Section] = []
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        at = f"{path.name}, line {number}"
        if line.startswith("# %%"):
            found = _HEAD.match(line)
            if not found:
                raise ValueError(f"{at}: {line!r} is no head of a section.")
            points, of = found["points"], found["of"]
            if (points is None) == (found["kind"] in ("wrong", "circulating")):
                raise ValueError(
                    f"{at}: wrong and circulating answers have points, as in "
                    f"'wrong 2/5', and no others: {line!r}."
                )
            sections.append(
                Section(
                    found["question"],
                    found["kind"],
                    found["title"].strip(),
                    None if points is None else float(points),
                    None if of is None else float(of),
                    line=number,
                )
            )
        elif sections and _SAYS.match(line):
            sections[-1].says.append(_SAYS.match(line)[1].strip())
        elif sections:
            sections[-1].source += line + "\n"
        elif line.strip() and not line.startswith(("#", '"""')):
            raise ValueError(f"{at}: {line!r} stands before the first section.")
    for section in sections:
        section.source = section.source.strip("\n")
    return sections


@dataclass
class Trial:
    """What an answer got: points, and what every test said."""

    points: float
    of: float
    cell: Outcome
    tests: dict[str, Outcome]

    @property
    def messages(self) -> list[str]:
        """What its failed tests say, each with all that is shown."""
        return [
            "\n".join([o.sentence, *o.traceback])
            for o in self.tests.values()
            if not o.passed
        ]

    @property
    def seconds(self) -> float:
        return sum(o.seconds for o in self.tests.values())


class Bench:
    """Tries answers to one question, each in a copy of the same namespace.

    Raises:
        ValueError: a set-up cell or the reference of an earlier question does not run.
    """

    def __init__(self, exercise: Exercise, question: Question, seed: int | None = None):
        self.exercise, self.question, self.seed = exercise, question, seed
        self.base = new_namespace()
        for name, source in question.before:
            outcome = run_cell(source, self.base, name)
            if not outcome.passed:
                raise ValueError(
                    f"{exercise.name}, {name}: it does not run before {question.name}. "
                    + "\n".join(outcome.traceback)
                )

    def __call__(
        self, source: str, first_failure: bool = False, seconds: float = SECONDS
    ) -> Trial:
        """Try an answer: the whole text of its solution cell.

        Args:
            first_failure: stop at the first test that does not pass.
        """
        import numpy as np
        import paddle

        random.seed(0)
        np.random.seed(0)
        paddle.seed(0)
        namespace = dict(self.base)
        tests, points = {}, 0.0
        with _environment(D2L_LSTM_SEED=self.seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as where students' answers run
            cell = run_cell(
                source, namespace, self.question.name, "student", seconds, True
            )
            for test in self.question.tests:
                if cell.passed:
                    outcome = run_test(test.source, namespace, test.name, seconds, True)
                else:
                    outcome = cell
                tests[test.name] = outcome
                points += test.points * outcome.passed
                if first_failure and not outcome.passed:
                    break
        Now.cell = None  # no cell is being run any more
        return Trial(points, self.question.points, cell, tests)


@contextlib.contextmanager
def _environment(**values):
    """Environment variables for a while; None leaves one as it is."""
    values = {k: str(v) for k, v in values.items() if v is not None}
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def complaints(section: Section, trial: Trial) -> list[str]:
    """What is not as the section says it must be; empty if all is."""
    found = []
    if section.kind == "other":
        if trial.points != trial.of:
            found.append(
                f"{section.where}: a right answer gets {trial.points:g} of "
                f"{trial.of:g} points: {first_line(trial)}"
            )
        return found
    if section.of != trial.of:
        found.append(
            f"{section.where}: it has {trial.of:g} points, not {section.of:g}."
        )
    if section.points != trial.points:
        found.append(
            f"{section.where}: gets {trial.points:g} points, and must get "
            f"{section.points:g}: {first_line(trial)}"
        )
    for says in section.says:
        if not any(says in message for message in trial.messages):
            heard = " | ".join(m.split("\n")[0] for m in trial.messages)
            found.append(f"{section.where}: no failed test says {says!r}, but: {heard}")
    return found


def first_line(trial: Trial) -> str:
    """The first message of a trial, without what stands below it."""
    lines = [m.split("\n")[0] for m in trial.messages]
    return lines[0] if lines else "all tests pass."


@dataclass
class Report:
    """What came of trying all answers to an exercise."""

    lines: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)
    mutants: int = 0
    answers: int = 0


def try_question(
    exercise: Exercise,
    question: Question,
    sections: list[Section],
    seed: int | None = None,
    with_mutants: bool = True,
) -> Report:
    """Reference, blank, all sections and all mutants of one question."""
    report = Report()
    bench = Bench(exercise, question, seed)
    mine = [s for s in sections if s.question == question.name]
    trial = bench(question.source)
    report.lines.append(
        f"{question.name}: {question.points:g} points, {len(question.tests)} tests, "
        f"{trial.seconds:.2f} s"
    )
    limit = min(5.0, max(0.5, 10 * trial.seconds))  # for a mutant that never ends
    if trial.points != trial.of:
        report.complaints.append(
            f"[{question.name}] the reference gets {trial.points:g} of {trial.of:g}: "
            + "\n".join(trial.messages)
        )
    trial = bench(blank(question.source))
    if trial.points:
        passed = [name for name, o in trial.tests.items() if o.passed]
        report.complaints.append(
            f"[{question.name}] the blank passes {', '.join(passed)}."
        )
    for section in mine:
        if section.kind == "survives":
            continue
        report.answers += 1
        trial = bench(section.source)
        found = complaints(section, trial)
        report.complaints += found
        report.lines.append(
            f"  {'?' if found else ' '} {trial.points:g}/{trial.of:g} {section.kind}: "
            f"{section.title} — {first_line(trial)}"
        )
    listed = {
        s.title.split("; because")[0].strip(): s for s in mine if s.kind == "survives"
    }
    unused = dict(listed)
    for mutant in mutants(question.source) if with_mutants else ():
        report.mutants += 1
        trial = bench(mutant.source, first_failure=True, seconds=limit)
        if trial.points < trial.of and not all(o.passed for o in trial.tests.values()):
            continue
        unused.pop(mutant.title, None)
        if mutant.title in listed:
            continue
        report.survivors.append(f"[{question.name}] line {mutant.line}: {mutant.title}")
        report.lines.append(f"  ! survives: {mutant.title} (line {mutant.line})")
    if with_mutants:
        for title, section in unused.items():
            report.complaints.append(f"{section.where}: no mutant {title!r} survives.")
    for title, section in listed.items():
        if "; because" not in section.title:
            report.complaints.append(f"{section.where}: the reason is missing: {title}")
    return report


def try_answers(
    notebook,
    answers,
    seed: int | None = None,
    with_mutants: bool = True,
    only: str | None = None,
) -> Report:
    """Try all that is known about an exercise.

    Args:
        notebook: the source notebook. answers: its answers file.
        seed: of the random numbers in tests; None draws new ones.
        only: one question.
    """
    exercise, sections = read_exercise(notebook), read_sections(answers)
    total = Report()
    known = {question.name for question in exercise.questions}
    for section in sections:
        if section.question not in known:
            total.complaints.append(f"{section.where}: there is no such question.")
    for question in exercise.questions:
        if only and question.name != only:
            continue
        part = try_question(exercise, question, sections, seed, with_mutants)
        total.lines += part.lines
        total.complaints += part.complaints
        total.survivors += part.survivors
        total.mutants += part.mutants
        total.answers += part.answers
        kinds = [s.kind for s in sections if s.question == question.name]
        wrong = kinds.count("wrong") + kinds.count("circulating")
        if wrong < 4 or "other" not in kinds:
            total.complaints.append(
                f"[{question.name}] has {kinds.count('other')} other and {wrong} wrong "
                "answers; at least 1 and 4 are needed."
            )
    return total
