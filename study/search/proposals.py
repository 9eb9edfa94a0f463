"""Proposals of the next configuration: one that was enqueued, the next of a grid, or one that the sampler draws."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from study.search.grid import enumerate_configurations, grid_order
from study.search.in_memory_study import InMemoryStudy
from study.search.objective import sampler_seed
from study.search.samplers import make_sampler
from study.search.search_space import suggest
from study.spec import SpaceSpec
from study.spec.parameters import Configuration, ParameterValue
from study.spec.search import SearchSpec

ConfigurationKey = tuple[tuple[str, ParameterValue], ...]
"""The parameters of a configuration in a hashable form."""


class NoFittingNetworkError(Exception):
    """Raised if no network within max_parameters was found."""


@dataclass(frozen=True)
class Proposer:
    """Proposes configurations as a function of its attributes and of the trials.

    Attributes:
        search: the [search] table.
        space: the [space] table.
        enqueued: parameters to try first, by trial number.
        fits: returns whether the network of the given parameters is within max_parameters.
        finite: the parameters of all configurations of a small discrete space, in which none is tried twice; None
            if there are too many.
    """

    search: SearchSpec
    space: SpaceSpec
    enqueued: Sequence[Configuration]
    fits: Callable[[Configuration], bool]
    finite: Sequence[Configuration] | None

    @classmethod
    def of(
        cls,
        search: SearchSpec,
        space: SpaceSpec,
        enqueued: Sequence[Configuration],
        fits: Callable[[Configuration], bool],
    ) -> "Proposer":
        """Return the proposer of a study.

        Raises:
            UserError: the sampler is a grid, and the space is infinite or too large.
        """
        every = grid_order(space, search.seed) if search.sampler == "grid" else enumerate_configurations(space)
        finite = None if every is None else [params for params in every if fits(params)]
        return cls(search, space, enqueued, fits, finite)

    def exhausted(self, tried: AbstractSet[ConfigurationKey]) -> str | None:
        """Return the reason why no configuration is left to propose, or None."""
        if self.finite is None or len(tried) < len(self.finite):
            return None
        return f"every configuration in the space has been tried ({len(self.finite):,})"

    def propose(self, study: InMemoryStudy, tried: AbstractSet[ConfigurationKey]) -> FrozenTrial:
        """Return the next trial, without adding it to the study.

        Args:
            study: the trials so far.
            tried: the configurations of these trials.

        Raises:
            NoFittingNetworkError: no network within max_parameters was found.
        """
        number = len(study.trials)

        def sampler(attempt: int) -> BaseSampler:
            return make_sampler(self.search, sampler_seed(self.search.seed, number, attempt), number, attempt)

        def acceptable(trial: FrozenTrial) -> bool:
            new = self.finite is None or key_of(trial.params) not in tried
            return new and self.fits(trial.params)

        def draw(fixed: Configuration | None) -> tuple[FrozenTrial, bool]:
            return study.draw(sampler, lambda trial: suggest(trial, self.space), acceptable, fixed)

        fixed = self.enqueued[number] if number < len(self.enqueued) else None
        if fixed is None and self.search.sampler == "grid":
            fixed = self._untried(tried)
        drawn, taken = draw(fixed)
        if not taken and fixed is None and self.finite is not None:
            # The sampler keeps proposing configurations that have been tried, so use the first untried one.
            drawn, taken = draw(self._untried(tried))
        if not self.fits(drawn.params):
            raise NoFittingNetworkError(
                f"[space] max_parameters = {self.space.max_parameters}: no network that small was found; "
                "raise max_parameters, or lower depth and units"
            )
        return drawn

    def _untried(self, tried: AbstractSet[ConfigurationKey]) -> Configuration:
        return next(params for params in self.finite or () if key_of(params) not in tried)


def key_of(params: Configuration) -> ConfigurationKey:
    """Return a key that identifies a configuration."""
    return tuple(sorted(params.items()))


def keys_of(trials: Iterable[FrozenTrial]) -> frozenset[ConfigurationKey]:
    """Return the keys of the trials' configurations."""
    return frozenset(key_of(trial.params) for trial in trials)
