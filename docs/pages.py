"""Writes the pages that are generated: docs/spec.md from the spec's model, docs/commands.md from the command line,
docs/schemas/*.json from the records that --json prints, and the README's table of measured figures from
benchmarks/results/jobs.json. `make docs` calls it.

python docs/pages.py
"""

import json
import statistics
import typing
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import typer

from study.cli.json_schemas import ANSWERS, json_schema
from study.cli.main import app
from study.exit_status import Cause
from study.spec import Spec

DOCS = Path(__file__).resolve().parent
README = DOCS.parent / "README.md"
RESULTS = DOCS.parent / "benchmarks/results/jobs.json"
BEGIN, END = "<!-- comparison: written by docs/pages.py -->\n", "<!-- end of comparison -->\n"
OURS = "study"
COMMON = ("help", "verbose", "quiet")  # options of every command
PLURALS = {"text": "texts", "number": "numbers", "whole number": "whole numbers", "table": "tables"}
TABLES = {
    "data": "`[data]`: where examples come from, and how they are split and prepared. [More on data](data.md).",
    "space": "`[space]`: what is searched. Each hyperparameter is a range, a list of choices, or one value.",
    "search": "`[search]`: how long and by which method. [More on the search](search.md).",
    "confirm": "`[confirm]`: the best settings trained again once the search is done. Left out, that is not done "
    "until `study confirm`. [More on comparison](comparison.md).",
}


def main() -> None:
    """Write all of them."""
    for path, make in PAGES.items():
        path.write_text(make(), encoding="utf-8")


def spec_page() -> str:
    """Return the reference of the spec: every key of every table, with its default, its rules and its description."""
    schema = Spec.model_json_schema()
    models = schema["$defs"]
    head = (
        "<!-- Written by docs/pages.py from study/spec; edit the descriptions there. -->\n# The spec\n\n"
        "One TOML file declares a study. Nothing in it is evaluated or imported. A key that is unknown, or a value "
        "that breaks a rule, is answered in one line that names it.\n\n"
    )
    own = {key: each for key, each in schema["properties"].items() if key not in TABLES}
    page = head + _keys(own, schema.get("required", []), models)
    names = {"data": "DataSpec", "space": "SpaceSpec", "search": "SearchSpec", "confirm": "ConfirmSpec"}
    for table, says in TABLES.items():
        model = models[names[table]]
        page += f"\n## {table}\n\n{says}\n\n{_keys(model['properties'], model.get('required', []), models)}"
    page += "\n## A range\n\n`{ low = 1e-3, high = 1.0, log = true }`\n\n"
    return page + _keys(models["Range"]["properties"], models["Range"]["required"], models)


def commands_page() -> str:
    """Return the reference of the command line: each command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    causes = ", ".join(f"`{cause}`" for cause in Cause if cause != Cause.KILLED)
    page = (
        "<!-- Written by docs/pages.py from study/cli; edit the help there. -->\n# The command line\n\n"
        "Exit codes: 0, success; 1, a fault of the program or the machine; 2, an error in the spec, the data or the "
        "arguments, explained in one line; 130, interrupted: run the same command again to resume.\n\n"
        "If a program that starts a command needs more detail, it sets `STUDY_STATUS_FILE` to a path. When the command "
        f"ends, that file holds a JSON object: `code`; `cause`, one of {causes}; `message`; and `retryable`, whether "
        "the same command may succeed later without any correction.\n\n"
        "Every command accepts `-v, --verbose`, which prints more detail, and `-q, --quiet`, which prints only "
        "results, warnings and errors. `study --version` prints the version.\n"
    )
    for name, command in group.commands.items():
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        options = [each for each in command.params if each.param_type_name == "option" and each.name not in COMMON]
        usage = " ".join([f"study {name}", *(_argument(each) for each in arguments), *["[OPTIONS]"][: len(options)]])
        page += f"\n## study {name}\n\n{command.help}\n\n    {usage}\n\n"
        if name in ANSWERS:
            trial = "; of one trial, [this one](schemas/show-trial.json)" if name == "show" else ""
            page += f"`--json` prints what [this JSON Schema](schemas/{name}.json) describes{trial}.\n\n"
        rows = [(_argument(each), _sentence(each)) for each in arguments]
        kinds = typing.get_type_hints(command.callback)
        rows += [(_option(each, kinds[each.name]), _sentence(each)) for each in options]
        page += _table(("", ""), rows) if rows else ""
    return page


def readme() -> str:
    """Return the README with its table of measured figures as they are now."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"jobs": {}}
    return before + BEGIN + comparison(results) + END + after


def comparison(results: dict[str, Any]) -> str:
    """Return the table of whole jobs, from `make bench-jobs`: data that every system was timed on."""
    jobs: dict[str, dict[str, dict[str, float]]] = results["jobs"]
    systems = list(dict.fromkeys(system for found in jobs.values() for system in found))
    whole = [data for data, found in jobs.items() if found and all(system in found for system in systems)]
    if OURS not in systems or len(systems) < 2 or not whole:
        return "\nThe same job by each of them has not been timed here yet: `make bench-jobs` does it.\n\n"
    head = ("time for the same search", *(f"{data}, s" for data in whole), "relative to study", "memory, MB")
    rows = []
    for system in systems:
        own = [jobs[data][system] for data in whole]
        ratio = statistics.geometric_mean(each.get("times_ours", 1.0) for each in own)
        seconds = [f"{each['seconds']:.1f}" for each in own]
        rows.append((system, *seconds, f"{ratio:.1f}", f"{max(each['memory'] for each in own) / 1e6:.0f}"))
    stands = f"{results['settings']} configurations, measured on {results['date']} on {results['cores']} cores"
    return f"\n{_table(head, rows)}\n{stands} ({results['processor']}).\n\n"


def schema_file(command: str) -> str:
    """Return the JSON Schema of what a command prints with --json, as text."""
    return json.dumps(json_schema(command), indent=1) + "\n"


PAGES: dict[Path, Callable[[], str]] = {
    DOCS / "spec.md": spec_page,
    DOCS / "commands.md": commands_page,
    README: readme,
} | {DOCS / "schemas" / f"{command}.json": partial(schema_file, command) for command in ANSWERS}


def _keys(properties: dict[str, Any], required: list[str], models: dict[str, Any]) -> str:
    rows = []
    for key, schema in properties.items():
        default = "needed" if key in required else _toml(schema.get("default"))
        rows.append((f"`{key}`", default, _values(schema, models), schema.get("description", "")))
    return _table(("key", "default", "values", ""), rows)


def _values(schema: dict[str, Any], models: dict[str, Any]) -> str:
    """Return what a key takes: names, or a kind with its bounds."""
    if any("$ref" in each for each in schema.get("anyOf", [])):
        (choices,) = (each for each in schema["anyOf"] if each.get("type") == "array")
        return f"a range, a list or one: {_values(choices['items'], models)}"
    if "anyOf" in schema:
        kinds = [_values(each, models) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    if "$ref" in schema:
        return "a range" if schema["$ref"].endswith("/Range") else ""
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return f'"{schema["const"]}"'
    if schema.get("type") == "array":
        inner = _values(schema.get("items", {}), models) or "values"
        return f"list of {PLURALS.get(inner, inner)}"
    bounds = [
        f"{words} {schema[rule]:g}"
        for rule, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if rule in schema
    ]
    kinds = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    kind = kinds.get(schema.get("type", ""), "table" if schema.get("type") == "object" else "")
    return " ".join([kind, " and ".join(bounds)]).strip()


def _toml(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (list, tuple)):
        value = list(value)
        return f"`{json.dumps(value[0] if len(value) == 1 else value)}`"
    return f"`{json.dumps(value)}`"


def _argument(argument: Any) -> str:
    written = (argument.metavar or argument.name.upper()) + ("..." if argument.nargs == -1 else "")
    return written if argument.required else f"[{written}]"


def _option(option: Any, kind: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return f"`{names}`"
    kinds = {kind, *typing.get_args(kind)}
    unnamed = next((word for type_, word in ((int, "N"), (float, "SECONDS"), (Path, "FILE")) if type_ in kinds), "TEXT")
    return f"`{names} {option.metavar or unnamed}`"


def _sentence(parameter: Any) -> str:
    default = parameter.default
    shown = isinstance(default, (int, float)) and not isinstance(default, bool)
    return parameter.help + (f" Default: {default}." if shown else "")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
