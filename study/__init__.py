"""`study`: tune dense neural networks from one TOML file, and keep a record that you can trust.

In Python: `from study import Study, Float, Int`. These names are imported on first use, so that the command line starts
fast and worker processes import neither Optuna nor MLflow.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.api.estimators import StudyClassifier as StudyClassifier
    from study.api.estimators import StudyRegressor as StudyRegressor
    from study.api.ranges import Float as Float
    from study.api.ranges import Int as Int
    from study.api.study import Study as Study

__version__ = "0.2.0"
_NAMES = ("Float", "Int", "Study", "StudyClassifier", "StudyRegressor")


def __getattr__(name: str) -> object:
    if name in _NAMES:
        import warnings
        from importlib import import_module

        with warnings.catch_warnings():  # in a notebook without ipywidgets; Optuna's own bars are not shown
            warnings.filterwarnings("ignore", message="IProgress not found")
            return getattr(import_module("study.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_NAMES]
