"""What a ledger keeps of a whole study, by attribute. Ledgers of earlier versions lack some of it."""

from typing import TypedDict

from study.spec.parameters import ParameterValue
from study.text.records import Json


class DataAttributes(TypedDict, total=False):
    """What is known of the data of a study. rows: examples by part."""

    source: str
    task: str
    target: str
    n_x: int
    rows: dict[str, int]


class ImportanceAttributes(TypedDict, total=False):
    """How much each hyperparameter matters. told: finished trials that this is of; few: they are too few to say."""

    told: int
    trials: int
    variance: dict[str, float]
    best: dict[str, float]
    few: bool


class KeptOpening(TypedDict, total=False):
    """An opening of the test set, as JSON of `study.model.finalize.TestEvaluation`."""

    trial: int
    setting: dict[str, ParameterValue]
    metric: str
    value: float | None
    low: float | None
    high: float | None
    metrics: dict[str, float | None]
    undefined: dict[str, str]
    with_dev: bool
    m: int
    at: str
    files: dict[str, str]
    dialect: dict[str, Json]


class BegunOpening(TypedDict, total=False):
    """An opening of the test set that has begun. times: which one it is, from 1 on."""

    times: int
    trial: int
    with_dev: bool
    at: str


class StudyAttributes(TypedDict, total=False):
    """The attributes of a study.

    Attributes:
        format: version of the ledger.
        uid: of the study, wherever it is shown.
        identity: what must stay the same for a study to go on, from its spec.
        spec, folder: text of the spec, and the folder that its paths are relative to.
        settings: hyperparameters that all trials share.
        fingerprint, parts: SHA-256 of the data, and of its parts.
        trials, raised: asked for, and the number that was given once with --trials.
        created: milliseconds since 1970.
        ended: why the search ended ahead of its trials.
        warm: configurations to try first, from another study.
        cautions: severe warnings about the data.
        confirm, recheck: JSON of `study.ledger.confirmation.Confirmation` and `Recheck`.
        finalized, opening: openings of the test set, oldest first, and the one that began last.
    """

    format: int
    uid: str
    identity: dict[str, str]
    spec: str
    folder: str
    description: str
    settings: dict[str, ParameterValue]
    metric: str
    objectives: list[str]
    fingerprint: str
    parts: dict[str, str]
    trials: int
    raised: int
    version: str
    versions: dict[str, str]
    made_with: dict[str, str]
    created: int
    ended: str | None
    data: DataAttributes
    warm: list[dict[str, ParameterValue]]
    cautions: list[str]
    importance: ImportanceAttributes
    confirm: dict[str, Json]
    recheck: dict[str, Json]
    finalized: list[KeptOpening]
    opening: BegunOpening
