"""Complete or repair the runs of a study in MLflow from its ledger."""

from collections.abc import Callable
from dataclasses import dataclass

from study.errors import UserError
from study.ledger import holding
from study.ledger.home import Home
from study.ledger.ledger import Ledger, quiet_optuna
from study.text.redaction import redact_address
from study.tracking.projection import Projection, catch_up
from study.tracking.projection_lock import hold_projection
from study.tracking.store import describe_error, quiet_mlflow, store_errors, tracking_uri


@dataclass(frozen=True)
class SyncResult:
    """The result of a sync.

    Attributes:
        trials: number of finished trials in the ledger, each of which now has one run.
        written: number of runs that were written.
        store: URI of MLflow's store, without its password.
    """

    trials: int
    written: int
    store: str


def sync(home: Home, name: str, written: Callable[[int, int], None] = lambda *_: None) -> SyncResult:
    """Write the runs of a study that are missing from MLflow, and delete duplicate runs.

    Args:
        home: home of the study.
        name: name of the study.
        written: called with (runs written, runs to write) after each run.

    Raises:
        UserError: if the study does not exist or is running, or the store does not respond.
    """
    folder = home.existing(name)
    address = redact_address(tracking_uri(home))
    if holding.is_held(folder, name):
        raise UserError(f"study {name!r} is running and exports its own runs; sync it after it has ended")
    with quiet_mlflow(), quiet_optuna(), hold_projection(folder):
        ledger = Ledger(folder, name)
        if "uid" not in ledger.attributes:
            raise UserError(f"study {name!r} has not started; run it first")
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
                f"MLflow at {address} does not respond ({describe_error(error)}); "
                "start it, or correct MLFLOW_TRACKING_URI, and sync again"
            ) from error
        finished = sum(trial.state.is_finished() for trial in ledger.trials())
    return SyncResult(finished, done, address)
