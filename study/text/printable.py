"""Escape control characters in text from data, specs and libraries before a terminal or a page shows it."""

import re
import sys

# Control characters except tab and line feed, directional formatting, line separators, and lone surrogates.
_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Replace each control character in a string by an escape sequence, such as \\x1b."""
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def say(line: str, *, error: bool = False) -> None:
    """Print a line to standard output, or to standard error if it is an error."""
    print(printable(line), file=sys.stderr if error else sys.stdout, flush=True)
