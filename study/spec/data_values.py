"""Checks of single values of the `[data]` table, and of the columns that its keys name.

Each check raises a ValueError whose message states the rule and the value.
"""

from collections.abc import Mapping

from study.errors import did_you_mean
from study.spec.extensions import TRANSFORMS
from study.spec.plugins import is_known, names_for_remedy


def check_fractions(fractions: tuple[float, ...]) -> None:
    """Check that a split has two or three fractions above 0 that sum to 1."""
    if len(fractions) not in (2, 3) or any(not 0.0 < share < 1.0 for share in fractions):
        raise ValueError(
            "split must list the fractions of train, dev and test (such as [0.6, 0.2, 0.2]) or of train and dev, each "
            f"above 0, got {list(fractions)}"
        )
    if abs(sum(fractions) - 1.0) > 1e-6:
        raise ValueError(f"split must sum to 1, got {list(fractions)}, which sums to {sum(fractions):g}")


def check_separator(separator: str) -> None:
    """Check that a separator has one to three ASCII characters and no line break."""
    if not 1 <= len(separator) <= 3 or not separator.isascii() or {"\n", "\r"} & set(separator):
        raise ValueError(rf"separator must be one to three ASCII characters, or '\s+', got {separator!r}")


def check_character(character: str) -> None:
    """Check that a quote or escape character is empty or a single ASCII character."""
    if len(character) > 1 or not character.isascii() or character in ("\n", "\r"):
        raise ValueError(f"must be one ASCII character, got {character!r}")


def check_encoding(encoding: str) -> None:
    """Check that an encoding is known and is one for text."""
    try:
        fits = _keeps_text(encoding)
    except (LookupError, UnicodeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"encoding must be a text encoding, such as utf-8, cp1252 or utf-16, got {encoding!r}")


def check_transform(name: str) -> None:
    """Check that a transform is registered, or that an installed package registers it now."""
    if not is_known(TRANSFORMS, name):
        names = names_for_remedy(TRANSFORMS)
        remedy = did_you_mean(name, names) if names else "register it with study.data.register_transform"
        raise ValueError(f"unknown transform {name!r}; {remedy}")


def check_columns(
    named: Mapping[str, tuple[str, ...]], target: str | int | None, roles: Mapping[str, str | None]
) -> None:
    """Check that no column is listed twice, and that the target is not listed and has no other role.

    Args:
        named: Columns by the key that lists them.
        target: The target column.
        roles: Columns by the key that names them, such as "group".
    """
    seen: dict[str, str] = {}
    for key, columns in named.items():
        for column in columns:
            if column in seen:
                raise ValueError(f"column {column!r} is listed in both {seen[column]} and {key}; remove it from one")
            seen[column] = key
    if target in seen:
        key = seen[str(target)]
        raise ValueError(f"column {target!r} is the target and cannot be listed in {key}")
    for role, named_column in roles.items():
        if named_column is not None and named_column == target:
            raise ValueError(f"column {target!r} is the target and cannot be the {role} column")


def _keeps_text(encoding: str) -> bool:
    """Return whether an encoding represents plain table text, unlike codecs such as unicode_escape or idna."""
    plain, tricky = "a+\n", "x\\u0041..,y\n"
    length = len(plain.encode(encoding)) - len("".encode(encoding))
    return length % len(plain) == 0 and tricky.encode(encoding).decode(encoding) == tricky
