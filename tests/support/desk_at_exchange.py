"""The order desk, its books and the reconciler over the loopback Binance, through ccxt itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.ccxt_spot import CcxtSpotBroker
from engine.domain.accounts import AccountState
from engine.domain.bots import Bot
from engine.domain.orders import Order, OrderState, Purpose
from engine.domain.positions import Position, PositionSide, Trade
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.order_desk import OrderDesk
from engine.services.reconcile import Reconciler
from tests.contract.exchange_venue import ExchangeVenue, exchange_venue, open_broker
from tests.fakes.clock import FakeClock
from tests.fakes.exchange import BinanceExchange
from tests.fakes.exchange.records import Order as VenueOrder
from tests.fakes.memory_store import MemoryStore
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config

ACCOUNT = "test:binance"
SYMBOL = "BTC/USDT"
QUIET_S = 25.0


@dataclass
class DeskAtExchange:
    """One bot of 1,000 USDT on BTC/USDT; time is the clock's, the exchange's too."""

    clock: FakeClock
    store: MemoryStore
    venue: ExchangeVenue
    venues: FakeVenues
    folder: Path
    books: Books
    desk: OrderDesk
    reconciler: Reconciler

    @property
    def exchange(self) -> BinanceExchange:
        """The exchange itself."""
        return self.venue.exchange

    @property
    def broker(self) -> CcxtSpotBroker:
        """The account's broker."""
        return self.venue.broker

    @property
    def bot(self) -> Bot:
        """The bot as it stands."""
        return next(iter(self.books.bots.values()))

    @property
    def position(self) -> Position | None:
        """What the bot holds."""
        return self.books.positions.get(self.bot.id)

    def restart(self) -> None:
        """What a crash and a start leave: everything in memory made anew from the store."""
        self.books = Books(self.store, self.clock)
        self.books.load()
        self.books.hold_until_checked()
        self._build()

    def _build(self) -> None:
        controls = Controls(self.books, self.folder / "KILL")
        self.desk = OrderDesk(self.books, self.venues, controls)
        self.reconciler = Reconciler(self.books, self.desk, self.venues)

    def check(self) -> AccountState:
        """Reconcile the account."""
        return self.reconciler.check(ACCOUNT, self.venue.market, "test")

    def enter(self) -> Order:
        """Plan an entry decided now, and send it; the order as it stands then."""
        now, quote = self.clock.now(), self.venue.market.quote(SYMBOL)
        with self.books.writing() as writing:
            planned = self.desk.plan_entry(
                writing, self.bot, PositionSide.LONG, size=1.0, candle_time=now, decided_at=now,
                last=quote.last, instrument=self.venue.market.instrument(SYMBOL),
            )  # fmt: skip
        self.advance()
        return self.order(planned.client_id)

    def close(self, reason: str = "signal") -> None:
        """Ask for the position to be closed."""
        self.desk.close_position(self.bot.id, self.venue.market, reason)

    def advance(self, seconds: float = 0, times: int = 1) -> None:
        """Let time pass and take every order one step on, so often."""
        for _ in range(times):
            self.clock.advance(seconds)
            self.desk.advance(self.bot.id, self.venue.market)

    def order(self, client_id: str) -> Order:
        """One order of the books."""
        with self.store.reading() as tx:
            return tx.orders.get(client_id)

    def orders(self, purpose: Purpose | None = None) -> list[Order]:
        """Orders of the books, oldest first."""
        with self.store.reading() as tx:
            found = tx.orders.select()
        return [order for order in found if purpose in (None, order.purpose)]

    def trades(self) -> list[Trade]:
        """Closed trades, oldest first."""
        with self.store.reading() as tx:
            return list(tx.trades.select())

    def kinds(self) -> list[str]:
        """The kinds of all events, oldest first."""
        with self.store.reading() as tx:
            return [event.kind for event in tx.events.select()]

    def accepted(self) -> list[VenueOrder]:
        """What the exchange took of us."""
        return [order for order in self.exchange.orders if order.client_id.startswith("qd-")]

    def check_agreement(self) -> None:
        """Both sides agree to the last digit, and nothing is doubled, lost or in doubt."""
        ids = [order.client_id for order in self.accepted()]
        assert len(ids) == len(set(ids)), "an order was accepted twice"
        books = {order.client_id: order for order in self.orders()}
        for taken in self.accepted():
            ours = books[taken.client_id]
            assert ours.filled == taken.executed, f"{taken.client_id}: fills were lost or doubled"
            assert ours.state is not OrderState.UNKNOWN
        totals = self.books.totals[ACCOUNT]
        for asset in ("BTC", "USDT", "BNB"):
            assert totals.get(asset, Decimal(0)) == self.exchange.balance(asset), asset
        assert self.exchange.imbalance() == {}


@contextmanager
def desk_at_exchange(
    folder: Path, open_account: Callable[..., Any] = open_broker, **settings: Any
) -> Iterator[DeskAtExchange]:
    """A reconciled account with one running bot; ``settings`` are the bot's."""
    clock = FakeClock()
    with exchange_venue(clock, open_account, quiet_period_s=QUIET_S) as venue:
        store = MemoryStore(clock.now)
        books = Books(store, clock)
        fields = {"market": "testnet:binance", "amount": Decimal(1000)} | settings
        bot = sample_bot(config(**fields), account_id=ACCOUNT)
        with books.writing() as writing:
            writing.add_bot(bot)
            writing.tx.put_instrument("testnet:binance", venue.market.instrument(SYMBOL))
        venues = FakeVenues(venue.market, venue.broker)
        room = DeskAtExchange(
            clock, store, venue, venues, folder, books,
            OrderDesk(books, venues, Controls(books, folder / "KILL")),
            Reconciler(books, OrderDesk(books, venues, Controls(books, folder / "KILL")), venues),
        )  # fmt: skip
        room.restart()
        room.check()
        yield room
