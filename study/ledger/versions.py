"""The software versions that the results of a study can depend on, stored in its ledger when it starts."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("dnn-study", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "optuna", "joblib")


def installed_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of the installed packages, and the type of machine."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions | {"machine": f"{platform.system()} {platform.machine()}"}
