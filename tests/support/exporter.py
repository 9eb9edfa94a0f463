"""The process that writes a running study to MLflow, with injected faults."""

import os
from pathlib import Path

from support.command import environment
from support.forking import FIRST, is_forked_in

# Runs as sitecustomize, or at the start of a forked process. The time for which that process waits for a store is not
# configurable, so its constant is changed.
_IN_THE_EXPORTER = """
import os, sys
if "study.tracking.exporter_process" in sys.orig_argv:
{fault}
    import functools, sqlite3
    from study.tracking import exporter_process
    exporter_process.GRACE = {grace}  # seconds, not ten
    sqlite3.connect = functools.partial(sqlite3.connect, timeout=0.2)  # not five: nobody is going to free the lock
    exporter_process.main()
"""


def impatient_exporter(folder: Path, fault: str = "", grace: float = 1.0) -> dict[str, str]:
    """Return an environment in which the process that writes to MLflow soon gives up on a store that does not respond.

    Args:
        folder: an empty folder for the file that does this.
        fault: statements, with each line indented by four, that run in that process before its program.
        grace: seconds from the end of the search until the process gives up on the store.
    """
    folder.mkdir(exist_ok=True)
    script = folder / "sitecustomize.py"
    script.write_text(_IN_THE_EXPORTER.format(fault=fault, grace=grace))
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = environment()
    first = {FIRST: str(script)} if is_forked_in(variables) else {"PYTHONPATH": paths}
    # MLflow's client does not retry either if there is no server.
    return variables | first | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
