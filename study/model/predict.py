"""`study predict`: predictions of the final model for the rows of a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.pipeline import Pipeline

from study.data import read_cells
from study.data.misfits import notes_on
from study.errors import UserError, did_you_mean, warn_user
from study.ledger.attributes import StudyAttributes
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.model.pipeline import FinalFiles, predictions
from study.spec import DataSpec, parse_spec
from study.text.formatting import counted
from study.text.safe_csv import guard_formulas
from study.text.shell import next_command

if TYPE_CHECKING:
    from study.data.tables import Table


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to predict, with the final model.

    Attributes:
        attributes: attributes of the study.
        model: the pipeline.
        frame: the rows, with at least the columns of the model.
        place: name of the rows in messages.
        decimal: the decimal mark of text cells.
        notes: notes on how the file was read.
    """

    attributes: StudyAttributes
    model: Pipeline
    frame: pd.DataFrame
    place: str
    decimal: str = "."
    notes: tuple[str, ...] = ()


def read_rows(home: Home, name: str, table: pd.DataFrame | Path) -> Rows:
    """Return the rows of a table or a file, with the final model of a study; see `predict_file`.

    Raises:
        UserError: as in `predict_file`, except for cells that cannot be read.
    """
    attributes, model = _load(home, name)
    if isinstance(table, pd.DataFrame):
        _check_columns(model, table, "the table")
        return Rows(attributes, model, table, "the table")
    spec = parse_spec(attributes["spec"], name, recorded=True).data
    dialect = attributes["finalized"][-1].get("dialect", {})
    read, notes = _read_file(table, spec, dialect, model)
    if table.suffix.lower() != ".parquet":
        model.named_steps["cells"].set_params(decimal=read.decimal)
    return Rows(attributes, model, read.frame, str(table), read.decimal, notes)


def predict_rows(rows: Rows) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return predictions for each row, and notes on cells that do not fit their column."""
    typed, misfits = rows.model.named_steps["cells"].read(rows.frame, where=rows.place)
    return predictions(rows.model, typed), notes_on(misfits, rows.place)


def predict_file(home: Home, name: str, file: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return predictions for each row of a file, and notes on ignored columns and cells that do not fit.

    A text file is read in the format of the training file; if that fails, its own format is detected.

    Args:
        home: the home of the study.
        name: name of the study, which must have been finalized.
        file: a .csv, .tsv or .parquet file with the columns that the model was trained on, in any order.

    Raises:
        UserError: the study or file does not exist, there is no model yet, a column is missing, or none of its cells
            can be read.
    """
    rows = read_rows(home, name, file)
    made, misfits = predict_rows(rows)
    return made, (*rows.notes, *_passed_over(rows.attributes, rows.model, rows.frame), *misfits)


def predict_table(home: Home, name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return predictions for each row of a table, with the table's index; warn about cells that do not fit.

    Raises:
        UserError: as in `predict_file`.
    """
    if table.empty:
        raise UserError("the table has no rows to predict")
    made, misfits = predict_rows(read_rows(home, name, table))
    warn_user(misfits)
    return made.set_axis(table.index)


def _load(home: Home, name: str) -> tuple[StudyAttributes, Pipeline]:
    """Return a study's attributes and its final model."""
    folder = home.existing(name)
    attributes = Ledger(folder, name).attributes
    if not attributes.get("finalized"):
        raise UserError(f"study {name!r} has no final model yet; create it with `{next_command('finalize', name)}`")
    return attributes, FinalFiles.of(folder.final, attributes["finalized"][-1].get("files", {})).load_model()


def _read_file(
    file: Path, spec: DataSpec, dialect: Mapping[str, object], model: Pipeline
) -> tuple["Table", tuple[str, ...]]:
    """Return a table with the columns of the model, and notes if its format differs from that of the training file."""
    if dialect and file.suffix.lower() != ".parquet":
        try:
            table = read_cells(file, spec.model_copy(update=dialect))
            _check_columns(model, table.frame, str(file))
        except UserError:
            pass  # another format, or not a table; reading it without the dialect raises or returns notes
        else:
            return table, ()
    table = read_cells(file, spec)
    _check_columns(model, table.frame, str(file))
    if not dialect:
        return table, ()
    notes = [f"{file.name}: {table.read_as}"] if table.read_as else []
    return table, tuple(f"format differs from that of the training file: {note}" for note in (*notes, *table.notes))


def _check_columns(model: Pipeline, cells: pd.DataFrame, where: str) -> None:
    there = [str(column) for column in cells.columns]
    missing = [column for column in _columns(model) if column not in there]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UserError(
            f"{where}: missing column {missing[0]!r}{more}, which the model was trained on; "
            f"{did_you_mean(missing[0], there)}"
        )


def _passed_over(attributes: StudyAttributes, model: Pipeline, cells: pd.DataFrame) -> tuple[str, ...]:
    """Return a note on columns that are neither features of the model nor the target."""
    known = {*_columns(model), attributes.get("data", {}).get("target")}
    over = [str(column) for column in cells.columns if str(column) not in known]
    return (f"ignoring {counted(len(over), 'column')} unknown to the model: {', '.join(over[:5])}",) if over else ()


def _columns(model: Pipeline) -> list[str]:
    return [column for column, _, _ in model.named_steps["cells"].columns]


def write_predictions(made: pd.DataFrame, out: Path | None, *, safe_csv: bool = False) -> None:
    """Write predictions to a .csv or .parquet file; None prints CSV.

    Args:
        made: the predictions.
        out: path of the file.
        safe_csv: whether to put ' before text that a spreadsheet would interpret as a formula.

    Raises:
        UserError: the file has another extension, is a .parquet file with `safe_csv`, or cannot be written.
    """
    if safe_csv:
        made = guard_formulas(made)
    if out is None:
        print(made.to_csv(index=False), end="")
        return
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"--out {out}: must end in .csv or .parquet")
    if safe_csv and out.suffix.lower() == ".parquet":
        raise UserError(f"--out {out}: --safe-csv applies only to CSV, since a Parquet file has no formulas; omit it")
    try:
        if out.suffix.lower() == ".csv":
            made.to_csv(out, index=False)
        else:
            made.to_parquet(out, index=False)
    except OSError as error:
        raise UserError(f"--out {out}: could not be written ({error.strerror}); choose another path") from None
