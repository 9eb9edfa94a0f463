"""Text as Markdown: whatever a column, a label or a description has in it is shown and never acts.

Signs are escaped such that all renderers agree: by a backslash where each of them takes it, else by an entity.
"""

import re
from urllib.parse import quote, urlsplit

from study.text.printable import printable

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS = re.compile(r"[\\`*\[\]#|~$&<>]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # an underscore within a word is one
_ITEM = re.compile(r"^(\s*)(?:(\d{1,9})([.)])(?=\s|$)|([-+=])(?=[\s+=-]|$))")  # begins a list, a rule or a heading
_SAFE = "/#?=&%:~.-_"  # in an address; not the parentheses that would end it


class Markdown(str):
    """Text that is Markdown already, and is not escaped again."""

    __slots__ = ()


def inline(text: object) -> Markdown:
    """Return text that Markdown shows as it is, on one line, in a table's cell too."""
    if isinstance(text, Markdown):
        return text
    line = printable(re.sub(r"\s+", " ", str(text)))
    line = _SIGNS.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)
    return Markdown(_ITEM.sub(_escape_item, line))


def block(text: str) -> Markdown:
    """Return lines as a block of code, which needs an empty line before it."""
    return Markdown("\n".join(f"    {printable(line)}" for line in text.splitlines()))


def link(text: object, address: str) -> Markdown:
    """Return a link; the text alone where the address is neither relative nor one of http."""
    if urlsplit(address).scheme not in ("", "http", "https"):
        return inline(text)
    return Markdown(f"[{inline(text)}]({quote(address, safe=_SAFE)})")


def _escape_item(found: re.Match[str]) -> str:
    space, number, dot, sign = found.groups()
    return f"{space}{number}\\{dot}" if number else f"{space}\\{sign}"
