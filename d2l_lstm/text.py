"""From a text to token indices: normalising, tokens, vocabulary, corpus.

The names, argument orders and results are those of the book (d2l, "Text
Preprocessing"). What differs is underneath: the text is embedded, so nothing needs a
network; a corpus is a NumPy array of the smallest integer type that holds the
vocabulary; and no step loops over characters in Python.
"""

from __future__ import annotations

import collections
import re
import unicodedata
from pathlib import Path

import numpy as np

# A wheel carries the data inside the package; a checkout has them beside it.
_HERE = Path(__file__).parent
DATA = _HERE / "data" if (_HERE / "data").is_dir() else _HERE.parent / "data"
CHAPTER = DATA / "timemachine_chapter1.txt"
NORMALIZATIONS = ("book", "unicode", "none")
_CHUNK = 1 << 18  # characters handled at a time, so that scratch memory stays small


def check_whole(name: str, value, least: int, most: int | None = None) -> None:
    """Refuse what is not a whole number from `least`, to `most` if given.

    Raises:
        ValueError: with the name, the value, and the bounds.
    """
    whole = isinstance(value, (int, np.integer))
    if not whole or value < least or (most is not None and value > most):
        bounds = f"from {least}" + (f" to {most}" if most is not None else "")
        raise ValueError(f"{name} is {value}; it must be a whole number {bounds}.")


def not_utf8(path, error: UnicodeDecodeError, place: int) -> ValueError:
    """What to raise for a file with a byte, at this place, that is no UTF-8."""
    return ValueError(
        f"{path} is not UTF-8 (byte {place} is "
        f"0x{error.object[error.start]:02x}); save it as UTF-8 first."
    )


def nothing_left(length: int, normalization: str) -> ValueError:
    """What to raise for a text of so many characters that leaves no tokens."""
    hint = " It keeps only the letters a to z." if normalization == "book" else ""
    return ValueError(
        f"the text of {length} characters is empty after the normalization "
        f"{normalization!r}.{hint}"
    )


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
        raise not_utf8(path, error, error.start) from None
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


def normalize_book(chunk: str, join: str) -> bytes:
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


def check_normalization(normalization: str, join: str) -> None:
    """Refuse with a ValueError a normalization or a `join` that does not exist."""
    if normalization not in NORMALIZATIONS:
        raise ValueError(
            f"unknown normalization {normalization!r}; choose one of "
            f"{', '.join(map(repr, NORMALIZATIONS))}."
        )
    if join not in ("", " ", "\n"):
        raise ValueError(f"join is {join!r}; it must be '', ' ' or '\\n'.")


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
    check_normalization(normalization, join)
    if normalization == "none":
        return text
    if normalization == "unicode":
        return " ".join(unicodedata.normalize("NFC", text).lower().split())
    pieces, start = bytearray(), 0
    while start < len(text):
        # Between two letters of one word a text can be cut without any effect.
        cut = _INSIDE_A_WORD.search(text, start + _CHUNK)
        stop = cut.end() if cut else len(text)
        pieces += normalize_book(text[start:stop], join)
        start = stop
    return pieces.decode("ascii").strip(" ")


# C0 without the newline, DEL, C1, line separators, what reorders, lone surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
    "\ud800-\udfff]"
)


def printable(text: str) -> str:
    """A text that cannot drive a terminal, whoever's tokens it is made of.

    Control characters other than the newline, characters that change the direction of
    writing, and lone surrogates become escapes, such as `\\x1b`.
    """
    return _UNPRINTABLE.sub(lambda c: c[0].encode("unicode_escape").decode(), text)


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
    """A model's text: its tokens by index, and how a text is brought into their form.

    The most frequent token comes first; index 0 is `<unk>`. Tokens of equal frequency
    keep the order in which they first occur. Source: d2l, "Text Preprocessing".

    Args:
        tokens: a list of tokens, a list of lists, a string (its characters), or a
            `Counter`.
        min_freq: rarer tokens are left out and become `<unk>`.
        reserved_tokens: tokens to put after `<unk>`.
        token: `'char'` or `'word'`; by default what the tokens are.
        normalization, join: what was done to the text, see `normalize_text`. A text
            that is to be read by the same model goes through `normalize`, the
            beginning of one through `prefix`.

    Raises:
        ValueError: for an unknown token type, normalization or join.
    """

    def __init__(
        self,
        tokens=None,
        min_freq=0,
        reserved_tokens=None,
        *,
        token=None,
        normalization="none",
        join="",
    ):
        check_normalization(normalization, join)
        self.normalization, self.join = normalization, join
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
        is_char = all(len(token) == 1 for token in tokens)
        self.token = token or ("char" if is_char else "word")
        tokenize([], self.token)  # refuses an unknown type

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

    def normalize(self, text: str) -> str:
        """A whole text in the form of the text that the vocabulary was made of."""
        return normalize_text(text, self.normalization, self.join)

    def prefix(self, text: str) -> str:
        """The beginning of a text in the form that the model reads.

        It differs from `normalize` in what is open at both ends: white space there
        stays, as one space. Under `'book'` each run of other characters than letters
        is one space, line ends too, unless lines are kept apart (`join='\\n'`).
        """
        if self.normalization == "none":
            return text
        if self.normalization == "unicode":
            return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text).lower())
        ends = "\n" if self.join == "\n" else ""

        def gap(run):
            return ends * run[0].count("\n") or " "

        return re.sub("[^A-Za-z]+", gap, text).lower()

    @property
    def separator(self) -> str:
        """What stands between two tokens of a text: nothing, or a space for words."""
        return "" if self.token == "char" else " "

    def encode(self, text: str) -> np.ndarray:
        """Indices of a normalised text's tokens: its characters or its words.

        Returns:
            (number of tokens,), of type `dtype`; tokens outside the vocabulary are 0.
        """
        if self.token == "word":
            return np.array(self[text.split()], dtype=self.dtype)
        codes = {ord(t): i for t, i in self.token_to_idx.items() if len(t) == 1}
        table = np.zeros(max(codes, default=0) + 2, dtype=self.dtype)  # last: unknown
        table[list(codes)] = list(codes.values())
        indices = np.empty(len(text), dtype=self.dtype)
        for start, chunk in _code_points(text):
            table.take(chunk, mode="clip", out=indices[start : start + len(chunk)])
        return indices

    def decode(self, indices) -> str:
        """The text of a sequence of indices; undoes `encode`, but for `<unk>`."""
        return self.separator.join([self.idx_to_token[index] for index in indices])


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
    if token == "word" and normalization == "book":
        join = "\n"  # a word ends where its line ends
    normalized = normalize_text(text, normalization, join)
    if not normalized.strip():
        raise nothing_left(len(text), normalization)
    tokens = normalized if token == "char" else normalized.split()
    vocab = Vocab(tokens, min_freq, token=token, normalization=normalization, join=join)
    corpus = vocab.encode(normalized)
    return (corpus[:max_tokens] if max_tokens > 0 else corpus), vocab


def load_corpus_time_machine(
    max_tokens: int = -1,
    *,
    source: str | None = None,
    token: str = "char",
    join: str = "",
) -> tuple[np.ndarray, Vocab]:
    """The Time Machine as token indices, and its vocabulary.

    Without `source` the embedded chapter is used, and the whole book (a download) for
    more characters than the chapter has. Words are always those of the chapter then:
    all 3,071 of them if fewer are there than `max_tokens`. See `load_corpus` for the
    rest.
    """
    options = {"token": token, "join": join}
    raw = read_raw_time_machine(source or "chapter")
    corpus, vocab = load_corpus(raw, max_tokens, **options)
    if source is None and token == "char" and len(corpus) < max_tokens:
        return load_corpus(read_raw_time_machine("full"), max_tokens, **options)
    return corpus, vocab
