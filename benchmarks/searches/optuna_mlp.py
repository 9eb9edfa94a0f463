"""Optuna with scikit-learn's MLPClassifier, as usually written: a quarter of the rows held out, two threads."""

import warnings
from typing import Any

import optuna
from common import DEV, Task
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore", ConvergenceWarning)
optuna.logging.set_verbosity(optuna.logging.WARNING)
task = Task()
X_train, X_dev, y_train, y_dev = train_test_split(
    task.X, task.y, test_size=DEV, random_state=task.seed, stratify=task.y
)


def build(params: dict[str, Any]) -> Pipeline:
    """Return the pipeline of a configuration."""
    network = MLPClassifier(
        hidden_layer_sizes=[params[f"units_{layer}"] for layer in range(params["depth"])],
        activation=params["activation"],
        alpha=params["alpha"],
        batch_size=params["batch_size"],
        learning_rate_init=params["learning_rate"],
        max_iter=params["epochs"],
        random_state=task.seed,
    )
    return make_pipeline(StandardScaler(), network)


def objective(trial: optuna.Trial) -> float:
    """Return the accuracy on dev."""
    depth = trial.suggest_int("depth", 1, 3)
    for layer in range(depth):
        trial.suggest_int(f"units_{layer}", 8, 128, log=True)
    trial.suggest_categorical("activation", ["relu", "tanh"])
    trial.suggest_float("alpha", 1e-6, 1e-1, log=True)
    trial.suggest_categorical("batch_size", [32, 128])
    trial.suggest_float("learning_rate", 5e-4, 5e-2, log=True)
    trial.suggest_int("epochs", 10, 200, log=True)
    return float(build(trial.params).fit(X_train, y_train).score(X_dev, y_dev))


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=task.seed))
study.optimize(objective, timeout=task.left, n_jobs=2)
task.finish(build(study.best_params).fit(task.X, task.y))
