"""The OpenAPI document against what the service answers, with requests that schemathesis makes up from it.

STUDY_TEST_CASES=2000 is what the service promises; CI does fewer. Requests that fit the schema may be refused (422):
what a spec may say goes beyond a schema, such as low ≤ high. The stream of events has no end, and a test of its own.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.command import environment
from support.service_server import answering, settings_for

pytestmark = [
    *(pytest.mark.slow, pytest.mark.long),
    pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed"),
]
CASES = int(os.environ.get("STUDY_TEST_CASES", "200"))
OPERATIONS, COVERAGE = 9, 300  # operations that have something to vary; cases that are always made
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


# What breaks the schema is refused before a study is looked for, so `make test` sends that anywhere alone.
@pytest.mark.parametrize(
    "where",
    [
        "anywhere",
        "a study that is there",
        pytest.param("a study that is there, with what breaks the schema, too", marks=pytest.mark.exhaustive),
    ],
)
def test_every_answer_is_one_that_the_document_declares(where: str, finished: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color"]
    least = CASES
    if where != "anywhere":
        shutil.copytree(finished, tmp_path / "home")
        config = tmp_path / "schemathesis.toml"
        config.write_text('[parameters]\n"path.name" = "small"\n')
        command += ["--config-file", str(config)]
        least = CASES // 4
    examples = max(4, -(-(least - COVERAGE) // OPERATIONS) + 2)
    with answering(settings_for(tmp_path)) as port:
        command += ["run", f"http://127.0.0.1:{port}/openapi.json", "--checks", ",".join(CHECKS)]
        command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(examples), "--seed", "1"]
        command += ["--exclude-path", "/events", "--continue-on-failure", "--generation-database", "none"]
        command += ["--request-timeout", "60"]  # a report is made by a process that has to begin
        if where != "anywhere":
            command += ["--exclude-path", "/studies/{name}/finalize"]  # seconds of training each
            command += ["--include-path-regex", "^/studies/.name."]
            if where == "a study that is there":
                command += ["--mode", "positive"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = re.search(r"([\d,]+) generated, ([\d,]+) passed", done.stdout)
    assert made is not None, done.stdout
    assert made[1] == made[2]
    assert int(made[1].replace(",", "")) >= (least if where == "anywhere" else 1)
