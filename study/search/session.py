"""A study opened to work with: its spec, data, objective, ledger and lock, wired together in one way.

with StudySession.open(home, "digits") as session:                 # to read
with StudySession.open(home, "digits", write=True) as session:     # holds the lock
with StudySession.open(home, Path("digits.toml")) as session:      # by its spec; it may not have run yet
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from study.spec import DataSpec, Spec, parse_spec, read_spec
from study.text.shell import next_command


class StudySession:
    """One study, opened by `StudySession.open`. Making one reads and writes nothing.

    Attributes:
        name: of the study.
        folder: where its files are.
        spec: the declaration: that of the file it was opened by, or else the one it was last run with.
        base: the folder that a data file of the spec is relative to.
        torn_bytes: what a process that died had left unfinished at the ledger's end, cut off since the lock is held.
    """

    def __init__(self, folder: StudyFolder, spec: Spec, base: Path, ledger: Ledger | None = None) -> None:
        self.name, self.folder, self.spec, self.base = spec.name, folder, spec, base
        self.torn_bytes = 0
        self._ledger = ledger
        self._known = ledger is not None  # opened by name, so its data are those that the ledger names

    @classmethod
    @contextmanager
    def open(cls, home: Home, study: str | Path, *, write: bool = False) -> "Iterator[StudySession]":
        """Open a study while the block runs.

        Args:
            home: where state lives.
            study: the name of a study that has run, or the path of a spec, whose study may not have run yet.
            write: whether to hold the lock, as `writing`.

        Raises:
            UserError: there is no such study or spec, or it never got as far as its data; what `writing` raises.
        """
        session = cls._of_spec(home, study) if isinstance(study, Path) else cls._of_name(home, study)
        if not write:
            yield session
            return
        with session.writing():
            yield session

    @classmethod
    def _of_spec(cls, home: Home, path: Path) -> "StudySession":
        spec = read_spec(path)
        return cls(home.folder(spec.name), spec, path.parent)

    @classmethod
    def _of_name(cls, home: Home, name: str) -> "StudySession":
        folder = home.existing(name)
        ledger = Ledger(folder, name)
        attributes = ledger.attributes
        if "spec" not in attributes:
            raise UserError(f"study {name!r} has not started yet; run it first")
        spec = parse_spec(attributes["spec"], f"the spec of study {name!r}")
        return cls(folder, spec, Path(attributes.get("folder", ".")), ledger)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock while the block runs: this process alone writes to the study.

        The ledger is mended, and begun where there is none.

        Raises:
            UserError: another process holds it, or the place cannot be written to.
        """
        directions = None if self._known else _directions(self.objective)
        with holding.hold(self.folder, self.name) as held, quiet_optuna():
            self.torn_bytes = repair(self.folder)
            self._ledger = Ledger(self.folder, self.name, directions, held)
            yield

    @contextmanager
    def nested(self, spec: Spec, datasets: Sequence[Dataset], folder: StudyFolder) -> "Iterator[StudySession]":
        """Open a study whose files are in this one's folder, under this one's lock, and begin it where there is none.

        Args:
            spec: of the other study.
            datasets: its train and dev; with folds one for each.
            folder: where its files are.
        """
        objective = Objective(spec, datasets, folder)
        folder.path.mkdir(parents=True, exist_ok=True)
        torn_bytes = repair(folder)
        inner = StudySession(folder, spec, self.base, Ledger(folder, spec.name, _directions(objective)))
        inner.objective, inner.torn_bytes = objective, torn_bytes
        yield inner

    @property
    def ledger(self) -> Ledger:
        """The ledger; of a study that was opened by its spec while it is open for writing."""
        if self._ledger is None:
            raise RuntimeError(f"study {self.name!r} was opened by its spec; its ledger exists only inside `writing()`")
        return self._ledger

    @property
    def attributes(self) -> StudyAttributes:
        """What the ledger knows of the whole study, read anew."""
        return self.ledger.attributes

    @property
    def summary(self) -> Summary:
        """The trials and what stands out among them, read anew."""
        return summarize_ledger(self.ledger, self.folder)

    @cached_property
    def objective(self) -> Objective:
        """The objective, with its data; loaded when it is asked for first.

        Raises:
            UserError: the data cannot be read; or they are not those that a study opened by its name was run on.
        """
        datasets = load_all(self.spec.data, self.base)
        if self._known:
            self._check_data(datasets[0])
        return Objective(self.spec, datasets, self.folder)

    def _check_data(self, dataset: Dataset) -> None:
        attributes = self.attributes
        if dataset.fingerprint != attributes["fingerprint"]:
            where = explain_change(attributes["parts"], dataset.part_fingerprints)
            raise UserError(
                f"[data] source: {self.spec.data.source!r} changed since study {self.name!r} ran ({where});\n"
                f"restore the old data, or check whether its best still holds: {next_command('recheck', self.name)}"
            )


def _directions(objective: Objective) -> list[str]:
    return [direction_of(name) for name in objective.objectives]


def load_all(spec: DataSpec, base: Path) -> tuple[Dataset, ...]:
    """Return the dataset of a spec, or with folds one for each."""
    return load_folds(spec, base) if spec.folds else (load(spec, base),)
