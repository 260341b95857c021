"""Where news comes from: the sources, each with its key where one is set."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future

from pydantic import SecretStr

from engine.adapters.news.alphavantage import AlphaVantage
from engine.adapters.news.finnhub import Finnhub
from engine.adapters.news.newsapi import NewsApi
from engine.api.news_desk import NewsViews
from engine.ports import Clock
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.services.news_desk import NewsDesk, SourceOffer, Spawn
from engine.settings import Settings

log = logging.getLogger("quarterdeck.news")


def build_news(
    settings: Settings, books: Books, lanes: Lanes, loop: asyncio.AbstractEventLoop
) -> tuple[NewsDesk, NewsViews]:
    """Build it."""
    desk = NewsDesk(
        books, news_offers(settings, books.clock), settings.news_every_s, background(lanes, loop)
    )
    return desk, NewsViews(books, desk)


def news_offers(settings: Settings, clock: Clock) -> tuple[SourceOffer, ...]:
    """Every source there is; one without a key says which setting is missing."""
    rows = (
        (Finnhub, settings.finnhub_url, settings.finnhub_key, "QUARTERDECK_FINNHUB_KEY"),
        (AlphaVantage, settings.alphavantage_url, settings.alphavantage_key,
         "QUARTERDECK_ALPHAVANTAGE_KEY"),
        (NewsApi, settings.newsapi_url, settings.newsapi_key, "QUARTERDECK_NEWSAPI_KEY"),
    )  # fmt: skip
    return tuple(
        SourceOffer(kind.source_id, kind.title, setting,
                    kind(url, key, clock) if (key := _text(secret)) else None)
        for kind, url, secret, setting in rows
    )  # fmt: skip


def background(lanes: Lanes, loop: asyncio.AbstractEventLoop) -> Spawn:
    """Runs calls on a lane, from whatever thread; one that fails unforeseen is in the log."""

    def spawn(lane: str, call: Callable[[], None]) -> None:
        asyncio.run_coroutine_threadsafe(lanes.run(lane, call), loop).add_done_callback(_ended)

    return spawn


def _ended(future: Future[None]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.error("news: a question failed", exc_info=error)


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value().strip()
