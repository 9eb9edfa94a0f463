"""The command `study`: arguments in, lines out. Nothing heavy is imported before a command needs it."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from study import interrupts
from study.errors import MachineError, UserError, explain_os_error, kept_in

app = typer.Typer(
    name="study",
    help="Tune dense neural networks from one TOML file, and keep a record that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

HomeOption = Annotated[
    str | None, typer.Option("--home", metavar="DIR", help="Where state lives; STUDY_HOME, or ./mlruns.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the study.")]


@app.command()
def run(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The study's TOML file.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Worker processes; left out, one a core.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in the end, in place of the spec's number.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds; stops at a round's end, to go on later.")
    ] = None,
    warm_start: Annotated[
        str | None, typer.Option(metavar="NAME", help="A study whose best settings are tried first.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Run a study, or go on with one."""
    with interrupts.importing():
        from study.spec import read_spec
    read_spec(spec)  # a mistake in it is answered before what takes a second to import
    with interrupts.importing():
        import study.data.loading  # noqa: F401 - later otherwise, where an interrupt would break it
        from study.home import Home
        from study.running import run as run_study
        from study.terminal import RunView
        from study.workers import default_jobs

    place = Home.at(home)
    with kept_in(place.path), RunView() as view:
        result = run_study(
            spec,
            place,
            jobs=jobs or default_jobs(),
            trials=trials,
            timeout=timeout,
            warm_start=warm_start,
            progress=view.progress,
        )
    view.conclude(result, home)


@app.command()
def plan(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The study's TOML file.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Also say how long it takes with so many.")] = None,
    json: JsonOption = False,
) -> None:
    """Say what a run would do, and what is worth knowing of the data; nothing is trained."""
    with interrupts.importing():
        from study.spec import read_spec
    read_spec(spec)
    with interrupts.importing():
        from study.plan_view import print_plan
        from study.planning import make_plan
        from study.terminal import print_json

    made = make_plan(spec, jobs)
    if json:
        print_json(made.plain())
    else:
        print_plan(made)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: .csv, .tsv, .parquet, .npz or .h5.")],
    target: Annotated[
        str | None, typer.Option(metavar="COL", help="The column to predict: its name, or its position (-1: the last).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a spec that is there.")] = False,
) -> None:
    """Write a spec for a table, beside it."""
    with interrupts.importing():
        from study.init import write_spec
        from study.terminal import print_written

    print_written(write_spec(file, target, force=force))


@app.command()
def show(name: NameArgument, json: JsonOption = False, home: HomeOption = None) -> None:
    """Show a study's trials, best first."""
    from study.home import Home
    from study.results import summarize
    from study.terminal import print_json, print_summary

    summary = summarize(Home.at(home), name)
    if json:
        print_json(summary.as_json())
    else:
        print_summary(summary)


@app.command("list")
def list_studies(json: JsonOption = False, home: HomeOption = None) -> None:
    """List the studies in the home."""
    from study.home import Home
    from study.results import summarize
    from study.terminal import print_json, print_list

    place = Home.at(home)
    summaries = [summarize(place, name) for name in place.names()]
    if json:
        print_json([{key: value for key, value in s.as_json().items() if key != "trials"} for s in summaries])
    else:
        print_list(summaries, place.path)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
    home: HomeOption = None,
) -> None:
    """Serve the MLflow pages on 127.0.0.1."""
    from study.home import Home
    from study.ui import serve

    serve(Home.at(home), port)


def main() -> None:
    """Run the command line: exit 0 done, 1 a fault of ours or the machine's, 2 the user's input, 130 interrupted."""
    interrupts.raise_once()
    try:
        app()
    except UserError as error:
        _leave(str(error), 2)
    except MachineError as error:
        print(f"study: {error}", file=sys.stderr)
        interrupts.leave(1)
    except OSError as error:
        if error.filename is None:
            raise
        _leave(explain_os_error(error, Path(error.filename)), 1)
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code != interrupts.EXIT_CODE:  # which is what typer makes of Ctrl-C
            raise
        print("study: interrupted", file=sys.stderr)
        interrupts.leave()


def _leave(said: str, code: int) -> NoReturn:
    print(f"study: {said}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
