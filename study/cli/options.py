"""Arguments and options that several commands share."""

from typing import Annotated

import typer

HomeOption = Annotated[
    str | None, typer.Option("--home", metavar="DIR", help="Where state lives; STUDY_HOME, or ./mlruns.")
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage", metavar="URL", help="PostgreSQL database of ledgers; STUDY_STORAGE, or else files of the home."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobsOption = Annotated[int | None, typer.Option("--jobs", min=1, help="Worker processes; left out, one a core.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the study.")]
TRIAL_NAMES = "a number, best, confirmed or recommended"
