"""The `[search]`, `[confirm]` and `[final]` tables of a spec: the budget, the sampler, the pruner and the metrics."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.metrics import METRICS
from engine.registry import Registry
from study.spec.choice_schemas import Named, Objectives
from study.spec.extensions import BUILT_IN_PRUNERS, BUILT_IN_SAMPLERS, PRUNERS, SAMPLERS, is_recorded
from study.spec.other_names import suggest
from study.spec.plugins import is_known, names_for_remedy

OTHER_OBJECTIVES = ("parameters", "work")  # objectives that may follow a metric in a list
Scalar = str | int | float


def _known_metrics(value: object, info: ValidationInfo) -> object:
    if value is None:
        return None
    given = value if isinstance(value, (list, tuple)) else [value]
    for index, name in enumerate(given):
        others = OTHER_OBJECTIVES if index else ()
        if name not in others and not is_recorded(info) and not is_known(METRICS, str(name)):
            remedy = suggest("metric", str(name), names_for_remedy(METRICS, others))
            raise ValueError(f"unknown metric {name!r}; {remedy}")
    if len(set(given)) < len(given) or not given:
        raise ValueError(f"metric must be one metric or a list of different metrics, got {value!r}")
    return tuple(given) if isinstance(value, (list, tuple)) and len(given) > 1 else given[0]


def _known(built_in: tuple[str, ...], registered: Registry[Any]) -> Callable[[str, ValidationInfo], str]:
    def check(name: str, info: ValidationInfo) -> str:
        if name not in built_in and not is_recorded(info) and not is_known(registered, name):
            remedy = suggest(registered.kind, name, names_for_remedy(registered, built_in))
            raise ValueError(f"unknown value {name!r}; {remedy}")
        return name

    return check


class SearchSpec(BaseModel):
    """The `[search]` table. Every key has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trials: int = Field(60, ge=1, description="Number of configurations to try.")
    sampler: Annotated[str, AfterValidator(_known(BUILT_IN_SAMPLERS, SAMPLERS)), Named(BUILT_IN_SAMPLERS, SAMPLERS)] = (
        Field(
            "tpe",
            description="The sampler that proposes configurations. gp and cmaes require the extra of the same name.",
        )
    )
    pruner: Annotated[str, AfterValidator(_known(BUILT_IN_PRUNERS, PRUNERS)), Named(BUILT_IN_PRUNERS, PRUNERS)] = Field(
        "median",
        description="The rule for stopping trials early. asha pauses trials instead and resumes the best ones.",
    )
    metric: Annotated[
        str | tuple[str, ...] | None, BeforeValidator(_known_metrics), Objectives(METRICS, OTHER_OBJECTIVES)
    ] = Field(
        None,
        description="The metric to optimize on dev. Default: depends on the task. A list such as "
        '["accuracy", "parameters"] optimizes several objectives. sampler then defaults to nsga2, and pruner to none.',
    )
    seed: int = Field(0, ge=0, description="Seed of the sampler and the networks.")
    in_flight: int = Field(
        8, ge=1, le=1024, description="Number of trials that are open at the same time. The results depend on it."
    )
    seeds: int = Field(
        1,
        ge=1,
        le=100,
        description="Number of networks per trial, with different seeds. A trial is scored by their mean.",
    )
    work: float | None = Field(None, gt=0, description="Stop the search after this many units of work.")
    timeout: float | None = Field(
        None, gt=0, description="Stop a run after this many seconds. The next run resumes the search."
    )
    worker_memory: int | None = Field(
        None,
        ge=256,
        description="Memory limit of each worker process, in MB. A trial that exceeds it fails; the others continue.",
    )
    stop_after: int | None = Field(
        None, ge=1, description="Stop the search after this many trials without an improvement."
    )
    enqueue: tuple[dict[str, Scalar], ...] = Field(
        (), description="Configurations to try first, such as those that are known to work."
    )
    warmup: float = Field(
        0.1, ge=0, lt=1, description="Fraction of the longest training run during which no trial is pruned."
    )
    percentile: float = Field(
        25.0, gt=0, lt=100, description="percentile pruner: the percentage of trials that continue."
    )
    reduction: int = Field(
        3, ge=2, description="successive_halving, hyperband and asha: one in this many trials continues."
    )
    patience: int = Field(
        5, ge=1, description="patient pruner: the number of reports without an improvement before a trial is stopped."
    )
    threshold: float | None = Field(
        None, description="threshold pruner: a trial is stopped if its value is worse than this."
    )

    @model_validator(mode="before")
    @classmethod
    def _usual_for_several(cls, table: object) -> object:
        # The defaults for one metric are not valid for several.
        if isinstance(table, dict) and isinstance(table.get("metric"), (list, tuple)) and len(table["metric"]) > 1:
            return {"sampler": "nsga2", "pruner": "none", **table}
        return table

    @property
    def several(self) -> bool:
        """Whether the search has several objectives."""
        return isinstance(self.metric, tuple)

    @property
    def _sampler_takes_several(self) -> bool:
        if self.sampler in SAMPLERS:
            return SAMPLERS[self.sampler].several
        return self.sampler in ("nsga2", "tpe", "random", "grid")

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if self.several and self.pruner != "none":
            raise ValueError(f'pruner must be "none" with several metrics, got {self.pruner!r}')
        if self.several and not (self._sampler_takes_several or is_recorded(info)):
            raise ValueError(f"with several metrics, sampler must be nsga2, tpe, random or grid, got {self.sampler!r}")
        if self.several and self.stop_after is not None:
            raise ValueError("stop_after cannot be combined with several metrics; remove it")
        if self.pruner == "threshold" and self.threshold is None:
            raise ValueError('pruner = "threshold" requires a value for threshold; add it')
        return self


class ConfirmSpec(BaseModel):
    """The `[confirm]` table: which candidates are retrained on fresh seeds after the search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top: int = Field(5, ge=1, le=1000, description="Number of best configurations to retrain.")
    seeds: int = Field(10, ge=2, le=1000, description="Number of new seeds per configuration.")
    margin: float | None = Field(
        None,
        ge=0,
        description="How much worse than the best a recommended configuration may be, in the unit of the metric. "
        "Default: 0.01 for metrics between 0 and 1, and 2% of the best value for others.",
    )


class FinalSpec(BaseModel):
    """The `[final]` table: the networks that the final model averages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: int = Field(
        10, ge=1, le=1000, description="Number of networks that the final model averages. 1 makes it a single network."
    )
    members: Literal["winner", "top"] = Field(
        "winner",
        description="The configurations of these networks. winner: all have that of the finalized trial, with "
        "different seeds. top: they are divided between the confirmed trial and those that are not significantly "
        "different from it and have its encoding of numbers and its class weights.",
    )
    calibrate: bool = Field(
        True,
        description="Whether to divide the logits of a classifier by a temperature, if that lowers the log loss of "
        "predictions for examples that the networks were not trained on.",
    )
    costs: tuple[tuple[float, ...], ...] | None = Field(
        None,
        description="Cost of each error: a row for each true class and a column for each predicted class, in the order "
        "of the classes. The final model predicts the class with the lowest expected cost. Default: the class that "
        "suits the metric if that is balanced_accuracy or f1, and otherwise the most probable class.",
    )

    @field_validator("costs")
    @classmethod
    def _square(cls, costs: tuple[tuple[float, ...], ...] | None) -> tuple[tuple[float, ...], ...] | None:
        if costs is None:
            return None
        if len(costs) < 2 or any(len(row) != len(costs) for row in costs):
            raise ValueError(f"costs must have a row and a column for each class, got {[list(row) for row in costs]}")
        for k, row in enumerate(costs):
            if not all(math.isfinite(cost) and cost >= 0 for cost in row) or row[k] != min(row):
                raise ValueError(f"costs must be at least 0 and lowest for the true class, got {list(row)} in row {k}")
        return costs


class BaselinesSpec(BaseModel):
    """The `[baselines]` table: whether simple models are fitted beside the search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        True,
        description="Whether to fit the most frequent class or the mean, a linear model, a random forest and gradient "
        "boosting of scikit-learn, with its defaults, on the same splits.",
    )
