"""The base of what the API answers with."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of what is answered; made from records of the store."""

    model_config = ConfigDict(from_attributes=True)
