"""Routes of pipelines: lists, filters, pages, and one pipeline."""

from __future__ import annotations

from tests.web.conftest import Web


def publish(web: Web, identifier: str, author: str = "ann", **fields: object) -> None:
    """Publish a pipeline without nodes straight into the store."""
    web.store.publish({"id": identifier, **fields}, {"nodes": {}}, author=author, source="api")


def test_a_list_is_paged_by_key(web: Web) -> None:
    for number in range(5):
        publish(web, f"p{number}")
    first = web.get("/pipelines?limit=2", "ann")
    assert [item["id"] for item in first["items"]] == ["p0", "p1"]
    publish(web, "p00")
    second = web.get(f"/pipelines?limit=2&cursor={first['next_cursor']}", "ann")
    assert [item["id"] for item in second["items"]] == ["p2", "p3"]
    last = web.get(f"/pipelines?limit=2&cursor={second['next_cursor']}", "ann")
    assert ([item["id"] for item in last["items"]], last["next_cursor"]) == (["p4"], None)


def test_what_nobody_granted_is_in_no_list(web: Web) -> None:
    publish(web, "of_ann")
    publish(web, "of_bob", author="bob")
    ids = {who: [item["id"] for item in web.get("/pipelines", who)["items"]] for who in ("ann", "bob", "viv", "adam")}
    assert ids == {"ann": ["of_ann"], "bob": ["of_bob"], "viv": [], "adam": ["of_ann", "of_bob"]}
    assert web.ask("GET", "/pipelines/of_bob", "ann").status_code == 404
    web.store.grants.give("pipeline", "of_bob", "user", "ann", "reader", by="bob")
    assert web.get("/pipelines/of_bob", "ann")["may"] == ["read"]


def test_airflows_roles_read_every_pipeline(web: Web) -> None:
    publish(web, "sales")
    for who, may in {"vera": ["read"], "uma": ["read", "run"], "otto": ["read", "run"]}.items():
        assert web.get("/pipelines/sales", who)["may"] == may
    assert web.get("/pipelines/sales", "ada")["may"] == ["read", "run", "edit", "publish"]


def test_filters(web: Web) -> None:
    publish(web, "sales_daily", name="Sales", tags=["finance"])
    publish(web, "stock", name="What 100% of stock_is", tags=["finance", "store"])
    for query, ids in {
        "search=SALES": ["sales_daily"],
        "search=100%25": ["stock"],
        "search=k_i": ["stock"],
        "search=_": ["sales_daily", "stock"],
        "tag=store": ["stock"],
        "tag=finance": ["sales_daily", "stock"],
        "archived=true": [],
        "paused=true": [],
    }.items():
        assert [item["id"] for item in web.get(f"/pipelines?{query}", "ann")["items"]] == ids, query


def test_a_wrong_cursor_is_told(web: Web) -> None:
    answer = web.ask("GET", "/pipelines?cursor=nonsense", "ann")
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")


def test_a_pipeline_comes_with_its_document(web: Web) -> None:
    publish(web, "sales", name="Sales")
    found = web.get("/pipelines/sales", "ann")
    assert (found["version"], found["document"]) == (1, {"id": "sales", "name": "Sales"})


def test_one_that_was_never_published_has_none(web: Web) -> None:
    web.store.create("new", by="ann")
    found = web.get("/pipelines/new", "ann")
    assert (found["version"], found["document"], found["may"]) == (0, None, ["read", "run", "edit", "publish"])


def test_several_at_once_each_by_its_right(web: Web) -> None:
    nodes = [{"id": "only", "type": "set", "config": {"value": 1}}]
    for name, who in (("of_ann", "ann"), ("of_bob", "bob")):
        assert web.ask("POST", "/pipelines/import", who, json={"id": name, "nodes": nodes}).status_code == 200

    def do(action: str, **more: str) -> list[tuple[str, bool, str | None]]:
        body = {"action": action, "pipelines": ["of_ann", "of_bob", "none"], **more}
        answer = web.ask("POST", "/pipelines/batch", "ann", json=body)
        assert answer.status_code == 200, answer.text
        return [(one["pipeline"], one["done"], one["error"]) for one in answer.json()]

    unknown = [("of_bob", False, "there is no pipeline 'of_bob'"), ("none", False, "there is no pipeline 'none'")]
    assert do("tag", tag="sales") == [("of_ann", True, None), *unknown]
    assert [item["id"] for item in web.get("/pipelines?tag=sales", "adam")["items"]] == ["of_ann"]
    assert do("untag", tag="sales") == [("of_ann", True, None), *unknown]
    assert web.get("/pipelines/of_ann", "ann")["version"] == 3
    assert do("archive") == [("of_ann", True, None), *unknown]
    assert do("restore") == [("of_ann", True, None), *unknown]
    for body in ({"action": "tag"}, {"action": "archive", "tag": "a"}, {"action": "fly"}):
        answer = web.ask("POST", "/pipelines/batch", "ann", json={"pipelines": ["of_ann"], **body})
        assert answer.status_code == 422
