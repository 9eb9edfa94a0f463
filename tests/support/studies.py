"""A study of a table that many tests finalize and use for predictions: its spec, and its table."""

from pathlib import Path

import numpy as np
import pandas as pd

TABLE = """
name = "table"
baselines.enabled = false
[data]
source = "table.csv"
target = "kind"
[space]
learning_rate = [0.3, 1.0]
iterations = [100]
depth = [0, 1]
units = [4]
activation = ["tanh"]
[search]
trials = 4
sampler = "grid"
pruner = "none"
"""


def write_table(path: Path, rows: int = 200) -> pd.DataFrame:
    """Write the table of TABLE, with a height, which is sometimes missing, and a town; return it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"height": rng.normal(170, 10, rows).round(1), "town": rng.choice(["Rome", "Oslo"], rows)})
    tall = frame["height"] + 8 * (frame["town"] == "Rome") > 172
    frame["kind"] = np.where(tall, "large", "small")
    frame.loc[::17, "height"] = np.nan
    frame.to_csv(path, index=False)
    return frame
