"""`study plan`: the data, space, work, memory, disk and expected time of a study, before anything is trained.

Configurations are drawn at random from the space, with seeds derived from the spec's. Their work is computed by the
engine's cost model, and the seconds come from a short calibration on this machine.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import RandomSampler
from pydantic import BaseModel

from engine.work import Work
from study.data import loading, opening, overview
from study.data.overview import DataSummary
from study.errors import UserError
from study.evaluation.baselines import plan_baselines
from study.execution import default_jobs
from study.ledger.baselines import title_of_baseline
from study.ledger.home import StudyFolder
from study.ledger.ledger import quiet_optuna
from study.planning.forecast import KEPT, KEPT_BY_OTHERS, Course, expected_seconds
from study.planning.record import ExpectedBaseline, Plan, Spread
from study.planning.throughput import DrawnTrial, Rates, calibrate
from study.search.grid import space_size
from study.search.memory import check_memory, worker_memory
from study.search.objective import Objective, sampler_seed
from study.search.samplers import check_available
from study.search.search_space import needed_encodings, suggest, without_effect
from study.spec import DeclaredSpec, Range, Spec

SAMPLES = 64  # configurations to draw
ATTEMPTS = 50  # maximum number of draws to find a configuration within max_parameters
# Keys of [search] that only some pruners use.
_PRUNER_KEYS = {
    "percentile": ("percentile",),
    "patience": ("patient",),
    "reduction": ("successive_halving", "hyperband", "asha"),
}
# Bytes in the ledger and in MLflow for each trial (besides its arrays), each report, and each point of its curve.
TRIAL_BYTES, POINT_BYTES, ITERATION_BYTES = 26_000, 500, 24


def make_plan(study: Path | DeclaredSpec, jobs: int | None = None) -> Plan:
    """Read the spec and the data, draw configurations, calibrate, and return the plan.

    Args:
        study: a spec, or its path.
        jobs: an additional number of jobs for which to forecast the time, besides 1, 2, 4, … up to one per core.

    Raises:
        UserError: the spec or the data cannot be used, or no network is within max_parameters.
    """
    declared = DeclaredSpec.read(study) if isinstance(study, Path) else study
    spec, base = declared.spec, declared.base
    check_available(spec.search)
    began = time.perf_counter()
    opened = opening.open_source(spec.data, base)
    encodings = needed_encodings(spec)
    dataset = loading.prepare(opened, opened.parts["train"], opened.parts["dev"], encodings=encodings)
    reading = time.perf_counter() - began
    folds = loading.load_fold_datasets(spec.data, base, encodings) if spec.data.folds else ()
    look, datasets = overview.describe(opened, dataset, folds), folds or (dataset,)
    with tempfile.TemporaryDirectory() as place:
        objective = Objective(spec, datasets, StudyFolder(Path(place)))
        check_memory(objective, jobs or default_jobs())
        trials = draw_trials(objective)
        works = [objective.iteration_work(trial.setting) for trial in trials]
        objective.write_data()
        rates = calibrate(objective, trials, works)
    return _assemble(objective, look, trials, works, rates, reading, jobs)


def draw_trials(objective: Objective, count: int = SAMPLES) -> list[DrawnTrial]:
    """Draw configurations at random, the same ones for the same spec, without initializing their networks.

    Raises:
        UserError: no network is within max_parameters.
    """
    spec, trials = objective.spec, []
    with quiet_optuna():
        study = optuna.create_study()
        for number in range(count):
            for attempt in range(ATTEMPTS):
                study.sampler = RandomSampler(sampler_seed(spec.search.seed, number, attempt))
                trial = study.ask()
                suggest(trial, spec.space)
                if objective.fits(trial.params):
                    trials.append(DrawnTrial.of(objective, number, trial.params))
                    break
    if not trials:
        most = spec.space.max_parameters
        raise UserError(
            f"[space] max_parameters = {most}: no network that small was found; raise max_parameters, or lower units"
        )
    return trials


def _assemble(
    objective: Objective,
    look: DataSummary,
    trials: Sequence[DrawnTrial],
    works: Sequence[Work],
    rates: Rates,
    reading: float,
    jobs: int | None,
) -> Plan:
    spec = objective.spec
    kept = KEPT.get(spec.search.pruner, KEPT_BY_OTHERS)
    courses, seconds = [], []
    for trial, work in zip(trials, works, strict=True):
        iterations = trial.iterations
        evaluations = sum(point < iterations for point in objective.grid) + 1 + objective.m / objective.dataset.dev.m
        chunks = -(-iterations // trial.chunk_iterations)
        whole = iterations * rates.seconds(work) + evaluations * rates.evaluation + chunks * rates.beginning
        seconds.append(whole)
        courses.append(Course(max(1, round(kept * chunks)), kept * whole))
    units = [trial.iterations * work.units for trial, work in zip(trials, works, strict=True)]
    mean = kept * float(np.mean(units))
    planned = _count_trials(spec, mean)
    confirm = _confirm_seconds(objective, trials, rates)
    baselines = _expected_baselines(objective, rates)
    beside = sum(each.seconds for each in baselines)
    cores = default_jobs()

    def expect(jobs: int, in_flight: int) -> float:
        run = expected_seconds(
            courses,
            planned,
            jobs=jobs,
            in_flight=in_flight,
            cores=cores,
            slowness=rates.slowness,
            confirm=[*confirm, beside],  # one more task for a worker
        )
        return min(reading + run, spec.search.timeout or float("inf"))

    in_flight = spec.search.in_flight
    counts = {2**power for power in range(cores.bit_length()) if 2**power <= cores} | {1, cores, jobs or 1}
    per_trial = _disk(objective, trials)
    written = [each for dataset in objective.datasets for each in (dataset, *dataset.others)]
    data = sum(array.nbytes for each in written for part in (each.train, each.dev) for array in (part.X, part.Y))
    return Plan(
        name=spec.name,
        look=look,
        searched=describe_space(spec),
        fixed=_fixed(spec),
        metric=objective.metric,
        settings=space_size(spec.space),
        trials=planned,
        in_flight=in_flight,
        networks=objective.replicas,
        sampler=spec.search.sampler,
        pruner=spec.search.pruner,
        parameters=Spread.of([float(trial.parameters) for trial in trials]),
        work=Spread.of(units),
        seconds=Spread.of(seconds),
        total_work=planned * mean,
        kept=kept,
        worker_memory=max(worker_memory(objective, trial.setting) for trial in trials),
        trial_disk=per_trial,
        disk=data + planned * per_trial,
        cores=cores,
        times={count: expect(count, in_flight) for count in sorted(counts)},
        confirm=sum(confirm),
        baselines=baselines,
        raised=expect(cores, cores) if cores > in_flight else None,
        speed=rates.speed,
        defaults=find_defaults(spec),
    )


def _confirm_seconds(objective: Objective, trials: Sequence[DrawnTrial], rates: Rates) -> list[float]:
    """Return the expected seconds of each training run after the search.

    The best configurations tend to be expensive: those of digits, breast_cancer and planar_flower took 2.4, 2.4 and 1.5
    times as long as random ones. They are therefore assumed to cost as much as the most expensive quarter of `trials`.
    """
    confirm, folds = objective.spec.confirm, len(objective.datasets)
    if confirm is None:
        return []
    together, apart = (confirm.seeds, 1) if folds == 1 else (folds, confirm.seeds)
    each = [trial.iterations * rates.seconds(objective.iteration_work(trial.setting, together)) for trial in trials]
    most_expensive = sorted(each)[-max(1, len(each) // 4) :]
    return [float(np.mean(most_expensive))] * (confirm.top * apart)


def _expected_baselines(objective: Objective, rates: Rates) -> tuple[ExpectedBaseline, ...]:
    task = objective.dataset.task
    return tuple(
        ExpectedBaseline(
            each.name, title_of_baseline(each.name, task), each.units * rates.slowness, each.left_out or each.note
        )
        for each in plan_baselines(objective)
    )


def _count_trials(spec: Spec, mean_work: float) -> int:
    """Return the expected number of trials: fewer than requested if the configurations or the work run out."""
    limits = [spec.search.trials]
    size = space_size(spec.space)
    if size is not None:
        limits.append(size)
    if spec.search.work is not None:
        limits.append(max(1, round(spec.search.work / mean_work)))
    return min(limits)


def _disk(objective: Objective, trials: Sequence[DrawnTrial]) -> int:
    """Return the bytes that a trial adds: parameters, curves, dev predictions, and its records in ledger and MLflow."""
    networks, dataset = objective.replicas, objective.dataset
    numbers = float(np.mean([trial.parameters for trial in trials]))
    iterations = float(np.mean([trial.iterations for trial in trials]))
    arrays = networks * (4 * numbers + 8 * iterations + 4 * dataset.n_y * dataset.dev.m)
    return round(arrays + ITERATION_BYTES * iterations + POINT_BYTES * len(objective.grid) + TRIAL_BYTES)


def describe_space(spec: Spec) -> dict[str, str]:
    """Return the hyperparameters that are drawn, each with a description of its range or choices."""
    described = {}
    for name in type(spec.space).model_fields:
        if name in without_effect(spec.space):
            continue
        field = getattr(spec.space, name)
        if isinstance(field, Range):
            scale = ", log" if field.log else f", step {field.step:g}" if field.step else ""
            described[name] = f"{field.low:g} to {field.high:g}{scale}"
        elif isinstance(field, tuple) and len(field) > 1:
            described[name] = ", ".join(map(str, field))
    return described


def _fixed(spec: Spec) -> dict[str, object]:
    names = [name for name in type(spec.space).model_fields if name not in without_effect(spec.space)]
    fields = {name: getattr(spec.space, name) for name in names}
    return {name: field[0] for name, field in fields.items() if isinstance(field, tuple) and len(field) == 1}


def find_defaults(spec: Spec) -> dict[str, object]:
    """Return the defaults of the keys that the spec leaves out, by "table.key", without options that are off."""
    left = {}
    for table in ("data", "space", "search", "confirm", "baselines"):
        model: BaseModel | None = getattr(spec, table)
        if model is None:
            continue
        for name in type(model).model_fields:
            value = getattr(model, name)
            if spec.search.pruner not in _PRUNER_KEYS.get(name, (spec.search.pruner,)):
                continue
            if table == "space" and name in without_effect(spec.space):
                continue
            if name not in model.model_fields_set and value is not None and value != () and value is not False:
                one = isinstance(value, tuple) and len(value) == 1
                left[f"{table}.{name}"] = value[0] if one else list(value) if isinstance(value, tuple) else value
    return left
