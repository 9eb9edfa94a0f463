"""Executors, which run training tasks in this process or on one of joblib's backends."""

from study.execution.backends import default_jobs
from study.execution.clusters import connect
from study.execution.executor import Executor, FailureKind, TaskError, TaskOutcome, TrainingTask
from study.execution.in_process import InProcessExecutor
from study.execution.joblib_backend import Backend, JoblibExecutor
from study.execution.retry import RetryingExecutor
from study.execution.workers import Batch, Workers

__all__ = [
    "Backend",
    "Batch",
    "Executor",
    "FailureKind",
    "InProcessExecutor",
    "JoblibExecutor",
    "RetryingExecutor",
    "TaskError",
    "TaskOutcome",
    "TrainingTask",
    "Workers",
    "connect",
    "default_jobs",
]
