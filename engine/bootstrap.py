"""The composition root: the only module that chooses adapters and plugs everything together."""

import asyncio
import logging
import os
import platform
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from engine.adapters.clock.system import SystemClock
from engine.adapters.reports.html_report import HtmlReports
from engine.adapters.store.store import SqlStore
from engine.adapters.strategies.host import StrategyHost
from engine.adapters.strategies.rule_files import RuleFiles
from engine.api.account_desk import AccountDesk
from engine.api.app import create_app
from engine.api.auth import ensure_token
from engine.api.candle_desk import CandleDesk
from engine.api.chart import ChartMaker
from engine.api.control_desk import ControlDesk
from engine.api.facade import EngineFacade
from engine.api.market_data_desk import MarketDataDesk
from engine.api.performance_desk import PerformanceDesk
from engine.api.rule_desk import RuleDesk
from engine.api.server import ApiServer, bind_loopback
from engine.api.settings_view import EDITABLE, PREFIX, SettingsDesk, check_setting
from engine.api.study_desk import StudyDesk
from engine.api.venue_account_desk import VenueAccountDesk
from engine.api.views import Views
from engine.bootstrap_accounts import build_connections, build_vault
from engine.bootstrap_backtests import build_backtests
from engine.bootstrap_candles import (
    build_candle_sources,
    build_candles,
    spawner,
)  # fmt: skip
from engine.bootstrap_market_data import build_market_data
from engine.bootstrap_studies import build_studies
from engine.bootstrap_venues import build_venues
from engine.domain.conversion import read_equals
from engine.domain.records import Level
from engine.domain.venue_accounts import VenueAccount
from engine.errors import ConfigError, QuarterdeckError
from engine.jobs import Job, Scheduler
from engine.locks import FolderLock
from engine.logs import configure_logs
from engine.ports import Store
from engine.services.account_ledger import AccountLedger
from engine.services.books import Books
from engine.services.bots import BotService
from engine.services.candle_downloads import CandleDownloads
from engine.services.candle_feed import PriceBoard
from engine.services.check_accounts import AccountChecks
from engine.services.check_bots import Checks
from engine.services.close_checks import CloseChecks
from engine.services.controls import Controls
from engine.services.convert import Converter, Terms
from engine.services.feed_calls import FeedCalls
from engine.services.findings import Rules
from engine.services.gateway import Gateway
from engine.services.hold_lease import LeaseKeeper
from engine.services.housekeeping import Housekeeper
from engine.services.instrument_book import InstrumentBook
from engine.services.lane_calls import LaneCalls
from engine.services.lanes import Lanes
from engine.services.latch_file import LATCH_NAME
from engine.services.listen_venues import Listening
from engine.services.manual_orders import ManualOrders
from engine.services.order_desk import OrderDesk
from engine.services.performance import PerformanceReader
from engine.services.pulse import Pulse
from engine.services.reconcile import Reconciler
from engine.services.registry import VenueRegistry
from engine.services.route_entries import EntryRouter
from engine.services.rules import RuleService
from engine.services.run_cycle import CycleRunner
from engine.services.supervise import Supervisor
from engine.services.track_equity import EquityKeeper
from engine.services.venue_accounts import VenueAccounts
from engine.services.warm_up import WarmUp
from engine.services.watch_positions import PositionWatcher
from engine.settings import Settings

log = logging.getLogger("quarterdeck.engine")

STOP_GRACE_S = 3.0
OK, FAILED, REFUSED = 0, 1, 2
BOOKKEEPING_LANE = "bookkeeping"
CONTROLS_LANE = "controls"


@dataclass
class Ending:
    """Why and with which exit code the engine stops; shared by all who may end it."""

    loop: asyncio.AbstractEventLoop
    asked: asyncio.Event
    exit_code: int = OK

    def stop(self, actor: str) -> None:
        """A graceful stop; from any thread."""
        log.info("stopping: asked by %s", actor)
        self.loop.call_soon_threadsafe(self.asked.set)

    def give_up(self, reason: str) -> None:
        """Stop at once because this engine may not go on; from any thread."""
        log.error("stopping: %s", reason)
        self.exit_code = FAILED
        self.loop.call_soon_threadsafe(self.asked.set)


def run_engine(settings: Settings) -> int:
    """Run the engine until it is asked to stop; the process's exit code.

    0 after a graceful stop, 1 when it had to give up, 2 with one sentence on stderr when it
    cannot start as things are.
    """
    lock = FolderLock(settings.data)
    try:
        lock.acquire()
        listener = bind_loopback(settings.api_port)
        token = ensure_token(settings.token_file)
        redaction = configure_logs(settings.logs, settings.log_level)
        for secret in (token, *settings.secrets):
            redaction.hide(secret)
        store = SqlStore.open(settings.store_url)
    except QuarterdeckError as error:
        sys.stderr.write(f"{error.message}\n")
        lock.release()
        return REFUSED
    try:
        settings = _stored(settings, store)
        return asyncio.run(_run(settings, store, token, listener, redaction.hide))
    except QuarterdeckError as error:
        sys.stderr.write(f"{error.message}\n")
        return REFUSED
    finally:
        listener.close()
        store.close()
        lock.release()


def _stored(settings: Settings, store: Store) -> Settings:
    """The settings with those that were changed in the panel; a bad one is left out and logged."""
    changed = {}
    with store.reading() as tx:
        for key in EDITABLE:
            value = tx.find_setting(PREFIX + key)
            if value is None:
                continue
            try:
                changed[key] = check_setting(key, value)
            except ConfigError as error:
                log.warning("a kept setting is not used: %s", error)
    return settings.model_copy(update=changed)


async def _run(
    settings: Settings,
    store: SqlStore,
    token: str,
    listener: socket.socket,
    hide: Callable[[str], None],
) -> int:
    ending = Ending(asyncio.get_running_loop(), asyncio.Event())
    engine = Engine(settings, store, token, ending, hide)
    _on_signals(ending)
    server = ApiServer(engine.app, listener)
    await engine.start()
    await server.start()
    log.info("the engine listens on %s, data in %s", settings.api_url, settings.data)
    await ending.asked.wait()
    await server.stop()
    await engine.stop()
    return ending.exit_code


def _on_signals(ending: Ending) -> None:
    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    for name in names:
        signal.signal(getattr(signal, name), lambda number, _frame: ending.stop(f"signal {number}"))


class Engine:
    """All services of one process, built and wired. Nothing runs before ``start``."""

    def __init__(
        self,
        settings: Settings,
        store: SqlStore,
        token: str,
        ending: Ending,
        hide: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        clock = SystemClock()
        now = clock.now()
        self._pulse = pulse = Pulse(started_at=now, heartbeat_at=now)
        self._lanes = lanes = Lanes()
        self._books = books = Books(store, clock)
        self._controls = controls = Controls(
            books, settings.data / LATCH_NAME, self._wake_killer(ending.loop)
        )
        self._host = host = StrategyHost(
            settings.strategies, settings.strategy_workers, settings.strategy_deadline_s,
            settings.strategy_memory_mb,
        )  # fmt: skip
        vault = build_vault(settings, store)
        self._connections = connections = build_connections(
            vault, store, clock, hide, settings.data
        )
        venues = build_venues(settings, store, clock, connections)
        prices, instruments = PriceBoard(), InstrumentBook(store)
        ledger = AccountLedger(books, instruments)
        self._gateway = gateway = Gateway(books, controls, settings.limits, venues.is_stepped)
        desk = OrderDesk(books, venues, controls, gateway)
        sources = build_candle_sources(settings, clock)
        sleep, feed = build_market_data(settings, books, venues, lanes, sources)
        self._feed = feed
        self._watcher = watcher = PositionWatcher(books, desk, venues, prices, lanes, sleep, feed)
        self._listening = Listening(books, desk, venues, lanes, ending.loop)
        self._warm_up = WarmUp(books, venues, host, feed, lanes, sleep)
        rules = Rules(foreign_trades=settings.foreign_trades, deposits=settings.deposits)
        reconciler = Reconciler(books, desk, venues, rules, ledger)
        router = EntryRouter(
            books, venues, controls, desk.links, lanes, reconciler.is_checked, ledger.free_cash
        )
        self._runner = runner = CycleRunner(
            books, desk, watcher, controls, venues, host, feed, prices, lanes, ledger.free_cash,
            router, may_decide=sleep.may_decide, enters_on_fallback=settings.fallback_entries,
        )  # fmt: skip
        self._checks = Checks(runner.run, pulse, clock, ending.give_up)
        self._close_checks = CloseChecks(books, feed, sleep, self._checks.begin)
        self._scheduler = Scheduler(clock, self._checks.begin, ending.give_up)
        self._account_checks = AccountChecks(
            books, reconciler, venues, lanes, desk.links, settings.reconcile_every_s
        )
        self._supervisor = Supervisor(
            books, desk, controls, venues, lanes, pulse, self._scheduler, self._checks.begin,
            sleep, reconciler.ensure_checked,
        )  # fmt: skip
        calls = LaneCalls(lanes, ending.loop)
        accounts = VenueAccounts(books, connections, vault, calls, self._reopened(venues))
        self._equity = equity = EquityKeeper(books, prices, instruments, venues)
        self._housekeeper = Housekeeper(books, venues, equity, settings.hold_retention_days)
        self._lease = LeaseKeeper(store, clock, settings.lease_ttl_s, ending.give_up)
        library, imports = build_candles(settings, clock)
        self._downloads = downloads = CandleDownloads(
            books, library, sources, spawner(lanes, ending.loop)
        )
        terms = Terms(settings.base_currency, read_equals(settings.equal_assets))
        self._converter = converter = Converter(
            books, prices, instruments, ledger, venues, lanes, terms
        )
        market_data = MarketDataDesk(books, feed, sleep)
        views = Views(books, equity, instruments, pulse, converter, market_data.live_facts)
        bots = BotService(books, venues, host, self._wake(ending.loop))
        self._backtests, desk_of_backtests = build_backtests(
            settings, books, venues, host, bots, views
        )
        self._studies, studies, retuner = build_studies(settings, books, venues, host, bots, lanes)
        self._retuner = retuner
        self.facade = EngineFacade(
            engine_id=secrets.token_hex(8),
            books=books,
            bots=bots,
            manual=ManualOrders(books, desk, venues, calls),
            account_desk=AccountDesk(books, reconciler, ledger, venues, calls, converter),
            controls=controls,
            venues=venues,
            host=host,
            pulse=pulse,
            feed=feed,
            views=views,
            charts=ChartMaker(books, venues, host, views, equity, FeedCalls(feed, ending.loop).ask),
            settings_desk=SettingsDesk(books, settings),
            control_desk=ControlDesk(books, venues, controls, gateway),
            performance=PerformanceDesk(
                books, PerformanceReader(books, instruments), HtmlReports()
            ),
            candles=CandleDesk(books, library, imports, downloads, sources),
            backtests=desk_of_backtests,
            market_data=market_data,
            rules=RuleDesk(RuleService(books, RuleFiles(settings.strategies), venues)),
            studies=StudyDesk(*studies, retuner, views),
            venue_accounts=VenueAccountDesk(books, accounts, connections),
            stop_engine=ending.stop,
        )
        self.app = create_app(self.facade, token)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The table of the engine's own jobs; each bot adds one of its own."""
        return (
            Job("heartbeat", 1, self._beat),
            Job("lease", max(1, int(self._settings.lease_ttl_s // 4)), self._renew),
            Job("reconcile", 1, self._supervisor.reconcile),
            Job("reconcile-accounts", 1, self._account_checks.begin_due),
            Job("watch", 1, self._watcher.watch),
            Job("listen", 5, self._listening.ensure),
            Job("warm-up", 1, self._warm_up.begin_due),
            Job("closes", 1, self._close_checks.begin_due),
            Job("kill", 1, self._supervisor.enforce_kill),
            Job("controls", 1, self._keep_controls),
            Job("equity", 10, self._sample),
            Job("rates", 60, self._converter.refresh),
            Job("retune", 30, self._retuner.begin_due),
            Job("housekeeping", 3600, self._tidy),
        )

    async def start(self) -> None:
        """Take the lease, load the books, begin. Raises Conflict when another engine has it."""
        data = self._settings.data
        self._lease.acquire(
            f"{platform.node()}:{data}",
            f"process {os.getpid()} on {platform.node()}, data in {data}",
        )
        self._books.load()
        self._books.hold_until_checked()
        self._controls.load()
        self._gateway.load()
        self._equity.load()
        self._downloads.load()
        with self._books.writing() as writing:
            writing.event(Level.INFO, "engine.started", "The engine has started.")
        self._backtests.load()
        self._studies.load()
        await self._supervisor.reconcile()
        self._scheduler.start(self.jobs)
        await self._converter.refresh()

    async def stop(self) -> None:
        """Begin nothing new, let what runs finish, give the lease back."""
        self._scheduler.stop()
        self._listening.close()
        self._downloads.close()
        self._runner.halt()
        self._backtests.close()
        await asyncio.to_thread(self._studies.close)
        await asyncio.gather(
            self._checks.finish(STOP_GRACE_S),
            self._supervisor.finish(STOP_GRACE_S),
            self._account_checks.finish(STOP_GRACE_S),
        )
        self._host.close()
        self._lanes.close()
        await asyncio.to_thread(self._connections.close_all)
        try:
            with self._books.writing() as writing:
                writing.event(Level.INFO, "engine.stopped", "The engine has stopped.")
            self._lease.release()
        except QuarterdeckError as error:
            log.warning("the stop could not be written: %s", error)

    def _reopened(self, venues: VenueRegistry) -> Callable[[VenueAccount], None]:
        """Forget what was made over a connection that has been closed."""

        def reopened(account: VenueAccount) -> None:
            venues.renew(account.market_ids, account.trading_id)
            self._listening.renew(account.trading_id)

        return reopened

    def _wake(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Reconcile at once after a command, from whatever thread it came."""

        def wake() -> None:
            asyncio.run_coroutine_threadsafe(self._supervisor.reconcile(), loop)

        return wake

    def _wake_killer(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Carry out a control as soon as it is set, from whatever thread."""

        def wake() -> None:
            asyncio.run_coroutine_threadsafe(self._supervisor.enforce_kill(), loop)

        return wake

    async def _beat(self) -> None:
        self._pulse.heartbeat_at = self._books.clock.now()

    async def _keep_controls(self) -> None:
        if not self._lanes.backlog(CONTROLS_LANE):
            await self._lanes.run(CONTROLS_LANE, self._controls.take_latch)

    async def _renew(self) -> None:
        await self._lease.renew(self._lanes)

    async def _sample(self) -> None:
        if not self._lanes.backlog(BOOKKEEPING_LANE):
            await self._lanes.run(BOOKKEEPING_LANE, self._equity.sample)

    async def _tidy(self) -> None:
        self._feed.drop_unused(self._books.clock.now())
        await self._lanes.run(BOOKKEEPING_LANE, self._housekeeper.tidy)
