"""Text from data, specs and libraries as a terminal or a page may show it: what would act on them is written out."""

import re
import sys

# Control characters but tab and line feed, direction of writing, line separators, and halves of surrogate pairs.
_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text with an escape sequence, such as \\x1b, in place of each character that acts."""
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def say(line: str, *, error: bool = False) -> None:
    """Print a line, to standard error if it is of an error."""
    print(printable(line), file=sys.stderr if error else sys.stdout, flush=True)
