"""The services of an engine over a market of stocks, on a clock that is turned by hand."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from engine.adapters.brokers.paper import PaperBroker
from engine.domain.bots import Bot, BotConfig
from engine.domain.decisions import Decision
from engine.domain.positions import Trade
from engine.domain.records import Event
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.close_checks import CloseChecks
from engine.services.conclude import Concluder
from engine.services.controls import Controls
from engine.services.fallback_candles import FallbackCandles
from engine.services.lanes import Lanes
from engine.services.market_hours import MarketHours
from engine.services.order_desk import OrderDesk
from engine.services.pulse import Pulse
from engine.services.run_cycle import CycleRunner
from engine.services.sleep import SleepKeeper
from engine.services.supervise import Supervisor
from engine.services.warm_up import WarmUp
from engine.services.watch_positions import PositionWatcher
from tests.fakes.calendars import FakeCalendars
from tests.fakes.memory_store import MemoryStore
from tests.fakes.paper_book import FakePaperBook
from tests.fakes.session_market import SessionMarket
from tests.fakes.strategy_host import FakeStrategyHost
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot as sample_bot


class Jobs:
    """The bots that have a job."""

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}

    def add(self, bot: Bot) -> None:
        """Schedule."""
        self.bots[bot.id] = bot

    def remove(self, bot_id: str) -> None:
        """Take out."""
        self.bots.pop(bot_id, None)


class StockDays:
    """One bot and all that decides for it; ``to`` lets the days pass."""

    def __init__(
        self,
        folder: Path,
        market: SessionMarket,
        config: BotConfig,
        fallbacks: FallbackCandles | None = None,
        *,
        enters_on_fallback: bool = False,
    ) -> None:
        self.market, self.clock = market, market.clock
        self.store = MemoryStore(self.clock.now)
        broker = PaperBroker("paper:stocks", market, FakePaperBook(),
                             opening_balance=Decimal(100_000), slippage_bps=Decimal(0))  # fmt: skip
        venues = FakeVenues(market, broker)
        self.books = books = Books(self.store, self.clock)
        controls = Controls(books, folder / "KILL")
        desk = OrderDesk(books, venues, controls)
        self.lanes = lanes = Lanes()
        self.host = FakeStrategyHost()
        prices = PriceBoard()
        hours = MarketHours(FakeCalendars())
        self.sleep = SleepKeeper(books, hours)
        self.feed = CandleFeed(lanes, hours, fallbacks)
        self._watcher = PositionWatcher(books, desk, venues, prices, lanes, self.sleep, self.feed)
        self._runner = CycleRunner(
            books, Concluder(books, desk, controls, enters_on_fallback=enters_on_fallback), desk,
            self._watcher, venues, self.host, self.feed, prices, lanes,
            may_decide=self.sleep.may_decide,
        )  # fmt: skip
        self._jobs = Jobs()
        self._checks: list[str] = []
        self._supervisor = Supervisor(
            books, desk, controls, venues, lanes, Pulse(self.clock.now(), self.clock.now()),
            self._jobs, self._checks.append, self.sleep,
        )  # fmt: skip
        self._warm_up = WarmUp(books, venues, self.host, self.feed, lanes, self.sleep)
        self._close_checks = CloseChecks(books, self.feed, self.sleep, self._checks.append)
        self.loop = asyncio.Runner()
        bot = sample_bot(config, account_id="paper:stocks")
        with books.writing() as writing:
            writing.add_bot(bot)
            writing.tx.put_instrument(config.market, market.instrument(config.symbol))

    @property
    def bot(self) -> Bot:
        """The bot, as it stands."""
        return next(iter(self.books.bots.values()))

    def to(self, moment: datetime, step_s: int = 60) -> None:
        """Let time pass up to ``moment``; the engine does what is due after each step."""
        while self.clock.now() < moment:
            left = moment - self.clock.now()
            self.clock.advance(min(timedelta(seconds=step_s), left).total_seconds())
            self.tick()

    def tick(self) -> None:
        """What the engine's jobs do at one moment."""
        self.loop.run(self._tick())

    async def _tick(self) -> None:
        await self._supervisor.reconcile()
        await self._supervisor.finish(10)
        await self._close_checks.begin_due()
        await self._warm_up.begin_due()
        await asyncio.gather(*self._warm_up._tasks)
        now_s = int(self.clock.now().timestamp())
        due = [one.id for one in self._jobs.bots.values() if now_s % one.config.interval_s == 0]
        asked, self._checks[:] = set(self._checks), []
        for bot_id in asked | set(due):
            await self._runner.run(bot_id)
        await self._watcher.watch()
        await asyncio.gather(*self._watcher._looking.values())
        await asyncio.gather(*self._watcher._acting.values())

    def decisions(self) -> list[Decision]:
        """All, oldest first."""
        with self.store.reading() as tx:
            return list(tx.decisions.select())

    def trades(self) -> list[Trade]:
        """All, oldest first."""
        with self.store.reading() as tx:
            return list(tx.trades.select())

    def events(self, kind: str = "") -> list[Event]:
        """All of a kind, oldest first."""
        with self.store.reading() as tx:
            return [event for event in tx.events.select() if event.kind.startswith(kind)]

    def close(self) -> None:
        """Give threads back."""
        self.loop.close()
        self.lanes.close()
        self.store.close()


@contextmanager
def stock_days(
    folder: Path,
    market: SessionMarket,
    config: BotConfig,
    fallbacks: FallbackCandles | None = None,
    *,
    enters_on_fallback: bool = False,
) -> Iterator[StockDays]:
    """The services, until the end of the block."""
    days = StockDays(folder, market, config, fallbacks, enters_on_fallback=enters_on_fallback)
    try:
        yield days
    finally:
        days.close()
