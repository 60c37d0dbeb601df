"""Who is at the other end: loopback addresses, host names, and whether a request comes from this very machine."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.requests import HTTPConnection

from api.settings import ApiSettings

LOOPBACK_NAMES = frozenset(("127.0.0.1", "localhost", "::1"))
_FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(host_header: str) -> str:
    """The name of a ``Host`` header without its port: ``[::1]:8000`` gives ``::1``."""
    host = host_header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def accepted_hosts(settings: ApiSettings) -> frozenset[str] | None:
    """Names under which the server may be addressed; None accepts all (bound to the world and no list given).

    On a loopback address the list is what stops DNS rebinding: a page of another site whose name suddenly resolves to
    127.0.0.1 still sends its own name.
    """
    named = frozenset(host_name(host) for host in settings.allowed_hosts)
    if is_loopback(settings.host):
        return named | LOOPBACK_NAMES | {settings.host.lower()}
    return named | LOOPBACK_NAMES | {settings.host.lower()} if named else None


def is_local(connection: HTTPConnection, settings: ApiSettings) -> bool:
    """True when the server is bound to loopback and the request was made on this machine, not through a proxy on it."""
    client = connection.client
    return (
        is_loopback(settings.host)
        and client is not None
        and is_loopback(client.host)
        and host_name(connection.headers.get("host", "")) in LOOPBACK_NAMES | {settings.host.lower()}
        and not any(name in connection.headers for name in _FORWARDING_HEADERS)
    )
