"""News: text of strangers, which is data and never an instruction."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import UtcDatetime
from engine.domain.news_text import plain_text, safe_url

OWN = "own"
"""The source of what a user's own programs send."""

LONGEST_TITLE = 300
LONGEST_SUMMARY = 1_000
LONGEST_NAME = 40

COINS = {
    "ADA": "Cardano", "ARB": "Arbitrum", "ATOM": "Cosmos", "AVAX": "Avalanche",
    "BCH": "Bitcoin Cash", "BNB": "BNB", "BTC": "Bitcoin", "DOGE": "Dogecoin", "DOT": "Polkadot",
    "ETC": "Ethereum Classic", "ETH": "Ethereum", "FIL": "Filecoin", "LINK": "Chainlink",
    "LTC": "Litecoin", "MATIC": "Polygon", "NEAR": "NEAR Protocol", "OP": "Optimism",
    "POL": "Polygon", "SHIB": "Shiba Inu", "SOL": "Solana", "SUI": "Sui", "TRX": "TRON",
    "UNI": "Uniswap", "USDC": "USD Coin", "USDT": "Tether", "XLM": "Stellar", "XMR": "Monero",
    "XRP": "Ripple",
}  # fmt: skip
"""Coins under the names that newspapers call them by."""

CURRENCIES = {
    "AUD": "Australian dollar", "CAD": "Canadian dollar", "CHF": "Swiss franc", "CNH": "yuan",
    "CZK": "koruna", "DKK": "Danish krone", "EUR": "euro", "GBP": "pound sterling",
    "HKD": "Hong Kong dollar", "HUF": "forint", "INR": "rupee", "JPY": "yen", "MXN": "Mexican peso",
    "NOK": "Norwegian krone", "NZD": "New Zealand dollar", "PLN": "zloty", "SEK": "Swedish krona",
    "SGD": "Singapore dollar", "TRY": "lira", "USD": "dollar", "ZAR": "rand",
}  # fmt: skip
"""Currencies that pairs are made of, likewise."""


@dataclass(frozen=True)
class NewsSubject:
    """What news is asked about. ``symbol`` is BTC, AAPL, or EURUSD; ``name`` what newspapers call
    it, where that is known."""

    symbol: str
    kind: InstrumentKind
    name: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """What a text about it has in it, one of them at least."""
        if self.kind is InstrumentKind.FOREX:
            base, quote = self.symbol[:3], self.symbol[3:]
            names = (CURRENCIES.get(base, base), CURRENCIES.get(quote, quote))
            return (f"{base}/{quote}", self.symbol, *dict.fromkeys((base, *names)))
        return (self.symbol, self.name) if self.name else (self.symbol,)


class NewsItem(BaseModel):
    """One piece of news. ``sentiment`` is the source's own, -1 to 1, where it has one."""

    model_config = ConfigDict(frozen=True)

    id: str
    source: str
    symbol: str = Field(description="what was asked for: BTC, AAPL, EURUSD; empty: the market")
    published_at: UtcDatetime
    title: str
    summary: str = ""
    url: str = ""
    sentiment: float | None = None
    fetched_at: UtcDatetime


def subject_of(instrument: Instrument) -> NewsSubject:
    """What to ask about an instrument: its base, or both sides of a currency pair."""
    base, quote = instrument.base.upper(), instrument.quote.upper()
    if instrument.kind is InstrumentKind.FOREX:
        return NewsSubject(f"{base}{quote}", InstrumentKind.FOREX)
    if instrument.kind is InstrumentKind.CRYPTO:
        return NewsSubject(base, InstrumentKind.CRYPTO, COINS.get(base, ""))
    return NewsSubject(base, InstrumentKind.STOCK, plain_text(instrument.name, LONGEST_NAME))


def subject_named(text: str) -> NewsSubject:
    """What a person means by BTC, BTC/USDT, AAPL, EUR/USD or EURUSD. A name of six letters that is
    two currencies is a pair, a known coin is crypto, all else a stock."""
    name = "".join(text.upper().split())
    base, slash, quote = name.partition("/")
    pair = base + quote
    if len(pair) == 6 and pair[:3] in CURRENCIES and pair[3:] in CURRENCIES:
        return NewsSubject(pair, InstrumentKind.FOREX)
    if base in COINS or slash:
        return NewsSubject(base, InstrumentKind.CRYPTO, COINS.get(base, ""))
    return NewsSubject(base, InstrumentKind.STOCK)


def news_item(
    source: str,
    symbol: str,
    published_at: datetime,
    title: str,
    fetched_at: datetime,
    *,
    summary: str = "",
    url: str = "",
    sentiment: float | None = None,
) -> NewsItem | None:
    """A piece of news made of what a stranger wrote: cleaned, cut, under an id that the same piece
    has again. None where no title is left. Nothing is newer than the moment it was fetched."""
    clean = plain_text(title, LONGEST_TITLE)
    if not clean:
        return None
    address = safe_url(url)
    shown = min(published_at, fetched_at)
    name = address or f"{clean}|{published_at:%Y-%m-%dT%H:%M}"
    digest = hashlib.sha256(f"{source}|{symbol}|{name}".encode()).hexdigest()
    in_range = sentiment is not None and -1.0 <= sentiment <= 1.0  # NaN is not
    return NewsItem(
        id=digest[:32], source=source, symbol=symbol, published_at=shown, title=clean,
        summary=plain_text(summary, LONGEST_SUMMARY), url=address,
        sentiment=sentiment if in_range else None, fetched_at=fetched_at,
    )  # fmt: skip


def without_repeats(items: Iterable[NewsItem], limit: int) -> tuple[NewsItem, ...]:
    """The first ``limit`` of the items, one of those that have the same title: sources repeat one
    another."""
    seen: dict[str, NewsItem] = {}
    for item in items:
        if len(seen) >= limit:
            break
        seen.setdefault(item.title.casefold(), item)
    return tuple(seen.values())
