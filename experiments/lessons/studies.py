"""Studies of the lessons, which run without MLflow; `study sync NAME` writes them to it."""

from pathlib import Path

from study import Study
from study.execution import Workers, default_jobs
from study.ledger.home import Home
from study.run import Progress, run

EXPERIMENTS = Path(__file__).resolve().parents[1]


def search(spec: Path, home: Path) -> Study:
    """Run or resume the study of a spec in a home, and return it.

    Raises:
        study.errors.UserError: the home contains a different study of this name.
    """
    silent = Progress(lambda *_: None, lambda *_: None, lambda _: None)
    run(spec, Home(home), workers=Workers(default_jobs()), exporter=None, progress=silent)
    return Study.from_toml(spec, home)
