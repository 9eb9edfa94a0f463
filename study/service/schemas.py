"""The JSON responses of the service, from which its OpenAPI document is generated."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["queued", "running", "complete", "failed", "cancelled"]
StudyState = Literal["queued", "running", "complete", "failed", "cancelled", "interrupted"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class SubmissionAnswer(_Answer):
    """A submitted study."""

    id: int = Field(description="Studies run in the order of this number.")
    name: str
    state: State
    submitted: str = Field(description="Time of submission, ISO 8601 in UTC.")
    started: str | None
    ended: str | None
    message: str = Field(description="Reason for the failure; empty if the study did not fail.")


class TrialAnswer(_Answer):
    """One trial, as in `study show --json`."""

    number: int
    state: Literal["complete", "pruned", "failed", "running"]
    params: dict[str, str | int | float | bool | None]
    value: float | None
    iterations: int
    fingerprint: str | None
    run_id: str | None
    seconds: float
    metrics: dict[str, float | None]
    gap: float | None
    parameters: int | None
    work: float | None
    reason: str | None


class StudyLine(_Answer):
    """One study in a list."""

    name: str
    state: StudyState
    description: str
    finished: int = Field(description="Trials that have ended.")
    planned: int | None
    confirming: float | None = Field(
        description="Share of the confirmation that is done, 0 to 1; null unless it is running on this machine."
    )
    best: float | None = Field(description="Value of the best trial on dev.")
    metric: str | None
    direction: Literal["maximize", "minimize"] | None
    version: int = Field(
        description="Increases with every change to the ledger; if it has not increased since the last response, "
        "nothing has changed."
    )
    mlflow: str | None = Field(description="URL of the study in MLflow, for use on the server's machine.")
    submission: SubmissionAnswer | None


class Studies(_Answer):
    """All studies: first those submitted to the service, in order, then those run by other means."""

    studies: list[StudyLine]


class ChoiceAnswer(_Answer):
    """Numbers of the selected trials."""

    best: int | None = Field(description="Trial with the best value on dev in the search.")
    confirmed: int | None = Field(description="Trial with the best value on fresh seeds, from `study confirm`.")
    recommended: int | None = Field(description="Cheapest trial that is worse than the best by less than the margin.")
    outdated: bool = Field(description="Trials were added after the confirmation.")


class StudyAnswer(StudyLine):
    """One study."""

    best_trial: TrialAnswer | None
    objectives: list[str]
    front: list[int] = Field(description="With several objectives, the trials on the Pareto front.")
    choice: ChoiceAnswer
    choice_lines: list[str] = Field(description="Sentences about the selected trials, including the one to finalize.")
    confirm: Mapping[str, object] | None = Field(description="Result of `study confirm`.")
    finalized: list[Mapping[str, object]] = Field(description="Test evaluations, oldest first.")
    spec: str | None = Field(description="The submitted spec, as TOML.")


class Trials(_Answer):
    """Trials of a study, by number or best first."""

    name: str
    total: int
    trials: list[TrialAnswer]


class CurveAnswer(_Answer):
    """Cost J of one trial by iteration: [[iteration, J], …] at a subset of the iterations."""

    trial: int
    state: str
    points: list[tuple[int, float | None]]


class MarkAnswer(_Answer):
    """One path of a chart."""

    kind: Literal["line", "dots", "area", "rule"]
    style: str
    d: str
    trials: list[int]


class AxisAnswer(_Answer):
    """An axis: its title, and its ticks as (position from 0 to 1, text)."""

    title: str
    ticks: list[tuple[float, str]]


class ChartAnswer(_Answer):
    """A chart as paths in a box of 2000 by 1000, as in the report."""

    label: str
    caption: str
    x: AxisAnswer
    y: AxisAnswer
    grid: str
    marks: list[MarkAnswer]
    legend: list[tuple[str, str]]


class Curves(_Answer):
    """Learning curves of the best and the running trials."""

    name: str
    version: int
    curves: list[CurveAnswer]
    chart: ChartAnswer | None


class FinalizeRequest(BaseModel):
    """Options of finalize, all optional."""

    model_config = ConfigDict(extra="forbid", strict=True)

    trial: Annotated[int, Field(ge=0, le=1_000_000_000)] | Literal["best", "confirmed", "recommended"] | None = Field(
        default=None, description="Trial to finalize (default: the confirmed trial, or else the best)."
    )
    train_only: bool = Field(
        default=False, description="Train on the train set only, and not on the train and dev sets together."
    )
    with_dev: bool = Field(
        default=False, deprecated=True, description="Has no effect; use train_only to train on the train set only."
    )
    again: bool = Field(default=False, description="Open the test set even if it has already been opened.")


class FinalAnswer(_Answer):
    """Result of `study finalize`."""

    name: str
    opening: Mapping[str, object]
    times: int = Field(description="Number of times that the test set has been opened.")
    choice: ChoiceAnswer
    dev_value: float | None
    confirmed: tuple[float, float, float] | None
    average: tuple[float, float, float] | None
    notes: tuple[str, ...] = Field(description="Notes on test-set cells that do not match the type of their column.")


class UploadAnswer(_Answer):
    """One uploaded file."""

    name: str
    bytes: int
    sha256: str


class Health(_Answer):
    """State of the service."""

    status: Literal["ok", "failing"]
    version: str
    queued: int
    running: int
    mlflow: Literal["off", "starting", "up", "down"]


def when(seconds: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
