"""The model that is kept: one scikit-learn pipeline, evaluated once on the test set, then used to predict."""

_STEPS = ("NetworkClassifier", "NetworkRegressor")


def __getattr__(name: str) -> type:
    """Return a step of a pipeline: models kept by version 0.1 name their steps as of this module."""
    if name in _STEPS:
        from study.model import pipeline

        step: type = getattr(pipeline, name)
        return step
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
