"""Which row goes into which part. Called by `study.data.opening` with row numbers and the target, nothing else.

All randomness comes from the generator that is handed in; equal seed, rows and target give equal parts.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
QUANTILES = 10
MOST_MOVES = 100  # groups that are tried for one gap, the smallest first


def strata_of(codes: npt.NDArray[np.float64], regression: bool) -> Rows:
    """Return the stratum (m,) of each example: its class, or for regression its tenth of the target's range."""
    if not regression:
        return codes.astype(np.int64)
    # By rank, so that equal values may part but the tenths are equal in size.
    ranks = np.argsort(np.argsort(codes, kind="stable"), kind="stable")
    bins = max(1, min(QUANTILES, len(codes) // 5))
    return (ranks * bins // len(codes)).astype(np.int64)


def split_stratified(
    strata: Rows, shares: Sequence[float], generator: np.random.Generator, *, everywhere: bool = False
) -> list[Rows]:
    """Return the examples (sorted numbers 0..m-1) of each part, every stratum shared out alike.

    Counts differ from the shares by less than one in the sum, and by about one in each stratum; the first
    part gets at least one of each stratum.

    Args:
        strata: (m,), numbers from 0.
        shares: of the parts; their sum does not matter.
        generator: what draws.
        everywhere: whether the other parts get at least one of each stratum too, in their order as far as its examples
            go and as the sizes of the parts allow.
    """
    weights = np.asarray(shares, dtype=np.float64) / np.sum(shares)
    order = generator.permutation(len(strata))
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    sizes = np.bincount(strata)
    sizes = sizes[sizes > 0]
    counts = _share_out(sizes, weights)
    if everywhere:
        _fill_gaps(counts, sizes[:, None] * weights)
    # The rows of a stratum lie together; each part takes its count of them, in the order of the parts.
    ends = np.cumsum(counts)
    pieces = np.split(by_stratum, ends[:-1])
    return [np.sort(np.concatenate(pieces[part :: len(weights)])) for part in range(len(weights))]


def _share_out(sizes: Rows, weights: npt.NDArray[np.float64]) -> Rows:
    """Return how many examples of each stratum (row) each part (column) gets."""
    table, carried = [], np.zeros(len(weights))
    for size in sizes:
        wanted = weights * size + carried
        counts = _whole_numbers(wanted, int(size))
        if counts[0] == 0:
            counts[0] += 1
            counts[int(np.argmax(counts[1:])) + 1] -= 1
        carried = wanted - counts
        table.append(counts)
    return np.stack(table)


def _fill_gaps(counts: Rows, wanted: npt.NDArray[np.float64]) -> None:
    """Give a part that has none of a stratum one of them, for one of another stratum, so that sizes stay as they are.

    counts, wanted: (strata, parts); counts are changed. With n examples the first n parts are to have one.
    """
    parts = counts.shape[1]
    for stratum, size in enumerate(counts.sum(axis=1)):
        for part in range(min(int(size), parts)):
            if counts[stratum, part]:
                continue
            keeps = np.where(np.arange(parts) < size, 1, 0)  # what a giving part is left with
            excess = np.where(counts[stratum] > keeps, counts[stratum] - wanted[stratum], -np.inf)
            giver = int(np.argmax(excess))
            spare = np.where(counts[:, part] > 1, counts[:, part] - wanted[:, part], -np.inf)
            back = int(np.argmax(spare))
            if np.isfinite(spare[back]):
                counts[[stratum, back], part] += [1, -1]
                counts[[stratum, back], giver] += [-1, 1]


def split_groups(
    groups: Rows, strata: Rows, shares: Sequence[float], generator: np.random.Generator, *, everywhere: bool = False
) -> list[Rows]:
    """Return the examples of each part so that no group is in two, sizes and strata as near as groups allow.

    Largest group first, each to the part that it brings nearest to its due (the rule of scikit-learn's
    StratifiedGroupKFold, for parts of unequal size).

    Args:
        groups: (m,), numbers from 0.
        strata: (m,), numbers from 0.
        shares: of the parts; their sum does not matter.
        generator: what draws.
        everywhere: whether groups are moved after that, where a part would have no example of a stratum.
    """
    weights = np.asarray(shares, dtype=np.float64) / np.sum(shares)
    n_groups, n_strata = int(groups.max()) + 1, int(strata.max()) + 1
    # Strata weigh little where there are many: counts by group and stratum, one row a group.
    counts = np.zeros((n_groups, n_strata))
    np.add.at(counts, (groups, strata), 1.0)
    due = weights[:, None] * counts.sum(axis=0)[None, :]
    given = np.zeros_like(due)
    order = generator.permutation(n_groups)
    order = order[np.argsort(-counts.sum(axis=1)[order], kind="stable")]
    total = np.maximum(counts.sum(axis=0), 1.0)
    part_of = np.empty(n_groups, dtype=np.int64)
    for group in order:
        before = (((given - due) / total) ** 2).sum(axis=1)
        after = (((given + counts[group] - due) / total) ** 2).sum(axis=1)
        part = int(np.argmin((after - before) / weights))
        part_of[group] = part
        given[part] += counts[group]
    if everywhere:
        there = counts.any(axis=0)
        _fill_gaps_by_groups(part_of, counts[:, there], due[:, there])
    parts = part_of[groups]
    return [np.flatnonzero(parts == part).astype(np.int64) for part in range(len(weights))]


def _fill_gaps_by_groups(part_of: Rows, counts: npt.NDArray[np.float64], due: npt.NDArray[np.float64]) -> None:
    """Move groups, alone or in exchange for another, while that leaves fewer parts without a stratum.

    Each time the move with the fewest gaps, and of these the one with sizes nearest to what is due. A gap of the first
    part counts more than all others: without it nothing can be learned of the stratum.

    Args:
        part_of: (groups,), the part of each; changed.
        counts: (groups, strata), examples.
        due: (parts, strata), examples that each part should have.
    """
    given = np.stack([counts[part_of == part].sum(axis=0) for part in range(len(due))])
    while True:
        moves = [move for part, stratum in np.argwhere(given == 0) for move in _moves(part, stratum, part_of, counts)]
        best, best_key = None, (int(_gaps(given)), -np.inf)
        for part, group, others in moves:
            after = np.repeat(given[None], len(others), axis=0)
            gained = counts[group] - np.where(others[:, None] >= 0, counts[others], 0.0)
            after[:, part] += gained
            after[:, part_of[group]] -= gained
            gaps, distances = _gaps(after), ((after - due) ** 2 / due).sum(axis=(1, 2))
            place = int(np.lexsort((distances, gaps))[0])
            key = (int(gaps[place]), float(distances[place]))
            if key < best_key:
                best, best_key = (part, group, others[place], after[place]), key
        if best is None:
            return
        part, group, other, given = best
        if other >= 0:
            part_of[other] = part_of[group]
        part_of[group] = part


def _moves(part: int, stratum: int, part_of: Rows, counts: npt.NDArray[np.float64]) -> list[tuple[int, int, Rows]]:
    """Return moves that give a part a stratum: (part, group that comes, groups that may go in exchange; -1 is none)."""
    coming = np.flatnonzero(counts[:, stratum] > 0)
    if len(coming) == len(np.unique(part_of[coming])) and part > 0:
        return []  # each is the only one that its part has
    coming = coming[np.argsort(counts[coming].sum(axis=1), kind="stable")][:MOST_MOVES]
    others = np.concatenate([[-1], np.flatnonzero(part_of == part)])
    return [(part, int(group), others) for group in coming]


def _gaps(given: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return how many strata parts (the last axes: parts, strata) are without; those of the first part count most."""
    empty = given == 0
    return np.asarray(empty.sum(axis=(-1, -2)) + empty[..., 0, :].sum(axis=-1) * given.shape[-1] * given.shape[-2])


def split_in_time(times: npt.NDArray[np.float64], shares: Sequence[float]) -> list[Rows]:
    """Return the examples of each part, the earliest in the first; examples of equal time stay together."""
    weights = np.asarray(shares, dtype=np.float64) / np.sum(shares)
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts = [0]
    for end in np.cumsum(weights)[:-1]:
        cut = round(float(end) * len(times))
        # A cut within equal times moves to the nearer end of them.
        low = int(np.searchsorted(ordered, ordered[min(cut, len(times) - 1)], side="left"))
        high = int(np.searchsorted(ordered, ordered[min(cut, len(times) - 1)], side="right"))
        cut = low if cut - low <= high - cut else high
        cuts.append(max(cut, cuts[-1]))
    cuts.append(len(times))
    return [np.sort(order[begin:end]) for begin, end in pairwise(cuts)]


def _whole_numbers(wanted: npt.NDArray[np.float64], total: int) -> npt.NDArray[np.int64]:
    """Return whole numbers near the wanted ones that sum to total (largest remainder)."""
    counts = np.maximum(np.floor(wanted), 0.0).astype(np.int64)
    while counts.sum() > total:
        counts[int(np.argmax(np.where(counts > 0, counts - wanted, -np.inf)))] -= 1
    while counts.sum() < total:
        counts[int(np.argmax(wanted - counts))] += 1
    return counts
