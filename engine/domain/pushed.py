"""What an Expert Advisor, or a person's own script, tells of a market and of a terminal."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime, ensure_utc, plain
from engine.domain.orders import Side

MARKET_KIND = "metatrader"
TIMEFRAMES = {
    "M1": "1m", "M3": "3m", "M5": "5m", "M15": "15m", "M30": "30m",
    "H1": "1h", "H2": "2h", "H4": "4h", "H6": "6h", "H12": "12h", "D1": "1d",
}  # fmt: skip
"""MetaTrader's names of candle lengths, as far as Quarterdeck knows them."""

SILENT_AFTER = timedelta(seconds=60)
"""So long after its last word an advisor, or a symbol, counts as silent."""

DIGITS = Context(prec=12)
"""More than any price has, and fewer than a double."""

MOST_DECIMALS = 12

Amount = Annotated[Decimal, Field(gt=0, le=Decimal("1e12"), max_digits=40)]


def _without_noise(told: Decimal) -> Decimal:
    """A price without the last digits of a double, which are nobody's: 1.1014999999999999."""
    return plain(DIGITS.create_decimal(told))


Price = Annotated[Amount, AfterValidator(_without_noise)]
NotNegative = Annotated[Decimal, Field(ge=0, le=Decimal("1e12"), max_digits=40)]
Money = Annotated[Decimal, Field(ge=Decimal("-1e15"), le=Decimal("1e15"), max_digits=40)]


def _of_this_century(told: datetime) -> datetime:
    """Raises ValueError for times with which nothing can be calculated."""
    if not 2000 <= told.year < 2100:
        raise ValueError("must be a time of this century")
    return told


Status = Literal["placed", "partly_filled", "filled", "cancelled", "expired", "rejected", "unknown"]
"""What a report of the advisor's says of an order."""

Moment = Annotated[datetime, AfterValidator(_of_this_century), AfterValidator(ensure_utc)]
"""A time that somebody told."""


def market_of(account: str) -> str:
    """The id of the market that an account's pushed prices make."""
    return f"{MARKET_KIND}:{account}"


class TradeMode(StrEnum):
    """What the broker lets be done with a symbol."""

    FULL = "full"
    LONG_ONLY = "long_only"
    SHORT_ONLY = "short_only"
    CLOSE_ONLY = "close_only"
    DISABLED = "disabled"


class SymbolFacts(BaseModel):
    """The rules of a symbol as the terminal knows them. ``contract_size`` is units in a lot."""

    model_config = ConfigDict(frozen=True)

    digits: int = Field(ge=0, le=12)
    point: Amount
    tick_size: Amount | None = None
    contract_size: Amount
    lot_min: Amount
    lot_step: Amount
    lot_max: Amount
    base: str = Field(min_length=1, max_length=20)
    profit: str = Field(min_length=1, max_length=20, description="the currency of its prices")
    trade_mode: TradeMode = TradeMode.FULL
    path: str = Field(default="", max_length=200)


class Bar(BaseModel):
    """A closed bar of bid prices; ``volume`` counts ticks."""

    model_config = ConfigDict(frozen=True)

    time: Moment
    open: Price
    high: Price
    low: Price
    close: Price
    volume: NotNegative = Decimal(0)


class TerminalState(BaseModel):
    """An account's figures, in its currency, and what may be done with it."""

    model_config = ConfigDict(frozen=True)

    currency: str = Field(min_length=1, max_length=20)
    balance: Money
    equity: Money
    margin: Money
    margin_free: Money
    is_demo: bool
    is_hedging: bool
    may_trade: bool = Field(description="algorithmic trading is on, and the advisor executes")


class HeldPosition(BaseModel):
    """An open position in the terminal."""

    model_config = ConfigDict(frozen=True)

    ticket: str = Field(pattern=r"^\d{1,20}$")
    symbol: str = Field(min_length=1, max_length=60)
    side: Side
    lots: Amount
    price: Amount
    magic: str = Field(pattern=r"^\d{1,19}$")
    time: Moment


class Sender(BaseModel):
    """Who speaks, and the account's state if that is told with it."""

    model_config = ConfigDict(frozen=True)

    account: str
    server: str = ""
    source: str = ""
    state: TerminalState | None = None
    positions: tuple[HeldPosition, ...] | None = None


class PushedPrices(BaseModel):
    """One message of prices: the newest ones, the last closed bar, older bars when they were asked
    for (oldest first), and indicators at that bar."""

    model_config = ConfigDict(frozen=True)

    sender: Sender
    symbol: str
    timeframe: str
    sent_at: UtcDatetime
    bid: Price
    ask: Price
    bar: Bar | None
    earlier: tuple[Bar, ...] = ()
    indicators: Mapping[str, float] = Field(default_factory=dict)
    facts: SymbolFacts | None = None


class PushedBar(BaseModel):
    """A bar as it is kept. ``changes`` counts how often it was told otherwise later."""

    model_config = ConfigDict(frozen=True)

    id: str
    account: str
    symbol: str
    timeframe: str
    time: UtcDatetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    changes: int = 0

    def is_told_as(self, bar: Bar) -> bool:
        """Whether a bar says the same."""
        return (self.open, self.high, self.low, self.close, self.volume) == (
            bar.open, bar.high, bar.low, bar.close, bar.volume,
        )  # fmt: skip


class PushedPrice(BaseModel):
    """The newest prices of a symbol, with what else was told of it last. ``digits`` is how many
    decimals its prices were ever told with; ``timeframes`` of which bars ever came, shortest first;
    ``received`` counts its messages."""

    model_config = ConfigDict(frozen=True)

    id: str
    account: str
    symbol: str
    timeframes: tuple[str, ...] = ()
    bid: Decimal
    ask: Decimal
    sent_at: UtcDatetime
    received_at: UtcDatetime
    digits: int
    facts: SymbolFacts | None = None
    indicators: Mapping[str, float] = Field(default_factory=dict)
    received: int = 1


class Terminal(BaseModel):
    """An account with an Expert Advisor: when it was heard last, and what it said of itself.

    ``state_at`` is when state and positions were told; ``polled_at`` when orders were asked for,
    with ``magic``.
    """

    model_config = ConfigDict(frozen=True)

    account: str
    server: str = ""
    source: str = ""
    seen_at: UtcDatetime
    state: TerminalState | None = None
    positions: tuple[HeldPosition, ...] | None = None
    state_at: UtcDatetime | None = None
    polled_at: UtcDatetime | None = None
    magic: str | None = None
    received: int = 0

    def heard(self, sender: Sender, now: datetime) -> "Terminal":
        """After another message; what was not told stays as it was."""
        changes: dict[str, object] = {
            "server": sender.server or self.server,
            "source": sender.source or self.source,
            "seen_at": now,
            "received": self.received + 1,
        }
        if sender.state is not None:
            changes |= {"state": sender.state, "state_at": now}
        if sender.positions is not None:
            changes["positions"] = sender.positions
        return self.model_copy(update=changes)


def key_of(*parts: str) -> str:
    """The key of a row: parts that have no line break in them."""
    return "\n".join(parts)


def bar_key(account: str, symbol: str, timeframe: str, time: datetime) -> str:
    """The key of a bar."""
    return key_of(account, symbol, timeframe, f"{time:%Y-%m-%dT%H:%M}")


def decimals_of(*prices: Decimal) -> int:
    """How many decimals the longest of some prices has, up to ``MOST_DECIMALS``."""
    exponents = (plain(price).as_tuple().exponent for price in prices)
    told = max((-each for each in exponents if isinstance(each, int)), default=0)
    return min(told, MOST_DECIMALS)
