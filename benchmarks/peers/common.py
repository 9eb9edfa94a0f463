"""Shared code of the systems that `benchmarks/jobs.py` compares: arguments, data, and PyTorch's training loop.

Each system is run as `python PEER.py FOLDER`. The folder contains `data.npz` (X_train, y_train, X_dev, y_dev; scaled,
with examples as rows) and `settings.json`, and receives all files of the system.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Setting = dict[str, Any]
SEED = 0


class Job:
    """The job of one system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: list[Setting] = json.loads((folder / "settings.json").read_text())
        with np.load(folder / "data.npz") as file:
            self.X_train, self.y_train, self.X_dev, self.y_dev = (
                file[name] for name in ("X_train", "y_train", "X_dev", "y_dev")
            )

    @property
    def tracking_uri(self) -> str:
        """The URI of MLflow's store."""
        return f"sqlite:///{self.folder}/mlflow.db"


def read_job() -> Job:
    """Return the job that the command-line arguments specify."""
    return Job(Path(sys.argv[1]).resolve())


def parameters_of(setting: Setting) -> dict[str, Any]:
    """Return the parameters that a user would log with a run."""
    return {**setting, "units": "-".join(map(str, setting["units"]))}


def train_torch(job: Job, setting: Setting, seen: Any) -> float:
    """Train a network with PyTorch on one thread; return the accuracy on dev.

    Args:
        job: the data.
        setting: optimizer, learning rate, epochs, batch size, units and activation.
        seen: called with (epoch, mean cost) after each epoch.
    """
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    X, y = torch.from_numpy(job.X_train.astype(np.float32)), torch.from_numpy(job.y_train)
    sizes = [X.shape[1], *setting["units"], int(y.max()) + 1]
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[setting["activation"]]
    layers: list[torch.nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), activation()]
    model = torch.nn.Sequential(*layers[:-1])
    make = {"gradient_descent": torch.optim.SGD, "adam": torch.optim.Adam}[setting["optimizer"]]
    optimizer = make(model.parameters(), lr=setting["learning_rate"])
    m, size = len(y), setting["batch_size"] or len(y)
    for epoch in range(setting["epochs"]):
        order = torch.randperm(m) if size < m else None
        total = 0.0
        for first in range(0, m, size):
            rows = slice(first, first + size)
            A, target = (X, y) if order is None else (X[order[rows]], y[order[rows]])
            optimizer.zero_grad(set_to_none=True)
            cost = torch.nn.functional.cross_entropy(model(A), target)
            cost.backward()
            optimizer.step()
            total += cost.item() * len(target)
        seen(epoch, total / m)
    with torch.no_grad():
        said = model(torch.from_numpy(job.X_dev.astype(np.float32))).argmax(1).numpy()
    return float((said == job.y_dev).mean())


def make_sklearn(setting: Setting, m: int) -> Any:
    """Return an MLPClassifier for a setting that trains all its epochs."""
    from sklearn.neural_network import MLPClassifier

    adam = setting["optimizer"] == "adam"
    return MLPClassifier(
        hidden_layer_sizes=tuple(setting["units"]),
        activation=setting["activation"],
        solver="adam" if adam else "sgd",
        alpha=0.0,
        batch_size=min(setting["batch_size"] or m, m),
        learning_rate_init=setting["learning_rate"],
        momentum=0.0,
        max_iter=setting["epochs"],
        tol=0.0,
        n_iter_no_change=setting["epochs"] + 1,
        random_state=SEED,
    )
