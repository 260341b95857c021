"""The watcher: a stop is seen, and one bot's trouble keeps no other bot's stop from being seen."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.bots import BotState, Desired
from engine.domain.exits import live_bar
from engine.domain.instruments import Quote
from engine.domain.orders import Purpose
from engine.errors import DataError
from engine.services.candle_feed import PriceBoard
from engine.services.lanes import Lanes
from engine.services.watch_positions import PositionWatcher
from tests.fakes.market import FakeMarket
from tests.unit.conftest import Room
from tests.unit.samples import config, position


@pytest.mark.parametrize("failure", [DataError("No rules."), ValueError("odd")])
def test_one_bot_that_cannot_be_watched_leaves_the_others_stops_alone(
    room: Room, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    far_above = D(10_000_000)  # every price is below this stop
    for number in range(3):
        bot = room.add_bot(id=f"c{number:07}", bot_config=config(name=f"bot {number}"))
        with room.books.writing() as writing:
            kept = position(id=f"{bot.id}-0-e", bot_id=bot.id, stop_price=far_above)
            writing.put_position(kept, is_new=True)
    room.broker.now = room.clock.advance(5)
    advance = room.desk.advance

    def fails_for_one(bot_id: str, *rest: Any) -> None:
        if bot_id == "c0000001":
            raise failure
        advance(bot_id, *rest)

    monkeypatch.setattr(room.desk, "advance", fails_for_one)
    lanes = Lanes()
    watcher = PositionWatcher(room.books, room.desk, room.venues, PriceBoard(), lanes)

    async def look() -> None:
        await watcher.watch()
        await asyncio.gather(*watcher._looking.values())
        await asyncio.gather(*watcher._acting.values())

    asyncio.run(look())
    lanes.close()
    assert set(room.books.positions) == {"c0000001"}
    assert {trade.exit_reason for trade in room.trades()} == {"stop_loss"}


def test_an_account_whose_broker_hangs_holds_up_no_other_accounts_stops(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    far_above = D(10_000_000)
    for number, account_id in enumerate(("paper:hung", "paper:well")):
        bot = room.add_bot(
            id=f"c{number:07}", bot_config=config(name=f"bot {number}"), account_id=account_id
        )
        with room.books.writing() as writing:
            kept = position(id=f"{bot.id}-0-e", bot_id=bot.id, stop_price=far_above,
                            account_id=account_id)  # fmt: skip
            writing.put_position(kept, is_new=True)
    room.broker.now = room.clock.advance(5)
    hung, advance = threading.Event(), room.desk.advance

    def hangs_for_one(bot_id: str, *rest: Any) -> None:
        if bot_id == "c0000000":
            hung.wait(30)
        advance(bot_id, *rest)

    monkeypatch.setattr(room.desk, "advance", hangs_for_one)
    lanes = Lanes()
    watcher = PositionWatcher(room.books, room.desk, room.venues, PriceBoard(), lanes)

    async def look_twice() -> set[str]:
        for _ in range(2):  # the second look, too, is not kept waiting
            await watcher.watch()
            await asyncio.gather(*watcher._looking.values())
            free = [task for key, task in watcher._acting.items() if key[2] == "paper:well"]
            await asyncio.gather(*free)
        left = set(room.books.positions)
        hung.set()
        await asyncio.gather(*watcher._acting.values())
        return left

    assert asyncio.run(look_twice()) == {"c0000000"}
    lanes.close()


def test_what_rests_for_a_stopped_bot_is_followed(spot: Room) -> None:
    """Its levels are not watched any more, but a stop that the venue fills is booked."""
    spot.enter()
    with spot.books.writing() as writing:
        writing.save_bot(spot.bot.id, state=BotState.STOPPED, desired=Desired.STOPPED)
    stop = next(leg for leg in spot.working(Purpose.PROTECTION) if leg.stop_price)
    spot.move("97")
    spot.broker.trigger(stop.client_id)
    lanes = Lanes()
    watcher = PositionWatcher(spot.books, spot.desk, spot.venues, PriceBoard(), lanes)

    async def look() -> None:
        await watcher.watch()
        await asyncio.gather(*watcher._looking.values())
        await asyncio.gather(*watcher._acting.values())

    asyncio.run(look())
    lanes.close()
    assert [trade.exit_reason for trade in spot.trades()] == ["stop_loss"]


def test_a_resting_level_is_left_to_the_venue_for_a_moment_then_closed(spot: Room) -> None:
    spot.enter()
    spot.advance(1)
    lanes = Lanes()
    watcher = PositionWatcher(spot.books, spot.desk, spot.venues, PriceBoard(), lanes)
    spot.move("97")
    sent = len(spot.broker.sent)
    for seconds, is_closed in ((1, False), (3, False), (3, True)):
        spot.broker.now = spot.clock.advance(seconds)
        bar = live_bar(D(97), spot.clock.now())
        watcher.watch_bar(spot.bot.id, spot.market, bar, spot.clock.now(), has_seen_price=False)
        assert (len(spot.broker.sent) > sent) is is_closed
    lanes.close()
    assert [trade.exit_reason for trade in spot.trades()] == ["stop_loss"]
    assert spot.broker.held["BTC"] == 0


def test_prices_that_are_told_are_judged_at_once(room: Room) -> None:
    """A market that tells prices: a touch between two looks is seen."""

    class Telling(FakeMarket):
        listeners: list[Callable[[Quote], None]]

        def watch(self, symbol: str, on_quote: Callable[[Quote], None]) -> Callable[[], None]:
            self.listeners = [*getattr(self, "listeners", []), on_quote]
            return self.listeners.clear

    market = Telling(room.clock)
    market.set_price("BTC/USDT", "100")
    room.venues.only_market = market
    room.enter()
    room.broker.now = room.clock.advance(5)
    lanes = Lanes()
    watcher = PositionWatcher(room.books, room.desk, room.venues, PriceBoard(), lanes)

    async def look() -> None:
        await watcher.watch()
        await asyncio.gather(*watcher._looking.values())
        await asyncio.gather(*watcher._acting.values())
        for price in ("97.5", "100"):
            market.listeners[0](market.quote("BTC/USDT").model_copy(update={"last": D(price)}))
            await asyncio.sleep(0)
            await asyncio.gather(*watcher._reacting.values())
            await asyncio.gather(*watcher._acting.values())

    asyncio.run(look())
    lanes.close()
    assert [trade.exit_reason for trade in room.trades()] == ["stop_loss"]


def test_a_clock_that_was_set_back_leaves_no_stop_unwatched(room: Room) -> None:
    room.clock.current += timedelta(hours=1)
    room.broker.now = room.clock.now()
    room.enter()
    room.clock.current -= timedelta(hours=1)
    lanes = Lanes()
    watcher = PositionWatcher(room.books, room.desk, room.venues, PriceBoard(), lanes)
    bar = live_bar(D(97), room.clock.now())
    watcher.watch_bar(room.bot.id, room.market, bar, room.clock.now(), has_seen_price=False)
    lanes.close()
    assert [trade.exit_reason for trade in room.trades()] == ["stop_loss"]


def test_a_market_that_was_opened_anew_is_listened_to_anew(room: Room) -> None:
    """The stream of a connection that is gone tells nothing any more."""
    ended: list[str] = []

    class Telling(FakeMarket):
        def watch(self, symbol: str, on_quote: Callable[[Quote], None]) -> Callable[[], None]:
            began.append(self.market_id)
            return lambda: ended.append(self.market_id)

    began: list[str] = []
    room.enter()
    lanes = Lanes()
    watcher = PositionWatcher(room.books, room.desk, room.venues, PriceBoard(), lanes)

    async def look(market: FakeMarket) -> None:
        market.set_price("BTC/USDT", "100")
        room.venues.only_market = market
        await watcher.watch()
        await asyncio.gather(*watcher._looking.values())
        await asyncio.gather(*watcher._acting.values())

    async def scenario() -> None:
        before = Telling(room.clock, market_id="before")
        await look(before)
        await look(before)
        await look(Telling(room.clock, market_id="after"))

    asyncio.run(scenario())
    lanes.close()
    assert (began, ended) == (["before", "after"], ["before"])
