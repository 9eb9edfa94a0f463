"""The `[data]` table of a spec: where the data come from, how they are read, split and prepared.

Read by `study.data`, embedded in the whole spec; light to import (pydantic alone).
"""

from typing import Literal, Self

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

from study.spec.extensions import is_recorded
from study.spec.markers import MISSING_MARKERS, TARGET_MARKERS
from study.spec.sources import SourceKind, check_keys, check_source, check_suffix, source_kind

_COLUMN_LISTS = ("numeric", "categorical", "boolean", "dates", "drop", "ignore")
Names = tuple[StrictStr, ...]
WHITESPACE = r"\s+"  # a separator: any run of spaces and tabs


class DataSpec(BaseModel):
    """The `[data]` table. Every key but `source` has a default.

    Raises:
        pydantic.ValidationError: for a key that is unknown or a value that breaks a rule (both named).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: StrictStr = Field(
        description="`sklearn:NAME`, `synthetic:NAME`, `openml:NAME@VERSION`, or a file (.csv .tsv .parquet "
        ".npz .h5), relative to the folder of the spec."
    )
    target: StrictInt | StrictStr | None = Field(
        default=None,
        description="The column to predict: its name, or its position (0 is the first column, -1 the last). "
        "Left out: a column with a telling name (target, label, class, y), else the last one, and a note says which.",
    )
    test: StrictStr | None = Field(
        default=None,
        description="A second file, with the columns of `source`, that is the test set; then only train and dev "
        "are split from `source`.",
    )
    task: Literal["binary", "multiclass", "regression"] | None = Field(
        default=None, description="What is predicted. Left out: found from the target, and a note says why."
    )

    split: tuple[float, ...] = Field(
        default=(0.6, 0.2, 0.2),
        description="Fractions of train, dev and test; they sum to 1. Two fractions are train and dev: the test set is "
        "the test file, or there is none, and then `study finalize` has nothing to judge by. With a test file the last "
        "of three is left aside.",
    )
    seed: StrictInt = Field(default=0, ge=0, description="Seed of the split. Equal seed and rows: equal split.")
    confirm: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="Fraction of all rows that is set aside first, before the rest is split: the search never sees "
        "it, `study confirm` does.",
    )
    folds: StrictInt | None = Field(
        default=None,
        ge=2,
        description="Cross-validation: train and dev together are cut into this many folds, each of them dev once.",
    )
    group: StrictStr | None = Field(
        default=None,
        description="A column whose equal values (a patient, a household) stay in one part. It is no feature.",
    )
    time: StrictStr | None = Field(
        default=None,
        description="A column of dates or numbers by which train comes before dev before test. It is no feature "
        "unless it is named in `dates` or `numeric` too.",
    )

    weight: StrictStr | None = Field(
        default=None,
        description="A column of numbers of at least 0: how much each training row counts in the cost, relative to "
        "the others. Metrics count every row once. It is not a feature.",
    )

    duplicates: Literal["keep", "drop", "group"] = Field(
        default="keep",
        description="Rows that are equal in all features and the target: kept as they are, all but the first "
        "dropped, or kept together in one part.",
    )

    numeric: Names = Field(default=(), description="Columns to read as numbers; text in them is an error.")
    categorical: Names = Field(default=(), description="Columns to read as categories, one-hot encoded.")
    boolean: Names = Field(
        default=(), description="Columns to read as true or false (true/false, yes/no, t/f, y/n, 1/0)."
    )
    dates: Names = Field(default=(), description="Columns to read as dates: year, month, day, weekday, hour.")
    day_first: StrictBool | None = Field(
        default=None,
        description="Dates such as 01/02/2024: whether the day comes before the month. Left out: the order that all "
        "cells fit, the day first where both do, and a note says so.",
    )
    drop: Names = Field(
        default=(), description="Columns that the network may not use, such as ones that repeat the target."
    )
    ignore: Names = Field(default=(), description="Columns that name a row (identifiers): no features either.")
    missing: Names | dict[StrictStr, Names] = Field(
        default=(),
        description='More markers of a missing cell, beside "", ?, and what pandas takes for one: NA, N/A, n/a, NaN, '
        'nan, null, NULL, None, <NA>, #N/A, ... A list for all features, or by column, `{ income = ["unknown"] }`, of '
        "which the target may be one. A number stands for all its spellings (-9, -9.0).",
    )
    keep_na: Names = Field(
        default=(),
        description="Columns, the target among them, in which NA, NaN, null, ? and the like are values as any other; "
        "only an empty cell is missing there.",
    )
    scale: Literal["standard", "minmax", "robust", "none"] | None = Field(
        default=None,
        description="How numbers are scaled, fitted on train alone. Left out: standard (mean 0, deviation 1); "
        "for digits minmax, for image files none, since they are scaled to 0..1 already.",
    )
    log_target: StrictBool = Field(
        default=False, description="Regression: learn log(1 + target). Results are reported in the target's own unit."
    )

    separator: StrictStr | None = Field(
        default=None,
        description="Text files: what stands between cells: one to three characters, or '\\s+' for runs of spaces. "
        "Left out: found.",
    )
    quote: StrictStr | None = Field(
        default=None, description='Text files: the quoting character, "" for none. Left out: found.'
    )
    header: StrictBool | None = Field(
        default=None,
        description="Text files: is the first line the columns' names? Left out: found. Without a header "
        "the columns are named column_0, column_1, ...",
    )
    decimal: Literal[".", ","] | None = Field(
        default=None, description="Text files: the decimal mark. Left out: found."
    )
    thousands: Literal[",", ".", "'", " "] | None = Field(
        default=None,
        description="Text files: what groups the digits of large numbers, as the comma in 1,250. Left out: nothing.",
    )
    encoding: StrictStr | None = Field(
        default=None, description="Text files: the encoding, such as utf-8 or cp1252. Left out: found."
    )
    escape: StrictStr | None = Field(
        default=None,
        description='Text files: the character before a quote within a cell, such as a backslash, "" for none; with '
        "it, the cell \\N is empty. Left out: found.",
    )
    skip_lines: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Text files: how many lines before the header are passed over. Left out: comments and titles are "
        "found.",
    )

    x: StrictStr | None = Field(
        default=None, description="Array files: the name (.npz) or path (.h5) of the examples, first axis examples."
    )
    y: StrictStr | None = Field(default=None, description="Array files: the name or path of the labels.")
    test_x: StrictStr | None = Field(
        default=None, description="Array files: the examples of the test set, in `test` or else in `source`."
    )
    test_y: StrictStr | None = Field(default=None, description="Array files: the labels of the test set.")

    examples: StrictInt | None = Field(
        default=None,
        ge=10,
        le=10_000_000,
        description="Synthetic data: how many examples. Left out: the source's own number.",
    )
    noise: float | None = Field(
        default=None, ge=0.0, description="Synthetic data: strength of the noise. Left out: the source's own."
    )
    bits: StrictInt | None = Field(
        default=None, ge=2, le=16, description="synthetic:parity: number of bits (8 unless given)."
    )
    classes: StrictInt | None = Field(
        default=None,
        ge=2,
        le=20,
        description="synthetic:blobs (3 unless given) and synthetic:spirals (2): number of classes.",
    )
    generator_seed: StrictInt | None = Field(
        default=None,
        ge=0,
        description="Synthetic data: seed of the points. Left out: `seed`, so that one seed moves both.",
    )

    @property
    def kind(self) -> SourceKind:
        """What sort of source this is."""
        return source_kind(self.source)

    @property
    def has_test_file(self) -> bool:
        """Whether the test set is given apart, so that `source` is split into train and dev alone."""
        return self.test is not None or self.test_x is not None

    @property
    def has_test_set(self) -> bool:
        """Whether there is a test set at all."""
        return self.has_test_file or len(self.split) == 3

    def markers(self, column: str, *, target: bool = False) -> tuple[str, ...]:
        """Return all texts that mark a missing cell in a column; the list form of `missing` is for features alone."""
        bound = self.missing.get(column, ()) if isinstance(self.missing, dict) else () if target else self.missing
        usual = ("",) if column in self.keep_na else TARGET_MARKERS if target else MISSING_MARKERS
        return (*usual, *bound)

    def binds_markers(self, column: str) -> bool:
        """Whether a column has markers of a missing cell that other columns do not have, or lacks some of theirs."""
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

    @field_validator("split")
    @classmethod
    def _fractions(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) not in (2, 3) or any(not 0.0 < share < 1.0 for share in value):
            raise ValueError(
                f"split must be the fractions of train, dev and test, each above 0, such as [0.6, 0.2, 0.2], or of "
                f"train and dev, got {list(value)}"
            )
        if abs(sum(value) - 1.0) > 1e-6:
            raise ValueError(f"split must sum to 1, got {list(value)}, which sums to {sum(value):g}")
        return value

    @field_validator("separator")
    @classmethod
    def _few_characters(cls, value: str | None) -> str | None:
        if value == r"\t":
            return "\t"
        if value is not None and (not 1 <= len(value) <= 3 or not value.isascii() or {"\n", "\r"} & set(value)):
            raise ValueError(rf"separator must be one to three ASCII characters, or '\s+', got {value!r}")
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and (len(value) > 1 or not value.isascii() or value in ("\n", "\r")):
            raise ValueError(f"must be one ASCII character, got {value!r}")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                fits = _keeps_text(value)
            except (LookupError, UnicodeError, ValueError):
                fits = False
            if not fits:
                raise ValueError(
                    f"encoding is none that tables are written in, got {value!r}; try utf-8, cp1252 or utf-16"
                )
        return value

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Self:
        check_keys(self.source, {key for key in self.model_fields_set if getattr(self, key) is not None})
        if self.test is not None and source_kind(self.test) != self.kind:
            raise ValueError(f"test must be a file of the same kind as source {self.source!r}, got {self.test!r}")
        if self.thousands is not None and self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands must differ, got {self.thousands!r} for both")
        if self.group is not None and self.time is not None:
            raise ValueError(f"give group or time, not both, got group {self.group!r} and time {self.time!r}")
        if self.duplicates == "group" and (self.group is not None or self.time is not None):
            raise ValueError('duplicates = "group" does not go with group or time; use "drop"')
        if self.log_target and self.task in ("binary", "multiclass"):
            raise ValueError(f"log_target is for regression, got task {self.task!r}")
        self._columns_named_once()
        return self

    def _columns_named_once(self) -> None:
        seen: dict[str, str] = {}
        for key in _COLUMN_LISTS:
            for column in getattr(self, key):
                if column in seen:
                    raise ValueError(f"column {column!r} is named in {seen[column]} and in {key}: keep one of them")
                seen[column] = key
        if self.target in seen:
            key = seen[str(self.target)]
            raise ValueError(f"column {self.target!r} is the target and cannot be named in {key}")
        for role in ("group", "time", "weight"):
            if getattr(self, role) is not None and getattr(self, role) == self.target:
                raise ValueError(f"column {self.target!r} is the target and cannot be the {role} column")


def _keeps_text(encoding: str) -> bool:
    """Whether the encoding writes every character of a plain table as itself, which those for other uses do not."""
    plain, tricky = "a+\n", "x\\u0041..,y\n"
    length = len(plain.encode(encoding)) - len("".encode(encoding))
    return length % len(plain) == 0 and tricky.encode(encoding).decode(encoding) == tricky
