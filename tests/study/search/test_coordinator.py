"""A search is made without touching its ledger; what it decides is written in one place."""

from pathlib import Path

import pytest
from support.small_study import SMALL

from study.data import load
from study.ledger.home import Home
from study.ledger.ledger import Ledger, quiet_optuna
from study.search import Budget, Listener, Objective, Search
from study.search.coordinator import slots_of_groups
from study.spec import parse_spec


def test_making_a_search_neither_reads_nor_writes_its_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = parse_spec(SMALL, "small.toml")
    folder = Home(tmp_path).folder(spec.name)
    with quiet_optuna():
        ledger = Ledger(folder, spec.name, ["maximize"])
        objective = Objective(spec, (load(spec.data, tmp_path),), folder)
        for name in ("settle", "trials", "set", "create", "commit", "resume"):
            monkeypatch.delattr(Ledger, name)
        search = Search(objective, ledger, Budget(12, None, None, maximize=True), [], Listener())
    assert (search.open, search.ended) == ({}, None)


@pytest.mark.parametrize(("in_flight", "slots"), [(1, [1]), (2, [1, 1]), (5, [3, 2]), (8, [4, 4])])
def test_two_groups_share_the_trials_in_flight(in_flight: int, slots: list[int]) -> None:
    assert slots_of_groups(in_flight) == slots
