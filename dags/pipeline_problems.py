"""What is wrong with the files of include/pipelines, as an import error of Airflow; this file makes no DAG."""

import importlib.util
import os
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[1]
os.environ.setdefault("AIRLOOM_ROOT", str(root))
if importlib.util.find_spec("airloom") is None:
    sys.path.append(str(root / "include"))

from airloom.dags.folder import raise_problems  # noqa: E402 (the path comes first)

raise_problems()
