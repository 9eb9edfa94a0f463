"""Write docs/lessons.md: the text of page.md, filled with the outcomes stored in docs/lessons."""

from pathlib import Path

import jinja2

from experiments.lessons import dimensions, registry

TEMPLATE = Path(__file__).with_name("page.md")
PAGE = registry.KEPT.parent / "lessons.md"


def write_page() -> Path:
    """Write the page and return its path."""
    PAGE.write_text(page(), encoding="utf-8")
    return PAGE


def page() -> str:
    """Return the page for the stored outcomes."""
    environment = jinja2.Environment(  # noqa: S701 - Markdown from our own numbers
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"percent": _percent, "count": _count}
    outcomes = {name: registry.kept(name) for name in registry.LESSONS}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    best_depth = max(outcomes["hyperparameters"]["depth"], key=lambda row: (row[1], -row[0]))[0]
    return template.render(**outcomes, examples=dimensions.examples(), best_depth=best_depth)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"
