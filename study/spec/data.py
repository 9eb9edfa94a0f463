"""The `[data]` table of a spec: where the data come from, and how they are read, split and prepared."""

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from study.spec.choice_schemas import Named
from study.spec.data_values import (
    check_character,
    check_columns,
    check_encoding,
    check_fractions,
    check_separator,
    check_transform,
)
from study.spec.extensions import TRANSFORMS, is_recorded
from study.spec.markers import MISSING_MARKERS, TARGET_MARKERS
from study.spec.sources import SourceKind, check_keys, check_source, check_suffix, source_kind

_COLUMN_LISTS = ("numeric", "categorical", "boolean", "dates", "drop", "ignore")
Names = tuple[StrictStr, ...]
WHITESPACE = r"\s+"  # as a separator: any run of spaces and tabs


class DataSpec(BaseModel):
    """The `[data]` table. Every key except `source` has a default.

    Raises:
        pydantic.ValidationError: If a key is unknown or a value is invalid. The message names both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: StrictStr = Field(
        description="`sklearn:NAME`, `synthetic:NAME`, `openml:NAME@VERSION`, or a file (.csv .tsv .parquet "
        ".npz .h5). File paths are relative to the folder of the spec."
    )
    target: StrictInt | StrictStr | None = Field(
        default=None,
        description="The column to predict, by name or by position (0 is the first column, -1 the last). "
        "Default: a column named target, label, class, y or similar, otherwise the last one. The choice is reported.",
    )
    test: StrictStr | None = Field(
        default=None,
        description="A second file with the same columns as `source`, used as the test set. `source` is then split "
        "into train and dev only.",
    )
    task: Literal["binary", "multiclass", "regression"] | None = Field(
        default=None, description="The type of prediction. Default: inferred from the target; a note gives the reason."
    )

    split: tuple[float, ...] = Field(
        default=(0.6, 0.2, 0.2),
        description="Fractions of train, dev and test, which must sum to 1. Two fractions are for train and dev only; "
        "the test set is then the test file, or there is none and `study finalize` is not possible. With a test file, "
        "a third fraction is ignored.",
        json_schema_extra={"minItems": 2, "maxItems": 3},
    )
    seed: StrictInt = Field(
        default=0, ge=0, description="Seed of the split. The same seed and rows give the same split."
    )
    confirm: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="Fraction of all rows that is set aside before the remaining rows are split. The search never uses "
        "these rows; `study confirm` does.",
    )
    folds: StrictInt | None = Field(
        default=None,
        ge=2,
        description="Number of cross-validation folds. Train and dev are combined and divided into folds, and each "
        "fold serves as dev once.",
    )
    group: StrictStr | None = Field(
        default=None,
        description="A column of groups, such as patients or households. Rows with equal values stay in the same "
        "split. The column is not used as a feature.",
    )
    time: StrictStr | None = Field(
        default=None,
        description="A column of dates or numbers that orders the split: train comes first, then dev, then test. It is "
        "not used as a feature unless it is also listed in `dates` or `numeric`.",
    )

    weight: StrictStr | None = Field(
        default=None,
        description="A column of non-negative numbers: the relative weight of each training row in the cost. "
        "Metrics weight all rows equally. The column is not used as a feature.",
    )

    duplicates: Literal["keep", "drop", "group"] = Field(
        default="keep",
        description="What to do with rows that are identical in all features and the target: keep them, drop all but "
        "the first, or keep them together in one split.",
    )

    numeric: Names = Field(default=(), description="Columns to read as numbers. Text in them is an error.")
    categorical: Names = Field(default=(), description="Columns to read as categories, which are one-hot encoded.")
    boolean: Names = Field(
        default=(), description="Columns to read as true or false (true/false, yes/no, t/f, y/n, 1/0)."
    )
    dates: Names = Field(
        default=(), description="Columns to read as dates. Each one becomes year, month, day, weekday and hour."
    )
    day_first: StrictBool | None = Field(
        default=None,
        description="Whether the day comes before the month in dates such as 01/02/2024. Default: the order that fits "
        "all cells. If both orders fit, the day comes first and a note is printed.",
    )
    drop: Names = Field(
        default=(), description="Columns to exclude from the features, such as columns that repeat the target."
    )
    ignore: Names = Field(
        default=(), description="Columns that only identify a row, such as an ID. They are not used as features."
    )
    missing: Names | dict[StrictStr, Names] = Field(
        default=(),
        description='Additional markers of missing cells. The built-in markers are "", ? and those of pandas: NA, N/A, '
        "n/a, NaN, nan, null, NULL, None, <NA>, #N/A, ... Give a list for all features, or a table by column, such as "
        '`{ income = ["unknown"] }`, which may include the target. A number matches all its spellings (-9, -9.0).',
    )
    keep_na: Names = Field(
        default=(),
        description="Columns in which NA, NaN, null, ? and the other built-in markers are ordinary values. In "
        "these columns, only empty cells are missing. The target may be listed.",
    )
    transform: Annotated[StrictStr | None, Named((), TRANSFORMS)] = Field(
        default=None,
        description="A registered scikit-learn transformer that receives the columns before they are encoded and "
        "scaled. It is fitted on train only, and part of the final model. Default: none.",
    )
    scale: Literal["standard", "minmax", "robust", "none"] | None = Field(
        default=None,
        description="How numbers are scaled. The scaler is fitted on train only. Default: standard (mean 0, standard "
        "deviation 1); minmax for sklearn:digits; none for image files, which are already scaled to 0..1.",
    )
    log_target: StrictBool = Field(
        default=False,
        description="Regression: learn log(1 + target). Results are reported in the original units of the target.",
    )

    separator: StrictStr | None = Field(
        default=None,
        description="Text files: the separator between cells, one to three characters, or '\\s+' for runs of spaces. "
        "Default: detected.",
        json_schema_extra={"minLength": 1, "maxLength": 3},
    )
    quote: StrictStr | None = Field(
        default=None,
        description='Text files: the quote character, or "" for none. Default: detected.',
        json_schema_extra={"maxLength": 1},
    )
    header: StrictBool | None = Field(
        default=None,
        description="Text files: whether the first line contains the column names. Default: detected. Without a "
        "header, the columns are named column_0, column_1, ...",
    )
    decimal: Literal[".", ","] | None = Field(
        default=None, description="Text files: the decimal mark. Default: detected."
    )
    thousands: Literal[",", ".", "'", " "] | None = Field(
        default=None,
        description="Text files: the thousands separator, such as the comma in 1,250. Default: none.",
    )
    encoding: StrictStr | None = Field(
        default=None, description="Text files: the encoding, such as utf-8 or cp1252. Default: detected."
    )
    escape: StrictStr | None = Field(
        default=None,
        description='Text files: the character that escapes a quote within a cell, such as a backslash, or "" for '
        "none. If it is set, the cell \\N is empty. Default: detected.",
        json_schema_extra={"maxLength": 1},
    )
    skip_lines: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Text files: the number of lines to skip before the header. Default: comments and titles are "
        "detected and skipped.",
    )

    x: StrictStr | None = Field(
        default=None,
        description="Array files: the name (.npz) or path (.h5) of the examples. The first axis is the example axis.",
    )
    y: StrictStr | None = Field(default=None, description="Array files: the name or path of the labels.")
    test_x: StrictStr | None = Field(
        default=None, description="Array files: the examples of the test set, in the file `test` or else in `source`."
    )
    test_y: StrictStr | None = Field(default=None, description="Array files: the labels of the test set.")

    examples: StrictInt | None = Field(
        default=None,
        ge=10,
        le=10_000_000,
        description="Synthetic data: the number of examples. Default: depends on the source.",
    )
    noise: float | None = Field(
        default=None, ge=0.0, description="Synthetic data: the noise level. Default: depends on the source."
    )
    bits: StrictInt | None = Field(
        default=None, ge=2, le=16, description="synthetic:parity: the number of bits. Default: 8."
    )
    classes: StrictInt | None = Field(
        default=None,
        ge=2,
        le=20,
        description="The number of classes of synthetic:blobs (default 3) and synthetic:spirals (default 2).",
    )
    generator_seed: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Synthetic data: the seed of the generator. Default: the value of `seed`.",
    )

    @property
    def kind(self) -> SourceKind:
        """The kind of the source."""
        return source_kind(self.source)

    @property
    def has_test_file(self) -> bool:
        """Whether the test set is given separately, so that `source` is split into train and dev only."""
        return self.test is not None or self.test_x is not None

    @property
    def has_test_set(self) -> bool:
        """Whether the study has a test set."""
        return self.has_test_file or len(self.split) == 3

    def markers(self, column: str, *, target: bool = False) -> tuple[str, ...]:
        """Return all markers of a missing cell in a column. The list form of `missing` applies only to features."""
        bound = self.missing.get(column, ()) if isinstance(self.missing, dict) else () if target else self.missing
        usual = ("",) if column in self.keep_na else TARGET_MARKERS if target else MISSING_MARKERS
        return (*usual, *bound)

    def binds_markers(self, column: str) -> bool:
        """Whether the missing-cell markers of a column differ from those of the other columns."""
        return column in self.keep_na or (isinstance(self.missing, dict) and column in self.missing)

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str, info: ValidationInfo) -> str:
        check_source(value, recorded=is_recorded(info))
        return value

    @field_validator("test")
    @classmethod
    def _known_test(cls, value: str | None) -> str | None:
        if value is not None:
            check_suffix(value)
        return value

    @field_validator("transform")
    @classmethod
    def _known_transform(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not is_recorded(info):
            check_transform(value)
        return value

    @field_validator("split")
    @classmethod
    def _fractions(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        check_fractions(value)
        return value

    @field_validator("separator")
    @classmethod
    def _few_characters(cls, value: str | None) -> str | None:
        if value == r"\t":
            return "\t"
        if value is not None:
            check_separator(value)
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None:
            check_character(value)
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            check_encoding(value)
        return value

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Self:
        check_keys(self.source, {key for key in self.model_fields_set if getattr(self, key) is not None})
        if self.test is not None and source_kind(self.test) != self.kind:
            raise ValueError(f"test must be a file of the same kind as source {self.source!r}, got {self.test!r}")
        if self.thousands is not None and self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands must differ, got {self.thousands!r} for both")
        if self.group is not None and self.time is not None:
            raise ValueError(f"group and time are mutually exclusive, got group {self.group!r} and time {self.time!r}")
        if self.duplicates == "group" and (self.group is not None or self.time is not None):
            raise ValueError('duplicates = "group" cannot be combined with group or time; use "drop"')
        if self.log_target and self.task in ("binary", "multiclass"):
            raise ValueError(f"log_target applies only to regression, got task {self.task!r}")
        named = {key: getattr(self, key) for key in _COLUMN_LISTS}
        check_columns(named, self.target, {"group": self.group, "time": self.time, "weight": self.weight})
        return self
