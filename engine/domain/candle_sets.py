"""Candle sets: what a file of the candle library holds, and what it is called."""

import re
from datetime import datetime
from decimal import Decimal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.domain.candle_gaps import Gap
from engine.domain.candles import Candles, FloatArray
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import UtcDatetime
from engine.domain.timeframes import SECONDS

IMPORT = "import"
AS_GIVEN = "as given"
SYMBOL = r"^\^?[A-Z0-9][A-Z0-9.]{0,19}(/[A-Z0-9]{1,15})?$"
STEM = re.compile(
    r"^(?P<symbol>[A-Za-z0-9.^]+?(-[A-Za-z0-9]+)?)"
    r"(\.(?P<timeframe>\d+[smhd]))?(@(?P<source>[a-z0-9_-]+))?$"
)
"""A candle file's name without its ending: ``ETH-BTC.5m`` or ``BTC-USDT.1h@ccxt-binance``."""

FIAT = frozenset({"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD"})
MIN_NOTIONAL = {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001")}
MOST_DIGITS = 10
SAMPLE = 1000


class CandleSet(BaseModel):
    """Candles of one symbol and length from one source: what a file of the library is about.

    ``prices`` says what was done to them: "as given", "split-adjusted", "adjusted".
    """

    model_config = ConfigDict(frozen=True)

    symbol: str = Field(pattern=SYMBOL, description="as BTC/USDT or IBM")
    timeframe: str
    source: str = Field(default=IMPORT, pattern=r"^[a-z0-9_:]{1,40}$")
    kind: InstrumentKind = InstrumentKind.CRYPTO
    prices: str = AS_GIVEN

    @field_validator("timeframe")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in SECONDS:
            raise ValueError(f"unknown timeframe '{name}'; one of {', '.join(SECONDS)}")
        return name

    @property
    def id(self) -> str:
        """Its name, which its file has too: two sources of one symbol never meet in one file."""
        origin = "" if self.source == IMPORT else f"@{self.source.replace(':', '-')}"
        return f"{self.symbol.replace('/', '-')}.{self.timeframe}{origin}"


class Span(BaseModel):
    """What a candle set covers, as it is kept beside the candles."""

    model_config = ConfigDict(frozen=True)

    rows: int
    first: UtcDatetime
    last: UtcDatetime = Field(description="open of the newest candle")
    gap_count: int
    missing: int = Field(description="candles that are missing in the gaps")
    closed_days: int = Field(description="whole days without trading that are no weekends")
    coverage: float = Field(description="share of the candles that should be there, 0 to 1")
    gaps: tuple[Gap, ...] = Field(description="the longest, oldest first, without closed days")


class StoredSet(BaseModel):
    """One entry of the library. ``error`` says why a file cannot be used; then there is no span."""

    model_config = ConfigDict(frozen=True)

    id: str
    about: CandleSet | None
    path: str
    size_bytes: int
    changed_at: UtcDatetime
    is_ours: bool = Field(description="written by the library: can be merged into and deleted")
    span: Span | None = None
    error: str = ""


class MergeReport(BaseModel):
    """What became of candles that were put into a set. Conflicts are candles that both had, with
    other numbers: the newer ones count."""

    model_config = ConfigDict(frozen=True)

    added: int = 0
    same: int = 0
    conflicts: int = 0
    conflict_times: tuple[datetime, ...] = Field(default=(), description="the first ten")

    def __add__(self, other: "MergeReport") -> "MergeReport":
        """Both, one after the other."""
        return MergeReport(
            added=self.added + other.added,
            same=self.same + other.same,
            conflicts=self.conflicts + other.conflicts,
            conflict_times=(self.conflict_times + other.conflict_times)[:10],
        )


def is_symbol(name: str) -> bool:
    """Whether the library can call a candle set so."""
    return re.fullmatch(SYMBOL, name) is not None


def kind_of(symbol: str) -> InstrumentKind:
    """What a symbol most likely is: without a quote a stock, of two currencies forex."""
    base, _, quote = symbol.upper().replace("-", "/").partition("/")
    if not quote:
        return InstrumentKind.STOCK
    return InstrumentKind.FOREX if {base, quote} <= FIAT else InstrumentKind.CRYPTO


def instrument_of(symbol: str, kind: InstrumentKind, candles: Candles) -> Instrument:
    """What is traded in a file: the price step is the finest that its prices need."""
    name = symbol.replace("/", "-")
    symbol = symbol.upper().replace("-", "/")
    base, _, quote = symbol.partition("/")
    quote = quote or "USD"
    prices = (candles.open, candles.high, candles.low, candles.close)
    digits = max(map(price_digits, prices))
    is_stock = kind is InstrumentKind.STOCK
    return Instrument(
        symbol=symbol,
        name=f"{name} from a file",
        kind=kind,
        base=base,
        quote=quote,
        price_tick=Decimal(1).scaleb(-digits),
        quantity_step=Decimal("0.0001") if is_stock else Decimal("1e-8"),
        min_notional=MIN_NOTIONAL.get(quote, Decimal(5)),
        can_short=True,
    )


def price_digits(prices: FloatArray) -> int:
    """The fewest decimals that write all prices exactly, at most ``MOST_DIGITS``."""
    least = _digits(prices[:SAMPLE], 0)  # fewer cannot do for all: a million need one look then
    return _digits(prices, least)


def _digits(prices: FloatArray, least: int) -> int:
    for digits in range(least, MOST_DIGITS):
        if bool((np.round(prices, digits) == prices).all()):
            return digits
    return MOST_DIGITS
