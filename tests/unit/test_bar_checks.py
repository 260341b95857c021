"""A bar that has come begins the checks that it concerns, and no others."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from engine.domain.bots import BotState
from engine.services.bar_checks import BarChecks
from engine.services.candle_feed import CandleFeed
from engine.services.feed_status import Feed
from engine.services.lanes import Lanes
from tests.unit.conftest import Room
from tests.unit.samples import config


def begun(room: Room, feed: CandleFeed, symbol: str, *markets: str) -> list[str]:
    """Which bots were checked after a bar was told, from another thread."""
    checked: list[str] = []

    async def run() -> None:
        checks = BarChecks(room.books, feed, checked.append, asyncio.get_running_loop())
        await asyncio.to_thread(checks.tell, markets, symbol)
        await asyncio.sleep(0)

    asyncio.run(run())
    return checked


@pytest.mark.parametrize(
    ("changes", "symbol", "is_checked"),
    [
        ({}, "BTC/USDT", True),
        ({"state": BotState.PAUSED}, "BTC/USDT", True),
        ({"state": BotState.STOPPED}, "BTC/USDT", False),
        ({"state": BotState.FAULTED}, "BTC/USDT", False),
        ({}, "ETH/USDT", False),
        ({"config": config(market="metatrader:51")}, "BTC/USDT", False),
    ],
)
def test_working_bots_on_its_market_and_symbol_are_checked(
    room: Room, changes: dict[str, Any], symbol: str, is_checked: bool
) -> None:
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, **changes)
    found = begun(room, CandleFeed(Lanes()), symbol, "simulated", "prices:1")
    assert found == ([room.bot.id] if is_checked else [])


def test_a_feed_that_rests_after_an_answer_without_it_asks_again(room: Room) -> None:
    feed = CandleFeed(Lanes())
    rests = room.clock.now() + timedelta(seconds=5)
    mine = Feed("simulated", "BTC/USDT", "1m", source="simulated", retry_at=rests)
    others = Feed("simulated", "ETH/USDT", "1m", source="simulated", retry_at=rests)
    feed.rows = lambda: [mine, others]  # type: ignore[method-assign]
    begun(room, feed, "BTC/USDT", "simulated")
    assert (mine.retry_at, others.retry_at) == (None, rests)


def test_what_comes_after_the_end_of_the_loop_is_nobodys(room: Room) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    BarChecks(room.books, CandleFeed(Lanes()), pytest.fail, loop).tell(["simulated"], "BTC/USDT")
