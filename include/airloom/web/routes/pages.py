"""The pages: files that were built from `ui/`, and one document that shows whichever page an address names."""

from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

from airloom.web.rule import PUBLIC

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent.parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'self'; frame-ancestors 'self'"
)
FOREVER = "public, max-age=31536000, immutable"


@router.get("/assets/{name}", dependencies=[PUBLIC])
def get_asset(name: str) -> FileResponse:
    """Return a file of the pages; its name changes with its content."""
    path = STATIC / "assets" / name
    if not path.is_file():
        raise HTTPException(404, "there is no such file")
    return FileResponse(path, headers={"Cache-Control": FOREVER})


@router.get("/{name}.svg", dependencies=[PUBLIC])
def get_icon(name: Literal["icon", "icon-dark"]) -> FileResponse:
    """Return the icon in Airflow's navigation, for its light or its dark theme."""
    return FileResponse(STATIC / f"{name}.svg", headers={"Cache-Control": "public, max-age=86400"})


@router.get("/{page:path}", dependencies=[PUBLIC])
def show_page(request: Request, page: str) -> HTMLResponse:
    """Return the document of the pages, which asks the API as whoever is signed in."""
    if page.startswith("api/"):
        raise HTTPException(404, "there is no such route")
    base = f"{request.scope.get('root_path', '')}/"
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    document = (STATIC / "index.html").read_text()
    return HTMLResponse(document.replace("<head>", f'<head><base href="{base}">', 1), headers=headers)
