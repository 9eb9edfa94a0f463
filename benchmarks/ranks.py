"""Mean ranks of systems over data sets, and a diagram of significant differences (Demšar, JMLR 7, 2006)."""

from typing import Any

import numpy as np
from scipy.stats import rankdata, studentized_range


def complete_scores(scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the scores of the pairs of data and seed for which every system has a score."""
    systems = {row["system"] for row in scores}
    pairs = {(row["data"], row["seed"]) for row in scores}
    have = {(row["data"], row["seed"], row["system"]) for row in scores}
    whole = {pair for pair in pairs if all((*pair, system) in have for system in systems)}
    return [row for row in scores if (row["data"], row["seed"]) in whole]


def mean_ranks(scores: list[dict[str, Any]], systems: list[str]) -> dict[str, float]:
    """Return the rank of each system, with ties shared, as a mean over seeds and then over data sets."""
    by_data: dict[str, dict[int, list[float]]] = {}
    for row in scores:
        seeds = by_data.setdefault(row["data"], {})
        seeds.setdefault(row["seed"], [0.0] * len(systems))[systems.index(row["system"])] = -row["score"]
    means = [np.mean([rankdata(values) for values in seeds.values()], axis=0) for seeds in by_data.values()]
    return dict(zip(systems, np.mean(means, axis=0).tolist(), strict=True))


def critical_difference(systems: int, sets: int) -> float:
    """Return Nemenyi's critical difference of mean ranks at 5%."""
    return float(
        studentized_range.ppf(0.95, systems, np.inf) / np.sqrt(2) * np.sqrt(systems * (systems + 1) / (6 * sets))
    )


def draw_ranks(ranks: dict[str, float], difference: float) -> str:
    """Return the critical-difference diagram as SVG: a line of ranks with the systems, and bars over ties."""
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    left, width, most = 60, 480, len(ranks)

    def place(rank: float) -> float:
        return left + (rank - 1) / (most - 1) * width

    parts = [f'<path d="M{left} 60H{left + width}" class="line"/>']
    for rank in range(1, most + 1):
        parts.append(
            f'<path d="M{place(rank):.1f} 54V60" class="line"/><text x="{place(rank):.1f}" y="46">{rank}</text>'
        )
    for index, (system, rank) in enumerate(ordered):
        y = 82 + 22 * (most - index)  # with the best system lowest, so no line crosses a name
        parts.append(f'<path d="M{place(rank):.1f} 60V{y - 4}h8" class="thin"/>')
        parts.append(f'<text x="{place(rank) + 12:.1f}" y="{y}" class="name">{system} ({rank:.2f})</text>')
    bars = 0
    for index, (_, first) in enumerate(ordered):
        together = [rank for _, rank in ordered[index:] if rank - first <= difference]
        if len(together) > 1 and (index == 0 or ordered[index - 1][1] < together[-1] - difference):
            y = 68 + 6 * bars
            parts.append(f'<path d="M{place(first) - 3:.1f} {y}H{place(together[-1]) + 3:.1f}" class="bar"/>')
            bars += 1
    style = (
        "text{font:13px system-ui,sans-serif;text-anchor:middle;fill:#444}.name{text-anchor:start}"
        ".line{stroke:#444}.thin{stroke:#888;fill:none}.bar{stroke:#444;stroke-width:4}"
        "@media(prefers-color-scheme:dark){text{fill:#ccc}.line,.bar{stroke:#ccc}}"
    )
    height = 120 + 22 * len(ordered)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 {height}" role="img" aria-label="Mean ranks">'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )
