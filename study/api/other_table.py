"""Another table for a study that has run, given as data in memory or as a path."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from study.api.wording import naming_arguments
from study.data.in_memory import WRITTEN, file_of
from study.errors import UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.spec import Spec


@contextmanager
def other_table(data: object, home: Home, spec: Spec) -> Iterator[tuple[Path | None, Mapping[str, object]]]:
    """Yield the file of a table that replaces the study's own, with keys of `[data]`; None if no data is given.

    A table in memory is written to the home, and is removed again if the block rejects it.

    Args:
        data: a path, or data in memory, whose target has the same name as the study's.
        home: the home of the study, which has run.
        spec: the spec of the study.

    Raises:
        UserError: the data is not a table, or has no such target.
    """
    if data is None or isinstance(data, str | Path):
        yield (None if data is None else Path(data)), {}
        return
    arrays = spec.data.kind == "arrays"
    target = None if arrays else Ledger(home.folder(spec.name), spec.name).attributes["data"]["target"]
    file = file_of(tuple(data) if isinstance(data, list) else data, target, {})
    known = (home.tables / file.name).exists()
    path = file.write(home.tables)
    kept = {key: value for key, value in spec.data.model_dump(exclude_unset=True).items() if key != "source"}
    options = kept if arrays else {**file.options, **kept, **WRITTEN, "target": target}
    try:
        with naming_arguments(path):
            yield path, options
    except UserError:
        if not known:
            path.unlink()
        raise
