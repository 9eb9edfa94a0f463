"""Memory limits for reading files, checked before anything is unpacked."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study.errors import UserError
from study.spec.encoding import Encoding
from study.text.formatting import counted

ENCODED_BYTES = 20  # of a number while it is encoded: in float64 by column and for all columns, and in float32
LARGEST = 1 << 34  # maximum number of bytes read from one file on any machine
COPIES = 4  # about this many copies of the data exist while they are prepared
CGROUPS = Path("/sys/fs/cgroup")


class Room:
    """A memory budget for one file, fixed when reading starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = min(LARGEST, available() // COPIES)
        self.taken = 0

    def check(self, what: str, size: int) -> None:
        """Check, before something is read, that it fits into the rest of the budget.

        Raises:
            UserError: If it does not fit.
        """
        if self.taken + size > self.bytes:
            left = f"{max(0, self.bytes - self.taken):,}{' more' if self.taken else ''}"
            raise UserError(
                f"{self.path.name}: {what} needs {counted(size, 'byte')} of memory, but only {left} are available; "
                f"use a smaller file or a machine with more memory"
            )

    def take(self, what: str, size: int) -> None:
        """Do the same check, and subtract the size from the budget."""
        self.check(what, size)
        self.taken += size


@contextmanager
def answered(path: Path) -> Iterator[None]:
    """Turn a MemoryError inside the block into an error that names the file.

    Raises:
        UserError: If the block raises a MemoryError.
    """
    try:
        yield
    except MemoryError as error:
        raise UserError(
            f"{path.name} does not fit into memory ({available() >> 20:,} MiB are free); "
            f"use a smaller file or a machine with more memory"
        ) from error


def check_encoding(encoding: Encoding, examples: int, features: int) -> None:
    """Check, before examples are encoded, that there is enough memory for their features.

    Raises:
        UserError: If there is not.
    """
    needed, free = ENCODED_BYTES * examples * features, available()
    if needed > free:
        fewer = "lower bins" if encoding.bins else f"leave out {encoding.name!r}"
        raise UserError(
            f"[space] encoding: {encoding.label!r} makes {counted(features, 'feature')} of "
            f"{counted(examples, 'example')}, which needs {counted(needed, 'byte')} of memory, but only {free:,} are "
            f"available; {fewer}, or use a machine with more memory"
        )


def available() -> int:
    """Return the number of bytes that this process can still allocate within the limits of machine and process."""
    free = [LARGEST * COPIES, _free_in_machine(), *_free_in_cgroups()]
    pages = _numbers(Path("/proc/self/statm"))
    for limit, place in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY:
            used = pages[place] * resource.getpagesize() if len(pages) > place else 0
            free.append(most - used)
    return max(0, min(free))


def _free_in_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return LARGEST * COPIES
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), LARGEST * COPIES)


def _free_in_cgroups() -> Iterator[int]:
    """Yield the number of bytes that each cgroup of this process can still use. Cached files count as free."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    own = next((line.partition("::")[2].strip("/") for line in lines if line.startswith("0::")), "")
    groups = [(CGROUPS / own, "memory.max", "memory.current")]
    groups += [
        (folder, "memory.max", "memory.current") for folder in (CGROUPS / own).parents if folder != CGROUPS.parent
    ]
    groups.append((CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))
    for folder, most, used in groups:
        limit, now = _numbers(folder / most), _numbers(folder / used)
        if limit and now:
            yield limit[0] - now[0] + _cached(folder / "memory.stat")


def _cached(path: Path) -> int:
    try:
        words = dict(line.split()[:2] for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(words.get("total_inactive_file", words.get("inactive_file", "0")))


def _numbers(path: Path) -> list[int]:
    """Return the integers in a kernel file, or an empty list if the file does not exist or contains "max"."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
