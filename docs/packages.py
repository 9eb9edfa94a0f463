"""Draw docs/pictures/packages.svg: the packages of `study/` from top to bottom, and which of them import which.

The picture is drawn from the import graph, and a test checks that it is up to date. Arrows that follow from two others
are left out (transitive reduction).

python docs/packages.py
"""

import ast
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/pictures/packages.svg"
CONTRACT = "Floors of study: imports go down"  # of import-linter, in pyproject.toml
BOX, ROW, GAP, WIDTH = 640, 50, 14, 900  # pixels

Arrows = Sequence[tuple[str, str]]


def main() -> None:
    """Draw the picture."""
    PICTURE.write_text(draw(), encoding="utf-8")


def draw() -> str:
    """Return the picture as SVG."""
    floors = read_floors()
    return _svg({floor: _first_sentence(floor) for floor in floors}, reduce(find_arrows(floors)))


def read_floors() -> list[str]:
    """Return the layers of `study` from top to bottom, as configured for import-linter, and the engine."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(each["layers"] for each in contracts if each["name"] == CONTRACT)
    return [f"study.{name.strip()}" for layer in layers for name in layer.split("|")] + ["engine"]


def find_arrows(floors: Sequence[str]) -> Arrows:
    """Return the imports between packages, including those of their submodules."""
    graph = grimp.build_graph("study", "engine")
    return [
        (importer, imported)
        for importer in floors
        for imported in floors
        if importer != imported and graph.direct_import_exists(importer=importer, imported=imported, as_packages=True)
    ]


def reduce(arrows: Arrows) -> Arrows:
    """Return the transitive reduction of the arrows, which must not form a cycle."""
    below: dict[str, set[str]] = {}
    for importer, imported in arrows:
        below.setdefault(importer, set()).add(imported)

    def reaches(start: str, goal: str) -> bool:
        return any(each == goal or reaches(each, goal) for each in below.get(start, ()))

    return [(a, b) for a, b in arrows if not any(reaches(between, b) for between in below[a] - {b})]


def _first_sentence(name: str) -> str:
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    says = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return says.split("\n\n")[0].replace("\n", " ").replace("`", "")


def _svg(floors: Mapping[str, str], arrows: Arrows) -> str:
    """Return boxes from top to bottom, with arrows on the right from importers to what they import."""
    top = {floor: row * (ROW + GAP) + GAP for row, floor in enumerate(floors)}
    height = len(floors) * (ROW + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        "<title>The packages of study, and which of them import which</title>",
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#0072b2"/></marker>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for floor, says in floors.items():
        y = top[floor]
        parts.append(f'<rect x="{GAP}" y="{y}" width="{BOX}" height="{ROW}" rx="6" fill="#f4f6f8" stroke="#d8dce2"/>')
        parts.append(
            f'<text x="26" y="{y + 30}" font-weight="bold" fill="#16191d">{floor.removeprefix("study.")}</text>'
        )
        for line, text in enumerate(textwrap.wrap(says, 74)[:2]):
            parts.append(f'<text x="130" y="{y + 22 + 17 * line}" fill="#555d68">{escape(text)}</text>')
    names = list(floors)
    for importer, imported in arrows:
        rows = names.index(imported) - names.index(importer)
        start, end = top[importer] + 0.7 * ROW, top[imported] + 0.3 * ROW
        x, bulge = BOX + GAP, BOX + GAP + 24 + 15 * rows
        parts.append(
            f'<path d="M{x} {start:g}C{bulge} {start:g} {bulge} {end:g} {x + 2} {end:g}" fill="none" stroke="#0072b2" '
            'stroke-opacity=".65" marker-end="url(#tip)"/>'
        )
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    main()
