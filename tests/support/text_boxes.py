"""Checks that the text of a page is readable: a script that measures text boxes in a browser, and pages to measure."""

from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from study.ledger.choice import Choice
from study.report.facts import Facts

# Boxes of all visible lines of text. Text to which a reader must scroll within a table does not count as clipped.
MEASURE = """
const boxes = [], clipped = [], overlapping = [];
const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
const page = document.documentElement.getBoundingClientRect();
for (let node; (node = walker.nextNode());) {
  const parent = node.parentElement, text = node.textContent.trim();
  if (!text || parent.closest("script, style, title")) continue;
  if (!parent.checkVisibility({ visibilityProperty: true })) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    if (box.width < 1 || box.height < 1) continue;
    boxes.push({ text, box, parent });
    let limits = [page.left, page.right];
    for (let outer = parent; outer; outer = outer.parentElement) {
      const across = getComputedStyle(outer).overflowX, inner = outer.getBoundingClientRect();
      if (["auto", "scroll"].includes(across) && !parent.closest("figure")) { limits = null; break; }
      if (["hidden", "clip"].includes(across) && outer !== document.documentElement && !outer.matches("svg.box")) {
        if (box.left < inner.left - 1 || box.right > inner.right + 1) clipped.push(text);
        if (box.top < inner.top - 2 || box.bottom > inner.bottom + 2) clipped.push(text);
      }
    }
    if (limits && (box.left < limits[0] - 1 || box.right > limits[1] + 1)) clipped.push(text);
  }
}
boxes.sort((a, b) => a.box.top - b.box.top);
for (let k = 0; k < boxes.length; k++) {
  for (let n = k + 1; n < boxes.length && boxes[n].box.top < boxes[k].box.bottom - 2; n++) {
    const a = boxes[k].box, b = boxes[n].box;
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 2) overlapping.push(`${boxes[k].text} | ${boxes[n].text}`);
  }
}
return { texts: boxes.length, clipped: [...new Set(clipped)], overlapping: [...new Set(overlapping)] };"""

_SPACE: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(1.2345e-5, 9.8765, log=True),
    "depth": IntDistribution(0, 3),
    "optimizer": CategoricalDistribution(["gradient_descent", "adam", "rmsprop", "momentum"]),
    "iterations": IntDistribution(1_000, 1_234_567),
    "activation": CategoricalDistribution(["relu", "leaky_relu", "tanh", "sigmoid"]),
    "batch_size": CategoricalDistribution([16, 32, 64, 128, 256, 512, 1024, 2048, 4096, "full"]),
    "l2": FloatDistribution(1e-12, 1e-2, log=True),
    "momentum": FloatDistribution(0.900001, 0.900009),
    "dropout": FloatDistribution(-1.5, 0.875),
    "initialization": CategoricalDistribution(["he", "xavier", "a_name_as_long_as_any_that_there_may_be"]),
    "units_1": IntDistribution(1, 16_384, log=True),
    "units_2": IntDistribution(1, 16_384, log=True),
    "a_hyperparameter_with_a_name_that_is_longer_than_others": FloatDistribution(1234567.1, 1234567.9),
    "schedule": CategoricalDistribution(["constant", "cosine_with_warm_restarts"]),
}


def with_hyperparameters(facts: Facts, count: int, trials: int = 24) -> Facts:
    """Return the facts of a study with `count` hyperparameters, some with long names, and trials all over the space."""
    space = dict(list(_SPACE.items())[:count])
    rng = np.random.default_rng(count)
    given = facts.summary.trials[0]
    rows = []
    for number in range(trials):
        params = {name: _draw(kind, rng, number / (trials - 1)) for name, kind in space.items()}
        rows.append(replace(given, number=number, state="complete", params=params, value=_value(number), reason=None))
    best = max(rows, key=lambda row: row.value or 0)
    choice = Choice(best=best.number)
    summary = replace(facts.summary, trials=rows, best=best, choice=choice, front=(), confirm=None)
    curves = {number: [(0, 1.0 + number), (1_234_567, 1e-7)] for number in range(trials)}
    return replace(facts, summary=summary, curves=curves, distributions=space, winner=None, confirmation=None)


def _value(number: int) -> float:
    return 0.123456 + 0.0000123 * (number * 7 % 24)


def _draw(kind: BaseDistribution, rng: np.random.Generator, share: float) -> Any:
    """Return a value; the first and the last trial get the ends of a range."""
    if isinstance(kind, CategoricalDistribution):
        return kind.choices[int(rng.integers(len(kind.choices)))]
    assert isinstance(kind, FloatDistribution | IntDistribution)
    value = kind.low + share * (kind.high - kind.low)
    return round(value) if isinstance(kind, IntDistribution) else value
