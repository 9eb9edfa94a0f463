"""Warnings about what lets a network look better than it is, and about numbers that are no quantities."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.data import find_severe_warnings, load, look
from study.data.table_warning import TableWarning
from study.spec.data import DataSpec

ROWS = 240


def warnings_of(tmp_path: Path, target: str, **columns: Any) -> list[TableWarning]:
    pd.DataFrame(columns).to_csv(tmp_path / "t.csv", index=False)
    return list(look(DataSpec(source="t.csv", target=target), tmp_path).warnings)


def taxi(rng: np.random.Generator) -> dict[str, Any]:
    """Rides whose total is the fare and what is added to it, some of it at random."""
    distance = rng.exponential(3, ROWS)
    fare = np.round(2.5 + 2.5 * distance + rng.exponential(4, ROWS), 2)
    tip = np.round(fare * rng.choice([0, 0.1, 0.2, 0.5], ROWS), 2)
    return {
        "distance": np.round(distance, 2),
        "tip": tip,
        "hour": rng.integers(0, 24, ROWS),
        "total": np.round(fare + tip + rng.choice([0.5, 0.8], ROWS), 2),
        "fare": fare,
    }


def test_a_total_less_what_was_added_to_it_is_the_target(tmp_path: Path) -> None:
    found = [each for each in warnings_of(tmp_path, "fare", **taxi(np.random.default_rng(0))) if each.severe]
    assert [(each.subject, set(each.columns)) for each in found] == [("sums_to_target", {"tip", "total"})]
    assert "R² 0.99" in found[0].message


def sales(rng: np.random.Generator) -> dict[str, Any]:
    """Sales of which the price is the quantity times the price of one; some of them are none."""
    quantity, unit_price = rng.integers(0, 40, ROWS), np.round(rng.lognormal(2, 0.8, ROWS), 2)
    return {
        "weight": rng.lognormal(size=ROWS).round(3),
        "quantity": quantity,
        "discount": rng.random(ROWS).round(2),
        "unit_price": unit_price,
        "price": np.round(quantity * unit_price, 2),
    }


@pytest.mark.parametrize(("target", "what"), [("price", "product"), ("unit_price", "ratio")])
def test_a_product_or_a_ratio_of_two_columns_is_the_target(target: str, what: str, tmp_path: Path) -> None:
    table = sales(np.random.default_rng(0))
    found = [each for each in warnings_of(tmp_path, target, **table) if each.severe]
    assert [(each.subject, set(each.columns)) for each in found] == [
        ("product_is_target", {"price", "quantity", "unit_price"} - {target})
    ]
    assert f"as a {what}" in found[0].message


def test_a_product_with_noise_and_a_power_law_give_nothing_away(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    a, b = rng.lognormal(0, 1, (2, ROWS))
    for y in (a * b * rng.lognormal(0, 0.3, ROWS), a**2.5 * b**0.4):
        assert not [each for each in warnings_of(tmp_path, "y", a=a, b=b, y=y) if each.severe]


def test_a_column_that_is_the_target_along_a_line_is_found_whatever_its_ranks(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    y = np.where(rng.random(ROWS) < 0.5, rng.normal(0, 1, ROWS), rng.normal(1000, 1, ROWS))
    found = warnings_of(tmp_path, "y", a=rng.normal(size=ROWS), b=3 * y + rng.normal(0, 8, ROWS), y=y)
    assert [each.columns for each in found if each.severe] == [("b",)]


def test_one_extreme_row_makes_no_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    a, b, y = rng.normal(size=(3, ROWS))
    a[7] = b[7] = y[7] = 1e6
    assert not [each for each in warnings_of(tmp_path, "y", a=a, b=b, y=y) if each.severe]


def test_related_columns_are_no_leak(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, ROWS))
    y = a + b + rng.normal(0, 0.5, ROWS)
    assert not [each for each in warnings_of(tmp_path, "y", a=a, b=b, y=y) if each.severe]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("zip", lambda rng: rng.choice([20095, 80331, 50667, 10115], ROWS), True),
        ("area", lambda rng: rng.choice(["01234", "20095", "80331"], ROWS), True),
        ("StoreId", lambda rng: rng.integers(100, 140, ROWS), True),
        ("hospital_number", lambda rng: rng.integers(527_000, 536_000, ROWS), True),
        (
            "column_2",
            lambda rng: np.where(rng.random(ROWS) < 0.9, 527_000, 5_270_000) + rng.integers(0, 9000, ROWS),
            True,
        ),
        ("salary", lambda rng: rng.integers(20_000, 90_000, ROWS), False),
        ("number_of_rooms", lambda rng: rng.integers(1, 300, ROWS), False),
        ("year", lambda rng: rng.integers(1950, 2020, ROWS), False),
        ("price", lambda rng: np.round(rng.lognormal(11, 1, ROWS)).astype(int), False),
        ("children_no", lambda rng: rng.integers(0, 5, ROWS), False),
    ],
)
def test_numbers_that_name_something_are_no_quantities(tmp_path: Path, name: str, values: Any, code: bool) -> None:
    rng = np.random.default_rng(4)
    columns = {"a": rng.normal(size=ROWS), name: values(rng), "y": rng.choice(["p", "q"], ROWS)}
    found = [each for each in warnings_of(tmp_path, "y", **columns) if each.subject == "code"]
    assert [each.columns for each in found] == ([(name,)] if code else [])
    spec = DataSpec(source="t.csv", target="y", numeric=[name])
    assert not [each for each in look(spec, tmp_path).warnings if each.subject == "code"]


def test_what_a_run_says_again_is_the_severe_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    y = rng.choice(["p", "q"], ROWS)
    columns = {"a": rng.normal(size=ROWS), "constant": 1, "alive": np.where(y == "p", "yes", "no"), "y": y}
    warnings_of(tmp_path, "y", **columns)
    spec = DataSpec(source="t.csv", target="y")
    found = find_severe_warnings(spec, tmp_path, load(spec, tmp_path))
    assert len(found) == 1
    assert found[0].startswith("'alive' alone predicts the target 'y'")


def test_few_rows_that_train_has_too_are_not_severe(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    columns = {"a": rng.normal(size=ROWS), "y": rng.choice(["p", "q"], ROWS)}
    frame = pd.DataFrame(columns)
    for rows, severe in ((2, False), (80, True)):
        pd.concat([frame, frame[:rows]]).to_csv(tmp_path / "t.csv", index=False)
        found = look(DataSpec(source="t.csv", target="y"), tmp_path).warnings
        assert [each.severe for each in found if each.subject == "duplicates"] in ([severe], [] if not severe else None)


def test_with_folds_the_sizes_are_those_of_the_folds(tmp_path: Path) -> None:
    pd.DataFrame({"a": np.arange(200), "y": np.arange(200) % 2}).to_csv(tmp_path / "t.csv", index=False)
    found = look(DataSpec(source="t.csv", target="y", folds=5), tmp_path)
    assert found.parts == {"train and dev": 160, "test": 40}
    assert found.folds == ((128, 32),) * 5
    assert found.split == "train and dev 160, test 40; 5 folds, each with train 128 and dev 32"
    assert found.compared_on == 160
