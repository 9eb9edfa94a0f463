"""The [search] and [confirm] tables: how many trials, which sampler and pruner, what is compared."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.metrics import METRICS
from study.errors import did_you_mean


class SearchSpec(BaseModel):
    """The search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(60, ge=1, description="Settings to try.")
    sampler: Literal["tpe", "random"] = Field("tpe", description="How settings are proposed.")
    pruner: Literal["none", "median"] = Field("median", description="Which trials are stopped early.")
    metric: str | None = Field(None, description="What is compared on dev; left out, the usual one of the task.")
    seed: int = Field(0, ge=0, description="Seed of sampler and networks.")
    in_flight: int = Field(8, ge=1, le=1024, description="Trials open at a time; part of the study's identity.")

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str | None) -> str | None:
        if metric is not None and metric not in METRICS:
            raise ValueError(f"metric {metric!r} is not known; {did_you_mean(metric, METRICS)}")
        return metric


class ConfirmSpec(BaseModel):
    """What is trained again on fresh seeds once the search is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top: int = Field(5, ge=1, description="Best settings to train again.")
    seeds: int = Field(10, ge=2, description="Fresh seeds for each.")
