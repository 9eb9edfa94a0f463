"""`study sync`: MLflow made whole from the ledger, whatever happened to it."""

from collections.abc import Callable
from dataclasses import dataclass

from study.errors import UserError
from study.ledger import holding
from study.ledger.home import Home
from study.ledger.ledger import Ledger, quiet_optuna
from study.text.redaction import redact_address
from study.tracking.projection import Projection, catch_up, hold_projection
from study.tracking.store import describe_error, quiet_mlflow, store_errors, tracking_uri


@dataclass(frozen=True)
class SyncResult:
    """What was done.

    Attributes:
        trials: finished trials in the ledger; each has one run now.
        written: runs that were written.
        store: address of MLflow's store, without a password.
    """

    trials: int
    written: int
    store: str


def sync(home: Home, name: str, written: Callable[[int, int], None] = lambda *_: None) -> SyncResult:
    """Write to MLflow what is missing there of a study, and delete what is there twice.

    Args:
        home: where the study is.
        name: of the study.
        written: called with (runs written, runs to write) after each.

    Raises:
        UserError: there is no such study, it is running, or the store does not answer.
    """
    folder = home.existing(name)
    address = redact_address(tracking_uri(home))
    if holding.is_held(folder, name):
        raise UserError(f"study {name!r} is running and writes its runs itself; sync it once it has ended")
    with quiet_mlflow(), quiet_optuna(), hold_projection(folder):
        ledger = Ledger(folder, name)
        if "uid" not in ledger.attributes:
            raise UserError(f"study {name!r} has not begun; run it first")
        try:
            projection = Projection(home, folder, ledger)
            missing, done = len(projection.missing), 0

            def count(_trial: object) -> None:
                nonlocal done
                done += 1
                written(done, missing)

            catch_up(projection, count, lambda: False)
            projection.close()
        except store_errors() as error:
            raise UserError(
                f"MLflow at {address} does not answer ({describe_error(error)}); "
                "start it, or correct MLFLOW_TRACKING_URI, and sync again"
            ) from error
        finished = sum(trial.state.is_finished() for trial in ledger.trials())
    return SyncResult(finished, done, address)
