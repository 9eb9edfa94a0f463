"""How settings are laid out in a table: which hyperparameters get a column, and what stands in it."""

from collections.abc import Sequence

from study.ledger.results import TrialRow
from study.spec.parameters import ParameterValue


def columns_of(rows: Sequence[TrialRow]) -> list[str]:
    """Return the hyperparameters that differ between rows; units of all layers in one."""
    names: list[str] = []
    for row in rows:
        for name in row.params:
            name = "units" if name.startswith("units_") and name != "units_pattern" else name
            if name not in names:
                names.append(name)
    # Units say how deep a network is; what all rows share says nothing here.
    names = [name for name in names if not (name == "depth" and "units" in names)]
    return [name for name in names if name == "units" or len({str(cell_of(row, name)) for row in rows}) > 1]


def cell_of(row: TrialRow, name: str) -> ParameterValue:
    """Return what stands in the column of a hyperparameter; "" where the trial does not have it."""
    if name != "units":
        return row.params.get(name, "")
    layers = [key for key in row.params if key.startswith("units_") and key != "units_pattern"]
    units = [row.params[key] for key in sorted(layers, key=lambda key: int(key.removeprefix("units_")))]
    if not units and row.params.get("depth", 0) and "units" in row.params:
        units = [f"{row.params['units']} × {row.params['depth']}"]
    return " ".join(map(str, units)) or "none"
