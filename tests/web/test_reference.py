"""The reference of the API: complete, and a page that needs nothing from elsewhere."""

from __future__ import annotations

import re

from tests.web.conftest import Web


def test_the_page_needs_nothing_from_elsewhere(web: Web) -> None:
    page = web.client.get("/api/docs")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) == 3
    for source in sources:
        answer = web.client.get(f"/api/{source}")
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff"), source
    assert web.client.get("/api/docs/..%2f..%2fapp.py").status_code in (404, 422)


def test_every_operation_is_told(web: Web) -> None:
    schema = web.client.get("/api/openapi.json").json()
    operations = [
        (f"{method} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) > 50
    for name, operation in operations:
        assert operation["tags"], name
        assert operation["description"].endswith("."), name
        statuses = set(operation["responses"])
        assert {"4XX", "5XX"} <= statuses, (name, statuses)
    assert len({operation["operationId"] for _, operation in operations}) == len(operations)
    assert {"bearer", "key", "cookie"} <= schema["components"]["securitySchemes"].keys()
