"""Lesson 11, week 2: the computation graph of J = 3(a + bc), and its derivatives, computed in three ways."""

from pathlib import Path
from typing import Any

from experiments.lessons.pictures import COLOURS, drawing, text

POINT = {"a": 5.0, "b": 3.0, "c": 2.0}
STEP = 1e-4


def J(a: float, b: float, c: float) -> float:
    """Return J = 3v, v = a + u, u = bc."""
    u = b * c
    v = a + u
    return 3 * v


def by_hand(b: float, c: float) -> dict[str, float]:
    """Return dJ/da = 3, dJ/db = 3c, dJ/dc = 3b, from J = 3a + 3bc."""
    return {"a": 3.0, "b": 3 * c, "c": 3 * b}


def by_chain_rule(b: float, c: float) -> dict[str, float]:
    """Return the derivatives, computed from right to left through the graph with a step for each edge."""
    dv = 3.0  # J = 3v
    da = dv * 1.0  # v = a + u
    du = dv * 1.0
    db = du * c  # u = bc
    dc = du * b
    return {"v": dv, "u": du, "a": da, "b": db, "c": dc}


def by_differences() -> dict[str, float]:
    """Return (J(θ + h) − J(θ − h)) / 2h for each input θ."""
    found = {}
    for name, value in POINT.items():
        above, below = POINT | {name: value + STEP}, POINT | {name: value - STEP}
        found[name] = (J(**above) - J(**below)) / (2 * STEP)
    return found


def run(_home: Path) -> dict[str, Any]:
    """Return J and its derivatives at a = 5, b = 3, c = 2."""
    b, c = POINT["b"], POINT["c"]
    numeric = {name: round(value, 6) for name, value in by_differences().items()}
    return {
        "point": POINT,
        "J": J(**POINT),
        "by_hand": by_hand(b, c),
        "by_chain_rule": by_chain_rule(b, c),
        "by_differences": numeric,
    }


def draw(outcome: dict[str, Any]) -> str:
    """Return the graph: values from left to right, derivatives from right to left."""
    d, point = outcome["by_chain_rule"], outcome["point"]
    u = point["b"] * point["c"]
    boxes = {
        "a": (70, 45, f"a = {point['a']:g}", d["a"]),
        "b": (70, 115, f"b = {point['b']:g}", d["b"]),
        "c": (70, 185, f"c = {point['c']:g}", d["c"]),
        "u": (220, 150, f"u = bc = {u:g}", d["u"]),
        "v": (390, 97, f"v = a + u = {point['a'] + u:g}", d["v"]),
        "J": (560, 97, f"J = 3v = {outcome['J']:g}", 1.0),
    }
    parts = []
    for first, second in (("a", "v"), ("b", "u"), ("c", "u"), ("u", "v"), ("v", "J")):
        (x, y, _, _), (to_x, to_y, _, _) = boxes[first], boxes[second]
        parts.append(f'<path d="M{x + 45} {y}L{to_x - 62} {to_y}" stroke="#999" stroke-width="1.5"/>')
    for name, (x, y, words, slope) in boxes.items():
        parts.append(
            f'<rect x="{x - 60}" y="{y - 15}" width="120" height="30" rx="5" fill="#eef3fa" stroke="#3573b9"/>'
        )
        parts.append(text(x, y + 5, words))
        parts.append(text(x, y + 31, f"dJ/d{name} = {slope:g}", extra=f' fill="{COLOURS[1]}"'))
    return drawing("The graph of J = 3(a + bc), with values forward and derivatives backward", 640, 240, "".join(parts))
