"""How much memory a file may take: what this process may still use, asked before anything is unpacked."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study.errors import UserError
from study.text.formatting import counted

LARGEST = 1 << 34  # bytes that are read from one file, however large the machine
COPIES = 4  # what was read is held about as often on its way to the network
CGROUPS = Path("/sys/fs/cgroup")


class Room:
    """The memory that one file may take, fixed when reading begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = min(LARGEST, available() // COPIES)
        self.taken = 0

    def check(self, what: str, size: int) -> None:
        """Check that there is room for something before it is read.

        Raises:
            UserError: it is larger than what is left.
        """
        if self.taken + size > self.bytes:
            left = f"{max(0, self.bytes - self.taken):,}{' more' if self.taken else ''}"
            raise UserError(
                f"{self.path.name}: {what} is said to have {counted(size, 'byte')}, and there is room for {left}; "
                f"use a smaller file, or a machine with more memory"
            )

    def take(self, what: str, size: int) -> None:
        """Check as `check`, and count it as taken."""
        self.check(what, size)
        self.taken += size


@contextmanager
def answered(path: Path) -> Iterator[None]:
    """Read a file within the block.

    Raises:
        UserError: in place of a MemoryError, which does not name the file.
    """
    try:
        yield
    except MemoryError as error:
        raise UserError(
            f"{path.name}: does not fit into memory ({available() >> 20:,} MiB are free); "
            f"use a smaller file, or a machine with more memory"
        ) from error


def available() -> int:
    """Return how many bytes this process may still allocate: the least that the machine and its limits leave."""
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
    """Yield what each group of processes that this one is in may still use; files that are cached count as free."""
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
    """Return the whole numbers in a file of the kernel's; none where there is no such file, or it says "max"."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
