"""Numbers and names as people write them."""

from engine.metrics import METRICS


def short(value: object) -> str:
    """Return a number with four digits that count; other things as text, and nothing for None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def title_of(metric: str) -> str:
    """Return a metric as people write it."""
    return METRICS[metric].title if metric in METRICS else metric


def shorten(text: str, most: int = 40) -> str:
    """Return a text of at most so many characters; of a longer one the end is left out."""
    return text if len(text) <= most else text[: most - 1] + "…"
