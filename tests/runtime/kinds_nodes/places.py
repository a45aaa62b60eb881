"""Node types of a kind of port that the package does not know, of files and of what cannot be passed on."""

from __future__ import annotations

from typing import Any

from tests.runtime.place import Place

from airloom.nodes.sdk import File, Model, Transform


class FindPlace(Transform):
    """Give a place."""

    north: float
    east: float

    def run(self) -> Place:
        return Place(self.north, self.east)


class MovePlace(Transform):
    """Move a place to the north."""

    by: float

    def run(self, place: Place) -> Place:
        return Place(place.north + self.by, place.east)


class Shout(Transform):
    """Say a text aloud."""

    def run(self, text: str) -> str:
        return text.upper() + "!"


class Halve(Transform):
    """Halve a number."""

    def run(self, number: float) -> float:
        return number / 2


class StoreFile(Transform):
    """Give a file."""

    def run(self) -> File:
        return File("uploads/scan.pdf", 120, "application/pdf", etag="7")


class SizeOf(Transform):
    """Tell the size of a file."""

    def run(self, file: File) -> int:
        return file.bytes or 0


class Train(Transform):
    """Give a model."""

    def run(self) -> Model:
        return Model("models/churn.bin", 9, "ab", "xgboost", {"auc": 0.9})


class Judge(Transform):
    """Tell how good a model is."""

    def run(self, model: Model) -> float:
        auc: float = model.metadata["auc"]
        return auc


class Engine:
    """What no kind of port can carry."""


class GiveEngine(Transform):
    """Give what cannot be passed on."""

    def run(self) -> Any:
        return {"of": [Engine()]}
