"""The texts that mark a missing cell unless a spec names more."""

# In a target "None" may well be a class.
TARGET_MARKERS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A", "?")
# With all that pandas.read_csv takes for a missing cell: a frame cannot tell these from an empty one.
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
