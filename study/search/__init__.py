"""Which configuration is tried next, which trials go on, and what is kept of each: ask, decide, tell.

Start reading at `coordinator`, which runs the rounds and writes, and at `decide`, which decides. Each of the other
modules answers one question: what a trial is (`objective`), what can be drawn (`search_space`, `grid`), how it is
drawn (`proposals`, `samplers`), which trials end early (`pruners`, `asha`), when there have been enough (`stopping`),
and which hyperparameters mattered (`importance`).
"""

from study.search.coordinator import Listener, Search
from study.search.objective import Objective, OpenTrial, direction_of
from study.search.stopping import Budget
from study.spec.extensions import Pruner, Sampler, register_pruner, register_sampler

__all__ = [
    "Budget",
    "Listener",
    "Objective",
    "OpenTrial",
    "Pruner",
    "Sampler",
    "Search",
    "direction_of",
    "register_pruner",
    "register_sampler",
]
