"""Samplers, which propose the next configuration, by their names in the spec.

A new sampler is created for each proposal. The proposal depends only on the sampler's seed, the trial's number, and the
trials of the study with their system attributes, and on no state in the process, in attributes of the study or in a
pickle. Three of Optuna's samplers are therefore replaced: QMC counts in an attribute of the study, NSGA-II stores
parents there, and CMA-ES stores a pickled optimizer in trials.
"""

# ruff: noqa: ARG002 - Optuna defines the arguments of a sampler, and none here needs all of them

import importlib.util
import json
import math
import warnings
from collections.abc import Mapping

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from study._compat import set_sampler_attribute
from study.errors import needs_package
from study.spec.extensions import SAMPLERS
from study.spec.parameters import ParameterValue
from study.spec.search import SearchSpec

_EXTRAS = {"gp": "torch", "cmaes": "cmaes"}  # the module that each extra installs; an extra is named after its sampler


def check_available(search: SearchSpec) -> None:
    """Check that the packages of the sampler are installed.

    Raises:
        UserError: a package is missing.
    """
    module = _EXTRAS.get(search.sampler)
    if module is not None and importlib.util.find_spec(module) is None:
        raise needs_package(f"[search] sampler: {search.sampler}", module)


def make_sampler(search: SearchSpec, seed: int, number: int, attempt: int = 0) -> BaseSampler:
    """Return the sampler that proposes one trial.

    Args:
        search: the [search] table.
        seed: seed of this proposal.
        number: number of the trial.
        attempt: number of earlier proposals for this trial that were not acceptable.
    """
    if search.sampler in SAMPLERS:
        return SAMPLERS[search.sampler].make(seed, number)
    match search.sampler:
        case "tpe":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                # group=True models the units of a layer together with the depths that have it (optuna#5299).
                return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
        case "qmc":
            return SobolSampler(search.seed, number, attempt)
        case "gp":
            return _OneThreadGP(seed=seed, warn_independent_sampling=False)
        case "cmaes":
            return CmaSampler(seed)
        case "nsga2":
            # Independent of `trials`: a study whose number of trials is increased continues as if it had started with
            # that number.
            return _StatelessNSGA2(population_size=max(16, 2 * search.in_flight), seed=seed)
        case _:  # random, and grid, for which the proposer fixes the configuration
            return RandomSampler(seed=seed)


class _Independent(BaseSampler):
    """A sampler that proposes each parameter independently."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, ParameterValue]:
        return {}


class SobolSampler(_Independent):
    """Proposes the point of a scrambled Sobol sequence whose index is the trial's number.

    Every parameter has its own fixed coordinate, so conditions do not matter: a trial that lacks a parameter does not
    use its coordinate.

    Args:
        seed: seed of the scrambling, the same for all trials of a study.
        number: number of the trial.
        attempt: each attempt has its own scrambling; attempt 0 uses that of the study.
    """

    # Append new names, so that studies in progress keep their coordinates; the units of layers follow the names.
    NAMES = (
        *("learning_rate", "iterations", "depth", "units", "activation", "optimizer", "batch_size", "momentum", "l2"),
        *("dropout", "schedule", "initialization", "units_pattern", "encoding", "bins", "class_weight"),
    )
    _RESERVED = 20  # coordinates reserved for NAMES
    _LAYERS = 50

    def __init__(self, seed: int, number: int, attempt: int = 0) -> None:
        self._seed, self._number = np.random.SeedSequence(seed, spawn_key=(attempt,)), number
        self._point: list[float] = []

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> ParameterValue:
        """Return the value at the parameter's coordinate."""
        if not self._point:
            self._point = self._sobol()
        return from_unit(param_distribution, self._point[self._coordinate(param_name)])

    def _coordinate(self, name: str) -> int:
        if name in self.NAMES:
            return self.NAMES.index(name)
        return self._RESERVED + int(name.removeprefix("units_")) - 1

    def _sobol(self) -> list[float]:
        from scipy.stats import qmc  # imported here, since it takes half a second and only this sampler needs it

        sequence = qmc.Sobol(self._RESERVED + self._LAYERS, scramble=True, rng=np.random.default_rng(self._seed))
        if self._number:
            sequence.fast_forward(self._number)
        return [float(u) for u in sequence.random(1)[0]]


class CmaSampler(BaseSampler):
    """CMA-ES (Hansen, 2016) on the numeric parameters, replayed from the trials for each proposal.

    A trial stores its point ("cma:x": all coordinates, including those that its conditions do not use) and the
    generation that it belongs to. Optuna's sampler drops a parameter permanently once a trial lacks it, and ignores
    pruned trials. CMA-ES uses only ranks, so here pruned trials rank after complete ones, and failed trials last.

    Args:
        seed: seed of this proposal.
    """

    POINT, GENERATION = "cma:x", "cma:generation"
    _STEP = 0.3  # initial standard deviation: Hansen advises a third of the range if the optimum may be anywhere

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the numeric parameters that finished trials have had."""
        space = {
            name: distribution
            for other in study.get_trials(deepcopy=False)
            if other.state.is_finished()
            for name, distribution in other.distributions.items()
            if not isinstance(distribution, CategoricalDistribution) and not distribution.single()
        }
        return dict(sorted(space.items()))

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, ParameterValue]:
        """Return the proposal, and store it with the trial; return nothing until a trial has finished."""
        if not search_space:
            return {}
        import cmaes  # optional dependency

        dimensions = len(search_space)
        optimizer = cmaes.CMA(
            mean=np.full(dimensions, 0.5),
            sigma=self._STEP,
            bounds=np.tile([0.0, 1.0], (dimensions, 1)),
            n_max_resampling=10 * dimensions,
            seed=self._seed,
        )
        generations = _generations(study, self.GENERATION, finished=True)
        while len(finished := generations.get(optimizer.generation, [])) >= optimizer.population_size:
            ranked = sorted(finished[: optimizer.population_size], key=lambda t: _sort_key(t, study.direction))
            optimizer.tell([(_point(t, search_space), rank) for rank, t in enumerate(ranked)])
        point = dict(zip(search_space, map(float, optimizer.ask()), strict=True))
        set_sampler_attribute(study, trial, self.POINT, json.dumps(point))
        set_sampler_attribute(study, trial, self.GENERATION, optimizer.generation)
        return {name: from_unit(distribution, point[name]) for name, distribution in search_space.items()}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> ParameterValue:
        """Return a random choice for a parameter that is categorical, or that no finished trial has."""
        value: ParameterValue = self._random.sample_independent(study, trial, param_name, param_distribution)
        return value


def _point(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> NDArray[np.float64]:
    """Return the point of a trial, with 0.5 for coordinates that did not exist when it was proposed."""
    known = json.loads(trial.system_attrs[CmaSampler.POINT])
    return np.array(
        [
            known[name] if name in known else to_unit(space[name], trial.params[name]) if name in trial.params else 0.5
            for name in space
        ]
    )


def _sort_key(trial: FrozenTrial, direction: StudyDirection) -> tuple[int, int, float]:
    """Return a key that sorts finished trials from best to worst; of pruned trials, the longest ones come first."""
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    if trial.state == TrialState.COMPLETE:
        return 0, 0, sign * trial.values[0]
    if trial.state == TrialState.PRUNED and trial.last_step is not None:
        return 1, -trial.last_step, sign * trial.intermediate_values[trial.last_step]
    return 2, 0, 0.0


def _generations(study: optuna.Study, key: str, *, finished: bool) -> dict[int, list[FrozenTrial]]:
    """Return the complete (or all finished) trials of each generation, ordered by number."""
    generations: dict[int, list[FrozenTrial]] = {}
    for trial in study.get_trials(deepcopy=False):
        wanted = trial.state.is_finished() if finished else trial.state == TrialState.COMPLETE
        if wanted and key in trial.system_attrs:
            generations.setdefault(trial.system_attrs[key], []).append(trial)
    return generations


class _StatelessNSGA2(NSGAIISampler):
    """Optuna's NSGA-II, with the parents of a generation computed from the trials instead of stored with the study.

    Optuna stores the name of this class with each trial, so existing ledgers depend on it.
    """

    def __init__(self, population_size: int, seed: int) -> None:
        super().__init__(population_size=population_size, seed=seed)
        self._parents: list[list[FrozenTrial]] = [[]]  # by generation; a sampler makes only one proposal

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        while len(self._parents) <= generation:
            self._parents.append(self.select_parent(study, len(self._parents)))
        return self._parents[generation]


class _OneThreadGP(GPSampler):
    """Optuna's Gaussian process sampler on one thread, since rounding errors depend on the number of threads."""

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, ParameterValue]:
        import torch  # optional dependency

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return super().sample_relative(study, trial, search_space)
        finally:
            torch.set_num_threads(threads)


def from_unit(distribution: BaseDistribution, u: float) -> ParameterValue:
    """Map u in [0, 1] to a value: choices and steps get equal shares, and log ranges a logarithmic scale."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[_cell(u, len(distribution.choices))]
    spread = _numeric(distribution)
    low, high, step = spread.low, spread.high, spread.step
    if spread.log:
        half = 0.5 if isinstance(spread, IntDistribution) else 0.0
        value = math.exp(_between(math.log(low - half), math.log(high + half), u))
        return min(max(round(value) if half else value, low), high)
    if step is None:
        return min(max(_between(low, high, u), low), high)
    return min(_cell(u, round((high - low) / step) + 1) * step + low, high)


def to_unit(distribution: BaseDistribution, value: float) -> float:
    """Map a number to [0, 1]: return the middle of the values that `from_unit` maps to it."""
    spread = _numeric(distribution)
    low, high, step = float(spread.low), float(spread.high), spread.step
    if step is not None and not spread.log:
        return (round((value - low) / step) + 0.5) / (round((high - low) / step) + 1)
    if spread.log:
        half = 0.5 if isinstance(spread, IntDistribution) else 0.0
        low, high, value = math.log(low - half), math.log(high + half), math.log(value)
    return (value - low) / (high - low) if high > low else 0.5


def _numeric(distribution: BaseDistribution) -> FloatDistribution | IntDistribution:
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        raise TypeError(f"{distribution} is not a range of numbers")
    return distribution


def _cell(u: float, cells: int) -> int:
    return min(int(u * cells), cells - 1)


def _between(low: float, high: float, u: float) -> float:
    return low + u * (high - low)
