"""What is kept of where a study comes from."""

import shlex
import subprocess
from pathlib import Path

import pytest

from study.ledger.provenance import describe_origin


def test_command_and_host_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/study", "run", "my spec.toml"])
    origin = describe_origin(tmp_path)
    assert origin["command"] == "study run 'my spec.toml'"
    assert "git" not in origin


def test_the_commit_of_the_specs_repository_is_named(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert describe_origin(tmp_path)["git"] == head


@pytest.mark.parametrize(
    "option",
    [["--storage", "{}"], ["--storage={}"]],
)
@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hush%20hush@host:5432/db",
        "postgresql://me:hush hush@host/db",
        "postgresql://me@host/db?sslpassword=hush&sslmode=require",
        "host=host password='hush hush' dbname=db",
    ],
)
def test_the_command_is_kept_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: list[str], address: str
) -> None:
    monkeypatch.setattr("sys.argv", ["study", "run", "a.toml", *(word.format(address) for word in option)])
    command = describe_origin(tmp_path)["command"]
    assert "hush" not in command
    assert len(shlex.split(command)) == 3 + len(option)
