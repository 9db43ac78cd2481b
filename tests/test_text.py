"""From a text to minibatches, held against the book's own library."""

import hashlib
import json
import random
import re
import string
import tracemalloc
import unicodedata

import d2l_lstm
import numpy as np
import paddle
import pytest
from d2l_lstm import text as text_module
from hypothesis import given
from hypothesis import strategies as st

JOINS = ["", " ", "\n"]
OVERRIDES = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
CHARACTERS = st.text(
    st.one_of(
        st.sampled_from("abcXYZ  \n\n\r.-'0é"),
        st.characters(),  # lone surrogates too
    ),
    max_size=120,
)


def universal_newlines(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def book_lines(text):
    """The lines of a text as the book reads them from a file."""
    lines = text.split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines  # as file.readlines() does
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in lines]


def write(folder, content, name="text.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_lists(iterator):
    return [(X.tolist(), Y.tolist()) for X, Y in iterator]


@pytest.fixture(scope="module")
def chapter():
    return d2l_lstm.read_raw_time_machine()


@pytest.fixture(scope="module")
def long_text(chapter):
    return (chapter + "\n") * (10_000_000 // len(chapter))


# --------------------------------------------------------------------------------------
# The embedded chapter


def test_embedded_chapter_is_the_file_that_was_typed(chapter):
    assert hashlib.sha256(text_module.CHAPTER.read_bytes()).hexdigest() == (
        "dd36a7b7ca5a66f3a6442b705fe4ba85c4143b2834d39ccf2c63565b1d042ce0"
    )
    assert len(chapter) == 17_369
    assert chapter.isascii()
    assert len(chapter.split("\n")) == 380


def test_embedded_chapter_normalised_begins_the_book(chapter):
    normalized = d2l_lstm.normalize_text(chapter)
    assert len(normalized) == 16_263
    assert set(normalized) == set(string.ascii_lowercase + " ")
    assert hashlib.sha256(normalized[:10_000].encode()).hexdigest() == (
        "a264255f8dd6ff00b0a378b4380cc1a562543c378fb56b935d69cb725c9d7cc7"
    )


def test_lines_of_the_chapter_are_the_books(chapter):
    assert d2l_lstm.read_time_machine() == book_lines(chapter)


# --------------------------------------------------------------------------------------
# Normalising


def reference_normalization(text, join):
    lines = book_lines(text)
    if join == " ":  # an empty line leaves no second space
        lines = list(filter(None, lines))
    end = "\n" if join == "\n" and text.endswith("\n") else ""
    return join.join(lines) + end


@pytest.mark.parametrize("chunk", [1, 3, text_module._CHUNK])
@pytest.mark.parametrize("join", JOINS)
@given(text=CHARACTERS)
def test_book_normalization_equals_the_regular_expression(join, chunk, text):
    text = universal_newlines(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "_CHUNK", chunk)
        normalized = d2l_lstm.normalize_text(text, join=join)
    assert normalized == reference_normalization(text, join)


@pytest.mark.parametrize("join", JOINS)
def test_book_normalization_of_a_whole_chapter_in_small_chunks(
    chapter, join, monkeypatch
):
    monkeypatch.setattr(text_module, "_CHUNK", 7)
    normalized = d2l_lstm.normalize_text(chapter, join=join)
    assert normalized == reference_normalization(chapter, join)


def test_book_join_fuses_words_and_the_repaired_join_does_not(chapter):
    fused = d2l_lstm.normalize_text(chapter)
    repaired = d2l_lstm.normalize_text(chapter, join=" ")
    assert "himwas" in fused
    assert "himwas" not in repaired and "him was" in repaired
    assert repaired.split() == [w for line in book_lines(chapter) for w in line.split()]


def test_unicode_normalization_composes_lowers_and_keeps_every_language():
    text = "  Cafe\u0301\r\n\tÜBER\u3000時間機器 。 "
    assert d2l_lstm.normalize_text(text, "unicode") == "café über 時間機器 。"


def test_none_normalization_keeps_the_text_as_it_is():
    text = "  Über\n\n時 "
    assert d2l_lstm.normalize_text(text, "none") == text


@pytest.mark.parametrize(
    "options, value",
    [({"normalization": "book2"}, "'book2'"), ({"join": "-"}, "'-'")],
)
def test_unknown_normalization_or_join_is_one_sentence(options, value):
    with pytest.raises(ValueError, match=value) as error:
        d2l_lstm.normalize_text("abc", **options)
    assert "\n" not in str(error.value)


# --------------------------------------------------------------------------------------
# A model's text: the same way in and out


def a_vocab(normalization="book", join="", token="char", text="the time machine"):
    return d2l_lstm.load_corpus(
        text, normalization=normalization, join=join, token=token
    )[1]


@pytest.mark.parametrize(
    "options",
    [
        {"normalization": "book"},
        {"normalization": "book", "join": " "},
        {"normalization": "book", "join": "\n"},
        {"normalization": "unicode"},
        {"normalization": "none"},
    ],
)
@given(text=CHARACTERS)
def test_a_vocabulary_normalises_a_text_as_its_own_text_was(options, text):
    vocab = a_vocab(**options)
    assert vocab.normalize(text) == d2l_lstm.normalize_text(text, **options)


@pytest.mark.parametrize(
    ("normalization", "join"), [("book", " "), ("book", "\n"), ("unicode", "")]
)
@given(text=CHARACTERS)
def test_a_prefix_is_a_normalised_text_with_open_ends(normalization, join, text):
    vocab = a_vocab(normalization, join)
    prefix = vocab.prefix(text)
    assert prefix.strip(" ") == vocab.normalize(text)
    assert "  " not in prefix
    if text[:1].isspace() and "\n" not in text:
        assert prefix[0] == " "
    if text[-1:].isspace() and "\n" not in text:
        assert prefix[-1] == " "


@given(text=CHARACTERS)
def test_a_prefix_of_a_line_is_the_books_whatever_stands_between_lines(text):
    line = text.replace("\n", "")
    expected = re.sub("[^A-Za-z]+", " ", line).lower()
    assert {a_vocab("book", join).prefix(line) for join in JOINS} == {expected}


@pytest.mark.parametrize(
    ("options", "text", "prefix"),
    [
        ({}, "Time ", "time "),
        ({}, "  It's 1895!\n", " it s "),
        ({}, "two\n\nlines", "two lines"),
        ({"join": "\n"}, "two\n \nlines", "two\n\nlines"),
        ({"normalization": "unicode"}, " Cafe\u0301 \n1 ", " café 1 "),
        ({"normalization": "none"}, " Cafe\u0301 \n1 ", " Cafe\u0301 \n1 "),
        ({}, "", ""),
    ],
)
def test_a_prefix_keeps_one_space_at_its_ends(options, text, prefix):
    assert a_vocab(**options).prefix(text) == prefix


@pytest.mark.parametrize("normalization", ["book", "unicode", "none"])
@pytest.mark.parametrize("join", JOINS)
@given(text=CHARACTERS)
def test_decoding_undoes_encoding(join, normalization, text):
    if not d2l_lstm.normalize_text(text, normalization, join).strip():
        return
    options = {"normalization": normalization, "join": join}
    for token in ("char", "word"):
        corpus, vocab = d2l_lstm.load_corpus(text, token=token, **options)
        normalized = vocab.normalize(text)
        if token == "word":
            normalized = " ".join(normalized.split())
        assert vocab.decode(corpus) == vocab.decode(corpus.tolist()) == normalized
        encoded = vocab.encode(vocab.normalize(text))
        assert encoded.tolist() == corpus.tolist() and encoded.dtype == vocab.dtype


def test_words_outside_the_vocabulary_are_unknown():
    vocab = d2l_lstm.Vocab("the time the machine".split())
    assert vocab.encode("the  traveller\ntime").tolist() == [1, 0, 2]
    assert vocab.decode([1, 0, 2]) == "the <unk> time"


def test_reserved_tokens_do_not_make_characters_words():
    assert d2l_lstm.Vocab("abc", reserved_tokens=["<pad>"]).token == "char"
    assert d2l_lstm.Vocab(["a", "bc"]).token == "word"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "book2"}, "unknown normalization 'book2'; choose"),
        ({"join": "-"}, "join is '-'; it must be"),
        ({"token": "letter"}, "unknown token type 'letter'; choose"),
    ],
)
def test_a_vocabulary_of_an_unknown_kind_of_text_is_refused(options, message):
    with pytest.raises(ValueError, match=message) as error:
        d2l_lstm.Vocab("abc", **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("time\n traveller", "time\n traveller"),
        ("\x1b[2J\x07\r\t\x00", r"\x1b[2J\x07\r\t\x00"),
        ("\x7f\x9b31m", r"\x7f\x9b31m"),
        ("a\u202eb\u2066c\u200f", r"a\u202eb\u2066c\u200f"),
        ("\udc80", r"\udc80"),
        ("é 時 🕰\ufe0f क\u094d\u200dष \\x1b", "é 時 🕰\ufe0f क\u094d\u200dष \\x1b"),
    ],
)
def test_what_could_drive_a_terminal_is_shown_as_an_escape(text, shown):
    assert text_module.printable(text) == shown


@given(text=st.text(st.characters(), max_size=30))
def test_printable_text_can_be_written_and_has_no_control_but_the_newline(text):
    shown = text_module.printable(text)
    shown.encode()
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")
                and c != "\n"]  # fmt: skip
    assert not [c for c in shown if unicodedata.bidirectional(c) in OVERRIDES]


# --------------------------------------------------------------------------------------
# Reading files


def test_byte_order_mark_is_dropped(tmp_path):
    assert d2l_lstm.read_text(write(tmp_path, "\ufeffabc")) == "abc"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_end_is_a_newline(tmp_path, end):
    path = write(tmp_path, f"one{end}{end}two{end}")
    assert d2l_lstm.read_text(path) == "one\n\ntwo\n"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is empty"),
        (b"abc\xff", r"not UTF-8 \(byte 3 is 0xff\)"),
        ("abc".encode("utf-16"), "not UTF-8"),
    ],
)
def test_file_that_is_no_text_is_one_sentence(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=message) as error:
        d2l_lstm.read_text(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="cannot read .*nowhere.*No such file"):
        d2l_lstm.read_text(tmp_path / "nowhere")


def test_unknown_source_is_refused():
    with pytest.raises(ValueError, match="unknown source 'web'"):
        d2l_lstm.read_raw_time_machine("web")


# --------------------------------------------------------------------------------------
# Tokens and vocabulary


@pytest.mark.parametrize("token", ["word", "char"])
def test_tokens_of_the_chapter_are_the_librarys(book, token):
    lines = d2l_lstm.read_time_machine()
    assert d2l_lstm.tokenize(lines, token) == book.tokenize(lines, token)


def test_unknown_token_type_is_refused_everywhere():
    for function in (
        lambda: d2l_lstm.tokenize(["a"], "letter"),
        lambda: d2l_lstm.load_corpus("abc", token="letter"),
        lambda: d2l_lstm.load_data_time_machine(2, 3, token="letter"),
    ):
        with pytest.raises(ValueError, match="unknown token type 'letter'; choose"):
            function()


def assert_same_vocabulary(ours, theirs):
    assert ours.idx_to_token == theirs.idx_to_token
    assert ours.token_to_idx == theirs.token_to_idx
    assert ours.token_freqs == theirs.token_freqs
    assert (len(ours), ours.unk) == (len(theirs), theirs.unk)


@given(
    words=st.lists(st.text("abcdé", min_size=1, max_size=2), max_size=40),
    min_freq=st.integers(0, 4),
    reserved=st.lists(st.sampled_from(["<pad>", "<bos>", "a"]), unique=True),
)
def test_vocabulary_has_the_librarys_order(book, words, min_freq, reserved):
    for tokens in (words, [words[:3], words[3:]]):
        ours = d2l_lstm.Vocab(tokens, min_freq, reserved)
        assert_same_vocabulary(ours, book.Vocab(tokens, min_freq, reserved))
        assert ours[words] == book.Vocab(tokens, min_freq, reserved)[words]


@given(text=CHARACTERS, min_freq=st.integers(0, 3))
def test_vocabulary_of_a_string_is_that_of_its_characters(book, text, min_freq):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "_CHUNK", 5)
        ours = d2l_lstm.Vocab(text, min_freq)
    assert_same_vocabulary(ours, book.Vocab(list(text), min_freq))


def test_rare_tokens_become_unknown():
    vocab = d2l_lstm.Vocab("aaabbc", min_freq=2)
    assert vocab.idx_to_token == ["<unk>", "a", "b"]
    assert vocab["c"] == vocab.unk == 0
    assert "c" not in vocab and "b" in vocab
    assert vocab.encode("abcé").tolist() == [1, 2, 0, 0]


def test_reserved_tokens_stand_after_the_unknown_one():
    vocab = d2l_lstm.Vocab("abb", reserved_tokens=["<pad>", "a"])
    assert vocab.idx_to_token == ["<unk>", "<pad>", "a", "b"]


def test_to_tokens_undoes_lookup():
    vocab = d2l_lstm.Vocab(["time", "machine", "time"])
    assert vocab.to_tokens(vocab["time"]) == "time"
    assert vocab.to_tokens(vocab[["machine", "time"]]) == ["machine", "time"]
    assert vocab.to_tokens((0,)) == ["<unk>"]


@given(known=CHARACTERS, text=CHARACTERS, chunk=st.integers(1, 7))
def test_encode_equals_looking_up_each_character(known, text, chunk):
    vocab = d2l_lstm.Vocab(known, reserved_tokens=["<pad>"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "_CHUNK", chunk)
        encoded = vocab.encode(text + known)
    assert encoded.tolist() == vocab[list(text + known)]


@pytest.mark.parametrize(
    "size, dtype", [(255, np.uint8), (256, np.uint16), (65_535, np.uint16)]
)
def test_corpus_has_the_smallest_type_that_holds_the_vocabulary(size, dtype):
    tokens = [chr(0x20 + i) for i in range(size)]
    vocab = d2l_lstm.Vocab(tokens)
    encoded = vocab.encode(tokens[-1] + tokens[0])
    assert encoded.dtype == vocab.dtype == dtype
    assert encoded.tolist() == [size, 1]


# --------------------------------------------------------------------------------------
# Corpus


@pytest.mark.parametrize("max_tokens", [-1, 0, 1, 10_000, 16_263])
def test_corpus_of_the_chapter_is_the_librarys(book, max_tokens):
    ours, our_vocab = d2l_lstm.load_corpus_time_machine(max_tokens)
    theirs, their_vocab = book.load_corpus_time_machine(max_tokens)
    assert ours.tolist() == theirs
    assert_same_vocabulary(our_vocab, their_vocab)
    assert isinstance(ours, np.ndarray) and ours.dtype == np.uint8


@given(text=CHARACTERS)
def test_corpus_of_any_text_is_the_librarys(book, text):
    text = universal_newlines(text)
    if not any(book_lines(text)):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book, "read_time_machine", lambda: book_lines(text))
        theirs, their_vocab = book.load_corpus_time_machine()
    ours, our_vocab = d2l_lstm.load_corpus(text)
    assert ours.tolist() == theirs
    assert_same_vocabulary(our_vocab, their_vocab)


def test_corpus_of_words_is_the_librarys(book):
    ours, vocab = d2l_lstm.load_corpus_time_machine(500, token="word")
    tokens = book.tokenize(d2l_lstm.read_time_machine(), "word")
    theirs = book.Vocab(tokens)
    assert_same_vocabulary(vocab, theirs)
    words = [word for line in tokens for word in line]
    assert ours.tolist() == theirs[words[:500]]
    assert "him" in vocab and "himwas" not in vocab


def test_words_need_no_network_however_many_are_wanted():
    loader, vocab = d2l_lstm.load_data_time_machine(32, 35, token="word")
    assert len(loader.corpus) == 3_071 and len(vocab) == 855
    assert vocab.token == "word"
    X, _ = next(iter(loader))
    assert X.shape == [32, 35]


def test_more_characters_than_the_chapter_has_need_the_whole_book():
    with pytest.raises(d2l_lstm.DownloadError):  # which is not there
        d2l_lstm.load_corpus_time_machine(16_264)


def test_chinese_text_is_a_corpus():
    text = "時間旅行者\n(這樣稱呼他) 時間"
    corpus, vocab = d2l_lstm.load_corpus(text, normalization="unicode")
    assert "".join(vocab.to_tokens(corpus.tolist())) == "時間旅行者 (這樣稱呼他) 時間"
    assert vocab.to_tokens([1, 2, 3]) == ["時", "間", " "]
    words, vocab = d2l_lstm.load_corpus(text, normalization="unicode", token="word")
    assert vocab.to_tokens(words.tolist()) == ["時間旅行者", "(這樣稱呼他)", "時間"]


def test_rare_characters_of_a_corpus_become_unknown():
    corpus, vocab = d2l_lstm.load_corpus("aab a", min_freq=2)
    assert vocab.idx_to_token == ["<unk>", "a"]
    assert corpus.tolist() == [1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    "text, normalization",
    [("", "book"), ("1984 時間\n", "book"), (" \n\t", "unicode"), (" \n", "none")],
)
def test_text_of_which_nothing_is_left_is_one_sentence(text, normalization):
    with pytest.raises(ValueError, match=f"{len(text)} characters is empty") as error:
        d2l_lstm.load_corpus(text, normalization=normalization)
    assert "\n" not in str(error.value)


def test_text_of_one_character_makes_no_minibatch():
    corpus, vocab = d2l_lstm.load_corpus("a")
    assert corpus.tolist() == [1]
    with pytest.raises(ValueError, match="the corpus has 1 tokens, but"):
        d2l_lstm.SeqDataLoader(1, 1, corpus=corpus, vocab=vocab)


# --------------------------------------------------------------------------------------
# Minibatches

SHAPES = {
    "batch_size": st.integers(1, 6),
    "num_steps": st.integers(1, 9),
    "more": st.integers(0, 40),  # tokens beyond those of one minibatch
    "seed": st.integers(0, 2**32),
}


def a_corpus(batch_size, num_steps, more):
    """Every token another number, so that one sees where it comes from."""
    return np.arange((batch_size + 1) * num_steps + 1 + more, dtype=np.uint16)


@pytest.mark.parametrize("kind", ["random", "sequential"])
@given(**SHAPES)
def test_minibatches_of_any_shape_are_the_librarys(
    book, kind, batch_size, num_steps, more, seed
):
    corpus = a_corpus(batch_size, num_steps, more)
    name = f"seq_data_iter_{kind}"
    random.seed(seed)
    theirs = as_lists(getattr(book, name)(corpus.tolist(), batch_size, num_steps))
    state = random.getstate()
    random.seed(seed)
    ours = as_lists(getattr(d2l_lstm, name)(corpus, batch_size, num_steps))
    assert ours == theirs and ours
    assert random.getstate() == state  # and the next epoch goes on from the same


@pytest.mark.parametrize("use_random_iter", [False, True])
@pytest.mark.parametrize("batch_size, num_steps", [(32, 35), (2, 5), (7, 100)])
def test_minibatches_of_the_chapter_are_the_librarys(
    book, use_random_iter, batch_size, num_steps
):
    arguments = batch_size, num_steps, use_random_iter
    (ours, our_vocab), (theirs, their_vocab) = (
        library.load_data_time_machine(*arguments) for library in (d2l_lstm, book)
    )
    assert_same_vocabulary(our_vocab, their_vocab)
    for epoch in range(2):
        random.seed(epoch)
        expected = as_lists(theirs)
        random.seed(epoch)
        assert as_lists(ours) == expected


@pytest.mark.parametrize("kind", ["random", "sequential"])
@given(**SHAPES)
def test_labels_are_the_inputs_one_token_later(kind, batch_size, num_steps, more, seed):
    random.seed(seed)
    iterator = getattr(d2l_lstm, f"seq_data_iter_{kind}")
    for X, Y in iterator(a_corpus(batch_size, num_steps, more), batch_size, num_steps):
        assert X.shape == Y.shape == [batch_size, num_steps]
        assert X.dtype == Y.dtype == paddle.int64
        X, Y = X.numpy(), Y.numpy()
        assert (Y == X + 1).all()
        assert (X == X[:, :1] + np.arange(num_steps)).all()


@given(**SHAPES)
def test_sequential_minibatches_continue_each_other(batch_size, num_steps, more, seed):
    random.seed(seed)
    corpus = a_corpus(batch_size, num_steps, more)
    batches = as_lists(d2l_lstm.seq_data_iter_sequential(corpus, batch_size, num_steps))
    for (_, Y), (X, _) in zip(batches, batches[1:]):
        assert [row[-1] for row in Y] == [row[0] for row in X]


@given(**SHAPES)
def test_random_minibatches_cover_every_subsequence_once(
    batch_size, num_steps, more, seed
):
    random.seed(seed)
    corpus = a_corpus(batch_size, num_steps, more)
    batches = as_lists(d2l_lstm.seq_data_iter_random(corpus, batch_size, num_steps))
    starts = sorted(row[0] for X, _ in batches for row in X)
    assert len(starts) == len(set(starts))
    assert len({start % num_steps for start in starts}) == 1
    offset = starts[0] % num_steps
    whole = (len(corpus) - offset - 1) // num_steps
    assert len(starts) == whole // batch_size * batch_size  # of whole minibatches
    if whole % batch_size == 0:
        assert starts == list(range(offset, offset + whole * num_steps, num_steps))


def test_random_minibatches_differ_from_epoch_to_epoch():
    loader, _ = d2l_lstm.load_data_time_machine(4, 10, True)
    assert as_lists(loader) != as_lists(loader)


def test_every_offset_from_zero_to_num_steps_is_drawn():
    def first_token():
        X, _ = next(d2l_lstm.seq_data_iter_sequential(np.arange(50), 2, 5))
        return int(X[0, 0])

    assert {first_token() for _ in range(200)} == {0, 1, 2, 3, 4, 5}


@given(**{**SHAPES, "offset": st.integers(0, 5)})
def test_fixed_offset_is_not_random_and_keeps_the_last_minibatch(
    batch_size, num_steps, more, seed, offset
):
    random.seed(seed)
    before = random.getstate()
    corpus = np.arange(offset + batch_size + 1 + more)
    batches = as_lists(
        d2l_lstm.seq_data_iter_sequential(corpus, batch_size, num_steps, offset=offset)
    )
    assert random.getstate() == before
    rows = [[x for X, _ in batches for x in X[b]] for b in range(batch_size)]
    length = (len(corpus) - offset - 1) // batch_size
    assert sum(rows, []) == list(range(offset, offset + batch_size * length))
    widths = [len(X[0]) for X, _ in batches]
    assert all(width == num_steps for width in widths[:-1])
    assert 1 <= widths[-1] <= num_steps


def test_fixed_offset_that_leaves_no_minibatch_is_refused():
    iterator = d2l_lstm.seq_data_iter_sequential(np.arange(8), 2, 3, offset=7)
    with pytest.raises(ValueError, match="the corpus has 8 tokens"):
        next(iterator)


@pytest.mark.parametrize("use_random_iter", [False, True])
@given(batch_size=st.integers(1, 5), num_steps=st.integers(1, 6))
def test_shortest_corpus_gives_a_minibatch_at_every_offset(
    use_random_iter, batch_size, num_steps
):
    size = (batch_size + 1) * num_steps + (not use_random_iter)
    options = dict(use_random_iter=use_random_iter, vocab=None)
    loader = d2l_lstm.SeqDataLoader(
        batch_size, num_steps, corpus=np.arange(size), **options
    )
    for seed in range(8):
        random.seed(seed)
        assert len(as_lists(loader)) >= 1
    with pytest.raises(ValueError, match=f"has {size - 1} tokens"):
        d2l_lstm.SeqDataLoader(
            batch_size, num_steps, corpus=np.arange(size - 1), **options
        )


@pytest.mark.parametrize("use_random_iter", [False, True])
@pytest.mark.parametrize(
    "batch_size, num_steps, message",
    [
        (1000, 35, "the corpus has 10000 tokens, but one minibatch of 1000 sequences"),
        (32, 0, "num_steps is 0"),
        (0, 35, "batch_size is 0"),
        (-2, 35, "batch_size is -2"),
        (32, 2.5, "num_steps is 2.5"),
    ],
)
def test_batch_that_cannot_be_is_one_sentence(
    use_random_iter, batch_size, num_steps, message
):
    with pytest.raises(ValueError, match=message) as error:
        d2l_lstm.load_data_time_machine(batch_size, num_steps, use_random_iter)
    assert "\n" not in str(error.value)
    kind = "random" if use_random_iter else "sequential"
    iterator = getattr(d2l_lstm, f"seq_data_iter_{kind}")
    with pytest.raises(ValueError, match=message):
        next(iterator(np.zeros(10_000, np.uint8), batch_size, num_steps))


def test_sequential_minibatches_are_converted_one_at_a_time(monkeypatch):
    sizes, to_tensor = [], paddle.to_tensor
    monkeypatch.setattr(
        paddle,
        "to_tensor",
        lambda a, *args: sizes.append(a.size) or to_tensor(a, *args),
    )
    iterator = d2l_lstm.seq_data_iter_sequential(np.arange(10_000), 2, 5)
    assert sizes == []
    next(iterator)
    assert sizes == [10, 10]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int64])
@pytest.mark.parametrize("kind", ["random", "sequential"])
def test_minibatches_are_the_same_for_every_integer_type(kind, dtype):
    iterator = getattr(d2l_lstm, f"seq_data_iter_{kind}")
    random.seed(1)
    expected = as_lists(iterator(list(range(200)), 3, 7))
    random.seed(1)
    assert as_lists(iterator(np.arange(200, dtype=dtype), 3, 7)) == expected


def test_an_offset_that_cannot_be_is_one_sentence():
    for offset in (-1, 2.5):
        with pytest.raises(ValueError, match=f"^offset is {offset}; it must be"):
            d2l_lstm.SeqDataLoader(2, 3, corpus=np.arange(99), offset=offset)


# --------------------------------------------------------------------------------------
# Settings


def settings_of(text="the time machine " * 20, batch_size=2, **options):
    corpus, vocab = d2l_lstm.load_corpus(text)
    loader = d2l_lstm.SeqDataLoader(
        batch_size, np.int64(5), corpus=corpus, vocab=vocab, **options
    )
    return loader.settings()


def test_settings_are_what_decides_the_minibatches():
    settings = json.loads(json.dumps(settings_of(offset=3)))
    digest = settings.pop("sha256")
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert settings == {
        "batch_size": 2,
        "num_steps": 5,
        "use_random_iter": False,
        "offset": 3,
        "num_tokens": 339,
    }
    assert settings_of(offset=None, use_random_iter=True)["use_random_iter"] is True


def test_the_text_is_known_by_its_content():
    text = "the time machine " * 20
    digest = settings_of(text)["sha256"]
    assert settings_of(text, batch_size=3, use_random_iter=True)["sha256"] == digest
    assert settings_of(text + "x")["sha256"] != digest
    assert settings_of(text.replace("time", "mite"))["sha256"] != digest
    # The same indices, of other letters.
    assert settings_of(text.replace("t", "z"))["sha256"] != digest


@pytest.mark.parametrize("chunk", [1, 7, 1 << 18])
@pytest.mark.parametrize("dtype", [np.uint16, np.int64, list])
def test_the_digest_is_that_of_the_numbers_not_of_their_type(chunk, dtype, monkeypatch):
    expected = settings_of()["sha256"]
    monkeypatch.setattr(d2l_lstm.batches, "_CHUNK", chunk)
    corpus, vocab = d2l_lstm.load_corpus("the time machine " * 20)
    corpus = corpus.tolist() if dtype is list else corpus.astype(dtype)
    loader = d2l_lstm.SeqDataLoader(2, 5, corpus=corpus, vocab=vocab)
    assert loader.settings()["sha256"] == expected


def test_settings_need_no_vocabulary():
    settings = d2l_lstm.SeqDataLoader(2, 5, corpus=np.arange(99)).settings()
    assert settings["num_tokens"] == 99 and len(settings["sha256"]) == 64


def test_the_digest_is_computed_once_and_in_little_memory(monkeypatch):
    corpus = np.zeros(20_000_000, np.uint8)
    loader = d2l_lstm.SeqDataLoader(2, 5, corpus=corpus)
    tracemalloc.start()
    first = loader.settings()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    monkeypatch.delattr(d2l_lstm.batches, "hashlib")
    assert loader.settings() == first


# --------------------------------------------------------------------------------------
# Splits


def test_splits_are_ten_thousand_characters_and_twice_the_next_three_thousand():
    train, valid, test, vocab = d2l_lstm.load_time_machine_splits(32, 35)
    corpus, whole_vocab = d2l_lstm.load_corpus_time_machine()
    assert train.corpus.tolist() == corpus[:10_000].tolist()
    assert valid.corpus.tolist() == corpus[10_000:13_000].tolist()
    assert test.corpus.tolist() == corpus[13_000:16_000].tolist()
    assert vocab.idx_to_token == whole_vocab.idx_to_token
    assert train.vocab is valid.vocab is test.vocab is vocab


def test_validation_and_test_measure_the_same_tokens_every_time():
    _, *parts, _ = d2l_lstm.load_time_machine_splits(32, 35, use_random_iter=True)
    for part in parts:
        first = as_lists(part)
        assert first == as_lists(part)
        assert sum(len(row) for X, _ in first for row in X) == 2_999 // 32 * 32


@pytest.mark.parametrize("use_random_iter", [False, True])
def test_training_part_is_cut_as_the_book_cuts_it(use_random_iter):
    train, *_ = d2l_lstm.load_time_machine_splits(32, 35, use_random_iter)
    whole, _ = d2l_lstm.load_data_time_machine(32, 35, use_random_iter)
    random.seed(1)
    expected = as_lists(whole)
    random.seed(1)
    assert as_lists(train) == expected


def test_parts_longer_than_the_corpus_are_refused():
    corpus = np.zeros(100, np.uint8)
    with pytest.raises(ValueError, match="90 tokens to train on and 11 to validate"):
        d2l_lstm.split_corpus(corpus, None, 2, 3, 90, 11)


def test_parts_of_less_than_nothing_are_refused():
    corpus = np.zeros(100, np.uint8)
    with pytest.raises(ValueError, match="num_train is -10; it must be"):
        d2l_lstm.split_corpus(corpus, None, 2, 3, -10, 50)
    with pytest.raises(ValueError, match="num_valid is -1; it must be"):
        d2l_lstm.split_corpus(corpus, None, 2, 3, 50, -1)


# --------------------------------------------------------------------------------------
# Size and speed


def test_loading_takes_at_most_four_bytes_a_character_beyond_the_text(long_text):
    tracemalloc.start()
    corpus, vocab = d2l_lstm.load_corpus(long_text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= 4 * len(long_text)
    assert len(corpus) > 9_000_000 and len(vocab) == 28
