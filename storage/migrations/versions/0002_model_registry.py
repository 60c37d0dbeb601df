"""The registry of language models, with the shipped one as its first entry and live."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_SHIPPED = "answerdesk-gpt2"


def upgrade() -> None:
    models = op.create_table(
        "models",
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("manifest_sha256", sa.String()),
        sa.Column("base_model", sa.String()),
        sa.Column("recipe", sa.String()),
        sa.Column("recipe_sha256", sa.String()),
        sa.Column("gate", sa.JSON(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("promoted_at", _MOMENT),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_models")),
    )
    op.execute(models.insert().values(model_id=_SHIPPED, gate={}, created_at=datetime.now(UTC)))
    pointer = op.create_table(
        "live_model",
        sa.Column("only_row", sa.Boolean(), nullable=False),
        sa.Column("live_id", sa.String(), nullable=False),
        sa.Column("previous_id", sa.String()),
        sa.ForeignKeyConstraint(["live_id"], ["models.model_id"], name=op.f("fk_live_model_live_id_models")),
        sa.ForeignKeyConstraint(["previous_id"], ["models.model_id"], name=op.f("fk_live_model_previous_id_models")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_live_model")),
    )
    op.execute(pointer.insert().values(only_row=True, live_id=_SHIPPED))
