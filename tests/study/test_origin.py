"""What is kept of where a study comes from."""

import subprocess
from pathlib import Path

import pytest

from study.errors import without_password
from study.origin import describe_origin


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
    ("text", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("no route to https://me:p@ss:w@host/x now", "no route to https://me:***@host/x now"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
    ],
)
def test_no_password_is_shown(text: str, shown: str) -> None:
    assert without_password(text) == shown
