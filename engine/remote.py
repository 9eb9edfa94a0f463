"""What a worker of a cluster is sent: the work of `engine.quantum` on data that came with it.

Such workers import the engine, NumPy and threadpoolctl, and may be on another machine than the coordinator.
"""

from collections.abc import Sequence
from functools import lru_cache

from engine.quantum import Outcome, Quantum, work_in_turn
from engine.worker_data import PackedData


def work_remotely(quanta: Sequence[Quantum], packed: PackedData) -> list[Outcome]:
    """Do quanta one after another, as a worker here does, with one thread of BLAS however the worker was started."""
    _take_one_thread()
    return work_in_turn(quanta, packed)


@lru_cache(maxsize=1)
def _take_one_thread() -> object:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
