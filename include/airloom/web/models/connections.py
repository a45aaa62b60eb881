"""Connections, as the API takes and gives them: what is secret goes in, and never comes out."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, Field, SecretStr

from airloom.spec.connection import CONNECTION_NAME
from airloom.web.models.answer import Answer


class ConnectionField(Answer):
    """A field of a form for a type of Connection."""

    title: str
    placeholder: str | None


class ConnectionType(Answer):
    """A type of Connection that can be made here."""

    type: str = Field(examples=["postgres"])
    title: str
    fields: dict[str, ConnectionField] = Field(description="Of host, port, login, …: those that it has, by name")
    extra: dict[str, dict[str, Any]] = Field(
        description="The JSON Schema of each further field, which stands in `extra`"
    )


class ConnectionSummary(Answer):
    """A Connection, without its password and `extra`."""

    name: str = Field(examples=["warehouse"])
    type: str
    host: str | None
    port: int | None
    login: str | None
    database: str | None = Field(
        validation_alias=AliasChoices("schema", "database"), description="What Airflow calls its schema"
    )
    source: str = Field(description="database or environment, which wins")


class ConnectionFields(BaseModel):
    """The fields of a Connection to change; those that are absent stay, those that are null are emptied."""

    type: str = Field("", min_length=1, max_length=500, examples=["postgres"])
    description: str | None = Field(None, max_length=5000)
    host: str | None = Field(None, max_length=500, examples=["db.example.com"])
    port: int | None = Field(None, ge=1, le=65535, examples=[5432])
    login: str | None = Field(None, max_length=5000, examples=["airloom"])
    password: SecretStr | None = Field(None, max_length=5000, description="Kept encrypted; no route answers with it")
    database: str | None = Field(None, max_length=500, description="What Airflow calls its schema")
    extra: dict[str, Any] | None = Field(None, description="Further fields, kept encrypted; no route answers with them")

    def as_airflow(self) -> dict[str, Any]:
        """Return those that were given, as Airflow calls them."""
        fields = self.model_dump(exclude_unset=True, exclude={"name"})
        renamed = {{"type": "conn_type", "database": "schema"}.get(name, name): value for name, value in fields.items()}
        if self.password is not None:
            renamed["password"] = self.password.get_secret_value()
        return renamed


class ConnectionToMake(ConnectionFields):
    """A Connection to make."""

    name: str = Field(pattern=f"^{CONNECTION_NAME}$", description="What nodes call it", examples=["sales_db"])
    type: str = Field(min_length=1, max_length=500, examples=["postgres"])


class ConnectionMade(Answer):
    """A Connection that was kept."""

    name: str
    type: str
    can_probe: bool = Field(description="Whether something installed can try one of this type")
    warnings: list[str] = Field(description="What may surprise, such as a type that nothing installed knows")


class ConnectionTest(BaseModel):
    """How to try a Connection."""

    timeout: float = Field(20, ge=1, le=60, description="The longest time to wait, in seconds")


class ConnectionTried(Answer):
    """Whether a Connection works."""

    name: str
    works: bool
    message: str
