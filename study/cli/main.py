"""The command `study`. Its exit codes are documented in `study.exit_status`."""

import atexit
import gc
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from study import __version__, exit_status, signals
from study.cli import results, search, service, winner
from study.errors import MachineError, UserError, explain_os_error
from study.exit_status import Cause, ExitCode, ExitStatus
from study.runtime.importing import explain_import
from study.text import outputs
from study.text.printable import say
from study.text.redaction import redact
from study.text.shell import running_with
from study.text.verbosity import with_verbosity

_RULES = {"int": "must be a whole number", "float": "must be a number", "finite": "must be a finite number"}


class Commands(TyperGroup):
    """The group of commands. It reports an expected error as one line on standard error and an exit code."""

    def invoke(self, ctx: Any) -> object:
        """Run the requested command.

        Raises:
            typer.Exit: with the exit code, after a user error or a machine error.
        """
        try:
            return super().invoke(ctx)
        except (UserError, MachineError) as error:
            message, code, cause = str(error), error.exit_code, error.cause
        except typer.BadParameter as error:
            wrong = wrong_value(error)
            if wrong is None:
                raise
            message, code, cause = wrong, ExitCode.USER, Cause.USER
        except OSError as error:
            if error.filename is None:
                raise
            message, code, cause = explain_os_error(error, Path(error.filename)), ExitCode.FAULT, Cause.MACHINE
        except (ImportError, MemoryError) as error:
            message, code, cause = explain_import(error), ExitCode.FAULT, Cause.MACHINE
        message = redact(message)
        say(f"study: {message}", error=True)
        exit_status.report(ExitStatus(code, cause, message))
        raise typer.Exit(code)


class Command(TyperCommand):
    """A command. The next commands that it suggests repeat its --home and --storage."""

    def invoke(self, ctx: Any) -> object:
        """Run the command with its parsed options."""
        with running_with(ctx.params):
            return super().invoke(ctx)


def wrong_value(error: typer.BadParameter) -> str | None:
    """Return a message about an invalid option or argument if pydantic rejected it, else None."""
    # Importing pydantic is slow, so its error is recognized by its attributes.
    errors, parameter = getattr(error.__cause__, "errors", None), error.param
    if parameter is None or errors is None:
        return None
    first = errors(include_url=False)[0]
    limits = first.get("ctx", {})
    if "ge" in limits:
        rule = f"must be at least {limits['ge']:g}"
    elif "le" in limits:
        rule = f"must be at most {limits['le']:g}"
    else:
        rule = next((rule for kind, rule in _RULES.items() if first["type"].startswith(kind)), "is not valid")
    name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar
    return f"{name}: {rule}, got {first['input']!r}"


app = typer.Typer(
    name="study",
    cls=Commands,
    help="Tune dense neural networks from one TOML file, and keep a record that you can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    *(search.run, search.plan, search.init, search.schema),
    *(results.show, results.report, results.list_studies, results.compare),
    *(winner.confirm, winner.recheck, winner.finalize, winner.predict),
    *(results.sync, results.ui),
    *(service.serve, service.submit, service.status, service.cancel, service.logs),
):
    app.command("list" if command is results.list_studies else None, cls=Command)(with_verbosity(command))


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"study {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line as its own process."""
    signals.raise_once()
    # With Python's default thresholds, garbage collection takes half the time of a command on 5,000 trials.
    gc.set_threshold(100_000, 20, 20)
    atexit.register(gc.freeze)
    outputs.make_lasting()
    try:
        app()
    except KeyboardInterrupt:
        code: str | int | None = ExitCode.INTERRUPTED
    except SystemExit as ended:  # typer also turns Ctrl-C into one
        code = ended.code
    except Exception as error:  # a bug; Python prints the traceback
        message = redact(f"{type(error).__name__}: {error}")
        exit_status.report(ExitStatus(ExitCode.FAULT, Cause.FAULT, message))
        raise
    failure = outputs.failure()
    if failure is not None:
        print(f"study: {failure}; the rest of the output was lost", file=sys.stderr)
        if not code:
            code = ExitCode.FAULT
            exit_status.report(ExitStatus(code, Cause.MACHINE, failure))
    if code == ExitCode.INTERRUPTED:
        print("study: interrupted", file=sys.stderr)
    if not exit_status.is_reported():
        exit_status.report(ExitStatus.of_code(code if isinstance(code, int) else int(code is not None)))
    if code in (ExitCode.FAULT, ExitCode.INTERRUPTED):
        signals.leave(code)  # threads or child processes may still be running
    sys.exit(code)


if __name__ == "__main__":
    main()
