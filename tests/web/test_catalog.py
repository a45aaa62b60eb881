"""Routes of the catalog, of figures and of background work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.web.conftest import Web

from airloom.store.records import StoredRun

PENGUINS = "include/data/penguins/penguins.csv"


def test_node_types_are_listed_and_told(web: Web) -> None:
    found = web.get("/catalog", "viv")
    names = {entry["type"] for entry in found["types"]}
    assert {"csv_read", "filter", "postgres_write"} <= names
    assert "tables" in found["categories"]
    read = web.get("/catalog/types/csv_read", "viv")
    assert "path" in read["schema"]["properties"]
    assert web.ask("GET", "/catalog/types/csv_reed", "viv").json()["details"]["hint"] == "did you mean 'csv_read'?"
    assert web.get("/catalog/schema", "viv")["$defs"]


def test_ports_follow_a_config(web: Web) -> None:
    config = {"conditions": [{"name": "big", "where": "a > 1"}, {"name": "small", "where": "a < 1"}]}
    ports = web.ask("POST", "/catalog/types/split_rows/ports", "viv", json={"config": config}).json()
    assert [port["name"] for port in ports["outputs"]][:2] == ["big", "small"]
    assert [port["name"] for port in ports["inputs"]] == ["rows"]


def test_columns_at_a_port(web: Web) -> None:
    document = {
        "id": "a",
        "nodes": [
            {"id": "penguins", "type": "csv_read", "config": {"path": PENGUINS, "null_values": ["NA"]}},
            {"id": "heavy", "type": "filter", "config": {"where": "body_mass_g > 4000"}},
        ],
        "edges": [{"from": "penguins", "to": "heavy"}],
    }
    asked = {"document": document, "node": "heavy", "port": "rows"}
    columns = web.ask("POST", "/catalog/columns", "ann", json=asked).json()["columns"]
    assert ["species", "VARCHAR"] in columns


def test_users_of_a_type_are_those_that_one_may_read(web: Web) -> None:
    for name, who in (("of_ann", "ann"), ("of_bob", "bob")):
        nodes = [{"id": "only", "type": "set", "config": {"value": 1}}]
        body = {"id": name, "nodes": nodes}
        assert web.ask("POST", "/pipelines/import", who, json=body).status_code == 200
    users = web.ask("GET", "/catalog/types/set/users", "ann").json()
    assert [(use["pipeline"], use["node"]) for use in users] == [("of_ann", "only")]


def test_figures_are_those_of_what_one_may_read(web: Web) -> None:
    today = datetime.now(UTC).replace(hour=1, minute=0)
    for name, who in (("of_ann", "ann"), ("of_bob", "bob")):
        web.store.publish({"id": name}, {"nodes": {}}, author=who, source="api")
        for number, state in enumerate(("success", "failed", "success")):
            queued = today - timedelta(days=number)
            web.store.runs.observe(StoredRun(name, f"run{number}", state, queued, seconds=float(number), rows=10))
    days = web.get("/figures?days=2", "ann")["days"]
    assert [(day["runs"], day["succeeded"], day["failed"]) for day in days] == [(1, 0, 1), (1, 1, 0)]
    assert sum(day["runs"] for day in web.get("/figures", "adam")["days"]) == 6


def test_background_work_is_for_administrators(web: Web) -> None:
    web.store.outbox.enqueue("run_ended", {"dag_id": "a", "run_id": "b", "state": "success"})
    assert web.ask("GET", "/operations/queues", "ann").status_code == 403
    queues = web.get("/operations/queues", "adam")["queues"]
    assert [(queue["kind"], queue["waiting"], queue["running"]) for queue in queues] == [("run_ended", 1, 0)]


def test_a_type_that_is_switched_off_is_refused_at_publish_alone(web: Web) -> None:
    body = {"id": "kept", "nodes": [{"id": "only", "type": "set", "config": {"value": 1}}]}
    assert web.ask("POST", "/pipelines/import", "ann", json=body).status_code == 200
    assert web.ask("POST", "/catalog/types/set/disable", "ann").status_code == 403
    assert web.ask("POST", "/catalog/types/no_such/disable", "adam").status_code == 404
    assert web.ask("POST", "/catalog/types/set/disable", "adam").status_code == 204
    assert "set" in web.get("/catalog", "viv")["disabled"]
    assert web.get("/catalog/types/set", "viv")["switched_off"] is True
    answer = web.ask("POST", "/pipelines/import", "adam", json={**body, "id": "new"})
    assert (answer.status_code, answer.json()["message"]) == (422, "the node type 'set' is switched off")
    assert answer.json()["details"][0]["pointer"] == "/nodes/0/type"
    # What was published with it is as it was.
    assert web.get("/pipelines/kept", "ann")["version"] == 1
    assert web.ask("POST", "/catalog/types/set/enable", "adam").status_code == 204
    assert web.ask("POST", "/pipelines/import", "adam", json={**body, "id": "new"}).status_code == 200


def test_a_type_comes_with_its_documentation(web: Web) -> None:
    found = web.get("/catalog/types/filter", "viv")
    assert found["documentation"].startswith(found["summary"])
    assert found["examples"]
