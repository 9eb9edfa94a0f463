"""Extensions that are sent with a chunk to a worker, whose process has not registered them."""

import pickle
from collections.abc import Callable, Mapping
from functools import lru_cache

from engine.activations import ACTIVATIONS, Activation
from engine.errors import AdditionError
from engine.metrics import Metric
from engine.optimizers import OPTIMIZERS, Optimizer
from engine.schedules import SCHEDULES, Schedule

Extension = Activation | Metric | Optimizer | Schedule


class Extensions:
    """The extensions that a chunk needs. Only their packed form, which `pack` creates, is pickled.

    Args:
        entries: the extensions, as registered in this process.
    """

    def __init__(self, entries: tuple[Extension, ...] = ()) -> None:
        self._entries = entries
        self._packed = b""

    def __bool__(self) -> bool:
        return bool(self._entries)

    def pack(self, dumps: Callable[[object], bytes]) -> None:
        """Pickle the extensions for workers in other processes. Later calls do nothing.

        Args:
            dumps: a function that can also pickle functions, such as `cloudpickle.dumps`.

        Raises:
            AdditionError: if an extension cannot be pickled.
        """
        if self._packed:
            return
        for entry in self._entries:
            try:
                dumps(entry)
            except Exception as error:
                raise AdditionError(
                    f"{_describe(entry)} cannot be sent to workers ({_first_line(error)}); define it in a module, or "
                    "run with one job"
                ) from error
        self._packed = dumps(self._entries)

    def __reduce__(self) -> "tuple[type[ReceivedExtensions], tuple[bytes, str]]":
        packed = self._packed or (pickle.dumps(self._entries) if self._entries else b"")
        return ReceivedExtensions, (packed, ", ".join(map(_describe, self._entries)))

    def install(self) -> Mapping[str, Metric]:
        """Return the metrics by name. All extensions are already registered in this process."""
        return {entry.name: entry for entry in self._entries if isinstance(entry, Metric)}


class ReceivedExtensions:
    """Extensions in a worker.

    `install` unpickles them, separately from the chunk, so that the task can report a failure.

    Args:
        packed: the pickled extensions.
        described: their description in messages.
    """

    def __init__(self, packed: bytes, described: str) -> None:
        self._packed, self._described = packed, described

    def __reduce__(self) -> "tuple[type[ReceivedExtensions], tuple[bytes, str]]":
        return ReceivedExtensions, (self._packed, self._described)

    def install(self) -> Mapping[str, Metric]:
        """Register the extensions in this process, and return the metrics by name.

        Metrics are not registered, since two studies with different metrics of the same name can share a worker.

        Raises:
            AdditionError: if an extension cannot be unpickled here.
        """
        try:
            return _unpack(self._packed) if self._packed else {}
        except Exception as error:
            raise AdditionError(
                f"a worker could not load {self._described} ({_first_line(error)}); install the package that defines "
                f"it on the workers' machines"
            ) from error


@lru_cache(maxsize=8)
def _unpack(packed: bytes) -> Mapping[str, Metric]:
    metrics: dict[str, Metric] = {}
    for entry in pickle.loads(packed):  # noqa: S301 - the coordinator's process pickled it, as it does the chunk
        if isinstance(entry, Metric):
            metrics[entry.name] = entry
        elif isinstance(entry, Activation):
            ACTIVATIONS.register(entry)
        elif isinstance(entry, Optimizer):
            OPTIMIZERS.register(entry)
        elif isinstance(entry, Schedule):
            SCHEDULES.register(entry)
    return metrics


def _describe(entry: Extension) -> str:
    return f"{type(entry).__name__.lower()} {entry.name!r}"


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
