"""Numbers and names as text for charts."""

from engine.metrics import METRICS


def short(value: object) -> str:
    """Return a float with four significant digits, None as "", and anything else as its text."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def title_of(metric: str) -> str:
    """Return the display name of a metric."""
    return METRICS[metric].title if metric in METRICS else metric


def shorten(text: str, most: int = 40) -> str:
    """Truncate text to at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
