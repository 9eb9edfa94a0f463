"""An open study: its spec, data, objective, ledger and lock.

with StudySession.open(home, "digits") as session:                 # for reading
with StudySession.open(home, "digits", write=True) as session:     # for writing, with the lock held
with StudySession.open(home, Path("digits.toml")) as session:      # by its spec; it may not have run yet
with StudySession.open(home, DeclaredSpec.parse(text, base, place)) as session:  # the same, without a file
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from study.data import Dataset, load, load_folds
from study.data.fingerprint import explain_change
from study.errors import UserError
from study.ledger import holding
from study.ledger.attributes import StudyAttributes
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import Ledger, quiet_optuna, repair
from study.ledger.results import Summary, summarize_ledger
from study.search.objective import Objective, direction_of
from study.search.search_space import needed_encodings
from study.spec import DataSpec, DeclaredSpec, Spec
from study.spec.encoding import STANDARD, Encoding
from study.spec.extension_records import require_extensions
from study.text.shell import next_command


class StudySession:
    """An open study; see `StudySession.open`. The constructor reads and writes nothing.

    Attributes:
        name: name of the study.
        folder: folder of the study.
        declared: the spec by which it was opened, or else the spec of its last run, with its text.
        torn_bytes: size of the incomplete write that a killed process had left at the end of the ledger; it was removed
            when the lock was acquired.
    """

    def __init__(self, folder: StudyFolder, declared: DeclaredSpec, ledger: Ledger | None = None) -> None:
        self.name, self.folder, self.declared = declared.spec.name, folder, declared
        self.torn_bytes = 0
        self._ledger = ledger
        self._known = ledger is not None  # opened by name, so its data must match the ledger

    @classmethod
    @contextmanager
    def open(cls, home: Home, study: str | Path | DeclaredSpec, *, write: bool = False) -> "Iterator[StudySession]":
        """Open a study for the duration of the block.

        Args:
            home: the home of the study.
            study: the name of a study that has run, or a spec or its path, whose study may not have run yet.
            write: whether to hold the lock; see `writing`.

        Raises:
            UserError: the study or spec does not exist, the study ended before its spec was recorded, or `writing`
                raises it.
        """
        session = cls._of_name(home, study) if isinstance(study, str) else cls._of_spec(home, study)
        if not write:
            yield session
            return
        with session.writing():
            yield session

    @classmethod
    def _of_spec(cls, home: Home, given: Path | DeclaredSpec) -> "StudySession":
        declared = DeclaredSpec.read(given) if isinstance(given, Path) else given
        return cls(home.folder(declared.spec.name), declared)

    @classmethod
    def _of_name(cls, home: Home, name: str) -> "StudySession":
        folder = home.existing(name)
        ledger = Ledger(folder, name)
        return cls(folder, find_declared(home, ledger), ledger)

    @property
    def spec(self) -> Spec:
        """The spec of the study."""
        return self.declared.spec

    @property
    def base(self) -> Path:
        """The folder to which a data file of the spec is relative."""
        return self.declared.base

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock for the duration of the block, so that only this process writes to the study.

        The ledger is repaired, or created if it does not exist.

        Raises:
            UserError: another process holds the lock, or the folder is not writable.
        """
        directions = None if self._known else _directions(self.objective)
        with holding.hold(self.folder, self.name) as held, quiet_optuna():
            self.torn_bytes = repair(self.folder)
            self._ledger = Ledger(self.folder, self.name, directions, held)
            yield

    @contextmanager
    def nested(self, spec: Spec, datasets: Sequence[Dataset], folder: StudyFolder) -> "Iterator[StudySession]":
        """Open a study whose files are in the folder of this one, under the same lock; create it if necessary.

        Args:
            spec: spec of the nested study.
            datasets: train and dev of the nested study; with folds, one dataset for each fold.
            folder: folder of the nested study.
        """
        objective = Objective(spec, datasets, folder)
        folder.path.mkdir(parents=True, exist_ok=True)
        torn_bytes = repair(folder)
        declared = replace(self.declared, spec=spec)
        inner = StudySession(folder, declared, Ledger(folder, spec.name, _directions(objective)))
        inner.objective, inner.torn_bytes = objective, torn_bytes
        yield inner

    @property
    def ledger(self) -> Ledger:
        """The ledger. If the study was opened by its spec, it exists only while the study is open for writing."""
        if self._ledger is None:
            raise RuntimeError(f"study {self.name!r} was opened from its spec; it has a ledger only inside `writing()`")
        return self._ledger

    @property
    def attributes(self) -> StudyAttributes:
        """The attributes of the study, read from the ledger at each access."""
        return self.ledger.attributes

    @property
    def summary(self) -> Summary:
        """The trials and the selected ones among them, read from the ledger at each access."""
        return summarize_ledger(self.ledger, self.folder)

    @cached_property
    def objective(self) -> Objective:
        """The objective, with its data, which is loaded at the first access.

        Raises:
            UserError: the data cannot be read, or the study was opened by its name and its data has changed.
        """
        datasets = load_all(self.spec.data, self.base, needed_encodings(self.spec))
        if self._known:
            self._check_data(datasets[0])
        return Objective(self.spec, datasets, self.folder)

    def _check_data(self, dataset: Dataset) -> None:
        attributes = self.attributes
        if dataset.fingerprint != attributes["fingerprint"]:
            where = explain_change(attributes["parts"], dataset.part_fingerprints)
            raise UserError(
                f"[data] source: {self.spec.data.source!r} has changed since study {self.name!r} ran ({where});\n"
                f"restore the old data, or check whether its best trial is still the best: "
                f"{next_command('recheck', self.name)}"
            )


def find_declared(home: Home, ledger: Ledger) -> DeclaredSpec:
    """Return the spec of a study's last run.

    Raises:
        UserError: the study ended before its spec was recorded.
    """
    attributes, name = ledger.attributes, ledger.name
    if "spec" not in attributes:
        raise UserError(f"study {name!r} has not started yet; run it first")
    require_extensions(attributes.get("additions", []), name)
    base = Path(attributes.get("folder", "."))
    declared = DeclaredSpec.parse(attributes["spec"], base, f"the spec of study {name!r}")
    source = declared.spec.data.source
    if not (base / source).exists() and (home.tables / source).is_file():
        return replace(declared, base=home.tables)  # the home was moved
    return declared


def _directions(objective: Objective) -> list[str]:
    return [direction_of(name) for name in objective.objectives]


def load_all(spec: DataSpec, base: Path, encodings: Sequence[Encoding] = (STANDARD,)) -> tuple[Dataset, ...]:
    """Return the dataset of a spec in some encodings; with folds, one for each fold."""
    return load_folds(spec, base, encodings) if spec.folds else (load(spec, base, encodings),)
