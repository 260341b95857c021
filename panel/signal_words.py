"""Signals in words: what they ask, what became of them, how late they came. Pure; plain text.

What a sender wrote never begins a cell or a line here: a word of ours does.
"""

from datetime import datetime
from decimal import Decimal

from engine.contracts.signals import (
    QuantityKind,
    Signal,
    SignalAction,
    SignalKind,
    SignalLine,
    SignalOrder,
    SignalSource,
    SignalState,
)
from panel.format import NONE, duration, price, quantity

SOURCES = {
    SignalSource.TRADINGVIEW: "TradingView",
    SignalSource.WEBHOOK: "Webhook",
    SignalSource.METATRADER: "MetaTrader",
    SignalSource.PANEL: "This panel",
}
KINDS = {
    SignalKind.ORDER: "orders",
    SignalKind.PRICES: "prices",
    SignalKind.EXECUTION: "executions",
}
STATES = {
    # the word, Streamlit's name of its colour, what it means
    SignalState.RECEIVED: ("received", "blue", "Kept; nothing is decided yet."),
    SignalState.ACTED: ("acted", "green", "Something followed from it."),
    SignalState.HELD: ("held", "gray", "Understood; nothing followed, for the reason given."),
    SignalState.REFUSED: ("refused", "red", "Not understood, or not allowed."),
    SignalState.EXPIRED: ("expired", "orange", "Too old when its turn came."),
}
ACTIONS = {
    SignalAction.OPEN: "open",
    SignalAction.ADD: "add to",
    SignalAction.CLOSE: "close",
    SignalAction.REVERSE: "reverse to",
    SignalAction.FLAT: "close whatever there is",
}
QUANTITIES = {
    QuantityKind.AMOUNT: "for {} of the quote asset",
    QuantityKind.UNITS: "of {} units",
    QuantityKind.PERCENT_OF_EQUITY: "of {} % of equity",
    QuantityKind.PERCENT_OF_POSITION: "{} % of the position",
}


def order_words(order: SignalOrder) -> str:
    """What an understood signal asks: ``open long BTCUSDT of 10 % of equity, stop 60,000.00``."""
    parts = [ACTIONS[order.action]]
    if order.side is not None:
        parts.append(order.side.value)
    if order.symbol:
        parts.append(order.symbol)
    if order.quantity is not None:
        parts.append(QUANTITIES[order.quantity_kind].format(quantity(order.quantity)))
    levels = [
        *_level("stop", order.stop_price, order.stop_percent),
        *_level("target", order.target_price, order.target_percent),
    ]
    if order.expected is not None:
        levels.append(f"if the bot is {order.expected.value}")
    return ", ".join([" ".join(parts), *levels])


def _level(name: str, at: Decimal | None, away: Decimal | None) -> list[str]:
    if at is not None:
        return [f"{name} {price(at)}"]
    return [] if away is None else [f"{name} {quantity(away)} % away"]


def line_words(line: SignalLine) -> str:
    """What a signal asks, in a cell of the list."""
    if line.kind is SignalKind.EXECUTION:
        return "tells what became of an order"
    if line.kind is SignalKind.PRICES:
        return "brings prices"
    if line.order is None:
        return f"not understood: {one_line(line.excerpt)}"
    return order_words(line.order)


def one_line(text: str, most: int = 80) -> str:
    """The beginning of a text from outside, on one line without control characters."""
    flat = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def lag_s(signal: Signal | SignalLine) -> float | None:
    """Seconds from when the sender says that it was sent until it came; None without that."""
    if signal.sent_at is None:
        return None
    return (signal.received_at - signal.sent_at).total_seconds()


def lag_words(seconds: float | None) -> str:
    """A lag in words: ``0.4 s``, ``3 min``, ``1.2 s early`` for a sender whose clock is ahead."""
    if seconds is None:
        return NONE
    size = abs(seconds)
    words = f"{size:.1f} s" if size < 10 else duration(size)
    return f"{words} early" if seconds < -0.05 else words


def took_words(received_at: datetime, acted_at: datetime | None) -> str:
    """How long it took from its arrival until something was decided: ``12 ms``."""
    if acted_at is None:
        return NONE
    took = (acted_at - received_at).total_seconds()
    return f"{took * 1000:.0f} ms" if took < 1 else duration(took)


def copies_words(copies: int) -> str:
    """How often the same was delivered: ``4, counted once``."""
    return f"{copies + 1}, counted once" if copies else "1"


def size_words(body: str) -> str:
    """How long a body is: ``1.2 kB``."""
    size = Decimal(len(body.encode("utf-8", "replace")))
    return f"{size} bytes" if size < 1000 else f"{size / 1000:.1f} kB"
