"""The command `study`: arguments in, lines out. Nothing heavy is imported before a command needs it."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from study import interrupts
from study.errors import MachineError, UserError, explain_os_error, kept_in
from study.garbage import collect_rarely
from study.service.commands import add_commands

if TYPE_CHECKING:
    from study.home import Home

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
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage", metavar="URL", help="PostgreSQL database of ledgers; STUDY_STORAGE, or else files of the home."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobsOption = Annotated[int | None, typer.Option("--jobs", min=1, help="Worker processes; left out, one a core.")]
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
    with interrupts.importing():
        from study.home import Home
        from study.spec import read_spec
        from study.tracking.exporter import start_exporter
    declared = read_spec(spec)  # a mistake in it is answered before what takes a second to import
    place = Home.at(home, storage)
    with start_exporter(place, declared.name) if tracking else nullcontext() as exporter:
        with interrupts.importing():
            import study.data.loading  # noqa: F401 - later otherwise, where an interrupt would break it
            from study.clusters import connect
            from study.run_view import RunView
            from study.running import run as run_study
            from study.workers import default_jobs

        workers = connect(backend, scheduler=scheduler, address=address, jobs=jobs)
        with kept_in(place.path), workers as cluster, RunView() as view:
            result = run_study(
                spec,
                place,
                jobs=cluster.jobs if cluster is not None else jobs or default_jobs(),
                cluster=cluster,
                trials=trials,
                timeout=timeout,
                warm_start=warm_start,
                exporter=exporter,
                progress=view.progress,
            )
    view.conclude(result, home, storage)


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
def show(
    name: NameArgument,
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="One trial, with its curve.")] = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Show a study's trials, best first, or one of them."""
    with interrupts.importing():
        from study.home import Home
        from study.results import summarize
        from study.terminal import print_json, print_summary
        from study.trial_view import print_trial, view_trial

    place = Home.at(home, storage)
    if number is not None:
        view = view_trial(place, name, number)
        if json:
            print_json(view.as_json())
        else:
            print_trial(view)
        return
    summary = summarize(place, name)
    if json:
        print_json(summary.as_json())
    else:
        print_summary(summary, place.folder(name))


@app.command()
def report(
    name: NameArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; left out, the study's folder.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown in place of HTML.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print its figures as JSON, and write nothing.")] = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Write a page about a study: one HTML file that needs nothing else."""
    from study.home import Home
    from study.report import report_json, write_report

    if json:
        from study.terminal import print_json

        print_json(report_json(Home.at(home, storage), name))
    else:
        print(write_report(Home.at(home, storage), name, output, markdown=markdown))


@app.command("list")
def list_studies(json: JsonOption = False, home: HomeOption = None, storage: StorageOption = None) -> None:
    """List the studies in the home."""
    from study.home import Home
    from study.results import summarize
    from study.terminal import print_json, print_list

    place = Home.at(home, storage)
    summaries = [summarize(place, name) for name in place.names()]
    if json:
        print_json([{key: value for key, value in s.as_json().items() if key != "trials"} for s in summaries])
    else:
        print_list(summaries, place.place)


@app.command()
def finalize(
    name: NameArgument,
    trial: Annotated[int | None, typer.Option(min=0, help="Another trial than the winner.")] = None,
    with_dev: Annotated[bool, typer.Option("--with-dev", help="Train on train and dev together.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Open the test set although it was opened before.")] = False,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Train the winner, open the test set once, keep score and model."""
    from study.final_view import print_final
    from study.finalizing import finalize as finalize_study
    from study.home import Home
    from study.terminal import print_json

    place = Home.at(home, storage)
    with kept_in(place.path):
        final = finalize_study(place, name, trial=trial, with_dev=with_dev, again=again)
    if json:
        print_json(final.plain())
    else:
        print_final(final, home)
    _sync(place, name)


@app.command()
def predict(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: .csv, .tsv or .parquet.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help=".csv or .parquet; left out, CSV to the terminal.")
    ] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Predict for the rows of a table with the finalized model."""
    from study.home import Home
    from study.predicting import predict_file, write_predictions

    made, notes = predict_file(Home.at(home, storage), name, file)
    for note in notes:
        print(f"study: {note}", file=sys.stderr)
    write_predictions(made, out)


@app.command()
def sync(name: NameArgument, json: JsonOption = False, home: HomeOption = None, storage: StorageOption = None) -> None:
    """Write to MLflow what is missing there of a study."""
    from dataclasses import asdict

    from study.home import Home
    from study.terminal import SyncView, print_json
    from study.tracking.sync import sync as sync_study

    with SyncView(quiet=json) as view:
        result = sync_study(Home.at(home, storage), name, view.written)
    if json:
        print_json(asdict(result))
    else:
        print(f"{name}: {result.trials} trials have a run each at {result.store}; {result.written} were written now")


@app.command()
def confirm(
    name: NameArgument,
    top: Annotated[int | None, typer.Option(min=1, help="Best settings to train again; left out, the spec's.")] = None,
    seeds: Annotated[int | None, typer.Option(min=2, help="Fresh seeds for each; left out, the spec's.")] = None,
    jobs: JobsOption = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Train the best settings again on fresh seeds, and say which is best and which cannot be told from it."""
    with interrupts.importing():
        import study.data.loading  # noqa: F401 - later otherwise, where an interrupt would break it
        from study.confirm_view import print_confirmed
        from study.confirming import confirm as confirm_study
        from study.home import Home
        from study.terminal import print_json
        from study.workers import default_jobs

    place, said = Home.at(home, storage), _say_nothing if json else print
    with kept_in(place.path):
        outcome = confirm_study(place, name, top=top, seeds=seeds, jobs=jobs or default_jobs(), said=said)
    if json:
        print_json(outcome)
    else:
        print_confirmed(outcome)
    _sync(place, name)


@app.command()
def compare(
    name: NameArgument,
    trials: Annotated[
        list[str],
        typer.Argument(metavar="A [B …]", help="Trials: a number, best, another study (its best), or STUDY:NUMBER."),
    ],
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the curves are drawn; left out, in the study's folder.")
    ] = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Compare trials, or the best of studies on the same data; one alone is compared with the best."""
    from study.compare_view import print_comparison
    from study.comparing import compare as compare_trials
    from study.home import Home
    from study.terminal import print_json

    outcome = compare_trials(Home.at(home, storage), name, trials, picture)
    if json:
        print_json(outcome)
    else:
        print_comparison(outcome)


@app.command()
def recheck(
    name: NameArgument,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table in place of the study's; left out, that as it is now.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Of the search; left out, a quarter of the study's.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Best settings of the study to try; left out, the spec's.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=2, help="Fresh seeds for each; left out, the spec's.")] = None,
    jobs: JobsOption = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Look whether the best of a study still holds on data as they are now."""
    with interrupts.importing():
        import study.data.loading  # noqa: F401 - later otherwise, where an interrupt would break it
        from study.confirm_view import print_rechecked
        from study.home import Home
        from study.rechecking import recheck as recheck_study
        from study.terminal import print_json
        from study.workers import default_jobs

    place, said = Home.at(home, storage), _say_nothing if json else print
    with kept_in(place.path):
        outcome = recheck_study(
            place,
            name,
            data=data,
            trials=trials,
            top=top,
            seeds=seeds,
            jobs=jobs or default_jobs(),
            said=said,
        )
    if json:
        print_json(outcome)
    else:
        print_rechecked(outcome)


@app.command()
def ui(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Study to show; the last one.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
    optuna: Annotated[bool, typer.Option("--optuna", help="Serve optuna-dashboard on the study's ledger.")] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page where there is one.")] = True,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Serve the MLflow pages on 127.0.0.1."""
    from study.home import Home
    from study.ui import serve, serve_dashboard

    place = Home.at(home, storage)
    if optuna and name is None:
        raise UserError("--optuna shows one study; name it: study ui NAME --optuna")
    if optuna and name:
        serve_dashboard(place, port, name)
    else:
        serve(place, port, name, browser=browser)


add_commands(app)


def _sync(place: "Home", name: str) -> None:
    """Show in MLflow what has just gone into the ledger, which is what counts."""
    from study.tracking.sync import sync as sync_study

    try:
        sync_study(place, name)
    except UserError as error:
        print(f"study: not in MLflow yet: {error}", file=sys.stderr)


def _say_nothing(_line: str) -> None:
    pass


def main() -> None:
    """Run the command line: exit 0 done, 1 a fault of ours or the machine's, 2 the user's input, 130 interrupted."""
    interrupts.raise_once()
    collect_rarely()
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
