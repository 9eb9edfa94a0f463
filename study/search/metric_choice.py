"""The metrics by which a study compares trials, and checks that they are defined on its data."""

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array
from engine.metrics import METRICS, metrics_for
from study.data import Dataset
from study.errors import UserError
from study.spec import Spec
from study.spec.search import OTHER_OBJECTIVES


def choose_metrics(spec: Spec, dataset: Dataset) -> tuple[str, ...]:
    """Return the objectives of the spec, or else the default metric of the task.

    Raises:
        UserError: a metric in the spec does not apply to the task.
    """
    given = spec.search.metric or dataset.default_metric
    names = (given,) if isinstance(given, str) else given
    fitting = [metric.name for metric in metrics_for(dataset.task, names)]
    for name in names:
        if name not in fitting and name not in OTHER_OBJECTIVES:
            raise UserError(
                f"[search] metric: must be one of {', '.join(fitting)} for a {dataset.task} task, got {name!r}"
            )
    return names


def check_defined(objectives: Sequence[str], datasets: Sequence[Dataset]) -> None:
    """Check that the objectives are defined on dev, and on the confirm split if there is one.

    Raises:
        UserError: an objective is undefined for any predictions, or cannot be computed.
    """
    parts = {"dev": np.concatenate([_in_units(dataset, dataset.dev.Y) for dataset in datasets], axis=1)}
    if datasets[0].confirm is not None:
        parts["confirm"] = _in_units(datasets[0], datasets[0].confirm.Y)
    for name in objectives:
        for part, Y in parts.items():
            why = _why_undefined(name, part, Y) if name in METRICS else None
            if why is not None:
                raise UserError(
                    f"[search] metric: {name} is undefined on {part}, which has {why} of {datasets[0].target_name!r}; "
                    f"add rows, give {part} a larger share in [data], or choose another metric"
                )


def _in_units(dataset: Dataset, Y: Array) -> Array:
    """Return targets in the form that metrics expect: for regression, in the unit of the table."""
    return Y if dataset.target_scale is None else dataset.target_scale.to_units(Y)


def _why_undefined(name: str, part: str, Y: Array) -> str | None:
    """Return why a metric is undefined on the given targets; None if it is defined.

    Raises:
        UserError: a registered metric cannot be computed.
    """
    try:
        why = METRICS[name].why_undefined(Y)
        if why is None:
            METRICS[name].compute(Y, Y)
    except Exception as error:
        if not METRICS.added([name]):
            raise
        raise UserError(
            f"[search] metric: {name} failed on the targets of {part} ({type(error).__name__}: {error}); "
            "correct the registered function"
        ) from error
    return why
