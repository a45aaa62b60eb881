"""Registers Airloom with an Airflow whose folders are mounted; where the package is installed, it does so itself."""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

if not importlib.metadata.entry_points(group="airflow.plugins", name="airloom"):
    if importlib.util.find_spec("airloom") is None:
        sys.path.append(str(Path(__file__).resolve().parents[1] / "include"))
    from airloom.web.plugin import AirloomPlugin  # noqa: F401
