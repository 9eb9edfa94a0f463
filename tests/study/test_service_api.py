"""The service's answers, over HTTP: a study handed in as TOML or JSON, looked at, cancelled; data files uploaded."""

import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service_server import TINY, answering, ask, settings_for, submit

from study.service.events import changes
from study.spec import parse_spec
from study.text.toml_text import write_toml


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with answering(settings_for(tmp_path)) as port:
        yield port


@pytest.fixture(scope="module")
def searched(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A service on a home where the small study was run."""
    folder = tmp_path_factory.mktemp("searched")
    shutil.copytree(finished, folder / "home")
    with answering(settings_for(folder)) as port:
        yield port


def test_a_spec_as_toml_is_queued(port: int) -> None:
    reply = submit(port, TINY.format(name="tiny"))
    told = reply.json()
    assert (reply.status, told["name"], told["state"], told["id"]) == (201, "tiny", "queued", 1)
    assert reply.headers["location"] == "/studies/tiny"
    (line,) = ask(port, "GET", "/studies").json()["studies"]
    assert (line["name"], line["state"], line["finished"], line["planned"]) == ("tiny", "queued", 0, None)
    assert ask(port, "GET", "/studies/tiny").json()["spec"] == TINY.format(name="tiny")
    assert ask(port, "GET", "/studies/tiny/trials").json() == {"name": "tiny", "total": 0, "trials": []}
    assert ask(port, "GET", "/studies/tiny/curves").json()["curves"] == []
    assert ask(port, "GET", "/studies/tiny/log").body == b""
    assert ask(port, "GET", "/studies/tiny/report").status == 409


def test_a_spec_as_json_is_the_same_study(port: int) -> None:
    table = {
        "name": "tiny",
        "description": 'a "quoted" ☃ line\nand \x7f another',
        "data": {"source": "synthetic:planar_flower", "examples": 60},
        "space": {"learning_rate": {"low": 0.1, "high": 1.0, "log": True}, "iterations": 5, "depth": [0, 1]},
        "search": {"trials": 3, "enqueue": [{"learning_rate": 0.5, "depth": 0}]},
    }
    reply = ask(port, "POST", "/studies", json.dumps(table).encode(), {"Content-Type": "application/json"})
    assert reply.status == 201, reply.body
    text = ask(port, "GET", "/studies/tiny").json()["spec"]
    assert parse_spec(text, "spec") == parse_spec(write_toml(table), "spec")
    kept = parse_spec(text, "spec")
    assert (kept.description, kept.search.trials) == (table["description"], 3)


def test_study_submitted_again_is_the_one_that_waits(port: int) -> None:
    spec = TINY.format(name="tiny")
    assert submit(port, spec, Idempotency_Key="one").status == 201
    for key in ("one", "two"):
        again = submit(port, spec, Idempotency_Key=key)
        assert (again.status, again.json()["id"]) == (200, 1)
    other = submit(port, spec.replace("iterations = 5", "iterations = 6"))
    assert (other.status, other.json()["type"]) == (409, "urn:study:problem:name")
    reused = submit(port, TINY.format(name="else"), Idempotency_Key="one")
    assert (reused.status, reused.json()["type"]) == (409, "urn:study:problem:key")
    assert len(ask(port, "GET", "/studies").json()["studies"]) == 1


def test_queued_study_can_be_cancelled_once(port: int) -> None:
    submit(port, TINY.format(name="tiny"))
    reply = ask(port, "POST", "/studies/tiny/cancel")
    assert (reply.status, reply.json()["state"]) == (200, "cancelled")
    assert ask(port, "POST", "/studies/tiny/cancel").status == 409
    assert ask(port, "GET", "/studies/tiny").json()["state"] == "cancelled"


def test_uploaded_data_file_can_be_named_by_a_spec(port: int, tmp_path: Path) -> None:
    table = b"x,y\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(40))
    octets = {"Content-Type": "application/octet-stream"}
    reply = ask(port, "PUT", "/data/table.csv", table, octets)
    assert (reply.status, reply.json()["bytes"]) == (201, len(table))
    assert ask(port, "PUT", "/data/table.csv", table, octets).status == 200
    assert ask(port, "PUT", "/data/table.csv", b"other", octets).status == 409
    assert (tmp_path / "home" / "uploads" / "table.csv").read_bytes() == table
    assert [path.name for path in (tmp_path / "home" / "uploads").iterdir()] == ["table.csv"]
    spec = TINY.format(name="mine").replace("synthetic:planar_flower", "deep/table.csv").replace("examples = 60", "")
    assert submit(port, spec).status == 422  # in the folders there is none
    assert submit(port, spec, "/studies?data=uploads").status == 201


def test_trials_and_curves_are_those_of_the_ledger(searched: int) -> None:
    study = ask(searched, "GET", "/studies/small").json()
    assert (study["state"], study["finished"], study["planned"]) == ("complete", 12, 12)
    trials = ask(searched, "GET", "/studies/small/trials").json()
    assert (trials["total"], [trial["number"] for trial in trials["trials"]]) == (12, list(range(12)))
    best = ask(searched, "GET", "/studies/small/trials?order=best&limit=3").json()["trials"]
    assert [trial["value"] for trial in best] == sorted((trial["value"] for trial in best), reverse=True)
    assert study["best_trial"] == best[0]
    assert study["best"] == best[0]["value"]
    page = ask(searched, "GET", "/studies/small/trials?offset=10&limit=5").json()
    assert [trial["number"] for trial in page["trials"]] == [10, 11]
    curves = ask(searched, "GET", "/studies/small/curves").json()
    states = {trial["number"]: trial["state"] for trial in trials["trials"]}
    shown = {curve["trial"]: curve["state"] for curve in curves["curves"]}
    assert shown == {number: states[number] for number in shown}
    assert set(shown) == {number for number, state in states.items() if state in ("complete", "pruned")}
    assert len(curves["chart"]["marks"]) == len(shown)
    assert curves["version"] == study["version"] > 0


@pytest.mark.slow
def test_report_is_one_page_in_which_only_its_own_script_may_run(searched: int) -> None:
    reply = ask(searched, "GET", "/studies/small/report")
    assert reply.status == 200
    assert b"<h1" in reply.body
    rules = reply.headers["content-security-policy"]
    assert rules.count("'sha256-") == 1
    assert "script-src 'sha256-" in rules
    assert reply.headers["content-type"].startswith("text/html")


@pytest.mark.slow
def test_study_is_finalized_once_and_predicts(searched: int) -> None:
    csv = {"Content-Type": "text/csv"}
    early = ask(searched, "POST", "/studies/small/predict", b"x_1,x_2\n0,0\n", csv)
    assert (early.status, early.headers["content-type"]) == (409, "application/problem+json")
    assert "has no final model yet" in early.json()["detail"]
    body = json.dumps({"train_only": True}).encode()
    final = ask(searched, "POST", "/studies/small/finalize", body, {"Content-Type": "application/json"})
    assert final.status == 200, final.body
    assert final.json()["opening"]["with_dev"] is False
    again = ask(searched, "POST", "/studies/small/finalize")
    assert again.status == 409
    assert "--again" in again.json()["detail"]
    other = ask(searched, "POST", "/studies/small/predict", b"a,b\n0,0\n", csv)
    assert other.status == 409
    assert "missing column" in other.json()["detail"]
    made = ask(searched, "POST", "/studies/small/predict", b"x_1,x_2\n0.1,0.2\n-1,2\n", csv)
    assert made.status == 200, made.body
    assert len(made.body.decode().splitlines()) == 3
    safe = ask(searched, "POST", "/studies/small/predict?safe_csv=true", b"x_1,x_2\n0.1,0.2\n-1,2\n", csv)
    assert (safe.status, safe.body) == (200, made.body)
    assert "study-notes" not in made.headers
    noted = ask(searched, "POST", "/studies/small/predict", b"x_1,x_2\n0.1,0.2\none,2\n", csv)
    notes = ["x_1: 1 of 2 cells is not a number (row 2: 'one') and is treated as missing"]
    assert (noted.status, json.loads(noted.headers["study-notes"])) == (200, notes)
    whole = ask(searched, "POST", "/studies/small/predict", b"x_1,x_2\none,0.2\n", csv)
    assert whole.status == 409
    assert "x_1: 1 of 1 cell is not a number (row 1: 'one')" in whole.json()["detail"]


def test_health_metrics_and_documentation(port: int) -> None:
    submit(port, TINY.format(name="tiny"))
    health = ask(port, "GET", "/health").json()
    assert (health["status"], health["queued"], health["mlflow"]) == ("ok", 1, "off")
    metrics = ask(port, "GET", "/metrics").body.decode()
    assert 'study_submissions{state="queued"} 1\n' in metrics
    assert 'study_http_requests_total{method="POST",status="201"} 1\n' in metrics
    page = ask(port, "GET", "/docs").body.decode()
    document = ask(port, "GET", "/openapi.json").json()
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    assert "http://" not in page.replace("http://127.0.0.1", "")
    assert "https://" not in page


def test_events_send_the_list_and_then_what_changes_in_it(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/events")
    reply = connection.getresponse()
    assert reply.headers["content-type"].startswith("text/event-stream")

    def event() -> tuple[str, list[tuple[str, str]]]:
        kind = reply.readline().decode().removeprefix("event: ").strip()
        data = reply.readline()
        assert reply.readline() == b"\n"
        lines = json.loads(data.removeprefix(b"data: "))["studies"]
        return kind, [(line["name"], line["state"]) for line in lines]

    assert event() == ("studies", [])
    for name in ("one", "two"):
        submit(port, TINY.format(name=name))
        assert event() == ("changes", [(name, "queued")])
    ask(port, "POST", "/studies/one/cancel")
    assert event() == ("changes", [("one", "cancelled")])
    reply.close()
    connection.close()


def test_changes_name_what_is_gone() -> None:
    same, old, new = {"name": "same"}, {"name": "a", "version": 1}, {"name": "a", "version": 2}
    before = {"same": same, "a": old, "b": {"name": "b"}}
    assert json.loads(changes(before, {"same": dict(same), "a": new})) == {"studies": [new], "gone": ["b"]}


def test_every_error_is_a_problem(port: int) -> None:
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/studies/nothing", 404),
        ("DELETE", "/studies", 405),
        ("POST", "/health", 405),
        ("GET", "/studies/tiny/trials?limit=0", 422),
    ):
        reply = ask(port, method, path)
        told = reply.json()
        assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), path
        assert set(told) == {"type", "title", "status", "detail"}
        assert told["status"] == status
    assert ask(port, "DELETE", "/studies").headers["allow"] == "GET, POST"
