"""Counting models of tokens, the yardstick for every network; and file compressors.

An n-gram model is a table: which tokens followed the last `order - 1`, and how often.
Where the table has seen little it asks the table of one token less, and so on down to
the uniform distribution. Kneser and Ney found how the shorter tables have to count.
"""

from __future__ import annotations

import lzma
import math
import zlib
from typing import NamedTuple

import numpy as np

from .batches import seq_data_iter_sequential
from .text import check_whole

_LARGEST = 1 << 31  # entries of a vocabulary: the numbers of n-grams stay below 2**63
_CHUNK = 1 << 14  # tokens of one row measured at a time; scratch memory stays small


class Table(NamedTuple):
    """What was seen after every context of one length.

    A context of k tokens is a number, its place in `contexts`. There it stands, sorted,
    as `place of its last k - 1 tokens * vocab_size + its oldest token`. An n-gram
    stands in `grams`, sorted, as `context * vocab_size + the token that followed`.
    """

    contexts: np.ndarray  # (number of contexts,)
    grams: np.ndarray  # (number of different n-grams,)
    counts: np.ndarray  # (number of different n-grams,)
    totals: np.ndarray  # (number of contexts,): the sum of a context's counts
    followers: np.ndarray  # (number of contexts,): how many of its counts are not 0


def _place(items, wanted):
    """Where each wanted number stands in the sorted items; -1 where it does not."""
    places = np.minimum(np.searchsorted(items, wanted), len(items) - 1)
    return np.where(items[places] == wanted, places, -1)


class KneserNey:
    """Interpolated Kneser–Ney: counts of n-grams that back off to shorter ones.

    After a context u of k - 1 tokens, with c the counts of order k, D the discount and
    u' the context without its oldest token,

        P(w | u) = (max(c(u w) - D, 0) + D * followers(u) * P(w | u')) / c(u),

    where c(u) sums c(u w) over all w and followers(u) is the number of different w
    with a count; P(w | u) = P(w | u') where c(u) is 0. The highest order takes the
    counts of the text. In every lower one c(u w) is the *continuation count*: how many
    different tokens were seen before u w. Below the unigrams P is 1 / vocab_size. A
    context of fewer than `order - 1` tokens starts at the order that it can fill.

    Args:
        corpus: token indices, shape (num_tokens,).
        vocab_size: number of tokens that there are, also those that never occur.
        order: the longest n-grams; a token is predicted from `order - 1` before it.
        discount: what each count gives up, above 0 (at 0, what was not seen would be
            impossible), at most 1 (a count of 1 has no more to give).

    Attributes:
        tables: a `Table` for each order; tables[k - 1] has order k.

    Raises:
        ValueError: for a corpus that is shorter than `order`, not one row, or has
            anything but indices below `vocab_size`; for a discount out of range.

    Source: R. Kneser, H. Ney (1995), Improved backing-off for m-gram language modeling,
    ICASSP, 181–184; in the interpolated form of S. F. Chen, J. Goodman (1999), An
    empirical study of smoothing techniques for language modeling, Computer Speech and
    Language 13, 359–394, with one discount for all counts and orders.
    """

    def __init__(self, corpus, vocab_size: int, order: int, discount: float = 0.75):
        check_whole("vocab_size", vocab_size, 1, _LARGEST)
        check_whole("order", order, 1)
        if not 0 < discount <= 1:
            raise ValueError(f"discount is {discount}; it must be above 0, at most 1.")
        self.vocab_size, self.order = int(vocab_size), int(order)
        self.discount = float(discount)
        corpus = self.as_indices("the corpus", corpus)
        if corpus.ndim != 1 or len(corpus) < order:
            raise ValueError(
                f"the corpus has shape {corpus.shape}; n-grams of order {order} need "
                f"one row of at least {order} tokens."
            )
        ids = np.zeros(len(corpus), np.int64)  # the context of each token
        contexts, starts = [np.zeros(1, np.int64)], [corpus[0]]
        for length in range(1, self.order):
            codes = ids[1:] * self.vocab_size + corpus[: len(corpus) - length]
            found, ids = np.unique(codes, return_inverse=True)
            contexts.append(found)
            starts.append(ids[0] * self.vocab_size + corpus[length])
        grams, counts = np.unique(
            ids * self.vocab_size + corpus[self.order - 1 :], return_counts=True
        )
        self.tables = [_table(contexts.pop(), grams, counts, self.vocab_size)]
        while contexts:  # from the table of one order to that of the order below
            longer, start = self.tables[0], starts[len(contexts) - 1]
            shorter = longer.contexts[longer.grams // self.vocab_size]
            shorter = shorter // self.vocab_size * self.vocab_size  # no oldest token
            codes = np.append(shorter + longer.grams % self.vocab_size, start)
            grams, counts = np.unique(codes, return_counts=True)
            counts[grams == start] -= 1  # nothing stands before the corpus
            self.tables.insert(
                0, _table(contexts.pop(), grams, counts, self.vocab_size)
            )

    def as_indices(self, name: str, tokens) -> np.ndarray:
        """Tokens as int64; a ValueError that names them if one is no index."""
        tokens = np.asarray(tokens)
        tokens = tokens if tokens.size else tokens.astype(np.int64)
        if tokens.dtype.kind not in "iu":
            raise ValueError(f"{name} holds {tokens.dtype}, not indices of tokens.")
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.vocab_size:
            raise ValueError(
                f"{name} has tokens from {tokens.min()} to {tokens.max()}; with "
                f"vocab_size {self.vocab_size} they go from 0 to {self.vocab_size - 1}."
            )
        return tokens.astype(np.int64)

    def _predict(self, history, tokens):
        """P(token | history), the arguments broadcast against each other.

        Args:
            history: shape (..., order - 1), the newest token last, -1 for no token.
            tokens: shape (...).
        """
        p, ids = 1 / self.vocab_size, np.zeros(history.shape[:-1], np.int64)
        for length, table in enumerate(self.tables):
            if length:
                older = history[..., -length]
                codes = np.where(older < 0, -1, ids * self.vocab_size + older)
                ids = _place(table.contexts, codes)  # -1 goes on as -1
            gram = _place(table.grams, ids * self.vocab_size + tokens)
            count = np.where(gram < 0, 0, table.counts[gram])
            total, followers = table.totals[ids], table.followers[ids]
            kept = np.maximum(count - self.discount, 0)
            mixed = kept + self.discount * followers * p
            seen = (ids >= 0) & (total > 0)
            p = np.where(seen, mixed / np.maximum(total, 1), p)
        return p

    def probabilities(self, context=()) -> np.ndarray:
        """How probable each token is after a context.

        Args:
            context: token indices, shape (length,), the newest last. Of more than
                `order - 1` tokens only the last count; there may be fewer, or none.

        Returns:
            Array of shape (vocab_size,) that sums to 1.

        Raises:
            ValueError: for anything but indices below `vocab_size`.
        """
        context = self.as_indices("the context", context).reshape(-1)
        history = np.concatenate([np.full(self.order - 1, -1), context])
        history = history[len(history) - self.order + 1 :]
        return self._predict(history[None], np.arange(self.vocab_size))

    def log_probabilities(self, histories, tokens) -> np.ndarray:
        """log P(token | history), in nats, of many tokens, each after its own history.

        Args:
            histories: token indices, shape (number, order - 1), the newest last; -1
                where there is none, which is only at the beginning of a history.
            tokens: token indices, shape (number,).

        Returns:
            Array of shape (number,).

        Raises:
            ValueError: for arrays of other shapes, or tokens that are no indices below
                `vocab_size`.
        """
        tokens = self.as_indices("tokens", tokens)
        histories = np.asarray(histories, np.int64)
        if histories.shape != (*tokens.shape, self.order - 1):
            raise ValueError(
                f"histories has shape {histories.shape}; for {tokens.size} tokens it "
                f"must be ({tokens.size}, {self.order - 1})."
            )
        if histories.size:
            self.as_indices("histories", np.maximum(histories, 0))
        return np.log(self._predict(histories, tokens))

    def perplexity(self, data) -> float:
        """Perplexity on a text: exp of the mean of -log P, in nats per token.

        Args:
            data: minibatches (X, Y) as a `SeqDataLoader` yields them, each of shape
                (batch_size, num_steps). Every token of Y is predicted from what its row
                has read up to then: X, and the X of earlier minibatches, unless
                `data.use_random_iter` is true. At its start a row has read nothing. So
                exactly those tokens count that count for a network.
                Or one row of token indices, shape (num_tokens,), in which every token
                but the first is predicted.

        Raises:
            ValueError: if there is nothing to predict, or other indices than below
                `vocab_size`.
        """
        if isinstance(data, list) and not isinstance(next(iter(data), 0), tuple):
            data = np.asarray(data)  # numbers, not pairs
        if hasattr(data, "__array__"):
            row = self.as_indices("the text", data)
            if row.ndim != 1 or len(row) < 2:
                raise ValueError(
                    f"the text has shape {row.shape}; to predict one token takes a row "
                    "of at least 2."
                )
            data = seq_data_iter_sequential(row, 1, _CHUNK, offset=0)
        nats, count, past = 0.0, 0, None
        for X, Y in data:
            X, Y = self.as_indices("X", X), self.as_indices("Y", Y)
            if past is None or getattr(data, "use_random_iter", False):
                past = np.full((len(X), self.order - 1), -1)
            if X.ndim != 2 or X.shape != Y.shape or len(past) != len(X):
                raise ValueError(
                    f"X has shape {X.shape}, Y {Y.shape}; both must have the same, "
                    f"(batch_size, num_steps), with {len(past)} rows as at the start."
                )
            read = np.concatenate([past, X], axis=1)
            windows = np.lib.stride_tricks.sliding_window_view(
                read[:, 1:], self.order - 1, axis=1
            )
            nats -= np.log(self._predict(windows, Y)).sum()
            count, past = count + Y.size, read[:, read.shape[1] - self.order + 1 :]
        if not count:
            raise ValueError("the data yields no minibatch; there is nothing to count.")
        return math.exp(nats / count)


def _table(contexts, grams, counts, vocab_size) -> Table:
    context, size = grams // vocab_size, len(contexts)
    totals = np.bincount(context, counts, size).astype(np.int64)
    followers = np.bincount(context, counts > 0, size).astype(np.int64)
    return Table(contexts, grams, counts, totals, followers)


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return packer.compress(data) + packer.flush()


def _lzma(data: bytes) -> bytes:
    best = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=[best])


COMPRESSORS = {"gzip": _gzip, "lzma": _lzma}


def bits_per_character(text: str, before: str = "", method: str = "lzma") -> float:
    """What a file compressor needs for each character of a text after another text.

    The bytes that `text` adds where it is compressed behind `before`, as one file: the
    difference of two lengths, times 8, over the number of characters of `text`. Both
    files are bare streams at the highest level, without the header and checksum of a
    .gz or .xz file. 2 to that power compares with a perplexity. There is one
    difference: a compressor goes on learning while it reads `text`; a model whose
    counts or weights stand still does not.

    Args:
        text: to be measured.
        before: to learn from; with "", the text on its own.
        method: "gzip", which looks back 32 KiB, or "lzma", which looks back 64 MiB.

    Returns:
        Bits per character.

    Raises:
        ValueError: for an empty text, or a method that does not exist.

    Source: D. Benedetto, E. Caglioti, V. Loreto (2002), Language trees and zipping,
    Physical Review Letters 88, 048702, for the difference of lengths.
    """
    if method not in COMPRESSORS:
        raise ValueError(
            f"there is no compressor {method!r}; choose from {', '.join(COMPRESSORS)}."
        )
    if not text:
        raise ValueError("the text is empty; there is no character to measure.")
    compress = COMPRESSORS[method]
    both, alone = (len(compress(part.encode())) for part in (before + text, before))
    return 8 * (both - (alone if before else 0)) / len(text)
