"""How much memory a study takes, by its shapes alone, and whether this machine has it, before anything is trained."""

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
from study.search.search_space import largest_configurations, training_of
from study.text.formatting import counted

PROCESS = 60 << 20  # bytes of a worker before it has any data
COORDINATOR = 250 << 20  # the same of the coordinator
NUMBER = 4  # bytes of a float32
STEPS = 30  # halvings, in the search for the largest network that fits
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def check_memory(objective: Objective, jobs: int) -> None:
    """Check that the largest network of the space can be trained here.

    Args:
        objective: of the study.
        jobs: workers on this machine; 0 where all are elsewhere.

    Raises:
        UserError: there is not as much memory; with what to lower, and how far.
    """
    available, search = available_memory(), objective.spec.search
    settings = [
        _shrink(setting, lambda setting: _within(objective, setting))
        for setting in largest_configurations(objective.spec.space)
    ]
    largest = max(settings, key=lambda setting: study_memory(objective, setting, jobs))
    needed = study_memory(objective, largest, jobs)
    if available is None or needed <= available:
        return
    fitting = _shrink(largest, lambda setting: study_memory(objective, setting, jobs) <= available)
    if study_memory(objective, fitting, jobs) > available:
        return  # it is the data that are too large, and they have been read
    workers = f" and --jobs {jobs}" if jobs else ""
    raise UserError(
        f"[space] max_parameters: the largest network has {counted(_count(objective, largest), 'parameter')}; "
        f"with in_flight = {search.in_flight}{workers} it needs {_gigabytes(needed)} of memory, "
        f"but this process can use only {_gigabytes(available)};\n"
        f"set max_parameters = {_rounded(_count(objective, fitting))}, or lower units, depth or [search] in_flight"
    )


def check_retraining(objective: Objective, settings: Sequence[Mapping[str, Any]], seeds: int, jobs: int) -> None:
    """Check that settings, if there are any, can be trained again here, each on so many seeds.

    Args:
        objective: of the study.
        settings: complete ones.
        seeds: of each.
        jobs: workers on this machine; 0 where all are elsewhere.

    Raises:
        UserError: there is not as much memory.
    """
    available = available_memory()
    if not settings:
        return
    largest = max(settings, key=lambda setting: _count(objective, setting))
    needed = COORDINATOR + _kept(objective, largest, seeds) + _workers(objective, largest, jobs)
    if available is not None and needed > available:
        raise UserError(
            f"the largest network to retrain has {counted(_count(objective, largest), 'parameter')}; "
            f"--seeds {seeds} and --jobs {jobs} need {_gigabytes(needed)} of memory, "
            f"but this process can use only {_gigabytes(available)}; lower one of them, or use a larger machine"
        )


def study_memory(objective: Objective, setting: Mapping[str, Any], jobs: int) -> int:
    """Return the bytes that coordinator and workers take where all that is open has this setting."""
    return coordinator_memory(objective, setting) + _workers(objective, setting, jobs)


def _workers(objective: Objective, setting: Mapping[str, Any], jobs: int) -> int:
    search = objective.spec.search
    worker = worker_memory(objective, setting)
    if search.worker_memory is not None:
        worker = min(worker, search.worker_memory << 20)
    return min(jobs, search.in_flight) * worker


def worker_memory(objective: Objective, setting: Mapping[str, Any]) -> int:
    """Return the bytes of a worker: itself, a training of this setting, and predictions for train and dev."""
    architecture, most = objective.architecture(setting), max(objective.m, objective.dataset.dev.m)
    # Each fold has an X of its own in the stack.
    folds = (len(objective.datasets) - 1) * NUMBER * objective.m * (2 * objective.n_x + 2)
    return PROCESS + objective.iteration_work(setting).memory + evaluation_memory(architecture, most) + folds


def coordinator_memory(objective: Objective, setting: Mapping[str, Any]) -> int:
    """Return the bytes of the coordinator: states of open trials, those that a round brings, what confirm keeps."""
    search, confirm = objective.spec.search, objective.spec.confirm
    network = NUMBER * _count(objective, setting)
    state = network * objective.replicas * (1 + len(OPTIMIZERS[training_of(setting).optimizer].slots))
    states = search.in_flight + -(-search.in_flight // 2) + 2  # half of them come back at once; two are on the way
    kept = 0 if confirm is None else _kept(objective, setting, confirm.seeds)
    return COORDINATOR + max(states * state, kept)


def _kept(objective: Objective, setting: Mapping[str, Any], seeds: int) -> int:
    """Return the bytes of a setting's networks in confirm: as they were trained, stacked, and written."""
    return 3 * NUMBER * _count(objective, setting) * seeds * len(objective.datasets)


def available_memory() -> int | None:
    """Return the bytes of memory that this process may use, None where the machine does not say."""
    found = []
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return None
    found += [
        limit for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA) if (limit := resource.getrlimit(kind)[0]) > 0
    ]
    with contextlib.suppress(ValueError, OSError):  # no limit
        found.append(int(_CGROUP.read_text()))
    return min(found)


def _shrink(setting: dict[str, Any], fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the setting with layers as wide, in the same proportions, as fits; of one unit where nothing does."""

    def scaled(share: float) -> dict[str, Any]:
        layers = [f"units_{layer}" for layer in range(1, setting["depth"] + 1)]
        return setting | {layer: max(1, int(share * setting[layer])) for layer in layers}

    if fits(setting):
        return setting
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(scaled(middle)) else (low, middle)
    return scaled(low)


def _within(objective: Objective, setting: Mapping[str, Any]) -> bool:
    most = objective.spec.space.max_parameters
    return most is None or _count(objective, setting) <= most


def _count(objective: Objective, setting: Mapping[str, Any]) -> int:
    return objective.architecture(setting).parameters_count


def _rounded(count: int) -> int:
    """Return a number cut down to two digits that count."""
    power: int = 10 ** max(0, len(str(count)) - 2)
    return count // power * power


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
