"""Registries of named entries that specs and settings refer to, either built in or added by `register_*`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The name in specs and settings."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry], Generic[Entry]):
    """A mapping from names to entries in the order of registration.

    Args:
        kind: kind of the entries in messages, such as "optimizer".
        entries: built-in entries.
        reserved: further names that cannot be registered.
    """

    def __init__(self, kind: str, entries: tuple[Entry, ...] = (), *, reserved: Iterable[str] = ()) -> None:
        self.kind = kind
        self._entries = {entry.name: entry for entry in entries}
        self._built_in = frozenset({*self._entries, *reserved})

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of this name.

        Raises:
            KeyError: if the name is not registered.
        """
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def register(self, entry: Entry) -> None:
        """Add an entry, or replace the one that was registered under the same name.

        Raises:
            ValueError: if the name is built in, or does not consist of lowercase letters, digits and underscores.
        """
        if not _NAME.fullmatch(entry.name):
            raise ValueError(
                f"{self.kind} name must consist of lowercase letters, digits and underscores, got {entry.name!r}"
            )
        if entry.name in self._built_in:
            raise ValueError(f"{self.kind} {entry.name!r} is built in; choose another name")
        self._entries[entry.name] = entry

    def added(self, names: Iterable[str]) -> list[Entry]:
        """Return the entries that were registered under one of these names, without built-in ones, in their order."""
        wanted = set(names) - self._built_in
        return [entry for name, entry in self._entries.items() if name in wanted]

    def find(self, name: str) -> Entry:
        """Return the entry of this name.

        Raises:
            ValueError: if the name is not registered; the message lists the registered names.
        """
        if name not in self._entries:
            raise ValueError(
                f"{self.kind} must be one of {', '.join(self._entries)}, got {name!r}; "
                f"to add one, call register_{self.kind} in this process"
            )
        return self._entries[name]


def check_callable(kind: str, entry: Named, *attributes: str) -> None:
    """Check that attributes of an entry are functions.

    Raises:
        ValueError: if one of them is not callable.
    """
    for attribute in attributes:
        value = getattr(entry, attribute)
        if not callable(value):
            message = f"{kind} {entry.name!r}: {attribute} must be a function, got {value!r}"
            raise ValueError(message)  # noqa: TRY004 - like all other errors in an entry
