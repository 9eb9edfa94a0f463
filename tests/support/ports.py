"""Addresses of servers on this machine."""

import socket
import urllib.error
import urllib.request


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str) -> bool:
    """Return whether a server answers at this address."""
    try:
        with urllib.request.urlopen(address, timeout=10):  # noqa: S310 - http, on this machine
            return True
    except (urllib.error.URLError, OSError):
        return False
