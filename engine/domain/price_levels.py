"""When a price alert fires, and when a repeating one is armed again."""

from decimal import Decimal
from enum import StrEnum

from engine.domain.alerts import CrossDirection, PriceAlert
from engine.domain.amount_words import exactly

REARM_DISTANCE = Decimal("0.001")
"""So far on the other side, as a part of the level, is not trembling on it any more."""

AT_OR = {CrossDirection.ABOVE: "at or above", CrossDirection.BELOW: "at or below"}


class Turn(StrEnum):
    """What a price does to an alert."""

    FIRES = "fires"
    ARMS = "arms"


def turn_of(alert: PriceAlert, price: Decimal) -> Turn | None:
    """An armed alert fires at its level or beyond; a repeating one that has fired is armed once
    the price is clearly on the other side."""
    if not alert.is_enabled:
        return None
    is_above = alert.direction is CrossDirection.ABOVE
    if alert.fired_at is None:
        is_reached = price >= alert.price if is_above else price <= alert.price
        return Turn.FIRES if is_reached else None
    distance = alert.price * REARM_DISTANCE
    is_back = price <= alert.price - distance if is_above else price >= alert.price + distance
    return Turn.ARMS if alert.is_repeating and is_back else None


def fired_words(alert: PriceAlert, price: Decimal, quote: str) -> str:
    """As in: BTC/USDT is at 65,010 USDT, at or above 65,000: take a look."""
    unit = f" {quote}" if quote else ""
    words = (
        f"{alert.symbol} is at {exactly(price)}{unit}, {AT_OR[alert.direction]}"
        f" {exactly(alert.price)}"
    )
    return f"{words}: {alert.note}" if alert.note else f"{words}."
