"""Asking others over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ByteSize, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from airloom.engine.address_guard import AddressGuard
from airloom.engine.http_client import SAFE_METHODS, Answer, Bounds, HttpClient, Request, shown
from airloom.nodes.objects._http import OWN_HEADERS, base_of, content_of, joined, pairs_of, refusal, value_of
from airloom.nodes.objects._pages import Pages, items_of_pages
from airloom.nodes.operators import field_of, is_table
from airloom.nodes.sdk import Action, ConfigurationError, ConnectionId, Context, DataError, Effect, Example, port
from airloom.spec.configuration import configuration
from airloom.spec.duration import Duration

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Http = ConnectionId["http"]
LARGEST = 100_000_000


def _above_zero(time: timedelta) -> timedelta:
    if not timedelta() < time <= timedelta(hours=1):
        raise ValueError("this time is more than 0s and at most 1h")
    return time


def _bounded(size: ByteSize) -> ByteSize:
    if not 0 < size <= LARGEST:
        raise ValueError(f"size_limit is at most {ByteSize(LARGEST).human_readable(decimal=True)}")
    return size


Time = Annotated[Duration, AfterValidator(_above_zero)]
Size = Annotated[
    ByteSize,
    AfterValidator(_bounded),
    PlainSerializer(lambda size: f"{int(size)}B", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?[KMG]?i?B$", "examples": ["1MB", "50MB"]}),
]


class HttpRequest(Action, outputs=[port("response", "object")]):
    """Send a request over HTTP, and give its answer: status, headers and body.

    A Connection of type `http` holds the server's address and what signs in: user and password, a password alone as
    Bearer token, or headers in its extra. What it holds goes to that server alone, whatever redirects say.

    Only public addresses are asked, and those that the administrator allows by `AIRLOOM_HTTP_ALLOW`.

    A status of 400 and more is an error. After one that may pass (408, 425, 429, 500, 502, 503, 504), and where no
    answer comes, the request is sent again, as `Retry-After` says or after 1, 2, 4, … seconds. POST and PATCH are sent
    again only where the server has surely done nothing: otherwise the node fails for good, and says that it is not
    known whether the request was done. `safe_to_repeat` says otherwise.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    url: str = Field(description="The address; with a Connection, the path below its address")
    connection: Http | None = Field(None, description="The Connection that holds address and secrets")
    # `method` is what a node's class calls its own.
    http_method: Method = Field("GET", alias="method", description="What is asked for")
    headers: dict[str, str] = Field({}, description="Headers, by name; secrets stand in the Connection")
    parameters: dict[str, Any] = Field(
        {}, description="Parameters of the URL, behind its question mark: a list is there once for each item"
    )
    body: Any = Field(
        None,
        description="What is sent: text as it is, all else as JSON; by default what comes in, for POST, PUT, PATCH",
    )
    form: dict[str, Any] | None = Field(None, description="Instead of a body: the fields of a form")
    read_as: Literal["auto", "json", "text"] = Field(
        "auto", description="How the answer is read: auto goes by the type that the server names"
    )
    path: str = Field("", description="The path of the part of the answer that is the body, such as data.items")
    pages: Pages | None = Field(
        None, description="How an answer in pages goes on: the body is then the list of the items of all pages"
    )
    accept: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        [], description="Statuses that are no errors, besides 200 to 299"
    )
    timeout: Time = Field(
        "30s", validate_default=True, description="How long one request may take, its answer included"
    )
    retries: int = Field(2, ge=0, le=10, description="How often a request is sent again")
    pauses: Time = Field(
        "1m",
        validate_default=True,
        description="How long the pauses before it may be in all; longer ones are left to retries of the task",
    )
    size_limit: Size = Field(
        "10MB", validate_default=True, description="How large an answer may be, unpacked; of pages, all"
    )
    safe_to_repeat: bool | None = Field(
        None, description="Whether the same request may be done twice; by default not for POST and PATCH"
    )

    examples = (
        Example("A document", {"url": "https://api.example.com/orders/{{ params.order }}"}),
        Example(
            "All pages of a list",
            {
                "connection": "shop_api",
                "url": "/orders",
                "parameters": {"since": "{{ params.day }}", "limit": 100},
                "path": "data",
                "pages": {"by": "cursor", "next": "meta.next"},
            },
        ),
        Example(
            "Send what comes in",
            {
                "connection": "shop_api",
                "url": "/invoices",
                "method": "POST",
                "headers": {"Idempotency-Key": "{{ run.id }}"},
                "safe_to_repeat": True,
            },
        ),
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        own = next((name for name in self.headers if name.lower() in OWN_HEADERS), None)
        if own is not None:
            raise ValueError(f"the header {own!r} is written by itself: leave it out")
        if self.form is not None and self.body is not None:
            raise ValueError("body and form are both what is sent: leave one of them out")
        if self.pages is not None and self.http_method not in ("GET", "POST"):
            raise ValueError(f"no answer to {self.http_method} comes in pages")
        return self

    @classmethod
    def effect_of(cls, config: Any) -> Effect:
        """Return read for GET and HEAD, which change nothing, else write."""
        method = config.get("method", "GET") if isinstance(config, Mapping) else config.http_method
        return "read" if method in ("GET", "HEAD", "OPTIONS") else "write"

    def run(self, value: Any = None, *, context: Context) -> dict[str, Any]:
        """Send the request, or one for each page; raise what `engine.http_client` raises, and for a refusal."""
        if is_table(value):
            raise DataError("a table is not sent", hint="take its rows first: rows_to_list")
        guard = AddressGuard(configuration().http_allow)
        request = self._request(value, context)
        received = 0
        with HttpClient(guard, self._bounds(), context.log) as client:

            def ask(request: Request) -> tuple[Answer, Any]:
                nonlocal received
                answer = client.send(request)
                received += len(answer.content)
                context.log.info(
                    "%s %s: status %d, %d bytes", request.method, shown(answer.url), answer.status, len(answer.content)
                )
                if not (200 <= answer.status < 300 or answer.status in self.accept):
                    raise refusal(request, answer)
                if received > self.size_limit:
                    raise DataError(
                        f"the pages are larger than {int(self.size_limit):,} bytes",
                        field="size_limit",
                        hint="ask for less",
                    )
                return answer, value_of(answer, self.read_as)

            if self.pages is not None:
                answer, body = items_of_pages(request, self.pages, ask, self.path)
            else:
                answer, body = ask(request)
                body = self._part(body)
        return {"status": answer.status, "headers": dict(answer.headers), "body": body}

    def _request(self, value: Any, context: Context) -> Request:
        url, credentials = self.url, None
        if self.connection is not None:
            base, credentials = base_of(context.connection(self.connection))
            url = joined(base, self.url)
        elif "://" not in url:
            raise ConfigurationError(
                f"{url!r} is not a URL",
                field="url",
                hint="write https://host/path, or name a Connection that has the host",
            )
        sends = self.http_method in ("POST", "PUT", "PATCH")
        body = value if self.body is None and self.form is None and sends else self.body
        content, kind = content_of(body, self.form, self.headers)
        declared = {name.lower() for name in self.headers}
        typed = {"content-type": kind} if content is not None and "content-type" not in declared else {}
        repeatable = self.http_method in SAFE_METHODS if self.safe_to_repeat is None else self.safe_to_repeat
        pairs = pairs_of(self.parameters)
        return Request(self.http_method, url, {**typed, **self.headers}, pairs, content, credentials, repeatable)

    def _bounds(self) -> Bounds:
        return Bounds(self.timeout.total_seconds(), int(self.size_limit), self.retries, self.pauses.total_seconds())

    def _part(self, body: Any) -> Any:
        if not self.path:
            return body
        outer, _, name = self.path.rpartition(".")
        around = field_of(body, outer)
        there = name in around if isinstance(around, dict) else field_of(body, self.path) is not None
        if not there:
            raise DataError(
                f"the answer has nothing at {self.path!r}", field="path", hint="look at the answer without a path"
            )
        return field_of(body, self.path)
