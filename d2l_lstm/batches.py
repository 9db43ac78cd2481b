"""From token indices to minibatches: iterators, the data loader, splits.

The names, argument orders and results are those of the book (d2l, "Language Models and
the Dataset").
"""

from __future__ import annotations

import functools
import hashlib
import json
import random

import numpy as np
import paddle

from .text import check_whole, load_corpus_time_machine

_CHUNK = 1 << 18  # tokens hashed at a time, so that scratch memory stays small


def check_batching(batch_size: int, num_steps: int, num_tokens: int, needed: int):
    """Refuse sizes below 1, and a corpus with fewer tokens than are needed.

    Raises:
        ValueError: with the sizes, and what would be right.
    """
    check_whole("batch_size", batch_size, 1)
    check_whole("num_steps", num_steps, 1)
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
    Xs = corpus[:-1][rows].reshape(batch_size, length)
    Ys = corpus[1:][rows].reshape(batch_size, length)
    end = length if fixed else length // num_steps * num_steps
    for i in range(0, end, num_steps):
        X, Y = Xs[:, i : i + num_steps], Ys[:, i : i + num_steps]
        yield paddle.to_tensor(X, "int64"), paddle.to_tensor(Y, "int64")


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
        if offset is not None:
            check_whole("offset", offset, 0)
        fixed = offset is not None
        shortest = offset + batch_size + 1 if fixed else self._shortest()
        check_batching(batch_size, num_steps, len(corpus), shortest)

    def settings(self) -> dict:
        """What the minibatches depend on besides the random numbers; JSON can hold it.

        Returns:
            `batch_size`, `num_steps`, `use_random_iter`, `offset`, `num_tokens`, and
            `sha256`: of the vocabulary's tokens and the corpus's indices (not of their
            integer type), so the same for the same text read in the same way.
        """
        return {
            "batch_size": int(self.batch_size),
            "num_steps": int(self.num_steps),
            "use_random_iter": bool(self.use_random_iter),
            "offset": None if self.offset is None else int(self.offset),
            "num_tokens": len(self.corpus),
            "sha256": self._sha256,
        }

    @functools.cached_property
    def _sha256(self) -> str:
        tokens = None if self.vocab is None else self.vocab.idx_to_token
        digest = hashlib.sha256(json.dumps(tokens).encode())
        for start in range(0, len(self.corpus), _CHUNK):
            chunk = np.asarray(self.corpus[start : start + _CHUNK])
            digest.update(chunk.astype("<u4").tobytes())
        return digest.hexdigest()

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
            more need the whole book. It has 3,071 words.
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
    check_whole("num_train", num_train, 0)
    check_whole("num_valid", num_valid, 0)
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
    num_valid=3000,
    num_test=3000,
    **options,
):
    """The Time Machine in three parts: to train on, to choose on, to judge on.

    What was chosen because it is best on a part looks better on that part than it is:
    epochs and learning rates are chosen on the second, and what was chosen is judged on
    the third, which has no say in it.

    Args:
        batch_size, num_steps, use_random_iter: see `SeqDataLoader`.
        num_train, num_valid, num_test: characters of the parts, one after the other.
        options: of `load_corpus_time_machine`.

    Returns:
        train_iter, valid_iter, test_iter, vocab. The first 10,000 characters are those
        that the book trains on; the rest the book never looks at. The last two start at
        offset 0 every time and keep their last minibatch.

    Raises:
        ValueError: if there is not so much text.
    """
    corpus, vocab = load_corpus_time_machine(
        num_train + num_valid + num_test, **options
    )
    sizes = (vocab, batch_size, num_steps)
    train_iter, valid_iter = split_corpus(
        corpus, *sizes, num_train, num_valid, use_random_iter
    )
    _, test_iter = split_corpus(corpus, *sizes, num_train + num_valid, num_test)
    return train_iter, valid_iter, test_iter, vocab
