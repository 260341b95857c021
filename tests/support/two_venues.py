"""Two markets that list the same instrument, a paper account on each, and all of the trading core:
registry, brokers, lanes and services are real, the store too where it is asked for; only prices,
time and the strategy are scripted.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.store import SqlStore
from engine.domain.bots import Bot, BotState
from engine.domain.decisions import Decision, Intent
from engine.domain.instruments import Quote
from engine.domain.orders import Order, Purpose
from engine.domain.positions import Position, Trade
from engine.domain.routes import RoutingConfig
from engine.ports import Broker, MarketData, PaperBook, Store
from engine.services.account_ledger import AccountLedger
from engine.services.books import Books
from engine.services.bots import BotService
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.check_accounts import AccountChecks
from engine.services.conclude import Concluder
from engine.services.controls import Controls
from engine.services.gateway import Gateway
from engine.services.instrument_book import InstrumentBook
from engine.services.lanes import Lanes
from engine.services.market_hours import MarketHours
from engine.services.order_desk import OrderDesk
from engine.services.pulse import Pulse
from engine.services.reconcile import Reconciler
from engine.services.registry import MarketKind, VenueRegistry
from engine.services.route_entries import EntryRouter
from engine.services.run_cycle import CycleRunner
from engine.services.sleep import SleepKeeper
from engine.services.supervise import Supervisor
from engine.services.watch_positions import PositionWatcher
from engine.settings import Settings
from tests.fakes.calendars import FakeCalendars
from tests.fakes.clock import FakeClock
from tests.fakes.market import BTC, FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.paper_book import FakePaperBook
from tests.fakes.strategy_host import FakeStrategyHost
from tests.unit.samples import config

NEAR, FAR = "near", "far"
FAR_BTC = BTC.model_copy(update={"symbol": "BTCUSDT"})
LONG = Intent(enter_long=True, reason="up")
OUT = Intent(exit_long=True, reason="enough")
FEES = {NEAR: Decimal(10), FAR: Decimal(10)}


class SlowMarket(FakeMarket):
    """Answers quotes only while ``is_open`` is set; ``asked`` counts them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_open = threading.Event()
        self.is_open.set()
        self.asked = 0

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """As its parent, once it may."""
        self.asked += 1
        self.is_open.wait(60)
        return super().quote(symbol, seen_price=seen_price)


class _Jobs:
    def add(self, bot: Bot) -> None:
        """Cycles are run by hand."""

    def remove(self, bot_id: str) -> None:
        """There is no job."""


class TwoVenues:
    """The core with one bot at home on ``near`` whose entries may go to ``far``."""

    def __init__(self, folder: Path, *, deadline_s: float = 2.0, is_durable: bool = False) -> None:
        self.folder, self.deadline_s = folder, deadline_s
        self.clock = FakeClock()
        self.near = SlowMarket(self.clock, market_id=NEAR)
        self.far = SlowMarket(self.clock, market_id=FAR, instruments=[FAR_BTC])
        self.near.history("BTC/USDT", [100.0] * 60)
        self._prices: dict[str, str] = {}
        self.price(near="100", far="100")
        self.store: Store = MemoryStore(self.clock.now)
        self.book: PaperBook = FakePaperBook()
        if is_durable:
            self.store = store = SqlStore.open(f"sqlite:///{folder / 'state.db'}")
            self.book = SqlPaperBook(store.database)
        self.restart()

    def restart(self) -> None:
        """Everything in memory made anew from the store: a crash and a start, or the first."""

        def paper(account_id: str, market: MarketData) -> Broker:
            return PaperBroker(account_id, market, self.book, fee_bps=FEES[market.market_id],
                               slippage_bps=Decimal(0))  # fmt: skip

        self.venues = VenueRegistry(
            {NEAR: MarketKind(lambda _: self.near, lambda: [NEAR]),
             FAR: MarketKind(lambda _: self.far, lambda: [FAR])},
            {"paper": paper},
        )  # fmt: skip
        self.lanes = Lanes()
        self.books = books = Books(self.store, self.clock)
        books.load()
        books.hold_until_checked()
        self.controls = Controls(books, self.folder / "KILL")
        self.controls.load()
        prices, instruments = PriceBoard(), InstrumentBook(self.store)
        self.ledger = AccountLedger(books, instruments)
        gateway = Gateway(books, self.controls, Settings().limits, self.venues.is_stepped)
        gateway.load()
        self.desk = OrderDesk(books, self.venues, self.controls, gateway)
        self.watcher = PositionWatcher(books, self.desk, self.venues, prices, self.lanes)
        self.reconciler = Reconciler(books, self.desk, self.venues, ledger=self.ledger)
        self.checks = AccountChecks(
            books, self.reconciler, self.venues, self.lanes, self.desk.links, 60
        )
        self.router = EntryRouter(
            books, self.venues, self.controls, self.desk.links, self.lanes,
            self.reconciler.is_checked, self.ledger.free_cash, deadline_s=self.deadline_s,
        )  # fmt: skip
        self.host = FakeStrategyHost()
        self.runner = CycleRunner(
            books, Concluder(books, self.desk, self.controls, self.ledger.free_cash), self.desk,
            self.watcher, self.venues, self.host, CandleFeed(self.lanes), prices, self.lanes,
            self.router,
        )  # fmt: skip
        now = self.clock.now()
        self.supervisor = Supervisor(
            books, self.desk, self.controls, self.venues, self.lanes, Pulse(now, now), _Jobs(),
            lambda _bot_id: None, SleepKeeper(books, MarketHours(FakeCalendars())),
            self.reconciler.ensure_checked,
        )  # fmt: skip
        self.bots = BotService(books, self.venues, self.host, lambda: None)

    def close(self) -> None:
        """End threads and the store."""
        self.near.is_open.set()
        self.far.is_open.set()
        self.lanes.close()
        self.store.close()

    # --- what a test does -----------------------------------------------------------------------

    def price(self, **prices: str) -> None:
        """What the markets ask and bid."""
        self._prices |= prices
        for name, price in prices.items():
            market = self.near if name == NEAR else self.far
            market.set_price("BTC/USDT" if name == NEAR else "BTCUSDT", price)

    def run(self, *steps: Callable[[], Awaitable[Any]]) -> None:
        """Service calls, and all that they begin."""

        async def whole() -> None:
            for step in steps:
                await step()
            await self.supervisor.finish(5)
            await self.checks.finish(5)
            while self.far.is_open.is_set():
                others = asyncio.all_tasks() - {asyncio.current_task()}
                if not others:
                    return
                await asyncio.wait(others, timeout=5)

        asyncio.run(whole())

    def start(self, **routing: Any) -> Bot:
        """A running bot whose accounts are reconciled."""
        rules = {"markets": (FAR,), "latency_bps_per_s": Decimal(0), **routing}
        self.bots.create(
            config(market=NEAR, amount=Decimal(1000), routing=RoutingConfig(**rules)), "test"
        )
        self.bots.start(self.bot.id, "test")
        self.settle()
        assert self.bot.state is BotState.RUNNING
        return self.bot

    def settle(self) -> None:
        """Starts what is wanted, and checks what is due."""
        self.run(self.supervisor.reconcile, self.checks.begin_due)

    def decide(self, *intents: Intent) -> None:
        """A minute passes and a cycle runs, for each intent."""
        for intent in intents:
            self.run(lambda intent=intent: self.cycle(intent))  # type: ignore[misc]

    async def cycle(self, intent: Intent) -> None:
        """The same for one, of several in one event loop."""
        self.near.add_bar("BTC/USDT", 100, 100, 100, 100)
        self.price(**self._prices)
        self.host.script.append(intent)
        await self.runner.run(self.bot.id)

    # --- what it sees ---------------------------------------------------------------------------

    @property
    def bot(self) -> Bot:
        """The one bot."""
        return next(iter(self.books.bots.values()))

    @property
    def position(self) -> Position | None:
        """What it holds."""
        return self.books.positions.get(self.bot.id)

    def orders(self, purpose: Purpose | None = None) -> list[Order]:
        """Oldest first."""
        with self.store.reading() as tx:
            found = tx.orders.select()
        return [one for one in found if purpose is None or one.purpose is purpose]

    def trades(self) -> list[Trade]:
        """Oldest first."""
        with self.store.reading() as tx:
            return list(tx.trades.select())

    def decisions(self) -> list[Decision]:
        """Oldest first."""
        with self.store.reading() as tx:
            return list(tx.decisions.select())
