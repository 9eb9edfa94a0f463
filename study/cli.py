"""The command `study`, and what it exits with."""

import sys
from pathlib import Path
from typing import NoReturn

import typer

from study import interrupts
from study.commands import results, search, service, winner
from study.errors import MachineError, UserError, explain_os_error
from study.garbage import collect_rarely

app = typer.Typer(
    name="study",
    help="Tune dense neural networks from one TOML file, and keep a record that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    *(search.run, search.plan, search.init),
    *(results.show, results.report, results.list_studies, results.compare),
    *(winner.confirm, winner.recheck, winner.finalize, winner.predict),
    *(results.sync, results.ui),
    *(service.serve, service.submit, service.status, service.cancel, service.logs),
):
    app.command("list" if command is results.list_studies else None)(command)


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
