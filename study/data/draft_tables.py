"""The tables of a drafted spec as a mapping: what was detected in the data, and a search space for them."""

import re
from collections.abc import Mapping
from pathlib import PurePath

from study.data import overview
from study.spec.data import DataSpec
from study.spec.sources import FILE_SUFFIXES

# With more training rows than LONG, a draft trains longer; with more than LARGE, it also uses larger batches.
LONG, LARGE = 1_000, 5_000
FOLDS = 5
OPTIMIZERS = ("nesterov", "momentum", "rmsprop", "adamw", "gradient_descent")


def draft_tables(settings: Mapping[str, object], look: overview.DataSummary | None) -> dict[str, object]:
    """Return the spec.

    Args:
        settings: Keys of `[data]`; keys with the value None are omitted.
        look: Summary of the data, or None if no column can be the target.
    """
    first = {key: settings[key] for key in ("source", "target") if key in settings}
    split: dict[str, object] = {"split": list(DataSpec.model_fields["split"].default), "seed": 0}
    return {
        "name": study_name(str(settings["source"])),
        "description": "",
        "data": {key: value for key, value in (first | split | dict(settings)).items() if value is not None},
        "space": _draft_space(look),
        "search": {"trials": 60, "sampler": "tpe", "pruner": "median", "seed": 0},
        "confirm": {"top": 5, "seeds": 10},
    }


def study_name(source: str) -> str:
    """Return a file's stem, or the name of another source, as the name of a study: letters, digits, - and _."""
    is_file = PurePath(source).suffix.lower() in FILE_SUFFIXES
    stem = PurePath(source).stem if is_file else source.partition(":")[2].partition("@")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_") or "data"


def _draft_space(look: overview.DataSummary | None) -> dict[str, object]:
    rows = look.parts["train"] if look is not None else 1000
    # Only mini-batches: with the full batch, a trial on a large table takes minutes and learns little more. A batch is
    # at most half of the rows.
    sizes = [size for size in ((128, 512, 2048) if rows > LARGE else (32, 128)) if size * 2 <= rows]
    least, most, step = (500, 4000, 500) if rows > LONG else (200, 2000, 200)
    # With squared errors, outliers make Nesterov momentum diverge, because its steps are unbounded, unlike Adam's.
    regression = look is not None and look.task == "regression"
    space: dict[str, object] = {
        "learning_rate": {"low": 5e-4, "high": 0.05, "log": True},
        "iterations": {"low": least, "high": most, "step": step},
        "depth": {"low": 0, "high": 3},
        "units": {"low": 8, "high": 128, "log": True},
        "activation": ["relu", "tanh"],
        "optimizer": ["adam", "adamw"] if regression else ["adam", "nesterov"],
        "batch_size": sizes or "full",
        "l2": {"low": 1e-6, "high": 1e-2, "log": True},
        "schedule": "cosine",
    }
    if look is not None and look.default_metric == "balanced_accuracy":
        space["class_weight"] = ["none", "balanced"]
    return space
