"""Where a study lives on disk: the home (default ./mlruns) and the folder of one study in it."""

import os
from dataclasses import dataclass
from pathlib import Path

from study.errors import UserError, did_you_mean


@dataclass(frozen=True)
class StudyFolder:
    """The files of one study."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The Optuna journal: the record that counts."""
        return self.path / "ledger.log"

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
    def model(self) -> Path:
        """The model of the last `study finalize`."""
        return self.path / "final" / "model.skops"

    @property
    def example(self) -> Path:
        """Raw cells of a few rows of train: what the final model is given."""
        return self.path / "final" / "example.parquet"

    @property
    def confirm(self) -> Path:
        """What `study confirm` trained."""
        return self.path / "confirm"

    @property
    def rechecks(self) -> Path:
        """What `study recheck` trained, a folder for each table."""
        return self.path / "recheck"

    def result(self, number: int) -> Path:
        """Curve, weights and dev predictions of a finished trial."""
        return self.path / "trials" / f"{number:05d}.npz"

    def checkpoint(self, number: int) -> Path:
        """Training state of an open trial."""
        return self.path / "trials" / f"{number:05d}.state.npz"


@dataclass(frozen=True)
class Home:
    """The folder that holds all state."""

    path: Path

    @classmethod
    def at(cls, given: str | None) -> "Home":
        """Return the home: as given, else STUDY_HOME, else ./mlruns."""
        return cls(Path(given or os.environ.get("STUDY_HOME") or "mlruns").absolute())

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

    def names(self) -> list[str]:
        """Return the names of the studies that have a ledger, sorted."""
        return sorted(p.parent.name for p in self.studies.glob("*/ledger.log"))

    def folder(self, name: str) -> StudyFolder:
        """Return the folder of a study, which may not exist yet."""
        return StudyFolder(self.studies / name)

    def existing(self, name: str) -> StudyFolder:
        """Return the folder of a study that has a ledger.

        Raises:
            UserError: there is none of this name.
        """
        names = self.names()
        if name not in names:
            remedy = did_you_mean(name, names) if names else "run one with `study run SPEC.toml`"
            raise UserError(f"no study {name!r} in {self.path}; {remedy}")
        return self.folder(name)

    def make(self) -> None:
        """Make the folders.

        Raises:
            UserError: the place cannot be written to.
        """
        try:
            self.studies.mkdir(parents=True, exist_ok=True)
            self.artifacts.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(
                f"--home {self.path}: cannot be made ({error.strerror}); name a folder that can be written to"
            ) from None
