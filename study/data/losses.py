"""What a draft loses of a table: rows, cells and columns that are not used, and severe warnings, one line each."""

from collections.abc import Mapping, Sequence

from study.data.dataset import Dataset
from study.data.overview import DataSummary, describe_markers
from study.data.table_warning import some

_USELESS = ("rows_left_out", "no_feature", "grouped_digits", "constant", "mostly_missing")  # subjects of warnings


def list_losses(
    look: DataSummary, dataset: Dataset, resolved: Sequence[str], missing: object, ignored: Sequence[str]
) -> tuple[str, ...]:
    """Return the losses.

    Args:
        look: Summary of the data.
        dataset: The data.
        resolved: What the draft decided on columns that a run would refuse.
        missing: The key `missing` of the draft.
        ignored: Columns that the draft ignores because they only identify rows.
    """
    markers = [each for column in missing.values() for each in column] if isinstance(missing, Mapping) else ()
    found = [each.message for each in look.warnings if each.severe or each.subject in _USELESS]
    found += [finding.text for finding in dataset.findings if finding.about == "left_out"]
    found += [*describe_markers(look.columns, only=markers), *resolved]
    if ignored:
        found.append(
            f"columns that only identify rows are not used: {some(list(ignored))}; [data] ignore = [] keeps them"
        )
    return tuple(found)
