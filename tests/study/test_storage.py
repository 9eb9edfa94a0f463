"""The ledger in a real PostgreSQL: the same trials as in a file, one coordinator a study, and nothing lost with it."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import psycopg
import pytest
from support.command import Process, begin_process, environment, read_until, run_study
from support.in_process import run_local, spec_with
from support.postgres import Server, start_server
from support.small_study import SMALL, fingerprints
from support.stores import give_store

from study.errors import MachineError, UserError
from study.ledger import holding
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import Ledger
from study.ledger.results import summarize


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A PostgreSQL that tests stop."""
    with start_server() as server:
        yield server


@pytest.fixture(scope="module")
def kept(postgres: Server, tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> tuple[Path, str]:
    """Home and database of the small study, run once by the command; tests change no trial of it."""
    folder, address = tmp_path_factory.mktemp("kept"), postgres.make_database()
    (folder / "small.toml").write_text(SMALL)
    give_store(empty_store, folder / "home")
    done = run_study("run", folder / "small.toml", "--home", folder / "home", "--storage", address, "--jobs", 2)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return folder / "home", address


def with_storage(address: str) -> dict[str, str]:
    return environment() | {"STUDY_STORAGE": address}


def begin(spec: Path, home: Path, address: str) -> Process:
    return begin_process("run", spec, "--home", home, "--jobs", 1, "--no-tracking", env=with_storage(address))


def trials(home: Home) -> list[tuple[int, str, str | None]]:
    return [(row.number, row.state, row.fingerprint) for row in summarize(home, "small").trials]


def rows_of(address: str) -> dict[str, int]:
    """Return how many rows each table of a database has."""
    with psycopg.connect(address) as connection:
        tables = connection.execute("SELECT relname FROM pg_stat_user_tables ORDER BY 1").fetchall()
        counts = {}
        for (name,) in tables:
            row = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # type: ignore[arg-type]  # noqa: S608
            counts[name] = row[0] if row else 0
        return counts


@pytest.mark.slow
def test_it_is_the_same_study_as_in_a_file(kept: tuple[Path, str], finished: Path) -> None:
    home, address = kept
    assert not (home / "studies/small/ledger.log").exists()
    found = [(t.number, t.state, t.fingerprint) for t in summarize(Home(home, address), "small").trials]
    assert found == fingerprints(finished)
    in_file = {row.number: row for row in summarize(Home(finished), "small").trials}
    for row in summarize(Home(home, address), "small").trials:
        other = in_file[row.number]
        assert (row.params, row.value, row.metrics) == (other.params, other.value, other.metrics)


@pytest.mark.slow
def test_every_command_reads_it(kept: tuple[Path, str], tmp_path: Path) -> None:
    home, address = kept
    at = ("--home", home, "--storage", address)
    for command in (("list",), ("show", "small"), ("show", "small", 0), ("report", "small"), ("compare", "small", 0)):
        done = run_study(*command, *at, "--json")
        assert (done.returncode, done.stderr) == (0, ""), command
        json.loads(done.stdout)
    synced = json.loads(run_study("sync", "small", *at, "--json").stdout)
    assert (synced["trials"], synced["written"]) == (12, 0)
    # Another machine, which sees the database alone, knows all but curves and weights.
    shown = run_study("show", "small", "--home", tmp_path / "elsewhere", "--json", env=with_storage(address))
    assert [trial["state"] for trial in json.loads(shown.stdout)["trials"]].count("complete") > 0


@pytest.mark.faults
@pytest.mark.slow
def test_confirm_and_finalize_write_to_it(kept: tuple[Path, str]) -> None:
    home, address = kept
    confirmed = run_study(
        "confirm", "small", "--top", 2, "--seeds", 2, "--jobs", 1, "--home", home, "--storage", address
    )
    final = run_study("finalize", "small", "--home", home, "--storage", address)
    assert (confirmed.returncode, final.returncode) == (0, 0), confirmed.stderr + final.stderr
    summary = summarize(Home(home, address), "small")
    assert summary.confirm is not None
    assert len(summary.finalized) == 1


def test_optuna_reads_it(storage: str, tmp_path: Path) -> None:
    run_local(spec_with("trials = 4"), tmp_path, storage=storage)
    optunas = optuna.storages.RDBStorage(storage.replace("postgresql:", "postgresql+psycopg:"))
    try:
        assert len(optuna.load_study(study_name="small", storage=optunas).trials) == 4
    finally:
        optunas.engine.dispose()


@pytest.mark.faults
@pytest.mark.slow
def test_many_studies_share_a_database(storage: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_local(spec_with("trials = 3", text=SMALL.replace('"small"', f'"{name}"')), tmp_path, storage=storage)
    address = storage.replace("postgresql:", "postgresql+psycopg:")
    foreign = optuna.storages.RDBStorage(address)
    foreign.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "foreign")
    foreign.engine.dispose()
    assert Home(tmp_path, storage).names() == ["one", "two"]
    counts = [len(summarize(Home(tmp_path, storage), name).trials) for name in ("one", "two")]
    assert counts == [3, 3]


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_jobs_and_interruptions_change_nothing(storage: str, tmp_path: Path, pruner: str) -> None:
    text = spec_with(f"pruner = '{pruner}'")
    run_local(text, tmp_path / "file")
    rounds = iter([False, False, True, False, True] + [False] * 1000)
    summary = None
    while summary is None or summary.state != "complete":
        summary = run_local(text, tmp_path / "base", storage=storage, stop=lambda: next(rounds))
    assert trials(Home(tmp_path / "base", storage)) == trials(Home(tmp_path / "file"))


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 4])
def test_a_database_restarted_between_ask_and_tell_loses_nothing(mortal: Server, tmp_path: Path, rounds: int) -> None:
    storage = mortal.make_database()
    passed = 0

    def restart() -> bool:
        nonlocal passed
        passed += 1
        if passed == rounds:
            mortal.restart()
        return False

    with pytest.raises(MachineError, match=r"the database at .*rerun the command to resume"):
        run_local(SMALL, tmp_path / "base", storage=storage, stop=restart)
    before = [row for row in trials(Home(tmp_path / "base", storage)) if row[1] != "running"]
    assert len(trials(Home(tmp_path / "base", storage))) > len(before)
    run_local(SMALL, tmp_path / "base", storage=storage)
    run_local(SMALL, tmp_path / "file")
    after = trials(Home(tmp_path / "base", storage))
    assert after == trials(Home(tmp_path / "file"))
    assert set(before) <= set(after)


@pytest.mark.faults
@pytest.mark.slow
def test_a_run_whose_database_restarts_stops_with_a_line_and_resumes(
    mortal: Server, spec: Path, endless: Path, tmp_path: Path, finished: Path
) -> None:
    storage = mortal.make_database()
    process = begin(endless, tmp_path / "home", storage)
    read_until(process, "(3/400)")
    mortal.restart()
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 1, output + errors
    assert errors.startswith("study: the database at postgresql://"), errors
    assert errors.endswith("rerun the command to resume.\nFinished work is kept.\n")
    again = run_study("run", spec, "--home", tmp_path / "home", "--jobs", 1, "--no-tracking", env=with_storage(storage))
    assert (again.returncode, again.stderr) == (0, "")
    assert trials(Home(tmp_path / "home", storage))[:12] == fingerprints(finished)


@pytest.mark.faults
@pytest.mark.slow
def test_of_two_coordinators_one_is_refused_wherever_its_home_is(
    storage: str, spec: Path, endless: Path, tmp_path: Path
) -> None:
    process = begin(endless, tmp_path / "here", storage)
    try:
        read_until(process, "(1/400)")
        process.send_signal(signal.SIGSTOP)  # it keeps the study, however slowly the others come
        for home in ("here", "there"):
            done = run_study(
                "run", spec, "--home", tmp_path / home, "--jobs", 1, "--no-tracking", env=with_storage(storage)
            )
            assert done.returncode == 2
            assert f"study 'small' is being run by process {process.pid} on " in done.stderr
            assert len(done.stderr.splitlines()) == 1
        assert summarize(Home(tmp_path / "there", storage), "small").state == "running"
    finally:
        process.kill()
        process.communicate()
    with holding.hold(StudyFolder(tmp_path / "there", storage), "small"):  # the dead one's lock is free
        pass


@pytest.mark.faults
@pytest.mark.slow
def test_two_first_studies_may_begin_at_once_on_an_empty_database(storage: str, tmp_path: Path) -> None:
    specs = []
    for name in ("one", "two"):
        specs.append(tmp_path / f"{name}.toml")
        specs[-1].write_text(spec_with("trials = 2", text=SMALL.replace('"small"', f'"{name}"')))
    processes = [begin(spec, tmp_path / "home", storage) for spec in specs]
    for process in processes:
        output, errors = process.communicate(timeout=100)
        assert (process.returncode, errors) == (0, ""), output
    assert Home(tmp_path / "home", storage).names() == ["one", "two"]


def test_ledger_whose_lock_was_lost_is_not_written(storage: str, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "a", storage)
    with holding.hold(folder, "a") as held:
        assert held is not None
        ledger = Ledger(folder, "a", ["maximize"], held)
        ledger.set(before=1)
        with psycopg.connect(storage, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [held.info.backend_pid])
        with pytest.raises(MachineError, match="rerun the command to resume"):
            ledger.set(after=1)
    assert "after" not in Ledger(folder, "a").attributes


def change(address: str, statement: str) -> None:
    with psycopg.connect(address) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def unreachable(address: str) -> str:
    return "postgresql://someone:secret@127.0.0.1:9/studies"


def no_such_database(address: str) -> str:
    return address.replace(psycopg.conninfo.conninfo_to_dict(address)["dbname"], "nowhere")  # type: ignore[arg-type]


def refused(address: str) -> str:
    change(address, "DROP ROLE IF EXISTS guest")
    change(address, "CREATE ROLE guest NOLOGIN PASSWORD 'secret'")
    return address.replace("study@", "guest:secret@")


def other_kind(address: str) -> str:
    return "mysql://someone:secret@host/studies"


def newer(address: str) -> str:
    run_local_tables(address)
    change(address, "UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    return address


def older(address: str) -> str:
    run_local_tables(address)
    change(address, "UPDATE alembic_version SET version_num = 'v2.4.0.a'")
    return address


def of_mlflow(address: str) -> str:
    change(address, "CREATE TABLE alembic_version (version_num varchar(32))")
    return address


def run_local_tables(address: str) -> None:
    optuna.storages.RDBStorage(address.replace("postgresql:", "postgresql+psycopg:")).engine.dispose()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (unreachable, "Connection refused; correct the address"),
        (no_such_database, 'database "nowhere" does not exist'),
        (refused, 'role "guest" is not permitted to log in'),
        (other_kind, "not a PostgreSQL address; expected one such as postgresql://user@host:5432/studies"),
        (newer, "by a newer version of Optuna than"),
        (older, "by an older version of Optuna"),
        (of_mlflow, "contains tables of another program"),
    ],
)
def test_a_database_that_cannot_be_used_is_reported_in_one_line(
    storage: str, spec: Path, tmp_path: Path, prepare: Callable[[str], str], words: str
) -> None:
    address = prepare(storage)
    before = rows_of(storage)
    for command in (("run", spec, "--jobs", 1, "--no-tracking"), ("list",), ("show", "small")):
        done = run_study(*command, "--home", tmp_path / "home", "--storage", address)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "secret" not in done.stderr
    assert rows_of(storage) == before
    assert not (tmp_path / "home").exists()


def test_a_missing_package_is_reported_in_one_line(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    address = "postgresql://127.0.0.1:9/studies"
    done = run_study("run", spec, "--home", tmp_path / "home", "--jobs", 1, "--no-tracking", env=with_storage(address))
    assert (done.returncode, done.stderr) == (
        2,
        "study: --storage requires psycopg, which is not installed; install it with `pip install 'psycopg[binary]'`\n",
    )
    assert not (tmp_path / "home").exists()


def test_a_folder_is_not_shared_by_a_file_and_a_database(storage: str, spec: Path, tmp_path: Path) -> None:
    run_local(spec_with("trials = 3"), tmp_path / "file")
    with pytest.raises(UserError, match="omit --storage"):
        run_local(spec_with("trials = 3"), tmp_path / "file", storage=storage)
    command = ("run", spec, "--home", tmp_path / "base", "--trials", 2, "--jobs", 1, "--no-tracking")
    done = run_study(*command, env=with_storage(storage))
    assert done.returncode == 0, done.stderr
    refused = run_study(*command)
    assert refused.returncode == 2
    assert "pass its --storage" in refused.stderr
