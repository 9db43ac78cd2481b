"""From a text to minibatches: normalising, tokens, vocabulary, corpus, iterators.

The names, argument orders and results are those of the book (d2l, sections "Text
Preprocessing" and "Language Models and the Dataset"). What differs is underneath: the
text is embedded, so nothing needs a network; a corpus is a NumPy array of the smallest
integer type that holds the vocabulary; and no step loops over characters in Python.
"""

from __future__ import annotations

import collections
import random
import re
import unicodedata
from pathlib import Path

import numpy as np
import paddle

# A wheel carries the data inside the package; a checkout has them beside it.
_HERE = Path(__file__).parent
DATA = _HERE / "data" if (_HERE / "data").is_dir() else _HERE.parent / "data"
CHAPTER = DATA / "timemachine_chapter1.txt"
NORMALIZATIONS = ("book", "unicode", "none")
_CHUNK = 1 << 18  # characters handled at a time, so that scratch memory stays small


def read_text(path) -> str:
    """Read a UTF-8 text file.

    A byte order mark is dropped and Windows and old Mac line ends become newlines.

    Raises:
        ValueError: if the file cannot be opened, is not UTF-8, or is empty.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 (byte {error.start} is "
            f"0x{error.object[error.start]:02x}); save it as UTF-8 first."
        ) from None
    if not text:
        raise ValueError(f"{path} is empty; a corpus needs text.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_raw_time_machine(source: str = "chapter") -> str:
    """The Time Machine as printed: the embedded chapter, or the whole book.

    Args:
        source: `'chapter'` (embedded, no network) or `'full'` (downloaded once, its
            SHA-256 checked on every load; see `d2l_lstm.download`).
    """
    if source == "chapter":
        return CHAPTER.read_text(encoding="utf-8")
    if source == "full":
        from .download import fetch_time_machine

        return read_text(fetch_time_machine())
    raise ValueError(f"unknown source {source!r}; choose 'chapter' or 'full'.")


# Every byte becomes a lower-case letter, a newline, or a space.
_BOOK_BYTES = np.full(256, ord(" "), dtype=np.uint8)
_BOOK_BYTES[ord("\n")] = ord("\n")
for _letter in range(ord("a"), ord("z") + 1):
    _BOOK_BYTES[[_letter, _letter - 32]] = _letter
_INSIDE_A_WORD = re.compile("[A-Za-z](?=[A-Za-z])")


def _normalize_book(chunk: str, join: str) -> bytes:
    """Normalise a piece of text as the book does, with masks instead of a loop."""
    a = _BOOK_BYTES[np.frombuffer(chunk.encode("utf-8", "replace"), dtype=np.uint8)]
    # A gap between two words is a run of spaces and newlines. Keep of its spaces only
    # one that directly follows a letter ...
    before = np.concatenate(([np.uint8(10)], a[:-1]))
    a = a[(a != 32) | (before > 32)]
    # ... and that no newline follows: it would end its line.
    after = np.concatenate((a[1:], [np.uint8(10)]))
    a = a[(a != 32) | (after > 32)]
    if join == "":
        a = a[a != 10]
    elif join == " ":
        before = np.concatenate(([np.uint8(10)], a[:-1]))
        after = np.concatenate((a[1:], [np.uint8(10)]))
        a = a[(a != 10) | ((before != 10) & (after != 10)) | (before > 32)]
        a = np.where(a == 10, np.uint8(32), a)
    return a.tobytes()


def normalize_text(text: str, normalization: str = "book", join: str = "") -> str:
    """Bring a text into the form that the model reads.

    Args:
        text: any text.
        normalization:
            `'book'`: every run of other characters than A-Z and a-z becomes a space,
            lines are stripped and lower-cased (d2l, "Text Preprocessing");
            `'unicode'`: NFC, lower case, any run of white space becomes one space: for
            every language; `'none'`: the text as it is.
        join: what stands between two lines under `'book'`. The book has nothing (`''`),
            which fuses the last word of a line with the first of the next ("himwas");
            `' '` repairs that; `'\\n'` keeps the lines apart.

    Returns:
        The normalised text.

    Raises:
        ValueError: for an unknown normalisation or join.
    """
    if normalization == "none":
        return text
    if normalization == "unicode":
        return " ".join(unicodedata.normalize("NFC", text).lower().split())
    if normalization != "book":
        raise ValueError(
            f"unknown normalization {normalization!r}; choose one of "
            f"{', '.join(map(repr, NORMALIZATIONS))}."
        )
    if join not in ("", " ", "\n"):
        raise ValueError(f"join is {join!r}; it must be '', ' ' or '\\n'.")
    pieces, start = bytearray(), 0
    while start < len(text):
        # Between two letters of one word a text can be cut without any effect.
        cut = _INSIDE_A_WORD.search(text, start + _CHUNK)
        stop = cut.end() if cut else len(text)
        pieces += _normalize_book(text[start:stop], join)
        start = stop
    return pieces.decode("ascii").strip(" ")


def read_time_machine(source: str = "chapter") -> list[str]:
    """The lines of The Time Machine: letters in lower case, single spaces.

    Source: d2l, "Text Preprocessing". See `read_raw_time_machine` for `source`.
    """
    text = normalize_text(read_raw_time_machine(source), join="\n")
    return text.removesuffix("\n").split("\n")


def tokenize(lines: list[str], token: str = "word") -> list[list[str]]:
    """Split every line into word or character tokens.

    Raises:
        ValueError: if `token` is neither `'word'` nor `'char'`.
    """
    if token == "word":
        return [line.split() for line in lines]
    if token == "char":
        return [list(line) for line in lines]
    raise ValueError(f"unknown token type {token!r}; choose 'word' or 'char'.")


def count_corpus(tokens) -> collections.Counter:
    """Token frequencies of a list of tokens, a list of lists, or a string's characters.

    Keys stand in the order of first occurrence.
    """
    if isinstance(tokens, str):
        return _count_characters(tokens)
    if len(tokens) == 0 or isinstance(tokens[0], list):
        tokens = [token for line in tokens for token in line]
    return collections.Counter(tokens)


def _code_points(text: str):
    """Yield (start, code points) of a text, a chunk at a time."""
    for start in range(0, len(text), _CHUNK):
        chunk = text[start : start + _CHUNK].encode("utf-32-le", "surrogatepass")
        yield start, np.frombuffer(chunk, dtype="<u4")


def _count_characters(text: str) -> collections.Counter:
    counts, first = collections.Counter(), {}
    for start, codes in _code_points(text):
        in_chunk = np.bincount(codes)
        for code in np.flatnonzero(in_chunk):
            character = chr(code)
            if character not in first:
                first[character] = text.index(character, start)
            counts[character] += int(in_chunk[code])
    in_order = sorted(first, key=first.get)
    return collections.Counter({c: counts[c] for c in in_order})


class Vocab:
    """Tokens and their indices, the most frequent first; index 0 is `<unk>`.

    Source: d2l, "Text Preprocessing". Tokens of equal frequency keep the order in which
    they first occur.

    Args:
        tokens: a list of tokens, a list of lists, a string (its characters), or a
            `Counter`.
        min_freq: rarer tokens are left out and become `<unk>`.
        reserved_tokens: tokens to put after `<unk>`.
    """

    def __init__(self, tokens=None, min_freq=0, reserved_tokens=None):
        if not isinstance(tokens, collections.Counter):
            tokens = count_corpus(tokens if tokens is not None else [])
        self._token_freqs = sorted(tokens.items(), key=lambda x: x[1], reverse=True)
        self.idx_to_token = ["<unk>"] + (reserved_tokens or [])
        known = set(self.idx_to_token)
        self.idx_to_token += [
            token
            for token, freq in self._token_freqs
            if freq >= min_freq and token not in known
        ]
        self.token_to_idx = {token: i for i, token in enumerate(self.idx_to_token)}

    def __len__(self):
        return len(self.idx_to_token)

    def __contains__(self, token):
        return token in self.token_to_idx

    def __getitem__(self, tokens):
        if not isinstance(tokens, (list, tuple)):
            return self.token_to_idx.get(tokens, self.unk)
        return [self[token] for token in tokens]

    def to_tokens(self, indices):
        """The token of an index, or the list of tokens of a list of indices."""
        if not isinstance(indices, (list, tuple)):
            return self.idx_to_token[indices]
        return [self.idx_to_token[index] for index in indices]

    @property
    def unk(self) -> int:
        """Index of the unknown token."""
        return 0

    @property
    def token_freqs(self) -> list[tuple[str, int]]:
        """(token, frequency) pairs, the most frequent first."""
        return self._token_freqs

    @property
    def dtype(self):
        """The smallest unsigned NumPy integer type that holds every index."""
        return np.min_scalar_type(max(len(self) - 1, 0))

    def encode(self, text: str) -> np.ndarray:
        """Indices of a text's characters.

        Returns:
            (len(text),), of type `dtype`; characters outside the vocabulary are 0.
        """
        codes = {ord(t): i for t, i in self.token_to_idx.items() if len(t) == 1}
        table = np.zeros(max(codes, default=0) + 2, dtype=self.dtype)  # last: unknown
        table[list(codes)] = list(codes.values())
        indices = np.empty(len(text), dtype=self.dtype)
        for start, chunk in _code_points(text):
            table.take(chunk, mode="clip", out=indices[start : start + len(chunk)])
        return indices


def load_corpus(
    text: str,
    max_tokens: int = -1,
    *,
    token: str = "char",
    normalization: str = "book",
    join: str = "",
    min_freq: int = 0,
) -> tuple[np.ndarray, Vocab]:
    """Normalise a text and turn it into token indices.

    Args:
        text: any text.
        max_tokens: how many tokens to keep; all if not positive. The vocabulary comes
            from the whole text all the same, as in the book.
        token: `'char'` or `'word'`.
        normalization, join: see `normalize_text`.
        min_freq: see `Vocab`.

    Returns:
        The corpus, (number of tokens,), and its vocabulary.

    Raises:
        ValueError: if nothing is left of the text, or for an unknown option.
    """
    if token not in ("char", "word"):
        raise ValueError(f"unknown token type {token!r}; choose 'word' or 'char'.")
    if token == "word" and normalization == "book":
        join = "\n"  # a word ends where its line ends
    normalized = normalize_text(text, normalization, join)
    if not normalized.strip():
        hint = " It keeps only the letters a to z." if normalization == "book" else ""
        raise ValueError(
            f"the text of {len(text)} characters is empty after the normalization "
            f"{normalization!r}.{hint}"
        )
    if token == "char":
        vocab = Vocab(normalized, min_freq)
        wanted = normalized if max_tokens <= 0 else normalized[:max_tokens]
        return vocab.encode(wanted), vocab
    words = normalized.split()
    vocab = Vocab(words, min_freq)
    wanted = words if max_tokens <= 0 else words[:max_tokens]
    return np.array(vocab[wanted], dtype=vocab.dtype), vocab


def load_corpus_time_machine(
    max_tokens: int = -1,
    *,
    source: str | None = None,
    token: str = "char",
    join: str = "",
) -> tuple[np.ndarray, Vocab]:
    """The Time Machine as token indices, and its vocabulary.

    Without `source` the embedded chapter is used as long as it is long enough, the
    whole book (a download) beyond that. See `load_corpus` for the rest.
    """
    options = {"token": token, "join": join}
    raw = read_raw_time_machine(source or "chapter")
    corpus, vocab = load_corpus(raw, max_tokens, **options)
    if source is None and len(corpus) < max_tokens:
        return load_corpus(read_raw_time_machine("full"), max_tokens, **options)
    return corpus, vocab


def check_batching(batch_size: int, num_steps: int, num_tokens: int, needed: int):
    """Refuse sizes below 1, and a corpus with fewer tokens than are needed.

    Raises:
        ValueError: with the sizes, and what would be right.
    """
    for name, value in (("batch_size", batch_size), ("num_steps", num_steps)):
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a whole number from 1.")
    if num_tokens < needed:
        raise ValueError(
            f"the corpus has {num_tokens} tokens, but one minibatch of {batch_size} "
            f"sequences of {num_steps} steps needs {needed}; choose a smaller "
            "batch_size or num_steps, or a longer text."
        )


def seq_data_iter_random(corpus, batch_size: int, num_steps: int):
    """Minibatches of subsequences in random order (random sampling).

    The corpus is cut from a random offset into pieces of `num_steps`, and the pieces
    are shuffled, so neighbours in a batch are no neighbours in the text.

    Yields:
        X, Y: int64 tensors (batch_size, num_steps); Y is X one token later.

    Source: d2l, "Language Models and the Dataset".
    """
    corpus = np.asarray(corpus)
    needed = (batch_size + 1) * num_steps
    check_batching(batch_size, num_steps, len(corpus), needed)
    corpus = corpus[random.randint(0, num_steps - 1) :]
    num_subseqs = (len(corpus) - 1) // num_steps  # minus 1: the last token is a label
    starts = list(range(0, num_subseqs * num_steps, num_steps))
    random.shuffle(starts)
    steps = np.arange(num_steps)
    for i in range(0, num_subseqs // batch_size * batch_size, batch_size):
        index = np.array(starts[i : i + batch_size])[:, None] + steps
        X, Y = corpus[index], corpus[index + 1]
        yield paddle.to_tensor(X, "int64"), paddle.to_tensor(Y, "int64")


def seq_data_iter_sequential(
    corpus, batch_size: int, num_steps: int, *, offset: int | None = None
):
    """Minibatches that continue each other (sequential partitioning).

    The corpus is cut from an offset into `batch_size` long rows; each minibatch is the
    next `num_steps` columns, so row b of a batch goes on where row b of the one before
    ended, and a state may be carried over.

    Args:
        offset: where to start. By default random from 0 to `num_steps`, both included,
            as in the book, and a last incomplete minibatch is left out. With an
            offset, nothing is random and the last, shorter, minibatch is kept: for
            evaluation.

    Yields:
        X, Y: int64 tensors (batch_size, num_steps); Y is X one token later.

    Source: d2l, "Language Models and the Dataset".
    """
    corpus = np.asarray(corpus)
    fixed = offset is not None
    needed = offset + batch_size + 1 if fixed else (batch_size + 1) * num_steps + 1
    check_batching(batch_size, num_steps, len(corpus), needed)
    offset = offset if fixed else random.randint(0, num_steps)
    length = (len(corpus) - offset - 1) // batch_size
    rows = slice(offset, offset + batch_size * length)
    Xs = paddle.to_tensor(corpus[:-1][rows].reshape(batch_size, length), "int64")
    Ys = paddle.to_tensor(corpus[1:][rows].reshape(batch_size, length), "int64")
    end = length if fixed else length // num_steps * num_steps
    for i in range(0, end, num_steps):
        yield Xs[:, i : i + num_steps], Ys[:, i : i + num_steps]


class SeqDataLoader:
    """An iterable over a corpus that starts afresh, and is cut afresh, every epoch.

    Args:
        batch_size, num_steps: the shape of a minibatch.
        use_random_iter: random sampling instead of sequential partitioning.
        max_tokens: how much of The Time Machine to use, unless `corpus` is given.
        corpus, vocab: a corpus of your own, see `load_corpus`.
        offset: see `seq_data_iter_sequential`; 0 for evaluation.
        **options: for `load_corpus_time_machine`.
    """

    def __init__(
        self,
        batch_size,
        num_steps,
        use_random_iter=False,
        max_tokens=-1,
        *,
        corpus=None,
        vocab=None,
        offset=None,
        **options,
    ):
        if corpus is None:
            corpus, vocab = load_corpus_time_machine(max_tokens, **options)
        self.corpus, self.vocab = corpus, vocab
        self.batch_size, self.num_steps = batch_size, num_steps
        self.use_random_iter, self.offset = use_random_iter, offset
        if use_random_iter and offset is not None:
            raise ValueError("an offset goes with sequential partitioning only.")
        fixed = offset is not None
        shortest = offset + batch_size + 1 if fixed else self._shortest()
        check_batching(batch_size, num_steps, len(corpus), shortest)

    def _shortest(self) -> int:
        """Tokens that give at least one minibatch, whatever the random offset."""
        check_batching(self.batch_size, self.num_steps, 1, 1)
        return (self.batch_size + 1) * self.num_steps + (not self.use_random_iter)

    def __iter__(self):
        if self.use_random_iter:
            return seq_data_iter_random(self.corpus, self.batch_size, self.num_steps)
        return seq_data_iter_sequential(
            self.corpus, self.batch_size, self.num_steps, offset=self.offset
        )


def load_data_time_machine(
    batch_size, num_steps, use_random_iter=False, max_tokens=10000, **options
):
    """The Time Machine as minibatches.

    Args:
        batch_size, num_steps, use_random_iter: see `SeqDataLoader`.
        max_tokens: how many tokens to use; the embedded chapter has 16,263 characters,
            more need the whole book.
        **options: `source`, `token`, `join` of `load_corpus_time_machine`.

    Returns:
        The iterable of minibatches and the vocabulary.

    Source: d2l, "Language Models and the Dataset".
    """
    data_iter = SeqDataLoader(
        batch_size, num_steps, use_random_iter, max_tokens, **options
    )
    return data_iter, data_iter.vocab


def split_corpus(
    corpus, vocab, batch_size, num_steps, num_train, num_valid, use_random_iter=False
):
    """Loaders for the first `num_train` tokens and for the `num_valid` after them.

    The validation loader starts at offset 0 every time and keeps its last minibatch,
    so that every call measures the same tokens.

    Raises:
        ValueError: if the corpus has fewer tokens than the two parts need.
    """
    if num_train + num_valid > len(corpus):
        raise ValueError(
            f"{num_train} tokens to train on and {num_valid} to validate on are more "
            f"than the {len(corpus)} tokens of the corpus."
        )
    train_iter = SeqDataLoader(
        batch_size,
        num_steps,
        use_random_iter,
        corpus=corpus[:num_train],
        vocab=vocab,
    )
    valid_iter = SeqDataLoader(
        batch_size,
        num_steps,
        corpus=corpus[num_train : num_train + num_valid],
        vocab=vocab,
        offset=0,
    )
    return train_iter, valid_iter


def load_time_machine_splits(
    batch_size,
    num_steps,
    use_random_iter=False,
    *,
    num_train=10000,
    num_valid=5000,
    **options,
):
    """The Time Machine to train on, and the text right after it to validate on.

    Returns:
        train_iter, valid_iter, vocab. The first 10,000 characters are those that the
        book trains on; the next 5,000 the book never looks at.
    """
    corpus, vocab = load_corpus_time_machine(num_train + num_valid, **options)
    return *split_corpus(
        corpus, vocab, batch_size, num_steps, num_train, num_valid, use_random_iter
    ), vocab
