"""The order desk, its books and the reconciler over the loopback Alpaca, through alpaca-py."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.domain.accounts import AccountState
from engine.domain.bots import Bot
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import Order, OrderState, Purpose
from engine.domain.positions import Position, PositionSide, Trade
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.order_desk import OrderDesk
from engine.services.protect import Protector
from engine.services.reconcile import Reconciler
from tests.contract.alpaca_account import Account, open_account
from tests.contract.alpaca_venue import SYMBOLS
from tests.fakes.memory_store import MemoryStore
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config

ACCOUNT_ID, MARKET_ID = "test:alpaca", "account:alpaca"


@dataclass
class DeskAtAlpaca:
    """One bot of 1,000 USD on one symbol; time is the clock's, Alpaca's too."""

    account: Account
    symbol: str
    store: MemoryStore
    venues: FakeVenues
    books: Books
    desk: OrderDesk
    reconciler: Reconciler
    protector: Protector

    @property
    def bot(self) -> Bot:
        """The bot as it stands."""
        return next(iter(self.books.bots.values()))

    @property
    def position(self) -> Position | None:
        """What the bot holds."""
        return self.books.positions.get(self.bot.id)

    def check(self) -> AccountState:
        """Reconcile the account."""
        return self.reconciler.check(ACCOUNT_ID, self.account.market, "test")

    def enter(self) -> Order:
        """Plan an entry decided now, and send it; the order as it stands then."""
        now, market = self.account.clock.now(), self.account.market
        with self.books.writing() as writing:
            planned = self.desk.plan_entry(
                writing, self.bot, PositionSide.LONG, size=1.0, candle_time=now, decided_at=now,
                last=market.quote(self.symbol).last, instrument=market.instrument(self.symbol),
            )  # fmt: skip
        self.advance()
        return self.order(planned.client_id)

    def close(self, reason: str = "signal") -> None:
        """Ask for the position to be closed."""
        self.desk.close_position(self.bot.id, self.account.market, reason)

    def advance(self, seconds: float = 0, times: int = 1) -> None:
        """Let time pass; every order and what protects the position goes one step on, so often."""
        for _ in range(times):
            self.account.clock.advance(seconds)
            self.desk.advance(self.bot.id, self.account.market)
            self.protector.tend(self.bot.id, self.account.market)

    def order(self, client_id: str) -> Order:
        """One order of the books."""
        with self.store.reading() as tx:
            return tx.orders.get(client_id)

    def orders(self, purpose: Purpose) -> list[Order]:
        """Orders of the books, oldest first."""
        with self.store.reading() as tx:
            return [order for order in tx.orders.select() if order.purpose is purpose]

    def trades(self) -> list[Trade]:
        """Closed trades, oldest first."""
        with self.store.reading() as tx:
            return list(tx.trades.select())

    def check_agreement(self) -> None:
        """Both sides agree to the last digit, and nothing is doubled, lost or in doubt."""
        exchange = self.account.exchange
        totals = self.books.totals[ACCOUNT_ID]
        base = exchange.asset(self.symbol).base
        assert totals.get(base, Decimal(0)) == exchange.matching.positions.get(base, Decimal(0))
        assert totals["USD"] == exchange.matching.cash
        ids = [order.client_id for order in exchange.orders]
        assert len(ids) == len(set(ids))
        with self.store.reading() as tx:
            assert all(order.state is not OrderState.UNKNOWN for order in tx.orders.select())


@contextmanager
def desk_at_alpaca(
    folder: Path, kind: InstrumentKind = InstrumentKind.STOCK, **settings: Any
) -> Iterator[DeskAtAlpaca]:
    """A reconciled account with one running bot; ``settings`` are the bot's."""
    symbol = SYMBOLS[kind]
    with open_account(kind) as account:
        clock, market = account.clock, account.market
        store = MemoryStore(clock.now)
        books = Books(store, clock)
        fields = {"market": MARKET_ID, "symbol": symbol, "amount": Decimal(1000)} | settings
        bot = sample_bot(config(**fields), account_id=ACCOUNT_ID)
        with books.writing() as writing:
            writing.add_bot(bot)
            writing.tx.put_instrument(MARKET_ID, market.instrument(symbol))
        venues = FakeVenues(market, account.broker)
        books.load()
        books.hold_until_checked()
        desk = OrderDesk(books, venues, Controls(books, folder / "KILL"))
        room = DeskAtAlpaca(
            account, symbol, store, venues, books, desk, Reconciler(books, desk, venues),
            Protector(books, venues, desk),
        )  # fmt: skip
        room.check()
        yield room
