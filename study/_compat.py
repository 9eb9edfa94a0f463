"""All uses of private parts of Optuna and MLflow, each with its reason, a guard and a fallback.

`PARTS` lists them. If a guard fails, for example because a version renamed something, `is_usable` is False. The slower
public API is then used, or the user gets a one-line error. Checked with Optuna 5.0.0 and MLflow 3.17.2. Guards check
names, signatures and columns; the upper bounds in pyproject.toml exclude versions that may change more.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, create_trial

from study.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy import Table

try:
    from optuna.storages import _CachedStorage
except ImportError:  # another version, which the guard below detects
    _CachedStorage = BaseStorage  # type: ignore[assignment, misc]

# Optuna's tables and their columns, as `study.ledger.tables` writes them and `study.ledger.postgres` reads them.
OPTUNA_COLUMNS = {
    "studies": "study_id study_name",
    "study_user_attributes": "study_user_attribute_id study_id key value_json",
    "trials": "trial_id number study_id state datetime_start datetime_complete",
    "trial_params": "param_id trial_id param_name param_value distribution_json",
    "trial_user_attributes": "trial_user_attribute_id trial_id key value_json",
    "trial_system_attributes": "trial_system_attribute_id trial_id key value_json",
    "trial_intermediate_values": "trial_intermediate_value_id trial_id step intermediate_value intermediate_value_type",
    "trial_values": "trial_value_id trial_id objective value value_type",
    "version_info": "version_info_id schema_version library_version",
}
# MLflow's tables and their columns, as `study.tracking.bulk_insert` writes them.
MLFLOW_COLUMNS = {
    "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time deleted_time "
    "source_version lifecycle_stage artifact_uri experiment_id",
    "tags": "key value run_uuid",
    "params": "key value run_uuid",
    "metrics": "key value timestamp step is_nan run_uuid",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
    "datasets": "dataset_uuid experiment_id name digest dataset_source_type dataset_source dataset_schema "
    "dataset_profile",
    "inputs": "input_uuid source_type source_id destination_type destination_id step",
    "input_tags": "input_uuid name value",
}
# Columns with absolute paths of artifacts in MLflow's tables, corrected by `study.tracking.store` if a home was moved.
MLFLOW_LOCATIONS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


@dataclass(frozen=True)
class Part:
    """A private part of a library.

    Attributes:
        library: the library that it belongs to.
        names: the private names that are used.
        why: the reason for using it.
        otherwise: what happens if the guard fails.
        guard: returns the difference from the checked version; None if there is none.
    """

    library: str
    names: str
    why: str
    otherwise: str
    guard: Callable[[], str | None]


def trial_id(trial: FrozenTrial, storage: BaseStorage, study_id: int) -> int:
    """Return the id of a trial in its storage."""
    if is_usable("trial ids"):
        return trial._trial_id
    return storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)


def set_sampler_attribute(study: optuna.Study, trial: FrozenTrial, key: str, value: str | int) -> None:
    """Write an attribute that a sampler stores with the trial that it proposes.

    Raises:
        UserError: the installed version of Optuna does not support this.
    """
    if not (is_usable("storage of a study") and is_usable("trial ids")):
        raise UserError(f"[search] sampler: cmaes needs Optuna 5.0, but {optuna.__version__} is installed; use tpe")
    study._storage.set_trial_system_attr(trial._trial_id, key, value)


class CachedStorage(_CachedStorage):
    """Optuna's cache for its database storage, with hooks for a subclass. Use it only if "cache" is usable."""

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self.database = backend

    def add_to_cache(self, study_id: int, trial: FrozenTrial, number: int, trial_id: int) -> None:
        """Add a trial that was not written through this storage to the cache, with its number and id."""
        trial.number, trial._trial_id = number, trial_id
        with self._lock:
            self._add_trials_to_cache(study_id, [trial])

    def get_trial_number_from_id(self, trial_id: int) -> int:
        """Return the number of a trial that is in the cache."""
        return self._trial_id_to_study_id_and_number[trial_id][1]

    def is_current(self) -> bool:
        """Return whether the cache is up to date."""
        return False

    def has_read(self) -> None:
        """Record that the database was read."""

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        if not self.is_current():
            super()._read_trials_from_remote_storage(study_id)
            self.has_read()


def optuna_models() -> ModuleType:
    """Return the module of Optuna's tables, which imports SQLAlchemy."""
    from optuna.storages._rdb import models

    return models


def check_optuna_tables() -> None:
    """Check that Optuna's tables match the known version.

    Raises:
        UserError: they do not.
    """
    if not is_usable("tables of Optuna"):
        raise UserError(f"--storage: needs Optuna 5.0, but {optuna.__version__} is installed; install Optuna 5.0")


def mlflow_tables() -> "Mapping[str, Table] | None":
    """Return MLflow's definitions of the tables in MLFLOW_COLUMNS; None if they do not match the known version."""
    if not is_usable("tables of MLflow"):
        return None
    from mlflow.store.db.base_sql_model import Base

    return {name: Base.metadata.tables[name] for name in MLFLOW_COLUMNS}


def import_mlflow_store() -> None:
    """Import the module that takes MLflow seconds to load when it opens a database; skip it for other versions."""
    if is_usable("store of MLflow"):
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


def _differing(found: Mapping[str, set[str]], known: Mapping[str, str]) -> str | None:
    """Return how tables differ from the known ones."""
    for name, columns in known.items():
        if found.get(name) != set(columns.split()):
            return f"table {name} has the columns {sorted(found.get(name, ()))}, not {sorted(columns.split())}"
    return None


def _parameters(function: Callable[..., object], *names: str) -> str | None:
    """Return how the parameters of a function differ from `names`."""
    found = tuple(inspect.signature(function).parameters)
    return None if found == names else f"{function.__qualname__} has the parameters {found}, not {names}"


def _trial_ids() -> str | None:
    trial = create_trial(value=0.0)
    return None if isinstance(trial._trial_id, int) else "FrozenTrial._trial_id is not a number"


def _study_storage() -> str | None:
    storage, before = InMemoryStorage(), optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "guard")
        return None if optuna.Study("guard", storage)._storage is storage else "Study._storage is another storage"
    finally:
        optuna.logging.set_verbosity(before)


def _cache() -> str | None:
    if not hasattr(optuna.storages, "_CachedStorage"):
        return "optuna.storages has no _CachedStorage"
    models = optuna_models()
    return (
        _parameters(_CachedStorage.__init__, "self", "backend")
        or _parameters(_CachedStorage._add_trials_to_cache, "self", "study_id", "trials")
        or _parameters(_CachedStorage._read_trials_from_remote_storage, "self", "study_id")
        or _parameters(models.TrialIntermediateValueModel.intermediate_value_to_stored_repr, "value")
        or _parameters(models.TrialValueModel.value_to_stored_repr, "value")
        or _trial_ids()
    )


def _optuna_tables() -> str | None:
    tables = optuna_models().BaseModel.metadata.tables
    return _differing({name: set(table.columns.keys()) for name, table in tables.items()}, OPTUNA_COLUMNS)


def _mlflow_tables() -> str | None:
    import mlflow.store.tracking.dbmodels.models  # noqa: F401 - defines the tables
    from mlflow.store.db.base_sql_model import Base

    tables = Base.metadata.tables
    return _differing({name: set(table.columns.keys()) for name, table in tables.items()}, MLFLOW_COLUMNS)


def _mlflow_store() -> str | None:
    from importlib.util import find_spec

    return None if find_spec("mlflow.store.tracking.sqlalchemy_store") else "mlflow.store.tracking has no such module"


PARTS = {
    "trial ids": Part(
        "optuna", "FrozenTrial._trial_id", "trials are written by id", "the storage is queried for the id", _trial_ids
    ),
    "storage of a study": Part(
        "optuna", "Study._storage", "CMA-ES stores its point with each trial", "cmaes is rejected", _study_storage
    ),
    "cache": Part(
        "optuna",
        "_CachedStorage, its _add_trials_to_cache and _read_trials_from_remote_storage; optuna.storages._rdb.models",
        "a round is written to PostgreSQL in a few statements",
        "Optuna writes one value at a time",
        _cache,
    ),
    "tables of Optuna": Part(
        "optuna", "tables and columns", "ledgers are listed with SQL", "--storage is rejected", _optuna_tables
    ),
    "tables of MLflow": Part(
        "mlflow",
        "mlflow.store.db.base_sql_model.Base, mlflow.store.tracking.dbmodels.models, tables and columns",
        "new runs are inserted in bulk",
        "MLflow's client logs one run at a time",
        _mlflow_tables,
    ),
    "store of MLflow": Part(
        "mlflow",
        "mlflow.store.tracking.sqlalchemy_store",
        "the store is imported while the data is being read",
        "MLflow imports it at the first run",
        _mlflow_store,
    ),
    # Private names of joblib and loky are in `study.execution._loky`.
}


def difference(part: str) -> str | None:
    """Return how a part differs from the checked versions; None if it does not."""
    try:
        return PARTS[part].guard()
    except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


@cache
def is_usable(part: str) -> bool:
    """Return whether a part matches the checked versions; checked once per process."""
    return difference(part) is None
