"""Every route states its rule."""

from __future__ import annotations

from fastapi.routing import APIRoute
from tests.web.conftest import Web

from airloom.web.rule import Public, Rule


def rules_of(route: APIRoute) -> list[Rule]:
    """Return the rules that a route states."""
    return [found.call for found in route.dependant.dependencies if isinstance(found.call, Rule)]


def test_every_route_states_its_rule(web: Web) -> None:
    routes = [route for route in web.application.routes if isinstance(route, APIRoute)]
    assert routes
    assert [route.path for route in routes if not rules_of(route)] == []


def test_only_these_routes_are_open(web: Web) -> None:
    routes = [route for route in web.application.routes if isinstance(route, APIRoute)]
    open_to_all = {route.path for route in routes if any(isinstance(rule, Public) for rule in rules_of(route))}
    assert open_to_all == {
        "/api/v1/health/live",
        "/api/v1/health/ready",
        "/api/v1/downloads/{token}",  # whoever has a signed address may download what it names
        *(f"/api/docs{path}" for path in ("", "/start.js", "/{name}")),
        *("/assets/{name}", "/{name}.svg", "/{page:path}"),  # the same files for everybody, and no data
    }
