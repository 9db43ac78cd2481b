"""A text in pieces: the same corpus as of the whole text, in little memory."""

import json
import os
import subprocess
import sys
import unicodedata

import d2l_lstm as d2l
import pytest
from d2l_lstm import cli, corpora
from d2l_lstm.text import CHAPTER
from hypothesis import example, given
from hypothesis import strategies as st

# What a border between two pieces could change: marks that combine, a sigma, which has
# two lower cases, letters whose lower case is longer, line ends, spaces of many kinds.
CHARACTERS = (
    st.sampled_from("aAbB  \n\n\r\r'.1ΣσΑ\u0301\u0323\u0345e\u0130ß\u00ad\u200bΩ\u2126")
    | st.sampled_from(
        "\t\x0b\x1c\x85\xa0\u2000\u2028\u3000时间\uf900か\u3099각ᄀ\u1161"
    )
    | st.characters(exclude_categories=["Cs"])
)
TEXTS = st.text(CHARACTERS, max_size=60) | st.text(st.sampled_from("aB \n."))
SIZES = st.integers(1, 30)
FORMS = [("book", ""), ("book", " "), ("book", "\n"), ("unicode", ""), ("none", "")]


def outcome(load, *arguments, **options):
    """The corpus and all of its vocabulary, or why there is none."""
    try:
        corpus, vocab = load(*arguments, **options)
    except ValueError as error:
        return str(error)
    form = (vocab.token, vocab.normalization, vocab.join)
    return corpus.tolist(), corpus.dtype, vocab.idx_to_token, vocab.token_freqs, form


def whole(path, **options):
    return d2l.load_corpus(d2l.read_text(path), **options)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("texts") / "text.txt"


@pytest.mark.parametrize(("normalization", "join"), FORMS)
@pytest.mark.parametrize("token", ["char", "word"])
@given(text=TEXTS, size=SIZES, min_freq=st.integers(0, 2))
@example(text="ΑΣ Α\u0301Σ\nΑΣ\u0301Α", size=3, min_freq=0)
@example(text="e\u0301 \u0301 \u3000\u0301时\u0301 x", size=2, min_freq=0)
@example(text=" \n ab  cd\r\n\r ef \r", size=1, min_freq=0)
def test_a_text_in_pieces_is_the_corpus_of_the_whole_text(
    tmp_path_factory, file, normalization, join, token, text, size, min_freq
):
    file.write_bytes(text.encode())
    options = {"normalization": normalization, "join": join, "token": token}
    options["min_freq"] = min_freq
    folder = tmp_path_factory.mktemp("kept")
    kept = {"folder": folder, "size": size}
    pieces = outcome(corpora.load_large_corpus, file, **options, **kept)
    assert pieces == outcome(whole, file, **options)
    if not isinstance(pieces, str):
        before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        assert len(before) == 2
        assert outcome(corpora.load_large_corpus, file, **options, **kept) == pieces
        assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == before


@pytest.mark.parametrize(("normalization", "join"), FORMS)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 60), max_size=9))
def test_a_normalized_text_does_not_depend_on_where_it_is_cut(
    normalization, join, text, cuts
):
    ends = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in zip(ends, ends[1:])]
    found = "".join(corpora.normalized_pieces(pieces, normalization, join))
    assert found == d2l.normalize_text(text, normalization, join)


@given(content=st.binary(max_size=20) | TEXTS.map(str.encode), size=SIZES)
@example(content=b"\xef\xbb\xbf", size=1)
@example(content=b"\xef\xbb\xbfa\xff", size=2)
@example(content=b"ab\xe6\x97", size=3)
@example(content=b"a\r", size=2)
def test_bytes_in_pieces_are_the_text_or_the_sentence_of_the_whole(file, content, size):
    file.write_bytes(content)
    found = outcome_of_text(lambda: "".join(corpora.text_pieces(file, size)))
    assert found == outcome_of_text(lambda: d2l.read_text(file))


def outcome_of_text(read):
    try:
        return read()
    except ValueError as error:
        return repr(error).replace("FileError", "ValueError")


def test_no_white_space_and_no_ideograph_is_changed_by_what_stands_before_it():
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if corpora._BEFORE_A_GAP.match(character):
            assert unicodedata.combining(character) == 0
            for before in ("Σ", "ΑΣ", "e", "か", "각"):
                alone = unicodedata.normalize("NFC", before).lower()
                after = unicodedata.normalize("NFC", character).lower()
                both = unicodedata.normalize("NFC", before + character).lower()
                assert both == alone + after


def test_only_so_many_tokens_are_kept_of_the_whole_texts_vocabulary(file, tmp_path):
    file.write_text("one two three four")
    found = outcome(corpora.load_large_corpus, file, 5, folder=tmp_path)
    assert found == outcome(whole, file, max_tokens=5) and len(found[0]) == 5


def test_a_changed_text_is_another(file, tmp_path):
    for text in ("one and two", "two and one"):
        file.write_text(text)
        corpus, vocab = corpora.load_large_corpus(file, folder=tmp_path)
        assert vocab.decode(corpus) == text
    assert len(list(tmp_path.iterdir())) == 4


def test_damaged_counts_are_made_again(file, tmp_path):
    file.write_text("one and two")
    wanted = outcome(corpora.load_large_corpus, file, folder=tmp_path)
    (counts,) = tmp_path.glob("*.counts")
    for content in (b"", b"[1]", b"{", b'"x"'):
        counts.write_bytes(content)
        assert outcome(corpora.load_large_corpus, file, folder=tmp_path) == wanted


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[1:],
        lambda content: b"\xff" + content[1:],
        lambda content: content + content,
    ],
)
def test_damaged_indices_are_made_again(file, tmp_path, damage):
    file.write_text("one and two and a longer text than that")
    wanted = outcome(corpora.load_large_corpus, file, folder=tmp_path)
    (indices,) = tmp_path.glob("*.indices")
    indices.write_bytes(damage(indices.read_bytes()))
    assert outcome(corpora.load_large_corpus, file, folder=tmp_path) == wanted


@pytest.mark.parametrize("reader", ["count_large", "_encoded"])
def test_what_was_made_of_a_text_that_has_changed_meanwhile_is_not_kept(
    file, tmp_path, monkeypatch, reader
):
    file.write_text("one and two")
    (folder := tmp_path / "kept").mkdir()
    read = getattr(corpora, reader)

    def changed(*arguments):
        file.write_text("two and one")
        return read(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(corpora, reader, changed)
        with pytest.raises(ValueError, match="has changed while it was read"):
            corpora.load_large_corpus(file, folder=folder)
    kept = [path.suffix for path in folder.iterdir()]
    assert kept == ([] if reader == "count_large" else [".counts"])


def test_a_text_without_two_letters_side_by_side_is_read_in_linear_time(file):
    file.write_text("a b\n" * 50_000)
    pieces = corpora.text_pieces(file, 100)  # 2,000 of them
    text = "".join(corpora.normalized_pieces(pieces, "book"))
    assert text == d2l.normalize_text(file.read_text())


def test_a_text_that_ends_in_an_error_leaves_nothing_half_written(file, tmp_path):
    vocab = d2l.Vocab("ab")
    file.write_bytes(b"abab" * 9 + b"\xff")
    with pytest.raises(ValueError, match="is not UTF-8 .byte 36 is 0xff"):
        corpora.encode_large(file, vocab, folder=tmp_path, size=5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_one_sentence(file, tmp_path, monkeypatch):
    file.write_text("one and two")

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match="cannot write .*: No space left on device"):
        corpora.load_large_corpus(file, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------
# The command


@pytest.fixture
def large(monkeypatch, tmp_path):
    """From 1,000 bytes on a text is large; indices go to a folder of the test's."""
    monkeypatch.setenv("D2L_LSTM_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(corpora, "LARGE", 1000)
    return tmp_path / "data" / "corpora"


def command(*arguments):
    cli.app([*map(str, arguments)], standalone_mode=False)


@pytest.mark.parametrize("token", ["char", "word"])
def test_a_run_goes_on_whether_its_text_is_large_or_not(
    large, monkeypatch, tmp_path, token, capsys
):
    options = ["-t", CHAPTER, "--token", token, "--hidden", 4, "--batch-size", 8]
    models = []
    for first, then in ((1000, 10**9), (10**9, 1000)):
        line = ["train", *options, "-c", tmp_path / str(first), "--epochs"]
        monkeypatch.setattr(corpora, "LARGE", first)
        command(*line, 1)
        monkeypatch.setattr(corpora, "LARGE", then)
        command(*line, 2, "--resume")
        net = d2l.load_checkpoint(tmp_path / str(first)).net
        models.append([p.numpy().tobytes() for p in net.params])
    assert models[0] == models[1] and len(list(large.iterdir())) == 2
    shown = []
    for size in (1000, 10**9):
        capsys.readouterr()
        monkeypatch.setattr(corpora, "LARGE", size)
        command("evaluate", "-c", tmp_path / "1000", "-t", CHAPTER)
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and shown[0].startswith("trained on: ")
    assert len(list(large.iterdir())) == 2  # those of the training


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="every folder can be written"
)
def test_a_cache_that_cannot_be_written_is_one_sentence(large, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="cannot write .*: Permission denied"):
        command("train", "-t", CHAPTER, "-c", "c")
    tmp_path.chmod(0o700)


def test_a_cache_that_is_a_file_is_one_sentence(large, tmp_path):
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ValueError, match="cannot write .* not a folder"):
        command("train", "-t", CHAPTER, "-c", tmp_path / "c")


# A process that makes the corpus of a large text and reads minibatches from it; what it
# holds beside what is mapped from files may not grow with the text.
MEASURED = """
import json, sys, threading, time
import d2l_lstm as d2l, numpy as np
from d2l_lstm import corpora

def anonymous():
    with open("/proc/self/status") as file:
        words = dict(line.split(":", 1) for line in file)
    return int(words["RssAnon"].split()[0]) // 1024

d2l.load_corpus("warm up")
start, peak, over = anonymous(), [0], threading.Event()

def watch():
    while not over.wait(0.01):
        peak[0] = max(peak[0], anonymous())

threading.Thread(target=watch, daemon=True).start()
corpus, vocab = corpora.load_large_corpus(sys.argv[1], normalization="unicode",
                                          folder=sys.argv[2])
loaders = d2l.split_corpus(corpus, vocab, 32, 35, len(corpus) * 9 // 10, 10**6)
shas = [loader.settings()["sha256"] for loader in loaders]
read = [next(iter(loader))[0].shape for loader in loaders]
over.set()
print(json.dumps([peak[0] - start, len(corpus)]))
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Linux says what a process holds"
)
def test_memory_does_not_grow_with_the_text(tmp_path):
    file, chapter = tmp_path / "large.txt", CHAPTER.read_bytes()
    times = 100_000_000 // len(chapter)
    with open(file, "wb") as out:
        for _ in range(times):
            out.write(chapter)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, file, tmp_path / "kept"],
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    megabytes, length = json.loads(done.stdout)
    assert length > 0.9 * 100_000_000
    assert megabytes < 64, "the text has 100 MB"
