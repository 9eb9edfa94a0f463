"""The examples in docstrings run, and give what they say."""

import doctest
import importlib

import pytest

from study.spec.extensions import TRANSFORMS

MODULES = (
    "engine.estimators",
    "engine.prediction",
    "engine.testing",
    "engine.training",
    "study.api.declaration",
    "study.api.own_transform",
    "study.api.ranges",
    "study.api.study",
    "study.spec.extensions",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRANSFORMS, "_entries", {})  # to which some of them add
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed


def test_examples_are_there_where_people_start() -> None:
    from engine import DNNClassifier, DNNRegressor, predict, train

    for documented in (DNNClassifier, DNNRegressor, predict, train):
        assert ">>>" in documented.__doc__
