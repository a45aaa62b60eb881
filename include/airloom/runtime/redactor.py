"""Keeping secrets in: what a step's Connections hold is taken out of whatever leaves its process."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import traceback
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote

MASK = "***"
SHORTEST = 4
"""Characters of a secret, or of a part of one, that is found wherever it stands; shorter ones would eat other words."""
SHORTEST_IN_DATA = 8
"""Characters of a secret that is found in what a node gives: below them it may well be data."""

SENSITIVE = re.compile(
    r"passw|pwd|passphrase|secret|token|credential|authorization|signature|api_?key|(^|[_-])key|keyfile|private|"
    r"account_?key|connection_?string|dsn|cookie",
    re.IGNORECASE,
)
# Where a driver takes a secret apart, or cuts a text that holds one.
PART = re.compile(r"[@:/?#&=;,%+\s\\'\"]+")
# A Connection's JSON may hold half of a surrogate pair, and no step fails for that.
ERRORS = "surrogatepass"
IN_URL = re.compile(r"://[^/?#\s@:]*:(.+)@", re.DOTALL)


class Redactor(logging.Filter):
    """Know the secrets of the Connections that a step has asked for, and take them out of texts, values and records.

    A secret of at least SHORTEST characters is found as it is, percent-encoded, in JSON and in Base64; its parts of
    that length, between the characters that end something in a URL, as whole words; a shorter secret only where a URL
    or `password=` has it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._short: set[str] = set()
        self._whole: set[str] = set()
        self._parts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._pattern_of_data: re.Pattern[str] | None = None

    def learn(self, connection: Any) -> set[str]:
        """Remember what is secret in an Airflow Connection: its password, and what its other fields name so.

        Returns the texts that are known since, and are taken out wherever they stand.
        """
        known = set(self._whole)
        login, password = getattr(connection, "login", None), getattr(connection, "password", None)
        if password:
            self._add(password)
            self._add_whole(_base64(f"{login or ''}:{password}"))
        for secret in _secrets({name: getattr(connection, name, None) for name in ("host", "schema", "login")}):
            self._add(secret)
        for secret in _secrets(_extra(connection)):
            self._add(secret)
        new = self._whole - known
        if new or self._short:
            self._pattern = _pattern(self._whole | self._short, self._parts)
            self._pattern_of_data = _pattern({form for form in self._whole if len(form) >= SHORTEST_IN_DATA})
        return new

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def value(self, value: Any, *, keys: bool = True) -> Any:
        """Return a JSON value without the secrets in texts, and in `keys` where these are not words of ours."""
        return _without(value, self._pattern, keys)

    def data(self, value: Any) -> Any:
        """Return what a node gives without whole secrets of at least SHORTEST_IN_DATA characters; their parts stay."""
        return _without(value, self._pattern_of_data, True)

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the secrets out of a log record; each is let through."""
        if self._pattern is None:
            return True
        message = record.getMessage()
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else record.exc_text or ""
        shown, shown_trace = self.text(message), self.text(trace)
        if shown != message:
            record.msg, record.args = shown, ()
        if shown_trace != trace:
            # Formatters make the text of a trace in different ways; none makes it from a message.
            record.msg, record.args = f"{shown}\n{shown_trace}".rstrip(), ()
            record.exc_info = record.exc_text = None
        return True

    @contextlib.contextmanager
    def watching(self, *loggers: logging.Logger) -> Iterator[None]:
        """Take the secrets out of what is logged during the block, by these loggers and by all that reach the root."""
        # A filter of a logger does not see the records of those below it; those of handlers do.
        handlers = {handler for logger in (logging.getLogger(), *loggers) for handler in _handlers(logger)}
        added = [handler for handler in handlers if self not in handler.filters]
        for handler in added:
            handler.addFilter(self)
        try:
            yield
        finally:
            for handler in added:
                handler.removeFilter(self)

    def _add(self, secret: str) -> None:
        if len(secret) < SHORTEST:
            self._short |= {f":{secret}@", f"password={secret}", f"password='{secret}'"}
            return
        self._add_whole(secret)
        self._parts |= {part for part in PART.split(secret) if len(part) >= SHORTEST}
        if (plain := unquote(secret)) != secret:
            self._add(plain)

    def _add_whole(self, secret: str) -> None:
        encoded = {how(secret, safe, errors=ERRORS) for how in (quote, quote_plus) for safe in ("", "/")}
        encoded |= {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in encoded}
        shown = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        self._whole |= {secret, _base64(secret), *encoded, *shown}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode(errors=ERRORS)).decode()


def _extra(connection: Any) -> Any:
    extra = getattr(connection, "extra", None)
    if not isinstance(extra, str) or not extra:
        return {}
    try:
        return json.loads(extra)
    except ValueError:
        return {"secret": extra}


def _secrets(value: Any, *, sensitive: bool = False) -> Iterator[str]:
    """Find the secrets of a Connection's fields: what has such a name, and what a URL holds."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _secrets(item, sensitive=sensitive or bool(SENSITIVE.search(str(name))))
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, sensitive=sensitive)
    elif isinstance(value, str) and value:
        if sensitive:
            yield value
        yield from IN_URL.findall(value)
        if "?" in value and "=" in value:
            # Not `query`: a password with a # ends it early.
            for name, item in parse_qsl(value.partition("?")[2]):
                if SENSITIVE.search(name):
                    yield item
        if value.startswith("{"):
            # An extra may hold JSON once more, such as a key file.
            with contextlib.suppress(ValueError):
                yield from _secrets(json.loads(value), sensitive=sensitive)
    elif sensitive and isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _handlers(logger: Any) -> list[logging.Handler]:
    # Airflow's loggers of tasks have none: it masks what they say by itself.
    return list(getattr(logger, "handlers", ()))


def _pattern(forms: set[str], words: Collection[str] = ()) -> re.Pattern[str] | None:
    def longest_first(texts: Collection[str]) -> list[str]:
        return sorted(texts, key=lambda text: (-len(text), text))

    patterns = [re.escape(form) for form in longest_first(forms)]
    patterns += [rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest_first(words)]
    return re.compile("|".join(patterns)) if patterns else None


def _without(value: Any, pattern: re.Pattern[str] | None, keys: bool) -> Any:
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(MASK, value)
    if isinstance(value, Mapping):
        return {
            _without(name, pattern, keys) if keys else name: _without(item, pattern, keys)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without(item, pattern, keys) for item in value]
    return value
