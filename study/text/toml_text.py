"""Write tables, keys and values as TOML."""

import re
from collections.abc import Mapping

from study.errors import UserError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_toml(table: Mapping[str, object]) -> str:
    """Return a table as TOML. Its tables get headers, and the tables within those are inline.

    Raises:
        UserError: if it contains null or a lone surrogate, which TOML cannot represent.
    """
    plain = [f"{toml_key(key)} = {toml_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            plain += [
                "",
                f"[{toml_key(key)}]",
                *(f"{toml_key(name)} = {toml_value(given)}" for name, given in value.items()),
            ]
    return "\n".join(plain) + "\n"


def toml_key(key: str) -> str:
    """Return a name as a TOML key, quoted if necessary."""
    return key if _BARE.fullmatch(key) else _text(key)


def toml_value(value: object) -> str:
    """Return a value as TOML, with inline tables.

    Raises:
        UserError: if it is or contains null or a lone surrogate, which TOML cannot represent.
    """
    if value is None:
        raise UserError("null is not a valid value; omit the key")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return repr(value)  # nan and inf are written as in TOML
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml_value(given)}" for key, given in value.items()) + " }"
    return str(value)


def _text(value: str) -> str:
    if any("\ud800" <= each <= "\udfff" for each in value):
        raise UserError(f"{value!a} contains a lone surrogate, which TOML does not allow")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(each if each.isprintable() else _escape(ord(each)) for each in escaped) + '"'


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"
