"""The engine's sockets: what services need of the outside world, as Protocols.

Adapters plug in here; bootstrap chooses them; one contract suite per port runs over each.
All calls block; services run the slow ones on the worker of their account or market.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.decisions import Decision, Intent
from engine.domain.instruments import Instrument, Quote
from engine.domain.orders import Order, OrderReport, OrderRequest
from engine.domain.positions import Fill, Position, PositionEntry, Trade
from engine.domain.records import (
    AuditEntry,
    EquityPoint,
    Event,
    Lease,
    PaperBalance,
    StrategyConfiguration,
)

T = TypeVar("T")


class Clock(Protocol):
    """The machine's time."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...


# --- markets ---------------------------------------------------------------------------------


class MarketData(Protocol):
    """Candles and prices of one market. Only closed candles, as of ``now()``, are ever given."""

    market_id: str

    def now(self) -> datetime:
        """The market's own time: the wall clock, or a replay's."""
        ...

    def instruments(self) -> Sequence[Instrument]:
        """Everything that can be traded. Raises DataError when the venue does not answer."""
        ...

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound for an unknown symbol, DataError when the venue does not answer."""
        ...

    def timeframes(self) -> Sequence[str]:
        """The candle lengths this market gives, shortest first."""
        ...

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest ``limit`` candles closed by ``before`` (default ``now()``), oldest first.

        Fewer when history is shorter. Raises NotFound, or DataError for gaps that cannot be read.
        """
        ...

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The price at ``now()``. A market of bars answers ``seen_price`` when it lies in the bar
        that just closed. Raises NotFound, DataError."""
        ...

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles that opened at or after ``after``, to match and watch by."""
        ...


@runtime_checkable
class SteppedMarket(MarketData, Protocol):
    """A market whose time is moved by its only bot: a replay."""

    def next_step(self, timeframe: str, after: datetime | None) -> datetime | None:
        """Close of the next candle of ``timeframe`` closing later than ``after`` (None: the
        first). None at the end of the file."""
        ...

    def seek(self, moment: datetime) -> None:
        """Set ``now()``."""
        ...

    def pause_s(self, timeframe: str) -> float:
        """Wall seconds between two steps at the replay's speed; 0 is full speed."""
        ...


# --- brokers ---------------------------------------------------------------------------------


class BrokerCapabilities(BaseModel):
    """What a venue does by itself."""

    model_config = ConfigDict(frozen=True)

    is_paper: bool = False
    is_idempotent: bool = Field(
        default=False, description="a client id sent twice is one order, for ever"
    )
    has_quote_amount: bool = False
    has_shorting: bool = False
    fee_bps: Decimal = Field(default=Decimal(10), description="taker fee, for previews")
    quiet_period_s: float = Field(
        default=30.0, description="how long an order that may be under way can still turn up"
    )


class Balance(BaseModel):
    """What an account holds of one asset."""

    model_config = ConfigDict(frozen=True)

    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


class Broker(Protocol):
    """One account at one venue."""

    account_id: str
    capabilities: BrokerCapabilities

    def balances(self) -> Mapping[str, Balance]:
        """By asset. Raises BrokerUnavailable."""
        ...

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order. Raises InsufficientFunds or OrderRejected (refused for certain),
        BrokerUnavailable (surely not sent), OrderStateUnknown (anything else)."""
        ...

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; an order already done is reported as it is. Raises NotFound."""
        ...

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order as the venue knows it now (resting orders are matched up to now first)."""
        ...

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working."""
        ...


class PaperOrder(BaseModel):
    """An order in a paper venue's own book."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    request: OrderRequest
    report: OrderReport
    locked_asset: str = ""
    locked_amount: Decimal = Decimal(0)
    matched_until: datetime | None = None


class PaperBook(Protocol):
    """The durable books of paper venues, apart from the engine's own."""

    def balances(self, account_id: str) -> dict[str, PaperBalance] | None:
        """None for an account that was never opened."""
        ...

    def find_order(self, account_id: str, client_id: str) -> PaperOrder | None:
        """One order."""
        ...

    def open_orders(self, account_id: str) -> Sequence[PaperOrder]:
        """Orders still working, oldest first."""
        ...

    def commit(
        self, account_id: str, balances: Mapping[str, PaperBalance], *orders: PaperOrder
    ) -> None:
        """Write balances and orders in one transaction (insert or replace)."""
        ...


# --- strategies ------------------------------------------------------------------------------


class StrategyInfo(BaseModel):
    """A strategy file as found on disk. ``error`` says why it cannot be used."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    summary: str = ""
    doc: str = ""
    path: str = ""
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="JSON schema of the parameters, with titles and bounds"
    )
    warmup: int = 0
    history: int = 0
    error: str | None = None


class PlotSeries(BaseModel):
    """A strategy's series for the chart; None while warming up."""

    model_config = ConfigDict(frozen=True)

    name: str
    values: tuple[float | None, ...]
    is_overlay: bool = True
    levels: tuple[float, ...] = ()


class StrategyHost(Protocol):
    """Runs strategy code in worker processes without keys; never in the engine's own."""

    def list(self) -> Sequence[StrategyInfo]:
        """Every file of the folder, broken ones with their error; seen within two seconds."""
        ...

    def get(self, strategy_id: str) -> StrategyInfo:
        """Raises NotFound, or StrategyError when the file is broken."""
        ...

    def validate(self, strategy_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with defaults filled in, as JSON values.

        Raises NotFound, StrategyError, or ConfigError naming the parameter (``params.period``).
        """
        ...

    def history(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """How many candles ``decide`` wants to see."""
        ...

    def decide(self, strategy_id: str, params: Mapping[str, Any], candles: Candles) -> Intent:
        """Blocks until the worker answers. Raises StrategyError on failure, nonsense, deadline."""
        ...

    def plots(
        self, strategy_id: str, params: Mapping[str, Any], candles: Candles
    ) -> Sequence[PlotSeries]:
        """The series to draw over ``candles``. Raises like ``decide``."""
        ...

    def close(self) -> None:
        """Stop every worker."""
        ...


# --- the store -------------------------------------------------------------------------------


class Prefix(str):
    """A value for ``select``'s equals that stands for all texts beginning with it."""


class Repository(Protocol[T]):
    """The entities of one table."""

    def get(self, key: str) -> T:
        """Raises NotFound."""
        ...

    def find(self, key: str) -> T | None:
        """None when there is none."""
        ...

    def add(self, *items: T) -> None:
        """Insert. Raises Conflict when a unique key is taken."""
        ...

    def save(self, item: T) -> None:
        """Replace the row with the same key. Raises NotFound."""
        ...

    def delete(self, key: str) -> None:
        """Raises NotFound."""
        ...

    def select(
        self,
        *,
        order_by: str | None = None,
        is_descending: bool = False,
        limit: int | None = None,
        offset: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> Sequence[T]:
        """Rows whose columns equal ``equals`` (a list, tuple or set means one of; None means NULL;
        a ``Prefix`` means beginning with it).

        ``since`` (inclusive) and ``until`` (exclusive) bound the table's time column, which is
        also the default order; ``search`` is a case-insensitive part of its text columns.
        """
        ...

    def count(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> int:
        """How many rows ``select`` would give without a limit."""
        ...

    def prune(self, until: datetime, **equals: Any) -> int:
        """Delete rows older than ``until``; how many went."""
        ...


class Transaction(Protocol):
    """One unit of work: everything in it is committed together or not at all."""

    bots: Repository[Bot]
    configurations: Repository[StrategyConfiguration]
    orders: Repository[Order]
    fills: Repository[Fill]
    positions: Repository[Position]
    entries: Repository[PositionEntry]
    trades: Repository[Trade]
    decisions: Repository[Decision]
    equity: Repository[EquityPoint]
    events: Repository[Event]
    audit: Repository[AuditEntry]

    def put_instrument(self, market_id: str, instrument: Instrument) -> None:
        """Keep an instrument's rules as they were when a bot was checked by them."""
        ...

    def find_instrument(self, market_id: str, symbol: str) -> Instrument | None:
        """The rules kept last, for a market that does not answer."""
        ...

    def find_setting(self, key: str) -> str | None:
        """A small value kept by name (the kill switch, edited settings)."""
        ...

    def put_setting(self, key: str, value: str) -> None:
        """Keep a small value."""
        ...


class Store(Protocol):
    """The engine's durable state."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Read and write. BEGIN IMMEDIATE; commits at the end of the block, rolls back when it
        raises. Raises StoreError when the database refuses, LeaseLost when fenced off."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """Read one consistent snapshot; never blocks a writer."""
        ...

    def acquire_lease(self, owner: str, detail: str, ttl: timedelta) -> Lease:
        """Own the database: from now on this store's writes raise LeaseLost once another took over.

        An owner may take its own lease again; the term rises all the same, so that an engine of
        the same name which lives after all is fenced off. Raises Conflict, saying who holds it,
        when another owner's lease has not run out.
        """
        ...

    def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        """Raises LeaseLost when somebody else took it."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Give it up at a graceful stop."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class Venues(Protocol):
    """The markets and brokers there are, by id; built once, kept while in use."""

    def market_ids(self) -> Sequence[str]:
        """Markets offered in the form: ``simulated``, ``ccxt:binance``, replays found in data/."""
        ...

    def market(self, market_id: str, bot_id: str | None = None) -> MarketData:
        """The market. A replay is one instance a bot. Raises NotFound, ConfigError."""
        ...

    def is_stepped(self, market_id: str) -> bool:
        """Whether each bot moves the time of an instance of its own: a replay."""
        ...

    def broker(self, account_id: str, market: MarketData) -> Broker:
        """The account's broker over ``market``. Raises NotFound."""
        ...

    def account_of(self, market_id: str, bot_id: str) -> str:
        """The account a new bot on ``market_id`` trades with."""
        ...

    def forget(self, bot_id: str) -> None:
        """Drop a stopped bot's own instances."""
        ...
