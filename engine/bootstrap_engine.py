"""The engine as one object: every service built, wired and started."""

import asyncio
import logging
import os
import platform
import secrets
from dataclasses import dataclass

from engine.adapters.store.store import SqlStore
from engine.api.account_desk import AccountDesk
from engine.api.app import create_app
from engine.api.backup_desk import BackupDesk
from engine.api.chart import ChartMaker
from engine.api.control_desk import ControlDesk
from engine.api.diagnostics_desk import DiagnosticsDesk
from engine.api.facade import EngineFacade
from engine.api.inbox_app import create_inbox_app
from engine.api.market_data_desk import MarketDataDesk
from engine.api.news_desk import NewsViews
from engine.api.self_views import SelfViews
from engine.api.settings_view import SettingsDesk
from engine.api.venue_account_desk import VenueAccountDesk
from engine.api.views import Views
from engine.bootstrap_advice import Advice, build_advice
from engine.bootstrap_alerts import build_alerts
from engine.bootstrap_api import build_for_programs
from engine.bootstrap_backups import build_backups
from engine.bootstrap_candles import spawner
from engine.bootstrap_core import build_core
from engine.bootstrap_desks import build_research
from engine.bootstrap_diagnostics import build_diagnostics
from engine.bootstrap_metatrader import build_metatrader
from engine.bootstrap_models import build_models
from engine.bootstrap_monitoring import build_monitoring
from engine.bootstrap_news import build_news
from engine.bootstrap_raising import build_raising
from engine.bootstrap_signals import build_actor, build_signals
from engine.bootstrap_telegram import COMPARE_EVERY_S, build_telegram
from engine.bootstrap_trading import build_trading
from engine.bootstrap_watch import build_watched
from engine.domain.conversion import read_equals
from engine.domain.records import Level
from engine.domain.venue_accounts import VenueAccount
from engine.errors import QuarterdeckError
from engine.jobs import Job
from engine.logs import Redaction
from engine.services.books import Writing
from engine.services.bots import BotService
from engine.services.convert import Converter, Terms
from engine.services.delivery_figures import FigureReader
from engine.services.feed_calls import FeedCalls
from engine.services.hold_lease import LeaseKeeper
from engine.services.housekeeping import Housekeeper
from engine.services.lane_calls import LaneCalls
from engine.services.manual_orders import ManualOrders
from engine.services.probe_watch import BackupProbes
from engine.services.tell_outside_metrics import OutsideMetrics
from engine.services.tell_start import STOPPED, tell_start
from engine.services.track_equity import EquityKeeper
from engine.services.venue_accounts import VenueAccounts
from engine.settings import Settings

log = logging.getLogger("quarterdeck.engine")

STOP_GRACE_S = 3.0
OK, FAILED = 0, 1
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


class Engine:
    """All services of one process, built and wired. Nothing runs before ``start``."""

    def __init__(
        self,
        settings: Settings,
        store: SqlStore,
        token: str,
        ending: Ending,
        redaction: Redaction,
    ) -> None:
        self._ending = ending
        self._loop = ending.loop
        self._core = core = build_core(settings, store, redaction.hide, self._enforce_kill)
        self._news, news_views = build_news(settings, core.books, core.lanes, ending.loop)
        advice = build_advice(core, self._news)
        self._advisor = advice.model
        self._trading = trading = build_trading(core, ending.loop, ending.give_up, advice)
        self._lease = LeaseKeeper(store, core.clock, settings.lease_ttl_s, ending.give_up)
        self.watched = build_watched(core, self._lease)
        self._equity = EquityKeeper(core.books, core.prices, core.instruments, core.venues)
        self._raising = build_raising(core, self._equity)
        self._housekeeper = Housekeeper(
            core.books, core.venues, self._equity, settings.hold_retention_days,
            settings.inbox_retention_days, settings.alert_retention_days,
        )  # fmt: skip
        terms = Terms(settings.base_currency, read_equals(settings.equal_assets))
        self._converter = Converter(
            core.books, core.prices, core.instruments, core.ledger, core.venues, core.lanes, terms
        )
        market_data = MarketDataDesk(core.books, core.feed, core.sleep)
        views = Views(
            core.books, self._equity, core.instruments, core.pulse, self._converter,
            market_data.live_facts,
        )  # fmt: skip
        bots = BotService(
            core.books, core.venues, core.host, self._reconcile,
            lambda: advice.model.status().objection,
        )  # fmt: skip
        self._research = build_research(core, bots, views, ending.loop)
        self._metatrader = build_metatrader(core, trading.checks, ending.loop)
        self._models = build_models(core, advice.model, advice.situations, ending.loop)
        self._programs = build_for_programs(core, ending.loop)
        self._alerting = build_alerts(core, ending.loop, redaction.hide, redaction.clean_text)
        self._telegram = build_telegram(core, self._alerting, views, bots)
        self._monitoring = build_monitoring(core, self._equity, trading.checks, advice.model.status)
        self._backups = build_backups(settings, core.books, spawner(core.lanes, ending.loop))
        calls = LaneCalls(core.lanes, ending.loop)
        accounts = VenueAccounts(
            core.books, core.connections, core.vault, calls, self._renew_account
        )
        self._signals = build_signals(
            core, ending.loop, redaction.hide, build_actor(core, trading.concluder, advice)
        )
        self._diagnostics = self._look_after(redaction, accounts, advice)
        self.facade = self._facade(views, bots, accounts, market_data, news_views, calls)
        self.app = create_app(self.facade, token, settings.api_rate_per_minute)
        self.inbox_app = create_inbox_app(self.facade, token, settings.api_rate_per_minute)

    def _look_after(
        self, redaction: Redaction, accounts: VenueAccounts, advice: Advice
    ) -> DiagnosticsDesk:
        """Metrics of what the engine depends on, and the diagnostics over all of it."""
        core, backups = self._core, self._backups
        figures = FigureReader(core.store, core.clock)
        self._monitoring.metrics.register(
            OutsideMetrics(core.books, figures, core.connections.usage, lambda: backups.state)
        )
        return build_diagnostics(
            core, accounts.test, self._alerting.channels.notifier,
            lambda: advice.model.status().objection, redaction.clean_text,
            more=(
                *self.watched.probes,
                BackupProbes(core.clock, lambda: backups.state, backups.every),
            ),
        )  # fmt: skip

    def _facade(
        self,
        views: Views,
        bots: BotService,
        accounts: VenueAccounts,
        market_data: MarketDataDesk,
        news: NewsViews,
        calls: LaneCalls,
    ) -> EngineFacade:
        """What the API offers, over the services that are built."""
        core, ending = self._core, self._ending
        own = SelfViews(secrets.token_hex(8), core.books, core.pulse, core.feed, views)
        return EngineFacade(
            books=core.books,
            bots=bots,
            manual=ManualOrders(core.books, core.desk, core.venues, calls),
            account_desk=AccountDesk(
                core.books, self._trading.reconciler, core.ledger, core.venues, calls,
                self._converter,
            ),
            controls=core.controls,
            venues=core.venues,
            host=core.host,
            views=views,
            charts=ChartMaker(
                core.books, core.venues, core.host, views, self._equity,
                FeedCalls(core.feed, ending.loop).ask,
            ),
            settings_desk=SettingsDesk(core.books, core.settings),
            control_desk=ControlDesk(core.books, core.venues, core.controls, core.gateway),
            market_data=market_data,
            signals=self._signals.desk,
            webhooks=self._signals.receiver,
            metatrader=self._metatrader,
            venue_accounts=VenueAccountDesk(core.books, accounts, core.connections),
            news=news,
            ai=self._models.desk,
            metrics=self._monitoring.page,
            candles=self._research.candles,
            backtests=self._research.backtests,
            studies=self._research.studies,
            rules=self._research.rules,
            performance=self._research.performance,
            tokens=self._programs.tokens,
            backups=BackupDesk(self._backups),
            thin=self._programs.thin,
            live=self._programs.live,
            alerts=self._alerting.alert_desk,
            channels=self._alerting.channel_desk,
            diagnostics=self._diagnostics,
            vital_signs=self.watched.signs.read,
            health=own.health,
            stats=own.stats,
            stop_engine=ending.stop,
        )  # fmt: skip

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The table of the engine's own jobs; each bot adds one of its own."""
        return (
            Job("heartbeat", 1, self._beat),
            Job("lease", max(1, int(self._core.settings.lease_ttl_s // 4)), self._renew),
            Job("reconcile", 1, self._trading.supervisor.reconcile),
            Job("reconcile-accounts", 1, self._trading.account_checks.begin_due),
            Job("watch", 1, self._trading.watcher.watch),
            Job("listen", 5, self._trading.listening.ensure),
            Job("warm-up", 1, self._trading.warm_up.begin_due),
            Job("closes", 1, self._trading.close_checks.begin_due),
            Job("kill", 1, self._trading.supervisor.enforce_kill),
            Job("controls", 1, self._keep_controls),
            Job("equity", 10, self._sample),
            *self._raising.jobs,
            *self._alerting.jobs,
            Job("telegram", COMPARE_EVERY_S, self._telegram.begin_due),
            Job("rates", 60, self._converter.refresh),
            Job("retune", 30, self._research.retuner.begin_due),
            Job("signals", 5, self._signals.expectations.check),
            Job("advice", 30, self._models.tracker.begin_due),
            Job("tokens", 15, self._programs.keep),
            Job("series", 1, self._monitoring.send),
            Job("housekeeping", 3600, self._tidy),
            *self.watched.jobs,
            Job("backup", 30, self._backups.begin_due),
        )

    async def start(self) -> None:
        """Take the lease, load the books, begin. Raises Conflict when another engine has it."""
        data = self._core.settings.data
        self._lease.acquire(
            f"{platform.node()}:{data}",
            f"process {os.getpid()} on {platform.node()}, data in {data}",
        )
        self._core.books.load()
        self._core.books.hold_until_checked()
        self._core.controls.load()
        self._core.gateway.load()
        self._equity.load()
        self._programs.begin()
        self._monitoring.begin()
        self._backups.load()
        self._research.download_runner.load()
        self._signals.listeners.load()
        tell_start(self._core.books)
        self._research.backtest_runner.load()
        self._research.study_runner.load()
        await self._trading.supervisor.reconcile()
        await self._signals.actor.recover(self._signals.pace.begin)
        self._trading.scheduler.start(self.jobs)
        await self._converter.refresh()

    async def stop(self) -> None:
        """Begin nothing new, let what runs finish, give the lease back."""
        self._trading.scheduler.stop()
        self._telegram.close()
        self._monitoring.close()
        self._trading.listening.close()
        self._research.download_runner.close()
        self._backups.close()
        self._trading.runner.halt()
        self._alerting.delivery.rounds.halt()
        self._research.backtest_runner.close()
        await asyncio.to_thread(self._research.study_runner.close)
        await asyncio.gather(
            self._trading.checks.finish(STOP_GRACE_S),
            self._trading.consultant.finish(STOP_GRACE_S),
            self._trading.supervisor.finish(STOP_GRACE_S),
            self._trading.account_checks.finish(STOP_GRACE_S),
            self._signals.actor.finish(STOP_GRACE_S),
            self._models.tracker.finish(STOP_GRACE_S),
            self._advisor.finish(STOP_GRACE_S),
            self._alerting.delivery.rounds.finish(STOP_GRACE_S),
            self._telegram.finish(STOP_GRACE_S),
        )
        self._core.host.close()
        self._core.lanes.close()
        await asyncio.to_thread(self._core.connections.close_all)
        try:
            with self._core.books.writing() as writing:
                self._tell_stop(writing)
            self._lease.release()
        except QuarterdeckError as error:
            log.warning("the stop could not be written: %s", error)

    def _tell_stop(self, writing: Writing) -> None:
        """The watcher reads the exit code: an engine that gave up was not stopped by a person."""
        code = self._ending.exit_code
        level, words = Level.INFO, "The engine has stopped."
        if code != OK:
            level = Level.ERROR
            words = (
                "The engine has ended because it could not go on; data/logs/engine.log says why."
            )
        writing.event(level, STOPPED, words, exit_code=code)

    def _renew_account(self, account: VenueAccount) -> None:
        """Forget what was made over a connection that has been closed."""
        self._core.venues.renew(account.market_ids, account.trading_id)
        self._trading.listening.renew(account.trading_id)

    def _reconcile(self) -> None:
        """Reconcile at once after a command, from whatever thread it came."""
        asyncio.run_coroutine_threadsafe(self._trading.supervisor.reconcile(), self._loop)

    def _enforce_kill(self) -> None:
        """Carry out a control as soon as it is set, from whatever thread."""
        asyncio.run_coroutine_threadsafe(self._trading.supervisor.enforce_kill(), self._loop)

    async def _beat(self) -> None:
        self._core.pulse.heartbeat_at = self._core.books.clock.now()

    async def _keep_controls(self) -> None:
        if not self._core.lanes.backlog(CONTROLS_LANE):
            await self._core.lanes.run(CONTROLS_LANE, self._core.controls.take_latch)

    async def _renew(self) -> None:
        await self._lease.renew(self._core.lanes)

    async def _sample(self) -> None:
        if not self._core.lanes.backlog(BOOKKEEPING_LANE):
            await self._core.lanes.run(BOOKKEEPING_LANE, self._equity.sample)

    async def _tidy(self) -> None:
        self._core.feed.drop_unused(self._core.books.clock.now())
        await self._core.lanes.run(BOOKKEEPING_LANE, self._housekeeper.tidy)
        await self._core.lanes.run(BOOKKEEPING_LANE, self._metatrader.prices.tidy)
        await self._core.lanes.run(BOOKKEEPING_LANE, self._news.tidy)
