"""The types of hyperparameters: the value of one, and a whole configuration of them by name."""

from collections.abc import Mapping

ParameterValue = float | int | str | bool | None  # None is among the choices that Optuna allows
Configuration = Mapping[str, ParameterValue]
"""The hyperparameters of a trial by name: those that are drawn, or all of them."""
