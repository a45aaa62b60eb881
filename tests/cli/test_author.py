"""validate, try, nodes, schema: what scripts read, the codes they end with, and what people are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

PROJECT = Path(__file__).parents[2]
Json = dict[str, Any]


@pytest.fixture
def wrong(project: Path) -> Path:
    """Return a file with several faults."""
    document = {
        "id": "wrong",
        "nodes": [
            {"id": "orders", "type": "csv_read", "config": {"path": "include/data/orders.csv", "headers": True}},
            {"id": "kept", "type": "fliter", "config": {"where": "status = 'paid'"}},
            {"id": "by_day", "type": "aggregate", "config": {"by": ["dya"]}},
        ],
        "edges": [{"from": "orders", "to": "by_day"}, {"from": "by_day", "to": "nowhere"}],
    }
    path = project / "wrong.json"
    path.write_text(json.dumps(document))
    return path


class TestValidate:
    def test_json_names_each_file_and_all_its_problems(
        self, airloom: Any, sales: Json, wrong: Path, snapshot: Any
    ) -> None:
        answer = airloom("validate", "sales.json", wrong.name, "--json")
        assert answer.code == 1
        snapshot("validate", answer.json)

    def test_ends_with_0_where_nothing_is_wrong(self, airloom: Any, sales: Json) -> None:
        answer = airloom("validate", "sales.json")
        assert (answer.code, answer.out, answer.complaint) == (0, "✓ sales.json\n", "")

    def test_people_are_told_place_problem_and_hint(self, airloom: Any, wrong: Path) -> None:
        answer = airloom("validate", wrong.name)
        assert answer.code == 1
        assert answer.out.startswith("✗ wrong.json\n")
        assert "error kept /nodes/1/type line 1, column 144 there is no node type 'fliter'" in answer.out
        assert "→ did you mean 'filter'?" in answer.out

    @pytest.mark.parametrize(
        ("where", "message"),
        [
            ("stat = 'paid'", "there is no column 'stat'"),
            ("status >", "this cannot be read as SQL: something is missing, at character 8"),
            ("status + 1 > 2", "+ does not take VARCHAR and a whole number"),
        ],
    )
    def test_a_wrong_condition_is_one_short_message_at_its_field(
        self, where: str, message: str, airloom: Any, sales: Json, project: Path
    ) -> None:
        sales["nodes"][1]["config"]["where"] = where
        (project / "sales.json").write_text(json.dumps(sales))
        (problem,) = airloom("validate", "sales.json", "--json").json["files"][0]["problems"]
        assert problem["pointer"] == "/nodes/1/config/where"
        assert problem["message"].startswith(message)
        assert len(problem["message"]) < 200

    def test_a_warning_alone_ends_with_0(self, airloom: Any, sales: Json, project: Path) -> None:
        # What a sort put in order is lost in the aggregate that follows it.
        sales["nodes"][3]["config"]["by"] = ["status"]
        sales["edges"] = [
            {"from": "orders", "to": "kept"},
            {"from": "kept", "to": "in_order"},
            {"from": "in_order", "to": "by_day"},
            {"from": "by_day", "to": "save"},
        ]
        (project / "sales.json").write_text(json.dumps(sales))
        answer = airloom("validate", "sales.json", "--json")
        assert [problem["severity"] for problem in answer.json["files"][0]["problems"]] == ["warning"]
        assert answer.code == 0


class TestUnreadableFiles:
    @pytest.mark.parametrize("command", ["validate", "try"])
    def test_a_file_that_is_not_there(self, command: str, airloom: Any) -> None:
        answer = airloom(command, "gone.json")
        assert (answer.code, answer.out) == (1, "")
        assert answer.complaint == "Error: gone.json cannot be read: No such file or directory\n"

    @pytest.mark.parametrize("command", ["validate", "try"])
    def test_a_folder(self, command: str, airloom: Any) -> None:
        answer = airloom(command, "include")
        assert (answer.code, answer.out) == (1, "")
        assert answer.complaint == "Error: include cannot be read: Is a directory\n"

    @pytest.mark.parametrize(
        ("name", "content", "code", "words"),
        [
            ("bad.yaml", b"id: x\nnodes: [", "text.syntax", "line 3, column 1"),
            ("bad.json", b'{"id": "x",}', "text.syntax", "line 1, column 12"),
            ("bad.yaml", b"id: x\nid: y\n", "text.repeated_key", "id"),
            ("latin.json", '{"id": "é"}'.encode("latin-1"), "file.encoding", "UTF-8"),
            ("list.json", b"[]", "document.type", "object"),
            ("empty.yaml", b"", "document.type", "object"),
        ],
    )
    def test_a_text_that_is_no_document(
        self, name: str, content: bytes, code: str, words: str, airloom: Any, project: Path
    ) -> None:
        (project / name).write_bytes(content)
        for command in ("validate", "try"):
            answer = airloom(command, name, "--json")
            assert answer.code == 1
            problems = answer.json["problems"] if command == "try" else answer.json["files"][0]["problems"]
            assert [problem["code"] for problem in problems] == [code]
            message, line, column = (problems[0][key] for key in ("message", "line", "column"))
            assert words in f"{message} line {line}, column {column}"


class TestTry:
    def test_json_shows_every_node_with_its_rows(self, airloom: Any, sales: Json, snapshot: Any, project: Path) -> None:
        answer = airloom("try", "sales.json", "--json")
        assert answer.code == 0
        shown = answer.json
        # Before it is sorted, a table has no order.
        shown["nodes"]["by_day"]["outputs"]["rows"]["sample"].sort(key=lambda row: row["day"])
        snapshot("try", shown)
        assert not (project / "output").exists()

    def test_write_runs_sinks_too(self, airloom: Any, sales: Json, project: Path) -> None:
        answer = airloom("try", "sales.json", "--write", "--json")
        assert answer.code == 0
        done = answer.json["nodes"]["save"]["outputs"]["done"]["value"]
        assert done == {"rows": 2, "target": str(project / "output" / "sales.csv")}
        assert (project / "output" / "sales.csv").read_text() == "day,revenue\n2026-01-01,10.5\n2026-01-02,7.0\n"

    def test_people_are_told_what_was_not_run(self, airloom: Any, sales: Json) -> None:
        answer = airloom("try", "sales.json", "--limit", "1")
        assert answer.code == 0
        assert "success  by_day → rows" in answer.out
        assert "rows: 2 rows, the first 1" in answer.out
        assert answer.out.endswith("Not run, for it writes: save; --write runs it.\n")

    def test_a_param_changes_what_is_kept(self, airloom: Any, sales: Json) -> None:
        answer = airloom("try", "sales.json", "--param", "status=open", "--json")
        assert [row["id"] for row in answer.json["nodes"]["kept"]["outputs"]["rows"]["sample"]] == [2]

    def test_a_value_may_hold_an_equals_sign(self, airloom: Any, sales: Json) -> None:
        answer = airloom("try", "sales.json", "--param", "status=a=b", "--json")
        assert answer.code == 0
        assert answer.json["nodes"]["kept"]["outputs"]["rows"]["rows"] == 0

    def test_node_runs_what_it_needs_alone(self, airloom: Any, sales: Json) -> None:
        answer = airloom("try", "sales.json", "--node", "kept", "--json", "--limit", "0")
        assert answer.code == 0
        assert {name: node["state"] for name, node in answer.json["nodes"].items()} == {
            "orders": "success", "kept": "success", "by_day": "not_run", "in_order": "not_run", "save": "not_run",
        }  # fmt: skip
        assert answer.json["nodes"]["kept"]["outputs"]["rows"]["sample"] == []

    @pytest.mark.parametrize(
        ("arguments", "code", "words", "hint"),
        [
            (["--node", "kep"], "node.unknown", "no node 'kep'", "did you mean 'kept'?"),
            (["--param", "statsu=open"], "params.unknown", "no param 'statsu'", "did you mean 'status'?"),
            (["--param", "number=x"], "params.invalid", "'x' is not of type 'integer'", None),
        ],
    )
    def test_wrong_options_are_problems(
        self, arguments: list[str], code: str, words: str, hint: str | None, airloom: Any, sales: Json, project: Path
    ) -> None:
        sales["params"]["number"] = {"type": "integer", "default": 1}
        (project / "sales.json").write_text(json.dumps(sales))
        answer = airloom("try", "sales.json", *arguments, "--json")
        assert answer.code == 1
        assert answer.json["nodes"] == {}
        problem = answer.json["problems"][0]
        assert (problem["code"], problem["hint"]) == (code, hint)
        assert words in problem["message"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--param", "status"], "'status' is not name=value"),
            (["--limit", "-1"], "greater than or equal to 0"),
            (["--limit", "2000"], "less than or equal to 1000"),
            (["--row", "2"], "--rows"),
        ],
    )
    def test_a_wrong_command_line_ends_with_2(
        self, arguments: list[str], words: str, airloom: Any, sales: Json
    ) -> None:
        answer = airloom("try", "sales.json", *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert words in answer.complaint

    def test_a_failure_ends_with_1_and_names_node_and_field(self, airloom: Any, sales: Json, project: Path) -> None:
        sales["nodes"][1] = {"id": "kept", "type": "cast", "config": {"columns": {"status": "INTEGER"}}}
        (project / "sales.json").write_text(json.dumps(sales))
        answer = airloom("try", "sales.json", "--json")
        assert answer.code == 1
        failed = answer.json["nodes"]["kept"]
        assert (failed["state"], failed["error"]["node"]) == ("failed", "kept")
        assert [answer.json["nodes"][name]["state"] for name in ("by_day", "in_order")] == ["not_run", "not_run"]
        told = airloom("try", "sales.json")
        assert told.code == 1
        assert "failed   kept" in told.out
        assert told.complaint == ""

    def test_a_failure_that_an_error_edge_takes_ends_with_0(self, airloom: Any, sales: Json, project: Path) -> None:
        sales["nodes"] = [
            {"id": "orders", "type": "csv_read", "config": {"path": "include/data/{{ params.status }}.csv"}},
            {"id": "note", "type": "set", "config": {"value": "{{ nodes.orders.error.message }}"}},
        ]
        sales["edges"] = [{"from": "orders.error", "to": "note"}]
        (project / "sales.json").write_text(json.dumps(sales))
        answer = airloom("try", "sales.json", "--json")
        assert answer.code == 0
        assert answer.json["nodes"]["orders"]["fired"] == ["error"]
        noted = answer.json["nodes"]["note"]["outputs"]["value"]["value"]
        assert noted == "there is no file 'include/data/paid.csv'"


class TestConnections:
    @pytest.fixture
    def load(self, project: Path) -> Path:
        """Return a file that writes to the Connection `target`."""
        document = {
            "id": "load",
            "nodes": [
                {"id": "orders", "type": "csv_read", "config": {"path": "include/data/orders.csv"}},
                {"id": "save", "type": "postgres_write", "config": {"connection": "target", "table": "orders"}},
            ],
            "edges": [{"from": "orders", "to": "save"}],
        }
        path = project / "load.json"
        path.write_text(json.dumps(document))
        return path

    def test_connections_are_checked_where_an_installation_knows_them(
        self, airloom: Any, load: Path, airflow_database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = airloom("validate", load.name, "--json")
        (problem,) = answer.json["files"][0]["problems"]
        assert (answer.code, problem["code"], problem["pointer"]) == (
            1, "connection.unknown", "/nodes/1/config/connection",
        )  # fmt: skip
        monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
        assert airloom("validate", load.name).code == 0

    def given(self, project: Path, value: Any) -> Path:
        """Return a file of Connections with one of the name `target`."""
        path = project / "connections.json"
        path.write_text(json.dumps({"target": value}))
        return path

    def test_a_uri_leads_to_the_database(
        self, airloom: Any, load: Path, project: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri = database_url.replace("postgresql+psycopg", "postgres")
        answer = airloom("try", load.name, "--write", "--connections", self.given(project, uri), "--json")
        assert answer.code == 0, answer.out
        assert answer.json["nodes"]["save"]["outputs"]["done"]["value"]["rows"] == 3
        monkeypatch.setenv("AIRFLOW_CONN_TARGET", uri)
        assert airloom("try", load.name, "--write").code == 0

    def test_without_it_the_hint_says_how_to_give_it(
        self, airloom: Any, load: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", raising=False)
        answer = airloom("try", load.name, "--write", "--json")
        assert answer.code == 1
        error = answer.json["nodes"]["save"]["error"]
        assert error["message"] == "there is no Connection 'target' here"
        assert error["hint"] == "set AIRFLOW_CONN_TARGET, or give --connections FILE"

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ({"conn_typ": "postgres", "password": "hush"}, "has no field 'conn_typ'"),
            (7, "neither a URI nor an object"),
            ({"conn_type": "postgres", "port": "hush"}, "cannot be read"),
            ("postgres://user:hush@host:port/database", "cannot be read"),
        ],
    )
    def test_a_wrong_one_is_named_without_its_secret(
        self, value: Any, words: str, airloom: Any, load: Path, project: Path
    ) -> None:
        answer = airloom("try", load.name, "--write", "--connections", self.given(project, value))
        assert answer.code == 1
        assert words in answer.out + answer.complaint
        assert "'target'" in answer.out + answer.complaint
        assert "hush" not in answer.out + answer.complaint

    @pytest.mark.parametrize(
        ("content", "words"), [("[1]", "holds no Connections by name"), ("{", "not YAML"), (None, "cannot be read")]
    )
    def test_a_file_of_another_form(
        self, content: str | None, words: str, airloom: Any, load: Path, project: Path
    ) -> None:
        if content is not None:
            (project / "connections.yaml").write_text(content)
        answer = airloom("try", load.name, "--connections", "connections.yaml")
        assert (answer.code, answer.out) == (1, "")
        assert words in answer.complaint


class TestNodes:
    def test_json_tells_all_about_one(self, airloom: Any, snapshot: Any) -> None:
        answer = airloom("nodes", "split_rows", "--json")
        assert answer.code == 0
        snapshot("nodes-split_rows", answer.json)

    def test_json_lists_all(self, airloom: Any) -> None:
        answer = airloom("nodes", "--json")
        types = {node["type"]: node for node in answer.json}
        assert {"csv_read", "filter", "join", "switch", "merge", "set", "sql", "postgres_write"} <= types.keys()
        assert all(node.keys() == types["filter"].keys() for node in types.values())

    def test_people_see_categories(self, airloom: Any) -> None:
        answer = airloom("nodes")
        assert answer.code == 0
        assert "\ncontrol\n  check " in answer.out

    def test_an_unknown_type_ends_with_1_and_a_suggestion(self, airloom: Any) -> None:
        answer = airloom("nodes", "fliter")
        assert (answer.code, answer.out) == (1, "")
        assert answer.complaint == "Error: there is no node type 'fliter'\n  did you mean 'filter'?\n"

    def test_a_broken_file_of_the_user_is_named_beside_the_others(self, airloom: Any, project: Path) -> None:
        (project / "include" / "nodes").mkdir()
        (project / "include" / "nodes" / "mine.py").write_text("class Mine(Table):\n    pass\n")
        answer = airloom("nodes", "--json")
        assert answer.code == 0
        assert "mine.py cannot be read, line 1: NameError" in answer.complaint
        assert "filter" in {node["type"] for node in answer.json}


class TestSchema:
    def test_the_examples_are_valid_by_it_and_faults_are_not(self, airloom: Any, wrong: Path) -> None:
        answer = airloom("schema")
        assert answer.code == 0
        Draft202012Validator.check_schema(answer.json)
        validator = Draft202012Validator(answer.json)
        for path in sorted((PROJECT / "include" / "pipelines").glob("*.json")):
            assert list(validator.iter_errors(json.loads(path.read_text()))) == []
        faults = {"/".join(map(str, error.path)) for error in validator.iter_errors(json.loads(wrong.read_text()))}
        assert {"nodes/0/config", "nodes/1/type"} <= faults

    def test_what_an_editor_proposes_is_valid(self, airloom: Any) -> None:
        schema = airloom("schema").json
        for name in ("PipelineSettings", "Schedule", "NodeEntry"):
            for field in schema["$defs"][name]["properties"].values():
                if "default" in field:
                    Draft202012Validator({**field, "$defs": schema["$defs"]}).validate(field["default"])


class TestHelp:
    def test_every_command_is_listed_with_a_sentence(self, airloom: Any) -> None:
        answer = airloom("--help")
        assert answer.code == 0
        for name in (
            "up", "down", "test", "validate", "try", "nodes", "schema", "publish", "run", "list", "show", "versions",
            "rollback", "archive", "export", "explain", "node", "doctor", "prepare", "worker",
        ):  # fmt: skip
            assert f" {name} " in answer.out

    def test_an_unknown_command_ends_with_2(self, airloom: Any) -> None:
        answer = airloom("valdate")
        assert answer.code == 2
        assert "valdate" in answer.complaint
