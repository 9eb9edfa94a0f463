"""Ray Tune and PyTorch, two trials at a time, with Ray's own MLflow callback."""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from common import Job, read_job, train_torch
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback

job = read_job()
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
shared = ray.put(job)


def trainable(config: dict[str, int]) -> None:
    mine: Job = ray.get(shared)
    accuracy = train_torch(
        mine, mine.settings[config["setting"]], lambda epoch, cost: tune.report({"cost": cost, "epoch": epoch})
    )
    tune.report({"dev_accuracy": accuracy, "cost": 0.0})


tuner = tune.Tuner(
    tune.with_resources(trainable, {"cpu": 1}),
    param_space={"setting": tune.grid_search(list(range(len(job.settings))))},
    tune_config=tune.TuneConfig(max_concurrent_trials=2),
    run_config=tune.RunConfig(
        storage_path=str(job.folder / "ray"),
        callbacks=[MLflowLoggerCallback(tracking_uri=job.tracking_uri, experiment_name="peer")],
        verbose=0,
    ),
)
print(tuner.fit().get_best_result("dev_accuracy", "max").metrics["dev_accuracy"])
