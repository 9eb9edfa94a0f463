"""From a TOML file to a Spec; every mistake becomes one line with file, key, value and remedy."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from study.errors import UserError, did_you_mean
from study.spec.extensions import RECORDED
from study.spec.whole import Spec

LARGEST = 1 << 20  # bytes of a spec
PARTS, DEPTH, DIGITS = 16, 16, 40  # of a dotted key; of lists and tables within one another; of a number
# Texts and comments, in which anything may stand.
_TEXTS = re.compile(
    r""""{3}(?:[^"\\]|\\.|"{1,2}(?!"))*"{3}|'{3}(?:[^']|'{1,2}(?!'))*'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*""",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w.-])(?:(?:[\w-]+|\"\")[ \t]*\.[ \t]*){{{PARTS},}}")
_BRACKETS = re.compile(r"[\[\]{}]")
_LONG_NUMBER = re.compile(rf"\b[0-9][0-9A-Fa-fxob_]{{{DIGITS},}}")


class NotTomlError(UserError):
    """The text of a spec is not TOML; the message says where."""


def read_spec(path: Path) -> Spec:
    """Read and check a spec.

    Raises:
        UserError: the file cannot be read, is not TOML, or says something that is not valid.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        there = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, there, n=1)
        hint = f"did you mean {path.with_name(near[0])}?" if near else "write one with `study init data.csv`"
        raise UserError(f"{path}: no such file; {hint}") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, not a spec; give the .toml file in it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > LARGEST:
        raise UserError(f"{path}: is over 1 MiB; a spec is a short TOML file, data goes in a file of its own")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    return parse_spec(text, str(path))


def parse_spec(text: str, place: str, *, recorded: bool = False) -> Spec:
    """Check the text of a spec; `place` names it in messages.

    recorded: the text is from a ledger, and is read only to describe the study: names of activations, samplers and
    other additions that are not registered in this process are valid.

    Raises:
        UserError: the text is not TOML, or says something that is not valid.
    """
    _check_form(text, place)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotTomlError(f"{place}: is not TOML: {error}") from None
    try:
        return Spec.model_validate(table, context=RECORDED if recorded else None)
    except ValidationError as error:
        raise UserError(describe(error, place)) from None


def _check_form(text: str, place: str) -> None:
    """Refuse what no spec has, before it is parsed: tomllib takes time and memory by the square of a key's parts.

    Raises:
        UserError: the text, a key, its nesting or a number is too long.
    """
    if len(text) > LARGEST:
        raise UserError(f"{place}: is over 1 MiB; a spec is a short TOML file, data goes in a file of its own")
    bare = _TEXTS.sub('""', text)
    if key := _LONG_KEY.search(bare):
        raise UserError(f"{place}: {key[0][:20]!r}… is a key of more than {PARTS} parts; a spec needs two at most")
    depth = 0
    for bracket in _BRACKETS.findall(bare):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > DEPTH:
            raise UserError(f"{place}: has tables and lists within one another, more than {DEPTH} deep; take some out")
    if number := _LONG_NUMBER.search(bare):
        raise UserError(f"{place}: {number[0][:20]}… is a number of more than {DIGITS} digits; round it")


def first_reason(error: ValidationError) -> str:
    """Return what is wrong with the first value, in the words of whoever checks it."""
    first = error.errors(include_url=False)[0]
    return str(first["ctx"]["error"] if first["type"] == "value_error" else first["msg"])


def describe(error: ValidationError, place: str) -> str:
    """Return the first mistake in one line, and how many more there are."""
    mistakes = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    first = mistakes[0]
    path = [str(part) for part in first["loc"] if _is_key(part)]
    line = f"{place}: {_where(path)}{_what(first, path)}"
    more = len({e["loc"] for e in mistakes}) - 1
    return line if not more else f"{line}\n(and {more} more mistake{'s' * (more > 1)} after this one)"


# pydantic's wording, and what a person who writes TOML calls it.
_PLAIN_WORDS = (
    (r"greater than or equal to", "at least"),
    (r"less than or equal to", "at most"),
    (r"greater than", "above"),
    (r"less than", "below"),
    (r"a valid integer.*", "a whole number"),
    (r"a valid number.*", "a number"),
    (r"a valid string.*", "a text in quotes"),
    (r"a valid boolean.*", "true or false"),
    (r"a valid dictionary or instance of \w+", "a table"),
    (r"a valid (?:tuple|list|array).*", "a list"),
)


def _is_key(part: object) -> bool:
    # pydantic adds the name of the branch of a union ("Range", "tuple[...]") and the place in a list
    return isinstance(part, str) and not part.startswith(("tuple[", "function-", "Range", "literal["))


def _where(path: list[str]) -> str:
    if not path:
        return ""
    if len(path) > 1 or path[0] in ("data", "space", "search", "confirm"):
        return f"[{path[0]}] {' '.join(path[1:])}".rstrip() + ": "
    return f"{path[0]}: "


def _what(mistake: ErrorDetails, path: list[str]) -> str:
    kind, given = mistake["type"], mistake["input"]
    model = _model_at(path[:-1])
    if kind == "extra_forbidden":
        remedy = did_you_mean(path[-1], model.model_fields if model else ())
        return f"unknown key; {remedy}"
    if kind == "missing":
        field = model.model_fields.get(path[-1]) if model else None
        meaning = field.description if field is not None and field.description else "a table of its own"
        return f"is missing; add it ({_first_sentence(meaning)})"
    if kind == "value_error":
        message = str(mistake["ctx"]["error"])
        return message.removeprefix(f"{path[-1]} ") if path else message
    if kind == "literal_error":
        valid = mistake["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return f"{given!r} is not known; {did_you_mean(str(given), valid)}"
    message = mistake["msg"].replace("Input should be", "must be")
    for theirs, ours in _PLAIN_WORDS:
        message = re.sub(theirs, ours, message)
    return f"{message}, got {given!r}"


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".")


def _model_at(path: list[str]) -> type[BaseModel] | None:
    """Return the model that the keys of `path` lead to."""
    model: type[BaseModel] = Spec
    for key in path:
        field = model.model_fields.get(key)
        if field is None:
            return None
        found = _find_model(field.annotation)
        if found is None:
            return None
        model = found
    return model


def _find_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _find_model(part)
        if found is not None:
            return found
    return None
