"""Run the slow commands that read data (report, finalize, predict) in separate processes.

A model or a table that crashes a command therefore does not crash the server, which handles other requests meanwhile.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from study import exit_status
from study.exit_status import ExitCode
from study.ledger.home import Home
from study.service.problems import Problem, log

AT_ONCE = 2
SECONDS = 900.0


class Commands:
    """Run `study` commands on a home, a few at a time."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, *arguments: str) -> str:
        """Run a command and return its output.

        Raises:
            Problem: 409 with the command's message after a user error, 503 after a timeout, 500 after any other error.
        """
        async with self._places:
            with tempfile.TemporaryDirectory(prefix="study-status-") as folder:
                return await self._run(arguments, Path(folder) / "status.json")

    async def _run(self, arguments: tuple[str, ...], status_file: Path) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "study",
            *arguments,
            "--home",
            str(self.home.path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.home.environment, "COLUMNS": "100", exit_status.VARIABLE: str(status_file)},
            start_new_session=True,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
        except TimeoutError:
            raise Problem(503, f"study {arguments[0]} took longer than {SECONDS:.0f} seconds", "too-long") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        status = exit_status.read_status(status_file, process.returncode or 0)
        if status.code == ExitCode.USER:
            raise Problem(409, status.message[:2_000], arguments[0])
        if status.code != ExitCode.DONE:
            log.error("study %s failed: %s", arguments[0], errors.decode(errors="replace"))
            raise Problem(500, f"study {arguments[0]} failed: {status.reason[:500]}")
        return output.decode(errors="replace")
