"""What a worker of a cluster is sent: the work of `engine.quantum` on data that came with it.

Such workers import the engine, NumPy and threadpoolctl, and may be on another machine than the coordinator.
"""

from functools import lru_cache

from engine.quantum import Outcome, Quantum, work
from engine.worker_data import PackedData


def work_remotely(quantum: Quantum, packed: PackedData) -> Outcome:
    """Train one trial by one quantum, as `work` does, with one thread of BLAS however the worker was started."""
    _take_one_thread()
    return work(quantum, packed)


@lru_cache(maxsize=1)
def _take_one_thread() -> object:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
