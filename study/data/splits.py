"""Divide rows into splits, given only the target and, optionally, groups or times.

All randomness comes from the generator argument. The same seed, rows and target give the same splits.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
QUANTILES = 10
MOST_MOVES = 100  # maximum number of groups tried for one gap, the smallest first


def strata_of(codes: npt.NDArray[np.float64], regression: bool) -> Rows:
    """Return the stratum of each example, (m,): its class, or the decile of its target for regression."""
    if not regression:
        return codes.astype(np.int64)
    # Based on ranks, so that deciles have equal sizes although equal values may be separated.
    ranks = np.argsort(np.argsort(codes, kind="stable"), kind="stable")
    bins = max(1, min(QUANTILES, len(codes) // 5))
    return (ranks * bins // len(codes)).astype(np.int64)


def split_stratified(
    strata: Rows, shares: Sequence[float], generator: np.random.Generator, *, everywhere: bool = False
) -> list[Rows]:
    """Return the examples of each split (sorted numbers in 0..m-1), with every stratum divided in the same proportions.

    The sizes of the splits differ from their shares by less than one in total and by about one in each stratum. The
    first split gets at least one example of each stratum.

    Args:
        strata: Stratum of each example, (m,), starting at 0.
        shares: Relative sizes of the splits, with any sum.
        generator: The random generator.
        everywhere: Whether the other splits also get at least one example of each stratum, as far as the number of
            examples and the sizes of the splits allow. Earlier splits take precedence.
    """
    weights = np.asarray(shares, dtype=np.float64) / np.sum(shares)
    order = generator.permutation(len(strata))
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    sizes = np.bincount(strata)
    sizes = sizes[sizes > 0]
    counts = _share_out(sizes, weights)
    if everywhere:
        _fill_gaps(counts, sizes[:, None] * weights)
    # The rows of a stratum are contiguous. Each part takes its count of them, in the order of the parts.
    ends = np.cumsum(counts)
    pieces = np.split(by_stratum, ends[:-1])
    return [np.sort(np.concatenate(pieces[part :: len(weights)])) for part in range(len(weights))]


def _share_out(sizes: Rows, weights: npt.NDArray[np.float64]) -> Rows:
    """Return the number of examples of each stratum (row) in each split (column)."""
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
    """Give splits that lack a stratum an example of it, in exchange for one of another stratum, so sizes are unchanged.

    A stratum with n examples should be in the first n splits.

    Args:
        counts: Number of examples, (strata, splits); changed in place.
        wanted: Ideal number of examples, (strata, splits).
    """
    parts = counts.shape[1]
    for stratum, size in enumerate(counts.sum(axis=1)):
        for part in range(min(int(size), parts)):
            if counts[stratum, part]:
                continue
            keeps = np.where(np.arange(parts) < size, 1, 0)  # the minimum that remains in the giving part
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
    """Return the examples of each split such that no group is divided, with sizes and strata close to the shares.

    The largest groups are assigned first, each to the split that it brings closest to its share. This is the rule of
    scikit-learn's StratifiedGroupKFold, generalized to splits of unequal size.

    Args:
        groups: Group of each example, (m,), starting at 0.
        strata: Stratum of each example, (m,), starting at 0.
        shares: Relative sizes of the splits, with any sum.
        generator: The random generator.
        everywhere: Whether groups are moved afterwards if a split has no examples of a stratum.
    """
    weights = np.asarray(shares, dtype=np.float64) / np.sum(shares)
    n_groups, n_strata = int(groups.max()) + 1, int(strata.max()) + 1
    # Number of examples by group (row) and stratum (column).
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
    """Move or exchange groups as long as that reduces the number of gaps: strata that are absent from a split.

    Each step makes the move that leaves the fewest gaps and, among these, the sizes closest to the ideal. A gap in the
    first split counts more than all others together, because nothing can be learned about a stratum without it.

    Args:
        part_of: Part of each group, (groups,); changed in place.
        counts: Number of examples, (groups, strata).
        due: Ideal number of examples, (splits, strata).
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
    """Return moves that fill a gap: (split, group to move there, groups to move out in exchange, where -1 is none)."""
    coming = np.flatnonzero(counts[:, stratum] > 0)
    if len(coming) == len(np.unique(part_of[coming])) and part > 0:
        return []  # each of these groups is the only one of the stratum in its part
    coming = coming[np.argsort(counts[coming].sum(axis=1), kind="stable")][:MOST_MOVES]
    others = np.concatenate([[-1], np.flatnonzero(part_of == part)])
    return [(part, int(group), others) for group in coming]


def _gaps(given: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the number of gaps over the last two axes (splits, strata); the first split has a larger weight."""
    empty = given == 0
    return np.asarray(empty.sum(axis=(-1, -2)) + empty[..., 0, :].sum(axis=-1) * given.shape[-1] * given.shape[-2])


def split_in_time(times: npt.NDArray[np.float64], shares: Sequence[float]) -> list[Rows]:
    """Return the examples of each split in time order. Examples with equal times stay together."""
    weights = np.asarray(shares, dtype=np.float64) / np.sum(shares)
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts = [0]
    for end in np.cumsum(weights)[:-1]:
        cut = round(float(end) * len(times))
        # A cut within a run of equal times moves to the closer end of the run.
        low = int(np.searchsorted(ordered, ordered[min(cut, len(times) - 1)], side="left"))
        high = int(np.searchsorted(ordered, ordered[min(cut, len(times) - 1)], side="right"))
        cut = low if cut - low <= high - cut else high
        cuts.append(max(cut, cuts[-1]))
    cuts.append(len(times))
    return [np.sort(order[begin:end]) for begin, end in pairwise(cuts)]


def _whole_numbers(wanted: npt.NDArray[np.float64], total: int) -> npt.NDArray[np.int64]:
    """Round numbers to integers that sum to `total`, by the largest remainder method."""
    counts = np.maximum(np.floor(wanted), 0.0).astype(np.int64)
    while counts.sum() > total:
        counts[int(np.argmax(np.where(counts > 0, counts - wanted, -np.inf)))] -= 1
    while counts.sum() < total:
        counts[int(np.argmax(wanted - counts))] += 1
    return counts
