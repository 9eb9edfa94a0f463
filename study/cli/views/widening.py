"""Print what `study init --from` wrote."""

from study.planning.widening import Widened
from study.text.console import make_console
from study.text.formatting import plain
from study.text.shell import next_command


def print_widened(widened: Widened) -> None:
    """Print what `study init --from` wrote, and the next commands."""
    console = make_console(soft_wrap=True)
    console.print(f"wrote {widened.path}")
    for each in widened.bounds:
        console.print(f"[space] {each.key}: {each.end} = {plain(each.wider)} (was {plain(each.bound)})", markup=False)
    console.print(f"Plan:  {next_command('plan', widened.path)}")
    console.print(f"Run:   {next_command('run', widened.path, '--warm-start', widened.study)}")
