"""What an account at Zerodha holds, put together from the four lists that tell parts of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.options import Exchange, Product
from engine.domain.money import ZERO
from engine.domain.orders import TERMINAL
from engine.ports import Balance

SHARES = frozenset(exchange.value for exchange in Exchange)


def delivered(holdings: Any, positions: Any) -> dict[str, Decimal]:
    """Shares held for delivery, by symbol, on whichever exchange they are traded: what was carried
    over the night, and what the day has added or taken. Raises Unreadable."""
    held: dict[str, Decimal] = {}
    for line in read.rows(holdings):
        symbol = read.words(line, "tradingsymbol")
        held[symbol] = held.get(symbol, ZERO) + read.amount(line, "opening_quantity")
    for line in read.rows(read.row(positions).get("net")):
        exchange, product = read.words(line, "exchange"), read.words(line, "product")
        if product != Product.CNC or exchange not in SHARES:
            continue
        symbol = read.words(line, "tradingsymbol")
        day = read.amount(line, "day_buy_quantity") - read.amount(line, "day_sell_quantity")
        held[symbol] = held.get(symbol, ZERO) + day
    return held


def intraday(positions: Any, exchange: str) -> dict[str, Decimal]:
    """Intraday positions on one exchange, by symbol, shorts below zero. Raises Unreadable."""
    return {
        read.words(line, "tradingsymbol"): read.number(line, "quantity")
        for line in read.rows(read.row(positions).get("net"))
        if read.words(line, "product") == Product.MIS and read.words(line, "exchange") == exchange
    }


def balances(
    held: dict[str, Decimal], margins: Any, orders: Sequence[read.Row]
) -> dict[str, Balance]:
    """By asset; what working orders sell, or pay for, is locked. Raises Unreadable.

    Kite tells the cash that is free; what it holds back for an order it does not tell singly, so
    an order's own value stands for that.
    """
    selling: dict[str, Decimal] = {}
    paying = ZERO
    for line in orders:
        if read.state_of(line) in TERMINAL:
            continue
        left = read.amount(line, "pending_quantity")
        if read.words(line, "transaction_type") == "SELL":
            symbol = read.words(line, "tradingsymbol")
            selling[symbol] = selling.get(symbol, ZERO) + left
        else:
            paying += left * (read.amount(line, "price") or read.amount(line, "trigger_price"))
    found = {}
    for symbol, total in held.items():
        locked = min(max(total, ZERO), selling.get(symbol, ZERO))
        if total:
            found[symbol] = Balance(asset=symbol, free=total - locked, locked=locked)
    cash = read.money(read.row(margins), "net")
    found[read.CURRENCY] = Balance(asset=read.CURRENCY, free=cash, locked=paying)
    return found
