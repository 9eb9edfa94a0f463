"""What the service answers, as JSON; the OpenAPI document is made from these."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["queued", "running", "complete", "failed", "cancelled"]
StudyState = Literal["queued", "running", "complete", "failed", "cancelled", "interrupted"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class SubmissionAnswer(_Answer):
    """A study that was handed in."""

    id: int = Field(description="Studies run in the order of this number.")
    name: str
    state: State
    submitted: str = Field(description="When, in UTC, ISO 8601.")
    started: str | None
    ended: str | None
    message: str = Field(description="Why it failed; empty otherwise.")


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
        description="Share of the work done, 0 to 1, while the best are trained again on fresh seeds on this machine."
    )
    best: float | None = Field(description="Value of the best trial on dev.")
    metric: str | None
    direction: Literal["maximize", "minimize"] | None
    version: int = Field(description="Grows with the ledger: what was read at an equal version has not changed.")
    mlflow: str | None = Field(description="Address of its page in MLflow, on the server's own machine.")
    submission: SubmissionAnswer | None


class Studies(_Answer):
    """All studies: those that were handed in, in order, then those that were run by hand."""

    studies: list[StudyLine]


class ChoiceAnswer(_Answer):
    """Numbers of the trials that stand out."""

    best: int | None = Field(description="Best value on dev in the search.")
    confirmed: int | None = Field(description="Best value on fresh seeds, by `study confirm`.")
    recommended: int | None = Field(description="Cheapest not significantly different from the confirmed trial.")
    outdated: bool = Field(description="The study has gone on since it was confirmed.")


class StudyAnswer(StudyLine):
    """One study."""

    best_trial: TrialAnswer | None
    objectives: list[str]
    front: list[int] = Field(description="With several objectives: trials that no other is better than in all.")
    choice: ChoiceAnswer
    choice_lines: list[str] = Field(description="The same in sentences, and which trial is finalized.")
    confirm: Mapping[str, object] | None = Field(description="What `study confirm` found.")
    finalized: list[Mapping[str, object]] = Field(description="Openings of the test set, oldest first.")
    spec: str | None = Field(description="As it was handed in, TOML.")


class Trials(_Answer):
    """Trials of a study, by number or best first."""

    name: str
    total: int
    trials: list[TrialAnswer]


class CurveAnswer(_Answer):
    """Cost J by iteration of one trial: [[iteration, J], …], some of all iterations."""

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
    """An axis: its title, and ticks as (place from 0 to 1, text)."""

    title: str
    ticks: list[tuple[float, str]]


class ChartAnswer(_Answer):
    """A chart as paths in a box of 2000 by 1000, as the report draws it."""

    label: str
    caption: str
    x: AxisAnswer
    y: AxisAnswer
    grid: str
    marks: list[MarkAnswer]
    legend: list[tuple[str, str]]


class Curves(_Answer):
    """Curves of the best trials and of those that run."""

    name: str
    version: int
    curves: list[CurveAnswer]
    chart: ChartAnswer | None


class FinalizeRequest(BaseModel):
    """What to finalize; all may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    trial: Annotated[int, Field(ge=0, le=1_000_000_000)] | Literal["best", "confirmed", "recommended"] | None = Field(
        default=None, description="Left out, the confirmed trial, or else the best in the search."
    )
    with_dev: bool = Field(default=False, description="Train on train and dev together.")
    again: bool = Field(default=False, description="Open the test set although it was opened before.")


class FinalAnswer(_Answer):
    """What `study finalize` did."""

    name: str
    opening: Mapping[str, object]
    times: int = Field(description="How often the test set has been opened.")
    choice: ChoiceAnswer
    dev_value: float | None
    confirmed: tuple[float, float, float] | None
    notes: tuple[str, ...] = Field(description="On cells of the test rows that do not fit their column.")


class UploadAnswer(_Answer):
    """One uploaded file."""

    name: str
    bytes: int
    sha256: str


class Health(_Answer):
    """How the service is."""

    status: Literal["ok", "failing"]
    version: str
    queued: int
    running: int
    mlflow: Literal["off", "starting", "up", "down"]


def when(seconds: float | None) -> str | None:
    """Return a time as ISO 8601, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
