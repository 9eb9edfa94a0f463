"""Private parts of Optuna and MLflow: in one module, as they were checked, and done without where they differ."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from packaging.requirements import Requirement

import study
from study import _compat
from study.errors import UserError
from study.ledger.home import StudyFolder
from study.ledger.ledger import Ledger, TrialRecord, quiet_optuna
from study.search.samplers import CmaSampler
from study.search.search_space import _is_within

ROOT = Path(study.__file__).parent


@pytest.fixture(autouse=True)
def looked_at_anew() -> Iterator[None]:
    _compat.is_usable.cache_clear()
    yield
    _compat.is_usable.cache_clear()


@pytest.fixture
def unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no private part be as it was checked."""
    monkeypatch.setattr(_compat, "difference", lambda part: f"{part} is another one")


@pytest.mark.parametrize("part", _compat.PARTS)
def test_a_private_part_is_as_it_was_checked(part: str) -> None:
    """The first test to fail when a new version of a library differs."""
    known = _compat.PARTS[part]
    differs = _compat.difference(part)
    assert differs is None, (
        f"{known.library} {version(known.library)} differs from the version that study/_compat.py was checked with: "
        f"{differs}. It uses {known.names}, since {known.why}; until it is corrected, {known.otherwise}."
    )


@pytest.mark.parametrize("library", sorted({part.library for part in _compat.PARTS.values()}))
def test_libraries_have_an_upper_bound(library: str) -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (requirement,) = [each for each in map(Requirement, project["dependencies"]) if each.name == library]
    assert {each.operator for each in requirement.specifier} == {">=", "<"}
    assert version(library) in requirement.specifier
    assert re.search(rf"{library} {re.escape(version(library))}\b", _compat.__doc__ or "", re.IGNORECASE)


def private_names(tree: ast.AST) -> set[str]:
    """Return the private names of other objects and modules that a module uses, not those of its own classes."""
    found, defined = set(), names_defined(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_own(node, defined):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            parts = [*node.module.split("."), *(alias.name for alias in node.names)]
            if any(map(_is_private, parts)) and not node.module.startswith(("study", "engine", "_typeshed")):
                found.add(ast.unparse(node))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if any(map(_is_private, alias.name.split(".")))}
            found |= {alias.name for alias in node.names if alias.name.startswith(("mlflow.store.", "mlflow.utils."))}
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("mlflow.store", "mlflow.utils")):
            found.add(ast.unparse(node))
    return found


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def names_defined(tree: ast.AST) -> set[str]:
    """Return the names of the functions and methods of a module, and of the attributes that its classes set."""
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }
    return functions | attributes


def _is_own(node: ast.Attribute, defined: set[str]) -> bool:
    return ast.unparse(node.value) in ("self", "cls", "super()") or node.attr in defined


# Of Python: `os._exit` is documented; what SQLAlchemy documents of a row begins so, since columns have its other names.
DOCUMENTED = {"os._exit", "row._mapping"}
OTHERS = {
    "signals.py": {"atexit._run_exitfuncs"},  # nothing public runs them before `os._exit`
    "api/progress_line.py": {"error._render_traceback_"},  # IPython's documented protocol for errors
}
ELSEWHERE = {"_compat.py", "_loky.py"}  # the last of joblib


def test_no_other_module_uses_a_private_name_of_a_library() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted(ROOT.rglob("*.py"))
        if path.name not in ELSEWHERE
        and (names := private_names(ast.parse(path.read_text(encoding="utf-8"))) - DOCUMENTED)
    }
    assert found == OTHERS


@pytest.mark.parametrize(
    "code",
    [
        "trial._trial_id",
        "study._storage.set(1)",
        "from optuna.storages import _CachedStorage",
        "from optuna.importance._base import Base",
        "import optuna._hypervolume",
        "import mlflow.store.tracking.sqlalchemy_store",
        "from mlflow.utils.time import now",
    ],
)
def test_the_check_sees_private_names(code: str) -> None:
    assert private_names(ast.parse(code))


def test_what_differs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_compat.OPTUNA_COLUMNS, "trials", "trial_id of_tomorrow")
    assert "table trials has the columns" in (_compat.difference("tables of Optuna") or "")
    with pytest.raises(UserError, match=r"--storage: needs Optuna 5\.0"):
        _compat.check_optuna_tables()
    monkeypatch.delattr(optuna.storages, "_CachedStorage")
    assert _compat.difference("cache") == "optuna.storages has no _CachedStorage"


def test_a_ledger_is_written_without_private_parts(tmp_path: Path, unusable: None) -> None:
    ledger = Ledger(StudyFolder(tmp_path), "mine", ["maximize"])
    drawn = create_trial(state=TrialState.RUNNING, params={"x": 1}, distributions={"x": IntDistribution(0, 3)})
    assert [ledger.create(drawn) for _ in range(2)] == [0, 1]
    ledger.commit(1, {1: TrialRecord(10, {10: 0.5}, "complete", [0.5], {"reason": None})})
    first, second = Ledger(StudyFolder(tmp_path), "mine").trials()
    assert (first.state, second.state) == (TrialState.RUNNING, TrialState.COMPLETE)
    assert (second.values, second.intermediate_values) == ([0.5], {10: 0.5})


def test_cmaes_is_refused_in_a_line(unusable: None) -> None:
    with quiet_optuna():
        optuna_study = optuna.create_study(sampler=CmaSampler(0))
        optuna_study.add_trial(create_trial(value=0.0, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}))
        pytest.importorskip("cmaes")
        trial = optuna_study.ask()
        with pytest.raises(UserError, match=r"cmaes needs Optuna 5\.0, but \S+ is installed; use tpe"):
            trial.suggest_float("x", 0, 1)


def test_mlflow_has_no_known_tables_then(unusable: None) -> None:
    assert _compat.mlflow_tables() is None
    _compat.import_mlflow_store()


@pytest.mark.parametrize(
    ("distribution", "value", "within"),
    [
        (FloatDistribution(0, 1), 0.3, True),
        (FloatDistribution(0, 1), 1.5, False),
        (FloatDistribution(0, 1), "a", False),
        (FloatDistribution(0, 1, step=0.25), 0.75, True),
        (FloatDistribution(0, 1, step=0.25), 0.7, False),
        (FloatDistribution(1e-3, 1, log=True), 1e-3, True),
        (IntDistribution(2, 10, step=2), 4, True),
        (IntDistribution(2, 10, step=2), 5, False),
        (IntDistribution(2, 10), 11, False),
        (CategoricalDistribution(["a", 1]), "a", True),
        (CategoricalDistribution(["a", 1]), "b", False),
    ],
)
def test_a_value_is_within_a_distribution(distribution: Any, value: Any, within: bool) -> None:
    """As Optuna itself has it, by a private method."""
    assert _is_within(distribution, value) is within
    try:
        assert bool(distribution._contains(distribution.to_internal_repr(value))) is within
    except (TypeError, ValueError):
        assert not within
