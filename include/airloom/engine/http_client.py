"""The one client by which pipelines ask others over HTTP: guarded, bounded, patient, and discreet.

Every address is judged by the guard. A request has a time, an answer a size, both as they are after unpacking. What
may be sent twice is sent again after a fault that may pass, as `Retry-After` says or after a pause that grows.
Credentials go to the origin that they are meant for, and to no other.
"""

from __future__ import annotations

import email.utils
import logging
import ssl
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from airloom import __version__
from airloom.engine.address_guard import AddressGuard, NameUnknown
from airloom.spec.error import AirloomError, ConfigurationError, DataError, SystemFault, TransientError

if TYPE_CHECKING:
    import httpx

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
"""Methods that do the same when a request comes twice."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may be answered well."""
REFUSED = (425, 429, 503)
"""Those of them by which a server says that it has done nothing."""
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
CHUNK = 1 << 16
AGENT = f"airloom/{__version__}"
_KEPT_ELSEWHERE = ("accept", "accept-language", "user-agent")
"""Headers that a redirect to another origin takes along."""
Origin = tuple[str, str, int]


class OutcomeUnknown(DataError):
    """Raise where a request that must not be sent twice may have been done, or not; the task is not retried."""

    code = "http.outcome_unknown"


@dataclass(frozen=True)
class Credentials:
    """Headers with secrets, for one origin alone."""

    origin: Origin
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Request:
    """A request: `query` is added to that of the URL; `repeatable` says that the same may be sent twice."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    content: bytes | None = None
    credentials: Credentials | None = None
    repeatable: bool = True


@dataclass(frozen=True)
class Answer:
    """What came back: the names of headers in small letters, the content unpacked, the URL that answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


@dataclass(frozen=True)
class Bounds:
    """Bound each request: seconds until its answer is there, bytes of it, retries, and seconds of pauses in all."""

    seconds: float = 30.0
    size: int = 10_000_000
    retries: int = 2
    pauses: float = 60.0


class HttpClient:
    """Send requests within bounds; used by one thread, closed at the end."""

    def __init__(
        self,
        guard: AddressGuard,
        bounds: Bounds,
        log: logging.Logger,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        import httpcore
        import httpx

        from airloom.engine.guarded_network import GuardedNetwork

        self._bounds = bounds
        self._log = log
        self._sleep = sleep or time.sleep
        self._end = 0.0
        context = httpx.create_ssl_context()
        transport = httpx.HTTPTransport(verify=context, trust_env=False)
        transport._pool = httpcore.ConnectionPool(
            ssl_context=context, network_backend=GuardedNetwork(guard, self._left), keepalive_expiry=5.0
        )
        self._http = httpx.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=bounds.seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._http.close()

    def send(self, request: Request) -> Answer:
        """Return the answer, whatever its status, of the last attempt.

        Raises AddressForbidden, ConfigurationError for a request that cannot be sent, DataError for an answer that is
        too large or cannot be unpacked, TransientError for what another attempt may cure, and OutcomeUnknown where the
        request must not be repeated and may have been done.
        """
        paused = 0.0
        for attempt in range(self._bounds.retries + 1):
            last = attempt == self._bounds.retries
            told: str | None = None
            try:
                answer = self._follow(request)
            except _Unanswered as fault:
                if last or not (request.repeatable or fault.unsent):
                    raise _final(request, fault) from None
                reason = fault.message
            else:
                again = answer.status in (PASSING if request.repeatable else REFUSED)
                if last or not again:
                    return answer
                told, reason = answer.headers.get("retry-after"), f"status {answer.status}"
            pause = _seconds(told) if told else None
            if pause is None:
                pause = min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
            paused += pause
            if paused > self._bounds.pauses:
                raise TransientError(
                    f"{shown(request.url)}: {reason}, and the next attempt would be in {pause:.0f} s",
                    hint="the pauses of one request are at most "
                    f"{self._bounds.pauses:g} s; let the task's own retries wait longer",
                )
            self._log.warning("%s %s: %s; again in %g s", request.method, shown(request.url), reason, pause)
            self._sleep(pause)
        raise AssertionError  # the last attempt returns or raises

    def _left(self) -> float:
        return self._end - time.monotonic()

    def _follow(self, request: Request) -> Answer:
        self._end = time.monotonic() + self._bounds.seconds
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._once(request)
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or target is None:
                return answer
            request = _redirected(request, answer.status, target)
        raise DataError(f"{shown(request.url)}: more than {MOST_REDIRECTS} redirects", hint="ask the last address")

    def _once(self, request: Request) -> Answer:
        import httpx

        headers = {"user-agent": AGENT, "accept-encoding": "gzip, deflate", **_lower(request.headers)}
        try:
            url = _url(request)
            if request.credentials is not None and origin_of(str(url)) == request.credentials.origin:
                headers |= _lower(request.credentials.headers)
            sent = [(name.encode(errors="replace"), text.encode(errors="replace")) for name, text in headers.items()]
            with self._http.stream(request.method, url, headers=sent, content=request.content) as response:
                content = self._content(response, request)
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, found, content, str(response.url))
        except httpx.TransportError as error:
            raise _unanswered(request, error) from None
        except NameUnknown as error:
            raise _Unanswered(error.message, unsent=True) from None
        except httpx.DecodingError as error:
            raise DataError(f"{shown(request.url)}: the answer cannot be unpacked: {error}") from None

    def _content(self, response: httpx.Response, request: Request) -> bytes:
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise DataError(f"{shown(request.url)}: the answer is packed by {packed!r}, which was not asked for")
        unpack = _Unpacking() if packed not in ("", "identity") else None
        found = bytearray()
        for chunk in response.iter_raw(CHUNK):
            room = self._bounds.size - len(found) + 1
            found += unpack.take(chunk, room, request) if unpack else chunk
            if len(found) > self._bounds.size:
                raise DataError(
                    f"{shown(request.url)}: the answer is larger than {self._bounds.size:,} bytes",
                    hint="ask for less, or in pages; or raise size_limit",
                )
        if unpack:
            unpack.finish(request)
        return bytes(found)


class _Unanswered(TransientError):
    """Raise where no answer came; `unsent` says that the request did not reach anybody."""

    def __init__(self, message: str, *, unsent: bool) -> None:
        super().__init__(message)
        self.unsent = unsent


class _Unpacking:
    """Unpack what comes, never more than there is room for."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(47)

    def take(self, chunk: bytes, room: int, request: Request) -> bytes:
        found = bytearray()
        try:
            while chunk and len(found) < room:
                if self._inner.eof:
                    self._inner = zlib.decompressobj(47)  # one gzip file may stand behind another
                found += self._inner.decompress(chunk, room - len(found))
                chunk = self._inner.unconsumed_tail or self._inner.unused_data
        except zlib.error:
            raise DataError(
                f"{shown(request.url)}: the answer says that it is packed, and cannot be unpacked"
            ) from None
        return bytes(found)

    def finish(self, request: Request) -> None:
        if not self._inner.eof and request.method != "HEAD":
            raise DataError(f"{shown(request.url)}: the packed answer ends in its middle")


def shown(url: str) -> str:
    """Return a URL for people: without user, query and fragment, in which secrets may stand."""
    import httpx

    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    except httpx.InvalidURL:
        return "the URL"


def origin_of(url: str) -> Origin:
    """Return scheme, host and port of a URL; raise ConfigurationError for one that HTTP cannot ask."""
    import httpx

    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"this is not a URL: {error}", field="url") from None
    if found.scheme not in ("http", "https") or not found.host or "%" in found.host:
        raise ConfigurationError(
            f"{shown(url)!r} is not the URL of a web server", field="url", hint="write https://host/path"
        )
    if found.userinfo:
        raise ConfigurationError(
            "a URL holds no user and password", field="url", hint="name a Connection, which holds them"
        )
    return found.scheme, found.host.lower(), found.port or (443 if found.scheme == "https" else 80)


def _url(request: Request) -> Any:
    import httpx

    origin_of(request.url)
    url = httpx.URL(request.url)
    return url.copy_with(params=[*url.params.multi_items(), *request.query]) if request.query else url


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _redirected(request: Request, status: int, target: str) -> Request:
    import httpx

    try:
        url = str(httpx.URL(request.url).join(target))
        elsewhere = origin_of(url) != origin_of(request.url)
    except (httpx.InvalidURL, ConfigurationError):
        raise DataError(f"{shown(request.url)} redirects to what is not a URL of a web server") from None
    headers = _lower(request.headers)
    becomes_get = status == 303 or (status in (301, 302) and request.method == "POST")
    if becomes_get and request.method != "HEAD":
        headers = {name: value for name, value in headers.items() if not name.startswith("content-")}
        request = replace(request, method="GET", content=None)
    if elsewhere and request.content is not None:
        raise DataError(
            f"{shown(request.url)} redirects a {request.method} with a body to another server",
            hint=f"if that is right, ask {shown(url)}",
        )
    if elsewhere:
        headers = {name: value for name, value in headers.items() if name in _KEPT_ELSEWHERE}
    return replace(request, url=url, query=(), headers=headers)


def _unanswered(request: Request, error: httpx.TransportError) -> AirloomError:
    import httpx

    where = shown(request.url)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return ConfigurationError(f"the request to {where} cannot be sent: {error}", hint="are all headers plain text?")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SystemFault(
                f"{where}: the certificate is not to be trusted: {cause.verify_message}",
                hint="SSL_CERT_FILE names a file of other authorities to trust",
            )
        cause = cause.__cause__ or cause.__context__
    late = isinstance(error, httpx.TimeoutException)
    said = "did not answer in time" if late else f"cannot be asked: {error}"
    return _Unanswered(f"{where} {said}", unsent=isinstance(error, httpx.ConnectError | httpx.ConnectTimeout))


def _final(request: Request, fault: _Unanswered) -> AirloomError:
    if request.repeatable or fault.unsent:
        return TransientError(fault.message, hint="is the server up, and the address right?")
    return OutcomeUnknown(
        f"{fault.message}; whether the {request.method} was done is not known, so it is not sent again",
        hint="find out, and run it anew if it was not; where it may be sent twice, set safe_to_repeat",
    )


def _seconds(told: str) -> float | None:
    """Return the pause that `Retry-After` asks for, None where it cannot be read."""
    if told.strip().isascii() and told.strip().isdigit():
        return float(told)
    try:
        moment = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
