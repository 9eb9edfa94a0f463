"""Draft the spec of a study whose ranges are wider than those of a finished one, at the ends where its winner lies."""

import re
import tomllib
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine.state import write_whole
from study.errors import UserError
from study.ledger.bounds import AtBound
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import summarize
from study.search.session import find_declared
from study.spec import parse_spec
from study.text.shell import next_command
from study.text.toml_text import write_toml

_SUFFIX = re.compile(r"-wide(-\d+)?$")


@dataclass(frozen=True)
class Widened:
    """A spec that was drafted from another study's.

    Attributes:
        path: the file of the spec.
        study: name of the other study.
        bounds: the ends of ranges that were moved.
    """

    path: Path
    study: str
    bounds: tuple[AtBound, ...]


def write_widened(home: Home, name: str) -> Widened:
    """Write the spec of a study with wider ranges, with the same data and search, under a new name.

    If the data are in a file with a relative path, the spec is written to the folder to which the path is relative, and
    otherwise to the current folder.

    Args:
        home: the home of the finished study.
        name: name of the finished study.

    Raises:
        UserError: the study does not exist or has not finished, its winner is at no end of a range, or the spec cannot
            be written.
    """
    summary = summarize(home, name)
    if summary.state != "complete":
        raise UserError(
            f"--from {name}: the study is {summary.state}; finish it first, and then widen its ranges around its winner"
        )
    if not summary.at_bounds:
        raise UserError(f"--from {name}: the winner is at no end of a range in [space], so there is nothing to widen")
    declared = find_declared(home, Ledger(home.existing(name), name))
    tables = tomllib.loads(declared.text)
    folder = declared.base if (declared.base / str(tables["data"]["source"])).is_file() else Path()
    for each in summary.at_bounds:
        tables["space"][each.key][each.end] = each.wider
    tables["name"], path = _new_name(home, name, folder)
    text = write_toml(tables)
    parse_spec(text, str(path))
    try:
        write_whole(path, text.encode())
    except OSError as error:
        remedy = f"change to another folder and rerun {next_command('init', '--from', name)}"
        raise UserError(f"{path} could not be written ({error.strerror}); {remedy}") from None
    return Widened(path, name, summary.at_bounds)


def _new_name(home: Home, name: str, folder: Path) -> tuple[str, Path]:
    """Return a name that no study and no spec in the folder has, such as digits-wide, and the path of its spec."""
    stem, taken = f"{_SUFFIX.sub('', name)}-wide", home.names()
    names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    new = next(each for each in names if each not in taken and not (folder / f"{each}.toml").exists())
    return new, folder / f"{new}.toml"
