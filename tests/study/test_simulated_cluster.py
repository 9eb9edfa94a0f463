"""The simulation of one coordinator and many workers, where its answer is known."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import engine


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    path = Path(engine.__file__).parents[1] / "benchmarks/simulated_cluster.py"
    found = importlib.util.spec_from_file_location("simulated_cluster", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["simulated_cluster"] = module
    found.loader.exec_module(module)
    return module


def test_a_coordinator_that_costs_nothing_keeps_one_worker_busy(simulation: ModuleType) -> None:
    result = simulation.simulate(simulation.Costs(0.0, 0.0), workers=1, trials=50, seconds=1.0, chunks=8)
    assert result.busy == pytest.approx(1.0)


def test_trials_that_take_no_time_take_that_of_the_coordinator(simulation: ModuleType) -> None:
    result = simulation.simulate(simulation.Costs(0.01, 0.0), workers=100, trials=1000, seconds=1e-6, chunks=8)
    assert result.seconds == pytest.approx(10.0, rel=0.01)
    assert result.busy < 0.01


def test_more_workers_never_take_longer_and_fewer_are_never_idler(simulation: ModuleType) -> None:
    costs = simulation.Costs(0.01, 0.001)
    results = [
        simulation.simulate(costs, workers=count, trials=2000, seconds=1.0, chunks=8) for count in (1, 4, 16, 64)
    ]
    assert [r.seconds for r in results] == sorted((r.seconds for r in results), reverse=True)
    assert [r.busy for r in results] == sorted((r.busy for r in results), reverse=True)
    assert results[-1].seconds >= 2000 * 0.01
