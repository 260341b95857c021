"""What an Expert Advisor, or a script of one's own, posts; see docs/metatrader.md."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from engine.contracts.base import Contract
from engine.domain.mailbox import Deal, ExecutionReport
from engine.domain.money import ZERO
from engine.domain.orders import Side
from engine.domain.pushed import (
    TIMEFRAMES,
    Amount,
    Bar,
    HeldPosition,
    Moment,
    Money,
    NotNegative,
    Price,
    PushedPrices,
    Sender,
    Status,
    SymbolFacts,
    TerminalState,
)
from engine.domain.timeframes import floor_time, timeframe_delta, timeframe_s

VERSION = 1
MOST_BARS = 1_000
MOST_INDICATORS = 100
MOST_POSITIONS = 1_000


def _version(told: object) -> object:
    if isinstance(told, bool) or str(told) not in ("1", "1.0"):
        raise ValueError(f"must be {VERSION}, the description that this engine knows")
    return VERSION


def _timeframe(told: str) -> str:
    if told in TIMEFRAMES:
        return TIMEFRAMES[told]
    if told in TIMEFRAMES.values():
        return told
    raise ValueError(f"must be one of {', '.join(TIMEFRAMES)}, or as {TIMEFRAMES['M15']}")


def _no_breaks(told: str) -> str:
    if not told.isprintable():
        raise ValueError("has characters that are not allowed here")
    return told


Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_no_breaks)]
Remark = Annotated[str, Field(max_length=200)]
Ticket = Annotated[str, Field(pattern=r"^\d{1,20}$")]
Timeframe = Annotated[str, AfterValidator(_timeframe), Field(max_length=10)]
BarRow = tuple[int, Price, Price, Price, Price, NotNegative]
"""Epoch in seconds, open, high, low, close, volume."""


class Told(Contract):
    """What every body begins with. A field that is not described is refused, so that a misspelt
    one is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Name = "script"
    version: Annotated[int, BeforeValidator(_version)] = VERSION
    account: Annotated[str, Field(pattern=r"^[\w.\-]{1,40}$")] = "script"
    server: Remark = ""
    terminal: TerminalState | None = None
    positions: Annotated[tuple[HeldPosition, ...], Field(max_length=MOST_POSITIONS)] | None = None

    @field_validator("account", mode="before")
    @classmethod
    def _as_text(cls, told: object) -> object:
        return str(told) if isinstance(told, int) and not isinstance(told, bool) else told

    @property
    def sender(self) -> Sender:
        """Who speaks."""
        return Sender(
            account=self.account, server=self.server, source=self.source, state=self.terminal,
            positions=self.positions,
        )  # fmt: skip


class Ohlc(Contract):
    """The last closed bar."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    open: Price
    high: Price
    low: Price
    close: Price
    volume: NotNegative | None = None


class PriceSignal(Told):
    """Prices of one symbol: ``POST /api/signals``. The bar's prices stand flat, or in ``ohlc``.

    Without ``time`` it counts as sent when it comes; without ``bar_time`` its bar is the last that
    has closed by then.
    """

    type: Literal["market_data"] = "market_data"
    symbol: Name
    timeframe: Timeframe = TIMEFRAMES["M1"]
    time: Moment | None = Field(
        default=None, description="ISO 8601 with a time zone, or seconds since 1970"
    )
    bar_time: Moment | None = None
    bid: Price
    ask: Price
    spread: NotNegative | None = None
    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    close: Price | None = None
    volume: NotNegative | None = None
    ohlc: Ohlc | None = None
    indicators: Annotated[
        Mapping[Name, Annotated[float, Field(allow_inf_nan=False)] | None],
        Field(max_length=MOST_INDICATORS),
    ] = Field(default_factory=dict)
    instrument: SymbolFacts | None = None
    bars: Annotated[tuple[BarRow, ...], Field(max_length=MOST_BARS)] = Field(
        default=(), description="older bars, when they were asked for, oldest first"
    )

    @model_validator(mode="before")
    @classmethod
    def _timestamp(cls, told: object) -> object:
        """Scripts call the time so."""
        if not isinstance(told, dict) or "timestamp" not in told or "time" in told:
            return told
        return {name: value for name, value in told.items() if name != "timestamp"} | {
            "time": told["timestamp"]
        }

    @model_validator(mode="after")
    def _prices_agree(self) -> Self:
        if self.bid > self.ask:
            raise ValueError("bid must not be above ask")
        flat = (self.open, self.high, self.low, self.close)
        if self.ohlc is not None and any(price is not None for price in flat):
            raise ValueError("give the bar's prices either flat or in ohlc, not both")
        if any(price is None for price in flat) and any(price is not None for price in flat):
            raise ValueError("a bar needs open, high, low and close")
        bar = self._ohlc()
        for opened, high, low, close in ([bar] if bar else []) + [row[1:5] for row in self.bars]:
            if not low <= min(opened, close) <= max(opened, close) <= high:
                raise ValueError("high must be the highest and low the lowest price of a bar")
        times = [row[0] for row in self.bars]
        if times != sorted(set(times)) or any(not 0 < each < 4_102_444_800 for each in times):
            raise ValueError("bars must have rising times, in seconds since 1970")
        return self

    def _ohlc(self) -> tuple[Decimal, ...] | None:
        bar = self.ohlc or self
        if bar.open is None or bar.high is None or bar.low is None or bar.close is None:
            return None
        return bar.open, bar.high, bar.low, bar.close

    def message(self, now: datetime) -> PushedPrices:
        """What it says, ``now`` that it came."""
        sent_at = self.time or now
        length = timeframe_delta(self.timeframe)
        bar_time = self.bar_time or floor_time(sent_at, timeframe_s(self.timeframe)) - length
        prices = self._ohlc()
        volume = (self.ohlc.volume if self.ohlc else None) or self.volume or 0
        earlier = [_bar(row) for row in self.bars]
        return PushedPrices(
            sender=self.sender,
            symbol=self.symbol,
            timeframe=self.timeframe,
            sent_at=sent_at,
            bid=self.bid,
            ask=self.ask,
            bar=None
            if prices is None
            else Bar.model_validate(
                {"time": bar_time, "volume": volume} | dict(zip(OHLC, prices, strict=True))
            ),
            earlier=tuple(bar for bar in earlier if bar.time < bar_time),
            indicators={name: value for name, value in self.indicators.items()
                        if value is not None},
            facts=self.instrument,
        )  # fmt: skip


OHLC = ("open", "high", "low", "close")


def _bar(row: BarRow) -> Bar:
    seconds, *prices, volume = row
    moment = datetime.fromtimestamp(seconds, UTC)
    return Bar.model_validate(
        {"time": moment, "volume": volume} | dict(zip(OHLC, prices, strict=True))
    )


class ToldDeal(Contract):
    """One deal of an order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticket: Annotated[str, Field(pattern=r"^[1-9]\d{0,19}$")]
    lots: Amount
    price: Amount
    commission: Money = ZERO
    time: Moment


class ExecutionSignal(Told):
    """What became of an order: ``POST /api/trade-execution``. ``lots`` and ``price`` sum up
    ``deals``: they have to agree, so that nothing is booked of half a list."""

    type: Literal["execution"] = "execution"
    id: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_no_breaks)]
    symbol: Name
    side: Side
    status: Status
    retcode: int = Field(default=0, ge=0, le=1_000_000)
    reason: Remark = ""
    order: Ticket = "0"
    deal: Ticket = "0"
    lots: NotNegative
    price: NotNegative = ZERO
    commission: Money = ZERO
    deals: Annotated[tuple[ToldDeal, ...], Field(max_length=1_000)] = ()
    time: Moment | None = None

    @model_validator(mode="after")
    def _deals_add_up(self) -> Self:
        if sum(deal.lots for deal in self.deals) != self.lots:
            raise ValueError("lots must be what the deals add up to")
        if len({deal.ticket for deal in self.deals}) != len(self.deals):
            raise ValueError("a deal is told twice in one list")
        if self.status in ("filled", "partly_filled") and not self.deals:
            raise ValueError(f"an order that is {self.status} has deals")
        return self

    def message(self) -> ExecutionReport:
        """What it says."""
        return ExecutionReport(
            sender=self.sender, id=self.id, status=self.status, retcode=self.retcode,
            reason=self.reason, order="" if self.order == "0" else self.order,
            deals=tuple(Deal.model_validate(deal.model_dump()) for deal in self.deals),
            sent_at=self.time,
        )  # fmt: skip
