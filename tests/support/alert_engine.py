"""An engine that lives to be killed, for a day: fifty bots, and an SMS for all that they do.

They trade on the simulated market while a clock goes on by a quarter of an hour a step; what
happens is told through Twilio's SDK. The clock is a file, so that the next life goes on where this
one was killed, and whoever kills sees how late it is. Everything is the engine's own but for the
clock, the scheduler and the worker processes of strategies.
"""

import asyncio
import mmap
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any, cast
from zoneinfo import ZoneInfo

import twilio.rest  # noqa: F401  # a second; once, in the nursery
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.calendars.exchanges import ExchangeCalendars
from engine.adapters.market_data.simulated import SimulatedMarket
from engine.adapters.notify.registry import NotifierRegistry
from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.store import SqlStore
from engine.domain.alerts import (
    AlertKind,
    AlertState,
    Channel,
    ChannelKind,
    CrossDirection,
    PriceAlert,
)
from engine.domain.bots import ActiveHours, Bot, BotConfig, BotState, Desired
from engine.domain.candles import Candles
from engine.domain.channel_forms import checked_fields
from engine.domain.decisions import Intent
from engine.domain.delivery_rules import OPEN
from engine.domain.losses import LossRules
from engine.domain.records import KillLevel, Level
from engine.errors import StrategyError
from engine.ports import Broker, MarketData, Store, Transaction
from engine.services.alert_rounds import AlertRounds
from engine.services.books import Books
from engine.services.bots import BotService
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.conclude import Concluder
from engine.services.controls import Controls
from engine.services.deliver_alerts import AlertSender
from engine.services.escalate_alerts import Escalator
from engine.services.gateway import Gateway
from engine.services.instrument_book import InstrumentBook
from engine.services.lanes import Lanes
from engine.services.market_hours import MarketHours
from engine.services.order_desk import OrderDesk
from engine.services.outbox import Outbox
from engine.services.price_alerts import PriceAlertWatcher
from engine.services.pulse import Pulse
from engine.services.registry import MarketKind, VenueRegistry
from engine.services.route_alerts import AlertRouter
from engine.services.run_cycle import CycleRunner
from engine.services.send_alert import SendAlert
from engine.services.send_rates import SendRates
from engine.services.sleep import SleepKeeper
from engine.services.summaries import Summaries
from engine.services.supervise import Supervisor
from engine.services.tell_start import tell_start
from engine.services.track_equity import EquityKeeper
from engine.services.watch_losses import LossWatcher
from engine.services.watch_positions import PositionWatcher
from engine.settings import Settings
from tests.fakes.strategy_host import FakeStrategyHost
from tests.fakes.twilio_server import settings as twilio_settings

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=15)
DAY_STEPS = 24 * 4
AFTER_STEPS = 24
"""How long what is still on its way may take after the day."""

BOTS = 50
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "DOGE/USDT")
TIMEFRAMES = {"1h": 4, "2h": 8}
"""With their steps."""
RESUMED, STOPPED, BROKEN, SLEEPER = 3, 5, 7, 11
"""Numbers of bots to which something happens."""

EVERYTHING = tuple(AlertKind)
RULES = LossRules(daily_loss=Decimal("0.004"), drawdown=Decimal("0.01"))
DOUBTS_AFTER = BEGIN + timedelta(hours=5)


def bot_id(number: int) -> str:
    """Of a bot by its number."""
    return f"b{number:07}"


def open_store(folder: Path) -> SqlStore:
    """The database of a day."""
    return SqlStore.open(f"sqlite:///{folder / 'state.db'}")


class StepFile:
    """How many steps the clock has made, seen by every process."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)

    @property
    def count(self) -> int:
        """So far."""
        return int.from_bytes(self._map[:8], "little")

    @count.setter
    def count(self, count: int) -> None:
        self._map[:8] = count.to_bytes(8, "little")

    def now(self) -> datetime:
        """The time it is."""
        return BEGIN + self.count * STEP


class MortalStore:
    """A store whose process is killed right after its ``commits``-th commit from step ``at`` on."""

    def __init__(self, store: SqlStore, steps: StepFile, at: int, commits: int) -> None:
        self._store = store
        self._steps = steps
        self._at = at
        self._left = commits
        self._lock = Lock()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """As the store's, and then perhaps the end."""
        with self._store.transaction() as tx:
            yield tx
        with self._lock:
            self._left -= self._steps.count >= self._at
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass(frozen=True)
class StepClock:
    """Implements ``Clock``."""

    steps: StepFile

    def now(self) -> datetime:
        """Aware UTC."""
        return self.steps.now()

    def monotonic(self) -> float:
        """As far as the steps have come."""
        return self.steps.count * STEP.total_seconds()


class Traders(FakeStrategyHost):
    """Buys after a candle that has risen; one strategy breaks in the morning."""

    def history(self, strategy_id: str, params: Mapping[str, object]) -> int:
        """Two candles are enough."""
        return 2

    def decide(self, strategy_id: str, params: Mapping[str, object], candles: Candles) -> Intent:
        """By the newest candle alone."""
        if strategy_id == "broken" and candles.last_close_time > DOUBTS_AFTER:
            raise StrategyError("division by zero")
        rises = bool(candles.close[-1] > candles.open[-1])
        return Intent(enter_long=rises, exit_long=not rises, reason="the candle", confidence=1.0)


class NoJobs:
    """What would schedule bots: here every step looks at all of them."""

    def add(self, bot: Bot) -> None:
        """Nothing."""

    def remove(self, bot_id: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Act:
    """What a person does at a time; ``actor`` in the audit trail says that it was done."""

    actor: str
    at: time
    do: Callable[[str], object]


class Day:
    """One life of the engine."""

    def __init__(self, folder: Path, url: str, dies_at: int = 0, commits: int = -1) -> None:
        """It dies after ``commits`` commits from step ``dies_at`` on; -1: it does not."""
        self.steps = StepFile(folder / "steps")
        self.clock = clock = StepClock(self.steps)
        self.database = open_store(folder)
        mortal = MortalStore(self.database, self.steps, dies_at, commits)
        self.store = store = cast("Store", mortal)
        self.books = books = Books(store, clock)
        self.lanes, self.prices = Lanes(), PriceBoard()
        self.market = SimulatedMarket(7, clock)
        self.venues = venues = self._venues()
        self.controls = controls = Controls(books, folder / "KILL")
        gateway = Gateway(books, controls, Settings(data=folder).limits, venues.is_stepped)
        self.gateway, desk = gateway, OrderDesk(books, venues, controls, gateway)
        sleep = SleepKeeper(books, MarketHours(ExchangeCalendars()))
        feed = CandleFeed(self.lanes)
        self.watcher = PositionWatcher(books, desk, venues, self.prices, self.lanes, sleep, feed)
        host = Traders({})
        self.runner = CycleRunner(
            books, Concluder(books, desk, controls), desk, self.watcher, venues, host, feed,
            self.prices, self.lanes, may_decide=sleep.may_decide,
        )  # fmt: skip
        pulse = Pulse(started_at=clock.now(), heartbeat_at=clock.now())
        self.supervisor = Supervisor(
            books, desk, controls, venues, self.lanes, pulse, NoJobs(), lambda _bot_id: None, sleep
        )
        self._build_alerts(url)
        bots = BotService(books, venues, host, lambda: None)
        self.acts = self._acts(bots)

    def _venues(self) -> VenueRegistry:
        book = SqlPaperBook(self.database.database)

        def paper(account_id: str, market: MarketData) -> Broker:
            return PaperBroker(
                account_id, market, book, opening_balance=Decimal(100_000), fee_bps=Decimal(10),
                slippage_bps=Decimal(1), volume_cap=Decimal(1),
            )  # fmt: skip

        kinds = {"simulated": MarketKind(lambda _id: self.market, lambda: ["simulated"])}
        return VenueRegistry(kinds, {"paper": paper})

    def _build_alerts(self, url: str) -> None:
        """What raises alerts, and what gets them to people."""
        books, clock, zone = self.books, self.clock, ZoneInfo("UTC")
        instruments = InstrumentBook(self.store)
        self.equity = EquityKeeper(books, self.prices, instruments, self.venues)
        common = (books, self.equity, instruments, self.venues)
        self.losses = LossWatcher(*common, RULES, zone)
        self.summaries = Summaries(*common, zone)
        self.price_alerts = PriceAlertWatcher(books, self.venues, self.prices, self.lanes)
        registry = NotifierRegistry(twilio_url=url)
        notifier = registry.make(
            ChannelKind.SMS, *checked_fields(ChannelKind.SMS, twilio_settings())
        )
        router = AlertRouter(self.store, clock, "UTC")
        self.outbox = Outbox(books, "UTC")
        rates = SendRates(MovingWindowRateLimiter(MemoryStorage()))
        sender = AlertSender(books, self.outbox, lambda _channel: notifier, rates)
        self.rounds = AlertRounds(
            router, Escalator(self.store, clock, router), self.outbox, sender, self.lanes,
            asyncio.get_running_loop(),
        )  # fmt: skip

    def _acts(self, bots: BotService) -> tuple[Act, ...]:
        everything = KillLevel.PAUSE_ENTRIES
        send = SendAlert(self.books).send
        return (
            Act("pauses", time(8), lambda actor: bots.pause(bot_id(RESUMED), actor)),
            Act("resumes", time(9), lambda actor: bots.start(bot_id(RESUMED), actor)),
            Act("pulls", time(10), lambda actor: self.controls.set(everything, actor)),
            Act("releases", time(10, 30), lambda actor: self.controls.set(KillLevel.NONE, actor)),
            Act("writes", time(15), lambda actor: send(Level.INFO, "Lunch is over.", actor)),
            Act(
                "stops",
                time(20),
                lambda actor: bots.stop(bot_id(STOPPED), actor, close_position=True),
            ),
        )

    # --- a life ---------------------------------------------------------------------------------

    async def live(self) -> None:
        """Start as an engine does, and go on to the end of the day and of what is to be told."""
        self.books.load()
        if not self.books.bots:
            self._begin()
        self.books.hold_until_checked()
        self.books.unchecked.clear()  # nobody else trades here
        self.controls.load()
        self.gateway.load()
        self.equity.load()
        tell_start(self.books)
        first = self.steps.count
        while self.steps.count < DAY_STEPS + AFTER_STEPS:
            await self._step(is_first=self.steps.count == first)
            if self.steps.count > DAY_STEPS and not self._has_more():
                return
            self.steps.count += 1

    async def _step(self, *, is_first: bool) -> None:
        """What the scheduler would begin within a step, each once."""
        self._act()
        await self._until_done(self.supervisor.reconcile())
        await self._until_done(self.watcher.watch())
        for bot in list(self.books.bots.values()) if self.steps.count < DAY_STEPS else ():
            if is_first or self.steps.count % TIMEFRAMES[bot.config.timeframe] == 0:
                await self._until_done(self.runner.run(bot.id))
        self.equity.sample()
        self.losses.check()
        self.summaries.tell_due()
        await self._until_done(self.price_alerts.watch())
        await self._until_done(self.rounds.begin_due())

    async def _until_done(self, work: Awaitable[None]) -> None:
        """And everything that it has begun."""
        await work
        while begun := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(begun)

    def _act(self) -> None:
        for act in self.acts:
            if self.clock.now() < BEGIN + timedelta(hours=act.at.hour, minutes=act.at.minute):
                continue
            with self.store.reading() as tx:
                is_done = tx.audit.count(actor=act.actor) > 0
            if not is_done:
                act.do(act.actor)

    def _has_more(self) -> bool:
        """Whether a message is still on its way, or about to be."""
        with self.store.reading() as tx:
            return bool(tx.deliveries.count(state=OPEN) or tx.alerts.count(state=AlertState.NEW))

    # --- how it begins --------------------------------------------------------------------------

    def _begin(self) -> None:
        """The bots, the channel and a price alert, in one transaction."""
        now = self.clock.now()
        with self.books.writing() as writing:
            for number in range(BOTS):
                writing.add_bot(self._bot(number, now))
            for symbol in SYMBOLS:
                writing.tx.put_instrument("simulated", self.market.instrument(symbol))
            writing.tx.channels.add(
                Channel(
                    id="c1", name="phone", kind=ChannelKind.SMS, kinds=EVERYTHING,
                    settings=twilio_settings(), most_per_minute=600, created_at=now,
                    updated_at=now,
                )
            )  # fmt: skip
            level = self.market.quote("BTC/USDT").last * Decimal("1.002")
            writing.tx.price_alerts.add(
                PriceAlert(
                    id="p1", market="simulated", symbol="BTC/USDT", price=level, created_at=now,
                    direction=CrossDirection.ABOVE,
                )
            )  # fmt: skip

    def _bot(self, number: int, now: datetime) -> Bot:
        hours = ActiveHours(start=time(6), end=time(18)) if number == SLEEPER else None
        config = BotConfig(
            name=f"bot-{number:02}", market="simulated", symbol=SYMBOLS[number % len(SYMBOLS)],
            strategy="broken" if number == BROKEN else "rising", interval_s=60,
            timeframe=list(TIMEFRAMES)[number % len(TIMEFRAMES)], amount=Decimal(1_000),
            stop_loss=Decimal("0.003"), take_profit=Decimal("0.004"), active_hours=hours,
        )  # fmt: skip
        return Bot(
            id=bot_id(number), config=config, account_id="paper:simulated",
            state=BotState.STARTING, desired=Desired.RUNNING, created_at=now, updated_at=now,
        )  # fmt: skip
