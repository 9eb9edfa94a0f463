"""Types for the value of a hyperparameter and for a whole configuration."""

from collections.abc import Mapping

ParameterValue = float | int | str | bool | None  # Optuna allows None as a choice
Configuration = Mapping[str, ParameterValue]
"""The hyperparameters of a trial by name, either all of them or only those that are sampled."""
