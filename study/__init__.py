"""`study`: tune dense neural networks from one TOML file, and keep a record that you can trust.

In Python: `from study import Study`. It is imported when it is asked for, so that the command line starts fast and
worker processes import neither Optuna nor MLflow.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.api.study import Study as Study

__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    if name == "Study":
        import warnings

        with warnings.catch_warnings():  # of a notebook without ipywidgets: Optuna's own bars are not shown
            warnings.filterwarnings("ignore", message="IProgress not found")
            from study.api.study import Study

        return Study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "Study"]
