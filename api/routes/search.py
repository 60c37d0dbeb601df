"""Search without an answer."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import FOR_CUSTOMERS
from api.routes.dependencies import LoadedServices
from api.schemas import PassageView, SearchRequest, SearchView

router = APIRouter()


@router.post("/v1/search", dependencies=[FOR_CUSTOMERS])
def search(body: SearchRequest, services: LoadedServices) -> SearchView:
    top_k = body.top_k or services.settings.retriever.top_k
    result = services.retriever.search(body.query, top_k, body.filters.collection)
    return SearchView(passages=[PassageView.from_scored(hit) for hit in result.passages], generation=result.generation)
