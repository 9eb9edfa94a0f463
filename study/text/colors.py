"""The colors of pages and charts, based on the color-blind safe palette of Okabe and Ito (2008)."""

LIGHT = {
    "ground": "#ffffff",
    "raised": "#f5f6f8",
    "line": "#d8dce2",
    "grid": "#e6e9ee",
    "edge": "#848c97",
    "text": "#16191d",
    "quiet": "#555d68",
    "link": "#005a94",
    "complete": "#0072b2",
    "best": "#c34d00",
    "pruned": "#7d8794",
    "failed": "#a13f78",
    "running": "#008060",
    "band-0": "#440154",
    "band-1": "#3b528b",
    "band-2": "#21918c",
    "band-3": "#5ec962",
    "band-4": "#b5a500",
    "class-0": "#0072b2",
    "class-1": "#d55e00",
    "class-2": "#009e73",
    "class-3": "#cc79a7",
    "class-4": "#e69f00",
    "class-5": "#56b4e9",
    "class-6": "#7a6a00",
    "class-7": "#5b5b5b",
}
DARK = {
    "ground": "#14171b",
    "raised": "#1d2127",
    "line": "#3a414b",
    "grid": "#2a3038",
    "edge": "#767f8b",
    "text": "#e8eaed",
    "quiet": "#a6aeb9",
    "link": "#7cc0f0",
    "complete": "#56b4e9",
    "best": "#ff9a4d",
    "pruned": "#98a2af",
    "failed": "#e08fbe",
    "running": "#2fc79a",
    "band-0": "#fde725",
    "band-1": "#6ccd5a",
    "band-2": "#2fb4a0",
    "band-3": "#4f8fbf",
    "band-4": "#8a70b8",
    "class-0": "#56b4e9",
    "class-1": "#ff9a4d",
    "class-2": "#2fc79a",
    "class-3": "#e5a0c6",
    "class-4": "#f0c04d",
    "class-5": "#9bd4f5",
    "class-6": "#c9bd4a",
    "class-7": "#b0b0b0",
}
CLASSES = 8  # number of colors for classes; further classes reuse them
_PAPER = LIGHT | {"text": "#000000", "quiet": "#444444", "link": "#000000"}


def color_rules() -> str:
    """Return the CSS that defines the colors as variables for light mode, dark mode and print."""
    dark, paper = "@media (prefers-color-scheme: dark)", "@media print"
    return f"{_root(LIGHT)}\n{dark} {{ {_root(DARK)} }}\n{paper} {{ {_root(_PAPER)} }}\n"


def _root(colors: dict[str, str]) -> str:
    return ":root { " + " ".join(f"--{name}: {color};" for name, color in colors.items()) + " }"
