"""The order desk, its books and the reconciler over the loopback Kite, through kiteconnect."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.domain.accounts import AccountState
from engine.domain.bots import Bot
from engine.domain.orders import Order, OrderState, Purpose
from engine.domain.positions import Position, PositionSide
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.order_desk import OrderDesk
from engine.services.reconcile import Reconciler
from tests.contract.kite_venue import SYMBOL, KiteVenue, kite_venue, open_account
from tests.fakes.kite import Kite
from tests.fakes.memory_store import MemoryStore
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config

ACCOUNT = "test:zerodha"
MARKET = "account:zerodha"
QUIET_S = 25.0


@dataclass
class DeskAtKite:
    """One bot of 1,000 rupees on a share; time is the clock's, Kite's too."""

    venue: KiteVenue
    store: MemoryStore
    venues: FakeVenues
    folder: Path
    books: Books
    desk: OrderDesk
    reconciler: Reconciler

    @property
    def kite(self) -> Kite:
        """Kite itself."""
        return self.venue.kite

    @property
    def bot(self) -> Bot:
        """The bot as it stands."""
        return next(iter(self.books.bots.values()))

    @property
    def position(self) -> Position | None:
        """What the bot holds."""
        return self.books.positions.get(self.bot.id)

    def restart(self) -> None:
        """What a crash and a start leave: everything in memory made anew."""
        venue = self.venue
        venue.market, venue.broker = open_account(
            venue.kite, venue.clock, venue.options, quiet_period_s=QUIET_S
        )
        self.venues.only_market, self.venues.only_broker = venue.market, venue.broker
        self.books = Books(self.store, self.venue.clock)
        self.books.load()
        self.books.hold_until_checked()
        self.desk = OrderDesk(self.books, self.venues, Controls(self.books, self.folder / "KILL"))
        self.reconciler = Reconciler(self.books, self.desk, self.venues)

    def check(self) -> AccountState:
        """Reconcile the account."""
        return self.reconciler.check(ACCOUNT, self.venue.market, "test")

    def enter(self) -> Order:
        """Plan an entry decided now, and send it; the order as it stands then."""
        now, last = self.venue.clock.now(), self.kite.shares[f"NSE:{SYMBOL}"].price
        with self.books.writing() as writing:
            planned = self.desk.plan_entry(
                writing, self.bot, PositionSide.LONG, size=1.0, candle_time=now, decided_at=now,
                last=last, instrument=self.venue.market.instrument(SYMBOL),
            )  # fmt: skip
        self.advance()
        return self.order(planned.client_id)

    def close(self) -> None:
        """Ask for the position to be closed."""
        self.desk.close_position(self.bot.id, self.venue.market, "signal")

    def advance(self, seconds: float = 0, times: int = 1) -> None:
        """Let time pass and take every order one step on, so often."""
        for _ in range(times):
            self.venue.clock.advance(seconds)
            self.desk.advance(self.bot.id, self.venue.market)

    def order(self, client_id: str) -> Order:
        """One order of the books."""
        with self.store.reading() as tx:
            return tx.orders.get(client_id)

    def orders(self, purpose: Purpose) -> list[Order]:
        """Orders of the books, oldest first."""
        with self.store.reading() as tx:
            return [order for order in tx.orders.select() if order.purpose is purpose]

    def check_agreement(self) -> None:
        """Shares agree, and no order is doubled, lost or in doubt."""
        held = self.kite.holdings.get(SYMBOL, Decimal(0)) + self.kite.day_quantity(SYMBOL, "CNC")
        assert self.books.totals[ACCOUNT].get(SYMBOL, Decimal(0)) == held
        tags = [order.tag for order in self.kite.orders.values() if order.tag]
        assert len(tags) == len(set(tags)), "an order was accepted twice"
        with self.store.reading() as tx:
            assert not [one for one in tx.orders.select() if one.state is OrderState.UNKNOWN]


@contextmanager
def desk_at_kite(folder: Path, **settings: Any) -> Iterator[DeskAtKite]:
    """A reconciled account with one running bot; ``settings`` are the bot's."""
    with kite_venue() as venue:
        store = MemoryStore(venue.clock.now)
        books = Books(store, venue.clock)
        fields: dict[str, Any] = {
            "market": MARKET, "symbol": SYMBOL, "amount": Decimal(1000),
            "stop_loss": None, "take_profit": None,
        }  # fmt: skip
        bot = sample_bot(config(**(fields | settings)), account_id=ACCOUNT)
        with books.writing() as writing:
            writing.add_bot(bot)
            writing.tx.put_instrument(MARKET, venue.market.instrument(SYMBOL))
        venues = FakeVenues(venue.market, venue.broker)
        desk = OrderDesk(books, venues, Controls(books, folder / "KILL"))
        reconciler = Reconciler(books, desk, venues)
        room = DeskAtKite(venue, store, venues, folder, books, desk, reconciler)
        room.restart()
        room.check()
        yield room
