"""Tables, keys and values as TOML text."""

import json
import re
from collections.abc import Mapping
from typing import Any

from study.errors import UserError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_toml(table: Mapping[str, Any]) -> str:
    """Return a table as TOML: the tables in it under their names, those within them inline.

    Raises:
        UserError: it holds null, which TOML does not have.
    """
    plain = [f"{toml_key(key)} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            plain += [
                "",
                f"[{toml_key(key)}]",
                *(f"{toml_key(name)} = {_value(given)}" for name, given in value.items()),
            ]
    return "\n".join(plain) + "\n"


def toml_key(key: str) -> str:
    """Return a name as a key of TOML, quoted where it has to be."""
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if value is None:
        raise UserError("null is no value; leave the key out")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return repr(value)  # nan and inf are written as in TOML
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(key)} = {_value(given)}" for key, given in value.items()) + "}"
    return str(value)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for characters beyond 16 bits, which are left as they are, and for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
