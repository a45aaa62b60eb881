"""The DAGs of include/pipelines, for an Airflow that reads this DAG folder and has no bundle of Airloom."""

import importlib.util
import os
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[1]
os.environ.setdefault("AIRLOOM_ROOT", str(root))
if importlib.util.find_spec("airloom") is None:
    sys.path.append(str(root / "include"))

from airloom.dags.folder import folder_dags  # noqa: E402 (the path comes first)

globals().update(folder_dags())
