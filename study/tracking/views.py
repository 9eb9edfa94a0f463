"""The page of a study in MLflow: its trials alone, best first, with the hyperparameters that were searched.

MLflow's pages read a view from a tag of the experiment, as their own "share" does, if the address names it.
"""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from study.spec import Range, Spec
from study.text.records import Json

TAG = "mlflow.sharedViewState."
# Without it MLflow guesses from the runs whether an experiment is about language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_LAYERS = "units"  # one readable column in place of one a layer
# What MLflow's pages expect beside what is said here: nothing pinned, hidden, grouped or resized.
_PLAIN: dict[str, Json] = {
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "columnOrder": [],
    "columnWidths": {},
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsVisibilityMap": {},
    "runsHiddenMode": "FIRST_10_RUNS",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": False,
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "autoRefreshEnabled": True,
    "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
}


def view_tags(spec: Spec, uid: str, objectives: Sequence[str], directions: Sequence[str]) -> dict[str, str]:
    """Return the tags of the experiment that make the study's page.

    Args:
        spec: of the study.
        uid: of the study.
        objectives: what is compared, the first one sorted by.
        directions: "maximize" or "minimize" for each.
    """
    metrics = [_metric(name) for name in objectives]
    view = _PLAIN | {
        "searchFilter": f"tags.`study.trial_uid` LIKE '{uid}/%'",
        "orderByKey": metrics[0],
        "orderByAsc": directions[0] == "minimize",
        "selectedColumns": [*metrics, *(f"params.`{name}`" for name in _searched(spec)), "metrics.`seconds`"],
    }
    return {TAG + spec.name: json.dumps(view), **EXPERIMENT_TAGS}


def page_address(server: str, experiment_id: str, name: str) -> str:
    """Return the address of a study's page on a server.

    MLflow's pages remember whether a reader looked at language models or at machine learning last, language models at
    first; the address says which it is.
    """
    page = f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs"
    return f"{page}?viewStateShareKey={quote(name)}&workflowType=machine_learning"


def missing_tags(wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are not there as wanted."""
    return {name: value for name, value in wanted.items() if there.get(name) != value}


def _searched(spec: Spec) -> list[str]:
    names = []
    for name in type(spec.space).model_fields:
        field = getattr(spec.space, name)
        if name == _LAYERS or isinstance(field, Range) or (isinstance(field, tuple) and len(field) > 1):
            names.append(name)
    return names


def _metric(objective: str) -> str:
    return f"metrics.`{objective}`" if objective in ("parameters", "work") else f"metrics.`dev_{objective}`"
