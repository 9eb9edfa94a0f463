"""`import engine` takes NumPy alone; the estimators come on first use."""

import subprocess
import sys

import pytest

import engine


def imported_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_of_the_engine_imports_no_scikit_learn() -> None:
    modules = imported_after("import engine")
    assert "numpy" in modules
    assert not modules & {"sklearn", "scipy", "pandas", "engine.estimators"}


@pytest.mark.slow
def test_estimators_come_on_first_use() -> None:
    assert "sklearn" in imported_after("from engine import DNNClassifier, DNNRegressor")


def test_all_that_is_exported_is_there() -> None:
    assert all(getattr(engine, name) is not None for name in engine.__all__)
    assert set(engine.__all__) <= set(dir(engine))


def test_other_names_are_refused_as_usual() -> None:
    with pytest.raises(AttributeError, match="module 'engine' has no attribute 'DNNTransformer'"):
        _ = engine.DNNTransformer
