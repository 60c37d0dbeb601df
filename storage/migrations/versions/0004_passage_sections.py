"""Which sections share a passage; passages of before have one each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("passages", sa.Column("sections", sa.JSON(), nullable=False, server_default="[]"))
