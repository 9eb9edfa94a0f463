"""Optuna and MLPClassifier in two threads, with one call to MLflow for each cost ("step") or each trial ("batch")."""

import sys
import warnings

import mlflow
import optuna
from common import make_sklearn, parameters_of, read_job
from mlflow.entities import Metric
from sklearn.exceptions import ConvergenceWarning

job = read_job()
by_step = sys.argv[2] == "step"
warnings.simplefilter("ignore", ConvergenceWarning)
mlflow.set_tracking_uri(job.tracking_uri)
mlflow.set_experiment("peer")
client = mlflow.MlflowClient()


def objective(trial: optuna.Trial) -> float:
    setting = job.settings[trial.suggest_int("setting", 0, len(job.settings) - 1)]
    with mlflow.start_run(run_name=f"trial {trial.number}") as run:
        mlflow.log_params(parameters_of(setting))
        network = make_sklearn(setting, len(job.y_train)).fit(job.X_train, job.y_train)
        if by_step:
            for step, cost in enumerate(network.loss_curve_):
                mlflow.log_metric("cost", cost, step=step)
        else:
            at = run.info.start_time
            client.log_batch(
                run.info.run_id, [Metric("cost", c, at, step) for step, c in enumerate(network.loss_curve_)]
            )
        accuracy = float(network.score(job.X_dev, job.y_dev))
        mlflow.log_metric("dev_accuracy", accuracy)
    return accuracy


study = optuna.create_study(direction="maximize")
for index in range(len(job.settings)):
    study.enqueue_trial({"setting": index})
study.optimize(objective, n_trials=len(job.settings), n_jobs=2)
print(study.best_value)
