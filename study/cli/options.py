"""Arguments and options that several commands share."""

from typing import Annotated

import typer

HomeOption = Annotated[
    str | None,
    typer.Option("--home", metavar="DIR", help="Directory for all state (default: $STUDY_HOME, or ./mlruns)."),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="PostgreSQL database for ledgers (default: $STUDY_STORAGE, or files in the --home directory).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobsOption = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Number of worker processes (default: one per core).")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the study.")]
TRIAL_NAMES = "a number, best, confirmed or recommended"
