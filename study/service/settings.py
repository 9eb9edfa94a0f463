"""Settings of the service: its address, access, data folders and limits."""

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
        home: home of the studies.
        host, port: address on which the service listens; port 0 means a free port.
        jobs: number of worker processes for all studies together.
        concurrent: number of studies that run at the same time.
        token: token that every request must present; None is allowed only on loopback.
        folders: real paths of the folders from which data may be read.
        hosts: additional host names that requests may use.
        mlflow: start the MLflow server and write runs to MLflow.
        limits: limits on submitted studies.
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
                f"--host {self.host}: other machines can reach this address, so --token-file FILE is required; "
                "use 127.0.0.1 to allow only this machine"
            )
        if not self.names:
            raise UserError(f"--host {self.host}: specify the name or address that clients use: --allow-host NAME")

    @property
    def uploads(self) -> Path:
        """The folder of uploaded files."""
        return self.home.path / "uploads"

    @property
    def names(self) -> frozenset[str]:
        """The host names that a request may use."""
        own = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(self.host) else set()
        if self.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            own.add(f"[{self.host}]" if ":" in self.host else self.host)
        return frozenset(name.lower() for name in own | set(self.hosts))


def is_loopback(host: str) -> bool:
    """Return True if an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """Return the token, which is the only line of a file.

    Raises:
        UserError: if the file cannot be read or others can read it, or if the token is too short or not plain ASCII.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise UserError(f"--token-file {path}: could not read the file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"--token-file {path}: the token must be ASCII text") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"--token-file {path}: other users can read it; run `chmod 600 {path}`")
    if len(text) < LEAST_TOKEN or not text.isprintable() or " " in text:
        raise UserError(
            f"--token-file {path}: the token must be one line of at least {LEAST_TOKEN} characters without spaces; "
            "`openssl rand -hex 32` generates one"
        )
    return text
