"""Speed and memory against the installed d2l, in one run: `make bench`.

    python benchmarks/bench.py [--rounds 5] [--only PATTERN] [--force]

The contestants of a race (`races.py`) are measured in turns, A B C A B C ..., each time
in a process of its own (`tasks.py`), so that none inherits another's threads, caches or
imports, and that all meet the same moods of the machine. Prints Markdown. A whole run
also replaces `benchmarks/results.md`, unless other programs kept the machine busy.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from races import Contestant, Race, Results, races, tables

HERE = Path(__file__).parent
# As it was before we import Paddle, which sets OMP_NUM_THREADS, also for children.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "D2L_LSTM_THREADS"}
# What others may use, of one core. Of two cores it is a twentieth, as much as the
# rounds differ by themselves; a machine at rest stays far below it.
MOST_FOR_OTHERS = 0.1
# Keeps a core busy; ends also when the bench is killed.
SPINNER = """
import os
parent = os.getppid()
print("spinning", flush=True)
while os.getppid() == parent:
    sum(range(100000))
"""


def in_turns(race: Race, rounds: int, measure: Callable[[Contestant], dict]) -> Results:
    """What each contestant found, round by round: A B C A B C ..."""
    results = {contestant.name: [] for contestant in race.contestants}
    rounds = 1 if race.once else rounds
    for i in range(rounds):
        for contestant in race.contestants:
            progress = f"{race.name}, round {i + 1} of {rounds}: {contestant.name}"
            print(progress, file=sys.stderr, flush=True)
            results[contestant.name].append(measure(contestant))
    return results


@contextlib.contextmanager
def python(*arguments: str, **options):
    """A Python process that does not outlive the block."""
    process = subprocess.Popen([sys.executable, *arguments], **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(child, contestant: Contestant) -> str:
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"measuring {contestant.name} failed")
    return line


def measure(contestant: Contestant) -> dict:
    """What a contestant finds; of several at once the first, with the `tokens` of all.

    All start at one moment; `seconds` is the time until the last is done.

    Raises:
        RuntimeError: if one fails. It said why on standard error.
    """
    from d2l_lstm.devices import num_threads

    task = contestant.task, contestant.library, contestant.variant
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    threads = contestant.threads
    setting = {"D2L_LSTM_THREADS": str(threads)} if threads else {}
    pipes["env"] = ENVIRONMENT | setting
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                python("-Wignore", str(HERE / "tasks.py"), *task, **pipes)
            )
            for _ in range(contestant.copies)
        ]
        for child in children:
            _line(child, contestant)  # it is ready
        for _ in range(num_threads() if contestant.beside else 0):
            spinner = stack.enter_context(python("-c", SPINNER, stdout=subprocess.PIPE))
            spinner.stdout.readline()  # it spins
        start = time.perf_counter()
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        found = [json.loads(_line(child, contestant)) for child in children]
        seconds = time.perf_counter() - start
    tokens = sum(one.get("tokens", 0) for one in found)
    return found[0] | {"tokens": tokens, "seconds": seconds}


def seconds_of_others(stat: Path = Path("/proc/stat")) -> float | None:
    """CPU seconds of all but this process and its children that have ended.

    With what a hypervisor gave to other machines (steal). None where the system does
    not tell: only Linux does.
    """
    try:
        ticks = [int(word) for word in stat.read_text().split("\n")[0].split()[1:]]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, *interrupts_and_steal = ticks[:8]
    machine = sum((user, nice, system, *interrupts_and_steal))
    return machine / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def with_others(run: Callable[[], Results]) -> tuple[Results, float | None]:
    """What `run` returns, and what others used meanwhile, as a share of one core."""
    others, start = seconds_of_others(), time.perf_counter()
    results = run()
    if others is None:
        return results, None
    used, seconds = seconds_of_others() - others, time.perf_counter() - start
    return results, max(used, 0.0) / seconds


def busiest(shares: list[float | None]) -> float | None:
    """The largest share that others used in a race; None if one is not known."""
    return None if None in shares else max(shares)


def why_not_kept(share: float | None, part: bool, force: bool) -> str | None:
    """Why results do not replace those of an earlier run; None if they do.

    Args:
        share: what others used of one core in the race where they used most.
        part: whether only some races were run.
        force: whether a busy machine does not matter.
    """
    if part:
        return "Not kept: this is only a part."
    if share is not None and share > MOST_FOR_OTHERS and not force:
        return (
            f"Not kept: other programs used {share:.0%} of one core during a race, "
            f"more than {MOST_FOR_OTHERS:.0%}. Run it on a quiet machine, or with "
            "FORCE=1."
        )
    return None


def versions() -> str:
    """Names and versions of Python and of the packages that are compared."""
    names = {n: n for n in ("numpy", "numba", "d2l", "torch")}
    names = {"paddle": "paddlepaddle"} | names
    listed = [f"Python {platform.python_version()}"]
    for name, package in names.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            listed.append(f"{name} {importlib.metadata.version(package)}")
    return ", ".join(listed)


def heading(rounds: int, share: float | None) -> str:
    """On what was measured, and what the numbers of the tables are."""
    from d2l_lstm.provenance import processor

    used = "not known" if share is None else f"at most {share:.0%} of one core"
    return (
        f"{processor()}, {os.cpu_count()} cores; {versions()}. CPU time of other "
        f"programs during a race: {used}.\n\n"
        f"Medians (rounds: {rounds}) ± half of the distance between the quartiles; the "
        "contestants of a row were measured in turns. Ratios and shares are medians of "
        "those of each round. A ratio says how many times better d2l_lstm is than "
        "d2l.paddle, unless its row names others."
    )


def report(
    all_races: list[Race],
    rounds: int,
    only: str | None,
    force: bool,
    path: Path,
    measure: Callable[[Contestant], dict] = measure,
) -> str:
    """Run the races, keep the results in a file if they are good, and return them.

    Args:
        only: a part of the names of the races to run, or a pattern like `*lstm`.
        path: of the file; it is written whole or not at all, and last.
        measure: of a contestant.
    """
    from d2l_lstm.files import write_whole

    chosen = [r for r in all_races if only is None or fnmatch(r.name, f"*{only}*")]
    if not chosen:
        names = "; ".join(race.name for race in all_races)
        raise SystemExit(f"no race is like {only!r}; there are: {names}.")
    results, shares = {}, []
    for race in chosen:
        run = lambda race=race: in_turns(race, rounds, measure)  # noqa: E731
        results[race.name], share = with_others(run)
        shares.append(share)
    share = busiest(shares)
    text = f"{heading(rounds, share)}\n\n{tables(results, chosen)}\n"
    reason = why_not_kept(share, only is not None, force)
    if reason:
        return f"{text}\n{reason}"
    write_whole(path, text.encode())
    return text


def main() -> None:
    """What `make bench` runs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each race")
    parser.add_argument("--only", help="run the races with this in their name")
    parser.add_argument("--force", action="store_true", help="keep a busy run, too")
    parser.add_argument("--results", type=Path, default=HERE / "results.md")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    import d2l_lstm

    cells = [c for c in d2l_lstm.CELLS if not re.fullmatch("peephole_[ifo]+", c)]
    amd = "MKL_DEBUG_CPU_TYPE" in os.environ
    torch = importlib.util.find_spec("torch") is not None
    arguments = options.rounds, options.only, options.force, options.results
    print(report(races(cells, amd, torch), *arguments))


if __name__ == "__main__":
    main()
