"""What the model registry is asked and what it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.schemas import RequestBody, View


class PromoteModelRequest(RequestBody):
    force: bool = False


class ModelView(View):
    model_id: str
    base_model: str | None
    recipe: str | None
    recipe_sha256: str | None
    gate: dict[str, Any]
    passed_gate: bool
    created_at: datetime
    promoted_at: datetime | None
    is_live: bool


class ModelListView(View):
    """``answering`` is what this process uses; it differs from ``live`` when that is unusable, as ``problem`` says."""

    models: list[ModelView]
    live: str
    answering: str | None
    problem: str | None
