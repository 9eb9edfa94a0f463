"""Bulk writes to Optuna's tables in PostgreSQL by the process that holds the study's lock.

Optuna's own storage queries before it writes, with two or three statements for each value. The holder of the lock knows
the current state, so rows are gathered and written table by table in one transaction. They equal those of Optuna.
"""

import copy
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from study._compat import CachedStorage, optuna_models

if TYPE_CHECKING:
    from sqlalchemy import Insert, Table, Update

_Rows: TypeAlias = "defaultdict[Table, list[dict[str, object]]]"  # by table of Optuna


class Tables(CachedStorage):
    """Optuna's storage in a database, for one study.

    Args:
        backend: Optuna's own storage, which is used for reading.
        alone: whether this process holds the study's lock, so that rereading is needed only after a write.
    """

    def __init__(self, backend: RDBStorage, *, alone: bool) -> None:
        super().__init__(backend)
        self._alone, self._current = alone, False
        self._gathered: _Rows | None = None

    @contextmanager
    def in_one_write(self) -> Iterator[_Rows]:
        """Gather the writes of the block, and execute them in one transaction at its end; if it raises, write nothing.

        Nested blocks belong to the outer transaction.
        """
        if self._gathered is not None:
            yield self._gathered
            return
        gathered: _Rows = defaultdict(list)
        self._gathered = gathered
        try:
            yield gathered
        finally:
            self._gathered = None
        if gathered:
            self._current = False
            with self.database.engine.begin() as connection:
                for table, rows in gathered.items():
                    connection.execute(_statement(table), rows)

    def set_study_user_attr(self, study_id: int, key: str, value: object) -> None:
        """Write an attribute of the study."""
        self._put_attribute(optuna_models().StudyUserAttributeModel.__table__, key, value, study_id=study_id)

    def set_trial_user_attr(self, trial_id: int, key: str, value: object) -> None:
        """Write an attribute of an open trial."""
        self._put_attribute(optuna_models().TrialUserAttributeModel.__table__, key, value, trial_id=trial_id)

    def set_trial_system_attr(self, trial_id: int, key: str, value: object) -> None:
        """Write an attribute that a sampler stores with an open trial."""
        self._put_attribute(optuna_models().TrialSystemAttributeModel.__table__, key, value, trial_id=trial_id)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Write a reported value of an open trial."""
        model = optuna_models().TrialIntermediateValueModel
        value, kind = model.intermediate_value_to_stored_repr(intermediate_value)
        self._put(model.__table__, trial_id=trial_id, step=step, intermediate_value=value, intermediate_value_type=kind)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """End an open trial."""
        model = optuna_models().TrialValueModel
        with self.in_one_write():
            for objective, given in enumerate(values or ()):
                value, kind = model.value_to_stored_repr(given)
                self._put(model.__table__, trial_id=trial_id, objective=objective, value=value, value_type=kind)
            ended = datetime.now(UTC).replace(tzinfo=None)
            self._put(optuna_models().TrialModel.__table__, trial=trial_id, to_state=state, at=ended)
        return True

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Write a new open trial, with all drawn values; return its id."""
        from sqlalchemy import func, select
        from sqlalchemy.orm import Session

        if template_trial is None:
            return super().create_new_trial(study_id)
        models, drawn = optuna_models(), copy.deepcopy(template_trial)
        others = select(func.count(models.TrialModel.trial_id)).where(models.TrialModel.study_id == study_id)
        trial = models.TrialModel(
            study_id=study_id, number=others.scalar_subquery(), state=drawn.state, datetime_start=drawn.datetime_start
        )
        trial.params = [
            models.TrialParamModel(
                param_name=name,
                param_value=drawn.distributions[name].to_internal_repr(value),
                distribution_json=distribution_to_json(drawn.distributions[name]),
            )
            for name, value in drawn.params.items()
        ]
        trial.user_attributes = _attributes(models.TrialUserAttributeModel, drawn.user_attrs)
        trial.system_attributes = _attributes(models.TrialSystemAttributeModel, drawn.system_attrs)
        with Session(self.database.engine, expire_on_commit=False) as session, session.begin():
            session.add(trial)
            session.flush()
            drawn.datetime_start = trial.datetime_start
            number, trial_id = int(trial.number), int(trial.trial_id)
        self.add_to_cache(study_id, drawn, number, trial_id)
        return trial_id

    def is_current(self) -> bool:
        """Return whether the cache is up to date; never true if another process may write."""
        return self._current

    def has_read(self) -> None:
        """Record that the database was read."""
        self._current = self._alone

    def _put_attribute(self, table: "Table", key: str, value: object, **owner: int) -> None:
        self._put(table, **owner, key=key, value_json=json.dumps(value))

    def _put(self, table: "Table", **row: object) -> None:
        with self.in_one_write() as gathered:
            gathered[table].append(row)


def _attributes(model: Callable[..., object], values: dict[str, object]) -> list[object]:
    return [model(key=key, value_json=json.dumps(value)) for key, value in values.items()]


def _statement(table: "Table") -> "Insert | Update":
    """Return the statement that writes rows: an update for trials that end, or an upsert."""
    from sqlalchemy import UniqueConstraint, bindparam, update
    from sqlalchemy.dialects.postgresql import insert

    models = optuna_models()
    if table is models.TrialModel.__table__:
        ends = update(table).where(table.c.trial_id == bindparam("trial"))
        return ends.values(state=bindparam("to_state"), datetime_complete=bindparam("at"))
    if table is models.TrialValueModel.__table__:  # written once; tables from before Optuna 2.4 lack the unique key
        return insert(table)
    (key,) = (constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint))
    given = insert(table)
    values = {
        column.name: given.excluded[column.name] for column in table.c if column not in {*table.primary_key, *key}
    }
    return given.on_conflict_do_update(index_elements=list(key), set_=values)
