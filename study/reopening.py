"""A study that is in the home, opened again by its name: spec, trials, and its data where they are needed.

Called by the commands that go on from a study: confirm, compare, recheck.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.data import Dataset, load, load_folds
from study.data.fingerprint import explain_change
from study.errors import UserError
from study.home import Home, StudyFolder
from study.ledger import Ledger
from study.results import Summary, summarize_ledger
from study.search.objective import Objective
from study.shell import command
from study.spec import DataSpec, Spec, parse_spec


@dataclass(frozen=True, eq=False)
class Reopened:
    """A study as its ledger has it.

    Attributes:
        spec: that it was last run with.
        base: the folder that a file of the spec is relative to.
        summary: its trials.
        attributes: of the ledger.
    """

    name: str
    folder: StudyFolder
    spec: Spec
    base: Path
    summary: Summary
    attributes: dict[str, Any]

    def objective(self) -> Objective:
        """Return its objective, with the data that it was run on.

        Raises:
            UserError: the data are not there any more, or are others.
        """
        datasets = load_all(self.spec.data, self.base)
        if datasets[0].fingerprint != self.attributes["fingerprint"]:
            where = explain_change(self.attributes["parts"], datasets[0].part_fingerprints)
            raise UserError(
                f"[data] source: {self.spec.data.source!r} changed since study {self.name!r} ran ({where});\n"
                f"bring the old data back, or look whether its best still holds: {command('recheck', self.name)}"
            )
        return Objective(self.spec, datasets, self.folder)


def reopen(home: Home, name: str) -> Reopened:
    """Return a study of the home.

    Raises:
        UserError: there is none of this name, or it never got as far as its data.
    """
    folder = home.existing(name)
    ledger = Ledger(folder, name)
    attributes = ledger.attributes
    if "spec" not in attributes:
        raise UserError(f"study {name!r} has not begun; run it first")
    spec = parse_spec(attributes["spec"], f"the spec of study {name!r}")
    base = Path(attributes.get("folder", "."))
    return Reopened(name, folder, spec, base, summarize_ledger(ledger, folder), attributes)


def load_all(spec: DataSpec, base: Path) -> tuple[Dataset, ...]:
    """Return the dataset of a spec, or with folds one for each."""
    return load_folds(spec, base) if spec.folds else (load(spec, base),)
