"""Data sources: their valid names, their kinds, and the keys of `[data]` that apply to each kind."""

import re
from collections.abc import Collection
from pathlib import PurePath
from typing import Literal

from study.errors import did_you_mean
from study.spec.extensions import BUILT_IN_SOURCES, SOURCES
from study.spec.plugins import is_known, names_for_remedy

SKLEARN_SOURCES = ("breast_cancer", "california_housing", "diabetes", "digits", "iris", "wine")
SYNTHETIC_SOURCES = ("blobs", "circles", "house_price", "moons", "parity", "planar_flower", "spirals")
TEXT_SUFFIXES = (".csv", ".tsv")
PARQUET_SUFFIXES = (".parquet",)
ARRAY_SUFFIXES = (".npz", ".h5", ".hdf5")
FILE_SUFFIXES = TEXT_SUFFIXES + PARQUET_SUFFIXES + ARRAY_SUFFIXES

SourceKind = Literal["sklearn", "synthetic", "openml", "text", "parquet", "arrays", "registered"]

# Keys that apply only to some kinds of sources. Other sources reject them, because they would have no effect.
_KEYS_OF: dict[str, tuple[SourceKind, ...]] = {
    "target": ("openml", "text", "parquet", "registered"),
    "test": ("text", "parquet", "arrays"),
    "x": ("arrays",),
    "y": ("arrays",),
    "test_x": ("arrays",),
    "test_y": ("arrays",),
    "separator": ("text",),
    "quote": ("text",),
    "header": ("text",),
    "decimal": ("text",),
    "escape": ("text",),
    "skip_lines": ("text",),
    "thousands": ("text",),
    "day_first": ("text", "parquet", "openml", "registered"),
    "encoding": ("text",),
    "examples": ("synthetic",),
    "noise": ("synthetic",),
    "bits": ("synthetic",),
    "classes": ("synthetic",),
    "generator_seed": ("synthetic",),
}
# Keys that apply only to some of the synthetic sources.
_SYNTHETIC_KEYS: dict[str, tuple[str, ...]] = {
    "bits": ("parity",),
    "classes": ("blobs", "spirals"),
}


def source_kind(source: str) -> SourceKind:
    """Return the kind of a source with a valid name."""
    scheme, colon, _ = source.partition(":")
    if colon and scheme in SOURCES:
        return "registered"
    if colon and scheme == "sklearn":
        return "sklearn"
    if colon and scheme == "synthetic":
        return "synthetic"
    if colon and scheme == "openml":
        return "openml"
    suffix = PurePath(source).suffix.lower()
    if colon and suffix not in FILE_SUFFIXES:
        return "registered"  # by the process that wrote the ledger
    if suffix in PARQUET_SUFFIXES:
        return "parquet"
    return "arrays" if suffix in ARRAY_SUFFIXES else "text"


def takes_key(source: str, key: str) -> bool:
    """Return whether a key of `[data]` applies to a source."""
    kinds = _KEYS_OF.get(key)
    return kinds is None or source_kind(source) in kinds


def check_source(source: str, *, recorded: bool) -> None:
    """Check the name of a source.

    Args:
        source: The name.
        recorded: Whether the name comes from a ledger. It may then refer to a source that is not registered in this
            process.

    Raises:
        ValueError: If there is no such source.
    """
    scheme, colon, name = source.partition(":")
    for known, names in (("sklearn", SKLEARN_SOURCES), ("synthetic", SYNTHETIC_SOURCES)):
        if colon and scheme == known and name not in names:
            raise ValueError(f"unknown {known} dataset {name!r} in {source!r}; {did_you_mean(name, names)}")
    if colon and scheme == "openml":
        if not re.fullmatch(r"[^@]+@[1-9][0-9]*", name):
            raise ValueError(f"must have the form openml:NAME@VERSION, such as openml:credit-g@1, got {source!r}")
        return
    if colon and (scheme in ("sklearn", "synthetic") or recorded or is_known(SOURCES, scheme)):
        return
    if colon and re.fullmatch(r"[a-z_]{2,}", scheme) and not PurePath(source).suffix:
        remedy = did_you_mean(scheme, names_for_remedy(SOURCES, BUILT_IN_SOURCES))
        raise ValueError(f"unknown kind of source {scheme!r} in {source!r}; {remedy}")
    check_suffix(source)


def check_suffix(path: str) -> None:
    """Check the suffix of a data file.

    Raises:
        ValueError: If the suffix is not supported.
    """
    if PurePath(path).suffix.lower() not in FILE_SUFFIXES:
        raise ValueError(
            f"must be sklearn:NAME, synthetic:NAME, openml:NAME@VERSION or a file that ends in one of "
            f"{' '.join(FILE_SUFFIXES)}, got {path!r}"
        )


def check_keys(source: str, given: Collection[str]) -> None:
    """Check that every key applies to the source.

    Args:
        source: The name of the source.
        given: The keys of `[data]` that have a value.

    Raises:
        ValueError: If a key does not apply to the source.
    """
    kind, name = source_kind(source), source.partition(":")[2]
    for key, kinds in _KEYS_OF.items():
        if key in given and kind not in kinds:
            raise ValueError(f"{key} does not apply to source {source!r}; remove it")
    for key, names in _SYNTHETIC_KEYS.items():
        if key in given and name not in names:
            raise ValueError(f"{key} applies only to {' and '.join(names)}, got source {source!r}; remove it")
