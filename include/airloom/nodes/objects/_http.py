"""What an HTTP request is made of, and what its answer says."""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode

from airloom.engine.http_client import PASSING, REFUSED, Answer, Credentials, OutcomeUnknown, Request, origin_of, shown
from airloom.engine.reference import kind_of_value
from airloom.nodes.kinds import written
from airloom.nodes.sdk import ConfigurationError, DataError
from airloom.spec.error import AirloomError, TransientError

OPTIONS = frozenset({
    "auth_kwargs", "auth_type", "allow_redirects", "cert", "check_response", "headers", "max_redirects", "proxies",
    "proxy", "stream", "timeout", "trust_env", "verify",
})  # fmt: skip
"""What the extra of a Connection holds that is no header."""
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
JSON_TYPE = re.compile(r"[^;]*[/+]json\b", re.IGNORECASE)
TEXT_TYPE = re.compile(
    r"\s*(text/|application/(xml|javascript|x-www-form-urlencoded|x?html|yaml|x-yaml|graphql))|[^;]*\+xml",
    re.IGNORECASE,
)
EXCERPT = 200
"""Characters of an answer that an error shows."""


def base_of(connection: Any) -> tuple[str, Credentials]:
    """Return the URL that a Connection of type http leads to, and the credentials for it."""
    host = str(connection.host or "")
    if not host:
        raise ConfigurationError("the Connection has no host", field="connection", hint="correct it in Airflow")
    base = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    if connection.port:
        scheme, _, rest = base.partition("://")
        name, slash, path = rest.partition("/")
        base = f"{scheme}://{name}:{connection.port}{slash}{path}"
    extra = connection.extra_dejson or {}
    headers = {name: value for name, value in extra.items() if name not in OPTIONS and isinstance(value, str)}
    headers |= extra.get("headers") or {}
    if connection.login:
        pair = f"{connection.login}:{connection.password or ''}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    elif connection.password:
        headers["authorization"] = f"Bearer {connection.password}"
    return base.rstrip("/"), Credentials(origin_of(base), headers)


def joined(base: str, url: str) -> str:
    """Return a URL below that of a Connection; raise ConfigurationError for one of another server."""
    if "://" not in url:
        return f"{base}/{url.lstrip('/')}" if url else base
    if origin_of(url) != origin_of(base):
        raise ConfigurationError(
            f"{shown(url)} is not on the server of the Connection, {shown(base)}",
            field="url",
            hint="write the path alone, or take a Connection of that server",
        )
    return url


def pairs_of(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return parameters of a URL; a list is there once for each item, null is left out."""
    found = []
    for name, value in parameters.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict | list):
                raise ConfigurationError(
                    f"{kind_of_value(item)} does not fit a URL", field=f"parameters/{name}", hint="make it text first"
                )
            if item is not None:
                found.append((name, _text(item)))
    return found


def content_of(body: Any, form: Mapping[str, Any] | None, headers: Mapping[str, str]) -> tuple[bytes | None, str]:
    """Return the bytes of a body, and their type where the headers do not say it."""
    if form is not None:
        return urlencode(pairs_of(form)).encode(), "application/x-www-form-urlencoded"
    if body is None:
        return None, ""
    declared = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if isinstance(body, str) and not JSON_TYPE.match(declared):
        return body.encode(), "text/plain; charset=utf-8"
    return json.dumps(body, ensure_ascii=False, allow_nan=False, default=written).encode(), "application/json"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def refusal(request: Request, answer: Answer) -> AirloomError:
    """Return the error for a status that is not taken."""
    excerpt = " ".join(answer.content[: 4 * EXCERPT].decode(errors="replace").split())[:EXCERPT]
    message = f"{request.method} {shown(answer.url)}: status {answer.status}{f': {excerpt}' if excerpt else ''}"
    if answer.status in (401, 403):
        return ConfigurationError(message, field="connection", hint="may the Connection's user do that?")
    if answer.status in PASSING and (request.repeatable or answer.status in REFUSED):
        return TransientError(message, hint="try again later")
    if answer.status in PASSING:
        return OutcomeUnknown(
            f"{message}; whether it was done is not known, so it is not sent again",
            hint="find out; where the same request may be sent twice, set safe_to_repeat",
        )
    return DataError(message, hint=f"to go on with this answer, add {answer.status} to accept")


def value_of(answer: Answer, how: str) -> Any:
    """Return the body of an answer as a JSON value or text, null where it has none; raise DataError for another."""
    kind = answer.headers.get("content-type", "")
    if not answer.content:
        return None
    if how == "json" or (how == "auto" and JSON_TYPE.match(kind)):
        return _json(answer)
    if how == "auto" and kind and not TEXT_TYPE.match(kind):
        raise DataError(
            f"{shown(answer.url)}: the answer is {kind.partition(';')[0].strip()}, neither JSON nor text",
            field="read_as",
            hint="set read_as: text where it is text",
        )
    return _decoded(answer)


def _decoded(answer: Answer) -> str:
    found = re.search(r"charset=\"?([\w.:-]+)", answer.headers.get("content-type", ""), re.IGNORECASE)
    charset = found[1] if found else "utf-8"
    try:
        codecs.lookup(charset)
        return answer.content.decode("utf-8-sig" if charset.lower() == "utf-8" else charset)
    except (LookupError, UnicodeDecodeError):
        raise DataError(f"{shown(answer.url)}: the answer holds bytes that are not letters in {charset}") from None


def _json(answer: Answer) -> Any:
    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a value of JSON")

    try:
        return json.loads(answer.content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{shown(answer.url)}: the answer cannot be read as JSON: {error}", field="read_as") from None
