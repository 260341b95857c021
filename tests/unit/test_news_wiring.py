"""News as the engine wires it: real sources, lanes of their own, failures in the log."""

import asyncio
import logging
import threading

import pytest
from pydantic import SecretStr

from engine.bootstrap_news import background, build_news, news_offers
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.settings import Settings
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.news import KEY, news_vendors
from tests.fakes.news.server import Article
from tests.support.client import eventually


def test_a_source_without_a_key_is_offered_with_the_setting_that_is_missing() -> None:
    settings = Settings().model_copy(update={
        "finnhub_key": SecretStr(KEY), "newsapi_key": SecretStr("  "), "alphavantage_key": None,
    })  # fmt: skip
    offers = {one.source_id: one for one in news_offers(settings, FakeClock())}
    assert offers["finnhub"].source is not None
    assert offers["newsapi"].source is None
    assert offers["alphavantage"].setting == "QUARTERDECK_ALPHAVANTAGE_KEY"
    assert KEY not in repr(offers)


def test_news_comes_over_the_lanes_while_the_loop_goes_on() -> None:
    async def scene(url: str) -> tuple[str, ...]:
        lanes, loop = Lanes(), asyncio.get_running_loop()
        settings = Settings().model_copy(
            update={"finnhub_key": SecretStr(KEY), "finnhub_url": url, "news_every_s": 60}
        )
        books = Books(MemoryStore(), FakeClock())
        desk, _ = build_news(settings, books, lanes, loop)
        assert desk.recent("BTC", 5) == (), "nothing is waited for"
        found = await asyncio.to_thread(eventually, lambda: desk.recent("BTC", 5), bool)
        lanes.close()
        return tuple(one.title for one in found)

    with news_vendors() as server:
        server.articles = [Article("BTC", START, "Bitcoin is up")]
        assert asyncio.run(scene(server.url)) == ("Bitcoin is up",)


def test_a_question_that_fails_unforeseen_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def broken() -> None:
        done.set()
        raise RuntimeError("unforeseen")

    async def scene() -> None:
        lanes = Lanes()
        background(lanes, asyncio.get_running_loop())("news:x", broken)
        await asyncio.to_thread(eventually, lambda: caplog.text, lambda text: "unforeseen" in text)
        lanes.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert done.is_set()
