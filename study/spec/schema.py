"""The JSON Schema of a spec, for editors that complete and check TOML.

It uses draft 7, the newest draft that Taplo and Even Better TOML fully support, and has no references, since such
editors resolve them in different ways. Rules that span several keys are left to `parse_spec`.
"""

import json
from typing import Any

from study.spec.choice_schemas import KIND, name_schema
from study.spec.plugins import offered_names
from study.spec.sources import FILE_SUFFIXES, SKLEARN_SOURCES, SYNTHETIC_SOURCES
from study.spec.whole import Spec

DIALECT = "http://json-schema.org/draft-07/schema#"
TITLE = "The spec of a study"
FILE_NAME = "study.schema.json"
"""The name of the schema file, which is written next to a drafted spec."""

_TABLES = {
    "data": "Where examples come from, and how they are split and prepared.",
    "space": "The search space: a range, a list of choices or a fixed value for each hyperparameter.",
    "search": "How long the search takes, and how configurations are proposed and compared.",
    "confirm": "Retrain the best configurations after the search, on fresh seeds.",
    "final": "Which networks the final model averages.",
    "baselines": "Fit simple models of scikit-learn beside the search, for comparison.",
}


def spec_schema(*, installed: bool = True) -> dict[str, Any]:
    """Return the JSON Schema of a spec, which offers the names that are registered in this process.

    installed: whether the extensions that installed packages provide are offered too; no package is imported.
    """
    made = Spec.model_json_schema(ref_template="{model}")
    _offer(made, installed=installed)
    found: dict[str, Any] = _plain(made, made.pop("$defs"))
    tables = found["properties"]
    for table, description in _TABLES.items():
        tables[table] |= {"description": description}
        tables[table].pop("default", None)
    for key in tables["space"]["properties"].values():
        if isinstance(key.get("default"), list):
            (key["default"],) = key["default"]
    tables["data"]["properties"]["source"] |= _source()
    return {
        "$schema": DIALECT,
        "title": TITLE,
        **found,
        "description": "The declaration of one study: its data, space and search.",
    }


def schema_text(*, installed: bool = True) -> str:
    """Return the schema as the text of a JSON file; see `spec_schema`."""
    return json.dumps(spec_schema(installed=installed), indent=1, ensure_ascii=False) + "\n"


def _offer(schema: Any, *, installed: bool) -> None:
    """Add the extensions that installed packages provide to the lists of names, and remove the kinds of extensions."""
    if isinstance(schema, dict):
        kind = schema.pop(KIND, None)
        if kind is not None and installed:
            schema["enum"] = list(dict.fromkeys([*schema["enum"], *offered_names(kind)]))
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _offer(each, installed=installed)


def _plain(schema: Any, models: dict[str, Any]) -> Any:
    """Return a schema with references resolved, and without pydantic's titles and null, which TOML does not have."""
    if isinstance(schema, list):
        return [_plain(each, models) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = models[schema["$ref"]] | {key: value for key, value in schema.items() if key != "$ref"}
    found = {}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {name: _plain(each, models) for name, each in value.items()}
        elif not (key == "title" or (key == "default" and value is None)):
            found[key] = _plain(value, models)
    return _without_unions(found)


def _without_unions(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which a union with a single member is replaced by that member; a list of no names is none."""
    members = [each for each in schema.get("anyOf", ()) if each != {"enum": []}]
    if len(members) != 1:
        return schema
    return {**members[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _source() -> dict[str, Any]:
    """Return the schema of a source: the names to offer, and the pattern of all others."""
    named = [f"sklearn:{name}" for name in SKLEARN_SOURCES] + [f"synthetic:{name}" for name in SYNTHETIC_SOURCES]
    suffixes = "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in s[1:]) for s in FILE_SUFFIXES)
    others = rf"^openml:[^@]+@[1-9][0-9]*$|^(?!(sklearn|synthetic|openml):)([a-z][a-z0-9_]+:.*|.*\.({suffixes}))$"
    return name_schema(named, others)
