"""Training: `train` for one network, `train_stack` for replicas, `start` and `advance` for training in pieces.

All of them end in `advance`, which checks its arguments and runs the one loop, `engine.loop.Trainer`.
"""

import numbers
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from engine.architecture import Architecture
from engine.arrays import Array, float_type_of
from engine.batches import Examples
from engine.checks import balanced_weights, check_sample_weight, check_XY
from engine.errors import ShapeError
from engine.initialization import initialize
from engine.loop import Trainer
from engine.optimizers import OPTIMIZERS
from engine.parameters import Parameters, check_fit
from engine.settings import TrainingOptions, TrainingSettings
from engine.state import TrainingState
from engine.training_result import TrainingResult, results

Pair = tuple[ArrayLike, ArrayLike]


def train(
    architecture: Architecture,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    learning_rate: float,
    iterations: int,
    parameters: Parameters | None = None,
    seed: int = 0,
    initialization: str = "auto",
    dev: Pair | None = None,
    sample_weight: ArrayLike | None = None,
    **settings: Unpack[TrainingOptions],
) -> TrainingResult:
    """Train one network, by default with full-batch gradient descent.

    Args:
        architecture: the network.
        X: (n_x, m), columns are examples. float32 data is trained in float32, all other data in float64.
        Y: (n_y, m): 0 and 1, one-hot columns, or real values, as the output of the architecture requires.
        learning_rate: α.
        iterations: number of updates.
        parameters: initial parameters, which are not changed; None draws them from `seed` by `initialization`.
        seed: seed of the initial parameters, shuffling and dropout masks.
        initialization: "auto" (suited to each activation), "he", "xavier", "gaussian" or "zeros".
        dev: (X, Y) to evaluate on during training; required for patience.
        sample_weight: (1, m), at least 0; J is then the weighted mean.
        **settings: other fields of `TrainingSettings`: optimizer, batch_size, l2, dropout, patience, …

    Raises:
        ShapeError, DataError: if the data does not match the architecture.
        ValueError: if a setting is out of range.

    Examples:
        Two opposite quadrants, which are not linearly separable:

        >>> import numpy as np
        >>> from engine import Architecture, predict, train
        >>> X = np.random.default_rng(0).standard_normal((2, 400))  # columns are examples
        >>> Y = (X[:1] * X[1:] > 0).astype(float)
        >>> network = Architecture((2, 4, 1), "tanh")
        >>> result = train(network, X, Y, learning_rate=0.05, iterations=300, optimizer="adam")
        >>> result.status, result.iterations
        ('complete', 300)
        >>> bool(result.costs[-1] < 0.2 * result.costs[0])
        True
        >>> accuracy = ((predict(network, result.parameters, X) > 0.5) == Y).mean()
        >>> bool(accuracy > 0.95)
        True
    """
    chosen = TrainingSettings(learning_rate=learning_rate, iterations=iterations, **settings)
    starts = None if parameters is None else [parameters]
    state = start(
        architecture, chosen, seeds=[seed], initialization=initialization, parameters=starts, dtype=float_type_of(X)
    )
    return results(advance(state, X, Y, dev=dev, sample_weight=sample_weight))[0]


def train_stack(
    architecture: Architecture,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    learning_rate: float | Sequence[float],
    iterations: int,
    seeds: Sequence[int],
    parameters: Sequence[Parameters] | None = None,
    initialization: str = "auto",
    dev: Pair | None = None,
    sample_weight: ArrayLike | None = None,
    **settings: Unpack[TrainingOptions],
) -> list[TrainingResult]:
    """Train replicas of one architecture as a stack, each with its own seed and optionally its own learning rate.

    The arguments are those of `train`, except for the following.

    Args:
        learning_rate: one for all replicas, or one per replica.
        seeds: one seed per replica.
        parameters: initial parameters of each replica.
        X: (n_x, m), shared by all replicas, or (R, n_x, m) with separate data (folds).
        Y: (n_y, m), or (R, n_y, m).
    """
    rates = list(learning_rate) if isinstance(learning_rate, Iterable) else [learning_rate] * len(seeds)
    if not rates:
        raise ValueError("seeds and learning_rate must each have at least one value")
    chosen = TrainingSettings(learning_rate=rates[0], iterations=iterations, **settings)
    state = start(
        architecture,
        chosen,
        seeds=seeds,
        learning_rates=rates,
        initialization=initialization,
        parameters=parameters,
        dtype=float_type_of(X),
    )
    return results(advance(state, X, Y, dev=dev, sample_weight=sample_weight))


def start(
    architecture: Architecture,
    settings: TrainingSettings,
    *,
    seeds: Sequence[int] = (0,),
    learning_rates: Sequence[float] | None = None,
    initialization: str = "auto",
    parameters: Sequence[Parameters] | None = None,
    dtype: DTypeLike = np.float32,
) -> TrainingState:
    """Return the state of a stack of training runs before its first iteration.

    Raises:
        ValueError: if there are no seeds, or the number of learning rates or parameters differs from that of seeds.
        ShapeError: if the parameters belong to another architecture.
    """
    seeds = tuple(_checked_seed(seed) for seed in seeds)
    given_rates = (settings.learning_rate,) * len(seeds) if learning_rates is None else learning_rates
    rates = tuple(replace(settings, learning_rate=rate).learning_rate for rate in given_rates)  # checks the value
    if parameters is None:
        parameters = [initialize(architecture, seed, initialization, dtype=dtype) for seed in seeds]
    if not seeds or len(rates) != len(seeds) or len(parameters) != len(seeds):
        raise ValueError(
            "a stack needs at least one seed, and one learning rate and initial parameters per seed, got "
            f"{len(seeds)} seeds, {len(rates)} learning rates and {len(parameters)} parameters"
        )
    for given in parameters:
        check_fit(architecture, given)
    rows = np.stack([given.vector.astype(dtype, copy=False) for given in parameters])
    R = len(seeds)
    return TrainingState(
        architecture=architecture,
        settings=settings,
        seeds=seeds,
        learning_rates=rates,
        iteration=0,
        parameters=rows,
        slots={name: np.zeros_like(rows) for name in OPTIMIZERS.find(settings.optimizer).slots},
        costs=np.empty((R, 0)),
        dev_costs=np.empty((R, 0)),
        status=("complete" if settings.iterations == 0 else "running",) * R,
        ended=(-1,) * R,
        best_parameters=rows.copy(),
        best_cost=np.full(R, np.inf),
        since_best=np.zeros(R, dtype=np.int64),
    )


def _checked_seed(seed: object) -> int:
    if not isinstance(seed, numbers.Integral) or not 0 <= int(seed) < 1 << 128:
        raise ValueError(f"a seed must be a whole number of at least 0 and below 2**128, got {seed!r}")
    return int(seed)


def advance(
    state: TrainingState,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    iterations: int | None = None,
    dev: Pair | None = None,
    sample_weight: ArrayLike | None = None,
) -> TrainingState:
    """Train for some more iterations and return the new state, which is the same as without interruption.

    Args:
        state: state to resume from, which is not changed.
        X: (n_x, m), or (R, n_x, m) with separate data; the same data in every call.
        Y: (n_y, m), or (R, n_y, m).
        iterations: maximum number of further iterations, at least 0; None means all remaining ones.
        dev: (X, Y) to evaluate on, at each multiple of settings.evaluate_every and at the last iteration.
        sample_weight: (1, m).

    Raises:
        ShapeError, DataError: if the data does not match the architecture.
        ValueError: if patience is set without dev.
    """
    if iterations is not None and iterations < 0:
        raise ValueError(f"iterations must be at least 0, got {iterations}")
    end = state.settings.iterations
    until = end if iterations is None else min(end, state.iteration + iterations)
    return next(advance_by(state, X, Y, [until], dev=dev, sample_weight=sample_weight))


def advance_by(
    state: TrainingState,
    X: ArrayLike,
    Y: ArrayLike,
    stops: Sequence[int],
    *,
    dev: Pair | None = None,
    sample_weight: ArrayLike | None = None,
    known: bool = False,
) -> Iterator[TrainingState]:
    """Yield the state at each of the given iterations, as `advance` would return it. Data is checked and copied once.

    Args:
        state: state to resume from, which is not changed.
        X, Y, dev, sample_weight: as in `advance`.
        stops: increasing iterations. Stops early after the first state that is done.
        known: True if X and Y have already been checked for this architecture.

    Raises:
        ShapeError, DataError: if the data does not match the architecture.
        ValueError: if patience is set without dev, or class_weight for an output without classes.
    """
    given = _checked(state, X, Y, known=known)
    given_dev = None if dev is None else _checked(state, *dev, suffix=" of dev")
    if dev is None and state.settings.patience is not None:
        raise ValueError("patience requires dev data")
    if state.settings.class_weight is not None and not _has_classes(state.architecture):
        raise ValueError(
            f"class_weight requires one sigmoid output or a softmax output, got {state.architecture.n_y} "
            f"{state.architecture.output_activation}"
        )
    if state.done:
        yield state
        return
    X, Y = given
    weight = check_sample_weight(sample_weight, X.shape[-1], state.replicas)
    if state.settings.class_weight == "balanced":
        weight = _balanced(Y, weight)
    examples = Examples(X, Y, weight)
    trainer = Trainer(state, examples, given_dev)
    for stop in stops:
        with np.errstate(all="ignore"):  # overflow shows in costs and parameters, which are checked
            trainer.run_until(stop)
        reached = trainer.state()
        yield reached
        if reached.done:
            return


def _has_classes(architecture: Architecture) -> bool:
    targets = architecture.output.targets
    return targets == "one_hot" or (targets == "binary" and architecture.n_y == 1)


def _balanced(Y: Array, weight: Array | None) -> Array:
    """Return the weights (1, m), or (R, 1, m) if replicas have separate labels or weights, with balanced classes."""
    stacked = [each for each in (Y, weight) if each is not None and each.ndim == 3]
    if not stacked:
        return balanced_weights(Y, weight).astype(Y.dtype)
    R, m = len(stacked[0]), Y.shape[-1]
    labels = np.broadcast_to(Y, (R, *Y.shape[-2:]))
    own = np.broadcast_to(np.ones((1, m)) if weight is None else weight, (R, 1, m))
    return np.stack([balanced_weights(*pair) for pair in zip(labels, own, strict=True)]).astype(Y.dtype)


def _checked(
    state: TrainingState, X: ArrayLike, Y: ArrayLike, suffix: str = "", *, known: bool = False
) -> tuple[Array, Array]:
    """Return (X, Y) in the dtype of the state, without a leading axis if there is one replica."""
    if not known:
        X, Y = check_XY(state.architecture, X, Y, suffix, stack=True)
    with np.errstate(over="ignore"):
        new_X = np.asarray(X).astype(state.parameters.dtype, copy=False)
        new_Y = np.ascontiguousarray(Y).astype(state.parameters.dtype, copy=False)
    if new_X.ndim == 3 and len(new_X) != state.replicas:
        raise ShapeError(f"X{suffix} must have data for each of {state.replicas} replicas, got shape {new_X.shape}")
    if new_X.ndim == 3 and state.replicas == 1:
        return new_X[0], new_Y[0] if new_Y.ndim == 3 else new_Y
    return new_X, new_Y
