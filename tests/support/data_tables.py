"""Tables that several tests of the data stage share."""

import numpy as np
import pandas as pd


def mixed_table(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """A table with a column of every kind; `grade` follows from `length`."""
    rng = np.random.default_rng(seed)
    length = rng.normal(10, 2, rows)
    return pd.DataFrame(
        {
            "length": np.where(rng.random(rows) < 0.1, np.nan, np.round(length, 3)),
            "count": rng.integers(0, 9, rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "fresh": rng.choice(["yes", "no"], rows),
            "seen": pd.date_range("2024-01-01", periods=rows, freq="7h").strftime("%Y-%m-%d %H:%M"),
            "grade": np.where(length + rng.normal(0, 0.5, rows) > 10, "good", "bad"),
        }
    )
