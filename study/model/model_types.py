"""The types that a model file may contain: those of the program, and those of the transform that its study names."""

from collections.abc import Mapping

import skops.io
from sklearn.pipeline import Pipeline

from study.errors import UserError, first_line
from study.spec.extensions import TRANSFORMS
from study.spec.plugins import PluginError, is_known

# Types that skops does not trust by default. A file with any other type is rejected.
TRUSTED = (
    "numpy.clip",
    "numpy.dtype",
    "study.data.encoders.PiecewiseLinearEncoder",
    "study.data.preprocessing.CellReader",
    "study.data.transforms.TransformStep",
    "study.model.pipeline.NetworkClassifier",
    "study.model.pipeline.NetworkRegressor",
    "study.model.NetworkClassifier",  # in models of version 0.1
    "study.model.NetworkRegressor",
    # Of scikit-learn's transformers; they only compute.
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.feature_selection._univariate_selection.r_regression",
)
_NOT_IMPORTABLE = ("<lambda>", "<locals>")


def own_types(content: bytes) -> list[str]:
    """Return the types of a model that are neither trusted by skops nor of the program."""
    return sorted(set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED))


def trusted_types(content: bytes, files: Mapping[str, str], place: str) -> list[str]:
    """Return the types to trust when a model is loaded: its own ones too, if the transform of its study is registered.

    Args:
        content: The model file.
        files: What the ledger knows of it; "transform" is the name of the transform, if there is one.
        place: The path of the file, for messages.

    Raises:
        UserError: If the transform has types of its own, and is neither registered nor declared by a package.
    """
    name, own = files.get("transform"), own_types(content)
    if name is None or not own:
        return list(TRUSTED)
    try:
        known = is_known(TRANSFORMS, name)
    except PluginError as error:
        raise UserError(f"{place}: transform {error}") from None
    if not known:
        raise UserError(
            f"{place}: the model uses the transform {name!r} with {own[0]}, which is not registered in this process; "
            f"from Python, call register_transform({name!r}, …) first, or install it as a package with an entry point"
        )
    return [*TRUSTED, *own]


def check_saveable(preprocessing: Pipeline, name: str) -> None:
    """Check that the model will be read back with its fitted transformer, before the test set is opened.

    Args:
        preprocessing: The fitted preprocessing.
        name: The name of the transform.

    Raises:
        UserError: If the transformer cannot be saved, or other processes could not import its types.
    """
    try:
        content = skops.io.dumps(preprocessing)
        own = own_types(content)
        hidden = [each for each in own if each.startswith("__main__.") or any(part in each for part in _NOT_IMPORTABLE)]
        if not hidden:
            skops.io.loads(content, trusted=[*TRUSTED, *own])
    except Exception as error:
        words = first_line(error)
        raise UserError(
            f"[data] transform: {name!r} cannot be saved with the model ({type(error).__name__}: {words}); "
            "keep only numbers, text, arrays and scikit-learn estimators in its attributes"
        ) from error
    if hidden:
        raise UserError(
            f"[data] transform: {name!r} cannot be saved with the model, because no other process can import "
            f"{hidden[0]}; define it in a module, and register the transform again under the same name"
        )
