"""The picture of the packages is that of the imports as they are, and shows who imports whom."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def packages() -> ModuleType:
    specification = importlib.util.spec_from_file_location("packages", DOCS / "packages.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_picture_is_up_to_date(packages: ModuleType) -> None:
    assert packages.PICTURE.read_text(encoding="utf-8") == packages.draw(), "run `python docs/packages.py`"


def test_arrows_that_follow_from_others_are_left_out(packages: ModuleType) -> None:
    assert packages.reduce([("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")]) == [("a", "b"), ("b", "c"), ("a", "d")]


def test_every_place_that_the_architecture_names_is_there() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:study|engine|[a-z_]+)/[a-z_/]+\.py)`", text)
    root = DOCS.parent
    assert len(named) > 12
    assert [name for name in named if not (root / name).exists() and not (root / "study" / name).exists()] == []
