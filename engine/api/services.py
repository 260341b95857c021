"""What the HTTP API asks of the engine: one blocking method a route, all of it thread-safe.

Routes run these in a thread pool, so a method may wait for the database, a market or a broker. A
bot's ``key`` is its id or its name. ``actor`` is who asked, for the audit trail. Methods raise the
errors of ``engine/errors.py`` (NotFound, ConfigError, Conflict, StoreError, DataError,
BrokerError); the API turns each into its answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from engine.api.ai_desk import AiServices
from engine.api.alert_desk import AlertServices
from engine.api.backup_desk import BackupServices
from engine.api.candle_desk import CandleServices
from engine.api.channel_desk import ChannelServices
from engine.api.diagnostics_desk import DiagnosticsServices
from engine.api.market_data_desk import MarketDataServices
from engine.api.metatrader_desk import MetaTraderServices
from engine.api.metrics_page import MetricsServices
from engine.api.news_desk import NewsServices
from engine.api.research_services import BacktestServices, PerformanceServices, StudyServices
from engine.api.rule_desk import RuleServices
from engine.api.signal_desk import SignalServices, WebhookServices
from engine.api.thin_desk import ThinServices
from engine.api.token_desk import TokenServices
from engine.api.venue_account_desk import VenueAccountServices
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
from engine.services.live_bus import LiveBus


class BotServices(Protocol):
    """What can be done with bots and read about one of them."""

    def list_bots(self) -> Sequence[BotView]:
        """All bots, in order of creation."""
        ...

    def create_bot(self, config: BotConfig, actor: str, confirm_name: str = "") -> BotView:
        """``confirm_name``: the bot's name, typed, where it is to trade real money. Raises
        ConfigError naming the field, Conflict (name taken, not confirmed), NotFound (symbol...)."""
        ...

    def preview_bot(self, config: BotConfig, bot_id: str | None = None) -> BotPreview:
        """Validate everything, save nothing; ``bot_id`` when editing. Raises like create_bot."""
        ...

    def get_bot(self, key: str) -> BotView:
        """Raises NotFound."""
        ...

    def update_bot(
        self, key: str, config: BotConfig, actor: str, confirm_name: str = ""
    ) -> BotView:
        """Raises Conflict while active, or when market or symbol change with a position open;
        ``confirm_name`` when it moves to an account with real money."""
        ...

    def delete_bot(self, key: str, actor: str) -> None:
        """Raises Conflict while active or holding a position."""
        ...

    def start_bot(self, key: str, actor: str, confirm_name: str = "") -> BotView:
        """Wish it running; a bot that runs already stays as it is."""
        ...

    def pause_bot(self, key: str, actor: str) -> BotView:
        """Wish it paused: no entries, exits go on."""
        ...

    def stop_bot(self, key: str, close_position: bool, actor: str) -> BotView:
        """Wish it stopped; the position is kept unless it is to be closed first."""
        ...

    def clone_bot(self, key: str, name: str, actor: str, confirm_name: str = "") -> BotView:
        """A stopped copy under another name. Raises Conflict, ConfigError."""
        ...

    def chart(self, key: str, limit: int) -> Chart:
        """The newest ``limit`` closed candles with what was done on them. Raises DataError."""
        ...

    def decisions(self, key: str, limit: int, action: Action | None) -> Sequence[Decision]:
        """Newest first; ``action`` keeps only that outcome."""
        ...

    def orders(self, key: str, limit: int) -> Sequence[Order]:
        """Newest first."""
        ...

    def fills(self, key: str, limit: int) -> Sequence[Fill]:
        """Newest first."""
        ...

    def equity(self, key: str, limit: int) -> Sequence[EquityPoint]:
        """The newest ``limit`` points, oldest first."""
        ...


class ManualServices(Protocol):
    """What a person orders by hand with a bot; each waits until the venue was asked."""

    def place_order(self, key: str, ticket: OrderTicket, actor: str) -> Sequence[Order]:
        """Place a ticket: its order, or none for a target with a stop, which become the position's
        levels. Raises ConfigError naming the field, Conflict (nothing to close, entries halted),
        OrderRejected, BrokerUnavailable."""
        ...

    def cancel_order(self, key: str, client_id: str, actor: str) -> Order:
        """Take back what is not filled; as the order stands then. Raises NotFound, Conflict."""
        ...

    def replace_order(self, key: str, client_id: str, changes: OrderChanges, actor: str) -> Order:
        """The order that works in its stead. Raises NotFound, Conflict, ConfigError."""
        ...

    def close_position(self, key: str, fraction: Decimal, actor: str) -> BotView:
        """Close a part of the position at the market. Raises Conflict when there is none."""
        ...


class AccountServices(Protocol):
    """Books against venues, account by account."""

    def account_reports(self) -> Sequence[AccountReport]:
        """Every account in use as of its last check; no venue is asked."""
        ...

    def check_account(self, account_id: str, actor: str) -> AccountReport:
        """Compare with the venue now. A venue that does not answer is a report, no error.
        Raises NotFound."""
        ...

    def findings(self, chosen: FindingFilter, /) -> Sequence[Finding]:
        """The newest seen first."""
        ...

    def resolve_finding(self, request: ResolveRequest, actor: str) -> Finding:
        """As a person decides. Raises NotFound, Conflict (resolved already), ConfigError."""
        ...


class BookServices(Protocol):
    """What was traded and written down."""

    def overview(self) -> Overview:
        """Everything the Overview page shows, in one consistent read."""
        ...

    def positions(self) -> Sequence[PositionView]:
        """All open positions."""
        ...

    def trades(self, chosen: TradeFilter, /) -> TradePage:
        """A page of closed trades, newest first, with totals over all that match."""
        ...

    def iter_trades(self, chosen: TradeFilter, /) -> Iterator[Trade]:
        """Every trade that matches, newest first; ``limit`` and ``offset`` do not apply.

        Each step of the iterator may run on another thread; a StoreError may come at any step.
        """
        ...

    def events(self, chosen: EventFilter, /) -> Sequence[Event]:
        """Newest first."""
        ...

    def audit(self, limit: int) -> Sequence[AuditEntry]:
        """Newest first."""
        ...


class ReferenceServices(Protocol):
    """What bots can be made of."""

    def strategies(self) -> Sequence[StrategyView]:
        """Every strategy file, broken ones with their error."""
        ...

    def markets(self) -> Sequence[MarketView]:
        """The markets of the form."""
        ...

    def symbols(self, market: str, search: str, limit: int) -> Sequence[SymbolView]:
        """Symbols matching ``search`` (empty: all). Raises NotFound, DataError."""
        ...

    def accounts(self) -> Sequence[AccountView]:
        """Balances of the accounts in use; one that does not answer carries its error."""
        ...


class ControlServices(Protocol):
    """The engine itself: its switches, settings and health."""

    def kill_switch(self) -> KillSwitch:
        """The level in force."""
        ...

    def set_kill_switch(self, level: KillLevel, actor: str) -> KillSwitch:
        """Latch a level; ``none`` releases it."""
        ...

    def list_controls(self) -> Sequence[KillSwitch]:
        """Every control in force, that on everything first."""
        ...

    def set_control(self, request: ControlRequest, actor: str) -> KillSwitch:
        """Latch or release one. Raises NotFound, ConfigError naming ``key``."""
        ...

    def limit_usage(self) -> Sequence[LimitUsage]:
        """What is used of each limit of the gateway that is set."""
        ...

    def settings(self) -> Sequence[SettingView]:
        """Every setting, without secrets."""
        ...

    def update_settings(self, values: Mapping[str, str], actor: str) -> Sequence[SettingView]:
        """All or nothing. Raises ConfigError naming the key."""
        ...

    def vital_signs(self) -> VitalSigns:
        """Whether the engine is well, from memory; for the event loop."""
        ...

    def health(self) -> Health:
        """Must answer from memory: it is asked often and without a token."""
        ...

    def stats(self) -> EngineStats:
        """How late jobs and cycles were, from memory."""
        ...

    def request_shutdown(self, actor: str) -> None:
        """Ask for a graceful stop; returns at once."""
        ...


class EngineServices(
    BotServices, ManualServices, AccountServices, BookServices, ReferenceServices, ControlServices,
    Protocol,
):  # fmt: skip
    """Everything the API offers; engine/services implements it, tests/fakes fake it."""

    @property
    def candles(self) -> CandleServices:
        """The candle library."""
        ...

    @property
    def market_data(self) -> MarketDataServices:
        """Feeds of candles."""
        ...

    @property
    def metatrader(self) -> MetaTraderServices:
        """The bridge to MetaTrader."""
        ...

    @property
    def backtests(self) -> BacktestServices:
        """Backtests."""
        ...

    @property
    def rules(self) -> RuleServices:
        """Rules that make a strategy without code."""
        ...

    @property
    def studies(self) -> StudyServices:
        """Studies, and the re-tuning of bots."""
        ...

    @property
    def performance(self) -> PerformanceServices:
        """How well it went."""
        ...

    @property
    def ai(self) -> AiServices:
        """Models, and what they said."""
        ...

    @property
    def signals(self) -> SignalServices:
        """Signals from outside."""
        ...

    @property
    def webhooks(self) -> WebhookServices:
        """What takes them; unlike all others for the event loop."""
        ...

    @property
    def diagnostics(self) -> DiagnosticsServices:
        """How everything is."""
        ...

    @property
    def news(self) -> NewsServices:
        """News, and its sources."""
        ...

    @property
    def venue_accounts(self) -> VenueAccountServices:
        """Accounts at venues."""
        ...

    @property
    def thin(self) -> ThinServices:
        """What only the short addresses have."""
        ...

    @property
    def live(self) -> LiveBus:
        """What the stream tells."""
        ...

    @property
    def metrics(self) -> MetricsServices:
        """What ``/metrics`` tells."""
        ...

    @property
    def backups(self) -> BackupServices:
        """Backups."""
        ...

    @property
    def tokens(self) -> TokenServices:
        """API tokens."""
        ...

    @property
    def alerts(self) -> AlertServices:
        """What was told, and price alerts."""
        ...

    @property
    def channels(self) -> ChannelServices:
        """The ways to people."""
        ...
