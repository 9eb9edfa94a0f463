"""The colors of charts on a light ground, by Okabe and Ito (2008); those of the pages are the same."""

COLORS = {
    "ground": "#ffffff",
    "line": "#d8dce2",
    "grid": "#e6e9ee",
    "text": "#16191d",
    "quiet": "#555d68",
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
}
