"""FLAML with only a time limit: it chooses among gradient boosting, forests and linear models."""

import logging
import warnings

from common import Task
from flaml import AutoML

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
task = Task()
automl = AutoML()
automl.fit(
    task.X, task.y, task="classification", metric="accuracy", time_budget=task.left, n_jobs=2, seed=task.seed, verbose=0
)
task.finish(automl)
