"""Orders that no bot gave: what stands behind a fill that a person or a check accounts for."""

from datetime import datetime
from decimal import Decimal

from engine.domain.accounts import HOUSE
from engine.domain.orders import Order, OrderState, OrderType, Purpose, Side

RECONCILED = "reconciled"
"""The reason of exits that only the books have seen."""


def resting_purpose(order: Order) -> Purpose:
    """An exit that rests is a protection of the position, whoever placed it."""
    return Purpose.EXIT if order.type is OrderType.MARKET else Purpose.PROTECTION


def house_order(
    account_id: str, symbol: str, side: Side, quantity: Decimal, now: datetime, key: str
) -> Order:
    """An order that only stands behind a fill; it is not kept."""
    return Order(
        client_id=key, bot_id=HOUSE, account_id=account_id, symbol=symbol, side=side,
        purpose=Purpose.EXIT, state=OrderState.FILLED, quantity=quantity, reason=RECONCILED,
        decided_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
