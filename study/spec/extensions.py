"""Samplers, pruners and data sources that a program registers, and that a spec can then name.

Registering is for the process that runs the study: a spec names what is registered and imports nothing. Whoever reads
a spec that names an addition, to show or to continue the study, registers it first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationInfo

from engine.registry import Registry, check_callable

if TYPE_CHECKING:  # which take a second to import, and a spec is read without them
    import pandas as pd
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

BUILT_IN_SAMPLERS = ("tpe", "random", "qmc", "grid", "gp", "cmaes", "nsga2")
BUILT_IN_PRUNERS = ("none", "median", "percentile", "successive_halving", "hyperband", "patient", "threshold", "asha")
BUILT_IN_SOURCES = ("sklearn", "synthetic", "openml")


@dataclass(frozen=True)
class Sampler:
    """A sampler of configurations.

    Attributes:
        name: as written in a spec, `sampler = "name"`.
        make: `make(seed, number)` returns the Optuna sampler that proposes one trial, from the seed of this proposal
            and the number of the trial. A new one is made for every proposal, so it must keep nothing: what it proposes
            is a function of these two, and of the parameters, values and system attributes of the study's trials.
        several: whether it can search by several metrics.
    """

    name: str
    make: Callable[[int, int], "BaseSampler"]
    several: bool = False


@dataclass(frozen=True)
class Pruner:
    """A pruner of trials.

    Attributes:
        name: as written in a spec, `pruner = "name"`.
        make: `make(grid, warmup)` returns the Optuna pruner of a study, from the iterations at which trials report, the
            last of which is the longest training, and the iteration before which no trial may be pruned. A decision is
            a function of the values that trials have reported; the pruner must keep nothing.
    """

    name: str
    make: Callable[[tuple[int, ...], int], "BasePruner"]


@dataclass(frozen=True)
class Source:
    """A source of data.

    Attributes:
        name: as written in a spec before the colon, `source = "name:rest"`.
        read: `read(rest, base)` returns a table with one row for each example, features and target together; base is
            the folder of the spec. It must return the same rows in the same order each time. An OSError or ValueError
            is shown to the user in a line.
    """

    name: str
    read: Callable[[str, Path], "pd.DataFrame"]


SAMPLERS = Registry[Sampler]("sampler", reserved=BUILT_IN_SAMPLERS)
PRUNERS = Registry[Pruner]("pruner", reserved=BUILT_IN_PRUNERS)
SOURCES = Registry[Source]("source", reserved=BUILT_IN_SOURCES)


RECORDED = {"recorded": True}
"""The validation context of a spec that a ledger holds: names were checked when its study began."""


def is_recorded(info: ValidationInfo) -> bool:
    """Return whether a spec is that of a ledger, so that a name which is not registered in this process is valid."""
    return info.context == RECORDED


def register_sampler(sampler: Sampler) -> None:
    """Add a sampler, which specs can then name. `study.testing.check_sampler` tests that it keeps its promises.

    Raises:
        ValueError: the name is built in or not lower case letters, digits and underscores, or `make` is not a function.
    """
    check_callable("sampler", sampler, "make")
    SAMPLERS.register(sampler)


def register_pruner(pruner: Pruner) -> None:
    """Add a pruner, which specs can then name. `study.testing.check_pruner` tests that it keeps its promises.

    Raises:
        ValueError: the name is built in or not lower case letters, digits and underscores, or `make` is not a function.
    """
    check_callable("pruner", pruner, "make")
    PRUNERS.register(pruner)


def register_source(source: Source) -> None:
    """Add a data source, which specs can then name. `study.testing.check_source` tests that it keeps its promises.

    Raises:
        ValueError: the name is built in, a single letter (as of a drive), or not lower case letters, digits and
            underscores, or `read` is not a function.
    """
    if len(source.name) == 1:
        raise ValueError(f"source name must have at least two characters, got {source.name!r}")
    check_callable("source", source, "read")
    SOURCES.register(source)
