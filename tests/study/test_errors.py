"""What the machine refuses is answered with place, reason and remedy."""

import errno
import os
from pathlib import Path

import pytest

from study.errors import MachineError, kept_in


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; free some space there"),
        (errno.EROFS, "Read-only file system; make it writable"),
        (errno.EMFILE, "Too many open files; raise the open file limit (ulimit -n)"),
        (errno.EIO, "Input/output error; fix this"),
    ],
)
def test_place_reason_and_remedy_are_named(number: int, remedy: str) -> None:
    with pytest.raises(MachineError) as caught, kept_in(Path("/home/me/mlruns")):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith(f"/home/me/mlruns: {remedy}, then rerun the command to resume")


def test_the_file_is_named_where_it_is_known(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"nowhere/file: No such file or directory"), kept_in(tmp_path):
        (tmp_path / "nowhere/file").write_text("")
