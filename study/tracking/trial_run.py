"""What the run of a trial holds, as plain values: the same ledger and files give the same content, whenever it is made.

All times are the trial's own, so that writing a run again changes nothing.
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

POINTS = 40  # of a curve in MLflow's charts; the artifact has them all
LONGEST_TAG = 4000  # characters; a database may refuse more
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "running": "RUNNING"}

Point = tuple[str, float, int]
"""A metric's name, its value, and the iteration or trial it belongs to."""


@dataclass(frozen=True, eq=False)
class RunContent:
    """What is written to one run.

    Attributes:
        tags: by name; `mlflow.runName` is the name of the run.
        params: hyperparameters as text.
        points: metrics; finite values alone.
        started: milliseconds since 1970.
        ended: the same; None while the trial is open.
        status: of MLflow: "FINISHED", "KILLED", "FAILED" or "RUNNING".
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
    """Says what the runs of one study's trials hold.

    Args:
        name, uid: of the study.
        spec: of the study.
        metric: what is compared, without "dev_".
    """

    name: str
    uid: str
    spec: Spec
    metric: str

    def finished(self, trial: FrozenTrial, file: TrialFile | None) -> RunContent:
        """Return the run of a finished trial; without a file it has no curve."""
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
        """Return the run of a trial that is being trained, as far as its last checkpoint."""
        curves = [state.curve(k) for k in range(state.replicas)]
        reached = min(map(len, curves))
        costs = np.mean([curve[:reached] for curve in curves], axis=0)
        # Points of the whole curve to come, so that they stay where they are while it grows.
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
        """Return the metrics that get a chart each; of single networks by sections, such as fold_0/dev_cost.

        Those are the means on dev, and of the metric that is compared those on train and of single networks, too.
        A page of charts has room for no more; `metrics.csv` has all.
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
        """Return all metrics at the end as CSV: the mean, and the value of each network where there are several."""
        named = [(name, *split_network(name, metrics)) for name in metrics]
        networks = sorted({network for _, _, network in named if network is not None})
        means = [name for name, _, network in named if network is None]
        rows = [[name, metrics[name], *(metrics.get(f"{name}_{k}", "") for k in networks)] for name in means]
        return _table(["metric", "mean", *(f"{self._network}_{k}" for k in networks)], rows)

    @property
    def _network(self) -> str:
        """What one of several networks of a trial is: of a fold, or of a seed."""
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
    """Return a metric's name without the number of a network, as in dev_cost_0, and this number; None of a mean."""
    base, _, number = name.rpartition("_")
    return (base, int(number)) if number.isdecimal() and base in metrics else (name, None)


def spread(n: int) -> list[int]:
    """Return at most POINTS places in a curve of n, first and last among them."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, POINTS))}) if n else []


def milliseconds(trial: FrozenTrial) -> int:
    """Return when a trial was asked for, in milliseconds since 1970."""
    return int(trial.datetime_start.timestamp() * 1000) if trial.datetime_start else 0


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if np.isfinite(point[1])]


def _table(names: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()
