"""The command line, as a person and as a program use it."""

import inspect
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, replace

import d2l_lstm as d2l
import numpy as np
import pytest
from d2l_lstm import cli
from d2l_lstm.recipes import RECIPES, run_recipe

CHINESE = "时间旅行者对我们讲解一个深奥的问题。他的灰色眼睛闪闪发光，面色红润而生动。\n"
SMALL = ["--hidden", "8", "--epochs", "2"]
TOY = ["--batch-size", "4", "--num-steps", "5"]


def command(*arguments, stdin=None, **environment):
    """Run the command as a process; its output in bytes."""
    return subprocess.run(
        [sys.executable, "-m", "d2l_lstm_command", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process: exit status, standard output, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["d2l-lstm", *map(str, arguments)])
        capsys.readouterr()
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            warnings.simplefilter("default")
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def trained(folder):
    """Trained on the embedded text, by the command: its result and its file."""
    file = folder / "time machine.safetensors"
    done = command("train", *SMALL, "-c", file)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(), file


@pytest.fixture(scope="session")
def chinese(folder):
    """A Chinese text, and the file of a model trained on it."""
    text = folder / "时间.txt"
    text.write_text(CHINESE * 15, encoding="utf-8")
    file = folder / "时间.safetensors"
    done = command(
        "train", "-t", text, "-c", file, *SMALL, *TOY, PYTHONIOENCODING="cp1252"
    )
    assert done.returncode == 0, done.stderr.decode()
    return text, file, done


def check_refused(result, *named):
    """One line on standard error, exit status 2; returns the standard output."""
    status, out, err = result
    assert status == 2 and "Traceback" not in err
    shown = [line.rsplit("\r", 1)[-1] for line in err.removesuffix("\n").split("\n")]
    lines = [line for line in shown if line.strip("\x1b[A ")]
    assert len(lines) == 1 and lines[0].startswith("d2l-lstm: "), err
    assert all(word in lines[0] for word in named), err
    return out


# --------------------------------------------------------------------------------------
# Training


def test_training_says_what_it_does_and_what_to_do_next(trained):
    out, file = trained
    assert out.startswith("lstm, 8 hidden units, ") and "10,000 characters" in out
    assert "finished after 2 epochs" in out and "perplexity" in out
    assert out.count("\ntime traveller") == 1 and "\nthe time machine" in out
    assert f"Saved in {file}" in out and "d2l-lstm predict" in out
    assert d2l.load_checkpoint(file).history["epochs"] == [1, 2]


def test_a_chinese_text_is_a_corpus(chinese):
    text, file, done = chinese
    saved = d2l.load_checkpoint(file)
    assert set(saved.vocab.idx_to_token[1:]) == set(CHINESE.strip() + " ")
    assert saved.vocab.normalization == "unicode"
    assert saved.metadata["text"] == text.name
    assert "时间" in done.stdout.decode("utf-8")  # whatever the console's encoding


def test_the_same_seed_trains_the_same_model(run, folder, trained):
    weights = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        status, _, err = run("train", *SMALL, "-c", folder / name, "--seed", seed)
        assert status == 0, err
        net = d2l.load_checkpoint(folder / name).net
        weights.append([p.numpy().tobytes() for p in net.params])
    assert weights[0] == weights[1] != weights[2]


def test_a_run_is_resumed(run, chinese, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = ["train", "-t", chinese[0], *TOY, "--hidden", "8"]
    assert run(*options, "--epochs", "4", "-c", whole)[0] == 0
    assert run(*options, "--epochs", "2", "-c", parts)[0] == 0
    status, out, _ = run(*options, "--epochs", "4", "-c", parts, "--resume")
    assert status == 0 and "finished after 4 epochs" in out
    one, other = (d2l.load_checkpoint(path).net.params for path in (whole, parts))
    assert [p.numpy().tobytes() for p in one] == [p.numpy().tobytes() for p in other]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru_reset_after"])
def test_concise_trains_the_layer_of_paddle(run, chinese, tmp_path, cell):
    options = ["--cell", cell, "--concise", *SMALL, *TOY]
    status, out, err = run("train", "-t", chinese[0], "-c", tmp_path / "c", *options)
    assert status == 0, err
    assert isinstance(d2l.load_checkpoint(tmp_path / "c").net, d2l.RNNModel)


def test_a_text_of_a_few_lines_is_a_corpus(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(CHINESE * 6, encoding="utf-8")
    status, out, err = run("train", "-t", text, "-c", tmp_path / "c", *SMALL, *TOY)
    assert status == 0, err
    assert "Saved in" in out


def test_another_cell_and_normalization_are_used(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("The Time, Traveller! " * 30, encoding="utf-8")
    options = ["--cell", "peephole_cifg", "--normalize", "none", *SMALL, *TOY]
    status, out, err = run("train", "-t", text, "-c", tmp_path / "c", *options)
    assert status == 0, err
    saved = d2l.load_checkpoint(tmp_path / "c")
    assert d2l.cell_name(saved.net) == "peephole_cifg" and "T" in saved.vocab
    assert saved.vocab.normalization == "none"


def test_words_may_be_the_tokens_without_a_network(run, tmp_path):
    options = ["--token", "word", "--hidden", "4", "--epochs", "1", *TOY]
    status, out, err = run("train", "-c", tmp_path / "c", *options)
    assert status == 0, err
    assert "words to train on" in out and "time traveller" in out
    status, out, err = run("predict", "-c", tmp_path / "c", "-p", "The Time", "-n", 3)
    assert (status, err) == (0, "")
    words = out.split()
    assert words[:2] == ["the", "time"] and len(words) == 5
    _, out, _ = run("evaluate", "-c", tmp_path / "c")
    assert out.startswith("trained on: ") and "words" in out


def test_a_run_resumed_otherwise_is_refused_and_forced_if_wanted(
    run, chinese, tmp_path
):
    file = tmp_path / "c"
    options = ["train", "-t", chinese[0], *TOY, "--hidden", "8", "-c", file]
    assert run(*options, "--epochs", "1")[0] == 0
    other = [*options, "--epochs", "2", "--lr", "0.5", "--resume"]
    check_refused(run(*other), "the learning rate of epoch 1 was 1 and is 0.5")
    status, out, err = run(*other, "--force")
    assert status == 0 and "finished after 2 epochs" in out, err


OTHERWISE = {
    "seed": (["--seed", "7"], "seed was 0 and is 7"),
    "size": (["--hidden", "9"], "num_hiddens was 8 and is 9"),
    "cell": (["--cell", "gru"], "cell was lstm and is gru"),
    "kind of model": (["--concise"], "kind was scratch and is LSTM"),
    "normalization": (["--normalize", "none"], "normalization was unicode and is none"),
}


@pytest.mark.parametrize(("options", "named"), OTHERWISE.values(), ids=OTHERWISE)
def test_what_differs_from_the_run_to_resume_is_named(
    run, tmp_path, chinese, options, named
):
    text, file, _ = chinese
    copy = tmp_path / "c"
    copy.write_bytes(file.read_bytes())
    line = ["train", "-t", text, "-c", copy, *SMALL, *TOY, "--resume", *options]
    check_refused(run(*line), named)
    assert copy.read_bytes() == file.read_bytes()


def test_what_is_refused_leaves_no_folder_behind(run, tmp_path):
    for line in (["-t", tmp_path / "none.txt"], ["--resume"], ["--lr", "0"]):
        check_refused(run("train", "-c", tmp_path / "a" / "b" / "c", *line, *SMALL))
        assert list(tmp_path.iterdir()) == []


def forged(file, tmp_path, **changes):
    """A copy of a checkpoint that says something else of its run."""
    saved = d2l.load_checkpoint(file)
    saved.run["settings"] |= changes.pop("settings", {})
    path = tmp_path / "forged"
    history = {**saved.history, **changes}
    d2l.save_checkpoint(
        path,
        saved.net,
        saved.vocab,
        history=history,
        run=saved.run,
        metadata=saved.metadata,
    )
    return path


SETTINGS = {
    "a text": "x",
    "nothing": {},
    "half": {"num_tokens": 100},
    "text for numbers": {"batch_size": "x", "num_steps": None, "num_tokens": "x"},
    "zero": {"batch_size": 0, "num_steps": 35, "num_tokens": -1, "sha256": "x"},
    "much memory": {"batch_size": 1, "num_steps": 10**30, "num_tokens": 100},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings_of_anybody_do_not_matter_to_an_evaluation(
    run, tmp_path, trained, settings
):
    path = forged(trained[1], tmp_path, settings={"training text": settings})
    status, out, err = run("evaluate", "-c", path)
    assert (status, err) == (0, "") and out.startswith("the whole text: perplexity")


def test_a_foreign_history_cannot_drive_the_terminal(run, tmp_path, chinese):
    path = forged(chinese[1], tmp_path, metric="\x1b]0;owned\x07")
    line = ["train", "-t", chinese[0], "-c", path, *TOY, "--hidden", "8", "--resume"]
    status, out, err = run(*line, "--epochs", "3")
    assert status == 0 and "owned" in out
    assert "\x1b]" not in out + err and "\x07" not in out + err


def test_json_is_json_whatever_the_prefix(run, trained):
    prefix = "a\x7fb\x85c\u202e"
    _, out, _ = run("predict", "-c", trained[1], "-p", prefix, "-n", 2, "--json")
    assert json.loads(out)["prefix"] == prefix
    assert not {"\x7f", "\x85", "\u202e"} & set(out)


def test_every_prefix_is_warned_of(trained):
    done = command("predict", "-c", trained[1], "-n", 2, stdin=b"you1\nthe1\n")
    assert done.stderr.count(b"warning: ") == 2


def test_a_byte_order_mark_is_no_character(trained):
    done = command("predict", "-c", trained[1], "-n", 2, stdin=b"\xef\xbb\xbfyou\n")
    assert done.stderr == b"" and done.stdout.startswith(b"you")


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")
@pytest.mark.parametrize("where", ["2>/dev/full", "2>&1 | head -c 10"])
def test_a_run_goes_on_when_nobody_can_see_it(chinese, tmp_path, where):
    file = tmp_path / "c"
    words = ["train", "-t", str(chinese[0]), "-c", str(file), "--hidden", "8", *TOY]
    line = shlex.join([sys.executable, "-m", "d2l_lstm_command", *words])
    subprocess.run(f"{line} --epochs 12 {where}", shell=True, capture_output=True)
    assert d2l.load_checkpoint(file).history["epochs"][-1] == 12


def test_a_text_of_nothing_that_the_model_reads_is_one_sentence(run, tmp_path):
    (tmp_path / "n.txt").write_text("123 456")
    check_refused(run("evaluate", "-t", tmp_path / "n.txt"), "0 tokens that the model")


def test_a_novel_is_never_overwritten(run, tmp_path):
    novel = tmp_path / "novel.txt"
    novel.write_text("it was a dark and stormy night " * 20)
    before = novel.read_bytes()
    for option in (["--overwrite"], ["--resume"], []):
        check_refused(run("train", "-t", novel, "-c", novel, *SMALL, *TOY, *option))
    assert novel.read_bytes() == before


def test_the_next_command_continues_something_that_the_model_knows(chinese):
    _, file, done = chinese
    following = done.stdout.decode().split("Now: d2l-lstm ")[1].split("\n")[0]
    again = command(*shlex.split(following))
    assert again.returncode == 0 and again.stderr == b"", again.stderr.decode()


# --------------------------------------------------------------------------------------
# Predicting


def test_a_prefix_is_continued_by_as_many_characters(run, trained):
    status, out, err = run("predict", "-c", trained[1], "-p", "Time ", "-n", 12)
    assert (status, err) == (0, "")
    assert out.startswith("time ") and len(out) == 5 + 12 + 1
    saved = d2l.load_checkpoint(trained[1])
    assert out == d2l.predict_ch8("time ", 12, saved.net, saved.vocab) + "\n"


def test_nothing_to_add_returns_the_prefix(run, trained):
    assert run("predict", "-c", trained[1], "-p", "time", "-n", 0)[1] == "time\n"


def test_each_line_of_standard_input_is_a_prefix(trained):
    done = command("predict", "-c", trained[1], "-n", 5, stdin=b"time\r\n\nthe \nyou\n")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert [(line[:3], len(line)) for line in lines] == [
        ("tim", 9),
        ("the", 9),
        ("you", 8),
    ]


@pytest.mark.parametrize("how", ["option", "input"])
def test_text_is_utf8_whatever_the_encoding_of_the_console(chinese, how):
    prefix = {"option": ["-p", "时间"], "input": []}[how]
    done = command(
        *["predict", "-c", chinese[1], "-n", 4, "--json", *prefix],
        stdin="时间\n".encode(),
        PYTHONIOENCODING="cp1252",
        PYTHONUTF8="0",
    )
    assert (done.returncode, done.stderr) == (0, b"")
    answer = json.loads(done.stdout.decode("utf-8"))
    assert answer["prefix"] == "时间" and answer["text"].startswith("时间")
    assert len(answer["text"]) == 6


def test_json_says_what_was_asked_and_answered(run, trained):
    options = ["--temperature", 0.8, "--top-k", 5, "--top-p", 0.9, "--seed", 1]
    options += ["-n", 7, "--json"]
    status, out, _ = run("predict", "-c", trained[1], "-p", "The", *options)
    answer = json.loads(out)
    text = answer.pop("text")
    assert text.startswith("the") and len(text) == 10
    assert answer == {
        "prefix": "The",
        "num_preds": 7,
        "temperature": 0.8,
        "top_k": 5,
        "top_p": 0.9,
        "beam_size": 1,
        "seed": 1,
    }


def test_without_options_json_says_that_the_best_token_was_taken(run, trained):
    _, out, _ = run("predict", "-c", trained[1], "-p", "the", "-n", 3, "--json")
    answer = json.loads(out)
    del answer["text"], answer["prefix"]
    nothing = dict.fromkeys(("top_k", "top_p", "seed"))
    assert answer == {"num_preds": 3, "temperature": 0.0, "beam_size": 1, **nothing}


def test_every_option_of_predict_reaches_the_text(run, trained):
    saved = d2l.load_checkpoint(trained[1])
    options = ["predict", "-c", trained[1], "-p", "the", "-n", 9]

    def generate(**settings):
        return d2l.generate("the", 9, saved.net, saved.vocab, **settings) + "\n"

    drawn = [*options, "--temperature", 3, "--seed", 4]
    wanted = generate(temperature=3, top_p=0.4, seed=4)
    assert run(*drawn, "--top-p", 0.4)[1] == wanted != generate(temperature=3, seed=4)
    assert run(*options, "--beam-size", 4)[1] == generate(beam_size=4)
    assert run(*options, "--beam-size", 1)[1] == run(*options)[1]


def test_the_same_seed_gives_the_same_text(run, trained):
    options = ["predict", "-c", trained[1], "-p", "the", "--temperature", 1]
    texts = [run(*options, "--seed", seed)[1] for seed in (1, 1, 2, 3)]
    assert texts[0] == texts[1] and len(set(texts)) == 3


def test_one_best_character_is_greedy(run, trained):
    options = ["predict", "-c", trained[1], "-p", "the"]
    greedy = run(*options)[1]
    assert run(*options, "--temperature", 5, "--top-k", 1)[1] == greedy


def test_unknown_characters_are_a_warning_of_one_line(run, trained):
    status, out, err = run("predict", "-c", trained[1], "-p", "时 time 7", "-n", 3)
    assert status == 0 and out.startswith(" time ")
    assert err.startswith("warning: ") and err.count("\n") == 1
    assert "'7' '时'" in err and "space" in err


def test_a_prefix_in_the_decomposed_form_is_known_to_a_composed_vocabulary(
    run, tmp_path
):
    text = tmp_path / "text.txt"
    text.write_text("le voyageur du temps a été là " * 20, encoding="utf-8")
    run("train", "-t", text, "-c", tmp_path / "c", *SMALL, *TOY)
    status, out, err = run("predict", "-c", tmp_path / "c", "-p", "e\u0301te\u0301")
    assert (status, err) == (0, "")
    assert out.startswith("été")


def test_a_model_of_unnormalized_text_keeps_capitals(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("The Time Traveller " * 30, encoding="utf-8")
    run("train", "-t", text, "-c", tmp_path / "c", "--normalize", "none", *SMALL, *TOY)
    status, out, err = run("predict", "-c", tmp_path / "c", "-p", "Time", "-n", 2)
    assert (status, err) == (0, "") and out.startswith("Time")


# --------------------------------------------------------------------------------------
# Evaluating, info, help


def test_a_model_is_evaluated_on_its_own_split(run, trained):
    status, out, err = run("evaluate", "-c", trained[1])
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith("trained on: perplexity ") and "10,000" in first
    assert second.startswith("held out: perplexity ") and "5,000" in second
    history = d2l.load_checkpoint(trained[1]).history
    wanted = f"perplexity {history['valid'][-1]:.3f}"
    assert wanted in second


def test_a_model_is_evaluated_on_the_text_it_was_given(run, chinese):
    status, out, err = run("evaluate", "-c", chinese[1], "-t", chinese[0])
    assert (status, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "trained on",
        "held out",
    ]


def test_a_models_own_text_is_known_by_its_content_not_by_its_name(
    run, chinese, tmp_path
):
    renamed = tmp_path / "another name.txt"
    renamed.write_bytes(chinese[0].read_bytes())
    _, out, _ = run("evaluate", "-c", chinese[1], "-t", renamed)
    assert out.startswith("trained on: ") and "\nheld out: " in out
    other = tmp_path / chinese[0].name
    other.write_text(CHINESE[::-1] * 15, encoding="utf-8")
    status, out, _ = run("evaluate", "-c", chinese[1], "-t", other)
    assert status == 0 and out.startswith("the whole text: ")


def test_a_text_that_the_model_never_saw_is_not_called_its_own(run, chinese, trained):
    status, out, _ = run("evaluate", "-c", chinese[1])  # The Time Machine
    assert status == 0 and "trained on" not in out and "unknown to the model" in out
    status, out, _ = run("evaluate", "-c", trained[1], "-t", chinese[0])
    assert status in (0, 2) and "trained on" not in out


def test_info_prints_versions_threads_and_places(run):
    status, out, err = run("info")
    assert (status, err) == (0, "")
    values = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert values["Python"].startswith(".".join(map(str, sys.version_info[:2])))
    assert {"paddle", "numpy", "d2l", "device", "cores", "threads"} <= set(values)
    assert "timemachine_chapter1.txt" in values["chapter"]


def test_cells_are_listed_with_a_line_each(run):
    status, out, _ = run("cells")
    named = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert status == 0 and list(named) == list(d2l.CELLS)
    assert "no forget gate" in named["nfg"] and len(set(named.values())) == len(named)
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["train", "predict", "evaluate", "cells", "info"]),
        (["train"], ["--text", "--cell", "--resume", "Ctrl-C", "--seed"]),
        (["train"], ["default: The Time Machine", "else unicode"]),
        (["predict"], ["--prefix", "--temperature", "--top-k", "--json"]),
        (["predict"], ["--top-p", "--beam-size"]),
        (["predict"], ["default: each line of standard input"]),
        (["evaluate"], ["--checkpoint", "--text"]),
        (["cells"], ["a line on what it is"]),
        (["info"], ["Versions"]),
    ],
)
def test_help_names_the_options_and_what_is_used_without_them(
    run, monkeypatch, arguments, words
):
    monkeypatch.setenv("COLUMNS", "250")
    status, out, err = run(*arguments, "--help")
    assert (status, err) == (0, "")
    assert all(word in out for word in words)


# --------------------------------------------------------------------------------------
# Errors


@pytest.fixture
def bad(tmp_path, trained):
    """Files that are wrong, by name."""
    (tmp_path / "latin.txt").write_bytes("caf\xe9 au lait".encode("latin-1"))
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "blank.txt").write_text(" \n\n ")
    (tmp_path / "short.txt").write_text("a short text")
    (tmp_path / "one.txt").write_text("a")
    (tmp_path / "toy.txt").write_text("the time traveller " * 30)
    (tmp_path / "damaged").write_bytes(trained[1].read_bytes()[:-9])
    (tmp_path / "file").write_text("in the way")
    return tmp_path


ERRORS = {
    "no such text": (["train", "-t", "{}/none.txt"], "none.txt"),
    "not UTF-8": (["train", "-t", "{}/latin.txt"], "not UTF-8"),
    "empty text": (["train", "-t", "{}/empty.txt"], "empty"),
    "blank text": (["train", "-t", "{}/blank.txt"], "empty after"),
    "one character": (["train", "-t", "{}/one.txt"], "tokens"),
    "text is a folder": (["train", "-t", "{}"], "cannot read"),
    "cell": (["train", "--cell", "lstn"], "'lstn'"),
    "modules": (
        ["train", "--cell", "clockwork", "--hidden", "30"],
        "num_hiddens is 30; a Clockwork RNN needs a multiple of 4",
    ),
    "no such layer": (["train", "--cell", "cifg", "--concise"], "'cifg'"),
    "batch": (["train", "-t", "{}/short.txt"], "batch_size"),
    "batch 0": (["train", "--batch-size", "0"], "batch_size is 0"),
    "steps 0": (["train", "--num-steps", "0"], "num_steps is 0"),
    "hidden 0": (["train", "--hidden", "0"], "hidden is 0"),
    "hidden 0, concise": (["train", "--concise", "--hidden", "-3"], "hidden is -3"),
    "hidden beyond memory": (["train", "--hidden", "9999999"], "GB of memory"),
    "lr 0": (["train", "--lr", "0"], "lr is 0; it must be a number above 0"),
    "lr -1": (["train", "--lr", "-1"], "lr is -1; it must be a number above 0"),
    "lr NaN": (["train", "--lr", "nan"], "lr is nan; it must be a number above 0"),
    "lr inf": (["train", "--lr", "inf"], "lr is inf; it must be a number above 0"),
    "theta 0": (["train", "--theta", "0"], "theta is 0; it must be a number above 0"),
    "theta NaN": (["train", "--theta", "nan"], "theta is nan; it must be"),
    "tokens 0": (["train", "--max-tokens", "0"], "max_tokens is 0"),
    "tokens -5": (["train", "--max-tokens", "-5"], "max_tokens is -5"),
    "seed -1": (["train", "--seed", "-1"], "seed is -1; it must be a whole number"),
    "seed 2**64": (["train", "--seed", str(2**64)], f"seed is {2**64}; it must be"),
    "epochs 0": (["train", "--epochs", "0"], "epochs is 0"),
    "patience 0": (["train", "--patience", "0"], "patience is 0"),
    "token": (["train", "--token", "syllable"], "'syllable'; choose char, word"),
    "force alone": (["train", "--force"], "--force goes with --resume"),
    "resume nothing": (["train", "--resume", "-c", "{}/mistyped"], "mistyped"),
    "onto a text": (
        ["train", "--overwrite", "-c", "{}/short.txt"],
        "a file of another kind",
    ),
    "onto a folder": (["train", "--overwrite", "-c", "{}"], "it is a folder"),
    "a long name": (["train", "-c", "{}/" + "x" * 300], "File name too long"),
    "normalization": (["train", "--normalize", "rot13"], "'rot13'"),
    "resume damaged": (["train", *SMALL, "--resume", "-c", "{}/damaged"], "damaged"),
    "no checkpoint": (["predict", "-c", "{}/none", "-p", "a"], "none"),
    "damaged": (["predict", "-c", "{}/damaged", "-p", "a"], "damaged"),
    "damaged too": (["evaluate", "-c", "{}/damaged"], "damaged"),
    "no such text to evaluate": (["evaluate", "-t", "{}/none.txt"], "none.txt"),
    "prefix": (["predict", "-p", ""], "prefix is empty"),
    "num_preds": (["predict", "-p", "a", "-n", "-1"], "num_preds is -1"),
    "temperature": (["predict", "-p", "a", "--temperature", "-1"], "temperature is"),
    "top_k": (["predict", "-p", "a", "--temperature", "1", "--top-k", "0"], "top_k"),
    "top_p": (["predict", "-p", "a", "--temperature", "1", "--top-p", "0"], "top_p"),
    "top_p NaN": (["predict", "-p", "a", "--top-p", "nan"], "top_p is nan; it must be"),
    "top_k alone": (["predict", "-p", "a", "--top-k", "5"], "nothing is drawn"),
    "top_p alone": (["predict", "-p", "a", "--top-p", "0.9"], "nothing is drawn"),
    "no beam": (["predict", "-p", "a", "--beam-size", "0"], "beam_size is 0"),
    "a wide beam": (["predict", "-p", "a", "--beam-size", "1001"], "from 1 to 1000"),
    "a warm beam": (
        ["predict", "-p", "a", "--beam-size", "3", "--temperature", "0.5"],
        "a beam search draws nothing",
    ),
    "seed": (["predict", "-p", "a", "--temperature", "1", "--seed", "-1"], "seed"),
    "infinite": (["predict", "-p", "a", "--temperature", "inf"], "a finite number"),
    "in a file": (["train", "-t", "{}/toy.txt", "-c", "{}/file/c"], "not a folder"),
    "a folder": (["predict", "-p", "a", "-c", "{}"], "a folder"),
    "a text": (["predict", "-p", "a", "-c", "{}/short.txt"], "short.txt"),
}


@pytest.mark.parametrize(("arguments", "named"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_sentence(run, bad, trained, arguments, named):
    arguments = [a.format(bad) if "{}" in a else a for a in arguments]
    if arguments[0] != "train" and "-c" not in arguments:
        arguments += ["-c", trained[1]]
    if arguments[0] == "train" and "-c" not in arguments:
        arguments += ["-c", bad / "new"]
    out = check_refused(run(*arguments), named)
    assert out == "" or "--resume" in arguments
    assert not (bad / "new").exists()


def test_a_run_that_explodes_is_one_sentence(run, bad):
    options = ["-t", bad / "toy.txt", "-c", bad / "new", *SMALL, *TOY]
    check_refused(run("train", *options, "--lr", "1e39"), "learning rate")
    assert not (bad / "new").exists()


def test_an_error_of_the_process_is_status_two_and_no_traceback(bad):
    done = command("predict", "-c", bad / "damaged", "-p", "a")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1 and done.stderr.startswith(b"d2l-lstm: ")


def test_no_prefix_at_all_is_an_error(trained):
    for stdin in (b"", b"\n\n"):
        done = command("predict", "-c", trained[1], stdin=stdin)
        assert done.returncode == 2 and b"no prefix" in done.stderr
        assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fly"], "fly"),
        (["predict", "--wings"], "--wings"),
        (["predict", "-n", "many"], "--num-preds"),
    ],
)
def test_wrong_usage_is_status_two(run, arguments, named):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and named in err
    assert "Traceback" not in err


def test_input_that_is_not_utf8_is_named(trained):
    done = command("predict", "-c", trained[1], stdin="café\n".encode("latin-1"))
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"d2l-lstm: standard input is not UTF-8")


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX closes streams like this")
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_matter(trained, tmp_path, closed):
    text = tmp_path / "text.txt"
    text.write_text("the time traveller " * 30)
    file = tmp_path / "c"
    words = ["train", "-t", str(text), "-c", str(file), *SMALL, *TOY]
    line = shlex.join([sys.executable, "-m", "d2l_lstm_command", *words])
    done = subprocess.run(f"{line} {closed}", shell=True, capture_output=True)
    assert done.returncode == 0 and b"Traceback" not in done.stdout + done.stderr
    assert d2l.load_checkpoint(file).history["epochs"] == [1, 2]


# --------------------------------------------------------------------------------------
# Ctrl-C


def interrupted(*arguments, after, times=1):
    """Run the command and interrupt it after some seconds, or when a file is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "d2l_lstm_command", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        if isinstance(after, float):
            time.sleep(after)
        else:
            while not after.exists():
                assert process.poll() is None, process.stderr.read().decode()
                time.sleep(0.05)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()  # one that cannot be interrupted would run for hours
    return process.returncode, out.decode(), err.decode()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0])
def test_ctrl_c_before_anything_happens_is_one_sentence(seconds):
    status, out, err = interrupted("predict", after=seconds)
    assert (status, out) == (130, "")
    assert err.strip() == "d2l-lstm: interrupted."


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("times", [1, 2, 5])
def test_ctrl_c_keeps_what_was_learnt_however_often(tmp_path, times):
    file = tmp_path / "c"
    options = ["--hidden", "8", "--epochs", "9999", "-c", file]
    status, out, err = interrupted("train", *options, after=file, times=times)
    assert "Traceback" not in err + out
    if status == 0:
        assert "To go on: " in out and (times > 1 or "interrupted after" in out)
    else:
        assert status == 130 and times > 1
        assert err.strip().endswith("d2l-lstm: interrupted.")
    assert d2l.load_checkpoint(file).history["epochs"]
    assert times > 1 or [path.name for path in tmp_path.iterdir()] == ["c"]


# --------------------------------------------------------------------------------------
# Recipes

QUICK = ["--epochs", "3", "--average-from", "2", "--hidden", "8"]


def test_help_says_what_the_best_recipe_is(run):
    status, out, _ = run("train", "--help")
    words = " ".join(out.replace("│", " ").split())
    assert status == 0 and "--recipe" in words
    assert all(option in words for option in str(RECIPES["best"]).split()[::2])


def test_without_options_the_command_is_the_books_recipe():
    defaults = inspect.signature(cli.train).parameters
    for name, value in asdict(RECIPES["book"]).items():
        assert defaults[name].default == value, name
    assert defaults["recipe"].default == "book"


def test_the_best_recipe_trains_what_the_notebook_trains(run, tmp_path):
    """Here shorter and smaller; the rest of the recipe is its own."""
    file = tmp_path / "best"
    status, out, err = run("train", "--recipe", "best", *QUICK, "-c", file)
    assert status == 0, err
    recipe = replace(RECIPES["best"], epochs=3, average_from=2, hidden=8)
    saved = d2l.load_checkpoint(file)
    corpus, _ = d2l.load_corpus_time_machine(10000)
    ours = run_recipe(recipe, 0, corpus, saved.vocab)
    for param, name in zip(saved.net.params, d2l.parameters_of(saved.net)):
        np.testing.assert_allclose(param.numpy(), ours.weights[name], atol=1e-4)
    assert saved.metadata["average_from"] == 2
    assert "mean of the weights: validation perplexity" in out
    status, out, _ = run("predict", "-c", file, "-p", "time", "-n", "5")
    assert status == 0 and out.startswith("time")
    assert run("evaluate", "-c", file)[0] == 0


def test_an_option_that_is_given_replaces_that_of_the_recipe(run, tmp_path):
    options = ["--recipe", "best", *QUICK, "--lr", "1.0", "--cell", "gru"]
    status, out, err = run("train", *options, "-c", tmp_path / "a")
    assert status == 0, err
    assert out.startswith("gru, 8 hidden units")
    assert d2l.load_checkpoint(tmp_path / "a").history["lr"] == [1.0] * 3


def test_what_does_not_go_with_a_recipe_is_refused(run, tmp_path, trained):
    def refused(*options, named):
        check_refused(run("train", *SMALL, "-c", tmp_path / "a", *options), *named)
        assert not (tmp_path / "a").exists()

    refused("--recipe", "good", named=["good", "book, best"])
    refused("--concise", "--dropout-hidden", "0.2", named=["--concise"])
    refused("--average-from", "3", named=["average_from is 3", "2 epochs"])
    refused("--average-from", "0", named=["average_from"])
    refused("--average-from", "1", "--patience", "5", named=["--patience"])
    refused("--dropout-outputs", "1", named=["outputs is 1"])
    refused("--weight-decay", "-1", named=["decay is -1"])
    result = run("train", *SMALL, "-c", trained[1], "--average-from", "1", "--resume")
    check_refused(result, "cannot be resumed")


def test_a_regularised_run_goes_on_as_if_it_had_not_stopped(run, tmp_path):
    options = ["train", *SMALL[:2], "--dropout-hidden", "0.3", "--weight-decay", "1e-4"]
    for name, epochs in (("whole", [4]), ("parts", [2, 4])):
        for i, count in enumerate(epochs):
            more = ["--resume"] if i else []
            file = tmp_path / name
            status, _, err = run(*options, "--epochs", count, "-c", file, *more)
            assert status == 0, err
    one, two = (d2l.load_checkpoint(tmp_path / name).net for name in ("whole", "parts"))
    for a, b in zip(one.params, two.params):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    other = run(*options[:-1], "2e-4", "--epochs", "5", "-c", tmp_path / "whole",
                "--resume")  # fmt: skip
    check_refused(other, "regularisation")
