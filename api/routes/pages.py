"""The chat page, the staff console, and their scripts and styles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from api.auth import PUBLIC

PAGES = Path(__file__).resolve().parent.parent / "pages"
_REVALIDATE = {"Cache-Control": "no-cache"}  # a new release must not run yesterday's script


class Assets(StaticFiles):
    """Scripts and styles, which a browser asks about again on each visit and gets 304 if nothing changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_REVALIDATE)
        return response


router = APIRouter()


@router.get("/", dependencies=[PUBLIC], include_in_schema=False)
def chat_page() -> FileResponse:
    return FileResponse(PAGES / "index.html", media_type="text/html", headers=_REVALIDATE)


@router.get("/console", dependencies=[PUBLIC], include_in_schema=False)
def console_page() -> FileResponse:
    return FileResponse(PAGES / "console.html", media_type="text/html", headers=_REVALIDATE)
