"""API keys: shown once, stored as a hash."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, RowMapping, delete, insert, or_, select, update

from domain.access import AccessRole, ApiKey
from domain.errors import KeyNotFound
from domain.ids import new_id, sha256_hex
from storage.rows import to_api_key
from storage.tables import api_keys
from storage.transactions import database_time, reading, writing

KEY_MARK = "ad_"
_SECRET_BYTES = 32
_PREFIX_CHARS = 8
MAX_LISTED = 1000
_KEEP_EXPIRED = timedelta(days=1)


class KeyStore:
    """SHA-256 without salt or stretching is enough here: a key is 256 random bits, so there is nothing to guess."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, role: AccessRole, label: str, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
        """A new key and its plaintext, ``ad_`` and 43 URL-safe characters, which is stored nowhere.

        One that expires makes room first: keys that expired more than a day ago are forgotten.
        """
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        plaintext = KEY_MARK + secret
        with writing(self._engine) as connection:
            now = database_time(connection)
            key = ApiKey(new_id(), secret[:_PREFIX_CHARS], role, label, now, expires_at, revoked_at=None)
            row = {
                "key_id": key.key_id,
                "prefix": key.prefix,
                "sha256": sha256_hex(plaintext),
                "role": role,
                "label": label,
                "created_at": now,
                "expires_at": expires_at,
            }
            if expires_at is not None:
                connection.execute(delete(api_keys).where(api_keys.c.expires_at < now - _KEEP_EXPIRED))
            connection.execute(insert(api_keys).values(**row))
        return key, plaintext

    def authenticate(self, plaintext: str) -> ApiKey | None:
        """The key, or None if it is unknown, expired or revoked; looked up on every request, so revoking acts at once.

        The prefix finds the row, the comparison of hashes takes constant time.
        """
        if not plaintext.startswith(KEY_MARK) or not plaintext.isascii():
            return None
        digest = sha256_hex(plaintext)
        prefix = plaintext[len(KEY_MARK) :][:_PREFIX_CHARS]
        with reading(self._engine) as connection:
            now = database_time(connection)
            rows = connection.execute(select(api_keys).where(api_keys.c.prefix == prefix)).mappings().all()
        matching = [row for row in rows if hmac.compare_digest(row["sha256"], digest)]
        return to_api_key(matching[0]) if matching and _is_valid(matching[0], now) else None

    def list_keys(self) -> list[ApiKey]:
        """Newest first, revoked and expired ones too, at most ``MAX_LISTED``."""
        query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id.desc()).limit(MAX_LISTED)
        with reading(self._engine) as connection:
            return [to_api_key(row) for row in connection.execute(query).mappings()]

    def revoke(self, prefix_or_id: str) -> ApiKey:
        """From now on the key opens nothing; revoking twice keeps the first time.

        Raises:
            KeyNotFound: no key, or several, have this prefix or id.
        """
        with writing(self._engine) as connection:
            key = _find(connection, prefix_or_id)
            statement = update(api_keys).where(api_keys.c.key_id == key.key_id, api_keys.c.revoked_at.is_(None))
            connection.execute(statement.values(revoked_at=database_time(connection)))
            return _find(connection, key.key_id)

    def has_any(self, *roles: AccessRole) -> bool:
        """True if a valid key of exactly one of these roles exists."""
        with reading(self._engine) as connection:
            now = database_time(connection)
            rows = connection.execute(select(api_keys).where(api_keys.c.role.in_(roles))).mappings()
            return any(_is_valid(row, now) for row in rows)


def _is_valid(row: RowMapping, now: datetime) -> bool:
    return row["revoked_at"] is None and (row["expires_at"] is None or row["expires_at"] > now)


def _find(connection: Connection, prefix_or_id: str) -> ApiKey:
    query = select(api_keys).where(or_(api_keys.c.prefix == prefix_or_id, api_keys.c.key_id == prefix_or_id))
    rows = connection.execute(query).mappings().all()
    if len(rows) != 1:
        raise KeyNotFound(
            f"{len(rows)} keys have the prefix or id {prefix_or_id!r}.", "List the keys to see their ids."
        )
    return to_api_key(rows[0])
