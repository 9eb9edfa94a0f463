"""Consoles for tables and progress, which escape control characters in their content."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from study.text.printable import printable


class _Written(RenderHook):
    """Escape the control characters in the content of a console, before rich adds its own for colors."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printable(each) for each in renderables]


@dataclass(frozen=True)
class _Printable:
    shown: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _written(console.render(self.shown, options))


def _written(segments: Iterable[Segment]) -> Iterator[Segment]:
    for segment in segments:
        yield segment if segment.control else Segment(printable(segment.text), segment.style)


def make_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Return a console that prints text unchanged, without markup or highlighting, except for control characters."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)
    console.push_render_hook(_Written())
    return console
