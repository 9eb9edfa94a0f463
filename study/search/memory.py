"""Estimates of the memory that a study needs, computed from its shapes, and checks that this machine has enough."""

import contextlib
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.optimizers import OPTIMIZERS
from engine.work import evaluation_memory
from study.errors import UserError
from study.search.objective import Objective
from study.search.search_space import encoding_of, largest_configurations, training_of
from study.text.formatting import counted

PROCESS = 60 << 20  # bytes of a worker before it has any data
COORDINATOR = 250 << 20  # bytes of the coordinator before it has any data
NUMBER = 4  # bytes of a float32
STEPS = 30  # bisection steps in the search for the largest network that fits
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def check_memory(objective: Objective, jobs: int) -> None:
    """Check that the largest network of the space can be trained on this machine.

    Args:
        objective: the objective of the study.
        jobs: number of workers on this machine; 0 if all are elsewhere.

    Raises:
        UserError: there is not enough memory; the message suggests a remedy with a value.
    """
    available, search = available_memory(), objective.spec.search
    configurations = [
        _shrink(configuration, lambda shrunk: _within(objective, shrunk))
        for configuration in largest_configurations(objective.spec.space)
    ]
    largest = max(configurations, key=lambda configuration: study_memory(objective, configuration, jobs))
    needed = study_memory(objective, largest, jobs)
    if available is None or needed <= available:
        return
    fitting = _shrink(largest, lambda shrunk: study_memory(objective, shrunk, jobs) <= available)
    if study_memory(objective, fitting, jobs) > available:
        return  # the data is too large, not the network, and it has already been read
    workers = f" and --jobs {jobs}" if jobs else ""
    raise UserError(
        f"[space] max_parameters: the largest network has {counted(_count(objective, largest), 'parameter')}; "
        f"with in_flight = {search.in_flight}{workers} it needs {_gigabytes(needed)} of memory, "
        f"but this process can use only {_gigabytes(available)};\n"
        f"set max_parameters = {_rounded(_count(objective, fitting))}, or reduce units, depth or [search] in_flight"
    )


def check_retraining(objective: Objective, configurations: Sequence[Mapping[str, Any]], seeds: int, jobs: int) -> None:
    """Check that configurations, if there are any, can be retrained on this machine.

    Args:
        objective: the objective of the study.
        configurations: complete configurations.
        seeds: number of seeds for each configuration.
        jobs: number of workers on this machine; 0 if all are elsewhere.

    Raises:
        UserError: there is not enough memory.
    """
    available = available_memory()
    if not configurations:
        return
    largest = max(configurations, key=lambda configuration: _count(objective, configuration))
    needed = COORDINATOR + _kept(objective, largest, seeds) + _workers(objective, largest, jobs)
    if available is not None and needed > available:
        raise UserError(
            f"the largest network to retrain has {counted(_count(objective, largest), 'parameter')}; "
            f"--seeds {seeds} and --jobs {jobs} need {_gigabytes(needed)} of memory, "
            f"but this process can use only {_gigabytes(available)}; reduce one of them, or use a larger machine"
        )


def study_memory(objective: Objective, configuration: Mapping[str, Any], jobs: int) -> int:
    """Return the bytes that coordinator and workers need if all open trials have this configuration."""
    return coordinator_memory(objective, configuration) + _workers(objective, configuration, jobs)


def _workers(objective: Objective, configuration: Mapping[str, Any], jobs: int) -> int:
    search = objective.spec.search
    worker = worker_memory(objective, configuration)
    if search.worker_memory is not None:
        worker = min(worker, search.worker_memory << 20)
    return min(jobs, search.in_flight) * worker


def worker_memory(objective: Objective, configuration: Mapping[str, Any]) -> int:
    """Return the bytes of a worker that trains this configuration, and predicts train and dev."""
    architecture, most = objective.architecture(configuration), max(objective.m, objective.dataset.dev.m)
    # Each fold has its own X in the stack, and a worker keeps the stacks of two encodings.
    encoding = encoding_of(configuration)
    n_x = objective.n_x[encoding] + max((n for each, n in objective.n_x.items() if each != encoding), default=0)
    folds = (len(objective.datasets) - 1) * NUMBER * objective.m * (2 * n_x + 2)
    return PROCESS + objective.iteration_work(configuration).memory + evaluation_memory(architecture, most) + folds


def coordinator_memory(objective: Objective, configuration: Mapping[str, Any]) -> int:
    """Return the bytes of the coordinator: the states of open trials and of a round, or the networks of confirm."""
    search, confirm = objective.spec.search, objective.spec.confirm
    network = NUMBER * _count(objective, configuration)
    state = network * objective.replicas * (1 + len(OPTIMIZERS[training_of(configuration).optimizer].slots))
    states = search.in_flight + -(-search.in_flight // 2) + 2  # half of them return together; two are in transit
    kept = 0 if confirm is None else _kept(objective, configuration, confirm.seeds)
    return COORDINATOR + _other_encodings(objective) + max(states * state, kept)


def _other_encodings(objective: Objective) -> int:
    """Return the bytes of the data in encodings other than the first, which `COORDINATOR` does not count either."""
    others = [each for dataset in objective.datasets for each in dataset.others]
    return sum(part.X.nbytes for each in others for part in (each.train, each.dev, each.confirm) if part is not None)


def _kept(objective: Objective, configuration: Mapping[str, Any], seeds: int) -> int:
    """Return the bytes of a configuration's networks in confirm: as trained, stacked, and written."""
    return 3 * NUMBER * _count(objective, configuration) * seeds * len(objective.datasets)


def available_memory() -> int | None:
    """Return the bytes of memory that this process may use, or None if unknown."""
    found = []
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return None
    found += [
        limit for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA) if (limit := resource.getrlimit(kind)[0]) > 0
    ]
    with contextlib.suppress(ValueError, OSError):  # there is no limit
        found.append(int(_CGROUP.read_text()))
    return min(found)


def _shrink(configuration: dict[str, Any], fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the configuration with its layers narrowed in proportion until it fits, down to one unit each."""

    def scaled(share: float) -> dict[str, Any]:
        layers = [f"units_{layer}" for layer in range(1, configuration["depth"] + 1)]
        return configuration | {layer: max(1, int(share * configuration[layer])) for layer in layers}

    if fits(configuration):
        return configuration
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(scaled(middle)) else (low, middle)
    return scaled(low)


def _within(objective: Objective, configuration: Mapping[str, Any]) -> bool:
    most = objective.spec.space.max_parameters
    return most is None or _count(objective, configuration) <= most


def _count(objective: Objective, configuration: Mapping[str, Any]) -> int:
    return objective.architecture(configuration).parameters_count


def _rounded(count: int) -> int:
    """Return a number rounded down to two significant digits."""
    power: int = 10 ** max(0, len(str(count)) - 2)
    return count // power * power


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
