"""Sequences that are there: minibatches, padding, images read step by step."""

import gzip
import struct
import sys

import d2l_lstm as d2l
import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paddle import nn


def numbered(count, T=3):
    """Sequences whose every number is that of the sequence."""
    return np.broadcast_to(np.arange(count, dtype="float32")[:, None], (T, count, 1))


def test_a_sequence_loader_yields_each_sequence_once_with_what_belongs_to_it():
    lengths = np.arange(7) % 3 + 1
    loader = d2l.SequenceLoader(numbered(7), np.arange(7), 3, lengths, seed=0)
    assert len(loader) == 3
    orders = []
    for _ in range(2):
        seen = []
        for X, length, y in loader:
            assert X.shape[0] == 3 and (X[0, :, 0].numpy() == y.numpy()).all()
            np.testing.assert_array_equal(length.numpy(), lengths[y.numpy()])
            seen += y.tolist()
        assert sorted(seen) == list(range(7))
        orders.append(seen)
    assert orders[0] != orders[1]


def test_a_sequence_loader_without_a_seed_keeps_the_order():
    loader = d2l.SequenceLoader(numbered(5), np.arange(5), 2)
    for _ in range(2):
        assert [len(y) for _, y in loader] == [2, 2, 1]
        assert [i for _, y in loader for i in y.tolist()] == list(range(5))


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 99), st.data())
def test_every_epoch_has_each_sequence_once_in_full_minibatches(
    count, batch_size, seed, data
):
    seed = data.draw(st.sampled_from([None, seed]))
    told = data.draw(st.booleans())
    lengths = (np.arange(count) % 3 + 1).tolist() if told else None
    loader = d2l.SequenceLoader(
        numbered(count), list(range(count)), batch_size, lengths, seed
    )
    for _ in range(2):
        minibatches = list(loader)
        assert len(minibatches) == len(loader)
        sizes = [len(y) for *_, y in minibatches]
        assert set(sizes[:-1]) <= {batch_size} and 1 <= sizes[-1] <= batch_size
        assert sorted(i for *_, y in minibatches for i in y.tolist()) == [*range(count)]
        for X, *length, y in minibatches:
            assert (X[:, :, 0].numpy() == y.numpy()).all() and len(length) == told
            if told:
                assert (length[0] == y % 3 + 1).all()


def test_a_loader_takes_lists_and_tensors_as_well():
    X = paddle.to_tensor(numbered(2))
    for sequences in (X, X.tolist()):
        ((inputs, length, y),) = d2l.SequenceLoader(sequences, [4, 5], 2, [3, 1])
        assert inputs.shape == [3, 2, 1] and y.tolist() == [4, 5]
        assert length.tolist() == [3, 1] and length.dtype == paddle.int64


def test_a_sequence_loader_of_what_does_not_belong_together_is_refused():
    with pytest.raises(ValueError, match="X has 5 sequences, and y has answers for 4"):
        d2l.SequenceLoader(numbered(5), np.arange(4), 2)
    with pytest.raises(ValueError, match="batch_size is 0"):
        d2l.SequenceLoader(numbered(5), np.arange(5), 0)


@pytest.mark.parametrize("shape", [(5,), (3, 5), (3, 5, 1, 1), (0, 5, 1), (3, 0, 1)])
def test_a_sequence_loader_of_another_form_or_of_nothing_is_refused(shape):
    with pytest.raises(ValueError, match=r"X has the shape \(.*must be \(num_steps"):
        d2l.SequenceLoader(np.ones(shape), np.arange(5), 2)


def test_answers_that_are_one_number_for_all_are_refused():
    with pytest.raises(ValueError, match=r"y has the shape \(\)"):
        d2l.SequenceLoader(numbered(5), 3, 2)


@pytest.mark.parametrize(
    "lengths, said",
    [
        ([0, 1, 1, 1, 1], "from 0 to 1"),
        ([4, 1, 1, 1, 1], "from 1 to 4"),
        ([1.5, 1, 1, 1, 1], "of dtype float64"),
        ([1, 1, 1], r"of the shape \(3,\)"),
        (3, r"of the shape \(\)"),
        (np.ones((5, 1), int), r"of the shape \(5, 1\)"),
    ],
)
def test_a_sequence_loader_refuses_lengths_that_cannot_be(lengths, said):
    with pytest.raises(ValueError, match=f"lengths {said}"):
        d2l.SequenceLoader(numbered(5), np.arange(5), 2, lengths)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_padding_adds_zeros_and_nothing_else(sizes):
    sequences = [np.full((size, 2), i + 1.0) for i, size in enumerate(sizes)]
    for at in ("begin", "end"):
        X, lengths = d2l.pad(sequences, at)
        assert X.shape == (max(sizes), len(sizes), 2) and X.dtype == np.float32
        assert lengths.tolist() == sizes and lengths.dtype == np.int64
        for i, size in enumerate(sizes):
            kept = X[:size, i] if at == "end" else X[len(X) - size :, i]
            assert (kept == i + 1).all() and (X[:, i] != 0).all(-1).sum() == size


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 99))
def test_a_padded_sequence_is_answered_as_if_it_came_alone(sizes, seed):
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(size=(size, 2)).astype("float32") for size in sizes]
    X, lengths = (paddle.to_tensor(part) for part in d2l.pad(sequences))
    for pooling in ("last", "mean", "max"):
        layer = nn.LSTM(2, 3, direction="bidirect", time_major=True)
        net = d2l.SequenceModel(layer, 2, pooling=pooling)
        alone = [net(paddle.to_tensor(x[:, None]))[0].numpy() for x in sequences]
        np.testing.assert_allclose(net(X, lengths).numpy(), alone, atol=1e-6)


def test_lists_and_tensors_are_padded_too():
    for pair in ([[[1], [2]], [[3]]], [paddle.ones([2, 1]), paddle.ones([1, 1])]):
        X, lengths = d2l.pad(pair)
        assert X.shape == (2, 2, 1) and lengths.tolist() == [2, 1] and X[1, 1] == 0
    X, _ = d2l.pad(np.ones((1, 2)) for _ in range(3))
    assert X.shape == (1, 3, 2)


@pytest.mark.parametrize("at", ["left", None, ["end"]])
def test_padding_elsewhere_is_refused(at):
    with pytest.raises(ValueError, match="at is .*it must be 'begin' or 'end'"):
        d2l.pad([np.ones((2, 1))], at)


@pytest.mark.parametrize(
    "sequences, shapes",
    [
        ([], "none"),
        ([np.ones((0, 1))], r"\(0, 1\)"),
        ([np.ones((2, 0))], r"\(2, 0\)"),
        ([[1, 2, 3], [1, 2]], r"\(2,\), \(3,\)"),
        (["ab", "c"], r"\(\)"),
        ([np.ones((2, 3)), np.ones((1, 1))], r"\(1, 1\), \(2, 3\)"),
        ([np.ones((2, 3)), np.ones(3)], r"\(2, 3\), \(3,\)"),
        ([np.ones((2, 3, 4))], r"\(2, 3, 4\)"),
    ],
)
def test_what_is_no_sequence_of_inputs_is_not_padded(sequences, shapes):
    with pytest.raises(ValueError, match=f"shapes of the sequences: {shapes}; they"):
        d2l.pad(sequences)


# --------------------------------------------------------------------------------------
# Images


def test_images_are_read_from_the_top_left():
    images = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    rows, columns = d2l.read_images(images), d2l.read_images(images, "columns")
    pixels = d2l.read_images(images, by="pixels")
    assert (rows.shape, columns.shape) == ((3, 2, 4), (4, 2, 3))
    assert pixels.shape == (12, 2, 1)
    np.testing.assert_array_equal(rows[0, 1], [12, 13, 14, 15])
    np.testing.assert_array_equal(columns[1, 0], [1, 5, 9])
    np.testing.assert_array_equal(pixels[:, 0, 0], range(12))


@given(*[st.integers(0, 4)] * 3)
def test_images_of_every_size_lose_nothing(n, height, width):
    images = np.random.default_rng(0).random((n, height, width))
    shapes = {
        "rows": (height, n, width),
        "columns": (width, n, height),
        "pixels": (height * width, n, 1),
    }
    for by, shape in shapes.items():
        X = d2l.read_images(images, by)
        assert X.shape == shape and X.flags["C_CONTIGUOUS"]
        assert (np.sort(X.ravel()) == np.sort(images.ravel())).all()
        again = d2l.read_images(paddle.to_tensor(images), by)
        np.testing.assert_array_equal(X, again)


@pytest.mark.parametrize("by", ["spiral", "Rows", None, ["rows"]])
def test_images_of_another_form_or_read_otherwise_are_refused(by):
    with pytest.raises(ValueError, match=r"the shape \(3, 4\)"):
        d2l.read_images(np.ones((3, 4)))
    with pytest.raises(ValueError, match="by is .*'rows', 'columns' or 'pixels'"):
        d2l.read_images(np.ones((1, 3, 4)), by)


def test_scikit_learns_digits_go_from_0_to_16():
    images, digits = d2l.load_images()
    assert images.shape == (1797, 8, 8) and images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 16)
    assert digits.dtype == np.int64 and set(digits.tolist()) == set(range(10))


def test_without_scikit_learn_the_digits_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-learn"):
        d2l.load_images()


def write_mnist(folder, count=100, part="t10k", images=None, labels=None):
    """Files as MNIST's, of numbers drawn by lot, or of these bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28)).astype("uint8")
    digits = (np.arange(count) % 10).astype("uint8")
    if images is None:
        images = struct.pack(">4i", 2051, count, 28, 28) + pixels.tobytes()
    if labels is None:
        labels = struct.pack(">2i", 2049, count) + digits.tobytes()
    for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
        file = folder / f"{part}-{kind}-ubyte.gz"
        file.write_bytes(gzip.compress(content))
    return pixels, digits


def test_mnist_is_read_from_files_of_the_readers_own(tmp_path):
    pixels, labels = write_mnist(tmp_path)
    images, digits = d2l.load_images("mnist", tmp_path, "test")
    np.testing.assert_allclose(images, pixels * (16 / 255), rtol=1e-6)
    assert (digits == labels).all() and images.dtype == np.float32
    assert d2l.read_images(images).shape == (28, 100, 28)


def test_without_mnists_files_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError) as error:
            d2l.load_images("mnist", folder)
        sentence = str(error.value)
        assert "train-images-idx3-ubyte.gz is not there" in sentence
        assert "not downloaded" in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    "damage",
    [
        {"images": b""},
        {"images": struct.pack(">4i", 2051, 100, 28, 28) + bytes(5000)},
        {"images": struct.pack(">4i", 2051, 100, 14, 14) + bytes(100 * 14 * 14)},
        {"images": struct.pack(">4i", 2051, 0, 28, 28), "labels": bytes(8)},
        {"labels": struct.pack(">2i", 2049, 50) + bytes(50)},
        {"labels": struct.pack(">2i", 2049, 100) + bytes(range(100))},
    ],
)
def test_damaged_mnist_is_one_sentence(tmp_path, damage):
    write_mnist(tmp_path, **damage)
    with pytest.raises(ValueError, match="t10k-images.* are damaged, or not MNIST's"):
        d2l.load_images("mnist", tmp_path, "test")


def test_mnist_cut_off_or_not_packed_is_one_sentence(tmp_path):
    write_mnist(tmp_path)
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], gzip.decompress(whole)):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="are damaged, or not MNIST's"):
            d2l.load_images("mnist", tmp_path, "test")


@pytest.mark.parametrize("part", ["valid", None, ["train"]])
def test_images_that_there_are_not_are_refused(tmp_path, part):
    with pytest.raises(ValueError, match="name is 'cifar'"):
        d2l.load_images("cifar")
    with pytest.raises(ValueError, match="part is .*'train' or 'test'"):
        d2l.load_images("mnist", tmp_path, part)
