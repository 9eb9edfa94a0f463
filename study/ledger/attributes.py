"""The attributes of a study in its ledger. Ledgers of earlier versions lack some of them."""

from typing import NotRequired, TypedDict

from study.spec.extension_records import ExtensionRecord
from study.spec.parameters import ParameterValue
from study.text.records import Json


class DataAttributes(TypedDict, total=False):
    """The data of a study.

    Attributes:
        rows: number of examples in each split.
    """

    source: str
    task: str
    target: str
    n_x: int
    rows: dict[str, int]


class ImportanceAttributes(TypedDict, total=False):
    """The importance of each hyperparameter.

    Attributes:
        told: number of finished trials when the importance was estimated.
        few: whether there are too few trials for a reliable estimate.
    """

    told: int
    trials: int
    variance: dict[str, float]
    best: dict[str, float]
    few: bool


class KeptOpening(TypedDict, total=False):
    """A test evaluation, as JSON of `study.ledger.test_evaluation.TestEvaluation`."""

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
    networks: int
    diverged: int
    members: list[dict[str, int]]


class BegunOpening(TypedDict, total=False):
    """A test evaluation that has started.

    Attributes:
        times: its ordinal number, starting from 1.
        networks: number of networks by trial; versions up to 0.2, which trained one network, lack it.
    """

    times: int
    trial: int
    with_dev: bool
    at: str
    networks: dict[str, int]


class ActiveMlflow(TypedDict):
    """The MLflow store, experiment and run that were active when a study started.

    Attributes:
        store: address of the store, without a password.
        experiment: id of the experiment.
        parent: id of the parent of the study's run.
    """

    store: str
    experiment: str
    parent: NotRequired[str]


class StudyAttributes(TypedDict, total=False):
    """The attributes of a study.

    Attributes:
        format: version of the ledger format.
        uid: unique id of the study.
        identity: digests of the parts of the spec that must not change.
        additions: registered extensions that the spec names.
        spec: text of the spec.
        folder: the folder that paths in the spec are relative to.
        settings: hyperparameters that all trials share.
        fingerprint: SHA-256 of the data.
        parts: SHA-256 of each part of the data.
        trials: number of trials asked for.
        raised: number of trials given with --trials.
        created: time of creation, in milliseconds since 1970.
        ended: the reason why the search ended before all trials had run.
        warm: configurations to try first, from another study.
        cautions: severe warnings about the data.
        mlflow: the MLflow experiment and run that were active when the study started.
        baselines: JSON of each `study.ledger.baselines.Baseline`, by name.
        against_baselines: JSON of `study.ledger.baselines.BaselineComparison`.
        confirm, recheck: JSON of `study.ledger.confirmation.Confirmation` and `Recheck`.
        finalized: the test evaluations, oldest first.
        opening: the test evaluation that started last.
    """

    format: int
    uid: str
    identity: dict[str, str]
    additions: list[ExtensionRecord]
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
    mlflow: ActiveMlflow
    importance: ImportanceAttributes
    baselines: dict[str, dict[str, Json]]
    against_baselines: dict[str, Json]
    confirm: dict[str, Json]
    recheck: dict[str, Json]
    finalized: list[KeptOpening]
    opening: BegunOpening
