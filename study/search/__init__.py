"""The search: it decides which configuration is tried next and which trials continue, and records the trials.

Start reading at `coordinator`, which runs the rounds and writes to the ledger, and at `decide`, which makes the
decisions. Each of the other modules answers one question: what a trial is (`objective`), which configurations can be
drawn (`search_space`, `grid`), how they are drawn (`proposals`, `samplers`), which trials end early (`pruners`,
`asha`), when the search ends (`stopping`), and which hyperparameters mattered (`importance`).
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
