"""The [search] and [confirm] tables: how many trials, which sampler and pruner, what is compared."""

from collections.abc import Callable, Collection
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from engine.metrics import METRICS
from study.errors import did_you_mean
from study.spec.extensions import BUILT_IN_PRUNERS, BUILT_IN_SAMPLERS, PRUNERS, SAMPLERS, is_recorded

OTHER_OBJECTIVES = ("parameters", "work")  # what can stand beside a metric where several are compared
Scalar = str | int | float


def _known_metrics(value: object, info: ValidationInfo) -> object:
    if value is None:
        return None
    given = value if isinstance(value, (list, tuple)) else [value]
    for index, name in enumerate(given):
        valid = [*METRICS, *(OTHER_OBJECTIVES if index else ())]
        if name not in valid and not is_recorded(info):
            raise ValueError(f"metric {name!r} is not known; {did_you_mean(str(name), valid)}")
    if len(set(given)) < len(given) or not given:
        raise ValueError(f"metric names one metric, or several different ones, got {value!r}")
    return tuple(given) if isinstance(value, (list, tuple)) and len(given) > 1 else given[0]


def _known(built_in: tuple[str, ...], registered: Collection[str]) -> Callable[[str, ValidationInfo], str]:
    def check(name: str, info: ValidationInfo) -> str:
        valid = (*built_in, *registered)
        if name not in valid and not is_recorded(info):
            raise ValueError(f"{name!r} is not known; {did_you_mean(name, valid)}")
        return name

    return check


class SearchSpec(BaseModel):
    """The search."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trials: int = Field(60, ge=1, description="Settings to try.")
    sampler: Annotated[str, AfterValidator(_known(BUILT_IN_SAMPLERS, SAMPLERS))] = Field(
        "tpe",
        description="How settings are proposed; gp and cmaes need the extra of their name.",
        json_schema_extra={"enum": list(BUILT_IN_SAMPLERS)},
    )
    pruner: Annotated[str, AfterValidator(_known(BUILT_IN_PRUNERS, PRUNERS))] = Field(
        "median",
        description="Which trials are stopped early; asha pauses them instead and promotes the best.",
        json_schema_extra={"enum": list(BUILT_IN_PRUNERS)},
    )
    metric: Annotated[str | tuple[str, ...] | None, BeforeValidator(_known_metrics)] = Field(
        None,
        description="What is compared on dev; left out, the usual one of the task. A list compares several "
        '(["accuracy", "parameters"]); sampler is then nsga2 unless said, and there is no pruner.',
    )
    seed: int = Field(0, ge=0, description="Seed of sampler and networks.")
    in_flight: int = Field(8, ge=1, le=1024, description="Trials open at a time; part of the study's identity.")
    seeds: int = Field(1, ge=1, le=100, description="Networks of each trial, with different seeds; their mean counts.")
    work: float | None = Field(None, gt=0, description="Ends the search once so many units of work are done.")
    timeout: float | None = Field(None, gt=0, description="Seconds after which a run stops; it can go on later.")
    worker_memory: int | None = Field(
        None, ge=256, description="MB that a worker process may take for itself; a trial that needs more fails, alone."
    )
    stop_after: int | None = Field(None, ge=1, description="Ends the search after so many trials without a better one.")
    enqueue: tuple[dict[str, Scalar], ...] = Field((), description="Settings to try first, such as known good ones.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the longest training before which nothing is pruned.")
    percentile: float = Field(25.0, gt=0, lt=100, description="percentile: share of trials, in percent, that go on.")
    reduction: int = Field(3, ge=2, description="successive_halving, hyperband, asha: one in so many goes on.")
    patience: int = Field(5, ge=1, description="patient: reports without a better value before a trial is stopped.")
    threshold: float | None = Field(None, description="threshold: the value that a trial must not be worse than.")

    @model_validator(mode="before")
    @classmethod
    def _usual_for_several(cls, table: object) -> object:
        # What is usual for one metric does not go with several.
        if isinstance(table, dict) and isinstance(table.get("metric"), (list, tuple)) and len(table["metric"]) > 1:
            return {"sampler": "nsga2", "pruner": "none", **table}
        return table

    @property
    def several(self) -> bool:
        """Whether several objectives are compared."""
        return isinstance(self.metric, tuple)

    @property
    def _sampler_takes_several(self) -> bool:
        if self.sampler in SAMPLERS:
            return SAMPLERS[self.sampler].several
        return self.sampler in ("nsga2", "tpe", "random", "grid")

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if self.several and self.pruner != "none":
            raise ValueError(f'pruner must be "none" where several metrics are compared, got {self.pruner!r}')
        if self.several and not (self._sampler_takes_several or is_recorded(info)):
            raise ValueError(f"sampler must be nsga2, tpe, random or grid for several metrics, got {self.sampler!r}")
        if self.several and self.stop_after is not None:
            raise ValueError("stop_after needs one metric, several are compared; remove it")
        if self.pruner == "threshold" and self.threshold is None:
            raise ValueError('threshold is missing; pruner = "threshold" needs the value not to be worse than')
        return self


class ConfirmSpec(BaseModel):
    """What is trained again on fresh seeds once the search is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top: int = Field(5, ge=1, le=1000, description="Best settings to train again.")
    seeds: int = Field(10, ge=2, le=1000, description="Fresh seeds for each.")
