"""The commands that prepare and run a search: run, plan, init, schema."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import HomeOption, JobsOption, JsonOption, StorageOption
from study.errors import UserError, kept_in
from study.runtime.importing import LIBRARIES, importing
from study.text.printable import say
from study.text.verbosity import log


def run(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="TOML file of the study.")],
    jobs: JobsOption = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Total number of trials, overriding the spec.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=1, help="Stop after this many seconds, at the end of a round; run again to resume."),
    ] = None,
    warm_start: Annotated[
        str | None, typer.Option(metavar="NAME", help="Study whose best configurations are tried first.")
    ] = None,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="Where workers run: loky (local processes), dask or ray.")
    ] = "loky",
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address of the Dask scheduler, e.g. tcp://host:8786.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Address of the Ray cluster, e.g. host:6379 (default: start one locally)."
        ),
    ] = None,
    tracking: Annotated[
        bool,
        typer.Option(
            "--tracking/--no-tracking",
            help="Write runs to MLflow during the search. With --no-tracking, write them later with `study sync`.",
        ),
    ] = True,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Start or resume a study."""
    with importing("numpy"):
        from study.ledger.home import Home
        from study.spec import read_spec
    declared = read_spec(spec)  # before the slow imports, so that a mistake in the spec is reported at once
    place = Home.at(home, storage)
    log.debug("study %r, home %s", declared.name, place.path)
    with importing(*LIBRARIES):
        from study.cli.progress import RunView
        from study.execution import Workers, connect
        from study.run import run as run_study
        from study.tracking.exporter import make_exporter
    with (
        kept_in(place.path),
        connect(backend, scheduler=scheduler, address=address, jobs=jobs) as cluster,
        make_exporter(place, declared.name) if tracking else nullcontext() as exporter,
        RunView(place) as view,
    ):
        result = run_study(
            spec,
            place,
            workers=Workers.of(declared.search, jobs, cluster),
            trials=trials,
            timeout=timeout,
            warm_start=warm_start,
            exporter=exporter,
            progress=view.progress,
        )
    view.conclude(result)


def plan(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="TOML file of the study.")],
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Also estimate the run time with this many worker processes.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what a run would do, and check the data.

    Nothing is trained."""
    with importing("numpy"):
        from study.spec import read_spec
    read_spec(spec)
    with importing(*LIBRARIES):
        from study.cli.terminal import print_record
        from study.cli.views.plan import print_plan
        from study.planning.plan import make_plan

    made = make_plan(spec, jobs)
    if json:
        print_record(made)
    else:
        print_plan(made)


def init(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Table: .csv, .tsv, .parquet, .npz or .h5.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COL", help="Column to predict: its name or position (-1 is the last).")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Column separator, e.g. ';', '\\t' or '\\s+'.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Text encoding, e.g. utf-8, cp1252 or shift_jis.")
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line contains the column names.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(metavar="MARK", help="Decimal mark: '.' or ','.")] = None,
    quote: Annotated[str | None, typer.Option(metavar="MARK", help="Quote character; '' disables quoting.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing spec.")] = False,
    other: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME",
            help="Instead of a table: a finished study; ranges are widened where its winner is at an end of them.",
        ),
    ] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Write a spec for a table, in the same folder.

    The format of a text file is detected; options override the detected values."""
    given = {"separator": separator, "encoding": encoding, "header": header, "decimal": decimal, "quote": quote}
    reading = {key: value for key, value in given.items() if value is not None}
    if file is None or other is not None:
        if other is None or file is not None or target is not None or reading or force:
            raise UserError("study init takes a FILE with its options, or --from NAME without any; give one of them")
        _init_from(other, home, storage)
        return
    with importing(*LIBRARIES):
        from study.cli.terminal import print_written
        from study.data.init import write_spec

    print_written(write_spec(file, target, reading, force=force))


def _init_from(name: str, home: str | None, storage: str | None) -> None:
    """Write the spec of a finished study with wider ranges."""
    with importing(*LIBRARIES):
        from study.cli.views.widening import print_widened
        from study.ledger.home import Home
        from study.planning.widening import write_widened

    print_widened(write_widened(Home.at(home, storage), name))


def schema() -> None:
    """Print a JSON Schema of the spec, for editors.

    The schema includes the extensions that installed packages provide."""
    with importing("numpy"):
        from study.spec.schema import schema_text
    say(schema_text().rstrip())
