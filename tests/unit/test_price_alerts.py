"""Price alerts: fired once with their event, armed again on the other side, never by old prices."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal as D
from typing import Any, Self

import pytest

from engine.domain.alerts import Alert, AlertKind, CrossDirection, PriceAlert
from engine.domain.instruments import Quote
from engine.domain.price_levels import Turn, turn_of
from engine.errors import DataError, NotFound, StoreError
from engine.ports import MarketData
from engine.services.candle_feed import PriceBoard
from engine.services.lanes import Lanes
from engine.services.price_alerts import ASK_EVERY_S, STALE, PriceAlertWatcher
from tests.fakes.clock import START, FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.venues import FakeVenues
from tests.unit.conftest import Room

ABOVE, BELOW = CrossDirection.ABOVE, CrossDirection.BELOW


def price_alert(number: int = 1, **changes: Any) -> PriceAlert:
    """Above 100."""
    fields: dict[str, Any] = {
        "id": f"p{number}", "market": "fake", "symbol": "BTC/USDT", "direction": ABOVE,
        "price": D(100), "created_at": START,
    }  # fmt: skip
    return PriceAlert(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "price", "turn"),
    [
        ({}, "100", Turn.FIRES),
        ({}, "99.99", None),
        ({"direction": BELOW}, "100", Turn.FIRES),
        ({"direction": BELOW}, "100.01", None),
        ({"is_enabled": False}, "200", None),
        ({"fired_at": START}, "90", None),
        ({"fired_at": START, "is_repeating": True}, "99.95", None),
        ({"fired_at": START, "is_repeating": True}, "99.9", Turn.ARMS),
        ({"fired_at": START, "is_repeating": True, "direction": BELOW}, "100.1", Turn.ARMS),
        ({"fired_at": START, "is_repeating": True}, "150", None),
    ],
)
def test_what_a_price_does(changes: Mapping[str, Any], price: str, turn: Turn | None) -> None:
    assert turn_of(price_alert(**changes), D(price)) is turn


class BulkFake(FakeMarket):
    """Tells many prices in one request, and counts them."""

    is_down = False

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[Sequence[str]] = []

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """In one request."""
        self.asked.append(symbols)
        if self.is_down:
            raise DataError("no answer")
        return {symbol: self.quote(symbol) for symbol in symbols}


class Venues(FakeVenues):
    """One of which is no more."""

    def market(self, market_id: str, bot_id: str | None = None) -> MarketData:
        """Raises NotFound."""
        if market_id == "gone":
            raise NotFound("There is no market 'gone'.")
        return super().market(market_id, bot_id)


@dataclass
class Watch:
    """A watcher over the room's books, and one market."""

    room: Room
    market: BulkFake
    prices: PriceBoard
    watcher: PriceAlertWatcher

    @classmethod
    def over(cls, room: Room, lanes: Lanes) -> Self:
        """As after a start."""
        market, prices = BulkFake(room.clock), PriceBoard()
        venues = Venues(market, room.broker)
        return cls(room, market, prices, PriceAlertWatcher(room.books, venues, prices, lanes))

    def add(self, *alerts: PriceAlert) -> None:
        """As a person does."""
        with self.room.books.writing() as writing:
            writing.tx.price_alerts.add(*alerts)
            writing.tx.put_instrument("fake", self.market.instrument("BTC/USDT"))

    def see(self, price: str, *, seconds_ago: float = 0, bot_id: str = "") -> None:
        """A price that a bot's watcher has put on the board."""
        time = self.room.clock.now() - timedelta(seconds=seconds_ago)
        quote = Quote(symbol="BTC/USDT", bid=D(price), ask=D(price), last=D(price), time=time)
        self.prices.put("fake", quote, bot_id)

    async def look(self) -> None:
        """Two rounds, with what they ask."""
        for _ in range(2):
            await self.watcher.watch()
            await asyncio.gather(*self.watcher._asking.values())

    def told(self) -> list[str]:
        """The texts so far."""
        with self.room.store.reading() as tx:
            alerts: Sequence[Alert] = tx.alerts.select(kind=AlertKind.PRICE)
        return [one.text for one in alerts]

    def kept(self, number: int = 1) -> PriceAlert:
        """As it is in the store."""
        with self.room.store.reading() as tx:
            return tx.price_alerts.get(f"p{number}")


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    """Closed at the end."""
    made = Lanes()
    yield made
    made.close()


Play = Callable[[Watch], Coroutine[None, None, None]]


@pytest.fixture
def play(room: Room, lanes: Lanes) -> Callable[[Play], Watch]:
    """Runs a scene on a loop."""

    def run(scene: Play) -> Watch:
        watch = Watch.over(room, lanes)
        asyncio.run(scene(watch))
        return watch

    return run


def test_a_level_is_told_once_and_armed_again_on_the_other_side(
    play: Callable[[Play], Watch],
) -> None:
    async def scene(watch: Watch) -> None:
        watch.market.set_price("BTC/USDT", "95")
        watch.add(price_alert(note="look!"), price_alert(2, is_repeating=True))
        await watch.look()
        assert watch.told() == []
        for price in ("101", "102", "99.95", "101"):
            watch.see(price)
            await watch.look()
        words = "BTC/USDT is at 101 USDT, at or above 100"
        assert sorted(watch.told()) == [f"{words}.", f"{words}: look!"]
        assert watch.kept().fired_price == 101
        watch.see("99")
        await watch.look()
        assert watch.kept(2).fired_at is None
        watch.see("100")
        await watch.look()
        assert len(watch.told()) == 3

    play(scene)


def test_a_spike_between_two_rounds_counts(play: Callable[[Play], Watch]) -> None:
    async def scene(watch: Watch) -> None:
        watch.market.set_price("BTC/USDT", "95")
        watch.add(price_alert())
        await watch.look()
        for price in ("103", "95"):
            watch.see(price)
        await watch.look()
        assert watch.told() == ["BTC/USDT is at 103 USDT, at or above 100."]

    play(scene)


def test_old_prices_and_replays_fire_nothing(play: Callable[[Play], Watch]) -> None:
    async def scene(watch: Watch) -> None:
        watch.market.set_price("BTC/USDT", "95")
        watch.add(price_alert())
        await watch.look()
        watch.see("120", seconds_ago=STALE.total_seconds() + 1)
        watch.see("120", bot_id="b0000001")
        await watch.look()
        assert watch.told() == []

    play(scene)


def test_symbols_of_no_bot_are_asked_for_together_and_seldom(
    play: Callable[[Play], Watch],
) -> None:
    async def scene(watch: Watch) -> None:
        watch.market.set_price("BTC/USDT", "95")
        watch.market.set_price("ETH/USDT", "100")
        watch.add(price_alert(), price_alert(2, symbol="ETH/USDT", direction=BELOW))
        for _ in range(5):
            await watch.look()
        assert watch.told() == ["ETH/USDT is at 100, at or below 100."]
        assert len(watch.market.asked) == 1
        assert sorted(watch.market.asked[0]) == ["BTC/USDT", "ETH/USDT"]
        watch.room.clock.advance(ASK_EVERY_S)
        watch.see("95")  # a bot sees it
        await watch.look()
        assert len(watch.market.asked) == 1
        watch.room.clock.advance(ASK_EVERY_S)
        watch.market.set_price("BTC/USDT", "101")
        await watch.look()
        assert len(watch.told()) == 2

    play(scene)


def test_a_market_that_does_not_answer_holds_up_nothing(play: Callable[[Play], Watch]) -> None:
    async def scene(watch: Watch) -> None:
        watch.market.is_down = True
        watch.add(price_alert(), price_alert(2, market="gone"), price_alert(3, symbol="X/Y"))
        await watch.look()
        watch.see("101")
        await watch.look()
        assert len(watch.told()) == 1

    play(scene)


def test_what_cannot_be_written_is_told_later_and_once(play: Callable[[Play], Watch]) -> None:
    async def scene(watch: Watch) -> None:
        watch.market.set_price("BTC/USDT", "95")
        watch.add(price_alert())
        await watch.look()
        watch.see("101")
        transaction = watch.room.store.transaction

        def refuse() -> Any:
            raise StoreError("the disk is full")

        watch.room.store.transaction = refuse  # type: ignore[method-assign]
        with pytest.raises(StoreError):
            await watch.look()
        watch.room.store.transaction = transaction  # type: ignore[method-assign]
        await watch.look()
        await watch.look()
        assert len(watch.told()) == 1

    play(scene)


def test_one_that_was_deleted_or_moved_meanwhile_does_not_fire(
    play: Callable[[Play], Watch],
) -> None:
    async def scene(watch: Watch) -> None:
        watch.market.set_price("BTC/USDT", "95")
        watch.add(price_alert(), price_alert(2))
        await watch.look()
        watch.see("101")
        with watch.room.books.writing() as writing:
            writing.tx.price_alerts.delete("p1")
            writing.tx.price_alerts.save(price_alert(2, price=D(110)))
        await watch.look()
        assert watch.told() == []

    play(scene)
