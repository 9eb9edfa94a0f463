"""Tables with columns of every kind, each written in a different format, and their finalized studies of one trial."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from support.command import run_study
from support.stores import give_store

ROWS = 120
_SPEC = """
name = "{name}"
baselines.enabled = false
[data]
source = "{name}{suffix}"
target = "y"
{keys}
[space]
learning_rate = [0.1]
iterations = [40]
depth = [1]
units = [4]
activation = ["tanh"]
{space}
[search]
trials = 1
sampler = "grid"
pruner = "none"
"""


@dataclass(frozen=True)
class Kind:
    """A table: how it is created, more keys of the spec, how its text file is written, and how pandas reads it."""

    make: Callable[[np.random.Generator], dict[str, Any]]
    keys: str = ""
    space: str = ""
    suffix: str = ".csv"
    written: Mapping[str, Any] = field(default_factory=dict)
    read: Mapping[str, Any] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """Return the table; the target depends slightly on all columns."""
        columns = self.make(np.random.default_rng(0))
        codes = sum(pd.factorize(pd.Series(column).astype(str))[0] % 7 for column in columns.values())
        return pd.DataFrame(columns | {"y": np.round(codes + np.linspace(0, 1, ROWS), 2)})

    def write(self, frame: pd.DataFrame, path: Path) -> None:
        """Write rows in the format of the table."""
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False, **self.written)


def _some(rng: np.random.Generator, *values: Any) -> Any:
    return np.array(values, dtype=object)[rng.integers(0, len(values), ROWS)]


def _days(form: str, freq: str = "31h") -> Any:
    return pd.date_range("2024-01-01", periods=ROWS, freq=freq).strftime(form)


def _mixed(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "height": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(170, 10, ROWS).round(1)),
        "children": rng.integers(0, 9, ROWS),
        "rooms": _some(rng, 1, 2, 3, None),
        "town": _some(rng, "Rome", "Oslo", "Bern", None),
        "smoker": _some(rng, "yes", "no", None),
        "member": _some(rng, True, False),
        "seen": _days("%Y-%m-%d %H:%M"),
    }


def _codes(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "postcode": _some(rng, "01234", "1234", "56789"),
        "version": _some(rng, "1.1", "1.10", "1.2"),
        "roof": _some(rng, "None", "tiles", "slate"),
        "flag": _some(rng, "true", "false", "unknown"),
        "children": rng.integers(0, 9, ROWS),
        "height": rng.normal(170, 10, ROWS).round(1),
        "seen": _days("%Y-%m-%d"),
    }


def _integers(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "year": rng.integers(1970, 2020, ROWS),
        "doors": rng.integers(2, 6, ROWS),
        "brand": _some(rng, 1, 2, 3, 4),
        "flag": rng.integers(0, 2, ROWS),
    }


def _german(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "Größe": rng.normal(1.7, 0.1, ROWS).round(2),
        "Kinder": rng.integers(0, 9, ROWS),
        "Stadt": _some(rng, "Köln", "Zürich", "Wien"),
        "Mitglied": _some(rng, "true", "false"),
        "gesehen": _days("%d.%m.%Y"),
    }


def _typed(rng: np.random.Generator) -> dict[str, Any]:
    moments = pd.date_range("2024-01-01", periods=ROWS, freq="7h")
    return {
        "took": pd.to_timedelta(rng.integers(60, 90_000, ROWS), unit="s"),
        "seen": moments,
        "left": moments.tz_localize("Europe/Rome"),
        "brand": pd.Categorical(rng.integers(1, 5, ROWS)),
        "town": pd.Categorical(_some(rng, "Rome", "Oslo", None)),
        "children": pd.array(_some(rng, 1, 2, 3, None), dtype="Int64"),
        "member": pd.array(_some(rng, True, False, None), dtype="boolean"),
        "height": pd.Series(rng.normal(170, 10, ROWS).round(1), dtype="float32"),
    }


KINDS = {
    "mixed": Kind(_mixed, space='encoding = "ple"'),
    "codes": Kind(_codes, 'categorical = ["postcode", "version", "flag"]', read={"dtype": str}),
    "integers": Kind(_integers, space='encoding = "quantile"', keys='categorical = ["brand"]\nboolean = ["flag"]'),
    "german": Kind(_german, written={"sep": ";", "decimal": ","}, read={"sep": ";", "decimal": ","}),
    "typed": Kind(_typed, suffix=".parquet"),
}


def make_study(folder: Path, name: str, store: Path | None = None) -> None:
    """Write the table of a kind to a folder; run and finalize its study in `home`, with an empty MLflow store."""
    kind = KINDS[name]
    kind.write(kind.frame(), folder / f"{name}{kind.suffix}")
    (folder / f"{name}.toml").write_text(_SPEC.format(name=name, suffix=kind.suffix, keys=kind.keys, space=kind.space))
    if store is not None:
        give_store(store, folder / "home")
    options = ("--jobs", 1) if store is not None else ("--jobs", 1, "--no-tracking")
    for command in (("run", folder / f"{name}.toml", *options), ("finalize", name)):
        done = run_study(*command, "--home", folder / "home")
        assert done.returncode == 0, (done.stdout, done.stderr)
