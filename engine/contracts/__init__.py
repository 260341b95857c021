"""Frozen request and response types of the HTTP API, shared with the panel.

Money travels as a decimal string, time as ISO 8601 UTC.
"""

from decimal import Decimal
from typing import Any

from pydantic import ConfigDict, Field

from engine.contracts.accounts import (
    AccountBot,
    AccountReport,
    AccountView,
    AssetRow,
    CheckRequest,
    FindingFilter,
    ResolveRequest,
)
from engine.contracts.base import Contract
from engine.contracts.conversion import BaseTotals
from engine.contracts.market_data import LiveFacts
from engine.contracts.records import EventFilter, TradeFilter, TradePage, TradeTotals
from engine.domain.accounts import (
    HOUSE,
    AccountHealth,
    Finding,
    FindingKind,
    FindingState,
    Resolution,
)
from engine.domain.bots import (
    ACTIVE_STATES,
    WEEKDAYS,
    Bot,
    BotConfig,
    BotName,
    BotState,
    Desired,
    Direction,
    EntryOrder,
    RoiStep,
)
from engine.domain.decisions import Action, Decision, Verdict
from engine.domain.instruments import Instrument, Quote
from engine.domain.limits import LimitUsage
from engine.domain.money import ONE, ZERO, UtcDatetime, to_epoch_ms
from engine.domain.orders import Order, OrderState, OrderType, Purpose, Side, TimeInForce
from engine.domain.positions import Fill, Position, PositionSide, Trade
from engine.domain.records import (
    AuditEntry,
    EquityPoint,
    Event,
    KillLevel,
    KillSwitch,
    Level,
    ScopeKind,
)
from engine.domain.tickets import OrderChanges, OrderTicket, TicketType
from engine.domain.timeframes import SECONDS, timeframe_s

# With the words of the domain that the panel speaks too: it imports nothing else of the engine.
__all__ = [
    "ACTIVE_STATES", "HOUSE", "SECONDS", "WEEKDAYS", "AccountBot", "AccountHealth", "AccountReport",
    "AccountView", "Action", "AssetRow", "AuditEntry", "Bot", "BotConfig", "BotState",
    "CheckRequest", "Contract", "Decision", "Desired", "Direction", "EntryOrder", "EquityPoint",
    "Event", "EventFilter", "Fill", "Finding", "FindingFilter", "FindingKind", "FindingState",
    "Instrument", "KillLevel", "KillSwitch", "Level", "LimitUsage", "LiveFacts", "Order",
    "OrderChanges", "OrderState", "OrderTicket", "OrderType", "Position", "PositionSide", "Purpose",
    "Quote", "Resolution", "ResolveRequest", "RoiStep", "ScopeKind", "Side", "TicketType",
    "TimeInForce", "Trade", "TradeFilter", "TradePage", "TradeTotals", "Verdict", "timeframe_s",
    "to_epoch_ms",
]  # fmt: skip


class ErrorDetail(Contract):
    """One thing that is wrong; ``field`` is a dotted input name or empty."""

    field: str
    message: str


class ErrorBody(Contract):
    """What every failed request answers, under ``error``."""

    code: str
    message: str
    details: tuple[ErrorDetail, ...] = ()


class Health(Contract):
    """``GET /health``, the only call without a token. ``modes``: whose money bots trade with."""

    status: str
    version: str
    engine_id: str
    started_at: UtcDatetime
    heartbeat_at: UtcDatetime
    modes: tuple[str, ...] = ("paper",)


class Lateness(Contract):
    """How late something happened, in seconds, over the newest ones."""

    count: int
    p50_s: float
    p99_s: float
    worst_s: float


class EngineStats(Contract):
    """How the engine is doing. ``jobs`` is how late each bot's job began, ``cycles`` how long after
    the candle's close its decision was written."""

    live_bots: int
    cycles_run: int
    candle_requests: int
    jobs: Lateness
    cycles: Lateness


class PositionView(Contract):
    """An open position at the present price. Amounts in ``quote``.

    ``protected_at``: since when its stop rests at the venue. ``unprotected_since``: since when a
    stop that should rest there does not. Neither: the engine alone watches it.
    """

    id: str
    bot_id: str
    bot_name: str
    market: str
    symbol: str
    quote: str
    side: PositionSide
    quantity: Decimal
    average_price: Decimal
    last_price: Decimal | None
    unrealised_pnl: Decimal | None
    unrealised_fraction: Decimal | None
    stop_price: Decimal | None
    target_price: Decimal | None
    entry_count: int
    fees: Decimal
    funding: Decimal = ZERO
    exit_quantity: Decimal = Field(default=ZERO, description="what was closed of it before")
    dust: Decimal = ZERO
    protected_at: UtcDatetime | None = None
    unprotected_since: UtcDatetime | None = None
    opened_at: UtcDatetime


class BotView(Contract):
    """A bot with what is live about it, as its card shows it. Amounts in ``quote``.

    ``mode`` is what its orders move: ``paper``, ``test`` or ``live`` money. ``account_objection``
    is why its account takes no entries now; ``account_name`` is what a person calls the account
    whose market it is on, empty on others.
    """

    id: str
    config: BotConfig
    account_id: str
    mode: str = "paper"
    account_objection: str | None = None
    account_name: str = ""
    state: BotState
    desired: Desired
    reason: str
    base: str = ""
    quote: str
    can_short: bool = False
    last_price: Decimal | None
    price_at: UtcDatetime | None
    equity: Decimal
    capital: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    today_pnl: Decimal
    trade_count: int
    win_count: int
    position: PositionView | None
    next_check_at: UtcDatetime | None
    checked_at: UtcDatetime | None
    decided_until: UtcDatetime | None
    strategy_errors: int
    created_at: UtcDatetime
    started_at: UtcDatetime | None
    sparkline: tuple[float, ...] = ()
    live: LiveFacts = LiveFacts()


class QuoteTotal(Contract):
    """Sums over all bots that trade in one quote asset."""

    quote: str
    equity: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    today_pnl: Decimal
    open_positions: int


class EquitySeries(Contract):
    """Equity over time, oldest first."""

    quote: str
    times: tuple[UtcDatetime, ...]
    equity: tuple[float, ...]


class Overview(Contract):
    """Everything the Overview page shows."""

    now: UtcDatetime
    totals: tuple[QuoteTotal, ...]
    base: BaseTotals | None = None
    states: dict[BotState, int]
    bots: tuple[BotView, ...]
    equity: tuple[EquitySeries, ...]
    recent_trades: tuple[Trade, ...]
    recent_events: tuple[Event, ...]
    kill: KillSwitch


class BotPreview(Contract):
    """What a configuration would mean, before it is saved. Amounts in ``quote``.

    ``at_risk`` is what all entries of a position use together, ``loss_at_most`` what is lost of it
    where the stop works as planned; without a stop everything, and None for a short, whose loss
    has no end.
    """

    config: BotConfig
    instrument: Instrument
    last_price: Decimal
    quantity: Decimal
    fees_round_trip: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    loss_at_stop: Decimal | None
    gain_at_target: Decimal | None
    at_risk: Decimal = ZERO
    loss_at_most: Decimal | None = None
    mode: str = "paper"
    free_balance: Decimal
    warnings: tuple[str, ...] = ()


class StopRequest(Contract):
    """How to stop: keep the position, or close it first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    close_position: bool = False


class CloseRequest(Contract):
    """How much of the position to close at the market: 1 is all of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fraction: Decimal = Field(default=ONE, gt=0, le=1, max_digits=12)


class CloneRequest(Contract):
    """The copy's name; ``confirm_name`` is that name once more where it trades real money."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BotName
    confirm_name: str = Field(default="", max_length=60)


class StartRequest(Contract):
    """``confirm_name``: the bot's name, typed, where it trades real money."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confirm_name: str = Field(default="", max_length=60)


class KillRequest(Contract):
    """Set the kill switch; ``none`` releases it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: KillLevel


class ControlRequest(Contract):
    """Latch a control on everything, an account, a bot (by id or name) or a symbol; ``none``
    releases it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: ScopeKind
    key: str = Field(default="", max_length=600, description="what the scope is of")
    level: KillLevel
    reason: str = Field(default="", max_length=300)


class Marker(Contract):
    """An entry or exit on the chart."""

    time: UtcDatetime
    price: Decimal
    kind: str = Field(description="entry or exit")
    side: PositionSide
    text: str


class SeriesView(Contract):
    """A strategy's line on the chart; None while warming up."""

    name: str
    values: tuple[float | None, ...]
    is_overlay: bool
    levels: tuple[float, ...] = ()


class Chart(Contract):
    """A bot's candles and what was done on them. Arrays have one length."""

    symbol: str
    timeframe: str
    time: tuple[UtcDatetime, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume: tuple[float, ...]
    series: tuple[SeriesView, ...] = ()
    series_error: str = ""
    markers: tuple[Marker, ...] = ()
    position: PositionView | None = None
    last_price: Decimal | None = None


class StrategyView(Contract):
    """A strategy as the form and the Strategies page need it."""

    id: str
    title: str
    summary: str
    doc: str
    path: str
    parameters: dict[str, Any]
    warmup: int
    error: str | None
    used_by: tuple[str, ...] = ()


class MarketView(Contract):
    """A market that bots can be created on. ``mode`` is what is traded with there: ``paper``,
    ``test`` or ``live`` money; ``account`` and ``venue`` name an added account and where it is."""

    id: str
    title: str
    description: str
    timeframes: tuple[str, ...]
    error: str = ""
    mode: str = Field(default="paper", description="what the orders of its accounts move")
    account: str = ""
    venue: str = ""


class SymbolView(Contract):
    """A symbol found by search."""

    instrument: Instrument
    last_price: Decimal | None = None


class SettingView(Contract):
    """One setting: its value in force, where it comes from, whether the panel may change it."""

    key: str
    title: str
    description: str
    value: str
    default: str
    is_editable: bool
    pending: str = Field(default="", description="a changed value, in force at the next start")


class SettingsUpdate(Contract):
    """New values by key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, str]
