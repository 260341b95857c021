"""An account as the ledger sees it: every amount that came and went, and whose it is.

Per asset: opening + lines + fills = what the venue holds, exactly. What bots own is a part of
that; the rest is unassigned. Nothing here knows a venue.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime
from engine.domain.orders import Side

HOUSE = ""
"""The ``bot_id`` of orders and fills that are no bot's: a person's trades on the account."""


class LineKind(StrEnum):
    """Why an amount came or went without a trade."""

    OPENING = "opening"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FUNDING = "funding"
    INTEREST = "interest"
    ADJUSTMENT = "adjustment"


class AccountLine(BaseModel):
    """One amount that moved without a trade. ``id`` makes a second booking impossible."""

    model_config = ConfigDict(frozen=True)

    id: str
    account_id: str
    asset: str
    amount: Decimal = Field(description="what came; negative: what went")
    kind: LineKind
    bot_id: str = HOUSE
    note: str = ""
    time: UtcDatetime


class Flow(BaseModel):
    """Funding, interest, a deposit or a withdrawal as a venue lists it; ``id`` is the venue's."""

    model_config = ConfigDict(frozen=True)

    id: str
    asset: str
    amount: Decimal
    kind: LineKind
    symbol: str = Field(default="", description="what the funding was for, where the venue tells")
    time: UtcDatetime


class FindingKind(StrEnum):
    """What a reconciliation can find."""

    BALANCE = "balance"
    SHORTFALL = "shortfall"
    FOREIGN_ORDER = "foreign_order"
    FOREIGN_TRADE = "foreign_trade"
    UNKNOWN_ORDER = "unknown_order"
    LATE_FILL = "late_fill"
    UNREADABLE = "unreadable"


class FindingState(StrEnum):
    """What became of a finding."""

    OPEN = "open"
    ADOPTED = "adopted"
    IGNORED = "ignored"
    CLOSED = "closed"
    CLEARED = "cleared"


class Resolution(StrEnum):
    """What a person may do about a finding."""

    ADOPT = "adopt"
    IGNORE = "ignore"
    CLOSE = "close"


class Finding(BaseModel):
    """One difference between the books and the venue. Both sides as text, for people.

    ``is_blocking``: the account takes no entries while it is open.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="account, kind and subject: the same difference is one finding")
    account_id: str
    kind: FindingKind
    subject: str = Field(description="the asset, the order's or the trade's id")
    symbol: str = ""
    bot_id: str = HOUSE
    books: str = Field(default="", description="what the books say")
    venue: str = Field(default="", description="what the venue says")
    amount: Decimal = Field(default=ZERO, description="venue less books, in base or the asset")
    detail: str
    is_blocking: bool = True
    state: FindingState = FindingState.OPEN
    first_seen: UtcDatetime
    last_seen: UtcDatetime
    resolved_by: str = ""


class AccountHealth(StrEnum):
    """Whether an account's books are known to be right."""

    UNCHECKED = "unchecked"
    CLEAN = "clean"
    MISMATCH = "mismatch"
    UNREACHABLE = "unreachable"
    DENIED = "denied"


class AccountState(BaseModel):
    """What the last reconciliation of an account said, kept over restarts."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    health: AccountHealth = AccountHealth.UNCHECKED
    detail: str = ""
    checked_at: UtcDatetime | None = None
    trades_until: UtcDatetime | None = Field(
        default=None, description="the venue's trades up to then are in the books"
    )


def fill_effect(
    side: Side, base: str, quote: str, price: Decimal, quantity: Decimal,
    fee: Decimal, fee_asset: str,
) -> dict[str, Decimal]:  # fmt: skip
    """What one fill adds to (or takes from) each asset; the fee in whatever asset it was taken."""
    sign = 1 if side == Side.BUY else -1
    effect = {base: sign * quantity, quote: -sign * price * quantity}
    if fee:
        effect[fee_asset] = effect.get(fee_asset, ZERO) - fee
    return effect


def add_up(effects: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Sums by asset, exact."""
    totals: dict[str, Decimal] = {}
    for effect in effects:
        for asset, amount in effect.items():
            totals[asset] = totals.get(asset, ZERO) + amount
    return totals
