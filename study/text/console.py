"""The consoles on which tables and progress are shown: control characters in what they show are written out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from study.text.printable import printable


class _Written(RenderHook):
    """Writes out the control characters in all that a console shows, before rich adds its own for colors."""

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
    """Return a console that shows text as it is: no markup, no colors of its own, no control characters."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)
    console.push_render_hook(_Written())
    return console
