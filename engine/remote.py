"""Training chunks on the workers of a cluster, which are sent the data with the chunks.

Such workers import the engine, NumPy, threadpoolctl and joblib, and may run on another machine than the coordinator.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from engine.training_chunk import Outcome, TrainingChunk, run_chunks
from engine.worker_data import PackedData


def run_chunks_remotely(
    chunks: Sequence[TrainingChunk], packed: PackedData | Callable[[], PackedData]
) -> list[Outcome]:
    """Run chunks one after another, with one BLAS thread however the worker was started.

    Args:
        chunks: what to run.
        packed: the data, or what fetches them.
    """
    _take_one_thread()
    return run_chunks(chunks, packed() if callable(packed) else packed)


@lru_cache(maxsize=1)
def _take_one_thread() -> object:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
