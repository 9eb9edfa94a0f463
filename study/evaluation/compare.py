"""`study compare`: the differences between trials, with intervals, tests and plain descriptions, and their curves.

The test depends on the data: McNemar's test for the accuracy of single networks, a paired bootstrap over examples for
their other metrics, and a t test over seeds and examples if there are several seeds, with Holm's correction if there
are several pairs. See docs/comparison.md.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.metrics import METRICS, labels
from engine.worker_data import restore_pairs
from study.charts.curves import compared_curves
from study.charts.svg import draw_charts
from study.errors import UserError
from study.evaluation.candidates import CandidateNetworks, ComparedData, differing, gather
from study.evaluation.comparison import ComparedNetwork, ComparedPair, Comparison
from study.evaluation.influence import largest_weight, truth_of
from study.evaluation.paired_tests import holm, paired_bootstrap, paired_shares
from study.evaluation.statistics import ALPHA, CrossedAnova, Interval, crossed_anova, generator
from study.ledger.home import Home
from study.text.formatting import agree, counted

DRAWS = 2000
FEWEST_DRAWS = 400
EFFORT = 20_000_000  # examples over all draws, which limits the number of draws


def compare(home: Home, name: str, items: Sequence[str], picture: Path | None = None) -> Comparison:
    """Compare trials; return the differences between them, and draw their curves.

    Args:
        home: the home of the studies.
        name: name of the study.
        items: the trials to compare; see `study.evaluation.candidates.gather`.
        picture: path of the SVG file for the curves; None uses a file in the study's folder.

    Raises:
        UserError: a trial cannot be compared, or the picture cannot be written.
    """
    compared = gather(home, name, items)
    candidates = compared.candidates
    weight = largest_weight(compared.metric, truth_of(candidates[0].folds, compared.part))
    table = crossed_anova(np.stack([candidate.table for candidate in candidates]), compared.metric, weight)
    pairs = _pairs(compared, table)
    default = home.folder(name).path / "compare" / f"{'-'.join(c.label.replace(':', '_') for c in candidates)}.svg"
    place = picture or default
    _draw(place, draw_charts(compared_curves(compared.metric, [(_title(c, name), c.file) for c in candidates])))
    return Comparison(
        metric=compared.metric,
        direction=METRICS[compared.metric].direction,
        part=compared.part,
        m=table.m,
        seeds=table.S,
        networks="confirm" if compared.confirmed else "search",
        contenders=tuple(_described(c, table, k) for k, c in enumerate(candidates)),
        pairs=pairs,
        parameters=differing(candidates),
        picture=str(place),
    )


def _draw(path: Path, picture: str) -> None:
    if path.suffix.lower() != ".svg":
        raise UserError(f"--picture {path}: must end in .svg")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--picture {path}: could not be written ({error.strerror}); choose another path") from None


def _pairs(compared: ComparedData, table: CrossedAnova) -> tuple[ComparedPair, ...]:
    """Return the difference between each pair of candidates, with p adjusted for the number of pairs."""
    candidates = compared.candidates
    places = list(combinations(range(len(candidates)), 2))
    tests = [_test(compared, table, i, j) for i, j in places]
    adjusted = holm([difference.p for difference, _ in tests])
    return tuple(
        ComparedPair(
            first=candidates[i].label,
            second=candidates[j].label,
            estimate=difference.estimate,
            low=difference.low,
            high=difference.high,
            p=difference.p,
            p_holm=p,
            different=p < ALPHA,
            test=test,
            effect=_effect(compared, i, j, difference),
        )
        for (i, j), (difference, test), p in zip(places, tests, adjusted, strict=True)
    )


def _test(compared: ComparedData, table: CrossedAnova, i: int, j: int) -> tuple[Interval, str]:
    """Return the difference between two candidates, and the name of the test."""
    first, second = compared.candidates[i], compared.candidates[j]
    if table.S > 1:
        return table.difference(i, j), "t test over seeds and examples"
    if compared.metric == "accuracy":
        one, other = _right(compared, first), _right(compared, second)
        return paired_shares(int((one & ~other).sum()), int((other & ~one).sum()), len(one)), "McNemar, exact"
    compute, m = METRICS[compared.metric].compute, table.m
    (Y, A), (_, B) = _restored(first), _restored(second)

    def resampled(places: IntArray) -> tuple[float, float]:
        return compute(Y[:, places], A[:, places]), compute(Y[:, places], B[:, places])

    draws = int(np.clip(EFFORT // m, FEWEST_DRAWS, DRAWS))
    return paired_bootstrap(resampled, m, generator(compared.seed), draws), "paired bootstrap over examples"


def _right(compared: ComparedData, candidate: CandidateNetworks) -> BoolArray:
    """Return which examples a single network predicts correctly, (m,)."""
    Y = truth_of(compared.candidates[0].folds, compared.part)
    right: BoolArray = labels(Y) == labels(candidate.predictions[0])
    return right


def _restored(candidate: CandidateNetworks) -> tuple[Array, Array]:
    """Return truth and prediction of a single network, or of one network per fold, in the unit of the table."""
    pairs = restore_pairs(candidate.folds, candidate.predictions[0])
    Y, A = (np.concatenate(arrays, axis=1) for arrays in zip(*pairs, strict=True))
    return Y, A


def _described(candidate: CandidateNetworks, table: CrossedAnova, place: int) -> ComparedNetwork:
    mean = table.interval(place)
    return ComparedNetwork(
        label=candidate.label,
        study=candidate.study,
        trial=candidate.row.number,
        value=mean.estimate,
        low=mean.low,
        high=mean.high,
        by_seed=tuple(float(value) for value in table.by_seed[place]),
        work=candidate.row.work or 0.0,
        parameters=int(candidate.file.parameters.shape[1]),
    )


def _effect(compared: ComparedData, i: int, j: int, difference: Interval) -> str:
    """Return a plain description of a difference."""
    first, second = compared.candidates[i], compared.candidates[j]
    m = first.table.shape[1]
    if compared.metric == "accuracy" and len(first.table) == 1:
        one, other = _right(compared, first), _right(compared, second)
        a, b = int((one & ~other).sum()), int((other & ~one).sum())
        return (
            f"of {counted(m, 'example')}, {a} {agree(a, 'is', 'are')} classified correctly only by trial {first.label}"
            f", and {b} only by trial {second.label}"
        )
    if compared.metric == "accuracy":
        ahead, behind = (first, second) if difference.estimate >= 0 else (second, first)
        more = abs(difference.estimate)
        return f"of 1000 examples, trial {ahead.label} gets {1000 * more:.3g} more right than trial {behind.label}"
    mine, theirs = (float(candidate.table.mean()) for candidate in (first, second))
    title = METRICS[compared.metric].title
    values = f"{title} {mine:.4g} for trial {first.label} and {theirs:.4g} for trial {second.label}"
    if not theirs:
        return values
    return f"{values}, {100 * abs((mine - theirs) / theirs):.2g}% {'more' if mine > theirs else 'less'}"


def _title(candidate: CandidateNetworks, name: str) -> str:
    return f"trial {candidate.label}" if candidate.study == name else candidate.label
