"""What the API tells of candles and sleep, from the services themselves."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.market_data_desk import MarketDataDesk
from engine.contracts.market_data import LiveFacts
from engine.domain.bots import BotState, Desired
from engine.domain.decisions import Intent
from engine.errors import DataError
from engine.services import candle_feed, feed_calls
from engine.services.candle_feed import CandleFeed
from engine.services.feed_calls import FeedCalls
from engine.services.lanes import Lanes
from tests.fakes.clock import FakeClock
from tests.fakes.session_market import SessionMarket
from tests.support.stock_days import StockDays, stock_days
from tests.unit.samples import config
from tests.unit.test_sessions import at


@pytest.fixture
def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StockDays]:
    """A bot on a share, the afternoon before Thanksgiving."""
    monkeypatch.setattr(candle_feed, "WAITS_S", (0.0,))
    market = SessionMarket(FakeClock(at("2026-11-25 20:00")))
    settings = config(symbol="AAPL", market="stocks", timeframe="15m", interval_s=900)
    with stock_days(tmp_path, market, settings) as days:
        days.host.script.extend([Intent(reason="nothing")] * 20)
        yield days


def test_a_feed_is_told_with_its_users_its_age_and_its_trouble(days: StockDays) -> None:
    desk = MarketDataDesk(days.books, days.feed, days.sleep)
    assert not desk.feeds()
    days.to(at("2026-11-25 20:20"))
    [feed] = desk.feeds()
    assert (feed.symbol, feed.timeframe, feed.source, feed.bots) == ("AAPL", "15m", "stocks", 1)
    assert (feed.newest, feed.age_s) == (at("2026-11-25 20:15"), 300)
    assert (feed.errors, feed.error, feed.is_market_open) == (0, "", True)
    days.market.failure = DataError("stocks does not answer.")
    days.to(at("2026-11-25 20:30"))
    [feed] = desk.feeds()
    assert (feed.newest, feed.error, feed.errors) == (None, "stocks does not answer.", 1)
    assert feed.failing_since == at("2026-11-25 20:30")
    assert desk.live_facts(days.bot).data_error == "stocks does not answer."


def test_a_bot_tells_when_it_wakes_and_why_it_sleeps(days: StockDays) -> None:
    desk = MarketDataDesk(days.books, days.feed, days.sleep)
    days.to(at("2026-11-25 20:30"))
    awake = desk.live_facts(days.bot)
    assert (awake.sleeps_until, awake.sleeps_why, awake.is_market_open) == (None, "", True)
    assert awake.newest_candle_at == at("2026-11-25 20:30")
    days.to(at("2026-11-26 15:00"), step_s=900)
    asleep = desk.live_facts(days.bot)
    assert asleep.sleeps_until == at("2026-11-27 14:30")
    assert asleep.sleeps_why == "XNYS is closed (Thanksgiving)"
    assert asleep.sleeps_local == "Fri 09:30 in New York"
    assert not asleep.is_market_open
    [feed] = desk.feeds()
    assert not feed.is_market_open
    with days.books.writing() as writing:
        writing.save_bot(days.bot.id, desired=Desired.STOPPED, state=BotState.STOPPED)
    assert desk.live_facts(days.bot) == LiveFacts()


def test_charts_draw_what_bots_live_on_without_a_request_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = SessionMarket(FakeClock(at("2026-11-25 20:00")))
    lanes = Lanes()
    feed = CandleFeed(lanes)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        calls = FeedCalls(feed, loop)
        assert len(calls.ask(market, "AAPL", "15m", 10)) == 10
        assert len(calls.ask(market, "AAPL", "15m", 5)) == 5
        assert feed.requests == len(market.requests) == 1
        held = asyncio.run_coroutine_threadsafe(_hold(feed, market), loop)
        monkeypatch.setattr(feed_calls, "PATIENCE_S", 0.05)
        with pytest.raises(DataError, match="stocks takes long to answer"):
            calls.ask(market, "AAPL", "15m", 5)
        held.cancel()
        asyncio.run_coroutine_threadsafe(_settle(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        lanes.close()


async def _hold(feed: CandleFeed, market: SessionMarket) -> None:
    """Keep everybody waiting for a feed."""
    row = feed.find(market.market_id, "AAPL", "15m")
    assert row is not None
    async with row.lock:
        await asyncio.sleep(10)


async def _settle() -> None:
    """Let everything on the loop end: who gave up waiting left a question under way."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
