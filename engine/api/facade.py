"""What the API offers, on the real services: commands go to them, reads come from the books."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.api.account_desk import AccountDesk
from engine.api.ai_desk import AiDesk
from engine.api.alert_desk import AlertDesk
from engine.api.backtest_desk import BacktestDesk
from engine.api.backup_desk import BackupDesk
from engine.api.candle_desk import CandleDesk
from engine.api.channel_desk import ChannelDesk
from engine.api.chart import ChartMaker
from engine.api.control_desk import ControlDesk
from engine.api.diagnostics_desk import DiagnosticsDesk
from engine.api.market_data_desk import MarketDataDesk
from engine.api.market_views import market_views
from engine.api.metatrader_desk import MetaTraderDesk
from engine.api.metrics_page import MetricsPage
from engine.api.news_desk import NewsViews
from engine.api.paging import all_pages
from engine.api.performance_desk import PerformanceDesk
from engine.api.rule_desk import RuleDesk
from engine.api.settings_view import SettingsDesk
from engine.api.signal_desk import SignalDesk
from engine.api.study_desk import StudyDesk
from engine.api.thin_desk import ThinDesk
from engine.api.token_desk import TokenDesk
from engine.api.venue_account_desk import VenueAccountDesk
from engine.api.views import Views, count_states, sum_bots, sum_trades
from engine.contracts import (
    AccountReport,
    AccountView,
    AuditEntry,
    BotConfig,
    BotPreview,
    BotView,
    Chart,
    ControlRequest,
    Decision,
    EngineStats,
    EquityPoint,
    Event,
    EventFilter,
    Fill,
    Finding,
    FindingFilter,
    Health,
    KillLevel,
    KillSwitch,
    Level,
    LimitUsage,
    MarketView,
    Order,
    OrderChanges,
    OrderTicket,
    Overview,
    PositionView,
    ResolveRequest,
    SettingView,
    StrategyView,
    SymbolView,
    Trade,
    TradeFilter,
    TradePage,
)
from engine.domain.decisions import Action
from engine.domain.vital_signs import VitalSigns
from engine.ports import Prefix, StrategyHost, Venues
from engine.services.books import Books
from engine.services.bots import BotService
from engine.services.controls import Controls
from engine.services.live_bus import LiveBus
from engine.services.manual_orders import ManualOrders
from engine.services.receive_signal import SignalReceiver

OVERVIEW_TRADES = 10
OVERVIEW_EVENTS = 20
LEVELS = list(Level)


@dataclass(frozen=True)
class EngineFacade:
    """Implements ``EngineServices``."""

    books: Books
    bots: BotService
    manual: ManualOrders
    account_desk: AccountDesk
    controls: Controls
    venues: Venues
    host: StrategyHost
    views: Views
    charts: ChartMaker
    settings_desk: SettingsDesk
    control_desk: ControlDesk
    candles: CandleDesk
    market_data: MarketDataDesk
    metatrader: MetaTraderDesk
    backtests: BacktestDesk
    rules: RuleDesk
    studies: StudyDesk
    performance: PerformanceDesk
    venue_accounts: VenueAccountDesk
    signals: SignalDesk
    webhooks: SignalReceiver
    tokens: TokenDesk
    backups: BackupDesk
    thin: ThinDesk
    live: LiveBus
    news: NewsViews
    ai: AiDesk
    alerts: AlertDesk
    channels: ChannelDesk
    diagnostics: DiagnosticsDesk
    vital_signs: Callable[[], VitalSigns]
    health: Callable[[], Health]
    stats: Callable[[], EngineStats]
    metrics: MetricsPage
    stop_engine: Callable[[str], None]

    # --- bots -----------------------------------------------------------------------------------

    def list_bots(self) -> Sequence[BotView]:
        """All bots, in order of creation."""
        bots = list(self.books.bots.values())  # one step: commands change it meanwhile
        bots.sort(key=lambda bot: (bot.created_at, bot.id))
        return [self.views.bot(bot) for bot in bots]

    def create_bot(self, config: BotConfig, actor: str, confirm_name: str = "") -> BotView:
        """A new, stopped bot."""
        return self.views.bot(self.bots.create(config, actor, confirm_name))

    def preview_bot(self, config: BotConfig, bot_id: str | None = None) -> BotPreview:
        """Check everything, save nothing."""
        key = self.books.get_bot(bot_id).id if bot_id else None
        return BotPreview.model_validate(self.bots.assess(config, key).model_dump())

    def get_bot(self, key: str) -> BotView:
        """One bot by id or name."""
        return self.views.bot(self.books.get_bot(key))

    def update_bot(
        self, key: str, config: BotConfig, actor: str, confirm_name: str = ""
    ) -> BotView:
        """New settings for a bot that does nothing."""
        return self.views.bot(self.bots.edit(key, config, actor, confirm_name))

    def delete_bot(self, key: str, actor: str) -> None:
        """Remove a bot; its trades stay."""
        self.bots.delete(key, actor)

    def start_bot(self, key: str, actor: str, confirm_name: str = "") -> BotView:
        """Want it running."""
        return self.views.bot(self.bots.start(key, actor, confirm_name))

    def pause_bot(self, key: str, actor: str) -> BotView:
        """Want no new entries."""
        return self.views.bot(self.bots.pause(key, actor))

    def stop_bot(self, key: str, close_position: bool, actor: str) -> BotView:
        """Want it stopped."""
        return self.views.bot(self.bots.stop(key, actor, close_position=close_position))

    def clone_bot(self, key: str, name: str, actor: str, confirm_name: str = "") -> BotView:
        """A stopped copy under another name."""
        return self.views.bot(self.bots.clone(key, name, actor, confirm_name))

    def chart(self, key: str, limit: int) -> Chart:
        """Candles with what was done on them."""
        return self.charts.chart(self.books.get_bot(key), limit)

    def decisions(self, key: str, limit: int, action: Action | None) -> Sequence[Decision]:
        """Newest first."""
        bot_id = self.books.get_bot(key).id
        narrow: dict[str, Any] = {} if action is None else {"action": action}
        with self.books.store.reading() as tx:
            return tx.decisions.select(bot_id=bot_id, is_descending=True, limit=limit, **narrow)

    def orders(self, key: str, limit: int) -> Sequence[Order]:
        """Newest first."""
        bot_id = self.books.get_bot(key).id
        with self.books.store.reading() as tx:
            return tx.orders.select(bot_id=bot_id, is_descending=True, limit=limit)

    def place_order(self, key: str, ticket: OrderTicket, actor: str) -> Sequence[Order]:
        """The order of a ticket; none for a target with a stop."""
        return self.manual.place(key, ticket, actor)

    def cancel_order(self, key: str, client_id: str, actor: str) -> Order:
        """Take back what is not filled."""
        return self.manual.cancel(key, client_id, actor)

    def replace_order(self, key: str, client_id: str, changes: OrderChanges, actor: str) -> Order:
        """The order that works in its stead."""
        return self.manual.replace(key, client_id, changes, actor)

    def close_position(self, key: str, fraction: Decimal, actor: str) -> BotView:
        """A part of the position at the market."""
        return self.views.bot(self.manual.close(key, fraction, actor))

    def fills(self, key: str, limit: int) -> Sequence[Fill]:
        """Newest first."""
        bot_id = self.books.get_bot(key).id
        with self.books.store.reading() as tx:
            return tx.fills.select(bot_id=bot_id, is_descending=True, limit=limit)

    def equity(self, key: str, limit: int) -> Sequence[EquityPoint]:
        """The newest points, oldest first."""
        bot_id = self.books.get_bot(key).id
        with self.books.store.reading() as tx:
            newest = tx.equity.select(bot_id=bot_id, is_descending=True, limit=limit)
        return newest[::-1]

    # --- the books ------------------------------------------------------------------------------

    def overview(self) -> Overview:
        """Everything the Overview page shows."""
        views = self.list_bots()
        totals = sum_bots(views)
        with self.books.store.reading() as tx:
            trades = tx.trades.select(is_descending=True, limit=OVERVIEW_TRADES)
            events = tx.events.select(
                is_descending=True, limit=OVERVIEW_EVENTS, level=LEVELS[LEVELS.index(Level.INFO) :]
            )
        return Overview(
            now=self.books.clock.now(),
            totals=totals,
            base=self.views.base(totals),
            states=count_states(views),
            bots=tuple(views),
            equity=self.views.equity_series(),
            recent_trades=tuple(trades),
            recent_events=tuple(events),
            kill=self.controls.switch,
        )

    def positions(self) -> Sequence[PositionView]:
        """All open positions."""
        return self.views.open_positions()

    def trades(self, filter: TradeFilter) -> TradePage:
        """A page of closed trades, with totals over all that match."""
        where = self._where(filter)
        with self.books.store.reading() as tx:
            items = tx.trades.select(
                is_descending=True, limit=filter.limit, offset=filter.offset, **where
            )
            totals = sum_trades(tx.trades.values("quote", "pnl", "fees", **where))
        count = sum(total.count for total in totals)
        return TradePage(items=tuple(items), count=count, totals=totals)

    def iter_trades(self, filter: TradeFilter) -> Iterator[Trade]:
        """Every trade that matches, newest first, all of one moment."""
        where = self._where(filter)
        with self.books.store.reading() as tx:
            yield from all_pages(tx.trades, where)

    def _where(self, filter: TradeFilter) -> dict[str, Any]:
        """A filter as columns. A bot that was deleted is found by its id or the name it had."""
        where = filter.model_dump(exclude={"limit", "offset", "bot_id"}, exclude_none=True)
        if filter.bot_id:
            bot = self.books.bots.get(filter.bot_id) or self.books.find_by_name(filter.bot_id)
            with self.books.store.reading() as tx:
                is_id = bot is not None or tx.trades.count(bot_id=filter.bot_id) > 0
            key = "bot_id" if is_id else "bot_name"
            where[key] = bot.id if bot else filter.bot_id
        return where

    def events(self, filter: EventFilter) -> Sequence[Event]:
        """Newest first."""
        where: dict[str, Any] = {}
        if filter.level is not None:
            where["level"] = LEVELS[LEVELS.index(filter.level) :]
        if filter.bot_id:
            where["bot_id"] = self.books.get_bot(filter.bot_id).id
        if filter.search:
            where["search"] = filter.search
        if filter.kind:
            where["kind"] = Prefix(filter.kind)
        with self.books.store.reading() as tx:
            return tx.events.select(is_descending=True, limit=filter.limit, **where)

    def audit(self, limit: int) -> Sequence[AuditEntry]:
        """Newest first."""
        with self.books.store.reading() as tx:
            return tx.audit.select(is_descending=True, limit=limit)

    # --- what bots can be made of ---------------------------------------------------------------

    def strategies(self) -> Sequence[StrategyView]:
        """Every strategy file, broken ones with their error."""
        users: dict[str, list[str]] = {}
        for bot in list(self.books.bots.values()):
            users.setdefault(bot.config.strategy, []).append(bot.config.name)
        return [
            StrategyView(
                **info.model_dump(exclude={"history"}),
                used_by=tuple(sorted(users.get(info.id, ()))),
            )
            for info in self.host.list()
        ]

    def markets(self) -> Sequence[MarketView]:
        """The markets of the form."""
        return market_views(self.venues, self.venue_accounts.connections)

    def symbols(self, market: str, search: str, limit: int) -> Sequence[SymbolView]:
        """Symbols whose code or name contains ``search``; those that begin with it come first."""
        wanted = search.strip().casefold()
        try:
            venue = self.venues.market(market, "form")
            found = [
                instrument
                for instrument in venue.instruments()
                if wanted in instrument.symbol.casefold() or wanted in instrument.name.casefold()
            ]
        finally:
            self.venues.forget("form")
        found.sort(key=lambda one: (not one.symbol.casefold().startswith(wanted), one.symbol))
        return [SymbolView(instrument=instrument) for instrument in found[:limit]]

    def accounts(self) -> Sequence[AccountView]:
        """Balances of the accounts that bots use."""
        return self.account_desk.balances()

    def account_reports(self) -> Sequence[AccountReport]:
        """Both sides of every account, as of its last check."""
        return self.account_desk.account_reports()

    def check_account(self, account_id: str, actor: str) -> AccountReport:
        """Compare with the venue now."""
        return self.account_desk.check_account(account_id, actor)

    def findings(self, chosen: FindingFilter) -> Sequence[Finding]:
        """The newest seen first."""
        return self.account_desk.findings(chosen)

    def resolve_finding(self, request: ResolveRequest, actor: str) -> Finding:
        """As a person decides."""
        return self.account_desk.resolve_finding(request, actor)

    # --- the engine itself ----------------------------------------------------------------------

    def kill_switch(self) -> KillSwitch:
        """The level in force."""
        return self.controls.switch

    def set_kill_switch(self, level: KillLevel, actor: str) -> KillSwitch:
        """Latch a level; ``none`` releases it."""
        return self.controls.set(level, actor)

    def list_controls(self) -> Sequence[KillSwitch]:
        """Every control in force."""
        return self.control_desk.switches()

    def set_control(self, request: ControlRequest, actor: str) -> KillSwitch:
        """Latch or release one."""
        return self.control_desk.set_control(request, actor)

    def limit_usage(self) -> Sequence[LimitUsage]:
        """What is used of each limit."""
        return self.control_desk.usage()

    def settings(self) -> Sequence[SettingView]:
        """Every setting."""
        return self.settings_desk.views()

    def update_settings(self, values: Mapping[str, str], actor: str) -> Sequence[SettingView]:
        """All or nothing."""
        return self.settings_desk.update(values, actor)

    def request_shutdown(self, actor: str) -> None:
        """A graceful stop; returns at once."""
        self.stop_engine(actor)
