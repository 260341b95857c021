"""Alpaca's assets as instruments. After docs.alpaca.markets, "Working with /assets", "Placing
Orders", "Fractional Trading" and "Crypto Spot Trading"."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.reading import Row
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import ONE, ZERO

PENNY, SUB_PENNY = Decimal("0.01"), Decimal("0.0001")
FINEST = Decimal("1e-9")
"""Of a part of a share, and of crypto whose asset does not say."""

LEAST_PART = Decimal(1)
"""The least a part of a share may be worth, USD."""

LEAST_CRYPTO = {"USD": Decimal(10), "USDC": Decimal(10), "USDT": Decimal(10)}
"""The least that an order of crypto may be worth, by what it is paid in."""

CALENDAR = "XNYS"


def instruments_of(
    answer: Any, kind: InstrumentKind, *, is_fractional: bool
) -> tuple[Instrument, ...]:
    """The tradable ones of a list of assets. Raises Unreadable."""
    return tuple(_instruments(read.rows(answer), kind, is_fractional))


def tick_at(price: Decimal) -> Decimal:
    """The price step of a stock: a penny from a dollar on, a hundredth of it below."""
    return PENNY if price >= ONE else SUB_PENNY


def _instruments(
    assets: list[Row] | Any, kind: InstrumentKind, is_fractional: bool
) -> Iterator[Instrument]:
    for asset in assets:
        if not read.is_set(asset, "tradable"):
            continue
        if kind is InstrumentKind.CRYPTO:
            yield _pair(asset)
        else:
            yield _stock(asset, in_parts=is_fractional and read.is_set(asset, "fractionable"))


def _stock(asset: Row, *, in_parts: bool) -> Instrument:
    symbol = read.words(asset, "symbol")
    return Instrument(
        symbol=symbol,
        name=_name(asset),
        kind=InstrumentKind.STOCK,
        base=symbol,
        quote="USD",
        price_tick=PENNY,
        quantity_step=FINEST if in_parts else ONE,
        min_notional=LEAST_PART if in_parts else ZERO,
        calendar=CALENDAR,
    )


def _pair(asset: Row) -> Instrument:
    symbol = read.words(asset, "symbol")
    base, _, quote = symbol.partition("/")
    if not quote:
        raise read.Unreadable(f"{symbol} is no pair")
    return Instrument(
        symbol=symbol,
        name=_name(asset),
        kind=InstrumentKind.CRYPTO,
        base=base,
        quote=quote,
        price_tick=read.maybe(asset, "price_increment") or FINEST,
        quantity_step=read.maybe(asset, "min_trade_increment") or FINEST,
        min_quantity=read.maybe(asset, "min_order_size") or ZERO,
        min_notional=LEAST_CRYPTO.get(quote, ZERO),
    )


def _name(asset: Row) -> str:
    told = asset.get("name")
    return told if isinstance(told, str) else ""
