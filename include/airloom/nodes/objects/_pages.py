"""Answers in pages: which request comes after which."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urljoin

from pydantic import Field

from airloom.engine.http_client import Answer, Request, origin_of, shown
from airloom.engine.reference import kind_of_value
from airloom.nodes.operators import field_of
from airloom.nodes.sdk import DataError, Part

MOST = Field(100, ge=1, le=10_000, description="How many pages there may be: more are an error, and none is left out")
LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:\"[^\"]*\"|[^\s;,]+))*)")
RELATION = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,]+))", re.IGNORECASE)


class ByNumber(Part):
    """Pages by their number; the last is the first that is empty."""

    by: Literal["page"] = Field(description="page")
    parameter: str = Field("page", min_length=1, description="The parameter of the URL that takes the number")
    start: int = Field(1, ge=0, description="The number of the first page")
    most: int = MOST


class ByOffset(Part):
    """Pages by how many items come before; the last is the first that is empty."""

    by: Literal["offset"] = Field(description="offset")
    parameter: str = Field("offset", min_length=1, description="The parameter of the URL that takes the offset")
    start: int = Field(0, ge=0, description="The first offset")
    most: int = MOST


class ByCursor(Part):
    """Pages by what each says of the next; the last says nothing of one."""

    by: Literal["cursor"] = Field(description="cursor")
    parameter: str = Field("cursor", min_length=1, description="The parameter of the URL that takes the cursor")
    next: str = Field(min_length=1, description="The path of the cursor in the answer, such as meta.next_cursor")
    most: int = MOST


class ByLink(Part):
    """Pages by the address of the next, in the header Link or in the answer; the last has none."""

    by: Literal["link"] = Field(description="link")
    next: str = Field("", description="The path of the address in the answer; empty: the header Link, rel=next")
    most: int = MOST


AnyPages = ByNumber | ByOffset | ByCursor | ByLink
Pages = Annotated[AnyPages, Field(discriminator="by")]
Ask = Callable[[Request], tuple[Answer, Any]]
"""Sends a request, and returns its answer and what that says."""


def items_of_pages(first: Request, pages: AnyPages, ask: Ask, path: str) -> tuple[Answer, list[Any]]:
    """Return the last answer, and the items of all pages, to which `path` leads in each.

    Raises DataError where a page has no list, where pages go round in a circle, and where there are too many.
    """
    request: Request | None = first
    if isinstance(pages, ByNumber | ByOffset):
        request = _with(first, pages.parameter, pages.start)
    items: list[Any] = []
    seen: set[tuple[object, ...]] = set()
    while request is not None:
        if (request.url, *request.query) in seen:
            raise DataError(
                "the pages lead back to one that was read", field="pages", hint="is it the right way to page?"
            )
        seen.add((request.url, *request.query))
        if len(seen) > pages.most:
            raise DataError(
                f"there are more than {pages.most} pages", field="pages/most", hint="raise it, or ask for larger pages"
            )
        answer, body = ask(request)
        page = field_of(body, path)
        if not isinstance(page, list):
            place = f"at {path!r} stands" if path else "the page is"
            raise DataError(f"{place} {kind_of_value(page)}, not a list", field="path", hint="path leads to the items")
        items += page
        if isinstance(pages, ByNumber):
            request = _with(first, pages.parameter, pages.start + len(seen)) if page else None
        elif isinstance(pages, ByOffset):
            request = _with(first, pages.parameter, pages.start + len(items)) if page else None
        elif isinstance(pages, ByCursor):
            cursor = field_of(body, pages.next)
            request = _with(first, pages.parameter, cursor) if cursor not in (None, "", False) else None
        else:
            address = field_of(body, pages.next) if pages.next else _linked(answer.headers.get("link", ""))
            request = _at(first, answer, address) if address else None
    return answer, items


def _with(request: Request, parameter: str, value: object) -> Request:
    if not isinstance(value, str | int):
        raise DataError(f"a cursor is a text or a number, not {kind_of_value(value)}", field="pages/next")
    others = [pair for pair in request.query if pair[0] != parameter]
    return replace(request, query=[*others, (parameter, str(value))])


def _at(request: Request, answer: Answer, address: object) -> Request:
    if not isinstance(address, str):
        raise DataError(f"the next page is {kind_of_value(address)}, not an address", field="pages/next")
    url = urljoin(answer.url, address)
    if origin_of(url) != origin_of(answer.url):
        raise DataError(
            f"the next page is on another server, {shown(url)}",
            field="pages",
            hint="ask that server by a node of its own",
        )
    return replace(request, url=url, query=())


def _linked(header: str) -> str | None:
    """Return the address of the next page in a header Link."""
    for link in LINK.finditer(header):
        relation = RELATION.search(link[2])
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            return link[1]
    return None
