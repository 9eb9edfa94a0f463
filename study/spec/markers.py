"""The built-in markers of missing cells."""

# "None" is not in this list because it may be a class of a target.
TARGET_MARKERS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A", "?")
# Includes every marker of pandas.read_csv, because a DataFrame read by it does not distinguish them from empty cells.
MISSING_MARKERS = (
    *TARGET_MARKERS,
    "None",
    "#NA",
    "#N/A N/A",
    "-NaN",
    "-nan",
    "1.#IND",
    "-1.#IND",
    "1.#QNAN",
    "-1.#QNAN",
)
