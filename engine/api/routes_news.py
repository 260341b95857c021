"""News: what is kept, its sources, and a user's own."""

from typing import Annotated

from fastapi import Query, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.news import (
    NewsFilter,
    NewsItem,
    NewsNote,
    NewsPage,
    NewsRefresh,
    NewsStatus,
)

router = new_router("news")


@router.get("/news", response_model=NewsPage, summary="News, newest first")
def list_news(services: Services, chosen: Annotated[NewsFilter, Query()]) -> Response:
    """What is kept; no source is asked."""
    return answer(services.news.page(chosen))


@router.post("/news", response_model=NewsItem, summary="A piece of news of one's own")
def add_news(note: NewsNote, services: Services, actor: Actor) -> Response:
    """Of the source "own"; the same sent again is the same item."""
    return answer(services.news.add(note, actor))


@router.get("/news/status", response_model=NewsStatus, summary="The sources of news")
def status(services: Services) -> Response:
    """When each was asked, what it answered, and which have no key."""
    return answer(services.news.status())


@router.post("/news/refresh", response_model=NewsStatus, status_code=202, summary="Ask for news")
def refresh(request: NewsRefresh, services: Services) -> Response:
    """Every source about one symbol, in the background; 409 when none can be asked."""
    return answer(services.news.refresh(request), 202)
