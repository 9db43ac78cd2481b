"""Matrix products by the MKL that Paddle's wheel carries, called from Python.

NumPy's own products are as fast where their matrices are large, and half as fast in the
small ones of one step; and MKL can be given a matrix packed once for many products. Of
Paddle's wheels those for Linux and Windows have it, the one for macOS has not.

Source: the reference of Intel's oneMKL, `cblas_?gemm`, `cblas_?gemm_pack`,
`cblas_?gemm_compute`.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from pathlib import Path

import numpy as np
import paddle

ROW_MAJOR, AS_IT_IS, TRANSPOSED, RIGHT, PACKED = 101, 111, 112, 162, 151
_FILES = {"linux": ("libiomp5.so", "libmklml_intel.so"), "win32": ("mklml.dll",)}
_int, _pointer = ctypes.c_int, ctypes.c_void_p


class Products:
    """The functions of the library for one type of real numbers.

    Attributes:
        gemm, compute: C functions; `addresses` has where they begin, by name.
    """

    def __init__(self, library: ctypes.CDLL, dtype):
        letter = {"float32": "s", "float64": "d"}[np.dtype(dtype).name]
        real = {"s": ctypes.c_float, "d": ctypes.c_double}[letter]

        def function(name, *arguments, returns=None):
            f = library[f"cblas_{letter}gemm{name}"]
            f.argtypes, f.restype = arguments, returns
            return f

        p, self.dtype = _pointer, np.dtype(dtype)
        self.gemm = function("", *[_int] * 6, real, p, _int, p, _int, real, p, _int)
        self.compute = function(
            "_compute", *[_int] * 6, p, _int, p, _int, real, p, _int
        )
        self._alloc = function("_alloc", *[_int] * 4, returns=p)
        self._free = function("_free", p)
        self._pack = function("_pack", *[_int] * 6, real, p, _int, p)
        self._threads = library["MKL_Set_Num_Threads_Local"]
        self.addresses = {
            name: ctypes.cast(getattr(self, name), p).value
            for name in ("gemm", "compute")
        }

    def use_one_thread(self) -> None:
        """Compute the products that this thread asks for in this thread."""
        self._threads(1)

    def use_threads_of_process(self) -> None:
        """Undo `use_one_thread`."""
        self._threads(0)


class PackedMatrix:
    """A matrix (k, n) laid out for products A @ matrix, A (rows, k).

    Args:
        products: see `load`.
        rows: of A, the number that the layout is chosen for.

    Attributes:
        address: of the laid out matrix.
    """

    def __init__(self, products: Products, k: int, n: int, rows: int):
        self.products, self.k, self.n, self.rows = products, k, n, rows
        self.address = products._alloc(RIGHT, rows, n, k)
        if not self.address:
            raise MemoryError(f"no memory for a matrix of {k} by {n}.")

    def pack(self, matrix, transposed: bool = False) -> None:
        """Lay out a matrix (k, n), or if `transposed` the transpose of (n, k)."""
        self.products._pack(
            ROW_MAJOR, RIGHT, TRANSPOSED if transposed else AS_IT_IS,
            self.rows, self.n, self.k, 1.0, matrix.ctypes.data,
            matrix.strides[0] // matrix.itemsize, self.address,
        )  # fmt: skip

    def __del__(self):
        if getattr(self, "address", None):
            self.products._free(self.address)


@functools.lru_cache
def load(dtype) -> Products | None:
    """The products for float32 or float64; None where there is no such library."""
    folder = Path(paddle.__file__).parent / "libs"
    files = [folder / name for name in _FILES.get(sys.platform, ())]
    if not files or not all(file.exists() for file in files):
        return None
    try:
        *needed, library = files
        for file in needed:  # its OpenMP, where it looks for it
            ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
        return Products(ctypes.CDLL(str(library)), dtype)
    except (OSError, AttributeError):  # another library, without these functions
        return None


def of_arrays(gemm, compute, dtype: str):
    """The three products of a piece, as functions of arrays with contiguous rows.

    Plain Python, which numba can compile.

    Args:
        gemm, compute: C functions, or what numba calls them by.
        dtype: of the arrays.
    """
    size, zero, one = np.dtype(dtype).itemsize, *np.array([0, 1], dtype)

    def multiply(A, B, C, transpose_A, transpose_B):
        rows, inner = A.shape
        if transpose_A:
            rows, inner = inner, rows
        gemm(
            ROW_MAJOR, TRANSPOSED if transpose_A else AS_IT_IS,
            TRANSPOSED if transpose_B else AS_IT_IS, rows, C.shape[1], inner, one,
            A.ctypes.data, A.strides[0] // size, B.ctypes.data, B.strides[0] // size,
            zero, C.ctypes.data, C.strides[0] // size,
        )  # fmt: skip

    def multiply_packed(A, packed, C, column, width, beta):
        compute(
            ROW_MAJOR, AS_IT_IS, PACKED, A.shape[0], width, A.shape[1],
            A.ctypes.data, A.shape[1], packed, width, beta,
            C.ctypes.data + column * size, C.shape[1],
        )  # fmt: skip

    def multiply_packed_back(A, column, width, packed, C, beta):
        compute(
            ROW_MAJOR, AS_IT_IS, PACKED, A.shape[0], C.shape[1], width,
            A.ctypes.data + column * size, A.shape[1], packed, width, beta,
            C.ctypes.data, C.shape[1],
        )  # fmt: skip

    return multiply, multiply_packed, multiply_packed_back
