"""Write docs/benchmarks.md from the results stored as JSON in benchmarks/results.

python benchmarks/page.py
"""

import json
import statistics
from pathlib import Path
from typing import Any

from ranks import complete_scores, critical_difference, draw_ranks, mean_ranks

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/benchmarks.md"
PICTURE = HERE.parent / "docs/pictures/ranks.svg"
OURS = "study"
HEAD = """# Benchmarks

`make bench` runs these benchmarks on your machine and regenerates this page. `make bench-jobs`, `make bench-ours` and
`make bench-quality` run one part each; `make bench-scaling`, which takes most of an hour, is not included. Nothing
else should run on the machine at the same time. Only the ratios within one run are meaningful: the seconds differ
from machine to machine.

"""
JOBS = """## End-to-end runs

Every system trains the same {settings} configurations, drawn once, on the same train and dev sets. Half of them use
gradient descent on the full batch (200 to 1,000 epochs), the other half Adam with mini-batches of 64 (10 to 50
epochs); they have one to three hidden layers of 16 to 64 units. There are two workers. The cost of every epoch
is stored, and logged to MLflow in the way that is usual for that system; `RandomizedSearchCV` tracks nothing.

Times are wall-clock seconds from the start of the process to its end, with everything in MLflow; they include
imports, creating MLflow's schema, and the search. For a system that tracks nothing, the comparison uses the time at
which `study` prints its table: {printed} s. `study` also reads and prepares the data; the others receive it already
prepared. The home of `study` is empty, but MLflow's empty tables are cached from an earlier home. Ray Tune takes so
long to report that it gets only the first 16 configurations. `study` and each of the others take turns, with the same
number of configurations. Jobs that take less than 20 seconds are run three times. All values are medians.

"""


QUALITY = """## Search quality in a minute

Each system gets {seconds:g} seconds on two cores, including startup, for each of {sets} data sets that scikit-learn
ships or generates. A quarter of the rows is the test set, drawn again for each of {seeds} seeds. `study` runs the
spec that `study init` drafts, and trains the final model on train and dev. The other systems run the kind of search
that people write by hand (benchmarks/searches). The table shows the mean accuracy on the test set:

"""
RANKS = """
![Mean ranks of the systems](pictures/{picture})

These are mean ranks over the data sets; 1 is best. Systems that share a bar do not differ significantly by Nemenyi's
test at the 5% level (critical difference {difference:.2f}; Demšar, JMLR 7, 2006).

"""
OURS_HEAD = """## Where the time of `study` goes

A study of one trial on iris prints its table after {fresh[table]:.1f} s if the home is empty and nothing was cached,
and ends, with everything in MLflow, after {fresh[end]:.1f} s. In an existing home, it takes {existing[table]:.1f} s
and {existing[end]:.1f} s. For the jobs above, the tables show the peak memory of each process, and the CPU
seconds that it spends on each part of its work, as sampled by py-spy, which slows the processes down slightly.

"""
SCALING = """## How far one coordinator scales

The first table shows the cost of a trial to the coordinator, in milliseconds, if the workers take no time and the
ledger already holds the given number of trials: asking for the trial (TPE), reporting the results of all its rounds,
saving its training states, and, in a separate process, exporting it to MLflow. Optuna's TPE considers all trials for
each new one, so the cost of asking grows with their number.

"""
FEEDS = """
With these costs, a discrete-event simulation (benchmarks/simulated_cluster.py) estimates how many workers one
coordinator can keep busy 90% of the time, depending on how long a trial takes; 0 means not even one.

"""
CHECK = """
The simulation is compared with real runs on digits, with the same numbers of worker processes. The workers pause for
four times as long as they work, so that the workers do not compete for cores even if there are more workers than cores.

"""
ROUND = """
On a Dask cluster of {workers} worker processes, a round of 8 chunks of a 64-64-32-10 network on digits, in two groups
that take turns as in a search, takes {overhead:.0f} ms more than the work in it (median of {rounds}; the round takes
{round:.0f} ms). For {idle:.0f} ms of this time, no core works on the chunks, because the scheduler, the coordinator and
Dask's own threads need the cores too.

"""


def main() -> None:
    page = HEAD
    sections = {"jobs": describe_jobs, "ours": describe_ours, "quality": describe_quality, "scaling": describe_scaling}
    for name, describe in sections.items():
        results = HERE / f"results/{name}.json"
        if results.exists():
            page = f"{page.rstrip()}\n\n{describe(json.loads(results.read_text()))}"
    PAGE.write_text(page.rstrip() + "\n", encoding="utf-8")


def describe_jobs(results: dict[str, Any]) -> str:
    """Return the section on end-to-end runs."""
    found: dict[str, dict[str, dict[str, float]]] = results["jobs"]
    systems = list(next(iter(found.values())))
    printed = ", ".join(f"{found[data][OURS]['printed']:.1f}" for data in found)
    text = JOBS.format(settings=results["settings"], printed=printed)
    rows = [["system", *found, "relative to study"]]
    for system in systems:
        own = [found[data][system] for data in found if system in found[data]]
        cells = [f"{found[data][system]['seconds']:.1f} s" if system in found[data] else "not run" for data in found]
        mean = "1" if system == OURS else f"{statistics.geometric_mean(each['times_ours'] for each in own):.1f}"
        rows.append([system, *cells, mean if len(own) == len(found) else f"{mean} (of those run)"])
    text += table(rows)
    rows = [["system", "peak memory of all processes", "disk space, mean", "best accuracy on dev"]]
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


def describe_ours(results: dict[str, Any]) -> str:
    """Return the section on our own time."""
    one = results["one_trial"]
    text = OURS_HEAD.format(fresh=one["new home"], existing=one["existing home"])
    for data, kinds in results["profile"].items():
        rows = [["data: " + data, "peak memory", "seconds", "of which"]]
        for kind, parts in sorted(kinds.items(), key=lambda item: -sum(item[1].values())):
            total = sum(parts.values())
            shares = sorted(parts.items(), key=lambda item: -item[1])
            said = ", ".join(f"{name} {100 * part / total:.0f}%" for name, part in shares if part > 0.02 * total)
            memory = results["memory"][data].get(kind)
            rows.append([kind, f"{memory / 1e6:.0f} MB" if memory else "", f"{total:.1f}", said])
        text += table(rows) + "\n"
    return text + f"{stands_on(results)}\n\n"


def describe_quality(results: dict[str, Any]) -> str:
    """Return the section on search quality."""
    scores = complete_scores(results["scores"])
    systems, sets = list(dict.fromkeys(row["system"] for row in scores)), list(dict.fromkeys(r["data"] for r in scores))
    seeds = len({row["seed"] for row in scores})
    means = {
        (data, system): statistics.mean(r["score"] for r in scores if (r["data"], r["system"]) == (data, system))
        for data in sets
        for system in systems
    }
    ranks = mean_ranks(scores, systems)
    rows = [["data", *systems]]
    rows += [[data, *(f"{means[data, system]:.4f}" for system in systems)] for data in sets]
    rows.append(["mean rank", *(f"{ranks[system]:.2f}" for system in systems)])
    difference = critical_difference(len(systems), len(sets))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw_ranks(ranks, difference), encoding="utf-8")
    return (
        QUALITY.format(seconds=results["seconds"], sets=len(sets), seeds=seeds)
        + table(rows)
        + RANKS.format(picture=PICTURE.name, difference=difference)
        + f"{stands_on(results)}\n"
    )


def describe_scaling(results: dict[str, Any]) -> str:
    """Return the section on what a trial costs the coordinator."""
    parts = ("ask", "tell", "checkpoint", "export")
    rows = [["ledger", "workers", "trials", *parts]]
    for row in results["costs"]:
        cells = [f"{1000 * row[part]:.1f}" for part in parts]
        rows.append([row["storage"], str(row["workers"]), f"{row['trials']:,}", *cells])
    text = SCALING + table(rows) + FEEDS
    lengths = list(dict.fromkeys(row["length"] for row in results["feeds"]))
    fed = {(row["storage"], row["trials"], row["length"]): str(row["fed"]) for row in results["feeds"]}
    rows = [["ledger", "trials", *(f"{length:g} s" for length in lengths)]]
    for storage, trials in dict.fromkeys((storage, trials) for storage, trials, _ in fed):
        rows.append([storage, f"{trials:,}", *(fed[storage, trials, length] for length in lengths)])
    text += table(rows)
    if "check" in results:
        rows = [["workers", "trials", "seconds per trial", "measured seconds", "predicted seconds"]]
        for row in results["check"]:
            seconds = [f"{row['trial']:.2f}", f"{row['real']:.1f}", f"{row['predicted']:.1f}"]
            rows.append([str(row["workers"]), str(row["trials"]), *seconds])
        text += CHECK + table(rows)
    if "dask_round" in results:
        one = results["dask_round"]
        text += ROUND.format(**one | {part: 1000 * one[part] for part in ("round", "overhead", "idle")})
    return text.rstrip() + f"\n\n{stands_on(results)}\n\n"


def stands_on(results: dict[str, Any]) -> str:
    """Return a line on the machine and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"Measured on {results['date']} on {results['cores']} cores of {results['processor']}, {versions}."


def table(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table; the first one is the header."""
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
