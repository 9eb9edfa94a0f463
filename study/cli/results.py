"""The commands that show results: show, report, list, compare, ui, sync."""

from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import TRIAL_NAMES, HomeOption, JsonOption, NameArgument, StorageOption
from study.errors import UserError
from study.runtime.importing import LIBRARIES, importing
from study.text.formatting import agree, counted
from study.text.printable import say
from study.text.shell import next_command
from study.text.verbosity import is_told


def show(
    name: NameArgument,
    trial: Annotated[
        str | None, typer.Argument(metavar="TRIAL", help=f"Trial to show, with its curve: {TRIAL_NAMES}.")
    ] = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Show the trials of a study, best first, or a single trial."""
    with importing("numpy"):
        from study.cli.terminal import print_record, print_summary
        from study.cli.views.trial import describe_trial, print_trial, view_trial
        from study.ledger.answers import describe_study
        from study.ledger.home import Home
        from study.ledger.results import summarize

    place = Home.at(home, storage)
    if trial is not None:
        view = view_trial(place, name, trial)
        if json:
            print_record(describe_trial(view))
        else:
            print_trial(view)
        return
    summary = summarize(place, name)
    if json:
        print_record(describe_study(summary))
    else:
        print_summary(summary, place.folder(name))


def report(
    name: NameArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Output file (default: in the study's folder)."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown instead of HTML.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report's data as JSON; write no file.")] = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Write a report as a single HTML page that opens offline."""
    with importing(*LIBRARIES):
        from study.ledger.home import Home
        from study.report import report_answer, write_report

    if json:
        from study.cli.terminal import print_record

        print_record(report_answer(Home.at(home, storage), name))
    else:
        say(str(write_report(Home.at(home, storage), name, output, markdown=markdown)))


def list_studies(json: JsonOption = False, home: HomeOption = None, storage: StorageOption = None) -> None:
    """List the studies."""
    with importing("numpy"):
        from study.cli.terminal import print_json, print_list
        from study.ledger.answers import describe_line
        from study.ledger.home import Home
        from study.ledger.results import summarize
        from study.text.records import to_json

    place = Home.at(home, storage)
    summaries, refused = [], []
    for name in place.names():
        try:
            summaries.append(summarize(place, name))
        except UserError as error:
            refused.append(error)
    if json:
        print_json([to_json(describe_line(summary)) for summary in summaries])
    else:
        print_list(summaries, place.place)
    if refused:
        raise UserError("\nstudy: ".join(map(str, refused)))


def compare(
    name: NameArgument,
    trials: Annotated[
        list[str],
        typer.Argument(
            metavar="TRIAL", help=f"Trial to compare: {TRIAL_NAMES}; another study (its best trial); or STUDY:TRIAL."
        ),
    ],
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="Output file for the learning curves (default: in the study's folder)."),
    ] = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Compare trials, or the best trials of studies on the same data.

    If you name only one trial, it is compared with the best trial of the study."""
    with importing(*LIBRARIES):
        from study.cli.terminal import print_record
        from study.cli.views.compare import print_comparison
        from study.evaluation.compare import compare as compare_trials
        from study.ledger.home import Home

    comparison = compare_trials(Home.at(home, storage), name, trials, picture)
    if json:
        print_record(comparison)
    else:
        print_comparison(comparison)


def ui(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Study to show (default: the one that ran most recently).")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
    optuna: Annotated[
        bool, typer.Option("--optuna", help="Serve optuna-dashboard for the study instead of MLflow.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a web browser, if one is available.")
    ] = True,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Serve the MLflow UI on 127.0.0.1."""
    with importing("numpy"):
        from study.ledger.home import Home
        from study.tracking.ui import serve, serve_dashboard

    place = Home.at(home, storage)
    if optuna and name is None:
        raise UserError(f"--optuna needs the name of a study: {next_command('ui', 'NAME', '--optuna')}")
    if optuna and name:
        serve_dashboard(place, port, name)
    else:
        serve(place, port, name, browser=browser)


def sync(name: NameArgument, json: JsonOption = False, home: HomeOption = None, storage: StorageOption = None) -> None:
    """Write missing trials to MLflow."""
    with importing(*LIBRARIES):
        from study.cli.terminal import SyncView, print_record
        from study.ledger.home import Home
        from study.tracking.sync import sync as sync_study

    with SyncView(quiet=json or not is_told()) as view:
        result = sync_study(Home.at(home, storage), name, view.written)
    if json:
        print_record(result)
    else:
        runs = f"runs for {counted(result.trials, 'trial')}"
        say(f"{name}: {result.store} has {runs}; {result.written} {agree(result.written, 'was', 'were')} newly written")
