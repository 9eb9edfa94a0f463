"""Escape text for Markdown, so that names, labels and descriptions are never interpreted as markup.

Characters are escaped with a backslash if all renderers support it, and with an entity otherwise.
"""

import re
from urllib.parse import quote, urlsplit

from study.text.printable import printable

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS = re.compile(r"[\\`*\[\]#|~$&<>]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # not an underscore within a word
_ITEM = re.compile(r"^(\s*)(?:(\d{1,9})([.)])(?=\s|$)|([-+=])(?=[\s+=-]|$))")  # starts a list, a rule or a heading
_SAFE = "/#?=&%:~.-_"  # characters that are safe in a URL; parentheses are not, since they would end the link


class Markdown(str):
    """Text that is already Markdown and must not be escaped again."""

    __slots__ = ()


def inline(text: object) -> Markdown:
    """Escape text for one line of Markdown, including table cells."""
    if isinstance(text, Markdown):
        return text
    line = printable(re.sub(r"\s+", " ", str(text)))
    line = _SIGNS.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)
    return Markdown(_ITEM.sub(_escape_item, line))


def block(text: str) -> Markdown:
    """Return text as an indented code block, which must follow an empty line."""
    return Markdown("\n".join(f"    {printable(line)}" for line in text.splitlines()))


def link(text: object, address: str) -> Markdown:
    """Return a link, or only its text if the URL is neither relative nor http(s)."""
    if urlsplit(address).scheme not in ("", "http", "https"):
        return inline(text)
    return Markdown(f"[{inline(text)}]({quote(address, safe=_SAFE)})")


def _escape_item(found: re.Match[str]) -> str:
    space, number, dot, sign = found.groups()
    return f"{space}{number}\\{dot}" if number else f"{space}\\{sign}"
