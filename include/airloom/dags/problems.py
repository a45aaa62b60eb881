"""The error that Airflow shows in its import errors for a document that cannot be published."""

from __future__ import annotations


class PipelineProblems(Exception):
    """Raise when a file's document has problems; the file's last good version keeps running."""

    def __init__(self, path: str, problems: list[str]) -> None:
        super().__init__(path, problems)
        self.path = path
        self.problems = problems

    def __str__(self) -> str:
        return "\n  ".join([f"{self.path} cannot be published:", *self.problems])
