"""Registries: named entries that a spec or a setting refers to, built in or added by `register_*`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The name that a spec or a setting uses."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry], Generic[Entry]):
    """A mapping from names to entries, in the order in which they were registered.

    Args:
        kind: what the entries are, for messages: "optimizer".
        entries: the built-in entries.
        reserved: other names that no entry may have.
    """

    def __init__(self, kind: str, entries: tuple[Entry, ...] = (), *, reserved: Iterable[str] = ()) -> None:
        self.kind = kind
        self._entries = {entry.name: entry for entry in entries}
        self._built_in = frozenset({*self._entries, *reserved})

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of this name.

        Raises:
            KeyError: the name is not registered.
        """
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def register(self, entry: Entry) -> None:
        """Add an entry; an entry that was registered under the same name is replaced.

        Raises:
            ValueError: the name is not lower case letters, digits and underscores, or is built in.
        """
        if not _NAME.fullmatch(entry.name):
            raise ValueError(f"{self.kind} name must be lower case letters, digits and underscores, got {entry.name!r}")
        if entry.name in self._built_in:
            raise ValueError(f"{self.kind} {entry.name!r} is built in; choose another name")
        self._entries[entry.name] = entry

    def find(self, name: str) -> Entry:
        """Return the entry of this name.

        Raises:
            ValueError: the name is not registered; the message lists those that are.
        """
        if name not in self._entries:
            raise ValueError(
                f"{self.kind} must be one of {', '.join(self._entries)}, got {name!r}; "
                f"others must be registered in each process that trains (register_{self.kind})"
            )
        return self._entries[name]


def check_callable(kind: str, entry: Named, *attributes: str) -> None:
    """Check that attributes of an entry are functions.

    Raises:
        ValueError: one is not.
    """
    for attribute in attributes:
        value = getattr(entry, attribute)
        if not callable(value):
            message = f"{kind} {entry.name!r}: {attribute} must be a function, got {value!r}"
            raise ValueError(message)  # noqa: TRY004 - as all that is wrong with an entry
