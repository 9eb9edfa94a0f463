"""Limits on submitted studies: the size of requests, and of the studies that specs may declare."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from study.errors import UserError
from study.spec import Spec
from study.spec.space import FULL_BATCH, Range

SPEC_BYTES = 1 << 20
NETWORKS = 100  # per trial: seeds, or folds
IN_FLIGHT = 256
CONFIRMED = 1_000  # networks that [confirm] may train
QUEUED = 1_000  # waiting studies


@dataclass(frozen=True)
class Limits:
    """Configurable limits of a service.

    Attributes:
        trials, iterations, depth, units, batch: maximum value in a spec.
        examples: maximum number of generated examples.
        upload: maximum size in bytes of one uploaded file, and of a table for prediction.
        uploads: maximum size in bytes of all uploaded files together.
    """

    trials: int = 1_000
    iterations: int = 1_000_000
    depth: int = 20
    units: int = 4_096
    batch: int = 1_000_000
    examples: int = 1_000_000
    upload: int = 100 << 20
    uploads: int = 1 << 30

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise UserError(f"--max-{field.name} must be at least 1, got {getattr(self, field.name)}")


def check_limits(spec: Spec, limits: Limits) -> None:
    """Check that a spec is within the limits.

    Raises:
        UserError: if a value exceeds its limit; the message names it and says how to proceed.
    """
    for place, value, most in _values(spec, limits):
        if value > most:
            raise UserError(
                f"{place}: {value:,.10g} exceeds the limit of this server, {most:,}; "
                "lower the value, or ask the administrator to raise the limit"
            )


def _values(spec: Spec, limits: Limits) -> Iterator[tuple[str, float, int]]:
    space, search = spec.space, spec.search
    yield "[search] trials", search.trials, limits.trials
    yield "[search] in_flight", search.in_flight, IN_FLIGHT
    yield "[search] seeds", search.seeds, NETWORKS
    yield "[data] folds", spec.data.folds or 0, NETWORKS
    yield "[data] examples", spec.data.examples or 0, limits.examples
    yield "[space] iterations", _largest(space.iterations), limits.iterations
    yield "[space] depth", _largest(space.depth), limits.depth
    yield "[space] units", _largest(space.units), limits.units
    yield "[space] batch_size", _largest(space.batch_size), limits.batch
    if spec.confirm is not None:
        yield "[confirm] top × seeds", spec.confirm.top * spec.confirm.seeds, CONFIRMED
    known = {"iterations": limits.iterations, "depth": limits.depth, "batch_size": limits.batch}
    for setting in search.enqueue:
        for key, value in setting.items():
            most = limits.units if key.startswith("units") else known.get(key)
            if most is not None and isinstance(value, (int, float)):
                yield f"[search] enqueue {key}", value, most


def _largest(given: Range | Sequence[float | str]) -> float:
    if isinstance(given, Range):
        return given.high
    return max((float(choice) for choice in given if choice != FULL_BATCH), default=0)
