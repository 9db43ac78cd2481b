"""A training step of a cell without autograd: `FastTraining`.

A minibatch is cut into as many pieces of rows as there are cores. Each piece is
computed on buffers of its own in a thread of its own, its products in that thread; then
the gradients are added up, clipped, and subtracted. So there is one fork and one join
in a minibatch, and nothing that waits in a loop for others.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import paddle
from paddle import nn

from ..devices import num_threads, set_product_threads
from ..fitting import NonFiniteLossError
from ..models import parameters_of, registered_cell
from ..parallel import ALONE, Workers
from ..snapshots import put_random_state, random_state
from . import mkl
from .compiling import BACKENDS, CompiledCell, available_backends, compile_cell
from .tracing import NotUnderstoodError

IGNORED = -100  # a label that the book's loss leaves out
LEAST_ROWS = 4  # of a piece: a guess, as nobody has measured more than two pieces


def aligned(dtype, *shape) -> np.ndarray:
    """Zeros that begin at a multiple of 64 bytes, so that equal runs are equal."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(math.prod(shape) * size + 64, dtype=np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + math.prod(shape) * size].view(dtype).reshape(shape)


class Numbers:
    """All parameters of a cell, or all their derivatives, in one vector.

    Attributes:
        flat: the vector; the others are views of it, by the names in `CompiledCell`.
        of_param: name of a parameter to its view.
    """

    def __init__(self, compiled: CompiledCell, vocab_size, num_hiddens, dtype):
        plan, h, V = compiled.plan, num_hiddens, vocab_size
        shapes = {"table": (V, len(plan.lookups) * h)}
        for i, group in enumerate(plan.groups):
            shapes[f"W{i}"] = (h, len(group.products) * h)
        shapes |= {f"param_{name}": (h,) for name in plan.vectors}
        shapes |= {"W_hq": (h, V), "b_q": (V,)}
        self.flat = aligned(dtype, sum(map(math.prod, shapes.values())))
        self.views, start = {}, 0
        for name, shape in shapes.items():
            end = start + math.prod(shape)
            self.views[name] = self.flat[start:end].reshape(shape)
            start = end
        self.of_param = {name: self.views[name] for name in ("W_hq", "b_q")}
        self.of_param |= {name: self.views[f"param_{name}"] for name in plan.vectors}
        beside = [("table", plan.lookups)]
        beside += [(f"W{i}", group.products) for i, group in enumerate(plan.groups)]
        for matrix, products in beside:
            for i, product in enumerate(products):
                columns = self.views[matrix][:, i * h : (i + 1) * h]
                self.of_param[product.args[1].name] = columns


class Piece:
    """Some rows of a minibatch: buffers, and the function that works on them.

    Args:
        compiled: the cell.
        weights: shared by all pieces.
        steps, rows: shape of the piece.

    Attributes:
        gradient: `Numbers`, of the loss of these rows.
    """

    def __init__(self, compiled: CompiledCell, weights: Numbers, steps: int, rows: int):
        plan, source, dtype = compiled.plan, compiled.source, weights.flat.dtype
        h, V = weights.views["W_hq"].shape
        self.compiled, self.weights = compiled, weights
        self.gradient = Numbers(compiled, V, h, dtype)
        self.products = mkl.load(dtype.name)

        def zeros(*shape):
            return aligned(dtype, *shape)

        self.tokens = np.zeros((steps, rows), np.int64)
        self.labels = np.zeros((steps, rows), np.int64)
        self.states = {name: zeros(steps + 1, rows, h) for name in plan.state_names}
        widths = [len(group.products) * h for group in plan.groups]
        self.right = [mkl.PackedMatrix(self.products, h, w, rows) for w in widths]
        self.back = [mkl.PackedMatrix(self.products, w, h, rows) for w in widths]
        buffers = {
            "tokens": self.tokens, "labels": self.labels.reshape(-1),
            "a": zeros(steps, rows, source.num_slots * h),
            "carried": zeros(rows, max(source.num_carried, 1) * h),
            "logits": zeros(steps * rows, V), "dY": zeros(steps, rows, h),
            "lookup_slots": np.array(source.lookup_slots, dtype=np.int64),
            **weights.views,
            **{f"state_{name}": values for name, values in self.states.items()},
        }  # fmt: skip
        buffers |= {f"d_{name}": v for name, v in self.gradient.views.items()}
        for i in range(len(plan.lefts)):
            buffers[f"left{i}"] = zeros(steps, rows, h)
        for i, packed in enumerate(self.right):
            buffers[f"right{i}"] = packed.address
            buffers[f"back{i}"] = self.back[i].address
            buffers[f"dleft{i}"] = zeros(rows, h)
        for name in plan.state_names:
            buffers |= {f"D_{name}": zeros(rows, h), f"E_{name}": zeros(rows, h)}
        self.buffers = buffers

    @np.errstate(all="ignore")  # what is not finite is seen in the loss
    def compute(self, X, Y, state, scale) -> float:
        """The sum of the losses of these rows, and scale times its gradient.

        Args:
            X, Y: (rows, steps), whole numbers.
            state: name to (rows, h); replaced by the new one.
        """
        self.products.use_one_thread()
        try:
            self.tokens[:], self.labels[:] = X.T, Y.T
            for name, values in self.states.items():
                values[0] = state[name]
            for i in range(len(self.right)):
                matrix = self.weights.views[f"W{i}"]
                self.right[i].pack(matrix)
                self.back[i].pack(matrix, transposed=True)
            self.buffers["scale"] = scale
            names = self.compiled.source.arguments
            loss = self.compiled.piece(*[self.buffers[name] for name in names])
            views = self.gradient.of_param
            for vector, i in self.compiled.source.bias_of.items():
                h = len(views[vector])
                columns = self.gradient.views["table"][:, i * h : (i + 1) * h]
                np.sum(columns, axis=0, out=views[vector])
            for name, values in self.states.items():
                state[name][:] = values[-1]
            return loss
        finally:
            self.products.use_threads_of_process()


class FastTraining:
    """Epochs of a model of a registered cell, with plain SGD, without autograd.

    Args:
        net: see `models.registered_cell`.
        compiled: its cell.
        workers: among whom the rows of a minibatch are divided.
        num_pieces: of a minibatch at most; by default as many as cores, but one with
            NumPy, whose many short calls would wait for each other.
    """

    def __init__(
        self,
        net,
        compiled: CompiledCell,
        workers: Workers = ALONE,
        num_pieces: int | None = None,
    ):
        self.net, self.compiled, self.workers = net, compiled, workers
        cores = num_threads() if compiled.backend == "numba" else 1
        self.num_pieces = num_pieces or cores
        self.dtype = net.params[0].numpy().dtype
        sizes = net.vocab_size, net.num_hiddens
        self.weights = Numbers(compiled, *sizes, self.dtype)
        self._pieces: dict[tuple[int, int], list[Piece]] = {}

    def _cuts(self, rows: int) -> list[slice]:
        """The rows of each piece of a minibatch."""
        k = max(1, min(self.num_pieces, rows // LEAST_ROWS))
        at = [rows * i // k for i in range(k + 1)]
        return [slice(*pair) for pair in itertools.pairwise(at)]

    def begin_state(self, rows: int) -> dict[str, np.ndarray]:
        """Zeros, name to (rows, h)."""
        shape, names = (rows, self.net.num_hiddens), self.compiled.plan.state_names
        return {name: np.zeros(shape, self.dtype) for name in names}

    def load(self) -> None:
        """Take over the weights of the model."""
        for name, param in parameters_of(self.net).items():
            self.weights.of_param[name][:] = param.numpy()

    def store(self) -> None:
        """Give the model the weights."""
        for name, param in parameters_of(self.net).items():
            param.set_value(np.ascontiguousarray(self.weights.of_param[name]))

    def check(self, X, Y, state) -> None:
        """Refuse what compiled code would read or write outside of its buffers with.

        Args:
            X, Y, state: see `gradient`.

        Raises:
            ValueError: for other shapes, rows or indices.
        """
        if X.ndim != 2 or X.shape != Y.shape or X.size == 0:
            raise ValueError(
                f"a minibatch has the shapes {X.shape} and {Y.shape}; both must be "
                "(batch_size, num_steps)."
            )
        before = len(next(iter(state.values())))
        if before != len(X):
            raise ValueError(
                f"a minibatch of {len(X)} rows follows one of {before}; a state can be "
                "carried on only to as many."
            )
        last = self.net.vocab_size - 1
        for a in (X, Y):
            if a.dtype.kind not in "iu" or a.min() < 0 or a.max() > last:
                raise ValueError(
                    f"a token index is no whole number from 0 to {last}, the last of "
                    "the vocabulary."
                )

    def _pieces_for(self, rows: int, steps: int) -> list[Piece]:
        """The pieces of a minibatch of this shape; those of the last two are kept."""
        if (rows, steps) not in self._pieces:
            for shape in list(self._pieces)[:-1]:
                del self._pieces[shape]
            self._pieces[rows, steps] = [
                Piece(self.compiled, self.weights, steps, cut.stop - cut.start)
                for cut in self._cuts(rows)
            ]
        return self._pieces[rows, steps]

    def gradient(self, X, Y, state, pool) -> tuple[float, Numbers]:
        """The mean loss of a minibatch in nats per token, and its gradient.

        Args:
            X, Y: (batch_size, num_steps), indices from 0 to vocab_size - 1.
            state: see `begin_state`; replaced by the new one.
            pool: an executor, for all pieces but the first.
        """
        pieces, cuts = self._pieces_for(*X.shape), self._cuts(len(X))
        scale = self.dtype.type(1 / X.size)

        def compute(piece, cut):
            part = {name: values[cut] for name, values in state.items()}
            return piece.compute(X[cut], Y[cut], part, scale)

        others = [pool.submit(compute, *p) for p in zip(pieces[1:], cuts[1:])]
        loss = compute(pieces[0], cuts[0]) + sum(other.result() for other in others)
        gradient = pieces[0].gradient
        for piece in pieces[1:]:
            gradient.flat += piece.gradient.flat
        for name, param in parameters_of(self.net).items():
            if param.stop_gradient:
                gradient.of_param[name][:] = 0
        return float(loss / X.size), gradient

    def _judged(self, judge, X, Y, state, pool):
        """The first gradient; if it is wrong for one worker, none can use it."""
        fault, before = None, {name: s.copy() for name, s in state.items()}
        try:
            if (Y == IGNORED).any():
                raise UnusableError("there are labels that are not to be learnt")
            self.check(X, Y, state)
            loss, gradient = self.gradient(X, Y, state, pool)
            judge(self.net, X, Y, before, loss, gradient, state)
        except ValueError:
            raise
        except Exception as error:
            fault = f"{error}" or type(error).__name__
        if self.workers.sum(np.array([fault is not None], dtype=float))[0] > 0:
            raise UnusableError(fault or "another worker cannot use it")
        return loss, gradient

    def _of_all(self, loss, gradient: Numbers, size: int) -> tuple[float, int]:
        """The mean loss, and the size, of a minibatch of all workers; its gradient."""
        if self.workers.size == 1:
            return loss, size
        more = np.array([loss, 1], dtype=self.dtype)
        *_, total, count = sums = self.workers.sum(
            np.concatenate([gradient.flat, more]) * self.dtype.type(size)
        )
        gradient.flat[:] = sums[:-2] / count
        return float(total / count), round(float(count))

    @np.errstate(all="ignore")
    def epoch(self, data, lr: float, theta: float, fresh: bool, judge=None):
        """Train for one epoch.

        Args:
            data: yields X, Y (batch_size, num_steps).
            lr, theta: learning rate, and largest norm of the gradient.
            fresh: begin each minibatch with a state of zeros.
            judge: called with the first minibatch, see `compare_with_autograd`.

        Returns:
            The mean loss of a token, and tokens per second; of all workers.

        Raises:
            NonFiniteLossError: at the first loss or gradient that is not finite.
            ValueError: if there is no minibatch, or an index out of range.
            UnusableError: if the first minibatch cannot be computed or is judged wrong.
        """
        total, count, state, start = 0.0, 0, None, time.perf_counter()
        self.load()
        with ThreadPoolExecutor(max(1, self.num_pieces - 1)) as pool:
            for X, Y in data:
                rows = self.workers.rows(len(X))
                X, Y = np.asarray(X)[rows], np.asarray(Y)[rows]
                if state is None or fresh:
                    state = self.begin_state(len(X))
                if judge is not None:
                    loss, gradient = self._judged(judge, X, Y, state, pool)
                    judge = None
                else:
                    self.check(X, Y, state)
                    loss, gradient = self.gradient(X, Y, state, pool)
                loss, size = self._of_all(loss, gradient, X.size)
                if not math.isfinite(loss):
                    raise NonFiniteLossError(f"the loss is {loss}")
                norm = norm_of(gradient.flat)
                if not math.isfinite(norm):
                    raise NonFiniteLossError(f"the norm of the gradient is {norm}")
                step = lr * theta / norm if norm > theta else lr
                gradient.flat *= self.dtype.type(step)
                self.weights.flat -= gradient.flat
                total, count = total + loss * size, count + size
        if not count:
            raise ValueError(
                "the data yields no minibatch; there is nothing to train on."
            )
        self.store()
        return total / count, count / (time.perf_counter() - start)


def norm_of(vector) -> float:
    """Euclidean norm, also where squares overflow."""
    square = float(np.einsum("i,i", vector, vector))
    if square == math.inf:
        square = float(np.einsum("i,i", vector, vector, dtype=np.float64))
    return math.sqrt(square)


class UnusableError(Exception):
    """The fast path does not work here, or computes something else than autograd."""


def by_autograd(net, X, Y, state, dtype=None) -> dict[str, np.ndarray]:
    """Loss, gradients and new state of a minibatch, computed by the readable code.

    Args:
        net: `RNNModelScratch`, or what has its attributes.
        state: name to (rows, h).
        dtype: with copies of the parameters, in this precision; by default with the
            parameters themselves, whose gradients are cleared before and after.
    """
    params = net.params
    if dtype is not None:
        params = [param.detach().astype(dtype) for param in params]
        for param, own in zip(params, net.params):
            param.stop_gradient = own.stop_gradient
    for param in params:
        param.clear_gradient(False)
    dtype, X, y = params[0].dtype, X.astype("int64"), Y.T.reshape(-1).astype("int64")
    inputs = nn.functional.one_hot(paddle.to_tensor(X).T, net.vocab_size).astype(dtype)
    before = tuple(paddle.to_tensor(values).astype(dtype) for values in state.values())
    y_hat, after = net.forward_fn(inputs, before, params)
    loss = nn.functional.cross_entropy(y_hat, paddle.to_tensor(y))
    loss.backward()
    found = {"loss": loss.numpy()}
    for name, param in zip(parameters_of(net), params):
        if param.grad is not None:
            found[f"gradient of {name}"] = param.grad.numpy().copy()
        param.clear_gradient(False)
    return found | {f"state {n}": s.numpy() for n, s in zip(state, after)}


def compare_with_autograd(net, X, Y, state, loss, gradient: Numbers, new_state) -> None:
    """Compare with what autograd makes of the same minibatch.

    What rounding may do is what it does to autograd itself, seen against double
    precision: little as a rule, and much where states are chaotic.

    Args:
        net: see `by_autograd`.
        X, Y, state, loss, gradient, new_state: of `FastTraining.gradient`, its
            arguments and what it has found.

    Raises:
        UnusableError: for what differs by more.
    """
    set_product_threads()
    ours = {f"gradient of {name}": v for name, v in gradient.of_param.items()}
    ours |= {f"state {name}": values for name, values in new_state.items()}
    ours["loss"] = np.array(loss)
    dtype = gradient.flat.dtype.name
    autograds = by_autograd(net, X, Y, state)
    rounded = by_autograd(net, X, Y, state, dtype)
    exact = by_autograd(net, X, Y, state, "float64")
    if not np.isfinite([loss, autograds["loss"]]).any():
        return  # an end to the run on either path
    share = 1e-3 if dtype == "float32" else 1e-9
    for name, right in exact.items():
        allowed = 10 * np.abs(rounded[name] - right).max()
        allowed += share * (np.abs(right).max() + 1e-9)
        for found in (ours, autograds):  # autograd's may be changed by a hook
            error = np.abs(found[name] - right).max()
            if not error <= allowed:
                raise UnusableError(f"the {name} differs by {error:.1e} from autograd")


def try_out(compiled: CompiledCell, cell, dtype) -> None:
    """Compare what was made of a cell with autograd, for weights that all matter.

    At the weights that a model starts from many mistakes would not be seen: biases are
    0, and so is the state. So all are drawn, and the state is one that they lead to.

    Raises:
        UnusableError: for what differs.
    """
    draw, (V, h, rows, steps) = np.random.default_rng(0), (5, 37, 9, 4)
    shapes = [cell.shape(name, V, h, V) for name in cell.param_names]
    net = SimpleNamespace(
        vocab_size=V, num_hiddens=h, get_params=cell.get_params,
        forward_fn=cell.forward,
        params=[paddle.to_tensor(draw.normal(0, 0.5, s).astype(dtype)) for s in shapes],
    )  # fmt: skip
    for param in net.params:
        param.stop_gradient = False
    training = FastTraining(net, compiled, num_pieces=2)
    training.load()
    X, Y = draw.integers(0, V, (2, rows, steps))
    state = training.begin_state(rows)
    with ThreadPoolExecutor(1) as pool:
        # From zeros first: to a state that the cell can be in, on buffers that are not
        # empty. Any numbers would not do: a cell may divide by what is never 0 in it.
        training.gradient(X, Y, state, pool)
        before = {name: values.copy() for name, values in state.items()}
        loss, gradient = training.gradient(X, Y, state, pool)
    compare_with_autograd(net, X, Y, before, loss, gradient, state)


class FastPath:
    """The fastest path that works for a model: 'numba', 'numpy' or none.

    What is made of a cell is compared with autograd, and so is the first minibatch of
    the model; where they differ, or where something does not work on this machine, a
    warning says so and the next is tried.

    Args:
        net: of which nothing is known if it is no model of a registered cell.
        fresh: begin each minibatch with a state of zeros.
        workers: among whom the rows of a minibatch are divided.
        compared: whether the first minibatch of a model of this cell and size has been
            compared before; then only the trial of the compiled cell is left.

    Attributes:
        name: of the path in use; `'paddle'` if there is none.
    """

    def __init__(
        self, net, fresh: bool, workers: Workers = ALONE, *, compared: bool = False
    ):
        self.net, self.fresh, self.workers = net, fresh, workers
        self._compared = compared
        self.cell = registered_cell(net)
        trained = self.cell and not all(p.stop_gradient for p in net.params)
        self._untried = list(BACKENDS) if trained else []
        self._next()

    def _next(self) -> None:
        """Go on to the next path that works for every worker."""
        self._training, self.name, self._checked = None, "paddle", self._compared
        while self._untried and self._training is None:
            backend = self._untried.pop(0)
            made = self._made(backend)
            here = np.array([made is not None], dtype=float)
            if self.workers.sum(here)[0] == self.workers.size:
                self._training, self.name = made, backend

    def _made(self, backend: str) -> FastTraining | None:
        """Training with this backend; None where there is no such thing."""
        dtype = self.net.params[0].numpy().dtype.name
        if backend not in available_backends(dtype):
            return None
        try:
            compiled = working_cell(self.cell, backend, dtype)
            return self._training_of(compiled)
        except NotUnderstoodError:
            return None
        except Exception as error:  # a compiler that does not work on this machine
            self._warn(backend, error)
            return None

    def _training_of(self, compiled: CompiledCell) -> FastTraining:
        return FastTraining(self.net, compiled, self.workers)

    def _warn(self, backend, error) -> None:
        reason = f"{error}".strip().split("\n")[0] or type(error).__name__
        warnings.warn(
            f"the fast path with {backend} is not used: {reason}", stacklevel=2
        )

    def epoch(self, data, lr: float, theta: float):
        """An epoch, see `FastTraining.epoch`; None if there is no fast path."""
        if isinstance(data, Iterator) and not self._checked:
            return None  # it could not be read again if the first minibatch is refused
        while self._training is not None:
            arguments = data, lr, theta, self.fresh
            if self._checked:
                return self._training.epoch(*arguments)
            before = random_state()
            try:
                done = self._training.epoch(*arguments, judge=compare_with_autograd)
                self._checked = True
                return done
            except UnusableError as error:
                self._warn(self.name, error)
                put_random_state(before)
                self._next()
        return None


@functools.lru_cache
def working_cell(cell, backend: str, dtype: str) -> CompiledCell:
    """`compile_cell`, tried out; compiled anew if what was kept of it is damaged.

    Raises:
        NotUnderstoodError: see `cell_plan`.
        UnusableError: if it computes something else than autograd.
    """
    compiled = compile_cell(cell, backend, dtype)
    try:
        try_out(compiled, cell, dtype)
    except Exception as error:
        if isinstance(error, UnusableError) or not compiled.forget():
            raise
        compiled = compile_cell(cell, backend, dtype)
        try_out(compiled, cell, dtype)
    return compiled
