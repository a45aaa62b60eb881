"""English for messages that are put together."""

from __future__ import annotations


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article: an INTEGER, a BIGINT, a UTINYINT, an object."""
    return f"{'an' if noun[:1] in 'AEIOaeiou' else 'a'} {noun}"
