"""Lesson 1, week 2: the same sums with and without loops, and broadcasting."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from threadpoolctl import threadpool_limits

from engine.reference import logistic_loops, logistic_one_loop, logistic_vectorized
from experiments.lessons.pictures import Panel, figure
from study.charts.scales import Choices, Numbers

Array = np.ndarray[Any, np.dtype[Any]]
NUMBERS = 1_000_000  # length of the vectors of the dot product
ROWS = 1_500  # rows of the square matrix; the notes used 10,000, which keeps a loop busy for minutes
# Calories from carbohydrate, protein and fat (rows) of apples, beef, eggs and potatoes (columns), as in the notes.
CALORIES = [[56.0, 0.0, 4.4, 68.0], [1.2, 104.0, 52.0, 8.0], [1.8, 135.0, 99.0, 0.9]]


def run(_home: Path) -> dict[str, Any]:
    """Return times and their ratios on this machine, numbers of interpreted instructions, and the percentages."""
    rng = np.random.default_rng(0)
    a, b = rng.random(NUMBERS), rng.random(NUMBERS)
    W, x = rng.random((ROWS, ROWS)), rng.random(ROWS)
    X, Y = breast_cancer()
    w = np.zeros((X.shape[0], 1))
    few, small = a[:1000], W[:30, :30]
    return {
        "dot": {"size": f"{NUMBERS:,} numbers", **_ratio(dot_loop, dot, a, b)},
        "matrix": {"size": f"{ROWS:,} × {ROWS:,} by a vector", **_ratio(product_loops, product, W, x)},
        "two_loops": _ratio(logistic_loops, logistic_vectorized, w, 0.0, X, Y),
        "one_loop": _ratio(logistic_one_loop, logistic_vectorized, w, 0.0, X, Y),
        "instructions": {
            "dot_loop": instructions(dot_loop, few, few),
            "dot": instructions(dot, few, few),
            "product_loops": instructions(product_loops, small, x[:30]),
            "product": instructions(product, small, x[:30]),
        },
        "percent": np.round(percentages(np.array(CALORIES)), 1).tolist(),
    }


def dot_loop(a: Array, b: Array) -> float:
    """Return Σ aᵢ bᵢ, one number at a time."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


def dot(a: Array, b: Array) -> float:
    """Return Σ aᵢ bᵢ in one operation."""
    return float(a @ b)


def product_loops(W: Array, x: Array) -> Array:
    """Return W x, one number at a time."""
    u = np.zeros(len(W))
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            u[i] += W[i, j] * x[j]
    return u


def product(W: Array, x: Array) -> Array:
    """Return W x in one operation."""
    u: Array = W @ x
    return u


def percentages(calories: Array) -> Array:
    """Return each column as percentages of its sum: (3, 4) divided by (1, 4), which is broadcast across the rows."""
    shares: Array = 100 * calories / calories.sum(axis=0, keepdims=True)
    return shares


def breast_cancer() -> tuple[Array, Array]:
    """Return X (30, 569), standardized, and Y (1, 569)."""
    X, y = load_breast_cancer(return_X_y=True)
    return ((X - X.mean(axis=0)) / X.std(axis=0)).T, y.reshape(1, -1).astype(float)


def instructions(function: Callable[..., Any], *arguments: Any) -> int:
    """Return how many instructions Python interprets in a call, which a loop repeats for each number."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return count


def _ratio(loops: Callable[..., Any], vectorized: Callable[..., Any], *arguments: Any) -> dict[str, float]:
    with threadpool_limits(1):  # one thread for both, so other work on the machine matters less
        slow = min(_milliseconds(loops, *arguments) for _ in range(2))
        fast = min(_milliseconds(vectorized, *arguments) for _ in range(20))
    return {"loops_ms": _two(slow), "vectorized_ms": _two(fast), "ratio": _two(slow / fast)}


def _milliseconds(function: Callable[..., Any], *arguments: Any) -> float:
    begun = time.perf_counter()
    function(*arguments)
    return 1000 * (time.perf_counter() - begun)


def _two(value: float) -> float:
    return float(f"{value:.2g}")


def draw(outcome: dict[str, Any]) -> str:
    """Return the ratios as bars."""
    rows = [
        ("logistic, one loop", outcome["one_loop"]["ratio"]),
        ("logistic, two loops", outcome["two_loops"]["ratio"]),
        ("matrix × vector", outcome["matrix"]["ratio"]),
        ("dot product", outcome["dot"]["ratio"]),
    ]
    top = 4 * max(value for _, value in rows)
    panel = Panel(
        "ratio of the time with loops to that without",
        Numbers(1, top, log=True),
        Choices(tuple(name for name, _ in rows)),
        "times",
        " ",
        width=420,
        height=150,
        left=150,
    )
    return figure("Ratios of the time of loops to that of vectorized code", [(panel, panel.bars(rows))])
