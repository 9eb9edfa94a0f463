"""The files of studies: the home (default ./mlruns), the folder of each study in it, and the database of ledgers."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from study.errors import UserError, did_you_mean
from study.ledger import postgres
from study.text.redaction import redact_address
from study.text.shell import next_command


@dataclass(frozen=True)
class StudyFolder:
    """The files of one study.

    Attributes:
        path: path of the folder.
        storage: address of the database that contains the ledger; None if the ledger is a file in this folder.
    """

    path: Path
    storage: str | None = field(default=None, repr=False)  # may contain a password

    @property
    def ledger(self) -> Path:
        """The ledger, an Optuna journal, unless it is in a database."""
        return self.path / "ledger.log"

    @property
    def owner(self) -> Path:
        """The uid of a study whose ledger is in a database, which keeps other studies from using the folder."""
        return self.path / "owner"

    @property
    def lease(self) -> Path:
        """The lock file of the process that writes to the study."""
        return self.path / "lease.json"

    @property
    def data(self) -> Path:
        """The arrays of train and dev that workers read."""
        return self.path / "data"

    @property
    def exports(self) -> Path:
        """The MLflow run of each trial; can be recreated."""
        return self.path / "exports.json"

    @property
    def tracking_lock(self) -> Path:
        """The lock file of the process that exports the study to MLflow."""
        return self.path / "tracking.lock"

    @property
    def final(self) -> Path:
        """The final models, whose names contain their digests; the ledger records the current one."""
        return self.path / "final"

    @property
    def finalizing(self) -> Path:
        """The arrays that workers read while `study finalize` trains; removed afterwards."""
        return self.path / "finalizing"

    @property
    def confirm(self) -> Path:
        """The networks that `study confirm` trained."""
        return self.path / "confirm"

    @property
    def baselines(self) -> Path:
        """The predictions of baselines for dev."""
        return self.path / "baselines"

    @property
    def rechecks(self) -> Path:
        """The networks that `study recheck` trained, in a folder for each table."""
        return self.path / "recheck"

    @property
    def trials(self) -> Path:
        """The results and training states of trials."""
        return self.path / "trials"

    @property
    def held(self) -> tuple[Path, ...]:
        """The folders that only the holder of the study's lock writes to."""
        return self.data, self.trials, self.baselines, self.confirm, self.rechecks, self.final, self.finalizing

    def result(self, number: int) -> Path:
        """Return the file with the curve, weights and dev predictions of a finished trial."""
        return self.trials / f"{number:05d}.npz"

    def checkpoint(self, number: int) -> Path:
        """Return the file with the training state of an open trial."""
        return self.trials / f"{number:05d}.state.npz"


@dataclass(frozen=True)
class Home:
    """The folder that contains all state, except for ledgers in a database.

    Attributes:
        path: path of the folder.
        storage: address of the database; None if ledgers are files in this folder.
    """

    path: Path
    storage: str | None = field(default=None, repr=False)  # may contain a password

    @classmethod
    def at(cls, given: str | None, storage: str | None = None) -> "Home":
        """Return the home at a path, which defaults to STUDY_HOME or ./mlruns; storage defaults to STUDY_STORAGE.

        Raises:
            UserError: MLflow does not allow the path, or the storage is not a PostgreSQL address.
        """
        path = Path(given or os.environ.get("STUDY_HOME") or "mlruns").absolute()
        strange = next((sign for sign in "?#%" if sign in str(path)), None)
        if strange is not None:
            raise UserError(
                f"--home {path}: contains {strange!r}, which MLflow does not allow in a path; choose another folder"
            )
        return cls(path, postgres.storage_address(storage))

    @property
    def studies(self) -> Path:
        """The folder that contains the folders of all studies."""
        return self.path / "studies"

    @property
    def tables(self) -> Path:
        """Tables that were passed in memory, each named by its digest, and the specs of their studies."""
        return self.path / "data"

    def kept_spec(self, name: str) -> Path:
        """The spec of a study whose table was passed in memory."""
        return self.tables / f"{name}.toml"

    @property
    def mlflow_database(self) -> Path:
        """The database of MLflow's default store."""
        return self.path / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """The artifacts of MLflow's default store."""
        return self.path / "artifacts"

    @property
    def place(self) -> str:
        """The location of the ledgers, for messages."""
        return str(self.path) if self.storage is None else redact_address(self.storage)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that pass the storage to a child process, since arguments would expose the password."""
        return {"STUDY_STORAGE": self.storage or ""}

    def names(self) -> list[str]:
        """Return the names of the studies that have a ledger, sorted."""
        if self.storage is not None:
            return postgres.names(self.storage)
        return sorted(p.parent.name for p in self.studies.glob("*/ledger.log"))

    def folder(self, name: str) -> StudyFolder:
        """Return the folder of a study, which may not exist yet."""
        return StudyFolder(self.studies / name, self.storage)

    def existing(self, name: str) -> StudyFolder:
        """Return the folder of a study that has a ledger.

        Raises:
            UserError: there is no study with this name.
        """
        names = self.names()
        if name not in names:
            remedy = did_you_mean(name, names) if names else f"run one with `{next_command('run', 'SPEC.toml')}`"
            raise UserError(f"no study {name!r} in {self.place}; {remedy}")
        return self.folder(name)

    def make(self) -> None:
        """Create the folders, after checking the database of ledgers.

        Raises:
            UserError: the folder is not writable, or the database reports an error.
        """
        if self.storage is not None:
            postgres.check(self.storage)
        try:
            self.studies.mkdir(parents=True, exist_ok=True)
            self.artifacts.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(
                f"--home {self.path}: could not be created ({error.strerror}); choose a writable folder"
            ) from None
