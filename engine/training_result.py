"""The results of a training run, one per replica."""

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.parameters import Parameters
from engine.state import Status, TrainingState


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The result of a training run.

    Attributes:
        parameters: the last parameters; those with the lowest dev cost with patience; the last finite ones after
            divergence.
        costs: J before each update, with shape (iterations,); with mini-batches, J of the mini-batch.
        status: "complete", "stopped" (early, by patience) or "diverged"; "running" if iterations are left.
        iterations: number of updates; for "diverged", only those before the cost or a parameter became non-finite.
        dev_costs: cost on dev at each multiple of evaluate_every, and at the end; empty without dev.
    """

    parameters: Parameters
    costs: Array
    status: Status
    iterations: int
    dev_costs: Array


def results(state: TrainingState) -> list[TrainingResult]:
    """Return the result of each replica of a state."""
    return [
        TrainingResult(
            parameters=state.replica(k),
            costs=state.curve(k).copy(),
            status=state.status[k],
            iterations=len(state.curve(k)),
            dev_costs=_evaluations(state, k),
        )
        for k in range(state.replicas)
    ]


def _evaluations(state: TrainingState, k: int) -> Array:
    """Return the dev costs of one replica up to its end, which are the same as if it were trained separately."""
    dev_costs: Array = state.dev_costs[k].copy()
    if state.ended[k] < 0 or not dev_costs.size:
        return dev_costs
    settings, end = state.settings, state.ended[k]
    last_is_extra = end == settings.iterations and end % settings.evaluate_every != 0
    dev_costs = dev_costs[: end // settings.evaluate_every + last_is_extra]
    finite = np.flatnonzero(~np.isnan(dev_costs))
    return dev_costs[: finite[-1] + 1] if finite.size else dev_costs[:0]
