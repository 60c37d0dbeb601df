"""The registry of language models. ``/v1/models`` is OpenAI's list of names, so this one stands beside it."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import FOR_STAFF
from api.models import ModelListView, ModelView, PromoteModelRequest
from api.routes.dependencies import Id, LoadedServices, ServicesDep

router = APIRouter()


@router.get("/v1/registry/models", dependencies=[FOR_STAFF])
def list_models(services: ServicesDep) -> ModelListView:
    records = services.models.list_models()
    serving = services.live_model.serving
    return ModelListView(
        models=[ModelView.from_domain(record) for record in records],
        live=next(record.model_id for record in records if record.is_live),
        answering=serving.model_id if serving is not None and serving.model is not None else None,
        problem=serving.problem if serving is not None else None,
    )


@router.post("/v1/registry/models/{model_id}/promote", dependencies=[FOR_STAFF])
def promote(model_id: Id, services: LoadedServices, body: PromoteModelRequest | None = None) -> ModelView:
    """One that did not pass its gate is refused with the gate's reasons, unless the body says ``force``."""
    record = services.models.promote(model_id, force=body is not None and body.force)
    services.live_model.look_now()
    return ModelView.from_domain(record)


@router.post("/v1/registry/rollback", dependencies=[FOR_STAFF])
def roll_back(services: LoadedServices) -> ModelView:
    record = services.models.rollback()
    services.live_model.look_now()
    return ModelView.from_domain(record)
