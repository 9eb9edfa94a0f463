"""The ledger: one study in an ordinary storage of Optuna's, written by the coordinator alone.

A journal, which is a file of the study's folder, or tables in PostgreSQL; `optuna.load_study` and optuna-dashboard read
both. What a round decided is one record, the first of the write that applies it trial by trial; applying is idempotent,
so a round whose write was torn when the process died is finished on opening.
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
GROUP, RUNG, PAUSED = "group", "rung", "held"  # keys of a place, as ledgers have had them from the beginning
FORMAT = 3  # of what is kept of open trials and rounds; a search goes on only in the format it was begun in
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}
_FINISHED = {name: state for state, name in STATES.items() if state.is_finished()}


class EmptyLedgerError(UserError):
    """A ledger that was made and nothing written to it: its run is just beginning, or died then."""


@dataclass(frozen=True)
class TrialRecord:
    """What a round did to one trial; of a trial whose turn it was not, how far it is.

    Attributes:
        iterations: how far its training is.
        reports: value on dev by iteration, those of this round.
        outcome: "complete", "pruned" or "failed"; None where it stays open.
        values: one for each objective, where there are any.
        result: what is kept of a finished trial (see `study.search.objective`).
        rung: iteration at which the trial is paused, where it is.
        sampler: attributes that the sampler keeps with a trial that ended.
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
        folder: of the study; the ledger is opened, and made where there is none.
        name: of the study.
        directions: "maximize" or "minimize" for each objective of a new study.
        held: what `study.ledger.holding.hold` gave, where this process is to write to a ledger in a database.

    Raises:
        UserError: the database refuses, or the file is damaged; MachineError later on, where it is lost.
        EmptyLedgerError: there is no study in it, and no directions are given.
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
                    f"{folder.ledger}: study {name!r} not found; start it with `study run` and its spec, or remove "
                    f"{folder.path}"
                ) from None
            ways = [StudyDirection[direction.upper()] for direction in directions]
            self._id = self.storage.create_new_study(ways, name)
        self.name = name
        self.directions = [way.name.lower() for way in self.storage.get_study_directions(self._id)]
        self.direction = self.directions[0]

    @property
    def attributes(self) -> StudyAttributes:
        """What is known of the whole study: uid, spec, data fingerprint, …"""
        kept = self.storage.get_study_user_attrs(self._id)
        return cast("StudyAttributes", {key: without_nan(value) for key, value in kept.items()})

    def set(self, **values: object) -> None:
        """Write attributes of the study, those that differ from what is there; NaN becomes None."""
        known = self.storage.get_study_user_attrs(self._id)
        for key, value in values.items():
            if known.get(key) != value:
                self.storage.set_study_user_attr(self._id, key, without_nan(value))

    def claim_format(self) -> None:
        """Check that a search can go on here, and say so in the ledger; before anything else is written.

        Raises:
            UserError: another version of study began it, whose open trials would go on differently.
        """
        kept = self.attributes.get("format", 1 if self.trials() else FORMAT)
        if kept != FORMAT:
            other = "an older" if kept < FORMAT else "a newer"
            raise UserError(
                f"study {self.name!r} was started by {other} version of study (ledger format {kept}, not {FORMAT});\n"
                "continue with that version, or give the study another name; show, report and sync still work"
            )
        self.set(format=FORMAT)

    def identify(self) -> str:
        """Return the uid of the study, made at the first call."""
        if "uid" not in self.attributes:
            self.set(uid=uuid.uuid4().hex)
        return str(self.attributes["uid"])

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number; they are not to be changed."""
        return self.storage.get_all_trials(self._id, deepcopy=False)

    def create(self, drawn: FrozenTrial, group: int = 0) -> int:
        """Write a new open trial, with all that was drawn for it, in one piece; return its number."""
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
        """Write what a round decided, then apply it: from the first write on it is never lost."""
        written = {str(n): asdict(record) for n, record in sorted(records.items())}
        trials = self.trials()
        with self._in_one_write():
            self.storage.set_study_user_attr(self._id, ROUND, {"number": number, "trials": written})
            for n, record in sorted(records.items()):
                self._apply(trials[n], record)

    def settle(self) -> tuple[int, dict[int, int]]:
        """Apply the last round where that has not been done; return its number and the iterations of open trials."""
        last = self.storage.get_study_user_attrs(self._id).get(ROUND, {"number": 0, "trials": {}})
        trials = self.trials()
        with self._in_one_write():
            for number, record in last["trials"].items():
                self._apply(trials[int(number)], from_json(TrialRecord, record))
        return last["number"], {int(n): record["iterations"] for n, record in last["trials"].items()}

    def resume(self, number: int, group: int) -> None:
        """Write that a paused trial is trained again, in this group."""
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
    """Return plain data with None in place of NaN and infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    return [without_nan(each) for each in value] if isinstance(value, list | tuple) else value


def _open(
    folder: StudyFolder, held: "Connection | None"
) -> tuple[BaseStorage, Callable[[], AbstractContextManager[object]]]:
    """Return the storage of a ledger, and how several writes to it become one."""
    if folder.storage is not None:
        tables = open_storage(folder.storage, held)
        return tables, tables.in_one_write if isinstance(tables, Tables) else nullcontext
    journal = Journal(folder.ledger)
    try:
        return JournalStorage(journal), journal.in_one_write
    except (KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        # Of lines that Optuna wrote, or a version before the checks, not even the form is certain.
        raise UserError(f"{folder.ledger}: the file is damaged ({error!r}); restore it from a backup") from None


def repair(folder: StudyFolder) -> int:
    """Cut a torn last line off the journal; return how many bytes it had.

    Call it while holding the study's lease. Whoever writes does the same; this is to say so. A database mends itself.
    """
    return Journal(folder.ledger).mend() if folder.storage is None and folder.ledger.exists() else 0


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's log lines and its notes on experimental options out of the terminal while the block runs."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
