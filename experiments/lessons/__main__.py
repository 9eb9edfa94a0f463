"""Run lessons, write their outcomes and plots to docs/lessons, and write the page docs/lessons.md from all outcomes.

python -m experiments.lessons [--home DIR] [NAME …]
"""

import argparse
import sys

from experiments.lessons.page import write_page
from experiments.lessons.registry import LESSONS, keep
from study.errors import UserError
from study.ledger.home import Home


def main() -> None:
    """Run the lessons that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m experiments.lessons", description="Run the course's lessons.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(LESSONS)}; by default, all of them")
    parser.add_argument("--home", help="folder for the studies (default: STUDY_HOME, or ./mlruns)")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in LESSONS]
    if unknown:
        parser.error(f"there is no lesson {unknown[0]!r}; choose from {', '.join(LESSONS)}")
    home = Home.at(given.home)
    try:
        for name in given.names or LESSONS:
            print(f"{name}: {LESSONS[name].question}", flush=True)
            keep(name, LESSONS[name].run(home.path))
        print(write_page())
    except UserError as error:
        print(f"lessons: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
