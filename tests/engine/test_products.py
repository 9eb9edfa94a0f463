"""Products in pieces: the same matrix as in one, written in place, in a network and in a stack too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Architecture, products, train, train_stack
from engine.products import Product, pieces_of

SIZES = st.integers(1, 40)


def small_kernels(monkeypatch, there):
    monkeypatch.setattr(products, "has_small_kernels", lambda: there)


@given(n=SIZES, k=SIZES, m=SIZES, count=st.integers(1, 40), replicas=st.sampled_from([None, 1, 3]), data=st.data())
def test_pieces_are_the_product(n, k, m, count, replicas, data):
    lead = () if replicas is None else (replicas,)
    random = np.random.default_rng(0)
    left = random.normal(size=(*lead, n, k))
    right = random.normal(size=(*(lead if data.draw(st.booleans()) else ()), k, m))
    if data.draw(st.booleans()):
        left = np.ascontiguousarray(left.swapaxes(-1, -2)).swapaxes(-1, -2)
    if data.draw(st.booleans()):
        right = np.ascontiguousarray(right.swapaxes(-1, -2)).swapaxes(-1, -2)
    out = np.full((*lead, n, m + 1), np.nan)[..., :m]  # rows of a larger matrix, as a layer's are
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "pieces_of", lambda *_: min(count, n))
        product = Product(left, right, out)
    product()
    np.testing.assert_allclose(out, left @ right, rtol=1e-12, atol=1e-12)
    left *= 2  # what it multiplies are views
    product.see(right * 3)
    product()
    np.testing.assert_allclose(out, 3 * (left @ right), rtol=1e-12, atol=1e-12)


@given(n=st.integers(1, 3000), k=st.integers(1, 3000), m=st.integers(1, 3000), transposed=st.booleans())
def test_pieces_are_as_openblas_takes_them(n, k, m, transposed):
    left = np.broadcast_to(np.float32(0), (n, k))
    strides = (4, 4 * k) if transposed else (4 * m, 4)
    right = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (k, m), strides)
    with pytest.MonkeyPatch.context() as patch:
        small_kernels(patch, there=True)
        count = pieces_of(left, right)
        small_kernels(patch, there=False)
        assert pieces_of(left, right) == 1
    assert 1 <= count <= n
    if count > 1:
        rows = -(-n // count)
        assert rows * k * m <= 1_000_000
        assert not transposed or (rows * m <= 1200 and k >= 32)
        assert -(-n // (count - 1)) * k * m > 1_000_000 or transposed  # not more than needed


def test_a_layer_of_64_units_is_cut_in_float32_alone(monkeypatch):
    small_kernels(monkeypatch, there=True)
    dZ, A = np.zeros((64, 1000), np.float32), np.zeros((65, 1000), np.float32)
    assert pieces_of(dZ, A.T) == 5
    assert pieces_of(dZ[:, :900], A[:, :900].T) == 4
    assert pieces_of(np.zeros((64, 65), np.float32), A) == 5
    assert pieces_of(dZ.astype(np.float64), A.T.astype(np.float64)) == 1
    assert pieces_of(np.zeros((4, 1000), np.float32), A.T) == 1


def test_whether_there_are_small_kernels_is_known_from_numpy_alone(monkeypatch):
    def shown(blas, *found):
        return lambda mode: {  # noqa: ARG005
            "Build Dependencies": {"blas": {"name": blas}},
            "SIMD Extensions": {"baseline": ["X86_V2"], "found": list(found)},
        }

    ask = products.has_small_kernels.__wrapped__
    for blas, found, there in [
        ("scipy-openblas", ("X86_V3", "X86_V4"), True),
        ("openblas64", ("AVX2", "AVX512_SKX"), True),
        ("scipy-openblas", ("X86_V3",), False),
        ("mkl-sdl", ("X86_V3", "X86_V4"), False),
        ("accelerate", (), False),
    ]:
        monkeypatch.setattr(np, "show_config", shown(blas, *found))
        assert ask() is there


@pytest.mark.parametrize("units", [(9,), (13, 10)])
@pytest.mark.parametrize("settings", [{}, {"batch_size": 7}, {"dropout": 0.3}], ids=["full", "batches", "dropout"])
def test_a_network_trains_in_pieces_as_in_one(units, settings, problem, monkeypatch):
    architecture = Architecture((6, *units, 3), "tanh")
    X, Y = problem(architecture, 50)
    settings = {"learning_rate": 0.1, "iterations": 20, **settings}
    whole = train(architecture, X, Y, **settings)
    monkeypatch.setattr(products, "pieces_of", lambda left, _: min(4, left.shape[-2]))
    for cut in (train(architecture, X, Y, **settings), train_stack(architecture, X, Y, seeds=[0, 1], **settings)[0]):
        np.testing.assert_allclose(cut.costs, whole.costs, rtol=1e-10)
        np.testing.assert_allclose(cut.parameters.vector, whole.parameters.vector, rtol=1e-9, atol=1e-11)
