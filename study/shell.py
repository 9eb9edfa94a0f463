"""Commands as they are printed: a shell takes each word as it was, whatever is in it."""

import shlex

from study.redaction import redact_address


def command(*words: object, home: str | None = None, storage: str | None = None) -> str:
    """Return a command line of `study`.

    Args:
        words: what follows `study`.
        home, storage: options as they were given to this command; a password is left out.
    """
    options = ["--home", home] if home else []
    options += ["--storage", redact_address(storage)] if storage else []
    return shlex.join(["study", *map(str, words), *options])
