"""What a run checks before it trains, checked when a study is declared."""

from collections.abc import Sequence

from study.data import Dataset
from study.errors import UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.planning.plan import draw_trials
from study.search.identity import check_identity
from study.search.objective import Objective
from study.search.recording import check_enqueued
from study.search.samplers import check_available
from study.spec import DeclaredSpec


def check_declared(declared: DeclaredSpec, datasets: Sequence[Dataset], home: Home) -> None:
    """Check a spec with its data. Nothing is trained or written.

    Raises:
        UserError: a package is missing, a metric does not suit the task, no network is small enough, or the home has
            a study of this name with other data or another space.
    """
    spec = declared.spec
    check_available(spec.search)
    check_enqueued(spec)
    objective = Objective(spec, datasets, home.folder(spec.name))
    if spec.space.max_parameters is not None:
        draw_trials(objective)
    if spec.name in home.names():
        known = Ledger(home.existing(spec.name), spec.name).attributes
        if known.get("fingerprint", datasets[0].fingerprint) != datasets[0].fingerprint:
            raise UserError(
                f"name: study {spec.name!r} in {home.place} already exists for another table; choose another name"
            )
        check_identity(known, spec, datasets[0], declared.place)
