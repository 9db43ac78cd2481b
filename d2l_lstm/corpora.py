"""A text larger than memory as a corpus: read in pieces, its token indices in a file.

Two passes over the text: the first counts its tokens, the second writes their indices
to a file in the user's cache folder, which is then mapped into memory, page by page as
minibatches need it. Vocabulary and indices are those that `load_corpus` gives of the
whole text. Both are kept under names made of the text's SHA-256, so that they are made
once, and a text that has changed is another.
"""

from __future__ import annotations

import codecs
import collections
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pooch
from tqdm import tqdm

from .download import data_folder
from .files import kind_of, told, write_whole
from .text import (
    Vocab,
    check_normalization,
    count_corpus,
    normalize_book,
    not_utf8,
    nothing_left,
    tokenize,
)

LARGE = 64 << 20  # bytes from which a text is read in pieces
_PIECE = 1 << 20  # bytes read at a time
_COUNT = 8  # bytes for the number of tokens

# White space and ideographs: before them a text can be cut without any effect on the
# normal form NFC, on lower case (a Greek sigma looks at its neighbours) and on words.
_BEFORE_A_GAP = re.compile(r"(?s:.*)(?=[\s\u3400-\u4dbf\u4e00-\u9fff])")
_INSIDE_A_WORD = re.compile("(?s:.*[A-Za-z](?=[A-Za-z]))")
_NO_LETTERS = re.compile(r"[^A-Za-z\n]+")


def is_large(path) -> bool:
    """Whether a text is to be read in pieces; False for what is no file."""
    try:
        return Path(path).stat().st_size > LARGE
    except (OSError, ValueError):
        return False


def text_pieces(
    path, size: int = _PIECE, done: Callable[[int], object] = int
) -> Iterator[str]:
    """Yield a UTF-8 text file in pieces; together they are `read_text` of it.

    Args:
        path: the file.
        size: bytes to read at a time.
        done: called with the number of bytes that have been read.

    Raises:
        ValueError: if the file cannot be read, is not UTF-8, or is empty.
    """
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder("utf-8")(), translate=True
    )
    before, empty = 0, True
    with told("read", path), open(path, "rb") as file:
        if file.read(3) != codecs.BOM_UTF8:
            file.seek(0)
        raw = None
        while raw != b"":
            raw = file.read(size)
            try:
                text = decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                held = len(error.object) - len(raw)  # of a character begun before
                raise not_utf8(path, error, before - held + error.start) from None
            before, empty = before + len(raw), empty and not text
            done(len(raw))
            yield text
    if empty:
        raise ValueError(f"{path} is empty; a corpus needs text.")


def _cut(pieces: Iterable[str], last_cut: re.Pattern) -> Iterator[str]:
    """The same text in pieces that end where it can be cut."""
    held = ""
    for piece in pieces:
        found = last_cut.match(piece)
        if found:
            yield held + piece[: found.end()]
            held = piece[found.end() :]
        else:
            if last_cut is _INSIDE_A_WORD:  # any run of others is one space
                piece = _NO_LETTERS.sub(" ", piece)
            held += piece
    yield held


def normalized_pieces(
    pieces: Iterable[str], normalization: str, join: str = ""
) -> Iterator[str]:
    """Yield the normalised text in pieces; together they are `normalize_text` of it.

    Args:
        pieces: a text in pieces.
        normalization, join: see `normalize_text`.
    """
    if normalization == "none":
        yield from pieces
    elif normalization == "unicode":
        yield from _single_spaces(
            unicodedata.normalize("NFC", piece).lower()
            for piece in _cut(pieces, _BEFORE_A_GAP)
        )
    else:
        yield from _stripped(
            normalize_book(piece, join).decode("ascii")
            for piece in _cut(pieces, _INSIDE_A_WORD)
        )


def _single_spaces(pieces: Iterable[str]) -> Iterator[str]:
    """`" ".join(text.split())` of a text in pieces."""
    begun = gap = False
    for piece in pieces:
        words = " ".join(piece.split())
        gap = gap or piece[:1].isspace()
        if words:
            yield " " + words if begun and gap else words
            begun, gap = True, piece[-1:].isspace()


def _stripped(pieces: Iterable[str]) -> Iterator[str]:
    """`text.strip(" ")` of a text in pieces."""
    begun, held = False, ""
    for piece in pieces:
        piece = held + piece if begun else piece.lstrip(" ")
        text = piece.rstrip(" ")
        begun, held = begun or bool(piece), piece[len(text) :]
        yield text


def _words(pieces: Iterable[str]) -> Iterator[list[str]]:
    """The words of a text in pieces, which may end inside a word."""
    held = ""
    for piece in pieces:
        piece = held + piece
        words = piece.split()
        held = words.pop() if words and not piece[-1].isspace() else ""
        yield words
    yield [held] if held else []


def _normalized(path, normalization, join, size, doing) -> Iterator[str]:
    """A file's text in normalised pieces, with a bar that says what is being done."""
    with told("read", path):
        length = Path(path).stat().st_size
    with tqdm(
        total=length, desc=doing, unit="B", unit_scale=True, delay=1, leave=False
    ) as bar:
        pieces = text_pieces(path, size, bar.update)
        yield from normalized_pieces(pieces, normalization, join)


def count_large(
    path, token: str, normalization: str, join: str, size: int = _PIECE
) -> collections.Counter:
    """Token frequencies of a text file, in the order of first occurrence.

    Raises:
        ValueError: if the text cannot be read, or nothing is left of it.
    """
    counts = collections.Counter()
    pieces = _normalized(path, normalization, join, size, "counting tokens")
    for part in _words(pieces) if token == "word" else pieces:
        counts.update(count_corpus(part) if part else ())
    if not "".join(counts).strip():
        raise nothing_left(sum(map(len, text_pieces(path, size))), normalization)
    return counts


def _check_unchanged(path, digest: str) -> None:
    """Refuse to keep what was made of a text that is another now."""
    if _sha256(path) != digest:
        raise ValueError(f"{path} has changed while it was read; try again.")


def _encoded(path, vocab: Vocab, size: int, digest: str) -> Iterator[bytes]:
    """The indices of a text's tokens, and at the end their number, as bytes."""
    count = 0
    pieces = _normalized(path, vocab.normalization, vocab.join, size, "writing indices")
    if vocab.token == "word":
        pieces = map(" ".join, _words(pieces))
    for piece in pieces:
        indices = vocab.encode(piece)
        count += len(indices)
        yield indices.tobytes()
    _check_unchanged(path, digest)
    yield count.to_bytes(_COUNT, "little")


def _kept_indices(file: Path, vocab: Vocab) -> np.ndarray | None:
    """The indices in a file, None if there are none or they are not of `vocab`."""
    with told("read", file):
        if kind_of(file) != "a file":
            return None
        raw = np.memmap(file, np.uint8, mode="r") if file.stat().st_size else b""
        indices, count = raw[:-_COUNT], bytes(raw[-_COUNT:])
    size = int.from_bytes(count, "little") * vocab.dtype.itemsize
    if len(raw) < _COUNT or size != len(indices):
        return None
    indices = np.asarray(indices).view(vocab.dtype)
    parts = (indices[i : i + _PIECE] for i in range(0, len(indices), _PIECE))
    return indices if all(part.max() < len(vocab) for part in parts) else None


def _kept_in(folder, *made_of) -> Path:
    """The path, without a suffix, for what is made of these facts."""
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
    return Path(folder or data_folder() / "corpora") / key[:32]


def encode_large(
    path, vocab: Vocab, *, folder=None, digest: str | None = None, size: int = _PIECE
) -> np.ndarray:
    """Indices of a text file's tokens, mapped from a file that is made if need be.

    Args:
        path: the text.
        vocab: says how it is read, too.
        folder: where the indices are kept; by default in the user's cache folder, or
            in `$D2L_LSTM_DATA`.
        digest: the text's SHA-256, if it is known already.
        size: bytes of text to read at a time.

    Returns:
        (number of tokens,), of type `vocab.dtype`; read only.

    Raises:
        ValueError: if the text cannot be read, or the indices not be written.
    """
    digest = digest or _sha256(path)
    form = (vocab.token, vocab.normalization, vocab.join)
    file = _kept_in(folder, digest, form, vocab.idx_to_token).with_suffix(".indices")
    kept = _kept_indices(file, vocab)
    if kept is None:
        write_whole(file, _encoded(path, vocab, size, digest))
        kept = _kept_indices(file, vocab)
    return kept


def load_large_corpus(
    path,
    max_tokens: int = -1,
    *,
    token: str = "char",
    normalization: str = "book",
    join: str = "",
    min_freq: int = 0,
    folder=None,
    size: int = _PIECE,
) -> tuple[np.ndarray, Vocab]:
    """`load_corpus` of a text file that need not fit into memory.

    Args:
        path: the text, UTF-8.
        max_tokens, token, normalization, join, min_freq: see `load_corpus`.
        folder, size: see `encode_large`.

    Returns:
        The corpus, (number of tokens,), mapped from a file, and its vocabulary.

    Raises:
        ValueError: if the text cannot be read or nothing is left of it, if the indices
            cannot be written, or for an unknown option.
    """
    check_normalization(normalization, join)
    tokenize([], token)  # refuses an unknown type
    if token == "word" and normalization == "book":
        join = "\n"  # a word ends where its line ends
    digest, form = _sha256(path), (token, normalization, join)
    file = _kept_in(folder, digest, form).with_suffix(".counts")
    counts = _kept_counts(file)
    if counts is None:
        counts = count_large(path, *form, size)
        _check_unchanged(path, digest)
        write_whole(file, json.dumps(list(counts.items())).encode())
    vocab = Vocab(counts, min_freq, token=token, normalization=normalization, join=join)
    corpus = encode_large(path, vocab, folder=folder, digest=digest, size=size)
    return (corpus[:max_tokens] if max_tokens > 0 else corpus), vocab


def _sha256(path) -> str:
    with told("read", path):
        return pooch.file_hash(str(path))


def _kept_counts(file: Path) -> collections.Counter | None:
    """The counts in a file, None if there are none."""
    try:
        pairs = msgspec.json.decode(file.read_bytes(), type=list[tuple[str, int]])
    except (OSError, ValueError, msgspec.DecodeError):
        return None
    counts = collections.Counter(dict(pairs))
    return counts if counts and min(counts.values()) > 0 else None
