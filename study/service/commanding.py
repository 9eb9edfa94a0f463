"""What takes seconds and reads data (report, finalize, predict), done by the command line in a process of its own.

So a model or a table that breaks it breaks that process, and the server answers others meanwhile.
"""

import asyncio
import os
import sys
from dataclasses import dataclass

from study.home import Home
from study.service.problems import Problem

AT_ONCE = 2
SECONDS = 900.0


@dataclass(frozen=True)
class Done:
    """What a command printed."""

    output: str
    notes: str


class Commands:
    """Runs commands of `study` on a home, a few at a time."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, *arguments: str) -> Done:
        """Run a command to its end.

        Raises:
            Problem: 409 with what the command said where it is the user's to mend, 503 where it took too long, 500.
        """
        async with self._places:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "study.cli",
                *arguments,
                "--home",
                str(self.home.path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **self.home.environment, "COLUMNS": "100"},
                start_new_session=True,
            )
            try:
                output, notes = await asyncio.wait_for(process.communicate(), SECONDS)
            except TimeoutError:
                raise Problem(503, f"study {arguments[0]} took longer than {SECONDS:.0f} seconds", "too-long") from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        said = notes.decode(errors="replace").strip().removeprefix("study: ")
        if process.returncode == 2:
            raise Problem(409, said[:2_000], arguments[0])
        if process.returncode != 0:
            raise Problem(500, f"study {arguments[0]} ended with exit code {process.returncode}: {said[-500:]}")
        return Done(output.decode(errors="replace"), said)
