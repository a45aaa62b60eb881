"""A stock Airflow, whose DAG and plugin folders are mounted, and no store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.integration


def test_a_stock_airflow_runs_it_from_mounted_folders(tmp_path: Path) -> None:
    for name in ("dags", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "include" / "pipelines").mkdir(parents=True)
    shutil.copytree(ROOT / "include" / "data" / "penguins", tmp_path / "include" / "data" / "penguins")
    shutil.copy(ROOT / "include" / "pipelines" / "penguin_quality.json", tmp_path / "include" / "pipelines")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }

    def airflow(*arguments: str) -> str:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    airflow("db", "migrate")
    airflow("dags", "test", "penguin_quality")
    written = (tmp_path / "output" / "penguin_quality.jsonl").read_text().splitlines()
    assert [json.loads(line).keys() for line in written]
    shown = airflow("plugins", "-o", "json")
    plugins = json.loads(shown[shown.index("[") :])
    assert [plugin["name"] for plugin in plugins].count("airloom") == 1
