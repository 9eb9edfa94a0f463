"""The content of a plan: the data, the space, the work, and estimates for this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.data.overview import DataSummary
from study.text.cards import CardTable
from study.text.formatting import byte_count, counted, duration, figure, plain
from study.text.records import Record


@dataclass(frozen=True)
class Spread:
    """The minimum, median and maximum of a quantity over random configurations."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of these values."""
        return cls(min(values), float(np.median(values)), max(values))


@dataclass(frozen=True)
class ExpectedBaseline:
    """A baseline that a run fits beside the search.

    Attributes:
        name: name of the baseline.
        title: name in text.
        seconds: expected seconds of CPU time.
        note: how it differs from scikit-learn's defaults, or why it is left out; None if it is neither.
    """

    name: str
    title: str
    seconds: float
    note: str | None


@dataclass(frozen=True, repr=False)
class Plan(Record):
    """The plan of a study.

    Attributes:
        name: name of the study.
        look: summary of the data.
        searched: hyperparameters that are drawn, with their ranges.
        fixed: hyperparameters that have a single value.
        metric: the metric that trials are compared by.
        settings: number of distinct configurations; None if a range has no step.
        trials: number of trials.
        in_flight: number of trials open at the same time.
        networks: number of networks of each trial.
        sampler, pruner: their names.
        parameters: number of weights and biases of a network.
        work: units of work of a trial that is not pruned.
        seconds: seconds of CPU time for a trial that is not pruned.
        total_work: expected units of work, with pruning.
        kept: share of the work that usually remains with the pruner.
        worker_memory: maximum bytes of one worker process.
        trial_disk, disk: bytes that one trial and the whole study add to the home.
        cores: number of cores that this process may use.
        times: expected seconds of a run, including baselines and [confirm], by number of jobs.
        confirm: seconds of CPU time for [confirm].
        baselines: the baselines that are fitted beside the search.
        raised: expected seconds with one job per core and as many trials in flight; None unless there are more cores
            than trials in flight.
        speed: measured units of work per second, on one core.
        defaults: defaults of the keys that the spec leaves out.
    """

    name: str
    look: DataSummary
    searched: dict[str, str]
    fixed: dict[str, object]
    metric: str
    settings: int | None
    trials: int
    in_flight: int
    networks: int
    sampler: str
    pruner: str
    parameters: Spread
    work: Spread
    seconds: Spread
    total_work: float
    kept: float
    worker_memory: int
    trial_disk: int
    disk: int
    cores: int
    times: dict[int, float]
    confirm: float
    baselines: tuple[ExpectedBaseline, ...]
    raised: float | None
    speed: float
    defaults: dict[str, object]

    @property
    def baselines_text(self) -> str:
        """The baselines with their notes, as a line; "" if there are none."""
        return ", ".join(f"{each.title} ({each.note})" if each.note else each.title for each in self.baselines)

    def _lines(self) -> tuple[str, ...]:
        look = self.look
        jobs, seconds = max(self.times.items())
        time = f"about {duration(seconds)} with {counted(jobs, 'job')}"
        return (
            f"Plan of {self.name}: {counted(self.trials, 'trial')}, {time}",
            f"{look.source}: {look.task}, target {look.target_name}, {look.split}; compared by {self.metric}",
        )

    def _tables(self) -> tuple[CardTable, ...]:
        searched = [(name, text) for name, text in self.searched.items()]
        fixed = [(name, plain(value)) for name, value in self.fixed.items()]
        size = "unlimited" if self.settings is None else f"{self.settings:,}"
        networks = f", {self.networks} networks each" if self.networks > 1 else ""
        work = [
            ("trials", f"{self.trials:,}{networks}; sampler {self.sampler}, pruner {self.pruner}"),
            ("configurations", size),
            ("parameters of a network", _spread(self.parameters)),
            ("seconds of a trial", _spread(self.seconds)),
            *([("baselines", self.baselines_text)] if self.baselines else []),
            *((counted(jobs, "job"), f"about {duration(seconds)}") for jobs, seconds in self.times.items()),
            ("memory of a worker", f"at most {byte_count(self.worker_memory)}"),
            ("disk", f"about {byte_count(self.disk)}"),
        ]
        tables = [CardTable(searched, caption="Searched")] if searched else []
        tables += [CardTable(fixed, caption="Fixed")] if fixed else []
        tables.append(CardTable(work, caption="Work"))
        if self.look.warnings:
            warnings = [("!", warning.message) for warning in self.look.warnings]
            tables.append(CardTable(warnings, caption="Warnings about the data"))
        return tuple(tables)


def _spread(spread: Spread) -> str:
    return f"{figure(spread.least, 3)} to {figure(spread.most, 3)}, median {figure(spread.median, 3)}"
