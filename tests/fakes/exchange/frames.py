"""Frames of the user data stream and of the market streams, as the service documents them."""

from collections.abc import Iterator
from typing import Any

from tests.fakes.exchange.matching import Matching
from tests.fakes.exchange.records import ZERO, Order, OrderList, SymbolRules, Trade, money

USER = "user"


def frames_of(
    name: str, subject: Any, now_ms: int, matching: Matching
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The frames that an event of the matching engine makes: (stream, frame)."""
    if name == "price":
        yield f"{subject.name.lower()}@bookTicker", book_ticker(subject, now_ms)
        yield f"{subject.name.lower()}@ticker", day_ticker(subject, now_ms)
        yield f"{subject.name.lower()}@trade", market_trade(subject, now_ms)
    elif name == "list":
        yield USER, list_status(subject, now_ms)
    else:
        order, trade = subject if name == "TRADE" else (subject, None)
        yield USER, execution_report(name, order, trade, now_ms)
        yield USER, account_position(matching, order, now_ms)


def execution_report(name: str, order: Order, trade: Trade | None, now_ms: int) -> dict[str, Any]:
    """One change of one order. A cancelled order's own id is ``C``, the cancel's is ``c``."""
    is_cancel = bool(order.cancelled_by)
    return {
        "e": "executionReport", "E": now_ms, "s": order.symbol,
        "c": order.cancelled_by if is_cancel else order.client_id, "S": order.side,
        "o": order.type, "f": order.time_in_force, "q": money(order.quantity),
        "p": money(order.price), "P": money(order.stop_price), "F": money(ZERO),
        "g": order.list_id, "C": order.client_id if is_cancel else "", "x": name,
        "X": order.status, "r": "NONE", "i": order.id,
        "l": money(trade.quantity if trade else ZERO), "z": money(order.executed),
        "L": money(trade.price if trade else ZERO),
        "n": money(trade.commission) if trade else "0",
        "N": trade.commission_asset if trade else None,
        "T": trade.time if trade else now_ms,
        "t": trade.id if trade else -1, "v": 3, "I": order.id * 2, "w": order.is_working,
        "m": bool(trade and trade.is_maker), "M": False, "O": order.time,
        "Z": money(order.paid), "Y": money(trade.price * trade.quantity if trade else ZERO),
        "Q": money(ZERO), "W": order.time, "V": "EXPIRE_MAKER",
    }  # fmt: skip


def account_position(matching: Matching, order: Order, now_ms: int) -> dict[str, Any]:
    """The balances that an order touches."""
    rules = matching.symbols[order.symbol]
    rows = {asset: matching.holding(asset) for asset in (rules.base, rules.quote)}
    return {
        "e": "outboundAccountPosition", "E": now_ms, "u": now_ms,
        "B": [
            {"a": asset, "f": money(row.free), "l": money(row.locked)}
            for asset, row in rows.items()
        ],
    }  # fmt: skip


def list_status(made: OrderList, now_ms: int) -> dict[str, Any]:
    """What became of an order list."""
    view = made.view()
    return {
        "e": "listStatus", "E": now_ms, "s": made.symbol, "g": made.id, "c": "OCO",
        "l": view["listStatusType"], "L": view["listOrderStatus"], "r": "NONE",
        "C": made.client_id, "T": now_ms,
        "O": [{"s": leg.symbol, "i": leg.id, "c": leg.client_id} for leg in made.legs],
    }  # fmt: skip


def book_ticker(rules: SymbolRules, now_ms: int) -> dict[str, Any]:
    """The best prices of the book; it has no event's name."""
    return {
        "u": now_ms, "s": rules.name, "b": money(rules.bid), "B": "10.00000000",
        "a": money(rules.ask), "A": "10.00000000",
    }  # fmt: skip


def day_ticker(rules: SymbolRules, now_ms: int) -> dict[str, Any]:
    """The 24 hours' ticker of a symbol."""
    price = money(rules.price)
    return {
        "e": "24hrTicker", "E": now_ms, "s": rules.name, "p": "0.00000000", "P": "0.000",
        "w": price, "x": price, "c": price, "Q": "1.00000000", "b": money(rules.bid),
        "B": "10.00000000", "a": money(rules.ask), "A": "10.00000000", "o": price, "h": price,
        "l": price, "v": "1440.00000000", "q": money(rules.price * 1440),
        "O": now_ms - 86_400_000, "C": now_ms, "F": 0, "L": 1, "n": 2,
    }  # fmt: skip


def market_trade(rules: SymbolRules, now_ms: int) -> dict[str, Any]:
    """A trade of other people's."""
    return {
        "e": "trade", "E": now_ms, "s": rules.name, "t": now_ms, "p": money(rules.price),
        "q": "1.00000000", "T": now_ms, "m": False, "M": True,
    }  # fmt: skip
