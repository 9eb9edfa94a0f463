"""`study predict`: what the final model says of the rows of a file."""

from pathlib import Path
from typing import Any

import pandas as pd

from study.data import read_cells
from study.errors import UserError, did_you_mean
from study.home import Home
from study.ledger import Ledger
from study.model import FinalFiles, predictions
from study.printable import say
from study.safe_csv import guard_formulas
from study.shell import command
from study.spec import parse_spec


def predict_file(home: Home, name: str, file: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a row of predictions for each row of a file, and notes on what was passed over.

    Args:
        home: where the study is.
        name: of the study, which has been finalized.
        file: .csv, .tsv or .parquet, with the columns that the model was trained on, in any order.

    Raises:
        UserError: no such study or file, no model yet, or a column that is missing.
    """
    attributes, model = _load(home, name)
    cells, decimal = read_cells(file, parse_spec(attributes["spec"], name).data)
    model.named_steps["cells"].decimal = decimal
    return _predict(attributes, model, cells, str(file))


def predict_table(home: Home, name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a row of predictions for each row of a table, under the table's index; otherwise as `predict_file`."""
    made, _ = _predict(*_load(home, name), table, "the table")
    return made.set_axis(table.index)


def _load(home: Home, name: str) -> tuple[dict[str, Any], Any]:
    """Return a study's attributes and its final model."""
    folder = home.existing(name)
    attributes = Ledger(folder, name).attributes
    if not attributes.get("finalized"):
        raise UserError(f"study {name!r} has no final model yet; {command('finalize', name)} makes it")
    return attributes, FinalFiles.of(folder.final, attributes["finalized"][-1]).load_model()


def _predict(
    attributes: dict[str, Any], model: Any, cells: pd.DataFrame, where: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    wanted = [column for column, _, _ in model.named_steps["cells"].columns]
    there = [str(column) for column in cells.columns]
    missing = [column for column in wanted if column not in there]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UserError(
            f"{where}: has no column {missing[0]!r}{more}, which the model was trained on; "
            f"{did_you_mean(missing[0], there)}"
        )
    target = attributes.get("data", {}).get("target")
    over = [column for column in there if column not in wanted and column != target]
    notes = (
        (f"{len(over)} columns that the model does not know are passed over: {', '.join(over[:5])}",) if over else ()
    )
    return predictions(model, cells), notes


def write_predictions(made: pd.DataFrame, out: Path | None, *, safe_csv: bool = False) -> None:
    """Write predictions to a .csv or .parquet file; None prints CSV.

    Args:
        made: the predictions.
        out: the file.
        safe_csv: put ' before text that a spreadsheet would take for a formula.

    Raises:
        UserError: the file has another ending, is a .parquet that is to be safe, or cannot be written.
    """
    if safe_csv:
        made = guard_formulas(made)
    if out is None:
        print(made.to_csv(index=False), end="")
        return
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"--out {out}: is to end in .csv or .parquet")
    if safe_csv and out.suffix.lower() == ".parquet":
        raise UserError(f"--out {out}: --safe-csv is for CSV, since a Parquet file has no formulas; leave it out")
    try:
        if out.suffix.lower() == ".csv":
            made.to_csv(out, index=False)
        else:
            made.to_parquet(out, index=False)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written ({error.strerror}); name another place") from None
    say(f"wrote {len(made)} predictions to {out}")
