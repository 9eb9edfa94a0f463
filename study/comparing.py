"""`study compare`: the difference of trials, with interval and test, in plain words, and their curves in a picture.

The test fits what is there: McNemar's for the accuracy of single networks, a paired bootstrap over examples for their
other metrics, a t test over seeds and examples where there are several seeds; Holm's correction where there are several
pairs. What that means: docs/comparison.md.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Array, BoolArray, IntArray
from engine.metrics import METRICS, labels
from engine.worker_data import restore_pairs
from study.charts.curves import compared_curves
from study.charts.svg import draw_charts
from study.contenders import Contender, Contest, differing, examples_of, gather
from study.errors import UserError
from study.home import Home
from study.statistics import (
    ALPHA,
    Crossed,
    Interval,
    crossed,
    generator,
    holm,
    paired_bootstrap,
    paired_shares,
)

DRAWS = 2000
FEWEST_DRAWS = 400
EFFORT = 20_000_000  # examples that all draws go through


def compare(home: Home, name: str, items: Sequence[str], picture: Path | None = None) -> dict[str, Any]:
    """Compare trials; return what came out, as JSON has it.

    Args:
        home: where state lives.
        name: of the study.
        items: what is compared, as `study.contenders.gather` takes it.
        picture: where the curves are drawn as SVG; None is a file in the study's folder.

    Raises:
        UserError: one of them cannot be compared, or the picture cannot be written.
    """
    contest = gather(home, name, items)
    contenders = contest.contenders
    table = crossed(np.stack([contender.table for contender in contenders]))
    pairs = [(*pair, *_test(contest, table, *pair)) for pair in combinations(range(len(contenders)), 2)]
    adjusted = holm([difference.p for _, _, difference, _ in pairs])
    default = home.folder(name).path / "compare" / f"{'-'.join(c.label.replace(':', '_') for c in contenders)}.svg"
    place = picture or default
    _draw(place, draw_charts(compared_curves(contest.metric, [(_title(c, name), c.file) for c in contenders])))
    return {
        "metric": contest.metric,
        "direction": METRICS[contest.metric].direction,
        "part": contest.part,
        "m": table.m,
        "seeds": table.S,
        "networks": "confirm" if contest.confirmed else "search",
        "contenders": [_described(contest.metric, c, table, k) for k, c in enumerate(contenders)],
        "pairs": [
            {
                "first": contenders[i].label,
                "second": contenders[j].label,
                "estimate": difference.estimate,
                "low": difference.low,
                "high": difference.high,
                "p": difference.p,
                "p_holm": p,
                "different": p < ALPHA,
                "test": test,
                "effect": _effect(contest, i, j, difference),
            }
            for (i, j, difference, test), p in zip(pairs, adjusted, strict=True)
        ],
        "parameters": differing(contenders),
        "picture": str(place),
    }


def _draw(path: Path, picture: str) -> None:
    if path.suffix.lower() != ".svg":
        raise UserError(f"--picture {path}: must end in .svg")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--picture {path}: cannot be written ({error.strerror}); name a file elsewhere") from None


def _test(contest: Contest, table: Crossed, i: int, j: int) -> tuple[Interval, str]:
    """Return the difference of two contenders and the name of the test."""
    first, second = contest.contenders[i], contest.contenders[j]
    if table.S > 1:
        return table.difference(i, j), "t test over seeds and examples"
    if contest.metric == "accuracy":
        one, other = _right(contest, first), _right(contest, second)
        return paired_shares(int((one & ~other).sum()), int((other & ~one).sum()), len(one)), "McNemar, exact"
    compute, m = METRICS[contest.metric].compute, table.m
    (Y, A), (_, B) = _restored(contest, first), _restored(contest, second)

    def resampled(places: IntArray) -> tuple[float, float]:
        return compute(Y[:, places], A[:, places]), compute(Y[:, places], B[:, places])

    rng = generator(first.study.spec.search.seed)
    draws = int(np.clip(EFFORT // m, FEWEST_DRAWS, DRAWS))
    return paired_bootstrap(resampled, m, rng, draws), "paired bootstrap over examples"


def _right(contest: Contest, contender: Contender) -> BoolArray:
    """Return which examples a single network has right, (m,)."""
    Y = np.concatenate([fold.dev_Y for fold in contest.folds], axis=1)
    right: BoolArray = labels(Y) == labels(contender.predictions[0])
    return right


def _restored(contest: Contest, contender: Contender) -> tuple[Array, Array]:
    """Return truth and prediction of a single network, or of one a fold, in the unit of the table."""
    pairs = restore_pairs(examples_of(contest, contender), contender.predictions[0])
    Y, A = (np.concatenate(arrays, axis=1) for arrays in zip(*pairs, strict=True))
    return Y, A


def _described(metric: str, contender: Contender, table: Crossed, place: int) -> dict[str, Any]:
    mean = table.interval(metric, place)
    return {
        "label": contender.label,
        "study": contender.study.name,
        "trial": contender.row.number,
        "value": mean.estimate,
        "low": mean.low,
        "high": mean.high,
        "by_seed": [float(value) for value in table.by_seed[place]],
        "work": contender.work,
        "parameters": int(contender.file.parameters.shape[1]),
    }


def _effect(contest: Contest, i: int, j: int, difference: Interval) -> str:
    """Return the difference in plain words."""
    first, second = contest.contenders[i], contest.contenders[j]
    m = first.table.shape[1]
    if contest.metric == "accuracy" and len(first.table) == 1:
        one, other = _right(contest, first), _right(contest, second)
        a, b = int((one & ~other).sum()), int((other & ~one).sum())
        return f"of {m} examples {first.label} alone gets {a} right, {second.label} alone {b}"
    if contest.metric == "accuracy":
        ahead, behind = (first, second) if difference.estimate >= 0 else (second, first)
        more = abs(difference.estimate)
        return f"of 1000 examples {ahead.label} gets {1000 * more:.3g} more right than {behind.label}"
    mine, theirs = (float(contender.table.mean()) for contender in (first, second))
    said = f"{METRICS[contest.metric].title} {mine:.4g} of {first.label} against {theirs:.4g} of {second.label}"
    if not theirs:
        return said
    return f"{said}, {100 * abs((mine - theirs) / theirs):.2g}% {'more' if mine > theirs else 'less'}"


def _title(contender: Contender, name: str) -> str:
    return f"trial {contender.label}" if contender.study.name == name else contender.label
