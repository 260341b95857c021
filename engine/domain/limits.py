"""Limits of the gateway: what no order may exceed, whoever wants it. Rules are rows."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account's orders may do; None is no limit. Amounts are in the quote asset."""

    bot_orders_per_minute: int | None = None
    account_orders_per_minute: int | None = None
    order_notional: Decimal | None = None
    day_notional: Decimal | None = None
    price_band: Decimal | None = None
    bot_position: Decimal | None = None
    account_position: Decimal | None = None
    storm_factor: int = 3
    rejections_in_a_row: int | None = None
