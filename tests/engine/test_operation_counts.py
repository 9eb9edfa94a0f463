"""The operation counts stated in the registries, against what is counted while the operations run.

The flops of products are exact. Stated elements are in units of time, in which the operations of one activation differ
a little, so they agree within 30%; fills and copies, which are stated, are not seen here.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from engine import ACTIVATIONS, OPTIMIZERS, Architecture
from engine.batches import Batches, Examples
from engine.optimizers import OptimizerState, Step
from engine.outputs import OUTPUTS
from engine.parameters import Layout, NetworkStack
from engine.settings import TrainingSettings
from engine.work import count_work

DEAR = {"exp", "expm1", "log", "log1p", "tanh"}  # count as three numbers
SHAPE = (3, 50)


@dataclass
class Counts:
    """What has been run: floating-point operations of products, numbers processed, and calls to NumPy."""

    flops: int = 0
    elements: int = 0
    steps: int = 0


class Counted(np.ndarray):
    """An array whose operations are counted; views of it count, too."""

    counts: Counts

    def __array_finalize__(self, source) -> None:
        self.counts = getattr(source, "counts", None)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        arrays = [i.view(np.ndarray) if isinstance(i, Counted) else i for i in inputs]
        if out is not None:
            keywords["out"] = tuple(o.view(np.ndarray) if isinstance(o, Counted) else o for o in out)
        result = getattr(ufunc, method)(*arrays, **keywords)
        counts = next(a.counts for a in (*inputs, *(out or ())) if isinstance(a, Counted))
        counts.steps += 1
        if ufunc is np.matmul:
            counts.flops += 2 * arrays[0].shape[-1] * np.size(result)
        else:
            counts.elements += max(np.size(a) for a in (*arrays, result)) * (3 if ufunc.__name__ in DEAR else 1)
        return out[0] if out is not None else result


def counted(array: np.ndarray, counts: Counts) -> Counted:
    view = array.copy().view(Counted)
    view.counts = counts
    return view


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=lambda a: a.name)
def test_activation_and_its_derivative(activation, counts):
    Z = np.random.default_rng(0).standard_normal(SHAPE)
    A, scratch = counted(np.zeros(SHAPE), counts), counted(np.zeros(SHAPE), counts)
    activation.forward(counted(Z, counts), A, scratch)
    masks = counted(np.zeros(SHAPE, np.bool_), counts)
    V = A if activation.derivative_of == "A" else counted(Z, counts)
    derivative = activation.derivative(V, masks if activation.derivative_is_mask else scratch)
    np.multiply(counted(Z, counts), derivative, out=scratch)  # dZ = dA * g'
    assert activation.operations.elements == pytest.approx(counts.elements / Z.size, abs=2.01, rel=0.3)
    assert activation.operations.steps == pytest.approx(counts.steps, abs=3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=lambda o: o.name)
def test_optimizer(optimizer, counts):
    theta, gradient, scratch = (counted(np.ones(60), counts) for _ in range(3))
    state = OptimizerState(theta, tuple(counted(np.ones(60), counts) for _ in optimizer.slots), scratch)
    optimizer.update(state, gradient, Step(1, np.array(0.1), 0.9, 0.999, 1e-8))
    assert optimizer.operations.elements == pytest.approx(counts.elements / 60, abs=1)
    assert optimizer.operations.steps == pytest.approx(counts.steps, abs=1)


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=lambda o: f"{o.activation}-{o.cost}")
def test_output(output, counts):
    Z, Y = np.random.default_rng(0).standard_normal(SHAPE), np.eye(3)[np.arange(50) % 3].T
    A, row, scratch, dZ = (counted(np.zeros(s), counts) for s in (SHAPE, (1, 50), SHAPE, SHAPE))
    Z = counted(Z, counts)
    output.forward(Z, A, row)
    output.backward(A, Y, np.array(1 / 50), dZ)
    output.losses_into(Z, Y, scratch, row)
    assert output.operations.elements == pytest.approx(counts.elements / Z.size, rel=0.3)


@pytest.mark.parametrize("sizes", [(20, 1), (20, 8, 3), (20, 16, 8, 3), (40, 30, 20, 10, 5)])
def test_flops_of_an_iteration(sizes, counts, problem):
    architecture = Architecture(sizes, "tanh", "softmax" if sizes[-1] > 1 else "sigmoid")
    X, Y = problem(architecture, 50)
    layout = Layout(sizes)
    vectors = (counted(np.full(layout.size, 0.1), counts), counted(np.zeros(layout.size), counts))
    batches = Batches(NetworkStack(architecture, layout, *vectors), TrainingSettings(0.1, 1), Examples(X, Y), [0])
    batches.propagations[50].forward_backward(0, *batches.load(0, 0, 50))
    # The model counts dA[l] as if it had the row of ones that Z[l] and dW[l] have.
    extra = 2 * 50 * sum(sizes[2:])
    assert count_work(architecture, 50).flops == counts.flops + extra
