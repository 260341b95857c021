"""Amounts in the base currency, and how far they can be trusted."""

from decimal import Decimal

from pydantic import Field

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime


class LeftOut(Contract):
    """An amount that is not in a sum: no rate is known for its asset."""

    asset: str
    amount: Decimal


class BaseWorth(Contract):
    """A sum in the base currency. ``value`` None: nothing of it could be converted."""

    currency: str
    value: Decimal | None
    as_of: UtcDatetime | None = Field(
        default=None, description="time of the oldest rate used; None: no rate was needed"
    )
    left_out: tuple[LeftOut, ...] = ()
    stale: tuple[str, ...] = Field(default=(), description="assets whose rate is old")
    declared: tuple[str, ...] = Field(
        default=(), description="equalities of the settings that were used, in words"
    )
    simulated: tuple[str, ...] = Field(
        default=(), description="assets converted by prices of the simulated market"
    )


class BaseTotals(BaseWorth):
    """All bots in the base currency; ``value`` is their equity. The other figures leave out the
    same assets, and are None where it is."""

    today_pnl: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    realised_pnl: Decimal | None = None
