"""The commands before and during a search: run, plan, init."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import HomeOption, JobsOption, JsonOption, StorageOption
from study.errors import kept_in
from study.runtime.importing import LIBRARIES, importing
from study.text.verbosity import log


def run(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The study's TOML file.")],
    jobs: JobsOption = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in the end, in place of the spec's number.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds; stops at a round's end, to go on later.")
    ] = None,
    warm_start: Annotated[
        str | None, typer.Option(metavar="NAME", help="A study whose best settings are tried first.")
    ] = None,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="Who works: loky (processes here), dask or ray.")
    ] = "loky",
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of dask: tcp://host:8786.")] = None,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of ray: host:6379; left out, one is begun here.")
    ] = None,
    tracking: Annotated[
        bool, typer.Option("--tracking/--no-tracking", help="Write runs to MLflow; `study sync` does it later.")
    ] = True,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Run a study, or go on with one."""
    with importing("numpy"):
        from study.ledger.home import Home
        from study.spec import read_spec
    declared = read_spec(spec)  # a mistake in it is answered before what takes a second to import
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
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The study's TOML file.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Also say how long it takes with so many.")] = None,
    json: JsonOption = False,
) -> None:
    """Say what a run would do, and what is worth knowing of the data; nothing is trained."""
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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: .csv, .tsv, .parquet, .npz or .h5.")],
    target: Annotated[
        str | None, typer.Option(metavar="COL", help="The column to predict: its name, or its position (-1: the last).")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What stands between cells, such as ';', '\\t' or '\\s+'.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Such as utf-8, cp1252 or shift_jis.")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line names the columns.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(metavar="MARK", help="The decimal mark, '.' or ','.")] = None,
    quote: Annotated[str | None, typer.Option(metavar="MARK", help="What encloses cells; '' for nothing.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a spec that is there.")] = False,
) -> None:
    """Write a spec for a table, beside it. How a text file is written is found out; options say it better."""
    with importing(*LIBRARIES):
        from study.cli.terminal import print_written
        from study.data.init import write_spec

    given = {"separator": separator, "encoding": encoding, "header": header, "decimal": decimal, "quote": quote}
    reading = {key: value for key, value in given.items() if value is not None}
    print_written(write_spec(file, target, reading, force=force))
