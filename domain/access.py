"""Who may do what. Each role includes the ones before it: customer, staff, admin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AccessRole(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    ADMIN = "admin"

    def includes(self, other: AccessRole) -> bool:
        order = list(AccessRole)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key itself is shown once and never stored; ``prefix`` (8 characters) is what lists show and revoke takes."""

    key_id: str
    prefix: str
    role: AccessRole
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
