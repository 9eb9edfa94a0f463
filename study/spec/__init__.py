"""The spec: one TOML file that declares a study, validated and read into frozen records."""

from study.spec.data import DataSpec
from study.spec.reading import (
    DeclaredSpec,
    NotTomlError,
    SpecError,
    check_spec,
    first_reason,
    parse_spec,
    read_spec,
)
from study.spec.search import BaselinesSpec, ConfirmSpec, FinalSpec, SearchSpec
from study.spec.space import Range, SpaceSpec
from study.spec.whole import Spec

__all__ = [
    "BaselinesSpec",
    "ConfirmSpec",
    "DataSpec",
    "DeclaredSpec",
    "FinalSpec",
    "NotTomlError",
    "Range",
    "SearchSpec",
    "SpaceSpec",
    "Spec",
    "SpecError",
    "check_spec",
    "first_reason",
    "parse_spec",
    "read_spec",
]
