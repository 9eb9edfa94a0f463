"""Read a TOML file into a Spec. Every mistake is reported in one line with file, key, value and remedy."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from study.errors import UserError, did_you_mean
from study.spec.extensions import RECORDED
from study.spec.other_names import suggest
from study.spec.whole import Spec

LARGEST = 1 << 20  # bytes
PARTS, DEPTH, DIGITS = 16, 16, 40  # limits on dotted keys, on the nesting of lists and tables, and on numbers
# Strings and comments, whose content is not checked.
_TEXTS = re.compile(
    r""""{3}(?:[^"\\]|\\.|"{1,2}(?!"))*"{3}|'{3}(?:[^']|'{1,2}(?!'))*'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*""",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w.-])(?:(?:[\w-]+|\"\")[ \t]*\.[ \t]*){{{PARTS},}}")
_BRACKETS = re.compile(r"[\[\]{}]")
_LONG_NUMBER = re.compile(rf"\b[0-9][0-9A-Fa-fxob_]{{{DIGITS},}}")


class NotTomlError(UserError):
    """The text of a spec is not valid TOML. The message gives the position."""


class SpecError(UserError):
    """A spec that breaks a rule.

    Attributes:
        keys: the keys that lead to the value, such as ("space", "depth"); () for a rule on the whole spec.
        reason: what is wrong with the value and how to fix it, without the place.
        more: a second line on further mistakes, or "".
    """

    def __init__(self, place: str, keys: tuple[str, ...], reason: str, more: str = "") -> None:
        line = f"{f'{place}: ' if place else ''}{_where(keys)}{reason}"
        super().__init__(f"{line}\n{more}" if more else line)
        self.keys, self.reason, self.more = keys, reason, more


@dataclass(frozen=True)
class DeclaredSpec:
    """A spec together with its text.

    Attributes:
        spec: the records.
        text: the TOML that declares it.
        base: the folder to which paths of data files are relative.
        place: the name of the spec in messages, such as its path.
    """

    spec: Spec
    text: str
    base: Path
    place: str

    @classmethod
    def parse(cls, text: str, base: Path, place: str) -> "DeclaredSpec":
        """Check the text of a spec; see `parse_spec`."""
        return cls(parse_spec(text, place), text, base, place)

    @classmethod
    def read(cls, path: Path) -> "DeclaredSpec":
        """Read and check a spec; see `read_spec`."""
        return cls.parse(_read_text(path), path.parent, str(path))


def read_spec(path: Path) -> Spec:
    """Read and validate a spec.

    Raises:
        UserError: If the file cannot be read, is not valid TOML, or contains an invalid key or value.
    """
    return DeclaredSpec.read(path).spec


def _read_text(path: Path) -> str:
    """Return the text of a spec file.

    Raises:
        UserError: the file cannot be read, or is not text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        there = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, there, n=1)
        hint = f"did you mean {path.with_name(near[0])}?" if near else "create one with `study init data.csv`"
        raise UserError(f"{path}: no such file; {hint}") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a spec; pass the .toml file in it") from None
    except OSError as error:
        raise UserError(f"{path} could not be read: {error.strerror}") from None
    if len(raw) > LARGEST:
        raise UserError(f"{path} is larger than 1 MiB; a spec is a short TOML file, and data belongs in another file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def parse_spec(text: str, place: str, *, recorded: bool = False) -> Spec:
    """Parse and validate the text of a spec.

    Args:
        text: The text.
        place: The name of the text in messages.
        recorded: Whether the text comes from a ledger and is read only to describe the study. Activations, samplers and
            other extensions are then valid even if they are not registered in this process.

    Raises:
        UserError: If the text is not valid TOML or contains an invalid key or value.
    """
    _check_form(text, place)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotTomlError(f"{place} is not valid TOML: {error}") from None
    return check_spec(table, place, recorded=recorded)


def check_spec(table: Mapping[str, object], place: str, *, recorded: bool = False) -> Spec:
    """Validate the tables of a spec; see `parse_spec`.

    Raises:
        SpecError: If a key or value is invalid.
    """
    try:
        return Spec.model_validate(table, context=RECORDED if recorded else None)
    except ValidationError as error:
        raise _explain(error, place) from None


def _check_form(text: str, place: str) -> None:
    """Before parsing, reject text that no spec needs, since tomllib takes quadratic time and memory on dotted keys.

    Raises:
        UserError: If the text, a key or a number is too long, or the nesting is too deep.
    """
    if len(text) > LARGEST:
        raise UserError(f"{place} is larger than 1 MiB; a spec is a short TOML file, and data belongs in another file")
    bare = _TEXTS.sub('""', text)
    if key := _LONG_KEY.search(bare):
        raise UserError(f"{place}: the key {key[0][:20]!r}… has more than {PARTS} parts; a spec needs at most two")
    depth = 0
    for bracket in _BRACKETS.findall(bare):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > DEPTH:
            raise UserError(f"{place}: tables and lists are nested more than {DEPTH} levels deep; reduce the nesting")
    if number := _LONG_NUMBER.search(bare):
        raise UserError(f"{place}: the number {number[0][:20]}… has more than {DIGITS} digits; round it")


def first_reason(error: ValidationError) -> str:
    """Return the message of the first error, without its location."""
    first = error.errors(include_url=False)[0]
    return str(first["ctx"]["error"] if first["type"] == "value_error" else first["msg"])


def check_table(name: str, table: Mapping[str, object], place: str = "") -> None:
    """Validate one table of a spec without the others.

    Raises:
        SpecError: If a key or value is invalid.
    """
    model = _model_at((name,))
    if model is None:
        raise ValueError(f"a spec has no table {name!r}")
    try:
        model.model_validate(table)
    except ValidationError as error:
        raise _explain(error, place, (name,)) from None


def _explain(error: ValidationError, place: str, within: tuple[str, ...] = ()) -> SpecError:
    """Return the first mistake, and the number of further ones; within: the keys that lead to the checked table."""
    mistakes = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    first = mistakes[0]
    path = (*within, *(str(part) for part in first["loc"] if _is_key(part)))
    others = len({e["loc"] for e in mistakes}) - 1
    more = f"({others} more error{'s' * (others > 1)} in this spec)" if others else ""
    return SpecError(place, path, _what(first, path), more)


# Phrases of pydantic's messages, and replacements in terms of TOML.
_PLAIN_WORDS = (
    (r"greater than or equal to", "at least"),
    (r"less than or equal to", "at most"),
    (r"greater than", "above"),
    (r"less than", "below"),
    (r"a valid integer.*", "a whole number"),
    (r"a valid number.*", "a number"),
    (r"a valid string.*", "a string in quotes"),
    (r"a valid boolean.*", "true or false"),
    (r"a valid dictionary or instance of \w+", "a table"),
    (r"a valid (?:tuple|list|array).*", "a list"),
)


def _is_key(part: object) -> bool:
    # pydantic adds the branch of a union ("Range", "tuple[...]") and the index in a list to the location.
    return isinstance(part, str) and not part.startswith(("tuple[", "function-", "Range", "literal["))


def _where(path: tuple[str, ...]) -> str:
    if not path:
        return ""
    if len(path) > 1 or path[0] in ("data", "space", "search", "confirm", "final", "baselines"):
        return f"[{path[0]}] {' '.join(path[1:])}".rstrip() + ": "
    return f"{path[0]}: "


def _what(mistake: ErrorDetails, path: tuple[str, ...]) -> str:
    kind, given = mistake["type"], mistake["input"]
    model = _model_at(path[:-1])
    if kind == "extra_forbidden":
        remedy = suggest(path[0], path[-1], model.model_fields if model else ())
        return f"unknown key; {remedy}"
    if kind == "missing":
        field = model.model_fields.get(path[-1]) if model else None
        meaning = field.description if field is not None and field.description else "a table"
        return f"missing; add it ({_first_sentence(meaning)})"
    if kind == "value_error":
        message = str(mistake["ctx"]["error"])
        return message.removeprefix(f"{path[-1]} ") if path else message
    if kind == "literal_error":
        valid = mistake["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return f"unknown value {given!r}; {did_you_mean(str(given), valid)}"
    message = mistake["msg"].replace("Input should be", "must be")
    for theirs, ours in _PLAIN_WORDS:
        message = re.sub(theirs, ours, message)
    return f"{message}, got {given!r}"


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".")


def _model_at(path: tuple[str, ...]) -> type[BaseModel] | None:
    """Return the model at the end of a path of keys, or None."""
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
