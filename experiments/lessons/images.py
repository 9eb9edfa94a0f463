"""Lesson 8, week 4: the L-layer network on images of 64 × 64 × 3, with the spec for the cat pictures of the course.

The cat pictures are not included. The substitutes are patches of the two photographs that ship with scikit-learn, a
temple and a flower, in files with the same names, layout and size. Half of the patches are inverted, like photographic
negatives, so the mean of each pixel is the same for both classes, and no weighted sum of pixels separates them.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from sklearn.datasets import load_sample_images

from experiments.lessons.pictures import COLOURS, Panel, figure
from experiments.lessons.studies import EXPERIMENTS, search
from study.charts.scales import Choices, Numbers

Array = np.ndarray[Any, np.dtype[Any]]
SIDE = 64
TRAIN, TEST = 209, 50  # the same numbers as in the files of the course
CLASSES = ("temple", "flower")


def run(home: Path) -> dict[str, Any]:
    """Return the best dev accuracy for each depth in the study of experiments/cats.toml on the patches."""
    folder = home / "lessons" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    write_pieces(folder)
    spec = folder / "cats.toml"
    text = (EXPERIMENTS / "cats.toml").read_text(encoding="utf-8")
    spec.write_text(text.replace('name = "cats"', 'name = "images"'), encoding="utf-8")
    found = search(spec, home)
    rows: list[dict[str, Any]] = []
    for row in found.summary.ranking():  # best first
        if row.params["depth"] not in [known["depth"] for known in rows]:
            rows.append(
                {
                    "depth": row.params["depth"],
                    "dev_accuracy": round(row.metrics["dev_accuracy"], 4),
                    "train_accuracy": round(row.metrics["train_accuracy"], 4),
                    "learning_rate": row.params["learning_rate"],
                    "parameters": row.parameters,
                }
            )
    return {"rows": sorted(rows, key=lambda row: row["depth"]), "train": TRAIN * 4 // 5, "dev": TRAIN - TRAIN * 4 // 5}


def write_pieces(folder: Path) -> None:
    """Write train_catvnoncat.h5 and test_catvnoncat.h5 as in the course: uint8 (m, 64, 64, 3), labels (m,)."""
    rng = np.random.default_rng(0)
    photographs = load_sample_images().images
    for part, count in (("train", TRAIN), ("test", TEST)):
        y = rng.permutation(np.arange(count) % 2)
        X = np.stack([piece(photographs[label], rng) for label in y])
        with h5py.File(folder / f"{part}_catvnoncat.h5", "w") as file:
            file[f"{part}_set_x"], file[f"{part}_set_y"] = X, y
            file["list_classes"] = np.array(CLASSES, dtype="S")


def piece(photograph: Array, rng: np.random.Generator) -> Array:
    """Return a random patch of a photograph, (64, 64, 3); half of the patches are inverted."""
    top, left = (int(rng.integers(0, size - SIDE)) for size in photograph.shape[:2])
    cut: Array = photograph[top : top + SIDE, left : left + SIDE]
    return 255 - cut if rng.random() < 0.5 else cut


def draw(outcome: dict[str, Any]) -> str:
    """Return accuracy on train and on dev by depth."""
    names = tuple(f"{row['depth']} hidden" for row in outcome["rows"])
    panel = Panel(
        "patches of two photographs, by depth",
        Choices(names),
        Numbers(0, 1.02),  # bars start at 0
        "layers",
        "accuracy",
        ((0, "train"), (1, "dev")),
    )
    marks = ""
    for row, name in zip(outcome["rows"], names, strict=True):
        for colour, part in enumerate(("train", "dev")):
            x, y = panel.at((name, row[f"{part}_accuracy"]))  # type: ignore[arg-type] - x is an axis of names
            x += 26 * colour - 13
            marks += f'<path d="M{x:.1f} {panel.height}V{y:.1f}" stroke="{COLOURS[colour]}" stroke-width="22"/>'
    return figure("Accuracy on train and dev by number of hidden layers", [(panel, marks)])
