"""Where a study lives: the home (default ./mlruns), the folder of one study in it, and the database of ledgers."""

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
        path: of the folder.
        storage: address of the database that keeps the ledger; None where it is a file here.
    """

    path: Path
    storage: str | None = field(default=None, repr=False)  # may hold a password

    @property
    def ledger(self) -> Path:
        """The Optuna journal: the record that counts, unless a database keeps it."""
        return self.path / "ledger.log"

    @property
    def owner(self) -> Path:
        """Of a study whose ledger is in a database: its uid, so that no other study takes the folder for its own."""
        return self.path / "owner"

    @property
    def lease(self) -> Path:
        """Held by the process that runs the study."""
        return self.path / "lease.json"

    @property
    def data(self) -> Path:
        """Train and dev as arrays, for workers."""
        return self.path / "data"

    @property
    def exports(self) -> Path:
        """Which MLflow run shows which trial; can be made again."""
        return self.path / "exports.json"

    @property
    def tracking_lock(self) -> Path:
        """Held by the process that writes the study to MLflow."""
        return self.path / "tracking.lock"

    @property
    def final(self) -> Path:
        """Final models, under names that hold their digests; the ledger says which one counts."""
        return self.path / "final"

    @property
    def confirm(self) -> Path:
        """What `study confirm` trained."""
        return self.path / "confirm"

    @property
    def rechecks(self) -> Path:
        """What `study recheck` trained, a folder for each table."""
        return self.path / "recheck"

    @property
    def trials(self) -> Path:
        """Results and training states of trials."""
        return self.path / "trials"

    @property
    def held(self) -> tuple[Path, ...]:
        """Folders that only the process that holds the study writes to."""
        return self.data, self.trials, self.confirm, self.rechecks, self.final

    def result(self, number: int) -> Path:
        """Curve, weights and dev predictions of a finished trial."""
        return self.trials / f"{number:05d}.npz"

    def checkpoint(self, number: int) -> Path:
        """Training state of an open trial."""
        return self.trials / f"{number:05d}.state.npz"


@dataclass(frozen=True)
class Home:
    """The folder that holds all state, but for ledgers that are in a database.

    Attributes:
        path: of the folder.
        storage: address of the database; None where ledgers are files of the folder.
    """

    path: Path
    storage: str | None = field(default=None, repr=False)  # may hold a password

    @classmethod
    def at(cls, given: str | None, storage: str | None = None) -> "Home":
        """Return the home: as given, else STUDY_HOME, else ./mlruns; storage likewise, else STUDY_STORAGE, else none.

        Raises:
            UserError: the path cannot be part of an address, or the storage is not an address of PostgreSQL.
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
        """The folder of all studies."""
        return self.path / "studies"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's default store."""
        return self.path / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """Artifacts of the default store."""
        return self.path / "artifacts"

    @property
    def place(self) -> str:
        """Where ledgers are, as people are told it."""
        return str(self.path) if self.storage is None else redact_address(self.storage)

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process where ledgers are; as an argument everybody on the machine would see the password."""
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
            UserError: there is none of this name.
        """
        names = self.names()
        if name not in names:
            remedy = did_you_mean(name, names) if names else f"run one with `{next_command('run', 'SPEC.toml')}`"
            raise UserError(f"no study {name!r} in {self.place}; {remedy}")
        return self.folder(name)

    def make(self) -> None:
        """Make the folders, once the database of ledgers answers.

        Raises:
            UserError: the place cannot be written to, or the database refuses.
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
