"""From the [space] table to Optuna's suggestions, and from a trial's parameters to a network and its training."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import BaseTrial, FixedTrial

from engine import Architecture, TrainingSettings
from study.spec import Range, SpaceSpec
from study.spec.space import FULL_BATCH

# Hyperparameters that only some optimizers have; drawn for the others they would be noise to the sampler.
_MOMENTUM_USERS = ("momentum", "nesterov", "adam", "adamw")
_WHOLE = ("iterations", "depth", "units")


def suggest(trial: BaseTrial, space: SpaceSpec) -> dict[str, Any]:
    """Draw one setting; fixed values are part of it, but not of the trial's parameters."""
    setting: dict[str, Any] = {}

    def draw(name: str, field: str | None = None) -> Any:
        setting[name] = _draw(trial, name, getattr(space, field or name), whole=(field or name) in _WHOLE)
        return setting[name]

    draw("learning_rate")
    draw("iterations")
    depth = draw("depth")
    for layer in range(1, depth + 1):
        draw(f"units_{layer}", "units")
    if depth:
        draw("activation")
        draw("dropout")
    if draw("optimizer") in _MOMENTUM_USERS:
        draw("momentum")
    for name in ("batch_size", "l2", "schedule", "initialization"):
        draw(name)
    return setting


def complete(space: SpaceSpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole setting of a trial from the parameters that the ledger keeps."""
    return suggest(FixedTrial(dict(params)), space)


def _draw(trial: BaseTrial, name: str, field: Any, *, whole: bool) -> Any:
    if not isinstance(field, Range):
        return field[0] if len(field) == 1 else trial.suggest_categorical(name, field)
    if whole:
        step = 1 if field.log or field.step is None else int(field.step)
        if field.low == field.high:
            return int(field.low)
        return trial.suggest_int(name, int(field.low), int(field.high), step=step, log=field.log)
    if field.low == field.high:
        return field.low
    return trial.suggest_float(name, field.low, field.high, step=field.step, log=field.log)


def architecture_of(setting: Mapping[str, Any], n_x: int, n_y: int, output_activation: str) -> Architecture:
    """Return the network of a setting."""
    hidden = [setting[f"units_{layer}"] for layer in range(1, setting["depth"] + 1)]
    return Architecture((n_x, *hidden, n_y), setting.get("activation", "relu"), output_activation)


def training_of(setting: Mapping[str, Any]) -> TrainingSettings:
    """Return how the network of a setting is trained."""
    return TrainingSettings(
        learning_rate=setting["learning_rate"],
        iterations=setting["iterations"],
        optimizer=setting["optimizer"],
        batch_size=None if setting["batch_size"] == FULL_BATCH else setting["batch_size"],
        schedule=setting["schedule"],
        momentum=setting.get("momentum", 0.9),
        l2=setting["l2"],
        dropout=setting.get("dropout", 0.0),
    )


def upper(field: Any) -> float:
    """Return the largest value of a numeric hyperparameter."""
    return float(field.high if isinstance(field, Range) else max(field))


def middle(field: Any) -> float:
    """Return the value in the middle of a numeric hyperparameter, on its own scale."""
    if not isinstance(field, Range):
        return float(sorted(field)[len(field) // 2])
    if field.log:
        return float((field.low * field.high) ** 0.5)
    return (field.low + field.high) / 2


def fixed(space: SpaceSpec) -> dict[str, Any]:
    """Return the hyperparameters that have one value, those of all trials."""
    values = {}
    for name in type(space).model_fields:
        field = getattr(space, name)
        if not isinstance(field, Range) and len(field) == 1 and name != "units":
            values[name] = field[0]
    return values
