"""Numbers of things, as people write them."""


def counted(number: int, thing: str) -> str:
    """Return "1 trial", "2 trials"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
