"""The ledger: one study in an ordinary Optuna storage, written only by the coordinator.

It is a journal file in the study's folder, or tables in PostgreSQL; `optuna.load_study` and optuna-dashboard read both.
The decisions of a round are one record, which is written before it is applied trial by trial. Applying it is
idempotent, so a round that was only partly written when the process died is finished on opening.
"""

import math
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast, overload

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from study._compat import trial_id
from study.errors import UserError
from study.ledger.attributes import StudyAttributes
from study.ledger.home import StudyFolder
from study.ledger.journal import Journal
from study.ledger.storage import open_storage
from study.ledger.tables import Tables
from study.text.records import Json, from_json

if TYPE_CHECKING:
    from study.ledger.postgres import Connection

ROUND, RESULT, PLACE = "study:round", "study:result", "study:place"
GROUP, RUNG, PAUSED = "group", "rung", "held"  # keys of PLACE; existing ledgers depend on them
FORMAT = 3  # version of the records of open trials and rounds; a search cannot resume in another format
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}
_FINISHED = {name: state for state, name in STATES.items() if state.is_finished()}


class EmptyLedgerError(UserError):
    """Raised for a ledger without a study: its run has only just started, or died at that point."""


@dataclass(frozen=True)
class TrialRecord:
    """The effect of a round on one trial; for a trial of the other group, only its progress.

    Attributes:
        iterations: number of completed iterations.
        reports: values on dev from this round, by iteration.
        outcome: "complete", "pruned" or "failed"; None if the trial stays open.
        values: one for each objective, if there are any.
        result: the result of a finished trial (see `study.search.objective`).
        rung: iteration at which the trial is paused, if it is.
        sampler: attributes that the sampler stores with a trial that has ended.
    """

    iterations: int
    reports: dict[int, float] = field(default_factory=dict)
    outcome: str | None = None
    values: list[float] | None = None
    result: dict[str, object] = field(default_factory=dict)
    rung: int | None = None
    sampler: dict[str, Json] = field(default_factory=dict)


class Ledger:
    """One study's trials and attributes.

    Args:
        folder: folder of the study; the ledger is created if it does not exist.
        name: name of the study.
        directions: "maximize" or "minimize" for each objective of a new study.
        held: the connection from `study.ledger.holding.hold`, needed to write to a ledger in a database.

    Raises:
        UserError: the database reports an error, or the file is damaged.
        EmptyLedgerError: the ledger contains no study, and no directions are given.
        MachineError: in any method, the connection to the database was lost.
    """

    def __init__(
        self,
        folder: StudyFolder,
        name: str,
        directions: Sequence[str] | None = None,
        held: "Connection | None" = None,
    ) -> None:
        self.storage, self._in_one_write = _open(folder, held)
        try:
            self._id = self.storage.get_study_id_from_name(name)
        except KeyError:
            if directions is None:
                raise EmptyLedgerError(
                    f"{folder.ledger}: study {name!r} not found; start it by running `study run` on its spec, or "
                    f"delete {folder.path}"
                ) from None
            parsed = [StudyDirection[direction.upper()] for direction in directions]
            self._id = self.storage.create_new_study(parsed, name)
        self.name = name
        self.directions = [direction.name.lower() for direction in self.storage.get_study_directions(self._id)]
        self.direction = self.directions[0]

    @property
    def attributes(self) -> StudyAttributes:
        """The attributes of the study: uid, spec, data fingerprint, …"""
        kept = self.storage.get_study_user_attrs(self._id)
        return cast("StudyAttributes", {key: without_nan(value) for key, value in kept.items()})

    def set(self, **values: object) -> None:
        """Write those attributes of the study that have changed; NaN becomes None."""
        known = self.storage.get_study_user_attrs(self._id)
        for key, value in values.items():
            if known.get(key) != value:
                self.storage.set_study_user_attr(self._id, key, without_nan(value))

    def claim_format(self) -> None:
        """Check that the search can resume in this format, and record the format. Call it before any other write.

        Raises:
            UserError: the study was started by a version of study that would resume its trials differently.
        """
        kept = self.attributes.get("format", 1 if self.trials() else FORMAT)
        if kept != FORMAT:
            other = "an older" if kept < FORMAT else "a newer"
            raise UserError(
                f"study {self.name!r} was started by {other} version of study (ledger format {kept}, not {FORMAT});\n"
                "resume it with that version, or give the study another name; show, report and sync still work"
            )
        self.set(format=FORMAT)

    def identify(self) -> str:
        """Return the uid of the study, which is created at the first call."""
        if "uid" not in self.attributes:
            self.set(uid=uuid.uuid4().hex)
        return str(self.attributes["uid"])

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number. Do not modify them."""
        return self.storage.get_all_trials(self._id, deepcopy=False)

    def create(self, drawn: FrozenTrial, group: int = 0) -> int:
        """Write a new open trial, with all drawn values, in one write; return its number."""
        trial = create_trial(
            state=TrialState.RUNNING,
            params=drawn.params,
            distributions=drawn.distributions,
            system_attrs=drawn.system_attrs,
            user_attrs={PLACE: {GROUP: group, RUNG: 0, PAUSED: False}},
        )
        trial.datetime_start = datetime.now(UTC)
        return self.storage.get_trial_number_from_id(self.storage.create_new_trial(self._id, template_trial=trial))

    def commit(self, number: int, records: dict[int, TrialRecord]) -> None:
        """Write the decisions of a round, then apply them. Once the first write succeeds, they are never lost."""
        written = {str(n): asdict(record) for n, record in sorted(records.items())}
        trials = self.trials()
        with self._in_one_write():
            self.storage.set_study_user_attr(self._id, ROUND, {"number": number, "trials": written})
            for n, record in sorted(records.items()):
                self._apply(trials[n], record)

    def settle(self) -> tuple[int, dict[int, int]]:
        """Finish applying the last round; return its number, and the iterations of the trials in it."""
        last = self.storage.get_study_user_attrs(self._id).get(ROUND, {"number": 0, "trials": {}})
        trials = self.trials()
        with self._in_one_write():
            for number, record in last["trials"].items():
                self._apply(trials[int(number)], from_json(TrialRecord, record))
        return last["number"], {int(n): record["iterations"] for n, record in last["trials"].items()}

    def resume(self, number: int, group: int) -> None:
        """Record that a paused trial is resumed, in this group."""
        trial = self.trials()[number]
        place = {**trial.user_attrs[PLACE], GROUP: group, PAUSED: False}
        self.storage.set_trial_user_attr(trial_id(trial, self.storage, self._id), PLACE, place)

    def _apply(self, trial: FrozenTrial, record: TrialRecord) -> None:
        if trial.state.is_finished():
            return
        known = trial_id(trial, self.storage, self._id)
        for step, value in record.reports.items():
            if step not in trial.intermediate_values:
                self.storage.set_trial_intermediate_value(known, step, value)
        rung = record.rung
        place = trial.user_attrs[PLACE]
        if rung is not None and place[RUNG] != rung:
            self.storage.set_trial_user_attr(known, PLACE, {**place, RUNG: rung, PAUSED: True})
        if record.outcome is not None:
            for key, given in record.sampler.items():
                if trial.system_attrs.get(key) != given:
                    self.storage.set_trial_system_attr(known, key, given)
            self.storage.set_trial_user_attr(known, RESULT, record.result)
            self.storage.set_trial_state_values(known, _FINISHED[record.outcome], record.values)


@overload
def without_nan(value: float | None) -> float | None: ...
@overload
def without_nan(value: object) -> object: ...
def without_nan(value: object) -> object:
    """Return plain data with None instead of NaN and infinities, which JSON does not support."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    return [without_nan(each) for each in value] if isinstance(value, list | tuple) else value


def _open(
    folder: StudyFolder, held: "Connection | None"
) -> tuple[BaseStorage, Callable[[], AbstractContextManager[object]]]:
    """Return the storage of a ledger, and a context manager that combines several writes into one."""
    if folder.storage is not None:
        tables = open_storage(folder.storage, held)
        return tables, tables.in_one_write if isinstance(tables, Tables) else nullcontext
    journal = Journal(folder.ledger)
    try:
        return JournalStorage(journal), journal.in_one_write
    except (KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        # Lines without a checksum, by Optuna or by an old version of study, may be malformed in any way.
        raise UserError(f"{folder.ledger}: the file is damaged ({error!r}); restore it from a backup") from None


def repair(folder: StudyFolder) -> int:
    """Remove an incomplete last line from the journal; return its size in bytes, and 0 for a database.

    Call it while holding the study's lock. Every write does the same, but does not report it.
    """
    return Journal(folder.ledger).mend() if folder.storage is None and folder.ledger.exists() else 0


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Suppress Optuna's log messages and its warnings on experimental features inside the block."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
