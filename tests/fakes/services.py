"""The engine's services in memory, with sample data: what the API and the panel are tested on.

Its state is plain and public: ``bots``, ``positions_held``, ``trades_made``, ``events_seen``,
``audit_log``, ``switch``, ``controls_set``, ``limits_used``, ``values``, ``orders_placed``,
``reports``, ``findings_seen`` and ``shutdown_requests`` can be read and set by a test.
Commands take effect at once; prices move with the clock.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from engine.api.backtest_desk import BacktestDesk
from engine.api.metrics_page import MetricsPage
from engine.api.study_desk import StudyDesk
from engine.contracts import (
    AccountReport,
    AccountView,
    AuditEntry,
    Bot,
    BotConfig,
    BotPreview,
    BotState,
    BotView,
    Chart,
    ControlRequest,
    Decision,
    Desired,
    EngineStats,
    EquityPoint,
    EquitySeries,
    Event,
    EventFilter,
    Fill,
    Finding,
    Health,
    KillLevel,
    KillSwitch,
    Lateness,
    Level,
    LimitUsage,
    MarketView,
    Order,
    Overview,
    Position,
    PositionView,
    QuoteTotal,
    ScopeKind,
    SettingView,
    StrategyView,
    SymbolView,
    Trade,
    TradeFilter,
    TradePage,
)
from engine.contracts.conversion import BaseTotals
from engine.contracts.market_data import LiveFacts
from engine.domain.bots import ACTIVE_STATES
from engine.domain.decisions import Action
from engine.domain.venue_accounts import mode_of
from engine.domain.vital_signs import VitalSigns
from engine.errors import ConfigError, Conflict, NotFound
from tests.fakes import history, sample, views
from tests.fakes.accounts import ACCOUNT, KRAKEN, FakeAccounts, sample_reports
from tests.fakes.ai import FakeAi
from tests.fakes.alert_desk import FakeAlerts
from tests.fakes.backtest_desk import FakeBacktests
from tests.fakes.backups import FakeBackups
from tests.fakes.candle_desk import FakeCandles, NowClock
from tests.fakes.checks import assess
from tests.fakes.desk import FakeDesk
from tests.fakes.diagnostics import FakeDiagnostics
from tests.fakes.market_data import FakeMarketData
from tests.fakes.metatrader_desk import fake_metatrader
from tests.fakes.news_desk import FakeNews
from tests.fakes.performance import FakePerformance
from tests.fakes.programs import FakePrograms
from tests.fakes.rules import MemoryRuleBook, rule_desk
from tests.fakes.signal_desk import FakeSignals
from tests.fakes.studies import FakeStudies
from tests.fakes.venue_account_desk import fake_venue_accounts
from tests.fakes.webhooks import FakeWebhooks

SETTINGS = (
    SettingView(key="paper_fee_bps", title="Paper fee", description="taker fee, in 0.01 %",
                value="10", default="10", is_editable=True),
    SettingView(key="log_level", title="Log level", description="what is written to the log",
                value="INFO", default="INFO", is_editable=True),
    SettingView(key="data", title="Data folder", description="what belongs to you",
                value="/home/user/quarterdeck/data", default="data", is_editable=False),
)  # fmt: skip


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


class FakeServices(FakeDesk, FakeAccounts):
    """Implements ``engine.api.services.EngineServices`` over dictionaries and lists.

    ``bot_count`` sample bots with ``trade_count`` past trades each; 0 starts empty.
    """

    def __init__(
        self,
        bot_count: int = 9,
        trade_count: int = 12,
        event_count: int = 60,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.now = now
        self.started_at = now()
        self.bots: dict[str, Bot] = {}
        self.positions_held: dict[str, Position] = {}
        self.trades_made: list[Trade] = []
        self.audit_log: list[AuditEntry] = []
        self.switch = KillSwitch()
        self.controls_set: dict[tuple[ScopeKind, str], KillSwitch] = {}
        self.limits_used: list[LimitUsage] = []
        self.values = {setting.key: setting.value for setting in SETTINGS}
        self.shutdown_requests: list[str] = []
        self.unwell = ""
        self.base: BaseTotals | None = None
        self.orders_placed: dict[str, Order] = {}
        self.reports: dict[str, AccountReport] = sample_reports(now())
        self.findings_seen: dict[str, Finding] = {}
        self.candles = FakeCandles(now)
        self.market_data = FakeMarketData(now)
        self.metatrader = fake_metatrader(NowClock(now))
        self.live_facts: dict[str, LiveFacts] = {}
        self.rule_book = MemoryRuleBook()
        self.rules = rule_desk(self, self.rule_book)
        self.webhooks = FakeWebhooks()
        self.performance = FakePerformance(self)
        self.fake_backtests = FakeBacktests(self)
        self.fake_studies = FakeStudies(self)
        self.signals = FakeSignals(now, self.bots, self.find)
        self.venue_accounts = fake_venue_accounts(now, self.bots)
        self.ai = FakeAi(self)
        self.forget_alerts()
        self.fake_diagnostics = FakeDiagnostics(now)
        self.diagnostics = self.fake_diagnostics.desk
        self.metrics = MetricsPage(None)
        self.fake_news = FakeNews(now)
        self.news = self.fake_news.views
        for index in range(bot_count):
            self._add_sample(index, trade_count)
        self.events_seen = history.events(list(self.bots), self.started_at, event_count)
        self.programs = FakePrograms(now, self.bots)
        self.tokens, self.thin, self.live = (
            self.programs.tokens, self.programs.thin, self.programs.live,
        )  # fmt: skip
        self.programs.events = self.events_seen
        self.fake_backups = FakeBackups(now)
        self.backups = self.fake_backups.desk

    def _add_sample(self, index: int, trade_count: int) -> None:
        config, (state, desired, reason) = sample.bot_config(index), sample.bot_state(index)
        bot_id, now = f"b{index + 1:04d}", self.started_at
        trades = history.past_trades(
            bot_id, ACCOUNT, config, now - timedelta(minutes=20 + index), trade_count
        )
        self.trades_made += trades
        side = sample.position_side(index)
        if side is not None:
            opened = now - timedelta(minutes=9 + index % 7)
            held = history.position(bot_id, ACCOUNT, config, side, opened)
            self.positions_held[bot_id] = held
        self.bots[bot_id] = Bot(
            id=bot_id, config=config, account_id=ACCOUNT, desired=desired, state=state,
            reason=reason, created_at=now - timedelta(days=2, minutes=-index), updated_at=now,
            started_at=None if state is BotState.STOPPED else now - timedelta(hours=3),
            decided_until=now, checked_at=now, trade_count=len(trades),
            strategy_errors=3 if state is BotState.FAULTED else 0,
            realised_pnl=sum((trade.pnl for trade in trades), Decimal(0)),
        )  # fmt: skip

    def forget_alerts(self) -> None:
        """Begin anew with alerts and channels."""
        self.fake_alerts = FakeAlerts(self.now, self.bots)
        self.alerts, self.channels = self.fake_alerts.alerts, self.fake_alerts.channels

    @property
    def backtests(self) -> BacktestDesk:
        return self.fake_backtests.desk

    @property
    def studies(self) -> StudyDesk:
        return self.fake_studies.desk

    # --- bots
    def list_bots(self) -> Sequence[BotView]:
        return [self._view(bot) for bot in self.bots.values()]

    def get_bot(self, key: str) -> BotView:
        return self._view(self.find(key))

    def preview_bot(self, config: BotConfig, bot_id: str | None = None) -> BotPreview:
        self._check_name(config.name, None if bot_id is None else self.find(bot_id).id)
        account_id = self.venue_accounts.account_of(config.market)
        return assess(config, self.now()).model_copy(update={"mode": mode_of(account_id)})

    def create_bot(self, config: BotConfig, actor: str, confirm_name: str = "") -> BotView:
        preview = self.preview_bot(config)
        account_id = self.venue_accounts.confirmed_account(config, confirm_name)
        now, bot_id = self.now(), f"n{len(self.audit_log) + 1:04d}"
        self.bots[bot_id] = Bot(
            id=bot_id, config=preview.config, account_id=account_id, created_at=now, updated_at=now
        )
        self.record(actor, "bot.create", bot_id)
        return self.get_bot(bot_id)

    def update_bot(
        self, key: str, config: BotConfig, actor: str, confirm_name: str = ""
    ) -> BotView:
        bot = self.find(key)
        if bot.state in ACTIVE_STATES:
            raise Conflict("Stop the bot before you change it.")
        is_moved = (config.market, config.symbol) != (bot.config.market, bot.config.symbol)
        if is_moved and bot.id in self.positions_held:
            raise Conflict("The bot holds a position: its symbol cannot change.", field="symbol")
        config = self.preview_bot(config, bot.id).config
        changes: dict[str, object] = {"config": config, "state": BotState.STOPPED, "reason": ""}
        if is_moved:
            changes["account_id"] = self.venue_accounts.confirmed_account(config, confirm_name)
        self.record(actor, "bot.edit", bot.id)
        return self._save(bot.id, **changes)

    def delete_bot(self, key: str, actor: str) -> None:
        bot = self.find(key)
        if bot.state in ACTIVE_STATES:
            raise Conflict("Stop the bot before you delete it.")
        if bot.id in self.positions_held:
            raise Conflict("The bot holds a position: stop it with 'close' first.")
        del self.bots[bot.id]
        self.record(actor, "bot.delete", bot.id)

    def start_bot(self, key: str, actor: str, confirm_name: str = "") -> BotView:
        bot = self.find(key)
        if bot.state not in ACTIVE_STATES:
            self.venue_accounts.confirmed_account(bot.config, confirm_name)
        self.record(actor, "bot.running", bot.id)
        return self._save(bot.id, state=BotState.RUNNING, desired=Desired.RUNNING, reason="",
                          started_at=self.now(), strategy_errors=0)  # fmt: skip

    def pause_bot(self, key: str, actor: str) -> BotView:
        bot = self.find(key)
        self.record(actor, "bot.paused", bot.id)
        return self._save(bot.id, state=BotState.PAUSED, desired=Desired.PAUSED,
                          reason="Entries are paused.")  # fmt: skip

    def stop_bot(self, key: str, close_position: bool, actor: str) -> BotView:
        bot = self.find(key)
        held = self.positions_held.get(bot.id)
        if close_position and held is not None:
            del self.positions_held[bot.id]
            self.trades_made.append(history.trade_of(held, bot.config, self.now(), "stopped"))
        self.record(actor, "bot.stopped", bot.id)
        return self._save(bot.id, state=BotState.STOPPED, desired=Desired.STOPPED, reason="")

    def clone_bot(self, key: str, name: str, actor: str, confirm_name: str = "") -> BotView:
        settings = {**self.find(key).config.model_dump(), "name": name}
        return self.create_bot(views.validated(settings), actor, confirm_name)

    def chart(self, key: str, limit: int) -> Chart:
        bot = self.find(key)
        held = self._position_view(bot)
        return views.chart(bot.config, limit, self.now(), self._trades_of(bot.id), held)

    def decisions(self, key: str, limit: int, action: Action | None) -> Sequence[Decision]:
        bot = self.find(key)
        found = history.decisions(bot.id, bot.config, self.now(), 200 if bot.started_at else 0)
        return [one for one in found if action in (None, one.action)][:limit]

    def orders(self, key: str, limit: int) -> Sequence[Order]:
        bot = self.find(key)
        held = self.positions_held.get(bot.id)
        mine = [one for one in self.orders_placed.values() if one.bot_id == bot.id]
        return (mine[::-1] + history.orders_and_fills(self._trades_of(bot.id), held)[0])[:limit]

    def fills(self, key: str, limit: int) -> Sequence[Fill]:
        bot = self.find(key)
        held = self.positions_held.get(bot.id)
        return history.orders_and_fills(self._trades_of(bot.id), held)[1][:limit]

    def equity(self, key: str, limit: int) -> Sequence[EquityPoint]:
        bot = self.find(key)
        quote = sample.INSTRUMENTS[bot.config.symbol].quote
        capital, trades = bot.config.starting_capital, self._trades_of(bot.id)
        return history.equity_points(bot.id, quote, capital, trades, self.now())[-limit:]

    # --- books
    def overview(self) -> Overview:
        bots = self.list_bots()
        quotes = sorted({bot.quote for bot in bots})
        return Overview(
            now=self.now(),
            totals=tuple(self._total(quote, bots) for quote in quotes),
            base=self.base,
            states=dict(Counter(bot.state for bot in bots)),
            bots=tuple(bots),
            equity=tuple(self._series(quote, bots) for quote in quotes),
            recent_trades=tuple(self._newest_trades()[:10]),
            recent_events=tuple(self.events_seen[:10]),
            kill=self.switch,
        )

    def positions(self) -> Sequence[PositionView]:
        found = (self._position_view(bot) for bot in self.bots.values())
        return [view for view in found if view is not None]

    def trades(self, chosen: TradeFilter) -> TradePage:
        found = list(self.iter_trades(chosen))
        page = found[chosen.offset : chosen.offset + chosen.limit]
        return TradePage(items=tuple(page), count=len(found), totals=views.trade_totals(found))

    def iter_trades(self, chosen: TradeFilter) -> Iterator[Trade]:
        return (trade for trade in self._newest_trades() if views.matches(trade, chosen))

    def events(self, chosen: EventFilter) -> Sequence[Event]:
        bot_id = None if chosen.bot_id is None else self.find(chosen.bot_id).id
        levels = list(Level)
        least = levels.index(chosen.level) if chosen.level else 0
        return [
            event
            for event in self.events_seen
            if levels.index(event.level) >= least
            and bot_id in (None, event.bot_id)
            and chosen.search.lower() in event.message.lower()
            and event.kind.startswith(chosen.kind or "")
        ][: chosen.limit]

    def audit(self, limit: int) -> Sequence[AuditEntry]:
        return self.audit_log[::-1][:limit]

    # --- reference
    def strategies(self) -> Sequence[StrategyView]:
        users: dict[str, list[str]] = {}
        for bot in self.bots.values():
            users.setdefault(bot.config.strategy, []).append(bot.config.name)
        return [
            view.model_copy(update={"used_by": tuple(users.get(view.id, ()))})
            for view in (*sample.STRATEGIES, *self.rule_book.strategies())
        ]

    def markets(self) -> Sequence[MarketView]:
        return [*sample.MARKETS, *self.venue_accounts.markets()]

    def symbols(self, market: str, search: str, limit: int) -> Sequence[SymbolView]:
        if market not in {one.id for one in self.markets()}:
            raise NotFound(f"There is no market '{market}'.", field="market")
        needle, now = search.lower(), self.now()
        found = [
            SymbolView(instrument=one, last_price=sample.price_at(one.symbol, now))
            for one in sample.INSTRUMENTS.values()
            if needle in one.symbol.lower() or needle in one.name.lower()
        ]
        return found[:limit]

    def accounts(self) -> Sequence[AccountView]:
        free = {"USDT": Decimal("94210.125"), "USD": Decimal(100_000)}
        locked = {"USDT": Decimal(0), "USD": Decimal(0)}
        return [
            AccountView(account_id=ACCOUNT, mode="paper", free=free, locked=locked),
            AccountView(account_id=KRAKEN, mode="paper", free={}, locked={},
                        error="Kraken does not answer."),
        ]  # fmt: skip

    # --- control
    def kill_switch(self) -> KillSwitch:
        return self.switch

    def set_kill_switch(self, level: KillLevel, actor: str) -> KillSwitch:
        self.switch = KillSwitch(level=level, actor=actor, since=self.now())
        self.record(actor, "kill_switch", level.value)
        return self.switch

    def list_controls(self) -> Sequence[KillSwitch]:
        everything = [self.switch] if self.switch.level is not KillLevel.NONE else []
        return [*everything, *self.controls_set.values()]

    def set_control(self, request: ControlRequest, actor: str) -> KillSwitch:
        scope, key = request.scope, request.key.strip()
        if scope is ScopeKind.EVERYTHING:
            return self.set_kill_switch(request.level, actor)
        if not key:
            raise ConfigError(f"A control on a {scope.value} needs to know which.", field="key")
        if scope is ScopeKind.BOT:
            key = self.find(key).id
        if scope is ScopeKind.ACCOUNT and key not in self.reports:
            raise NotFound(f"There is no account '{key}'.", field="key")
        if scope is ScopeKind.SYMBOL:
            key = key.upper()
        switch = KillSwitch(scope=scope, key=key, level=request.level, actor=actor,
                            since=self.now(), reason=request.reason)  # fmt: skip
        self.controls_set.pop((scope, key), None)
        if request.level is not KillLevel.NONE:
            self.controls_set[scope, key] = switch
        self.record(actor, "control", f"{scope.value}:{key}")
        return switch

    def limit_usage(self) -> Sequence[LimitUsage]:
        return self.limits_used

    def settings(self) -> Sequence[SettingView]:
        return [one.model_copy(update={"value": self.values[one.key]}) for one in SETTINGS]

    def update_settings(self, values: Mapping[str, str], actor: str) -> Sequence[SettingView]:
        editable = {setting.key for setting in SETTINGS if setting.is_editable}
        for key in values:
            if key not in editable:
                raise ConfigError(f"'{key}' is not a setting that can be changed.", field=key)
        self.values.update(values)
        self.record(actor, "settings", ", ".join(values))
        return self.settings()

    def vital_signs(self) -> VitalSigns:
        return VitalSigns(beat_age_s=0.4, write_age_s=1.0, reason=self.unwell)

    def health(self) -> Health:
        return Health(status="ok", version="0.1.0", engine_id="fake", started_at=self.started_at,
                      heartbeat_at=self.now())  # fmt: skip

    def stats(self) -> EngineStats:
        calm = Lateness(count=3, p50_s=0.01, p99_s=0.02, worst_s=0.02)
        return EngineStats(live_bots=len(self.bots), cycles_run=3, candle_requests=1, jobs=calm,
                           cycles=calm)  # fmt: skip

    def request_shutdown(self, actor: str) -> None:
        self.shutdown_requests.append(actor)

    # --- within
    def find(self, key: str) -> Bot:
        """A bot by id or name. Raises NotFound."""
        for bot in self.bots.values():
            if key in (bot.id, bot.config.name):
                return bot
        raise NotFound(f"There is no bot '{key}'.")

    def _check_name(self, name: str, own_id: str | None) -> None:
        for bot in self.bots.values():
            if bot.config.name.lower() == name.lower() and bot.id != own_id:
                raise Conflict(f"There is a bot named '{name}' already.", field="name")

    def _save(self, bot_id: str, **changes: object) -> BotView:
        changes["updated_at"] = self.now()
        self.bots[bot_id] = self.bots[bot_id].model_copy(update=changes)
        return self.get_bot(bot_id)

    def record(self, actor: str, action: str, subject: str) -> None:
        """Write an audit entry."""
        number = len(self.audit_log) + 1
        self.audit_log.append(
            AuditEntry(
                id=f"a{number}", time=self.now(), actor=actor, action=action, subject=subject
            )
        )

    def _newest_trades(self) -> list[Trade]:
        return sorted(self.trades_made, key=lambda trade: trade.exit_time, reverse=True)

    def _trades_of(self, bot_id: str) -> list[Trade]:
        return [trade for trade in self.trades_made if trade.bot_id == bot_id]

    def _position_view(self, bot: Bot) -> PositionView | None:
        held = self.positions_held.get(bot.id)
        return None if held is None else views.position_view(bot, held, self.now())

    def _view(self, bot: Bot) -> BotView:
        view = views.bot_view(bot, self._position_view(bot), self._trades_of(bot.id), self.now())
        objection = self.account_objection(bot.account_id)
        live = self.live_facts.get(bot.id, LiveFacts())
        shown: dict[str, object] = {
            "account_objection": objection,
            "mode": mode_of(bot.account_id),
            "account_name": self.venue_accounts.name_of(bot.config.market),
            "live": live,
        }
        if live.sleeps_until is not None:
            shown["next_check_at"] = live.sleeps_until
        return view.model_copy(update=shown)

    def _total(self, quote: str, bots: Sequence[BotView]) -> QuoteTotal:
        mine = [bot for bot in bots if bot.quote == quote]
        none = Decimal(0)
        return QuoteTotal(
            quote=quote,
            equity=sum((bot.equity for bot in mine), none),
            realised_pnl=sum((bot.realised_pnl for bot in mine), none),
            unrealised_pnl=sum((bot.unrealised_pnl for bot in mine), none),
            today_pnl=sum((bot.today_pnl for bot in mine), none),
            open_positions=sum(bot.position is not None for bot in mine),
        )

    def _series(self, quote: str, bots: Sequence[BotView]) -> EquitySeries:
        ids = {bot.id for bot in bots if bot.quote == quote}
        capital = sum((self.bots[key].config.starting_capital for key in ids), Decimal(0))
        trades = [trade for trade in self.trades_made if trade.bot_id in ids]
        points = history.equity_points(None, quote, capital, trades, self.now())
        times = tuple(point.time for point in points)
        return EquitySeries(
            quote=quote, times=times, equity=tuple(float(point.equity) for point in points)
        )
