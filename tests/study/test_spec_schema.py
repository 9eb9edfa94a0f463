"""The JSON Schema of the spec: it accepts what `parse_spec` accepts, and refuses wrong types, names and keys."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.command import run_study
from support.in_process import spec_with
from support.shell import ROOT
from support.small_study import SMALL
from support.studies import write_table

from study.data import draft_spec
from study.errors import UserError
from study.spec import ConfirmSpec, DataSpec, SearchSpec, SpaceSpec, parse_spec
from study.spec.schema import FILE_NAME, spec_schema
from study.text.toml_text import write_toml

EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.toml"))
TABLES = {"data": DataSpec, "space": SpaceSpec, "search": SearchSpec, "confirm": ConfirmSpec}
SOURCES = dict.fromkeys(("x", "y", "test_x", "test_y"), "t.npz") | {
    "examples": "synthetic:moons",
    "noise": "synthetic:moons",
    "generator_seed": "synthetic:moons",
    "bits": "synthetic:parity",
    "classes": "synthetic:blobs",
}
# Rules of these keys that are left to parsing: a known encoding, a suffix, fractions that sum to 1.
FORMS = {("data", "encoding"), ("data", "test"), ("data", "split")}
WRONG = [
    {"unknown": 1},
    [[1]],
    [],
    [True],
    -1,
    0,
    0.5,
    2.5,
    "?",
    "Two words",
    [1, 1],
    {"low": 1},
    {"low": "a", "high": 1},
]


@cache
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(spec_schema())


def accepts(text: str) -> bool:
    return validator().is_valid(tomllib.loads(text))


def is_parsed(text: str) -> bool:
    try:
        parse_spec(text, "spec.toml")
    except UserError:
        return False
    return True


def with_value(table: str, key: str, value: Any) -> str:
    """Return a spec that has a value at a key, and else what goes with it."""
    data = {"source": SOURCES.get(key, "t.csv")} if table == "data" else {"source": "sklearn:iris"}
    tables: dict[str, dict[str, Any]] = {
        "data": data,
        "space": {"learning_rate": 0.1, "iterations": 10, "depth": 1},
        "search": {},
        "confirm": {},
    }
    tables[table][key] = value
    return write_toml({"name": "a", **tables})


def test_it_is_a_schema_of_draft_7_without_references() -> None:
    schema = spec_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    assert "$ref" not in json.dumps(schema)
    for table, model in TABLES.items():
        described = schema["properties"][table]
        assert described["additionalProperties"] is False
        assert described["description"]
        assert {key: each["description"] for key, each in described["properties"].items()} == {
            key: field.description for key, field in model.model_fields.items()
        }


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_is_valid(path: Path) -> None:
    validator().validate(tomllib.loads(path.read_text()))


@pytest.mark.parametrize("target", ["kind", "height"])
def test_a_drafted_spec_is_valid(target: str, tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    drafted = tomllib.loads(draft_spec(tmp_path / "table.csv", target).text)
    validator().validate(drafted)


@pytest.mark.parametrize("table", TABLES)
def test_what_parsing_refuses_is_refused(table: str) -> None:
    accepted = []
    for key in TABLES[table].model_fields:
        for value in WRONG:
            text = with_value(table, key, value)
            if accepts(text) and not is_parsed(text) and (table, key) not in FORMS:
                accepted.append((key, value))
    assert accepted == []


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("data", "surce", "a.csv"),
        ("space", "learning_rates", 0.1),
        ("search", "trial", 3),
        ("confirm", "tops", 3),
        ("data", "source", "sklearn:iri"),
        ("data", "source", "openml:adult"),
        ("data", "source", "table.xlsx"),
        ("data", "task", "clustering"),
        ("data", "scale", "max"),
        ("data", "split", 0.5),
        ("space", "units_pattern", "tapered"),
        ("space", "initialization", ["auto", "hee"]),
        ("space", "depth", 51),
        ("space", "depth", {"low": 0, "high": 2.5}),
        ("space", "learning_rate", {"low": 0.1, "hihg": 1.0}),
        ("space", "learning_rate", 0),
        ("space", "momentum", [0.9, 1.0]),
        ("space", "batch_size", "all"),
        ("space", "activation", "leaky_relu(a)"),
        ("search", "metric", ["accuracy", "accuracy"]),
        ("search", "trials", 0),
        ("search", "enqueue", [{"depth": [1]}]),
    ],
)
def test_a_mistake_is_refused_by_both(table: str, key: str, value: Any) -> None:
    text = with_value(table, key, value)
    assert not is_parsed(text)
    assert not accepts(text)


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("data", "source", "openml:adult@2"),
        ("data", "source", r"C:\tables\a b.CSV"),
        ("data", "missing", {"income": ["unknown"]}),
        ("data", "target", -1),
        ("space", "depth", {"low": 0, "high": 3, "step": 1}),
        ("space", "learning_rate", {"low": 1, "high": 10, "log": True}),
        ("space", "batch_size", [32, "full"]),
        ("space", "activation", ["leaky_relu(0.2)", "tanh"]),
        ("search", "metric", ["accuracy", "parameters"]),
        ("search", "enqueue", [{"depth": 1, "activation": "relu"}]),
    ],
)
def test_a_valid_value_is_accepted_by_both(table: str, key: str, value: Any) -> None:
    text = with_value(table, key, value)
    assert is_parsed(text)
    assert accepts(text)


def test_names_are_offered_and_those_that_packages_may_register_are_accepted() -> None:
    search = spec_schema()["properties"]["search"]["properties"]
    assert "tpe" in search["sampler"]["anyOf"][0]["enum"]
    assert "parameters" in search["metric"]["anyOf"][1]["items"]["anyOf"][0]["enum"]
    assert "parameters" not in search["metric"]["anyOf"][0]["anyOf"][0]["enum"]
    assert accepts(spec_with('sampler = "uniform"\nmetric = "gain"', text=SMALL))


def test_a_drafted_spec_names_the_schema_beside_it(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    done = run_study("init", tmp_path / "table.csv")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "table.toml").read_text().splitlines()
    assert lines[0] == f"#:schema ./{FILE_NAME}"
    assert (tmp_path / FILE_NAME).read_text() == run_study("schema").stdout
    assert f"wrote {tmp_path / FILE_NAME}" in done.stdout
    assert run_study("init", tmp_path / "table.csv", "--force").returncode == 0


def test_a_file_of_the_schemas_name_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    (tmp_path / FILE_NAME).write_text("{}")
    done = run_study("init", tmp_path / "table.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / FILE_NAME).read_text() == "{}"
    assert "#:schema" not in (tmp_path / "table.toml").read_text()
