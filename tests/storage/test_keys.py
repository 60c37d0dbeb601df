"""Keys are shown once; what is stored opens nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from domain.access import AccessRole
from domain.errors import KeyNotFound
from storage.engine import create_database_engine
from storage.keys import KeyStore
from storage.tables import api_keys


def test_a_key_opens_what_it_was_made_for(keys: KeyStore) -> None:
    key, plaintext = keys.create(AccessRole.STAFF, "console")
    assert re.fullmatch(r"ad_[A-Za-z0-9_-]{43}", plaintext)
    assert key.prefix == plaintext[3:11]
    assert keys.authenticate(plaintext) == key


def test_keys_do_not_repeat(keys: KeyStore) -> None:
    assert len({keys.create(AccessRole.CUSTOMER, "widget")[1] for _ in range(20)}) == 20


def test_the_plaintext_is_stored_nowhere(keys: KeyStore, engine: Engine) -> None:
    _, plaintext = keys.create(AccessRole.ADMIN, "first")
    with engine.connect() as connection:
        row = str(connection.execute(select(api_keys)).one())
    assert plaintext not in row
    assert plaintext[11:] not in row


def test_the_plaintext_is_not_in_the_database_file(sqlite_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{sqlite_path}")
    key, plaintext = KeyStore(engine).create(AccessRole.ADMIN, "first")
    engine.dispose()
    content = sqlite_path.read_bytes()
    assert key.prefix.encode() in content
    assert plaintext[11:].encode() not in content


def test_a_near_miss_opens_nothing(keys: KeyStore) -> None:
    _, plaintext = keys.create(AccessRole.STAFF, "console")
    last = "A" if plaintext[-1] != "A" else "B"
    for wrong in (plaintext[:-1] + last, plaintext[3:], plaintext[:11], plaintext + "A", "", "ad_", "ad_ключ"):
        assert keys.authenticate(wrong) is None


def test_a_revoked_key_opens_nothing_at_once(keys: KeyStore) -> None:
    key, plaintext = keys.create(AccessRole.STAFF, "console")
    other, other_plaintext = keys.create(AccessRole.STAFF, "other")
    revoked = keys.revoke(key.prefix)
    assert revoked.revoked_at is not None
    assert keys.authenticate(plaintext) is None
    assert keys.authenticate(other_plaintext) == other
    assert keys.revoke(key.key_id) == revoked


def test_an_expired_key_opens_nothing(keys: KeyStore) -> None:
    now = datetime.now(UTC)
    _, expired = keys.create(AccessRole.STAFF, "old", expires_at=now - timedelta(seconds=1))
    key, valid = keys.create(AccessRole.STAFF, "new", expires_at=now + timedelta(hours=1))
    assert keys.authenticate(expired) is None
    assert keys.authenticate(valid) == key


def test_long_expired_keys_are_forgotten_when_the_next_session_begins(keys: KeyStore) -> None:
    now = datetime.now(UTC)
    keys.create(AccessRole.CUSTOMER, "last week's", expires_at=now - timedelta(days=7))
    lasting, _ = keys.create(AccessRole.STAFF, "lasting")
    fresh, _ = keys.create(AccessRole.CUSTOMER, "today's", expires_at=now - timedelta(hours=1))
    assert keys.list_keys() == [fresh, lasting]


def test_an_unknown_key_cannot_be_revoked(keys: KeyStore) -> None:
    with pytest.raises(KeyNotFound):
        keys.revoke("missing")


def test_keys_are_listed_newest_first(keys: KeyStore) -> None:
    first, _ = keys.create(AccessRole.STAFF, "first")
    second, _ = keys.create(AccessRole.ADMIN, "second")
    assert keys.list_keys() == [second, first]


def test_has_any_counts_valid_keys_of_exactly_that_role(keys: KeyStore) -> None:
    keys.create(AccessRole.STAFF, "old", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert not keys.has_any(AccessRole.STAFF)
    key, _ = keys.create(AccessRole.STAFF, "console")
    assert keys.has_any(AccessRole.STAFF)
    assert not keys.has_any(AccessRole.ADMIN)
    assert keys.has_any(AccessRole.ADMIN, AccessRole.STAFF)
    keys.revoke(key.prefix)
    assert not keys.has_any(AccessRole.STAFF)


def test_an_expiry_without_a_time_zone_is_refused(keys: KeyStore) -> None:
    with pytest.raises(Exception, match="timezone-aware"):
        keys.create(AccessRole.STAFF, "naive", expires_at=datetime(2030, 1, 1))
