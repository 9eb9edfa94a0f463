"""A transformer given to `Study(transform=...)`: it is registered under a name that identifies it."""

import functools
import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from study.errors import UserError
from study.spec.extensions import register_transform

DIGITS = 8


def transform_name(transform: object) -> str | None:
    """Return the name of a transform for the spec; a transformer is registered first.

    The name consists of the name of its class and a digest of its parameters, and of the source of classes and
    functions that are not scikit-learn's. Equal transformers have equal names, also in another process.

    Args:
        transform: A registered name, an unfitted transformer, or None.

    Raises:
        UserError: If it is none of these, or its parameters cannot be compared between processes.

    >>> from sklearn.preprocessing import PolynomialFeatures
    >>> transform_name(PolynomialFeatures(3))
    'polynomial_features_4bbc531e'
    """
    if transform is None or isinstance(transform, str):
        return transform
    if isinstance(transform, type) or not all(hasattr(transform, each) for each in ("fit", "transform", "get_params")):
        raise UserError(
            f"transform: must be the name of a registered transform or an unfitted scikit-learn transformer, "
            f"got {transform!r}"
        )
    description = json.dumps(_describe(transform), sort_keys=True)
    digest = hashlib.sha256(description.encode()).hexdigest()[:DIGITS]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(transform).__name__).lower()
    name = f"{re.sub('[^a-z0-9_]+', '_', words).strip('_0123456789') or 'transform'}_{digest}"
    try:
        register_transform(name, transform)
    except ValueError as error:
        raise UserError(f"transform: {error}") from None
    return name


def _describe(value: Any) -> object:
    """Return a value as JSON that is the same in every process.

    Raises:
        UserError: If there is none.
    """
    if isinstance(value, np.generic):
        return repr(value.item())
    if value is None or isinstance(value, str | bool | int | float):
        return repr(value)
    if isinstance(value, type):
        return ["class", value.__qualname__, *_source_of(value)]
    if hasattr(value, "get_params"):
        return ["estimator", _describe(type(value)), {key: _describe(each) for key, each in _changed_params(value)}]
    if isinstance(value, np.ndarray) and value.dtype != object:
        return ["array", str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
    if isinstance(value, np.ndarray | list | tuple | range):
        return [type(value).__name__, *(_describe(each) for each in value)]
    if isinstance(value, set | frozenset):
        return ["set", *sorted(json.dumps(_describe(each)) for each in value)]
    if isinstance(value, slice):
        return ["slice", *(_describe(each) for each in (value.start, value.stop, value.step))]
    if isinstance(value, Mapping):
        return ["dict", *([_describe(key), _describe(each)] for key, each in value.items())]
    if isinstance(value, functools.partial):
        return ["partial", _describe(value.func), _describe(value.args), _describe(value.keywords)]
    if isinstance(value, np.random.RandomState | np.random.Generator):
        raise UserError("transform: random_state must be an integer or None, so that the study can be repeated")
    if callable(value) and hasattr(value, "__qualname__"):
        return ["function", value.__qualname__, *_source_of(value)]
    if isinstance(value, np.ufunc):
        return ["function", value.__name__]
    if hasattr(value, "__dict__"):
        return ["object", _describe(type(value)), _describe(vars(value))]
    raise UserError(
        f"transform: a parameter of type {type(value).__name__} cannot be compared between processes; register the "
        "transformer with register_transform(name, transformer, version=1), and pass its name"
    )


def _changed_params(estimator: Any) -> list[tuple[str, Any]]:
    """Return the parameters of an estimator that differ from their defaults; a new version may add others."""
    known = inspect.signature(type(estimator).__init__).parameters
    defaults = {name: parameter.default for name, parameter in known.items()}
    params = estimator.get_params(deep=False)
    return [(key, each) for key, each in sorted(params.items()) if repr(each) != repr(defaults.get(key, defaults))]


def _source_of(defined: Any) -> list[str]:
    """Return the source of a function, or of the methods of a class, unless scikit-learn or NumPy defines it.

    The module is left out, so that a class of a notebook can be moved to a module.
    """
    module = str(getattr(defined, "__module__", ""))
    if module.partition(".")[0] in ("sklearn", "numpy", "scipy", "pandas", "builtins"):
        return [module.partition(".")[0]]
    functions = [defined]
    if isinstance(defined, type):
        functions = [each for _, each in sorted(vars(defined).items()) if inspect.isfunction(each)]
        bases = [_source_of(base) for base in defined.__bases__ if base is not object]
        return [*(line for base in bases for line in base), *(_text_of(each) for each in functions)]
    return [_text_of(each) for each in functions]


def _text_of(function: Any) -> str:
    try:
        return inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return ""
