"""Orders in words: what one asks for, and what may still be done about it. Pure."""

from collections.abc import Sequence
from html import escape

from engine.contracts import Order, OrderState, OrderType, Purpose
from panel.format import NONE, exit_words, moment, price, quantity

WORKING = frozenset(
    {OrderState.INTENT, OrderState.SENDING, OrderState.OPEN, OrderState.PARTLY_FILLED,
     OrderState.UNKNOWN, OrderState.EXTERNAL}
)  # fmt: skip
STATE_COLOURS = {
    OrderState.OPEN: "blue", OrderState.PARTLY_FILLED: "blue", OrderState.FILLED: "green",
    OrderState.REJECTED: "red", OrderState.UNKNOWN: "red", OrderState.EXTERNAL: "violet",
}  # fmt: skip
MANUAL = "manual"


def working(orders: Sequence[Order]) -> list[Order]:
    """Orders of which more is expected, newest first."""
    return [order for order in orders if order.state in WORKING]


def is_kept_by_engine(order: Order) -> bool:
    """Whether the engine itself keeps the order in step with the position's levels."""
    return order.purpose is Purpose.PROTECTION and order.reason != MANUAL


def cannot_change(order: Order) -> str:
    """Why an order can neither be changed nor cancelled by a person now; empty when it can."""
    if is_kept_by_engine(order):
        return "The engine keeps it in step with the position's stop and target"
    if order.is_cancel_wanted:
        return "It is being cancelled"
    return ""


def cannot_replace(order: Order) -> str:
    """Why an order cannot be changed now; empty when it can."""
    if order.state in (OrderState.SENDING, OrderState.UNKNOWN):
        return "It is not known yet what became of it"
    if order.type is OrderType.MARKET or order.type is OrderType.TRAILING_STOP:
        return "Cancel it and place another"
    return cannot_change(order)


def terms_words(order: Order) -> str:
    """What it asks for: ``limit 64,000``, ``stop 63,000, then limit 62,900``."""
    if order.type is OrderType.LIMIT:
        return f"limit {price(order.price)}"
    if order.type is OrderType.STOP:
        return f"stop {price(order.stop_price)}"
    if order.type is OrderType.STOP_LIMIT:
        return f"stop {price(order.stop_price)}, then limit {price(order.price)}"
    if order.type is OrderType.TRAILING_STOP:
        distance = quantity((order.trail_bps or 0) / 100)
        at = f", now at {price(order.stop_price)}" if order.stop_price is not None else ""
        return f"trailing stop, {distance} % behind{at}"
    return "market"


def size_words(order: Order, quote: str) -> str:
    """How much: a quantity, or an amount of quote while that is all that is known."""
    if order.quantity is not None:
        return quantity(order.quantity)
    return f"{quantity(order.quote_amount)} {quote}" if order.quote_amount is not None else NONE


def order_html(order: Order, quote: str) -> str:
    """A working order in two lines."""
    colour = STATE_COLOURS.get(order.state, "gray")
    state = "being cancelled" if order.is_cancel_wanted else order.state.value.replace("_", " ")
    head = f"{order.side.value} {size_words(order, quote)}, {terms_words(order)}"
    facts = [
        order.purpose.value,
        order.time_in_force.value.upper(),
        f"filled {quantity(order.filled)}" if order.filled else "",
        f"until {moment(order.expires_at)}" if order.expires_at else "",
        f"stop {price(order.level_stop)}" if order.level_stop is not None else "",
        f"target {price(order.level_target)}" if order.level_target is not None else "",
        "one of a pair" if order.oco_id else "",
        exit_words(order.reason),
        f"routed to {order.routing.chosen}: {order.routing.reason}" if order.routing else "",
        f"placed {moment(order.created_at)}",
        order.error,
    ]
    return (
        f'<div class="qd-finding"><div class="qd-statusline">'
        f'<span class="qd-state qd-{colour}">{escape(state)}</span><b>{escape(head)}</b></div>'
        f'<div class="qd-quiet">{escape(" · ".join(fact for fact in facts if fact))}</div></div>'
    )
