"""The `[space]` table of a spec: a range, a list of choices or a fixed value for each hyperparameter."""

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.activations import ACTIVATIONS, get_activation
from engine.initialization import SCHEMES
from engine.optimizers import OPTIMIZERS
from engine.registry import Registry
from engine.schedules import SCHEDULES
from study.spec.choice_schemas import REGISTERED, NamedChoices, list_of
from study.spec.encoding import ENCODINGS
from study.spec.extensions import is_recorded
from study.spec.other_names import suggest
from study.spec.plugins import is_known, names_for_remedy

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

FULL_BATCH = "full"
CLASS_WEIGHTS = ("none", "balanced")
MOST_BINS = 256
LARGEST_BATCH = 1_000_000_000
MOST_STEPS = 1_000_000  # maximum number of values in a range
SMALLEST = 5e-324  # the smallest number above 0
_ACTIVATION = r"^[a-z][a-z0-9_]*(\([-+.0-9eE]+\))?$"  # a registered name, or one with a parameter


class Range(BaseModel):
    """A range from low to high, both inclusive: `{ low = 1e-3, high = 1.0, log = true }`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float = Field(description="Smallest value.")
    high: float = Field(description="Largest value.")
    log: bool = Field(False, description="Sample on a logarithmic scale. Requires low > 0.")
    step: float | None = Field(
        None, gt=0, description="Sample only low, low + step, low + 2 step, … Cannot be combined with log."
    )

    @field_validator("low", "high", "step", mode="before")
    @classmethod
    def _is_number(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.field_name == "step":
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):  # pydantic would accept true and "1"
            raise ValueError(f"{info.field_name} must be a number, got {value!r}")  # noqa: TRY004 - as pydantic needs it
        if not abs(value) <= sys.float_info.max:
            raise ValueError(f"{info.field_name} must be a finite number, got {value!r}")
        if info.field_name == "step" and value <= 0:
            raise ValueError(f"step must be above 0, got {value!r}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low must not be above high, got low = {self.low:g} and high = {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 with log = true, got {self.low:g}")
        if self.step is not None and (self.high - self.low) / self.step > MOST_STEPS:
            raise ValueError(f"step = {self.step:g} gives the range more than {MOST_STEPS:,} values; use a larger step")
        if self.log and self.step is not None:
            raise ValueError("log and step cannot be combined; remove one of them")
        return self


@dataclass(frozen=True)
class _Numbers:
    """The JSON Schema of a number, a list of numbers, or a range; all are at least `least` and below `below`."""

    least: float
    below: float
    whole: bool

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        one = self._number()
        described = Range.model_json_schema()
        ends = {key: described["properties"][key] | one for key in ("low", "high")}
        return {"anyOf": [one, list_of(one), described | {"properties": described["properties"] | ends}]}

    def _number(self) -> dict[str, Any]:
        least = {"exclusiveMinimum": 0} if self.least == SMALLEST else {"minimum": self.least}
        if self.whole:
            return {"type": "integer", **least, "maximum": int(self.below) - 1}
        most = {} if self.below == float("inf") else {"exclusiveMaximum": self.below}
        return {"type": "number", **least, **most}


class _BatchSizes:
    """The JSON Schema of a number of examples, "full", or a list of them."""

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        size = {"type": "integer", "minimum": 1, "maximum": LARGEST_BATCH}
        one = {"anyOf": [size, {"enum": [FULL_BATCH]}]}
        return {"anyOf": [one, list_of(one)]}


class _Bins:
    """The JSON Schema of a number of bins, or a list of them."""

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        one = {"type": "integer", "minimum": 2, "maximum": MOST_BINS}
        return {"anyOf": [one, list_of(one)]}


def _number(name: str, rule: str, least: float, below: float, value: object, whole: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and value != int(value)):
        raise ValueError(f"{name} must be {'a whole number' if whole else 'a number'}, got {value!r}")
    if not (least <= value < below):
        raise ValueError(f"{name} must be {rule}, got {value:g}")


def check_whole(name: str, spread: Range) -> None:
    """Check that the ends and the step of a range are whole numbers.

    Raises:
        ValueError: one of them is not.
    """
    for end in (spread.low, spread.high, *([spread.step] if spread.step else [])):
        if end != int(end):
            raise ValueError(f"{name} must be a range of whole numbers, got {end:g}")


def _numeric(name: str, rule: str, *, least: float, below: float = float("inf"), whole: bool = False) -> object:
    """Return the annotated type of a numeric hyperparameter: a range, choices or one value, within bounds."""

    def check(value: object) -> Range | tuple[object, ...]:
        if isinstance(value, dict):
            spread = Range.model_validate(value)
            if whole:
                check_whole(name, spread)
            _number(name, rule, least, below, spread.low, whole=False)
            _number(name, rule, least, below, spread.high, whole=False)
            return spread
        return _choices(value, lambda choice: _number(name, rule, least, below, choice, whole))

    schema = _Numbers(least, below, whole)
    if whole:
        return Annotated[Range | tuple[int, ...], BeforeValidator(check), schema]
    return Annotated[Range | tuple[float, ...], BeforeValidator(check), schema]


def _choices(value: object, check: Callable[[object], None]) -> tuple[object, ...]:
    choices = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not choices:
        raise ValueError("must have at least one choice, got an empty list")
    for choice in choices:
        check(choice)
    if len(set(choices)) < len(choices):
        raise ValueError(f"must not repeat a choice, got {list(choices)}")
    return choices


def _named(name: str, valid: Collection[str], others: str | None = None) -> object:
    """Return the annotated type of a hyperparameter whose values are names; `others` matches registered names."""

    def check(value: object, info: ValidationInfo) -> tuple[object, ...]:
        def check_one(choice: object) -> None:
            if choice not in valid and not is_recorded(info) and not _is_registered(valid, choice):
                raise ValueError(f"unknown {name} {choice!r}; {suggest(name, str(choice), _all_names(valid))}")

        return _choices(value, check_one)

    return Annotated[tuple[str, ...], BeforeValidator(check), NamedChoices(valid, others)]


def _is_registered(valid: Collection[str], name: object) -> bool:
    return isinstance(valid, Registry) and isinstance(name, str) and is_known(valid, name)


def _all_names(valid: Collection[str]) -> Collection[str]:
    return names_for_remedy(valid) if isinstance(valid, Registry) else valid


def _check_activations(value: object, info: ValidationInfo) -> tuple[object, ...]:
    return _choices(value, (lambda _: None) if is_recorded(info) else _check_activation)


def _check_activation(choice: object) -> None:
    try:
        get_activation(str(choice))
    except ValueError as error:
        if "(" in str(choice):
            raise
        if not _is_registered(ACTIVATIONS, choice):
            remedy = suggest("activation", str(choice), _all_names(ACTIVATIONS))
            raise ValueError(f"unknown activation {choice!r}; {remedy}") from error


def _check_batch(choice: object) -> None:
    if isinstance(choice, str) and choice != FULL_BATCH:
        raise ValueError(f'batch_size must be a whole number, or "{FULL_BATCH}", got {choice!r}')
    if choice != FULL_BATCH:
        rule = f'from 1 to {LARGEST_BATCH:,}, or "{FULL_BATCH}"'
        _number("batch_size", rule, 1, LARGEST_BATCH + 1, choice, whole=True)


def _check_bins(choice: object) -> None:
    _number("bins", f"from 2 to {MOST_BINS}", 2, MOST_BINS + 1, choice, whole=True)


class SpaceSpec(BaseModel):
    """The `[space]` table. A single value is fixed, a list gives choices, and a table with low and high is a range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: _numeric("learning_rate", "above 0", least=SMALLEST) = Field(  # type: ignore[valid-type]
        description="Learning rate α, above 0."
    )
    iterations: _numeric("iterations", "from 1 to 1,000,000,000", least=1, below=1e9 + 1, whole=True) = Field(  # type: ignore[valid-type]
        description="Number of parameter updates. With mini-batches, each mini-batch is one iteration."
    )
    depth: _numeric("depth", "from 0 to 50", least=0, below=51, whole=True) = Field(  # type: ignore[valid-type]
        description="Number of hidden layers; 0 is logistic (or linear) regression."
    )
    units: _numeric("units", "from 1 to 100,000", least=1, below=100_001, whole=True) = Field(  # type: ignore[valid-type]
        (16,), description="Number of units in a hidden layer, sampled for each layer."
    )
    units_pattern: _named("units_pattern", ("per_layer", "constant", "taper")) = Field(  # type: ignore[valid-type]
        ("per_layer",),
        description="How units vary across hidden layers: sampled for each layer (per_layer), the same in all layers "
        "(constant), or halved from each layer to the next (taper).",
    )
    activation: Annotated[
        tuple[str, ...], BeforeValidator(_check_activations), NamedChoices(ACTIVATIONS, _ACTIVATION)
    ] = Field(("relu",), description="Activation of all hidden layers.")
    optimizer: _named("optimizer", OPTIMIZERS, REGISTERED) = Field(  # type: ignore[valid-type]
        ("gradient_descent",), description="Update rule for the parameters."
    )
    batch_size: Annotated[
        tuple[int | Literal["full"], ...], BeforeValidator(lambda value: _choices(value, _check_batch)), _BatchSizes()
    ] = Field(("full",), description='Number of examples per iteration, or "full" for all of them.')
    momentum: _numeric("momentum", "at least 0 and below 1", least=0, below=1) = Field(  # type: ignore[valid-type]
        (0.9,), description="Momentum μ for momentum and Nesterov, and β₁ for Adam."
    )
    l2: _numeric("l2", "at least 0", least=0) = Field(  # type: ignore[valid-type]
        (0.0,), description="Coefficient λ of the penalty (λ/2) Σ ‖W‖²."
    )
    dropout: _numeric("dropout", "at least 0 and below 1", least=0, below=1) = Field(  # type: ignore[valid-type]
        (0.0,), description="Fraction of hidden units dropped in each iteration."
    )
    schedule: _named("schedule", SCHEDULES, REGISTERED) = Field(  # type: ignore[valid-type]
        ("constant",), description="How the learning rate changes during training."
    )
    initialization: _named("initialization", SCHEMES) = Field(  # type: ignore[valid-type]
        ("auto",), description="Initialization of the weights; auto depends on the activation."
    )
    encoding: _named("encoding", ENCODINGS) = Field(  # type: ignore[valid-type]
        ("standard",),
        description="How numeric columns become features: scaled as `[data] scale` says (standard), mapped to "
        "quantiles of the normal distribution (quantile), or scaled and also encoded in bins (ple).",
    )
    bins: Annotated[tuple[int, ...], BeforeValidator(lambda value: _choices(value, _check_bins)), _Bins()] = Field(
        (8,), description="Largest number of bins for each column with the encoding ple."
    )
    class_weight: _named("class_weight", CLASS_WEIGHTS) = Field(  # type: ignore[valid-type]
        ("none",),
        description="Whether the weights of training examples are multiplied by a factor that gives every class the "
        "same total weight (balanced), or not (none). Only for classification.",
    )
    max_parameters: int | None = Field(
        None, ge=1, description="Largest allowed number of weights and biases in a network."
    )
