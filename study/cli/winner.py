"""The commands that confirm and use the best trial of a study: confirm, recheck, finalize, predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.options import TRIAL_NAMES, HomeOption, JobsOption, JsonOption, NameArgument, StorageOption
from study.errors import UserError, kept_in
from study.runtime.importing import LIBRARIES, importing
from study.text.printable import say
from study.text.verbosity import is_told, log

if TYPE_CHECKING:
    from study.ledger.home import Home


def confirm(
    name: NameArgument,
    top: Annotated[
        int | None, typer.Option(min=1, help="Number of best configurations to retrain (default: from the spec).")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=2, help="Fresh seeds per configuration (default: from the spec).")
    ] = None,
    jobs: JobsOption = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Retrain the best configurations on fresh seeds.

    The output names the best one, and those that are not significantly different from the best."""
    with importing(*LIBRARIES):
        import study.data.loading  # noqa: F401 - imported here, since an interrupt during a later import would break it
        from study.cli.terminal import ConfirmBar, print_record, print_warnings
        from study.cli.views.confirm import print_confirmed
        from study.evaluation.confirm import confirm as confirm_study
        from study.ledger.home import Home
        from study.ledger.results import summarize

    place, said = Home.at(home, storage), _say_nothing if json else say
    with kept_in(place.path), ConfirmBar(quiet=json or not is_told()) as bar:
        confirmation = confirm_study(place, name, top=top, seeds=seeds, jobs=jobs, said=said, progress=bar.update)
    summary = summarize(place, name)
    if json:
        print_record(confirmation)
    else:
        print_confirmed(confirmation, summary)
        print_warnings(summary.warnings)
    _sync(place, name)


def recheck(
    name: NameArgument,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Table to use (default: the study's table in its current state)."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials of the new search (default: a quarter of the study's).")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, help="Number of the study's best configurations to try (default: from the spec)."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=2, help="Fresh seeds per configuration (default: from the spec).")
    ] = None,
    jobs: JobsOption = None,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Check whether the best trial is still the best on current data."""
    with importing(*LIBRARIES):
        import study.data.loading  # noqa: F401 - imported here, since an interrupt during a later import would break it
        from study.cli.terminal import print_record
        from study.cli.views.confirm import print_rechecked
        from study.evaluation.recheck import recheck as recheck_study
        from study.ledger.home import Home

    place, said = Home.at(home, storage), _say_nothing if json else say
    with kept_in(place.path):
        outcome = recheck_study(
            place,
            name,
            data=data,
            trials=trials,
            top=top,
            seeds=seeds,
            jobs=jobs,
            said=said,
        )
    if json:
        print_record(outcome)
    else:
        print_rechecked(outcome)


def finalize(
    name: NameArgument,
    trial: Annotated[
        str | None,
        typer.Option(
            metavar="TRIAL", help=f"Trial to finalize: {TRIAL_NAMES} (default: the confirmed trial, or else the best)."
        ),
    ] = None,
    train_only: Annotated[
        bool, typer.Option("--train-only", help="Train on the train set only (default: on train and dev together).")
    ] = False,
    networks: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Number of networks to average (default: from the spec, or else 10)."),
    ] = None,
    jobs: JobsOption = None,
    with_dev: Annotated[
        bool, typer.Option("--with-dev", help="Deprecated: train and dev are used together unless --train-only is set.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Open the test set even if it has already been opened.")
    ] = False,
    json: JsonOption = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Train the final model, score it on the test set, and save it.

    The test set can be opened only once, unless you pass --again."""
    with importing(*LIBRARIES):
        import study.data.loading  # noqa: F401 - imported here, since an interrupt during a later import would break it
        from study.cli.terminal import ConfirmBar, print_record, print_warnings
        from study.cli.views.final import print_final
        from study.ledger.home import Home
        from study.ledger.results import read_warnings
        from study.model.finalize import finalize as finalize_study

    place = Home.at(home, storage)
    if with_dev:
        log.warning("--with-dev is deprecated and has no effect; train and dev are used together without --train-only")
    with kept_in(place.path), ConfirmBar(title="training", quiet=json or not is_told()) as bar:
        final = finalize_study(
            place,
            name,
            trial=trial,
            train_only=train_only,
            networks=networks,
            jobs=jobs,
            again=again,
            progress=bar.update,
        )
    if json:
        print_record(final)
    else:
        print_final(final)
        print_warnings(read_warnings(place, name))
    _sync(place, name)


def predict(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Table: .csv, .tsv or .parquet.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Output file, .csv or .parquet (default: print CSV)."),
    ] = None,
    safe_csv: Annotated[
        bool, typer.Option("--safe-csv", help="Put ' before text that a spreadsheet would read as a formula.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON summary of what was written; needs --out.")
    ] = False,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Predict the target for each row of a table with the final model."""
    if json and out is None:
        raise UserError("--json needs --out FILE, since the summary and the predictions cannot both be printed")
    with importing(*LIBRARIES):
        from study.cli.terminal import print_json
        from study.ledger.home import Home
        from study.model.predict import predict_file, write_predictions

    made, notes = predict_file(Home.at(home, storage), name, file)
    for note in () if json else notes:
        log.warning("%s", note)
    write_predictions(made, out, safe_csv=safe_csv)
    if json:
        print_json({"rows": len(made), "out": str(out), "notes": list(notes)})
    elif out is not None:
        say(f"wrote {len(made)} predictions to {out}")


def _sync(place: "Home", name: str) -> None:
    """Export the latest results from the ledger to MLflow; if that fails, only warn."""
    from study.tracking.sync import sync as sync_study

    try:
        sync_study(place, name)
    except UserError as error:
        log.warning("not exported to MLflow yet: %s", error)


def _say_nothing(_line: str) -> None:
    pass
