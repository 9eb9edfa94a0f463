"""All lessons in the order of the course, and the files of their outcomes and plots."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.lessons import (
    activations,
    cost_shape,
    dimensions,
    flower,
    graph,
    house_price,
    hyperparameters,
    images,
    logistic,
    parity,
    recheck,
    starts,
    vectorization,
)

Outcome = dict[str, Any]
KEPT = Path(__file__).resolve().parents[2] / "docs" / "lessons"


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        question: the question that the lesson answers.
        run: a function from the home of its studies to its outcome.
        draw: a function from the outcome to an SVG file; None for a lesson without a plot.
    """

    question: str
    run: Callable[[Path], Outcome]
    draw: Callable[[Outcome], str] | None


LESSONS = {
    "vectorization": Lesson("what do loops cost?", vectorization.run, vectorization.draw),
    "house_price": Lesson("a line or a relu for a price?", house_price.run, house_price.draw),
    "logistic": Lesson("how far does one neuron get?", logistic.run, logistic.draw),
    "cost_shape": Lesson("why not the squared error?", cost_shape.run, cost_shape.draw),
    "flower": Lesson("how many hidden units?", flower.run, flower.draw),
    "starts": Lesson("where should training start?", starts.run, starts.draw),
    "activations": Lesson("which activation?", activations.run, activations.draw),
    "images": Lesson("do deep networks see more?", images.run, images.draw),
    "parity": Lesson("why deep?", parity.run, parity.draw),
    "dimensions": Lesson("which error messages do wrong shapes give?", dimensions.run, None),
    "graph": Lesson("how do derivatives flow back?", graph.run, graph.draw),
    "hyperparameters": Lesson("which hyperparameters matter?", hyperparameters.run, hyperparameters.draw),
    "recheck": Lesson("does the best configuration stay the best?", recheck.run, recheck.draw),
}


def keep(name: str, outcome: Outcome) -> None:
    """Write the outcome and the plot of a lesson to docs/lessons."""
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(outcome, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draw = LESSONS[name].draw
    if draw is not None:
        (KEPT / f"{name}.svg").write_text(draw(outcome) + "\n", encoding="utf-8")


def kept(name: str) -> Outcome:
    """Return the stored outcome of a lesson.

    Raises:
        FileNotFoundError: the lesson has not been run.
    """
    outcome: Outcome = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    return outcome
