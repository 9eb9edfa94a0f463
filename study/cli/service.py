"""The commands of the service: serve, submit, status, cancel, logs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.options import HomeOption, JsonOption, NameArgument, StorageOption
from study.runtime.importing import importing
from study.text import outputs
from study.text.printable import printable, say
from study.text.shell import next_command

if TYPE_CHECKING:
    from study.service.client import Client

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="URL", help="URL of the service (default: $STUDY_SERVER, or http://127.0.0.1:5050)."
    ),
]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file", metavar="FILE", help="File with the token; must not be readable by others (chmod 600)."
    ),
]
MEGABYTE = 1 << 20


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; all except loopback addresses require a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 5050,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Number of worker processes for all studies together (default: one per core)."),
    ] = None,
    concurrent: Annotated[
        int, typer.Option(min=1, max=64, help="Number of studies to run at the same time; they share the workers.")
    ] = 1,
    token_file: TokenOption = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Additional host name that clients may use; repeatable.")
    ] = None,
    data_folder: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Folder that specs may read data from; repeatable (default: the current folder)."
        ),
    ] = None,
    max_trials: Annotated[int, typer.Option(help="Limit for [search] trials.")] = 1_000,
    max_iterations: Annotated[int, typer.Option(help="Limit for [space] iterations.")] = 1_000_000,
    max_depth: Annotated[int, typer.Option(help="Limit for [space] depth.")] = 20,
    max_units: Annotated[int, typer.Option(help="Limit for [space] units.")] = 4_096,
    max_batch: Annotated[int, typer.Option(help="Limit for [space] batch_size.")] = 1_000_000,
    max_examples: Annotated[int, typer.Option(help="Limit for [data] examples (synthetic data only).")] = 1_000_000,
    max_upload: Annotated[int, typer.Option(help="Limit for one uploaded file, in MB.")] = 100,
    max_uploads: Annotated[int, typer.Option(help="Limit for all uploaded files together, in MB.")] = 1_024,
    mlflow: Annotated[
        bool, typer.Option("--mlflow/--no-mlflow", help="Serve the MLflow UI, and write runs to MLflow.")
    ] = True,
    home: HomeOption = None,
    storage: StorageOption = None,
) -> None:
    """Accept studies over HTTP, run them, and show a live page."""
    with importing("numpy"):
        from study.execution import default_jobs
        from study.ledger.home import Home
        from study.service.data_files import allowed_folders
        from study.service.limits import Limits
        from study.service.serving import serve as serve_studies
        from study.service.settings import Settings, read_token

    limits = Limits(
        trials=max_trials,
        iterations=max_iterations,
        depth=max_depth,
        units=max_units,
        batch=max_batch,
        examples=max_examples,
        upload=max_upload * MEGABYTE,
        uploads=max_uploads * MEGABYTE,
    )
    serve_studies(
        Settings(
            home=Home.at(home, storage),
            host=host,
            port=port,
            jobs=jobs or default_jobs(),
            concurrent=concurrent,
            token=None if token_file is None else read_token(token_file),
            folders=allowed_folders(data_folder or [Path.cwd()]),
            hosts=tuple(allow_host or ()),
            mlflow=mlflow,
            limits=limits,
        )
    )


def submit(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="TOML file of the study.")],
    upload: Annotated[bool, typer.Option("--upload", help="Upload the data files that the spec names.")] = False,
    server: ServerOption = None,
    token_file: TokenOption = None,
    json: JsonOption = False,
) -> None:
    """Submit a study to a service."""
    from study.cli.terminal import print_json

    client = _client(server, token_file)
    submission = client.submit(spec, upload=upload)
    if json:
        print_json(submission)
    else:
        name, follow = submission["name"], next_command("logs", submission["name"], "-f")
        say(f"{name}: {submission['state']}, submission {submission['id']}; follow it with `{follow}`")


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of the study (default: all studies).")
    ] = None,
    server: ServerOption = None,
    token_file: TokenOption = None,
    json: JsonOption = False,
) -> None:
    """Show the status of the studies on a service."""
    from study.cli.terminal import print_json
    from study.service.status_view import print_status

    client = _client(server, token_file)
    found = client.studies() if name is None else client.study(name)
    if json:
        print_json(found)
    else:
        print_status(found if isinstance(found, list) else [found])


def cancel(
    name: NameArgument, server: ServerOption = None, token_file: TokenOption = None, json: JsonOption = False
) -> None:
    """Remove a study from a service's queue, or stop it.

    Finished trials are kept."""
    from study.cli.terminal import print_json

    submission = _client(server, token_file).cancel(name)
    if json:
        print_json(submission)
    elif submission["state"] == "running":
        say(f"{name}: stopping; finished trials are kept")
    else:
        say(f"{name}: {submission['state']}")


def logs(
    name: NameArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new output until the study ends.")
    ] = False,
    server: ServerOption = None,
    token_file: TokenOption = None,
) -> None:
    """Print the output of a study on a service."""
    for piece in _client(server, token_file).log(name, follow=follow):
        sys.stdout.write(printable(piece))
        sys.stdout.flush()
        if not outputs.is_shown():
            return


def _client(server: str | None, token_file: Path | None) -> "Client":
    from study.service.client import Client

    if token_file is None:
        return Client(server)
    from study.service.settings import read_token

    return Client(server, read_token(token_file))
