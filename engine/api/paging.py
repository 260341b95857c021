"""Reading more rows than should be in memory at once."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from engine.ports import Repository

PAGE = 1_000

T = TypeVar("T")


def all_pages(rows: Repository[T], where: Mapping[str, Any]) -> Iterator[T]:
    """Every row that matches, newest first, a page at a time."""
    offset = 0
    while True:
        page = rows.select(is_descending=True, limit=PAGE, offset=offset, **where)
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE
