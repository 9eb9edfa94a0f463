"""Generate docs/spec.md from the spec's model, docs/commands.md from the command line, docs/schemas/spec.json for
editors, the other docs/schemas/*.json from the records that --json prints, and the README's table of benchmarks from
benchmarks/results/jobs.json.

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
from study.spec import Range, Spec
from study.spec.schema import schema_text

DOCS = Path(__file__).resolve().parent
README = DOCS.parent / "README.md"
RESULTS = DOCS.parent / "benchmarks/results/jobs.json"
BEGIN, END = "<!-- comparison: written by docs/pages.py -->\n", "<!-- end of comparison -->\n"
OURS = "study"
COMMON = ("help", "verbose", "quiet")  # options of every command
PLURALS = {"string": "strings", "number": "numbers", "whole number": "whole numbers", "table": "tables"}
TABLES = {
    "data": "`[data]` defines where the examples come from, and how they are split and prepared. See [Data](data.md).",
    "space": "`[space]` is the search space. Each hyperparameter is a range, a list of choices, or a fixed value.",
    "search": "`[search]` defines the budget and the method. See [How the search works](search.md).",
    "confirm": "`[confirm]` makes `study run` retrain the best configurations on fresh seeds after the search. Without "
    "it, only `study confirm` does. See [Comparison](comparison.md).",
    "final": "`[final]` defines the model that `study finalize` trains. The search does not depend on it, so it can be "
    "changed at any time; `study run` records the change. See [Comparison](comparison.md#an-average-of-networks).",
    "baselines": "`[baselines]` turns off the simple models that `study run` fits for comparison. See "
    "[Comparison](comparison.md#baselines).",
}


def main() -> None:
    """Write all generated pages."""
    for path, make in PAGES.items():
        path.write_text(make(), encoding="utf-8")


def spec_page() -> str:
    """Return the reference of the spec: every key of every table, with its default, its rules and its description."""
    schema = Spec.model_json_schema()
    models = schema["$defs"]
    head = (
        "<!-- Written by docs/pages.py from study/spec; edit the descriptions there. -->\n# The spec\n\n"
        "A study is declared in one TOML file. Nothing in it is evaluated, and nothing is imported except extensions "
        "that installed packages declare and the spec names. An unknown key or an invalid value is reported in one "
        "line that names it.\n\n"
        "`study schema` prints a [JSON Schema](schemas/spec.json) of the spec. `study init` writes the schema beside "
        "the spec as `study.schema.json`, and names it in the first line of the spec: "
        "`#:schema ./study.schema.json`. Editors that support TOML schemas, such as VS Code with Even Better TOML, "
        "then complete keys and mark mistakes, even offline.\n\n"
    )
    own = {key: each for key, each in schema["properties"].items() if key not in TABLES}
    page = head + _keys(own, schema.get("required", []), models)
    names = {"data": "DataSpec", "space": "SpaceSpec", "search": "SearchSpec", "confirm": "ConfirmSpec"}
    names["final"] = "FinalSpec"
    names["baselines"] = "BaselinesSpec"
    for table, says in TABLES.items():
        model = models[names[table]]
        page += f"\n## {table}\n\n{says}\n\n{_keys(model['properties'], model.get('required', []), models)}"
    page += "\n## A range\n\n`{ low = 1e-3, high = 1.0, log = true }`\n\n"
    described = Range.model_json_schema()
    return page + _keys(described["properties"], described["required"], models)


def commands_page() -> str:
    """Return the reference of the command line: each command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    causes = ", ".join(f"`{cause}`" for cause in Cause if cause != Cause.KILLED)
    page = (
        "<!-- Written by docs/pages.py from study/cli; edit the help there. -->\n# The command line\n\n"
        "Exit codes: 0, success; 1, a failure of the program or the machine; 2, an error in the spec, the data or the "
        "arguments, explained in one line; 130, interrupted: rerun the command to resume.\n\n"
        "A program that starts a command can set `STUDY_STATUS_FILE` to a path to learn more. When the command ends, "
        f"that file contains a JSON object: `code`; `cause`, one of {causes}; `message`; and `retryable`, whether "
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
            trial = "; for a single trial, [this one](schemas/show-trial.json)" if name == "show" else ""
            page += f"The output of `--json` follows [this JSON Schema](schemas/{name}.json){trial}.\n\n"
        rows = [(_argument(each), _sentence(each)) for each in arguments]
        kinds = typing.get_type_hints(command.callback)
        rows += [(_option(each, kinds[each.name]), _sentence(each)) for each in options]
        page += _table(("", ""), rows) if rows else ""
    return page


def readme() -> str:
    """Return the README with an up-to-date table of benchmarks."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"jobs": {}}
    return before + BEGIN + comparison(results) + END + after


def comparison(results: dict[str, Any]) -> str:
    """Return the table of whole jobs, from `make bench-jobs`, for the data sets that every system was timed on."""
    jobs: dict[str, dict[str, dict[str, float]]] = results["jobs"]
    systems = list(dict.fromkeys(system for found in jobs.values() for system in found))
    whole = [data for data, found in jobs.items() if found and all(system in found for system in systems)]
    if OURS not in systems or len(systems) < 2 or not whole:
        return "\nNo timings of the same job with each of them yet; `make bench-jobs` measures them.\n\n"
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
    DOCS / "schemas" / "spec.json": partial(schema_text, installed=False),
} | {DOCS / "schemas" / f"{command}.json": partial(schema_file, command) for command in ANSWERS}


def _keys(properties: dict[str, Any], required: list[str], models: dict[str, Any]) -> str:
    rows = []
    for key, schema in properties.items():
        default = "required" if key in required else _toml(schema.get("default"))
        rows.append((f"`{key}`", default, _values(schema, models), schema.get("description", "")))
    return _table(("key", "default", "values", ""), rows)


def _values(schema: dict[str, Any], models: dict[str, Any]) -> str:
    """Return the values that a key accepts: names, or a kind with its bounds."""
    if "anyOf" in schema:
        return _union([each for each in schema["anyOf"] if each.get("type") != "null"], models)
    if "$ref" in schema:
        return "a range" if schema["$ref"].endswith("/Range") else ""
    if "enum" in schema:
        return ", ".join(map(_code, schema["enum"])) or "string"
    if "const" in schema:
        return _code(schema["const"])
    if schema.get("type") == "array":
        inner = _values(schema.get("items", {}), models) or "values"
        return f"list of {PLURALS.get(inner, inner)}"
    bounds = [
        f"{words} {_figure(schema[rule])}"
        for rule, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if rule in schema
    ]
    kinds = {"integer": "whole number", "number": "number", "string": "string", "boolean": "true or false"}
    kind = kinds.get(schema.get("type", ""), "table" if schema.get("type") == "object" else "")
    return " ".join([kind, " and ".join(bounds)]).strip()


def _code(value: Any) -> str:
    text = json.dumps(value) if str(value).isspace() else str(value)
    return f"`{text}`"


def _figure(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def _union(branches: list[dict[str, Any]], models: dict[str, Any]) -> str:
    """Return what a union takes; a pattern says which names may be registered, and is left out."""
    kinds = [_values(each, models) for each in branches if "pattern" not in each]
    one, *others = branches
    if {"type": "array", "items": one}.items() <= (others[0] if others else {}).items():
        return f"{kinds[0]}, or a list{' or range' if len(others) > 1 else ''} of them"
    return " or ".join(dict.fromkeys(kind for kind in kinds if kind))


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
