"""What whoever starts the service decides: where it listens, who may ask, what it reads, how much it takes."""

import ipaddress
import stat
from dataclasses import dataclass, field
from pathlib import Path

from study.errors import UserError
from study.ledger.home import Home
from study.service.limits import Limits

LEAST_TOKEN = 16  # characters


@dataclass(frozen=True)
class Settings:
    """Settings of one service.

    Attributes:
        home: where studies live.
        host, port: where it listens; 0 takes a free port.
        jobs: worker processes of all studies together.
        concurrent: studies at a time.
        token: that every request needs; None on loopback alone.
        folders: real paths that data may be read from.
        hosts: names under which it may be asked, beside its own.
        mlflow: whether MLflow's server is started, and runs are written to it.
        limits: of what is handed in.
    """

    home: Home
    host: str = "127.0.0.1"
    port: int = 5050
    jobs: int = 1
    concurrent: int = 1
    token: str | None = field(default=None, repr=False)
    folders: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    mlflow: bool = True
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise UserError(
                f"--host {self.host}: others can reach it there, so it needs --token-file FILE; "
                "127.0.0.1 is reached from this machine alone"
            )
        if not self.names:
            raise UserError(f"--host {self.host}: say under which name or address it is asked: --allow-host NAME")

    @property
    def uploads(self) -> Path:
        """Where uploaded files lie."""
        return self.home.path / "uploads"

    @property
    def names(self) -> frozenset[str]:
        """Names that a request may give as its host."""
        own = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(self.host) else set()
        if self.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            own.add(f"[{self.host}]" if ":" in self.host else self.host)
        return frozenset(name.lower() for name in own | set(self.hosts))


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """Return the token in a file: its only line.

    Raises:
        UserError: it cannot be read, others may read it, or the token is short or not plain ASCII.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise UserError(f"--token-file {path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"--token-file {path}: is not ASCII text") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"--token-file {path}: others can read it; chmod 600 {path}")
    if len(text) < LEAST_TOKEN or not text.isprintable() or " " in text:
        raise UserError(
            f"--token-file {path}: a token is one line of at least {LEAST_TOKEN} characters without spaces; "
            "`openssl rand -hex 32` makes one"
        )
    return text
