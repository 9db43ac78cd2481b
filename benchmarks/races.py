"""Who is measured against whom in `bench.py`, and the tables of what comes out."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

COLUMNS = ("d2l.paddle", "d2l.torch", "d2l_lstm", "ratio")
PER_CPU = ("one thread, quiet", "every core kept busy", "share")
AT_ONCE = ("one, every core", "two, one thread each", "two as they come", "share")
PRODUCTS = {"scratch": "from scratch", "concise": "concise", "fast": "fast path"}
BEYOND = "seconds beyond importing Paddle"
OUR_SETTING = "the same, with our setting for AMD processors given to d2l"


@dataclass(frozen=True)
class Contestant:
    """What is measured, in a process of its own.

    Attributes:
        name: in the results of its race.
        task, library, variant: see `tasks.py`.
        threads: `D2L_LSTM_THREADS`; None leaves it open.
        copies: how many processes do it at the same time.
        beside: whether other processes keep every core busy meanwhile.
    """

    name: str
    task: str
    library: str
    variant: str = "-"
    threads: int | None = None
    copies: int = 1
    beside: bool = False


Results = dict[str, list[dict]]  # of a contestant's name: what it found, by round


@dataclass(frozen=True)
class Race:
    """Contestants that are measured in turns.

    Attributes:
        name: what `--only` looks for.
        contestants: in their order.
        columns: of the table that its rows belong to.
        rows: of the results.
        once: whether one round says it all, as for memory.
    """

    name: str
    contestants: list[Contestant]
    columns: tuple[str, ...]
    rows: Callable[[Results], list[str]]
    once: bool = False


def shown(values: list[float], form: str) -> str:
    """The median, ± half of the distance between the quartiles."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} ± {(high - low) / 2:{form}}"


def ratios(ours: list[float], theirs: list[float], direction: int = 1) -> list[float]:
    """How many times better ours is, round by round; none if that has no meaning.

    The two of a round saw the machine at nearly the same time: what slows both leaves
    their ratio as it is. A difference of two times may be nothing, or less.

    Args:
        direction: 1 where more is better, -1 where less is.
    """
    if min(*ours, *theirs) <= 0:
        return []
    return [(our / their) ** direction for our, their in zip(ours, theirs)]


def row(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def compared(label, results, names, form=",.0f", direction=1) -> str:
    """A row: d2l.paddle, d2l.torch, ours, and how many times better ours is.

    Args:
        names: of three contestants; None is an empty cell. Who is not among the
            results is not installed.
    """
    columns = [[one["value"] for one in results.get(name, [])] for name in names]
    cells = [
        shown(values, form) if values else "not installed" if name else ""
        for name, values in zip(names, columns)
    ]
    book, _, ours = columns
    found = ratios(ours, book, direction) if book and ours else []
    return row(label, *cells, shown(found, ".2f") if found else "")


def target(label: str, results: Results, theirs: str) -> str:
    """A row with only the ratio of our fast path to another contestant."""
    if theirs not in results:
        return row(label, "", "", "", "not installed")
    sides = [[one["value"] for one in results[name]] for name in ("fast", theirs)]
    return row(label, "", "", "", shown(ratios(*sides), ".2f"))


def training_rows(results: Results) -> list[str]:
    """Tokens per second of all trainings, and the two ratios to reach."""
    rows = []
    for variant, label in (("scratch", "from scratch"), ("concise", "concise")):
        names = f"d2l {variant}", f"torch {variant}", variant
        rows.append(compared(f"training {label}, tokens/s", results, names))
        if f"set {variant}" in results:
            names = f"set {variant}", None, variant
            rows.append(compared(f"{label}, {OUR_SETTING}", results, names))
    path = "/".join(sorted({one["path"] for one in results["fast"]}))
    for name, how in (
        ("fast", f"fast path ({path})"),
        ("traced", "traced, one thread"),
    ):
        longer = shown([one["longer"] for one in results[name]], ".1f")
        label = (
            f"training from scratch, {how}, tokens/s, after a first epoch that took "
            f"{longer} s longer"
        )
        rows.append(compared(label, results, (None, None, name)))
    return [
        *rows,
        target("fast path against d2l.torch, concise", results, "torch concise"),
        target("fast path against d2l.paddle, from scratch", results, "d2l scratch"),
        *(
            [target(f"and against it, {OUR_SETTING}", results, "set scratch")]
            if "set scratch" in results
            else []
        ),
    ]


def training(amd: bool, torch: bool) -> Race:
    """The chapter's LSTM, by everybody.

    Args:
        amd: whether to give d2l our setting for AMD processors too.
        torch: whether PyTorch is installed.
    """
    libraries = {"d2l ": "d2l"} | ({"torch ": "torch"} if torch else {})
    libraries |= {"": "d2l_lstm"} | ({"set ": "d2l, our setting"} if amd else {})
    runners = [
        Contestant(prefix + variant, "train", library, variant)
        for variant in ("scratch", "concise")
        for prefix, library in libraries.items()
    ]
    runners.append(Contestant("fast", "train", "d2l_lstm", "fast"))
    runners.append(Contestant("traced", "train", "d2l_lstm", "traced", threads=1))
    return Race("training", runners, COLUMNS, training_rows)


def against_d2l(name, label, task, variant, form=",.0f", direction=1, once=False):
    """One task, by the book's library and by ours; a race with one row."""

    def rows(results):
        names = "d2l", None, "d2l_lstm"
        return [compared(label, results, names, form, direction)]

    libraries = "d2l", "d2l_lstm"
    runners = [Contestant(library, task, library, variant) for library in libraries]
    return Race(name, runners, COLUMNS, rows, once)


def predicting(cell: str) -> Race:
    """Greedy prediction with a cell from scratch."""
    label = f"greedy prediction, {cell}, characters/s"
    return against_d2l(f"prediction, {cell}", label, "predict", cell)


def loading() -> Race:
    """From a text to numbers."""
    label = "loading 10 MB of text, seconds"
    return against_d2l("loading", label, "load", "seconds", ".3f", -1)


def memory() -> Race:
    """Of loading; tracing it takes much longer than the loading."""
    label = "loading 10 MB of text, peak memory beyond the text, bytes per character"
    return against_d2l("memory", label, "load", "memory", ".1f", -1, once=True)


def starting_rows(results: Results) -> list[str]:
    """Seconds of a fresh Python beyond those that the same round had for Paddle."""
    beyond = {
        name: [
            {"value": one["value"] - paddle["value"]}
            for one, paddle in zip(found, results["paddle"])
        ]
        for name, found in results.items()
    }
    packages, command = ("d2l", None, "d2l_lstm"), (None, None, "command")
    return [
        compared(f"importing the package, {BEYOND}", beyond, packages, ".3f", -1),
        compared(f"`d2l-lstm predict`, {BEYOND}", beyond, command, ".3f", -1),
    ]


def starting() -> Race:
    """Fresh Pythons."""
    names = "paddle", "d2l", "d2l_lstm", "command"
    runners = [Contestant(name, "start", name) for name in names]
    return Race("starting", runners, COLUMNS, starting_rows)


def beside_rows(variant: str, results: Results) -> list[str]:
    """Tokens per CPU second, alone and beside others, and the share that is left."""
    alone, beside = (
        [one["tokens"] / one["cpu"] for one in results[name]]
        for name in ("alone", "beside")
    )
    cells = shown(alone, ",.0f"), shown(beside, ",.0f")
    share = shown(ratios(beside, alone), ".0%")
    return [row(f"{PRODUCTS[variant]}, tokens per CPU second", *cells, share)]


def beside_others(variant: str) -> Race:
    """One thread on a quiet machine; and as it comes, where every core is busy."""
    runners = [
        Contestant("alone", "train", "d2l_lstm", variant, threads=1),
        Contestant("beside", "train", "d2l_lstm", variant, beside=True),
    ]
    rows = partial(beside_rows, variant)
    return Race(f"beside others, {variant}", runners, PER_CPU, rows)


def at_once_rows(variant: str, results: Results) -> list[str]:
    """Tokens per second of all processes together, and the share of the better way."""
    one, apart, two = (
        [found["tokens"] / found["seconds"] for found in results[name]]
        for name in ("one", "apart", "two")
    )
    cells = [shown(speeds, ",.0f") for speeds in (one, apart, two)]
    share = shown(ratios(two, list(map(max, one, apart))), ".0%")
    return [row(f"{PRODUCTS[variant]}, tokens/s together", *cells, share)]


def at_once(variant: str) -> Race:
    """One training on every core, and two at the same time."""
    what = "train", "d2l_lstm", variant
    runners = [
        Contestant("one", *what),
        Contestant("apart", *what, threads=1, copies=2),
        Contestant("two", *what, copies=2),
    ]
    return Race(f"at once, {variant}", runners, AT_ONCE, partial(at_once_rows, variant))


def races(cells: list[str], amd: bool, torch: bool) -> list[Race]:
    """All of them; for `amd` and `torch` see `training`."""
    return [
        training(amd, torch),
        *map(predicting, cells),
        loading(),
        memory(),
        starting(),
        *map(beside_others, PRODUCTS),
        *map(at_once, PRODUCTS),
    ]


def tables(results: dict[str, Results], all_races: list[Race]) -> str:
    """Markdown of the races that have results, a table for each kind of columns."""
    found = {}
    for race in all_races:
        if race.name in results:
            found.setdefault(race.columns, []).extend(race.rows(results[race.name]))
    return "\n\n".join(
        "\n".join([row("", *columns), "|---" * (len(columns) + 1) + "|", *rows])
        for columns, rows in found.items()
    )
