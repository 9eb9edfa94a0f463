"""The columns of a table of configurations: the hyperparameters that get a column, and the text of each cell."""

from collections.abc import Sequence

from study.ledger.results import TrialRow
from study.spec.parameters import ParameterValue


def columns_of(rows: Sequence[TrialRow]) -> list[str]:
    """Return the hyperparameters that differ between rows, with the units of all layers as one column."""
    names: list[str] = []
    for row in rows:
        for name in row.params:
            name = "units" if name.startswith("units_") and name != "units_pattern" else name
            if name not in names:
                names.append(name)
    # The units already show the depth. Columns with the same value in all rows are left out.
    names = [name for name in names if not (name == "depth" and "units" in names)]
    return [name for name in names if name == "units" or len({str(cell_of(row, name)) for row in rows}) > 1]


def cell_of(row: TrialRow, name: str) -> ParameterValue:
    """Return the cell of a trial in the column of a hyperparameter; "" if the trial does not have it."""
    if name != "units":
        return row.params.get(name, "")
    layers = [key for key in row.params if key.startswith("units_") and key != "units_pattern"]
    units = [row.params[key] for key in sorted(layers, key=lambda key: int(key.removeprefix("units_")))]
    if not units and row.params.get("depth", 0) and "units" in row.params:
        units = [f"{row.params['units']} × {row.params['depth']}"]
    return " ".join(map(str, units)) or "none"
