"""Conformance checks for the tests of custom samplers, pruners, data sources and transforms.

Each function raises an AssertionError that states the broken requirement. The object does not need to be registered.
`engine.testing` has the same checks for activations, optimizers, schedules and metrics.
"""

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.pruners import NopPruner
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from sklearn.pipeline import Pipeline

from study.data.transforms import TransformStep, unfitted
from study.errors import UserError
from study.model.model_types import check_saveable
from study.search.in_memory_study import InMemoryStudy
from study.search.search_space import suggest
from study.spec.extensions import Pruner, Sampler, Source, Transform
from study.spec.space import SpaceSpec

_SPACE = SpaceSpec.model_validate(
    {
        "learning_rate": {"low": 1e-3, "high": 1.0, "log": True},
        "iterations": {"low": 10, "high": 100, "step": 10},
        "depth": {"low": 0, "high": 2},
        "units": {"low": 2, "high": 32, "log": True},
        "activation": ["relu", "tanh"],
    }
)
_TRIALS = 20
_GRID, _WARMUP = tuple(range(10, 101, 10)), 30


def check_sampler(sampler: Sampler) -> None:
    """Check that a sampler stays within the space, and depends only on its seed, the trial's number and the trials."""
    directions = ("maximize", "minimize") if sampler.several else ("maximize",)
    before = _global_state()
    trials = _searched(sampler, directions, rebuilt=False)
    _require(_global_state() == before, "a sampler must not change the global random state")
    _require(len({str(trial.params) for trial in trials}) > 1, "a sampler must propose different configurations")
    for trial in trials:
        _require(_is_inside(trial), f"a sampler must propose values in the space, got {trial.params}")
    again = _searched(sampler, directions, rebuilt=False)
    _require(
        _drawn(trials) == _drawn(again),
        "a sampler must depend only on its seed, the trial number and the earlier trials",
    )
    rebuilt = _searched(sampler, directions, rebuilt=True)
    _require(_drawn(trials) == _drawn(rebuilt), "a sampler must keep no state outside the trials")


def check_pruner(pruner: Pruner) -> None:
    """Check that a pruner spares the best trial, respects the warm-up, and depends only on reported values."""
    for direction in ("maximize", "minimize"):
        for finals in ([], [0.2, 0.5, 0.3, 0.6, 0.55, 0.4, 0.45, 0.35]):
            best = _decisions(pruner, direction, finals, _curve(0.9))
            _require(not any(best.values()), f"a pruner must not stop the best trial ({direction})")
            for curve in (_curve(0.05), _curve(0.4), _curve(0.4) | dict.fromkeys(_GRID[::2], math.nan)):
                decisions = _decisions(pruner, direction, finals, curve)
                early = [stopped for point, stopped in decisions.items() if point < _WARMUP]
                _require(not any(early), "a pruner must not stop a trial before the warm-up")
                again = _decisions(pruner, direction, finals, curve, rebuilt=True)
                _require(decisions == again, "a pruner must decide only from reported values, and keep no state")


def check_source(source: Source, rest: str, base: Path) -> None:
    """Check that a data source returns a table, the same one each time.

    Args:
        source: the data source.
        rest: the part of a source in a spec after the colon.
        base: the folder that would contain the spec.
    """
    before = _global_state()
    table = source.read(rest, base)
    _require(isinstance(table, pd.DataFrame), "a source must return a pandas.DataFrame")
    names = [str(name) for name in table.columns]
    _require(len(set(names)) == len(names), "a source must give each column a unique name")
    _require(len(names) > 1, "a source must return a target and at least one other column")
    _require(len(table) > 0, "a source must return at least one row")
    _require(table.equals(source.read(rest, base)), "a source must return the same rows in the same order each time")
    _require(_global_state() == before, "a source must not change the global random state")


def check_transform(transform: Transform, X: pd.DataFrame, y: Sequence[object] | None = None) -> None:
    """Check that a transform can be a part of a study.

    It must be deterministic, transform each row on its own, and be saved with the model.

    Args:
        transform: the transform.
        X: columns as the transform receives them; at least two rows.
        y: targets, (m,).
    """
    given, targets = X.reset_index(drop=True), None if y is None else np.asarray(y)
    try:
        steps = [TransformStep(transform.name, unfitted(transform)) for _ in range(2)]
        first, second = (step.fit_transform(given, targets) for step in steps)
        _require(first.equals(second), "a transform must return the same output each time it is fitted")
        step, half = steps[0], len(given) // 2
        whole = step.apply(given)
        parts = [step.apply(given[:half]), step.apply(given[half:].reset_index(drop=True))]
        alike = [_alike(pd.concat(parts, ignore_index=True)[name], whole[name]) for name in whole.columns]
        _require(all(alike), "a transform must transform each row independently of the other rows")
        check_saveable(Pipeline([("transform", step)]), transform.name)
    except UserError as error:
        raise AssertionError(str(error)) from error


def _alike(one: pd.Series, other: pd.Series) -> bool:
    """Return whether two columns are equal; numbers up to rounding, which depends on the number of rows."""
    if one.dtype == object:
        return bool(one.equals(other))
    return bool(np.allclose(one.to_numpy(dtype=np.float64), other.to_numpy(dtype=np.float64), equal_nan=True))


def _global_state() -> object:
    """Return the state of the global random generators."""
    arrays = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - checks that it is unused
    return random.getstate(), arrays["key"].tolist(), arrays["pos"]


def _is_inside(trial: FrozenTrial) -> bool:
    """Return whether all parameters are within their distributions, which Optuna checks when a trial is created."""
    try:
        create_trial(params=trial.params, distributions=trial.distributions, value=0.0)
    except ValueError:
        return False
    return True


def _searched(sampler: Sampler, directions: Sequence[str], *, rebuilt: bool) -> list[FrozenTrial]:
    """Return the trials of a small search, some of which fail or are pruned.

    Args:
        sampler: the sampler.
        directions: "maximize" or "minimize" for each objective.
        rebuilt: whether to copy the trials to a new study before each proposal.
    """
    study = InMemoryStudy("check", directions, NopPruner())
    for number in range(_TRIALS):
        if rebuilt:
            study = InMemoryStudy("check", directions, NopPruner(), study.trials)
        drawn, _ = study.draw(_maker(sampler, number), lambda trial: suggest(trial, _SPACE), acceptable=lambda _: True)
        study.add(drawn)
        value = -abs(math.log10(drawn.params["learning_rate"]) + 1) - 0.3 * abs(drawn.params["depth"] - 2)
        state = {5: TrialState.FAIL, 6: TrialState.PRUNED}.get(number % 10, TrialState.COMPLETE)
        study.report(number, {10: value} if len(directions) == 1 else {})
        values = [value, float(drawn.params["depth"])][: len(directions)] if state == TrialState.COMPLETE else None
        study.end(number, state, values, {})
    return study.trials


def _maker(sampler: Sampler, number: int) -> Callable[[int], optuna.samplers.BaseSampler]:
    return lambda attempt: sampler.make(1000 * number + attempt, number)


def _drawn(trials: Sequence[FrozenTrial]) -> list[object]:
    return [(trial.params, trial.system_attrs) for trial in trials]


def _curve(final: float) -> dict[int, float]:
    """Return values that rise from 0 to `final`."""
    return {point: final * point / _GRID[-1] for point in _GRID}


def _decisions(
    pruner: Pruner, direction: str, finals: Sequence[float], curve: dict[int, float], *, rebuilt: bool = False
) -> dict[int, bool]:
    """Return whether a trial is pruned at each point of the grid, given complete trials that end at `finals`.

    Args:
        pruner: the pruner.
        direction: "maximize" or "minimize".
        finals: the final values of complete trials.
        curve: values of the trial, by iteration.
        rebuilt: whether to use a new pruner and a new study at each point.
    """
    sign = 1.0 if direction == "maximize" else -1.0

    def make() -> InMemoryStudy:
        study = InMemoryStudy("check", [direction], pruner.make(_GRID, _WARMUP))
        for number, final in enumerate(finals):
            study.add(_blank(study))
            study.report(number, {point: sign * value for point, value in _curve(final).items()})
            study.end(number, TrialState.COMPLETE, [sign * final], {})
        study.add(_blank(study))
        return study

    study, decisions, reported = make(), dict[int, bool](), dict[int, float]()
    for point, value in curve.items():
        reported[point] = sign * value
        if rebuilt:
            study = make()
            study.report(len(finals), reported)
        else:
            study.report(len(finals), {point: sign * value})
        decisions[point] = bool(study.should_prune(len(finals)))
    return decisions


def _blank(study: InMemoryStudy) -> FrozenTrial:
    def nothing(trial: Trial) -> None:
        """Draw no parameter."""

    drawn, _ = study.draw(lambda _: optuna.samplers.RandomSampler(0), nothing, acceptable=lambda _: True)
    return drawn


def _require(holds: object, promise: str) -> None:
    if not holds:
        raise AssertionError(promise)
