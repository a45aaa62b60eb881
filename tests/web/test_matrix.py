"""Who passes which rule, written by hand; and nothing of what somebody may not read is in any answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute
from tests.web.conftest import Web
from tests.web.test_rules import rules_of

from airloom.spec.configuration import Configuration
from airloom.spec.problem import Problem
from airloom.spec.template import TAG
from airloom.store.problems import FOLDER
from airloom.store.records import NodeRun, StoredRun
from airloom.web.person import SCOPES
from airloom.web.rate import Rates

MARKER = "marker-7b1f"
UPLOAD = "0" * 32
SIGNED_IN = {"vera", "uma", "otto", "ada", "viv", "ann", "bob", "cody", "adam"}
TOKENS = {f"token of ada: {scope}" for scope in SCOPES}
ADMINS = {"ada", "adam"}
OF_ANYBODY = SIGNED_IN | TOKENS | {"reader", "editor", "publisher"}
IN_PERSON = OF_ANYBODY - TOKENS
AUTHORS = {"ann", "bob", "cody", *ADMINS, "reader", "editor", "publisher"}
READERS = {"vera", "uma", "otto", "ann", "reader", "editor", "publisher", *ADMINS, "token of ada: read"}

PASSES: dict[str, set[str]] = {
    "Public()": OF_ANYBODY | {"nobody", "forged", "expired", "revoked"},
    "SignedIn()": OF_ANYBODY,
    "SignedIn(in_person)": IN_PERSON,
    "Holds(read)": IN_PERSON | {"token of ada: read"},
    "Holds(create)": AUTHORS | {"token of ada: edit"},
    "Holds(admin)": ADMINS | {"token of ada: admin"},
    "Holds(admin, in_person)": ADMINS,
    "OnPipeline(read)": READERS,
    "OnPipeline(run)": READERS - {"vera", "reader", "token of ada: read"},
    "OnPipeline(edit)": {"ann", "editor", "publisher", *ADMINS},
    "OnPipeline(publish)": {"ann", "publisher", *ADMINS},
    "OnPipeline(publish, in_person)": {"ann", "publisher", *ADMINS},
    "OnPipeline(read) Holds(create)": AUTHORS - {"bob", "cody"},
    "OnUpload(read)": ADMINS | {"ann"},
    "OnUpload(create)": ADMINS | {"ann"},
    "OnConnection()": (AUTHORS - {"cody"}) | {"token of ada: admin"},
}
"""The subjects that each class of rules lets pass. The pipeline is ann's; reader, editor and publisher are authors
whom she granted that. A token with one scope alone can only read a pipeline: what it may not read is not there.
The Connection is granted to the role Airloom Author, the upload is ann's; a token that reads or writes is not an
administrator's."""


def class_of(route: APIRoute) -> str:
    """Return the class of a route: its rules, in words."""
    words = []
    for rule in rules_of(route):
        facts = [getattr(rule, name) for name in ("right", "act") if hasattr(rule, name)]
        facts += ["in_person"] if getattr(rule, "in_person", False) else []
        words.append(f"{type(rule).__name__}({', '.join(facts)})")
    return " ".join(sorted(words, reverse=True)) if len(words) > 1 else words[0]


def routes_of(web: Web) -> list[APIRoute]:
    """Return the routes of the API."""
    return [route for route in web.application.routes if isinstance(route, APIRoute)]


@pytest.fixture
def subjects(web: Web) -> dict[str, dict[str, str]]:
    """Make ann's pipeline and all who ask for it; return the headers of each."""
    web.application.state.rates = Rates(Configuration(api_rate="none", sign_in_rate="none"))
    web.store.create("sales", by="ann")
    web.store.grants.give("connection", "sales_db", "role", "Airloom Author", "use", by="ada")
    headers = {name: {"Authorization": f"Bearer {web.tokens[name]}"} for name in sorted(SIGNED_IN)}
    facts = {"name": "orders.csv", "media_type": "text/csv", "size": 1, "sha256": "", "owner": "ann"}
    web.store.uploads.add(UPLOAD, owner_id=web.get("/me", "ann")["id"], **facts)
    for level in ("reader", "editor", "publisher"):
        headers[level] = {"Authorization": f"Bearer {web.tokens['of_' + level]}"}
        web.store.grants.give("pipeline", "sales", "user", f"of_{level}", level, by="ann")
    owner = web.get("/me", "ada")["id"]

    def token(*scopes: str, **more: Any) -> tuple[str, str]:
        made, text = web.store.tokens.make("t", user_id=owner, user_name="ada", scopes=scopes, **more)
        return made.id, text

    for scope in SCOPES:
        headers[f"token of ada: {scope}"] = {"X-API-Key": token(scope)[1]}
    revoked = token("read")
    web.store.tokens.revoke(revoked[0], user_id=None)
    return headers | {
        "nobody": {},
        "forged": {"Authorization": f"Bearer {web.tokens['ada'][:-2]}xx"},
        "expired": {"X-API-Key": token(*SCOPES, expires_at=datetime.now(UTC) - timedelta(seconds=1))[1]},
        "revoked": {"X-API-Key": revoked[1]},
    }


def test_every_route_belongs_to_a_class(web: Web) -> None:
    assert {class_of(route) for route in routes_of(web)} <= PASSES.keys()


def test_who_passes(web: Web, subjects: dict[str, dict[str, str]]) -> None:
    probes = {class_of(route): route for route in routes_of(web)}
    passed: dict[str, set[str]] = {}
    for number, (name, route) in enumerate(sorted(probes.items())):

        def pass_by() -> str:
            return "passed"

        path = f"/api/v1/probe{number}/{{pipeline}}/{{name}}/{{upload}}"
        web.application.add_api_route(path, pass_by, dependencies=route.dependencies)
        # Before the pages, which answer at every address that is left.
        web.application.router.routes.insert(0, web.application.router.routes.pop())
        answers = {
            who: web.ask("GET", f"/probe{number}/sales/sales_db/{UPLOAD}", headers=shown).status_code
            for who, shown in subjects.items()
        }
        passed[name] = {who for who, status in answers.items() if status == 200}
        refused = {who: status for who, status in answers.items() if status != 200}
        nobodies = {who: status for who, status in refused.items() if who not in OF_ANYBODY}
        assert set(nobodies.values()) <= {401}, (name, nobodies)
        assert set(refused.values()) <= {401, 403, 404}, (name, refused)
    assert passed == {name: who for name, who in PASSES.items() if name in passed}


def test_what_is_anothers_is_in_no_answer(web: Web, people: dict[str, str]) -> None:
    """Let bob ask every route that answers for what is ann's; it carries a marker everywhere."""
    document = {"id": "secret_sales", "name": MARKER, "tags": [MARKER, TAG], "description": MARKER, "owner": MARKER}
    for version in range(2):
        web.store.publish(
            {**document, "nodes": [], "settings": {"priority": version}}, {"nodes": {}}, author="ann",
            message=MARKER, source="api",
        )  # fmt: skip
    web.store.drafts.save("secret_sales", document, etag=None, author="ann")
    queued = datetime(2026, 11, 30, tzinfo=UTC)
    web.store.runs.observe(StoredRun("secret_sales", "run", "failed", queued, version=1, params={"a": MARKER}))
    error = {"message": MARKER}
    web.store.node_runs.record("secret_sales", "run", [NodeRun("secret_sales", "run", MARKER, "failed", error=error)])
    facts = {"name": f"{MARKER}.csv", "media_type": MARKER, "size": 1, "sha256": "", "owner": "ann"}
    web.store.uploads.add(UPLOAD, owner_id=web.get("/me", "ann")["id"], **facts)
    web.store.problems.set("secret.yaml", [Problem("text.syntax", MARKER)], "secret_sales")
    web.store.problems.set(FOLDER, [Problem("folder.loss", f"the files of {MARKER} are gone")])
    values = {
        "upload": UPLOAD,
        "pipeline": "secret_sales",
        "run_id": "run",
        "number": "1",
        "node": "a",
        "port": "rows",
        "identifier": "x",
    }
    asked = 0
    for route in routes_of(web):
        if "GET" not in route.methods or "event" in route.path:
            continue
        path = route.path.removeprefix("/api/v1").replace(":path}", "}")
        for name in route.param_convertors:
            path = path.replace(f"{{{name}}}", values.get(name, "1"))
        for query in ("", f"?search={MARKER}", f"?tag={MARKER}", "?pipeline=secret_sales", "?from=1&to=2"):
            answer = web.ask("GET", path + query, "bob")
            text = answer.text.replace(query, "") + str(answer.headers)
            assert MARKER not in text, path + query
            if answer.status_code == 200:
                assert "secret_sales" not in text, path + query
            asked += 1
    assert asked > 40
    assert MARKER in web.ask("GET", "/pipelines/secret_sales", "ann").text
    assert MARKER in web.ask("GET", "/problems", "ann").text
