"""Matrix products of fixed buffers, computed in pieces if that is faster.

On processors with AVX-512, OpenBLAS has kernels for small float32 products that do not pack the matrices first (for
their limits, see kernel/x86_64/sgemm_small_kernel_permit_skylakex.c). A layer of 64 units is slightly too large for
them, but a few of its rows at a time are not. A product with a transpose then takes at most two thirds of the time.
Each element of the product is the same sum.
"""

import functools

import numpy as np

from engine.arrays import Array

MOST_MULTIPLICATIONS = 1_000_000
MOST_OUT = 1200  # maximum number of elements of the product if the matrix on the right is a transpose
LEAST_SUMMED = 32  # minimum number of products per element in this case
LEAST_ROWS = 8  # minimum number of rows of a piece; thinner ones are not faster


class Product:
    """One product, out = left @ right, which is computed when it is called.

    Args:
        left: (…, n, k).
        right: (…, k, m); a transpose may be a view.
        out: (…, n, m).
    """

    def __init__(self, left: Array, right: Array, out: Array) -> None:
        count = pieces_of(left, right)
        self._cut = count > 1
        self._pieces = list(zip(_cut(left, count), _cut(out, count), strict=True)) if self._cut else [(left, out)]
        self.see(right)

    def see(self, right: Array) -> None:
        """Use another matrix on the right, of the same shape and memory layout."""
        self._right = right[..., None, :, :] if self._cut else right

    def __call__(self) -> None:
        """Write left @ right into out."""
        right = self._right
        for left, out in self._pieces:
            np.matmul(left, right, out=out)


def pieces_of(left: Array, right: Array) -> int:
    """Return the number of pieces into which the rows of left are split; 1 if splitting would not be faster."""
    (n, k), m = left.shape[-2:], right.shape[-1]
    if left.dtype != np.float32 or not has_small_kernels():
        return 1
    rows = MOST_MULTIPLICATIONS // (k * m)
    if right.strides[-1] != right.itemsize:
        rows = min(rows, MOST_OUT // m) if k >= LEAST_SUMMED else 0
    return -(-n // rows) if rows >= LEAST_ROWS else 1


@functools.cache
def has_small_kernels() -> bool:
    """Return True if NumPy uses OpenBLAS on a processor with AVX-512."""
    known = np.show_config(mode="dicts")
    features = {*known["SIMD Extensions"]["baseline"], *known["SIMD Extensions"]["found"]}
    # NumPy 2.4 renamed the CPU feature.
    return "openblas" in known["Build Dependencies"]["blas"]["name"] and bool(features & {"AVX512_SKX", "X86_V4"})


def _cut(matrix: Array, count: int) -> list[Array]:
    """Return the rows as views (…, pieces, rows, columns), first the pieces with one more row."""
    size, longer = divmod(matrix.shape[-2], count)
    first = longer * (size + 1)
    *lead, _, columns = matrix.shape
    parts = ((matrix[..., :first, :], longer, size + 1), (matrix[..., first:, :], count - longer, size))
    return [part.reshape(*lead, pieces, rows, columns) for part, pieces, rows in parts if pieces]
