from __future__ import annotations

import pytest

from api.hosts import accepted_hosts, host_name, is_loopback
from api.settings import ApiSettings


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("127.0.0.1:8000", "127.0.0.1"),
        ("Desk.Example", "desk.example"),
        ("desk.example.:443", "desk.example"),
        ("[::1]:8000", "::1"),
        ("[::1", "::1"),
        ("", ""),
        ("a:b:c", "a"),
    ],
)
def test_name_without_port(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.0.2.7", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_any_name_is_accepted_only_off_loopback_and_without_a_list() -> None:
    assert accepted_hosts(ApiSettings(host="0.0.0.0")) is None
    on_loopback = accepted_hosts(ApiSettings())
    listed = accepted_hosts(ApiSettings(host="0.0.0.0", allowed_hosts=("Desk.Example:8000",)))
    assert on_loopback == {"127.0.0.1", "localhost", "::1"}
    assert listed is not None
    assert "desk.example" in listed
