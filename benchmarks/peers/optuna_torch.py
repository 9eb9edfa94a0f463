"""Optuna and PyTorch in two processes on one study, with one call to MLflow for the curve of each trial."""

import multiprocessing

import mlflow
import optuna
from common import parameters_of, read_job, train_torch
from mlflow.entities import Metric
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState

job = read_job()
JOURNAL = f"{job.folder}/optuna.log"


def objective(trial: optuna.Trial) -> float:
    setting = job.settings[trial.suggest_int("setting", 0, len(job.settings) - 1)]
    with mlflow.start_run(run_name=f"trial {trial.number}") as run:
        mlflow.log_params(parameters_of(setting))
        curve: list[float] = []
        accuracy = train_torch(job, setting, lambda _, cost: curve.append(cost))
        metrics = [Metric("cost", cost, run.info.start_time, step) for step, cost in enumerate(curve)]
        mlflow.MlflowClient().log_batch(run.info.run_id, metrics)
        mlflow.log_metric("dev_accuracy", accuracy)
    return accuracy


def work(_: int) -> None:
    mlflow.set_tracking_uri(job.tracking_uri)
    mlflow.set_experiment("peer")
    enough = MaxTrialsCallback(len(job.settings), states=(TrialState.COMPLETE,))
    optuna.load_study(study_name="peer", storage=JournalStorage(JournalFileBackend(JOURNAL))).optimize(
        objective, callbacks=[enough]
    )


if __name__ == "__main__":
    mlflow.set_tracking_uri(job.tracking_uri)
    mlflow.set_experiment("peer")  # once, since two processes cannot create the schema at the same time
    storage = JournalStorage(JournalFileBackend(JOURNAL))
    study = optuna.create_study(study_name="peer", direction="maximize", storage=storage)
    for index in range(len(job.settings)):
        study.enqueue_trial({"setting": index})
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(work, range(2), chunksize=1)
    print(study.best_value)
