"""Cards: a title, notes and small tables that a notebook shows as HTML, on a light or a dark page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from study.text.colors import DARK, LIGHT
from study.text.printable import printable

_BOX = 120, 14  # width and height of a drawn interval, in pixels
_EDGE = 6  # margin at each end of the interval, in pixels
_USED = ("ground", "raised", "line", "grid", "text", "quiet", "complete", "best")
# The theme of the page (JupyterLab, VS Code, Colab) takes precedence over that of the system.
_LIGHT_PAGES = ('body[data-jp-theme-light="true"]', "body.vscode-light", 'html[theme="light"]')
_DARK_PAGES = ('body[data-jp-theme-light="false"]', "body.vscode-dark", 'html[theme="dark"]')
_RULES = """
.study-card { background: var(--ground); color: var(--text); font: 14px/1.45 system-ui, sans-serif; padding: .6em .8em;
  border: 1px solid var(--line); border-radius: 6px; display: inline-block; max-width: 100%; overflow-x: auto; }
.study-card p { margin: 0 0 .3em; max-width: 60em; }
.study-card .title { font-weight: 600; }
.study-card .note, .study-card caption { color: var(--quiet); }
.study-card caption { text-align: left; padding: 0 0 .2em; caption-side: top; }
.study-card table { border-collapse: collapse; border: 0; font-size: 13px; margin: .6em 0 0;
  font-variant-numeric: tabular-nums; }
.study-card tr, .study-card tbody tr:nth-child(even), .study-card tbody tr:hover { background: var(--ground); }
.study-card th, .study-card td { color: var(--text); border: 0; border-bottom: 1px solid var(--grid);
  padding: .15em 1.1em .15em 0; text-align: right; vertical-align: top; font-weight: 400; white-space: nowrap; }
.study-card th:first-child, .study-card .facts td { text-align: left; }
.study-card .facts td { max-width: 46em; overflow-wrap: anywhere; white-space: normal; }
.study-card thead th, .study-card .facts th { color: var(--quiet); }
.study-card .strong th, .study-card .strong td { font-weight: 600; }
.study-card svg { vertical-align: middle; }
.study-card path { stroke: var(--complete); stroke-width: 1.5; }
.study-card circle { fill: var(--complete); }
.study-card .strong path { stroke: var(--best); }
.study-card .strong circle { fill: var(--best); }
.study-card progress { accent-color: var(--complete); width: 16em; vertical-align: middle; margin-right: .6em; }
"""


@dataclass(frozen=True)
class Interval:
    """A value within an interval, drawn as a dot on a line. All intervals of a table share one scale."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CardTable:
    """A small table.

    Attributes:
        rows: cells; the first of each row is its heading.
        columns: headings of the columns; empty for a table of facts, in which each row is a name and a value.
        strong: index of the highlighted row.
    """

    rows: Sequence[tuple[str | Interval, ...]]
    columns: tuple[str, ...] = ()
    caption: str = ""
    strong: int | None = None


@dataclass(frozen=True)
class Card:
    """A title, notes and tables."""

    title: str
    notes: tuple[str, ...] = ()
    tables: tuple[CardTable, ...] = ()

    def html(self) -> str:
        """Return the card as HTML. All text is escaped."""
        notes = "".join(f'<p class="note">{_text(note)}</p>' for note in self.notes)
        tables = "".join(map(_table, self.tables))
        return wrap(f'<p class="title">{_text(self.title)}</p>{notes}{tables}')


def wrap(content: str) -> str:
    """Wrap HTML in the frame and the style of a card."""
    return f'<div class="study-card"><style>{_style()}</style>{content}</div>'


def _style() -> str:
    rules = [f".study-card {_variables(LIGHT)}"]
    rules.append(f"@media (prefers-color-scheme: dark) {{ .study-card {_variables(DARK)} }}")
    for pages, colors in ((_LIGHT_PAGES, LIGHT), (_DARK_PAGES, DARK)):
        rules.append(f"{', '.join(f'{page} .study-card' for page in pages)} {_variables(colors)}")
    return "\n".join(rules) + _RULES


def _variables(colors: dict[str, str]) -> str:
    return "{ " + " ".join(f"--{name}: {colors[name]};" for name in _USED) + " }"


def _table(table: CardTable) -> str:
    kind = "" if table.columns else ' class="facts"'
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    head = "".join(f'<th scope="col">{_text(title)}</th>' for title in table.columns)
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table{kind}>{caption}{head}<tbody>{''.join(_rows(table))}</tbody></table>"


def _rows(table: CardTable) -> Iterator[str]:
    shown = [cell for row in table.rows for cell in row if isinstance(cell, Interval)]
    ends = min((each.low for each in shown), default=0.0), max((each.high for each in shown), default=1.0)
    for place, (heading, *cells) in enumerate(table.rows):
        kind = ' class="strong"' if place == table.strong else ""
        tail = "".join(f"<td>{_cell(cell, ends)}</td>" for cell in cells)
        yield f'<tr{kind}><th scope="row">{_cell(heading, ends)}</th>{tail}</tr>'


def _cell(cell: str | Interval, ends: tuple[float, float]) -> str:
    if isinstance(cell, str):
        return _text(cell)
    width, height = _BOX
    first, last = ends
    step = (width - 2 * _EDGE) / ((last - first) or 1.0)
    low, value, high = (_EDGE + (number - first) * step for number in (cell.low, cell.value, cell.high))
    middle = height / 2
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{cell.low:.4g} to {cell.high:.4g}">'
        f'<path d="M{low:.1f} {middle}H{high:.1f}"/><circle cx="{value:.1f}" cy="{middle}" r="3.5"/></svg>'
    )


def _text(text: str) -> str:
    return escape(printable(text))
