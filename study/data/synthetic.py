"""Small synthetic datasets that are generated from a seed.

Each generator function takes (examples, noise, rng, spec) and returns X, (m, n_x) float64, and y, (m,): class numbers,
or prices for house_price. Rows are ordered by class; the split shuffles them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.errors import UserError
from study.spec.data import DataSpec
from study.text.formatting import counted

Array = npt.NDArray[np.float64]
Points = tuple[Array, Array]
PARITY_BITS = 8
PARITY_EXAMPLES_LIMIT = 4096
PLANE = ("x_1", "x_2")


@dataclass(frozen=True)
class Synthetic:
    """A generator function with its default number of examples and noise, and the names of its columns."""

    make: Callable[[int, float, np.random.Generator, DataSpec], Points]
    examples: int
    noise: float
    features: tuple[str, ...] = PLANE
    target: str = "class"


def generate(spec: DataSpec) -> tuple[Array, Array, tuple[str, ...], str]:
    """Return X (m, n_x), y (m,), the names of the features and the name of the target of a `synthetic:` source."""
    name = spec.source.partition(":")[2]
    entry = SYNTHETIC[name]
    seed = spec.seed if spec.generator_seed is None else spec.generator_seed
    noise = entry.noise if spec.noise is None else spec.noise
    examples = entry.examples if spec.examples is None else spec.examples
    if name == "parity" and spec.examples is None and spec.bits is not None:
        examples = min(2**spec.bits, PARITY_EXAMPLES_LIMIT)
    X, y = entry.make(examples, noise, np.random.default_rng(seed), spec)
    features = entry.features or tuple(f"bit_{bit + 1}" for bit in range(X.shape[1]))
    return X, y, features, entry.target


def _class_sizes(examples: int, classes: int) -> list[int]:
    return [examples // classes + (k < examples % classes) for k in range(classes)]


def _labels(sizes: list[int]) -> Array:
    return np.repeat(np.arange(len(sizes), dtype=np.float64), sizes)


def planar_flower(examples: int, noise: float, rng: np.random.Generator, _spec: DataSpec) -> Points:
    """Two classes with four petals each, of radius 4, like planar_utils.load_planar_dataset of the course."""
    sizes = _class_sizes(examples, 2)
    petals = []
    for j, size in enumerate(sizes):
        t = np.linspace(j * 3.12, (j + 1) * 3.12, size) + rng.standard_normal(size) * noise
        r = 4 * np.sin(4 * t) + rng.standard_normal(size) * noise
        petals.append(np.column_stack([r * np.sin(t), r * np.cos(t)]))
    return np.concatenate(petals), _labels(sizes)


def moons(examples: int, noise: float, rng: np.random.Generator, _spec: DataSpec) -> Points:
    """Two interleaving half circles."""
    sizes = _class_sizes(examples, 2)
    upper, lower = (np.linspace(0, np.pi, size) for size in sizes)
    X = np.concatenate(
        [
            np.column_stack([np.cos(upper), np.sin(upper)]),
            np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)]),
        ]
    )
    return X + rng.standard_normal(X.shape) * noise, _labels(sizes)


def circles(examples: int, noise: float, rng: np.random.Generator, _spec: DataSpec) -> Points:
    """A circle of radius 1 around a circle of radius 0.5."""
    sizes = _class_sizes(examples, 2)
    rings = []
    for radius, size in zip((1.0, 0.5), sizes, strict=True):
        t = np.linspace(0, 2 * np.pi, size, endpoint=False)
        rings.append(radius * np.column_stack([np.cos(t), np.sin(t)]))
    X = np.concatenate(rings)
    return X + rng.standard_normal(X.shape) * noise, _labels(sizes)


def spirals(examples: int, noise: float, rng: np.random.Generator, spec: DataSpec) -> Points:
    """Spiral arms of one and a half turns around a common center, one arm per class."""
    classes = spec.classes or 2
    sizes = _class_sizes(examples, classes)
    arms = []
    for k, size in enumerate(sizes):
        radius = np.linspace(0.1, 1.0, size)
        t = 3 * np.pi * radius + 2 * np.pi * k / classes
        arms.append(radius[:, None] * np.column_stack([np.cos(t), np.sin(t)]))
    X = np.concatenate(arms)
    return X + rng.standard_normal(X.shape) * noise, _labels(sizes)


def blobs(examples: int, noise: float, rng: np.random.Generator, spec: DataSpec) -> Points:
    """Gaussian clusters with standard deviation `noise`, centered on a circle of radius 4, one cluster per class."""
    classes = spec.classes or 3
    sizes = _class_sizes(examples, classes)
    labels = _labels(sizes)
    t = 2 * np.pi * labels / classes
    X = 4 * np.column_stack([np.cos(t), np.sin(t)])
    return X + rng.standard_normal(X.shape) * noise, labels


def parity(examples: int, noise: float, rng: np.random.Generator, spec: DataSpec) -> Points:
    """Whether the number of ones is odd. All bit patterns are equally frequent. Only the bits have noise."""
    bits = spec.bits or PARITY_BITS
    patterns = np.arange(examples) % 2**bits
    X = (patterns[:, None] >> np.arange(bits) & 1).astype(np.float64)
    y = X.sum(axis=1) % 2
    if y.min() == y.max():
        raise UserError(
            f"[data] examples: synthetic:parity with {counted(examples, 'example')} of {counted(bits, 'bit')} "
            f"has only one class; set a larger number"
        )
    return X + rng.standard_normal(X.shape) * noise, y


def house_price(examples: int, noise: float, rng: np.random.Generator, _spec: DataSpec) -> Points:
    """The price of a house in thousands, never negative, as a linear function of its size in square meters."""
    size = rng.uniform(20, 250, examples)
    price = 2.5 * (size - 30) + rng.standard_normal(examples) * noise
    return size[:, None], np.maximum(price, 0.0)


SYNTHETIC: dict[str, Synthetic] = {
    "planar_flower": Synthetic(planar_flower, examples=400, noise=0.2),
    "moons": Synthetic(moons, examples=400, noise=0.2),
    "circles": Synthetic(circles, examples=400, noise=0.1),
    "spirals": Synthetic(spirals, examples=400, noise=0.02),
    "blobs": Synthetic(blobs, examples=400, noise=1.0),
    "parity": Synthetic(parity, examples=2**PARITY_BITS, noise=0.0, features=()),
    "house_price": Synthetic(house_price, examples=200, noise=30.0, features=("size",), target="price"),
}
