"""The reference of the API as a page: Swagger UI, from the copy that comes with Airflow's user management."""

import importlib.util
from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from airloom.web.rule import PUBLIC

router = APIRouter(include_in_schema=False)

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Airloom API</title>
  <link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // The page's own cookie signs in, where somebody is signed in to Airflow.
  requestInterceptor: (request) => ({...request, credentials: "same-origin"}),
});
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'self'"
)
FILES = {"swagger-ui.css": "css/swagger/swagger-ui.css", "swagger-ui-bundle.js": "js/swagger-ui-bundle.js"}


@router.get("/docs", dependencies=[PUBLIC])
def show_reference() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


@router.get("/docs/start.js", dependencies=[PUBLIC])
def start_reference() -> Response:
    """Return the script that fills the page."""
    return Response(START, media_type="text/javascript")


@router.get("/docs/{name}", dependencies=[PUBLIC])
def get_file(name: Literal["swagger-ui.css", "swagger-ui-bundle.js"]) -> FileResponse:
    """Return a file of Swagger UI."""
    return FileResponse(_folder() / FILES[name], headers={"Cache-Control": "public, max-age=86400"})


def _folder() -> Path:
    package = importlib.util.find_spec("flask_appbuilder")
    if package is None or package.origin is None:
        raise FileNotFoundError("flask_appbuilder")
    return Path(package.origin).parent / "static" / "appbuilder"
