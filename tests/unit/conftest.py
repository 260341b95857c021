"""An engine room for tests of services: a real store, a scripted venue, a hand-turned clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.domain.bots import Bot
from engine.domain.orders import Order, Purpose
from engine.domain.positions import Position, PositionSide, Trade
from engine.domain.records import Event
from engine.ports import MarketData, Store
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.order_desk import OrderDesk
from tests.fakes.broker import ScriptedBroker
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot as sample_bot


@dataclass
class Room:
    """The order desk with everything it needs."""

    clock: FakeClock
    store: Store
    market: MarketData
    broker: ScriptedBroker
    venues: FakeVenues
    folder: Path
    books: Books
    controls: Controls
    desk: OrderDesk

    @property
    def bot(self) -> Bot:
        """The one bot, as it stands."""
        return next(iter(self.books.bots.values()))

    def restart(self) -> None:
        """What a crash and a start leave: everything in memory made anew from the store."""
        self.books = Books(self.store, self.clock)
        self.books.load()
        self.controls = Controls(self.books, self.folder / "KILL")
        self.controls.load()
        self.desk = OrderDesk(self.books, self.venues, self.controls)

    def add_bot(self, **changes: Any) -> Bot:
        """Insert a running bot."""
        bot = sample_bot(**changes)
        with self.books.writing() as writing:
            writing.add_bot(bot)
            writing.tx.put_instrument(bot.config.market, self.market.instrument(bot.config.symbol))
        return bot

    def enter(self, side: PositionSide = PositionSide.LONG) -> None:
        """Plan and send an entry of the one bot, decided now."""
        now = self.clock.now()
        with self.books.writing() as writing:
            self.desk.plan_entry(writing, self.bot, side, size=1.0, candle_time=now, decided_at=now)
        self.advance()

    def advance(self, seconds: float = 0) -> None:
        """Let time pass and take every order one step on."""
        self.broker.now = self.clock.advance(seconds)
        self.desk.advance(self.bot.id, self.market)

    def close(self, reason: str = "stop_loss") -> None:
        """Ask for the position to be closed."""
        self.desk.close_position(self.bot.id, self.market, reason)

    @property
    def position(self) -> Position:
        """The one bot's position."""
        return self.books.positions[self.bot.id]

    def working(self, purpose: Purpose) -> list[Order]:
        """The bot's working orders of a purpose."""
        found = self.books.working_orders(self.bot.id)
        return [order for order in found if order.purpose is purpose]

    def move(self, price: str) -> None:
        """Set the price at the market and at the venue."""
        self.broker.price = Decimal(price)
        if isinstance(self.market, FakeMarket):
            self.market.set_price("BTC/USDT", price)

    def orders(self) -> list[Order]:
        """All orders, oldest first."""
        with self.store.reading() as tx:
            return list(tx.orders.select())

    def trades(self) -> list[Trade]:
        """All trades, oldest first."""
        with self.store.reading() as tx:
            return list(tx.trades.select())

    def events(self) -> list[Event]:
        """All events, oldest first."""
        with self.store.reading() as tx:
            return list(tx.events.select())


@contextmanager
def open_room(
    folder: Path, clock: FakeClock, market: MarketData, store: Store, **changes: Any
) -> Iterator[Room]:
    """A room with one running bot of 100 USDT, at a price of 100."""
    broker = ScriptedBroker()
    broker.now = clock.now()
    broker.price = Decimal(100)
    venues = FakeVenues(market, broker)
    books = Books(store, clock)
    controls = Controls(books, folder / "KILL")
    desk = OrderDesk(books, venues, controls)
    room = Room(clock, store, market, broker, venues, folder, books, controls, desk)
    room.add_bot(**changes)
    yield room
    store.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room over the simulated market."""
    clock = FakeClock()
    with open_room(tmp_path, clock, SimulatedMarket(7, clock), MemoryStore(clock.now)) as room:
        yield room


@pytest.fixture
def spot(tmp_path: Path) -> Iterator[Room]:
    """A room at a spot venue: stops and targets rest there as pairs, an order that reduces is not
    capped by the venue, quantities only, minimums hold for all orders."""
    clock = FakeClock()
    market = FakeMarket(clock)
    market.set_price("BTC/USDT", "100")
    with open_room(tmp_path, clock, market, MemoryStore(clock.now)) as room:
        room.broker.capabilities = room.broker.capabilities.model_copy(
            update={
                "rests_protection": True, "has_oco": True, "caps_reducing": False,
                "has_quote_amount": False, "has_shorting": False, "fee_bps": Decimal(0),
            }
        )  # fmt: skip
        yield room
