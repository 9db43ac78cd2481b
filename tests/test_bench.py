"""The bench: turns, statistics, busy machines and tables, on made-up measurements."""

import os
import re
import subprocess
import sys
from pathlib import Path

import d2l_lstm
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import bench  # noqa: E402
import races  # noqa: E402
import tasks  # noqa: E402

FOUND = {"value": 2.0, "tokens": 8, "cpu": 2.0, "seconds": 4.0, "longer": 0.5}


def made_up(contestant):
    return FOUND | ({"path": "numba"} if contestant.variant == "fast" else {})


def two_in_a_race():
    return races.predicting("lstm")


@pytest.fixture
def others(monkeypatch):
    """Other programs use a share of one core, as it is set here."""
    share = {"of one core": 0.0}
    monkeypatch.setattr(bench, "with_others", lambda run: (run(), *share.values()))
    return share


def test_contestants_are_measured_in_turns(capsys):
    order = []

    def measure(contestant):
        order.append(contestant.name)
        return {"value": len(order)}

    results = bench.in_turns(two_in_a_race(), 3, measure)
    assert order == ["d2l", "d2l_lstm"] * 3
    assert results["d2l_lstm"] == [{"value": 2}, {"value": 4}, {"value": 6}]
    shown = capsys.readouterr()
    assert shown.out == "" and "lstm, round 3 of 3: d2l_lstm" in shown.err


def test_memory_does_not_vary_and_is_measured_once():
    assert len(bench.in_turns(races.memory(), 5, made_up)["d2l"]) == 1


def test_shown_are_the_median_and_half_of_the_distance_between_quartiles():
    assert races.shown([61_000, 90_000, 63_000, 62_000, 60_000], ",.0f") == (
        "62,000 ± 1,000"
    )
    assert races.shown([1.0, 3.0], ".1f") == "2.0 ± 0.5"
    assert races.shown([0.25], ".0%") == "25%"


def test_ratios_are_of_each_round_and_above_1_where_ours_is_better():
    assert races.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    assert races.ratios([2.0, 9.0], [1.0, 3.0], direction=-1) == [1 / 2, 1 / 3]


def test_a_difference_of_nothing_or_less_has_no_ratio():
    assert races.ratios([-0.01, 0.2], [0.5, 0.5]) == []
    results = {"d2l": [{"value": 0.5}], "d2l_lstm": [{"value": -0.021}]}
    row = races.compared("it", results, ("d2l", None, "d2l_lstm"), ".3f", -1)
    assert row == "| it | 0.500 |  | -0.021 |  |"


@pytest.mark.parametrize(
    ("share", "part", "force", "reason"),
    [
        (0.0, False, False, None),
        (bench.MOST_FOR_OTHERS, False, False, None),
        (0.11, False, False, "11% of one core"),
        (0.11, False, True, None),
        (None, False, False, None),  # not known: only Linux tells
        (0.0, True, True, "a part"),
    ],
)
def test_results_of_a_busy_machine_or_a_part_are_not_kept(share, part, force, reason):
    found = bench.why_not_kept(share, part, force)
    assert found is None if reason is None else reason in found


def test_the_busiest_race_counts():
    assert bench.busiest([0.01, 0.3, 0.02]) == 0.3
    assert bench.busiest([0.01, None]) is None
    assert "other programs during a race: not known." in bench.heading(5, None)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not tell")
def test_time_of_others_is_what_neither_we_nor_idling_used(tmp_path):
    stat = tmp_path / "stat"
    second = os.sysconf("SC_CLK_TCK")
    ticks = [second * n for n in (10_000, 20, 3_000, 777, 77, 4, 5, 600, 99, 9)]
    stat.write_text(f"cpu  {' '.join(map(str, ticks))}\ncpu0 1 2 3\n")
    before = sum(os.times()[:4])
    others = bench.seconds_of_others(stat)
    assert 13_629 - sum(os.times()[:4]) <= others <= 13_629 - before
    assert bench.seconds_of_others(tmp_path / "nothing") is None


def test_results_replace_the_last_ones_only_on_a_quiet_machine(tmp_path, others):
    path = tmp_path / "results.md"
    path.write_text("the last ones")
    some = [two_in_a_race(), races.starting()]
    others["of one core"] = 0.5
    printed = bench.report(some, 2, None, False, path, made_up)
    assert path.read_text() == "the last ones" and "| 2 ± 0 |" in printed
    assert printed.endswith("FORCE=1.") and "at most 50% of one core" in printed
    bench.report(some, 2, "starting", True, path, made_up)
    assert path.read_text() == "the last ones"
    printed = bench.report(some, 2, None, True, path, made_up)
    assert path.read_text(encoding="utf-8") == printed
    others["of one core"] = 0.01
    printed = bench.report(some, 1, None, False, path, made_up)
    assert path.read_text(encoding="utf-8") == printed and "at most 1%" in printed


def test_a_run_that_fails_leaves_the_last_results(tmp_path, others):
    path = tmp_path / "results.md"
    path.write_text("the last ones")

    def measure(contestant):
        if contestant.name == "d2l_lstm":
            raise RuntimeError("measuring d2l_lstm failed")
        return FOUND

    with pytest.raises(RuntimeError, match="d2l_lstm failed"):
        bench.report([two_in_a_race()], 1, None, False, path, measure)
    assert path.read_text() == "the last ones"
    assert os.listdir(tmp_path) == ["results.md"]


def test_an_unknown_race_is_refused_with_the_names_of_all(tmp_path):
    with pytest.raises(SystemExit, match="there are: prediction, lstm"):
        bench.report([two_in_a_race()], 1, "tango", False, tmp_path / "r.md", made_up)


@pytest.mark.parametrize("amd", [False, True])
@pytest.mark.parametrize("torch", [False, True])
def test_tables_show_every_race_in_columns_of_one_number(amd, torch):
    everything = races.races(["rnn", "lstm"], amd, torch)
    results = {race.name: bench.in_turns(race, 2, made_up) for race in everything}
    text = races.tables(results, everything)
    for table in text.split("\n\n"):
        lines = table.split("\n")
        assert len({line.count("|") for line in lines}) == 1
    assert ("not installed" in text) is not torch
    assert ("AMD" in text) is amd
    assert "fast path (numba)" in text and "took 0.5 ± 0.0 s longer" in text
    target = "fast path against d2l.torch, concise"
    ratio = "1.00 ± 0.00" if torch else "not installed"
    assert f"| {target} |  |  |  | {ratio} |" in text


def test_what_is_left_beside_others_is_a_share_of_one_thread_alone():
    results = {
        "alone": [{"tokens": 100, "cpu": 1.0}, {"tokens": 100, "cpu": 2.0}],
        "beside": [{"tokens": 100, "cpu": 2.0}, {"tokens": 100, "cpu": 4.0}],
    }
    (row,) = races.beside_rows("fast", results)
    assert row.startswith("| fast path, tokens per CPU second | 75 ± 12 | 38 ± 6 |")
    assert row.endswith("| 50% ± 0% |")


def test_two_at_once_are_a_share_of_the_better_way():
    speeds = {"one": [10.0, 30.0], "apart": [20.0, 20.0], "two": [20.0, 15.0]}
    results = {
        name: [{"tokens": tokens, "seconds": 1.0} for tokens in found]
        for name, found in speeds.items()
    }
    (row,) = races.at_once_rows("concise", results)
    assert row.endswith("| 75% ± 12% |")  # of 20, then of 30


def test_every_contestant_is_something_that_a_process_can_do():
    everything = races.races(list(d2l_lstm.CELLS), True, True)
    for race in everything:
        for contestant in race.contestants:
            assert contestant.task in tasks.TASKS
    assert {c.name for c in races.starting().contestants} == set(tasks.STARTS)
    assert len({race.name for race in everything}) == len(everything)


def test_pytorch_is_pinned_in_a_file_of_its_own():
    lines = (ROOT / "benchmarks" / "torch.txt").read_text(encoding="utf-8").split("\n")
    (pinned,) = [line for line in lines if line and not line.startswith("#")]
    assert re.fullmatch(r"torch==[\d.]+", pinned)


def run_bench(*arguments):
    command = [sys.executable, str(ROOT / "benchmarks" / "bench.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_one_race_from_end_to_end(tmp_path):
    path = tmp_path / "results.md"
    what = "--rounds", "1", "--only", "prediction, gru_reset_after"
    done = run_bench(*what, "--results", str(path))
    assert done.returncode == 0, done.stderr
    (row,) = re.findall("^.*greedy.*$", done.stdout, re.M)
    assert re.fullmatch(r"\|[^|]*\| [\d,]+ \|  \| [\d,]+ \| [\d.]+ \|", row)
    assert "Not kept: this is only a part." in done.stdout and not path.exists()
    assert "round 1 of 1: d2l_lstm" in done.stderr


def test_a_measurement_that_fails_is_named(capfd):
    unknown = races.Contestant("nobody", "predict", "d2l_lstm", "no such cell")
    with pytest.raises(RuntimeError, match="measuring nobody failed"):
        bench.measure(unknown)
    assert "no such cell" in capfd.readouterr().err
