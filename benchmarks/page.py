"""Write docs/benchmarks.md from the results that are kept as JSON in benchmarks/results.

python benchmarks/page.py
"""

import json
import statistics
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/benchmarks.md"
OURS = "study"
HEAD = """# Benchmarks

`make bench-jobs` runs it on the machine at hand and writes this page; nothing else should run meanwhile. What counts
is the ratios of one run: on another machine the seconds are others.

"""
JOBS = """## Whole jobs

The same {settings} settings, drawn once, replayed by every system on the same train and dev: half gradient descent on
the full batch (200 to 1,000 epochs), half Adam with mini-batches of 64 (10 to 50 epochs), one to three hidden layers of
16 to 64 units. Two workers. Every cost of an epoch is kept, and logged to MLflow as users of that system do;
`RandomizedSearchCV` tracks nothing. Seconds are wall time from the start of the process to results that can be read:
imports, MLflow's schema and the search. `study` also reads and prepares the data, which the others get prepared.

"""


def main() -> None:
    page = HEAD
    jobs = HERE / "results/jobs.json"
    if jobs.exists():
        page += describe_jobs(json.loads(jobs.read_text()))
    PAGE.write_text(page, encoding="utf-8")


def describe_jobs(results: dict[str, Any]) -> str:
    """Return the section on whole jobs."""
    found: dict[str, dict[str, dict[str, float]]] = results["jobs"]
    systems = list(next(iter(found.values())))
    text = JOBS.format(settings=results["settings"])
    rows = [["system", *found, "times ours"]]
    for system in systems:
        seconds = [found[data][system]["seconds"] for data in found if system in found[data]]
        ratios = [
            found[data][system]["seconds"] / found[data][OURS]["seconds"] for data in found if system in found[data]
        ]
        cells = [f"{found[data][system]['seconds']:.1f} s" if system in found[data] else "not run" for data in found]
        mean = "1" if system == OURS else f"{statistics.geometric_mean(ratios):.1f}"
        rows.append([system, *cells, mean if len(seconds) == len(found) else f"{mean} of those run"])
    text += table(rows)
    rows = [["system", "memory of all processes, at most", "kept on disk, mean", "best accuracy on dev"]]
    for system in systems:
        own = [found[data][system] for data in found if system in found[data]]
        rows.append(
            [
                system,
                f"{max(each['memory'] for each in own) / 1e6:.0f} MB",
                f"{statistics.mean(each['bytes'] for each in own) / 1e6:.1f} MB",
                ", ".join(f"{each['dev_accuracy']:.3f}" for each in own),
            ]
        )
    text += "\n" + table(rows)
    return text + f"\n{stands_on(results)}\n"


def stands_on(results: dict[str, Any]) -> str:
    """Return a line on machine and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"Measured {results['date']} on {results['cores']} cores of {results['processor']}, {versions}."


def table(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table; the first is its head."""
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
