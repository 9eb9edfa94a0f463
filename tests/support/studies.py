"""Finished studies of every kind, each run once and looked at by many tests; a test that changes one takes a copy."""

from pathlib import Path

import numpy as np
import pandas as pd
from support.in_process import spec_with

TABLE = """
name = "table"
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
# What `run_for_report` and the others run without the command, by kind: the name of every study is "small".
PLAIN = {
    "regression": spec_with('trials = 12\nmetric = "rmse"', 'source = "synthetic:house_price"'),
    "seeds": spec_with("trials = 6\nseeds = 3", 'source = "sklearn:wine"'),
    "folds": spec_with("trials = 6", 'source = "sklearn:iris"\nfolds = 3'),
    "objectives": spec_with('trials = 12\nmetric = ["accuracy", "parameters"]'),
}


def write_table(path: Path, rows: int = 200) -> pd.DataFrame:
    """Write the table of TABLE: a height, which is missing at times, and a town; return it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"height": rng.normal(170, 10, rows).round(1), "town": rng.choice(["Rome", "Oslo"], rows)})
    tall = frame["height"] + 8 * (frame["town"] == "Rome") > 172
    frame["kind"] = np.where(tall, "large", "small")
    frame.loc[::17, "height"] = np.nan
    frame.to_csv(path, index=False)
    return frame
