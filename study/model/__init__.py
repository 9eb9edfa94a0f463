"""The final model: a scikit-learn pipeline that is evaluated once on the test set and then used for prediction."""

_STEPS = ("NetworkClassifier", "NetworkRegressor")


def __getattr__(name: str) -> type:
    """Return the class of a pipeline step, which models saved by version 0.1 expect in this module."""
    if name in _STEPS:
        from study.model import pipeline

        step: type = getattr(pipeline, name)
        return step
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
