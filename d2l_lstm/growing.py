"""A Kneser–Ney table that goes on counting while it reads.

The fair rival of a network that goes on learning while it reads: every token is
predicted from what was counted before it, and counted then. The probabilities are those
of `ngrams.KneserNey`, which counts a text once and for all; here a token is added to
the counts in a few steps.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np

from .ngrams import KneserNey


class _After:
    """What was counted after one context: token to count, and the sum."""

    __slots__ = ("counts", "total")

    def __init__(self):
        self.counts, self.total = defaultdict(int), 0

    def add(self, token: int) -> None:
        self.counts[token] += 1
        self.total += 1


class GrowingTable:
    """Interpolated Kneser–Ney, see `ngrams.KneserNey`, of counts that may grow.

    Args:
        corpus, vocab_size, order, discount: see `KneserNey`.

    Raises:
        ValueError: as `KneserNey`.
    """

    def __init__(self, corpus, vocab_size: int, order: int, discount: float = 0.75):
        checked = KneserNey(corpus, vocab_size, order, discount)
        self.vocab_size, self.order = checked.vocab_size, checked.order
        self.discount, self._as_indices = checked.discount, checked.as_indices
        self.corpus = self._as_indices("the corpus", corpus)
        # By the number of tokens in a context: context to what came after it.
        self._after = [defaultdict(_After) for _ in range(self.order)]
        self._seen: set[tuple[int, ...]] = set()  # n-grams of every length
        self._grow(self.corpus.tolist())

    def add(self, last: tuple[int, ...]) -> None:
        """Count the newest token of a text.

        Args:
            last: it and what stands before it, up to `order` tokens, the newest last.

        An n-gram of the highest order counts each time. A shorter one counts once for
        each different token before it: when the n-gram that is longer by that token is
        seen for the first time. Where one has been seen, all shorter ones were.
        """
        if len(last) == self.order:
            self._after[-1][last[:-1]].add(last[-1])
        for gram in (last[i:] for i in range(len(last))):
            if gram in self._seen:
                break
            self._seen.add(gram)
            if len(gram) > 1:
                self._after[len(gram) - 2][gram[1:-1]].add(gram[-1])

    def probability(self, context: tuple[int, ...], token: int) -> float:
        """P(token | context), of up to `order - 1` tokens, the newest last."""
        p = 1 / self.vocab_size
        for length in range(min(len(context), self.order - 1) + 1):
            after = self._after[length].get(context[len(context) - length :])
            if after is None:
                break  # nor was a longer context seen
            if after.total:
                kept = max(after.counts.get(token, 0) - self.discount, 0)
                p = (kept + self.discount * len(after.counts) * p) / after.total
        return p

    def _grow(self, tokens: list[int], start: int = 0) -> None:
        for i in range(start, len(tokens)):
            self.add(tuple(tokens[max(0, i - self.order + 1) : i + 1]))

    def read(self, corpus, learn: bool = True) -> np.ndarray:
        """How probable every token of a text was just before it was read.

        The text stands on its own: its first token is given, and what the table has
        learnt from does not stand before it. The table itself stays as it is; each
        reading begins from it.

        Args:
            corpus: token indices, shape (num_tokens,).
            learn: count each token after it was predicted.

        Returns:
            (num_tokens - 1,), of every token but the first.

        Raises:
            ValueError: for fewer than 2 tokens, or other indices than below
                `vocab_size`.
        """
        tokens = self._as_indices("the text", corpus)
        if tokens.ndim != 1 or len(tokens) < 2:
            raise ValueError(
                f"the text has shape {tokens.shape}; to predict one token takes a row "
                "of at least 2."
            )
        table, tokens = self, tokens.tolist()
        if learn:  # counts of its own
            table = GrowingTable(
                self.corpus, self.vocab_size, self.order, self.discount
            )
            table.add((tokens[0],))
        found = []
        for i in range(1, len(tokens)):
            last = tuple(tokens[max(0, i - self.order + 1) : i + 1])
            found.append(table.probability(last[:-1], last[-1]))
            if learn:
                table.add(last)
        return np.array(found)


def choose_table(
    corpus, vocab_size: int, text, orders, discounts, learn: bool = False
) -> tuple[GrowingTable, dict[tuple[int, float], float]]:
    """The table of the order and the discount with which a text is predicted best.

    Args:
        corpus: to learn from.
        text: to choose on, token indices.
        orders, discounts: to be tried, each with each.
        learn: while reading, see `GrowingTable.read`.

    Returns:
        The table, and (order, discount) to mean cross-entropy in nats per token.
    """
    tables, scores = {}, {}
    for order, discount in itertools.product(orders, discounts):
        table = GrowingTable(corpus, vocab_size, order, discount)
        tables[order, discount] = table
        scores[order, discount] = float(-np.log(table.read(text, learn)).mean())
    return tables[min(scores, key=scores.get)], scores
