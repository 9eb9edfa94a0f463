"""Run chunks on the workers of a cluster, to which the data is sent with the chunks.

These workers import the engine, NumPy, threadpoolctl and joblib, and may run on other machines than the coordinator.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from engine.training_chunk import Chunk, Result, run_chunks
from engine.worker_data import PackedData


def run_chunks_remotely(chunks: Sequence[Chunk[Result]], packed: PackedData | Callable[[], PackedData]) -> list[Result]:
    """Run chunks one after another with a single BLAS thread.

    Args:
        chunks: chunks to run.
        packed: the data, or a function that fetches them.
    """
    _take_one_thread()
    return run_chunks(chunks, packed() if callable(packed) else packed)


@lru_cache(maxsize=1)
def _take_one_thread() -> object:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
