"""Sequences that there are a fixed number of: images, texts, anything that is read.

    images, digits = load_images()
    rows = read_images(images)
    train_iter = SequenceLoader(rows, digits, batch_size=50, seed=0)

X is (num_steps, number of sequences, d): time first, as recurrent layers here read it.
What is of different lengths is filled up by `pad`.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import paddle

from .models import checked_lengths
from .text import check_whole


class SequenceLoader:
    """Minibatches of sequences that are there already, in a new order each time.

    Args:
        X: (num_steps, number of sequences, d).
        y: (number of sequences,), or (number of sequences, outputs).
        batch_size: n; the last minibatch may have fewer.
        lengths: (number of sequences,), their lengths where they differ.
        seed: of the order; None for the order in which they stand, every time.

    Yields X (num_steps, n, d), lengths (n,) if there are any, and y, as tensors.

    Raises:
        ValueError: for an `X` or `y` of another shape or without content, different
            numbers of sequences, or a length below 1 or above num_steps.
    """

    def __init__(self, X, y, batch_size: int, lengths=None, seed: int | None = None):
        check_whole("batch_size", batch_size, 1)
        X, y = np.asarray(X), np.asarray(y)
        if X.ndim != 3 or not X.size:
            raise ValueError(
                f"X has the shape {X.shape}; it must be (num_steps, number of "
                "sequences, d), none of them 0."
            )
        if y.ndim < 1:
            raise ValueError(
                f"y has the shape {y.shape}; it must be (number of sequences,), or "
                "(number of sequences, outputs)."
            )
        if X.shape[1] != len(y):
            raise ValueError(
                f"X has {X.shape[1]} sequences, and y has answers for {len(y)}; it "
                "must be one number."
            )
        if lengths is not None:
            lengths = checked_lengths("lengths", lengths, X)
        self.X, self.y, self.lengths = X, y, lengths
        self.batch_size = batch_size
        self._rng = None if seed is None else np.random.default_rng(seed)

    def __len__(self):
        return -(-len(self.y) // self.batch_size)

    def __iter__(self):
        count = len(self.y)
        order = np.arange(count) if self._rng is None else self._rng.permutation(count)
        for i in range(0, count, self.batch_size):
            rows = order[i : i + self.batch_size]
            lengths = [] if self.lengths is None else [self.lengths[rows]]
            parts = (self.X[:, rows], *lengths, self.y[rows])
            yield tuple(map(paddle.to_tensor, parts))


def pad(sequences, at: str = "end"):
    """Sequences of different lengths in one array, filled up with zeros.

    Args:
        sequences: arrays or lists (T_i, d) with one d.
        at: "end", or "begin" for zeros in front.

    Returns:
        X (T, number of sequences, d), float32, with the largest T_i as T, and their
        lengths, int64. A recurrent layer that is given the lengths reads from the
        first step on: they go with zeros at the end only.

    Raises:
        ValueError: for another place, no sequence, an empty one, or different d.
    """
    check_place(at)
    sequences = as_arrays(sequences)  # of the shapes (T_i, d)
    lengths = np.array([len(sequence) for sequence in sequences], "int64")
    X = np.zeros((lengths.max(), len(lengths), sequences[0].shape[1]), "float32")
    for i, sequence in enumerate(sequences):
        first = len(X) - len(sequence) if at == "begin" else 0
        X[first : first + len(sequence), i] = sequence
    return X, lengths


def check_place(at: str) -> None:
    """Refuse a place for zeros that there is not, with a ValueError."""
    if at not in ("begin", "end"):
        raise ValueError(f"at is {at!r}; it must be 'begin' or 'end'.")


def as_arrays(sequences) -> list[np.ndarray]:
    """Sequences as arrays (T_i, d), T_i and d from 1 on, one d for all.

    Raises:
        ValueError: for others, or none.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    shapes = {array.shape for array in arrays}
    good = all(len(shape) == 2 and min(shape) > 0 for shape in shapes)
    if not good or len({shape[1] for shape in shapes}) != 1:
        few = ", ".join(map(str, sorted(shapes)[:3])) or "none"
        raise ValueError(
            f"shapes of the sequences: {few}; they must be (steps, d), at least one "
            "step, and one d for all."
        )
    return arrays


# --------------------------------------------------------------------------------------
# Images as sequences


def load_images(name: str = "digits", folder=None, part: str = "train"):
    """Images of handwritten digits.

    Args:
        name: "digits", 1,797 images that come with scikit-learn, in their order there;
            or "mnist", from files that the reader has.
        folder: where MNIST's files are, by their usual names, such as
            train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz.
        part: of MNIST: "train" or "test".

    Returns:
        Images (n, height, width), float32, from 0 (paper) to 16 (ink); MNIST's, which
        go to 255, on the same scale. And the digits (n,), int64.

    Raises:
        ModuleNotFoundError: without scikit-learn.
        FileNotFoundError: without MNIST's files.
        ValueError: for another name or part, or damaged files.

    Source: digits: Alpaydin & Kaynak 1998, the test set of "Optical recognition of
    handwritten digits", UCI Machine Learning Repository. MNIST: LeCun, Bottou, Bengio &
    Haffner 1998.
    """
    if name == "digits":
        return _scikit_learn_digits()
    if name != "mnist":
        raise ValueError(f"name is {name!r}; it must be 'digits' or 'mnist'.")
    if part not in ("train", "test"):
        raise ValueError(f"part is {part!r}; it must be 'train' or 'test'.")
    files = [
        Path(folder or ".") / f"{'train' if part == 'train' else 't10k'}-{kind}.gz"
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is not there; MNIST is not downloaded here, put its four "
                "files into a folder and name it."
            )
    return _mnist(files, part)


def _mnist(files, part):
    from paddle.vision.datasets import MNIST

    try:
        data = MNIST(*map(str, files), mode=part, download=False, backend="cv2")
        images = np.stack([np.reshape(image, (28, 28)) for image in data.images])
        labels = np.array([np.ravel(label)[0] for label in data.labels], "int64")
        if len(images) != len(labels) or labels.max() > 9:
            raise ValueError("its labels are no digits of its images")
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise ValueError(
            f"{files[0]} and {files[1].name} are damaged, or not MNIST's: {error}."
        ) from None
    return images.astype("float32") * np.float32(16 / 255), labels


def _scikit_learn_digits():
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the digits come with scikit-learn, which is not installed; "
            "pip install scikit-learn."
        ) from None
    data = load_digits()
    return data.images.astype("float32"), data.target.astype("int64")


def read_images(images, by: str = "rows"):
    """Images as sequences: what is read at each step, from top left on.

    Args:
        images: (n, height, width).
        by: "rows", a row at a step; "columns"; or "pixels", a pixel at a step, row by
            row.

    Returns:
        (height, n, width), (width, n, height) or (height * width, n, 1): time first.

    Raises:
        ValueError: for another way, or images of another form.
    """
    images = np.asarray(images)
    if images.ndim != 3:
        raise ValueError(
            f"the images have the shape {images.shape}; it must be (n, height, width)."
        )
    if by not in ("rows", "columns", "pixels"):
        raise ValueError(f"by is {by!r}; it must be 'rows', 'columns' or 'pixels'.")
    n, height, width = images.shape
    if by == "rows":
        X = images.transpose(1, 0, 2)
    elif by == "columns":
        X = images.transpose(2, 0, 1)
    else:
        X = images.reshape(n, height * width).T[..., None]
    return np.ascontiguousarray(X)
