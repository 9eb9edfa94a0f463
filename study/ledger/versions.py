"""What a study ran on: the versions that its numbers can depend on, kept in the ledger when it begins."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("dnn-study", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "optuna", "joblib")


def installed_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of the packages that are installed, and the kind of machine."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions | {"machine": f"{platform.system()} {platform.machine()}"}
