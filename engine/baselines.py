"""Baselines: scikit-learn's models with their defaults, on the data that workers read, for comparison with networks.

scikit-learn is imported only when a model is fitted, since other work of the workers does not need it.
"""

import math
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from engine.arrays import Array
from engine.errors import AdditionError
from engine.extensions import Extensions, ReceivedExtensions
from engine.metrics import METRICS, labels, measure_metric
from engine.worker_data import Fold, PackedData, read_data, restore_pairs, unpack_data

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

ROUNDS = {"forest": "n_estimators", "boosting": "max_iter"}
"""The parameter that sets the number of trees, or of boosting iterations, by name of the baseline."""

DEFAULT_ROUNDS = 100  # of both, in scikit-learn


@dataclass(frozen=True, eq=False)
class BaselineFit:
    """A task for a worker: fit one baseline on train, or on that of each fold, and predict dev.

    Attributes:
        name: "constant", "linear", "forest" or "boosting".
        regression: whether the targets are real values.
        metrics: names of the metrics.
        data: folder that `write_data` wrote.
        seed: the model's `random_state`.
        rounds: number of trees or boosting iterations, if the baseline has any.
        units: units of work; see `TrainingChunk`.
        extensions: registered entries that the metrics need.
    """

    name: str
    regression: bool
    metrics: tuple[str, ...]
    data: str
    seed: int = 0
    rounds: int = DEFAULT_ROUNDS
    units: float = 0.0
    extensions: Extensions | ReceivedExtensions = field(default_factory=Extensions)

    def run(self, packed: PackedData | None = None) -> "BaselineOutcome":
        """Fit and measure the baseline. Errors are handled as by `run_chunk`."""
        started = time.thread_time()
        try:
            import sklearn.dummy
            import sklearn.ensemble
            import sklearn.linear_model  # noqa: F401 - once in each worker, so it is no cost of this baseline

            started = time.thread_time()
            data = read_data(self.data) if packed is None else unpack_data(packed)
            outcome = self._measure(data.folds)
        except (OSError, MemoryError, AdditionError):
            raise
        except ModuleNotFoundError:  # only the engine and its libraries have to be there
            return BaselineOutcome(self.name, unavailable=True)
        except Exception:  # noqa: BLE001 - the coordinator records it
            outcome = self.failed(traceback.format_exc())
        return replace(outcome, seconds=time.thread_time() - started)

    def failed(self, reason: str) -> "BaselineOutcome":
        """Return the outcome of a fit that failed."""
        return BaselineOutcome(self.name, error=reason)

    def _measure(self, folds: Sequence[Fold]) -> "BaselineOutcome":
        import sklearn

        received = self.extensions.install()
        A = np.concatenate([self._predict(fold) for fold in folds], axis=1).astype(np.float32)
        Y, restored = (np.concatenate(arrays, axis=1) for arrays in zip(*restore_pairs(folds, A), strict=True))
        chosen = [received[name] if name in received else METRICS.find(name) for name in self.metrics]
        metrics = {metric.name: measure_metric(metric, Y, restored) for metric in chosen}
        return BaselineOutcome(self.name, metrics, A, version=str(sklearn.__version__))

    def _predict(self, fold: Fold) -> Array:
        """Return the predictions for dev, as a network's: (n_y, m), probabilities or scaled targets."""
        model = make_model(self.name, regression=self.regression, seed=self.seed, rounds=self.rounds)
        X, dev = (_by_example(part) for part in (fold.train_X, fold.dev_X))
        weight = None if fold.train_weight is None else fold.train_weight[0].astype(np.float64)
        targets = _by_example(fold.train_Y) if self.regression else labels(fold.train_Y)
        y = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model that has not converged is still a baseline
            model.fit(X, y, sample_weight=weight)
            if self.regression:
                return np.asarray(model.predict(dev), dtype=np.float64).reshape(len(dev), -1).T
            found: Array = model.predict_proba(dev)
        P = np.zeros((max(2, len(fold.train_Y)), len(dev)))
        P[model.classes_] = found.T
        return P if len(fold.train_Y) > 1 else P[1:]


@dataclass(frozen=True, eq=False)
class BaselineOutcome:
    """The result of a fit.

    Attributes:
        name: name of the baseline.
        metrics: its metrics on dev, by name; None where a metric is undefined. With folds, those of all folds together.
        predictions: predictions for dev, (n_y, M), float32, with the examples of all folds side by side.
        seconds: CPU time of the thread that fitted the model.
        version: version of scikit-learn.
        error: traceback if an exception was raised.
        unavailable: whether the worker has no scikit-learn, so another process has to fit the model.
    """

    name: str
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    predictions: Array | None = None
    seconds: float = 0.0
    version: str = ""
    error: str | None = None
    unavailable: bool = False


def make_model(name: str, *, regression: bool, seed: int, rounds: int = DEFAULT_ROUNDS) -> "BaseEstimator":
    """Return an unfitted baseline with scikit-learn's defaults.

    Args:
        name: name of the baseline.
        regression: whether the targets are real values.
        seed: its `random_state`, where it has one.
        rounds: number of trees or boosting iterations.
    """
    from sklearn import dummy, ensemble, linear_model

    kinds: dict[str, tuple[Any, Any]] = {
        "constant": (dummy.DummyClassifier, dummy.DummyRegressor),
        "linear": (linear_model.LogisticRegression, linear_model.Ridge),
        "forest": (ensemble.RandomForestClassifier, ensemble.RandomForestRegressor),
        "boosting": (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor),
    }
    made = kinds[name][regression]()
    given = {"random_state": seed % 2**32} if "random_state" in made.get_params() else {}
    return made.set_params(**given, **({ROUNDS[name]: rounds} if name in ROUNDS else {}))


# Nominal units of work, about a second each, for each tree of a forest or of boosting.
_TREE, _LEAF_SCAN, _ENTRY, _SORTED_ENTRY = 2e-3, 1.6e-5, 2e-8, 6e-8
_LINEAR_ENTRY = 4e-8
_NODE_BYTES = 160  # of a tree, for each training example


def round_work(name: str, m: int, n_x: int, classes: int) -> float:
    """Return the units of work of one tree or boosting iteration, as a function of shapes only.

    Args:
        name: "forest" or "boosting".
        m: number of training examples.
        n_x: number of features.
        classes: number of classes; 0 for a regression.
    """
    if name == "boosting":
        return (classes if classes > 2 else 1) * (_TREE + n_x * (_LEAF_SCAN + m * _ENTRY))
    tried = math.sqrt(n_x) if classes else n_x
    return _TREE + m * math.log2(max(2, m)) * tried * _SORTED_ENTRY


def round_memory(name: str, m: int) -> int:
    """Return the bytes that one tree of a forest may take; boosted trees are small."""
    return m * _NODE_BYTES if name == "forest" else 0


def linear_work(m: int, n_x: int, classes: int) -> float:
    """Return the units of work of the linear model."""
    return m * n_x * (max(1, classes) if classes else n_x) * _LINEAR_ENTRY


def _by_example(part: Array) -> Array:
    """Return an array (n, m) as the rows of examples that scikit-learn takes, (m, n)."""
    rows: Array = np.ascontiguousarray(part.T, dtype=np.float64)
    return rows
