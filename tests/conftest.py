"""Suite-wide rules: no test may open a connection that leaves the machine."""

from __future__ import annotations

import ipaddress
import socket

import pytest


def _is_loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test that connects elsewhere; psycopg connects in C and is held to loopback by its own URLs."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if not _is_loopback(address):
            pytest.fail(f"A test tried to reach {address!r}; only loopback addresses are allowed.")
        connect(self, address)  # type: ignore[arg-type]  # the address types depend on the socket family

    monkeypatch.setattr(socket.socket, "connect", guarded)
