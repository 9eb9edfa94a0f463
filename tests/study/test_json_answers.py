"""What the commands print with --json: the keys that scripts know, and the schemas that describe them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.command import run_study
from support.in_process import run_local, spec_with
from support.small_study import SMALL

from study.cli.json_schemas import ANSWERS, json_schema
from study.service.schemas import SubmissionAnswer

KEYS = json.loads(Path(__file__).with_name("json_keys.json").read_text())
OPEN = {"params", "setting", "metrics", "undefined", "dialect", "parameters", "values", "versions", "markers", "times"}
OPEN |= {"classes", "searched", "fixed", "defaults", "columns_by_kind", "variance"}  # their keys are the user's


def keys_of(value: Any, place: str = "") -> Iterator[str]:
    """Yield the keys of JSON by their path; those of objects whose keys are data are left out."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{place}.{key}"
            if key not in OPEN:
                yield from keys_of(each, f"{place}.{key}")
    if isinstance(value, list):
        for each in value:
            yield from keys_of(each, f"{place}[]")


@pytest.fixture(scope="module")
def answers(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each command prints about a study that was confirmed, rechecked and finalized."""
    folder = tmp_path_factory.mktemp("answers")
    shutil.copytree(finished, folder / "home")
    (folder / "small.toml").write_text(SMALL)
    run_local(
        spec_with('metric = ["accuracy", "parameters"]\ntrials = 3', text=SMALL.replace('"small"', '"two"')), folder
    )
    commands: dict[str, tuple[object, ...]] = {
        "confirm": ("confirm", "small", "--top", 2, "--seeds", 2, "--jobs", 1),
        "compare": ("compare", "small", 0, 1),
        "recheck": ("recheck", "small", "--trials", 4, "--top", 2, "--seeds", 2, "--jobs", 1),
        "finalize": ("finalize", "small"),
        "show": ("show", "small"),
        "show-trial": ("show", "small", "best"),
        "list": ("list",),
        "report": ("report", "small"),
        "sync": ("sync", "small"),
        "plan": ("plan", folder / "small.toml"),
        "show of several objectives": ("show", "two"),
    }
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.cli.winner._sync", lambda *_: None)
        for name, words in commands.items():
            home = folder if "two" in words else folder / "home"
            done = run_study(*words, "--json", *(() if name == "plan" else ("--home", home)))
            assert done.returncode == 0, (name, done.stderr)
            found[name] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", KEYS)
def test_answers_have_the_keys_that_they_had(answers: dict[str, Any], name: str) -> None:
    assert sorted(set(keys_of(answers[name]))) == KEYS[name]


@pytest.mark.slow
def test_real_answers_satisfy_their_schemas(answers: dict[str, Any]) -> None:
    for name, answer in answers.items():
        jsonschema.validate(answer, json_schema(name.partition(" ")[0]))


def test_schemas_are_valid_and_closed() -> None:
    for command in ANSWERS:
        jsonschema.Draft202012Validator.check_schema(json_schema(command))
    submission = SubmissionAnswer(id=1, name="a", state="queued", submitted="", started=None, ended=None, message="")
    jsonschema.validate(submission.model_dump(mode="json"), json_schema("submit"))
    with pytest.raises(jsonschema.ValidationError, match="'trials' is a required property"):
        jsonschema.validate({"written": 1, "store": ""}, json_schema("sync"))
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        jsonschema.validate({"trials": 1, "written": 1, "store": "", "more": 0}, json_schema("sync"))
