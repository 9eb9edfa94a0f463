"""Conversions from the [space] table to Optuna's suggestions, and from a trial's parameters to a network."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial, FixedTrial

from engine import Architecture, TrainingSettings
from study.errors import UserError
from study.spec import Range, SpaceSpec, Spec
from study.spec.encoding import STANDARD, Encoding
from study.spec.parameters import Configuration, ParameterValue
from study.spec.space import FULL_BATCH

# Optimizers that use `momentum`. For the others it is not drawn, since it would only be noise to the sampler.
_MOMENTUM_USERS = ("momentum", "nesterov", "adam", "adamw")
_SHAPING = ("units_pattern", "activation", "optimizer", "batch_size", "encoding")
_WHOLE = ("iterations", "depth", "units")


def suggest(trial: BaseTrial, space: SpaceSpec) -> dict[str, Any]:
    """Draw one configuration. It includes fixed values, which are not parameters of the trial."""
    configuration: dict[str, Any] = {}

    def draw(name: str, field: str | None = None) -> Any:
        configuration[name] = _draw(trial, name, getattr(space, field or name), whole=(field or name) in _WHOLE)
        return configuration[name]

    draw("learning_rate")
    draw("iterations")
    depth = draw("depth")
    pattern = draw("units_pattern") if depth > 1 else "per_layer"
    if pattern == "per_layer":
        for layer in range(1, depth + 1):
            draw(f"units_{layer}", "units")
    else:
        units = draw("units")
        for layer in range(depth):
            configuration[f"units_{layer + 1}"] = units if pattern == "constant" else max(1, units >> layer)
    if depth:
        draw("activation")
        draw("dropout")
    if draw("optimizer") in _MOMENTUM_USERS:
        draw("momentum")
    for name in ("batch_size", "l2", "schedule", "initialization"):
        draw(name)
    unused = without_effect(space)
    for name in ("encoding", "bins", "class_weight"):
        if name not in unused and (name != "bins" or configuration["encoding"] == "ple"):
            draw(name)
    return configuration


def complete(space: SpaceSpec, params: Configuration) -> dict[str, Any]:
    """Return the complete configuration of a trial from the parameters in the ledger."""
    return suggest(FixedTrial(dict(params)), space)


def _draw(trial: BaseTrial, name: str, field: Any, *, whole: bool) -> Any:
    if not isinstance(field, Range):
        return field[0] if len(field) == 1 else trial.suggest_categorical(name, field)
    high = _last_step(field)
    if whole:
        step = 1 if field.log or field.step is None else int(field.step)
        if field.low == high:
            return int(field.low)
        return trial.suggest_int(name, int(field.low), int(high), step=step, log=field.log)
    if field.low == high:
        return field.low
    return trial.suggest_float(name, field.low, high, step=field.step, log=field.log)


def _last_step(field: Range) -> float:
    """Return the largest value of a range with a step, as Optuna would; Optuna warns if that is not `high`."""
    if field.step is None:
        return field.high
    low, high, step = (Decimal(str(value)) for value in (field.low, field.high, field.step))
    return float(low + (high - low) // step * step)


def encodings_of(space: SpaceSpec) -> tuple[Encoding, ...]:
    """Return all encodings of a space, in the order of its choices."""
    each = [(name, bins) for name in space.encoding for bins in (space.bins if name == "ple" else (0,))]
    return tuple(Encoding.of(name, bins) for name, bins in each)


def needed_encodings(spec: Spec) -> tuple[Encoding, ...]:
    """Return the encodings of a study's data: those of its space, and the standard one if baselines need it."""
    encodings = encodings_of(spec.space)
    return encodings if STANDARD in encodings or not spec.baselines.enabled else (*encodings, STANDARD)


def encoding_of(configuration: Mapping[str, Any]) -> Encoding:
    """Return the encoding of a configuration."""
    return Encoding.of(configuration.get("encoding", "standard"), configuration.get("bins", 0))


def class_weight_of(configuration: Mapping[str, Any]) -> str:
    """Return the class weights of a configuration: "none" or "balanced"."""
    return str(configuration.get("class_weight", "none"))


def check_class_weight(space: SpaceSpec, task: str) -> None:
    """Check that a task has classes if they may be weighted.

    Raises:
        UserError: it has not.
    """
    if task == "regression" and "balanced" in space.class_weight:
        raise UserError(
            '[space] class_weight: "balanced" applies to classes, and the task is regression; remove class_weight'
        )


def architecture_of(configuration: Mapping[str, Any], n_x: int, n_y: int, output_activation: str) -> Architecture:
    """Return the network of a configuration."""
    hidden = [configuration[f"units_{layer}"] for layer in range(1, configuration["depth"] + 1)]
    return Architecture((n_x, *hidden, n_y), configuration.get("activation", "relu"), output_activation)


def training_of(configuration: Mapping[str, Any]) -> TrainingSettings:
    """Return the training settings of a configuration."""
    return TrainingSettings(
        learning_rate=configuration["learning_rate"],
        iterations=configuration["iterations"],
        optimizer=configuration["optimizer"],
        batch_size=None if configuration["batch_size"] == FULL_BATCH else configuration["batch_size"],
        schedule=configuration["schedule"],
        momentum=configuration.get("momentum", 0.9),
        l2=configuration["l2"],
        dropout=configuration.get("dropout", 0.0),
        class_weight="balanced" if configuration.get("class_weight") == "balanced" else None,
    )


def upper(field: Any) -> float:
    """Return the largest value of a numeric hyperparameter."""
    return float(field.high if isinstance(field, Range) else max(field))


def largest_configurations(space: SpaceSpec) -> list[dict[str, Any]]:
    """Return configurations with the upper end of every range, one for each combination of choices that affect size."""
    names = [name for name in _SHAPING if len(getattr(space, name)) > 1]
    combinations = product(*(getattr(space, name) for name in names))
    return [suggest(_Largest(dict(zip(names, choices, strict=True))), space) for choices in combinations]


def middle(field: Any) -> float:
    """Return the middle of a numeric hyperparameter, on a log scale for a log range."""
    if not isinstance(field, Range):
        return float(sorted(field)[len(field) // 2])
    if field.log:
        return float((field.low * field.high) ** 0.5)
    return (field.low + field.high) / 2


def fixed(space: SpaceSpec) -> dict[str, ParameterValue]:
    """Return the hyperparameters that have a single value, which all trials share."""
    names = set(type(space).model_fields) - {"units", "units_pattern", "max_parameters"} - without_effect(space)
    fields = {name: getattr(space, name) for name in type(space).model_fields if name in names}
    return {name: field[0] for name, field in fields.items() if isinstance(field, tuple) and len(field) == 1}


def without_effect(space: SpaceSpec) -> set[str]:
    """Return the hyperparameters that no configuration of a space has, because they are off.

    They are newer than the first studies, whose configurations must stay the same.
    """
    unused = {"bins": "ple" not in space.encoding}
    unused |= {"encoding": space.encoding == ("standard",), "class_weight": space.class_weight == ("none",)}
    return {name for name, off in unused.items() if off}


def within(space: SpaceSpec, params: Configuration) -> dict[str, ParameterValue] | None:
    """Return those of the parameters that this space draws; None if one is missing or out of range."""
    try:
        checked = _Checked(dict(params))
        suggest(checked, space)
    except (KeyError, ValueError):
        return None
    return checked.drawn


def check_configuration(space: SpaceSpec, configuration: Configuration) -> None:
    """Check an enqueued configuration, which may be partial.

    Raises:
        ValueError: it has a parameter that the space does not draw, or a value that is out of range.
    """
    checked = _Checked(dict(configuration), partial=True)
    suggest(checked, space)
    unused = sorted(set(configuration) - set(checked.drawn))
    if unused:
        raise ValueError(
            f"{unused[0]} does not apply to this configuration; the hyperparameters that apply are "
            f"{', '.join(checked.names)}"
        )


class _Largest(FixedTrial):
    """A trial that suggests the upper end of each range, and of choices a given one, or else the largest number."""

    def __init__(self, choices: dict[str, ParameterValue]) -> None:
        super().__init__(choices)
        self.given = choices

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if not isinstance(distribution, CategoricalDistribution):
            return getattr(distribution, "high")  # noqa: B009 - the numeric classes have no common base class
        numbers = [choice for choice in distribution.choices if isinstance(choice, int | float)]
        return self.given.get(name, max(numbers, default=distribution.choices[0]))


class _Checked(FixedTrial):
    """A trial that suggests given values, and checks each against its distribution."""

    def __init__(self, params: dict[str, ParameterValue], *, partial: bool = False) -> None:
        super().__init__(params)
        self.given, self.partial = params, partial
        self.drawn: dict[str, ParameterValue] = {}
        self.names: list[str] = []

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        self.names.append(name)
        if name not in self.given and self.partial:
            return distribution.to_external_repr(getattr(distribution, "low", 0))  # any value; choices by index
        value = self.given[name]
        if not _is_within(distribution, value):
            raise ValueError(f"{name} = {value!r} is not within [space]")
        self.drawn[name] = value
        return value


def _is_within(distribution: BaseDistribution, value: ParameterValue) -> bool:
    """Return whether a distribution contains a value."""
    try:
        inner = distribution.to_internal_repr(value)
    except (TypeError, ValueError):
        return False
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        return True  # a valid choice, since it has an index
    steps = 0.0 if distribution.step is None else (inner - distribution.low) / distribution.step
    return distribution.low <= inner <= distribution.high and abs(steps - round(steps)) < 1e-8
