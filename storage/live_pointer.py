"""The one row of a registry that says which entry is live, and which one was before it.

Index generations and language models have a registry each. Promotion is a compare-and-set on that row, so rolling back
is the same step as going forward. The methods run inside a transaction of the store that calls them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, Connection, RowMapping, Select, Table, case, delete, func, select, update

from domain.errors import Conflict, PromotionConflict

MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class LivePointer:
    """``entries`` have the id column ``key``; ``pointer`` has one row from its migration on; messages use ``noun``."""

    noun: str
    entries: Table
    key: Column[str]
    pointer: Table

    def entry(self, connection: Connection, entry_id: str) -> RowMapping | None:
        """The entry's columns and ``is_live``."""
        return connection.execute(self._entries().where(self.key == entry_id)).mappings().first()

    def newest(self, connection: Connection) -> list[RowMapping]:
        """Newest first, at most ``MAX_LISTED``."""
        query = self._entries().order_by(self.entries.c.created_at.desc(), self.key.desc()).limit(MAX_LISTED)
        return list(connection.execute(query).mappings())

    def pointed_at(self, connection: Connection, which: Literal["live_id", "previous_id"]) -> RowMapping | None:
        return connection.execute(self._entries().where(self.key == self.pointer.c[which])).mappings().first()

    def move(self, connection: Connection, entry_id: str, expected_live: str | None) -> None:
        """Point at an existing entry if ``expected_live`` (None: nothing) still is live; at the live one: no change.

        Raises:
            PromotionConflict: another entry is live than the caller compared with.
        """
        live_id, previous_id = self.pointer.c.live_id, self.pointer.c.previous_id
        stays = live_id.is_not_distinct_from(entry_id)
        swapped = connection.execute(
            update(self.pointer)
            .where(live_id.is_not_distinct_from(expected_live))
            .values(live_id=entry_id, previous_id=case((stays, previous_id), else_=live_id))
        )
        if swapped.rowcount == 0:
            actual = connection.execute(select(live_id)).scalar_one()
            raise PromotionConflict(
                f"Expected {expected_live or f'no {self.noun}'} to be live, but {actual or 'none'} is.",
                "Compare with the live one and decide again.",
            )

    def forget(self, connection: Connection, entry_id: str) -> None:
        """Delete the entry; an unknown id is fine.

        Raises:
            Conflict: it is the live one.
        """
        live_id = connection.execute(select(self.pointer.c.live_id).with_for_update()).scalar_one()
        if live_id == entry_id:
            raise Conflict(f"{self.noun.capitalize()} {entry_id} is live.", "Promote another one first.")
        unpoint = update(self.pointer).where(self.pointer.c.previous_id == entry_id)
        connection.execute(unpoint.values(previous_id=None))
        connection.execute(delete(self.entries).where(self.key == entry_id))

    def _entries(self) -> Select[Any]:
        is_live = func.coalesce(self.pointer.c.live_id == self.key, False)
        with_pointer = self.entries.join(self.pointer, self.pointer.c.only_row)
        return select(self.entries, is_live.label("is_live")).select_from(with_pointer)
