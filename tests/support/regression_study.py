"""A small regression study of prices, with a categorical feature."""

from pathlib import Path

import numpy as np
import pandas as pd

PRICES = """
name = "prices"
baselines.enabled = false
[data]
source = "prices.csv"
target = "price"
[space]
learning_rate = { low = 1e-3, high = 1e-1, log = true }
iterations    = { low = 40, high = 120, step = 40 }
depth         = { low = 0, high = 2 }
units         = { low = 2, high = 8, log = true }
activation    = ["relu", "tanh"]
optimizer     = ["adam"]
[search]
trials = 14
in_flight = 4
"""


def write_prices(folder: Path, rows: int = 240) -> Path:
    """Write the table of PRICES and its spec; return the path of the spec."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"area": rng.uniform(40, 200, rows).round(1), "town": rng.choice(["Rome", "Oslo"], rows)})
    frame["price"] = (900 * frame["area"] + 20_000 * (frame["town"] == "Oslo") + rng.normal(0, 6000, rows)).round()
    frame.to_csv(folder / "prices.csv", index=False)
    (folder / "prices.toml").write_text(PRICES)
    return folder / "prices.toml"
