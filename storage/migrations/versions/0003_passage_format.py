"""In which format a version was cut into passages, so that a newer program knows what to renew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("document_versions", sa.Column("passage_format", sa.Integer(), nullable=False, server_default="1"))
