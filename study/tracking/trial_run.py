"""The content of a trial's run as plain values, which depend only on the ledger and the trial's file.

All times are those of the trial, so writing a run again changes nothing.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from optuna.trial import FrozenTrial

from engine.activations import Array
from engine.state import TrainingState
from engine.training_chunk import Evaluation, evaluations, mean_value
from study.charts.curves import trial_curve
from study.charts.svg import draw_chart
from study.ledger.ledger import RESULT, STATES
from study.ledger.trial_artifact import TrialFile
from study.search.search_space import complete
from study.spec import Spec

POINTS = 40  # maximum number of points of a curve in MLflow; the artifact has all of them
LONGEST_TAG = 4000  # characters; a database may reject longer tags
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "running": "RUNNING"}

Point = tuple[str, float, int]
"""The name of a metric, its value, and the iteration or trial to which it belongs."""


@dataclass(frozen=True, eq=False)
class RunContent:
    """The content of one run.

    Attributes:
        tags: tags by name; `mlflow.runName` is the name of the run.
        params: hyperparameters as text.
        points: metrics, without values that are not finite.
        started: start in milliseconds since 1970.
        ended: end in milliseconds since 1970; None while the trial is open.
        status: status in MLflow: "FINISHED", "KILLED", "FAILED" or "RUNNING".
        files: artifacts by name.
    """

    tags: dict[str, str]
    params: dict[str, str]
    points: list[Point]
    started: int
    ended: int | None
    status: str
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrialDescriber:
    """Describe the runs of a study's trials.

    Args:
        name, uid: name and unique id of the study.
        spec: spec of the study.
        metric: metric by which trials are compared, without "dev_".
    """

    name: str
    uid: str
    spec: Spec
    metric: str

    def finished(self, trial: FrozenTrial, file: TrialFile | None) -> RunContent:
        """Return the run of a finished trial; it has no curve if `file` is None."""
        result = trial.user_attrs[RESULT]
        state, started = STATES[trial.state], milliseconds(trial)
        points: list[Point] = []
        files: dict[str, bytes] = {}
        if file is not None:
            points = self._curve(file.costs, spread(len(file.costs)), file.evaluations)
            files = self._files(file)
        files["metrics.csv"] = self._metrics_table(result["metrics"])
        drawn = {name for name, _, _ in points}
        final = {name: value for name, value in self._charted(result["metrics"]).items() if name not in drawn}
        final |= {name: result[name] for name in ("seconds", "work", "parameters")}
        points += [(name, float(value), result["iterations"]) for name, value in final.items()]
        return RunContent(
            tags=self._tags(trial, state, result["reason"]),
            params=self._params(trial),
            points=_finite(points),
            started=started,
            ended=started + round(1000 * result["seconds"]),
            status=STATUS[state],
            files=files,
        )

    def open(self, trial: FrozenTrial, state: TrainingState) -> RunContent:
        """Return the run of an open trial up to its last checkpoint."""
        curves = [state.curve(k) for k in range(state.replicas)]
        reached = min(map(len, curves))
        costs = np.mean([curve[:reached] for curve in curves], axis=0)
        # Use the steps of the complete curve, so that existing points do not move while the curve grows.
        steps = [step for step in spread(state.settings.iterations) if step < reached]
        return RunContent(
            tags=self._tags(trial, "running", None),
            params=self._params(trial),
            points=_finite(self._curve(costs, steps, evaluations(state))),
            started=milliseconds(trial),
            ended=None,
            status=STATUS["running"],
        )

    def _tags(self, trial: FrozenTrial, state: str, reason: str | None) -> dict[str, str]:
        tags = {
            "study.name": self.name,
            "study.uid": self.uid,
            "study.trial_uid": f"{self.uid}/{trial.number}",
            "study.state": state,
            "mlflow.runName": f"trial {trial.number}",
        }
        return tags | ({"study.reason": reason[-LONGEST_TAG:]} if reason else {})

    def _params(self, trial: FrozenTrial) -> dict[str, str]:
        setting = complete(self.spec.space, trial.params)
        layers = [str(setting[f"units_{layer}"]) for layer in range(1, setting["depth"] + 1)]
        return {name: str(value) for name, value in setting.items()} | {"units": "-".join(layers) or "none"}

    def _curve(self, costs: Array, steps: Sequence[int], seen: Sequence[Evaluation]) -> list[Point]:
        points = [("cost", float(costs[step]), step) for step in steps]
        for evaluation in seen:
            for name in ("dev_cost", f"dev_{self.metric}"):
                if name in evaluation:
                    points.append((name, mean_value(evaluation, name), evaluation["iteration"]))
        return points

    def _charted(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics that get a chart; those of single networks are in sections, such as fold_0/dev_cost.

        These are the means on dev and, for the metric that is compared, also the mean on train and the values of single
        networks. More would not fit on one page; `metrics.csv` has all of them.
        """
        compared = ("dev_cost", f"dev_{self.metric}")
        charted: dict[str, float] = {}
        for name, value in metrics.items():
            base, network = split_network(name, metrics)
            if network is None and (not name.startswith("train_") or name == f"train_{self.metric}"):
                charted[name] = value
            elif network is not None and base in compared:
                charted[f"{self._network}_{network}/{base}"] = value
        return charted

    def _metrics_table(self, metrics: Mapping[str, float]) -> bytes:
        """Return all final metrics as CSV: the mean, and the value of each network if there are several."""
        named = [(name, *split_network(name, metrics)) for name in metrics]
        networks = sorted({network for _, _, network in named if network is not None})
        means = [name for name, _, network in named if network is None]
        rows = [[name, metrics[name], *(metrics.get(f"{name}_{k}", "") for k in networks)] for name in means]
        return _table(["metric", "mean", *(f"{self._network}_{k}" for k in networks)], rows)

    @property
    def _network(self) -> str:
        """The kind of the trial's networks: one per "fold" or one per "seed"."""
        return "fold" if self.spec.data.folds else "seed"

    def _files(self, file: TrialFile) -> dict[str, bytes]:
        dev = [(seen["iteration"], mean_value(seen, "dev_cost")) for seen in file.evaluations]
        files = {
            "cost.csv": _table(["iteration", "cost"], enumerate(file.costs.tolist())),
            "curve.svg": draw_chart(trial_curve(file.costs, dev)).encode(),
        }
        if file.evaluations:
            names = [name for name in file.evaluations[0] if name != "iteration"]
            rows = [[seen["iteration"], *(mean_value(seen, name) for name in names)] for seen in file.evaluations]
            files["dev.csv"] = _table(["iteration", *names], rows)
        if file.dev_predictions:
            buffer = io.BytesIO()
            arrays: dict[str, Array] = {f"network_{k}": A for k, A in enumerate(file.dev_predictions)}
            np.savez_compressed(buffer, allow_pickle=False, **arrays)
            files["dev_predictions.npz"] = buffer.getvalue()
        return files


def split_network(name: str, metrics: Mapping[str, float]) -> tuple[str, int | None]:
    """Split the name of a network's metric, such as dev_cost_0, into base and network number (None for a mean)."""
    base, _, number = name.rpartition("_")
    return (base, int(number)) if number.isdecimal() and base in metrics else (name, None)


def spread(n: int) -> list[int]:
    """Return at most POINTS indices of a curve of length n, including the first and the last."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, POINTS))}) if n else []


def milliseconds(trial: FrozenTrial) -> int:
    """Return the start of a trial in milliseconds since 1970."""
    return int(trial.datetime_start.timestamp() * 1000) if trial.datetime_start else 0


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if np.isfinite(point[1])]


def _table(names: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()
