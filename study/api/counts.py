"""Checks of numbers that callers pass: of worker processes, trials, seeds, networks and seconds."""


def workers_of(n_jobs: int | None) -> int | None:
    """Return the number of worker processes; None means one per core, unless joblib is configured otherwise."""
    if n_jobs == -1:
        return None
    if n_jobs is not None and n_jobs < 1:
        raise ValueError(f"n_jobs must be at least 1, got {n_jobs!r}; -1 means one per core")
    check_counts(n_jobs=(n_jobs, 1))
    return n_jobs


def check_counts(**given: tuple[float | None, int]) -> None:
    """Raise ValueError for a number that is below its minimum, or for a count that is not whole; None is allowed."""
    for name, (value, least) in given.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value!r}")
        if value is not None and name != "timeout" and value != int(value):
            raise ValueError(f"{name} must be a whole number, got {value!r}")
