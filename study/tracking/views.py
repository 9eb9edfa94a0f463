"""The page of a study in MLflow, which shows only its trials, best first, with the searched hyperparameters.

MLflow reads the view of a page from a tag of the experiment that the URL names, as with its own "Share" button.
"""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from study.spec import Range, Spec
from study.text.records import Json

TAG = "mlflow.sharedViewState."
# Without this tag, MLflow guesses from the runs whether an experiment is about language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_LAYERS = "units"  # one readable column instead of one per layer
# Other values that MLflow expects in a view: nothing is pinned, hidden, grouped or resized.
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
    """Return the tags of the experiment that define the study's page.

    Args:
        spec: spec of the study.
        uid: unique id of the study.
        objectives: objectives of the study; the page is sorted by the first one.
        directions: "maximize" or "minimize" for each objective.
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
    """Return the URL of a study's page on a server.

    MLflow shows either its pages for language models, the default, or those for machine learning, whichever the reader
    used last. The URL selects machine learning.
    """
    page = f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs"
    return f"{page}?viewStateShareKey={quote(name)}&workflowType=machine_learning"


def missing_tags(wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are missing or have another value."""
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
