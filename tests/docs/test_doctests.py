"""The examples in docstrings run, and give what they say."""

import doctest
import importlib

import pytest

MODULES = (
    "engine.estimators",
    "engine.prediction",
    "engine.testing",
    "engine.training",
    "study.api.declaration",
    "study.api.ranges",
    "study.api.study",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed


def test_examples_are_there_where_people_start() -> None:
    from engine import DNNClassifier, DNNRegressor, predict, train

    for documented in (DNNClassifier, DNNRegressor, predict, train):
        assert ">>>" in documented.__doc__
