"""A study is opened in one way: what reading leaves alone, who may write, and what a study opened by its spec has."""

from pathlib import Path

import pytest
from support.confirmed_study import ran
from support.in_process import local_session, spec_with
from support.small_study import SMALL

from study.errors import UserError
from study.ledger import holding
from study.ledger.home import Home
from study.search.session import StudySession

SHORT = spec_with("trials = 1", space="iterations = 5")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a study of one trial; tests leave its trials alone."""
    folder = tmp_path_factory.mktemp("session")
    ran(SHORT, folder)
    return folder


def files_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_reading_writes_nothing_and_holds_nothing(home: Path) -> None:
    before = files_of(home)
    with StudySession.open(Home(home), "small") as session:
        assert not holding.is_held(session.folder, "small")
        assert len(session.summary.trials) == 1
        assert session.spec.name == "small"
        assert session.objective.metric == "accuracy"
    assert files_of(home) == before


def test_one_session_at_a_time_writes_and_the_lock_ends_with_it(home: Path) -> None:
    with StudySession.open(Home(home), "small", write=True) as session:
        session.ledger.set(note="kept")
        assert holding.is_held(session.folder, "small")
        with (
            pytest.raises(UserError, match="'small' is being run by"),
            StudySession.open(Home(home), "small", write=True),
        ):
            pytest.fail("two sessions hold the lock")
        with StudySession.open(Home(home), "small") as reader:
            assert reader.attributes["note"] == "kept"
    assert not holding.is_held(session.folder, "small")


def test_opening_by_a_spec_begins_the_ledger_only_to_write(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    place = Home(tmp_path / "home")
    with StudySession.open(place, path) as session:
        assert session.objective.metric == "accuracy"
        assert not place.path.exists()
        with pytest.raises(RuntimeError, match="only inside `writing"):
            session.ledger  # noqa: B018 - reading it is the point
        with session.writing():
            assert session.summary.trials == []
    assert place.names() == ["small"]


def test_data_that_changed_are_refused_where_the_study_was_opened_by_its_name(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,y\n" + "".join(f"{k},{k % 2}\n" for k in range(60)))
    text = spec_with("trials = 1", 'source = "t.csv"', "iterations = 5")
    ran(text, tmp_path)
    table.write_text(table.read_text() + "61,1\n")
    with StudySession.open(Home(tmp_path), "small") as session, pytest.raises(UserError, match="changed since study"):
        session.objective  # noqa: B018 - loading the data is the point
    assert local_session(text, tmp_path).objective.dataset.fingerprint  # by its spec they are taken as they are


def test_a_nested_study_is_begun_beside_the_others_files(home: Path) -> None:
    with StudySession.open(Home(home), "small", write=True) as session:
        folder = type(session.folder)(session.folder.rechecks / "x")
        with session.nested(session.spec, session.objective.datasets, folder) as inner:
            assert inner.summary.trials == []
            assert inner.attributes == {}
        assert len(session.summary.trials) == 1
    assert Home(home).names() == ["small"]
