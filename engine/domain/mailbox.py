"""Orders that wait for an Expert Advisor, and what its reports make of them. Pure.

Reports come late, twice and in any order: what they say together does not depend on it. Deals are
a set by their tickets; of the ends that were told the strongest counts.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime, plain
from engine.domain.orders import OrderState, OrderType, Side
from engine.domain.pushed import Amount, Moment, Money, Sender, Status

ENDS: tuple[Status, ...] = ("rejected", "expired", "cancelled", "filled")
"""How an order ends, the strongest last: what was filled was surely not refused."""

CANCEL_MARK = ":cancel"
AT_ONCE = datetime.fromtimestamp(1, UTC)
"""A time that is always over: an order valid until then is answered, and not executed."""

UNKNOWN_FOR = timedelta(seconds=60)
"""A terminal that says for so long that it has no order of an id never sent it."""


class Deal(BaseModel):
    """One execution in the terminal; ``commission`` is below zero where it is paid."""

    model_config = ConfigDict(frozen=True)

    ticket: str = Field(pattern=r"^[1-9]\d{0,19}$")
    lots: Amount
    price: Amount
    commission: Money = ZERO
    time: Moment


class ExecutionReport(BaseModel):
    """What an advisor says of one order."""

    model_config = ConfigDict(frozen=True)

    sender: Sender
    id: str
    status: Status
    retcode: int = 0
    reason: str = ""
    order: str = ""
    deals: tuple[Deal, ...] = ()
    sent_at: UtcDatetime | None = None


class BoxOrder(BaseModel):
    """An order, or one of the ``parts`` of one, for the advisor of ``account``.

    ``account_id`` and ``client_id`` are whose it is in the engine. ``contract`` is units in a lot.
    ``offered_at`` None: it was never given out, and can still be taken back for certain. ``end``
    is how it ended, '' while it has not. ``unknown_since`` and ``denied_at``: when the terminal
    said for the first and for the last time that it has no such order. ``is_refusal_told``:
    whoever sent it has been told that it was refused.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    account: str
    magic: str
    account_id: str
    client_id: str
    part: int = 1
    parts: int = 1
    comment: str
    symbol: str
    side: Side
    type: OrderType
    lots: Decimal
    contract: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    position: str = ""
    reduces: bool = False
    valid_until: UtcDatetime | None = None
    created_at: UtcDatetime
    touched_at: UtcDatetime
    offered_at: UtcDatetime | None = None
    is_cancel_wanted: bool = False
    is_refusal_told: bool = False
    is_reported: bool = False
    end: str = ""
    retcode: int = 0
    reason: str = ""
    order: str = ""
    unknown_since: UtcDatetime | None = None
    denied_at: UtcDatetime | None = None
    deals: tuple[Deal, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether anything more is expected of it."""
        return not self.end

    @property
    def is_answered(self) -> bool:
        """Whether the advisor has said where it stands."""
        return bool(self.end or self.is_reported or self.unknown_since)

    @property
    def _is_here(self) -> bool:
        """Whether it was surely never given out."""
        return self.offered_at is None and not self.is_answered

    @property
    def filled(self) -> Decimal:
        """Units of base in deals."""
        return plain(sum((deal.lots for deal in self.deals), ZERO) * self.contract)

    @property
    def units(self) -> Decimal:
        """Units of base that it asks for; of one that the terminal cut to what was held, what it
        got."""
        return self.filled if self.end == "filled" else plain(self.lots * self.contract)

    def told(self, report: ExecutionReport, now: datetime) -> "BoxOrder":
        """After a report. The same one again changes nothing."""
        deals = {deal.ticket: deal for deal in (*report.deals, *self.deals)}
        changes: dict[str, object] = {
            "deals": tuple(sorted(deals.values(), key=lambda deal: (deal.time, int(deal.ticket)))),
            "order": max(self.order, report.order, key=lambda ticket: (len(ticket), ticket)),
        }
        if report.status in ENDS:
            told = (ENDS.index(report.status), report.retcode, report.reason)
            known = (ENDS.index(self.end), self.retcode, self.reason) if self.end in ENDS else None
            if known is None or told > known:
                changes |= {"end": report.status, "retcode": report.retcode,
                            "reason": report.reason}  # fmt: skip
        if report.status == "unknown":
            if not (self.is_reported or self.end):
                changes["denied_at"] = now
            if not (self.is_reported or self.end or self.unknown_since):
                changes |= {"unknown_since": now, "retcode": report.retcode,
                            "reason": report.reason}  # fmt: skip
        else:
            changes |= {"is_reported": True, "unknown_since": None, "denied_at": None}
            if self.unknown_since and "end" not in changes:
                changes |= {"retcode": 0, "reason": ""}
        changed = self.model_copy(update=changes)
        return self if changed == self else changed.model_copy(update={"touched_at": now})

    def aged(self, now: datetime) -> "BoxOrder":
        """After some time: nobody fetched it, or the terminal denied it again after long. While it
        is silent, nothing is known."""
        if self.end:
            return self
        if self._is_here and self.valid_until is not None and now > self.valid_until:
            return self._ended("expired", "the Expert Advisor did not fetch it in time", now)
        first, last = self.unknown_since, self.denied_at
        if first is not None and last is not None and last - first > UNKNOWN_FOR:
            return self._ended("expired", self.reason or "the terminal has no such order", now)
        return self

    def wanted_back(self, now: datetime) -> "BoxOrder":
        """After somebody wants it back. One that was given out and not answered is answered
        without being executed from now on."""
        if self.end or self.is_cancel_wanted:
            return self
        if self._is_here:
            return self._ended("cancelled", "taken back before it was fetched", now)
        changes: dict[str, object] = {"is_cancel_wanted": True, "touched_at": now}
        if not self.is_answered:
            changes["valid_until"] = AT_ONCE
        return self.model_copy(update=changes)

    def _ended(self, end: str, reason: str, now: datetime) -> "BoxOrder":
        return self.model_copy(update={"end": end, "reason": reason, "touched_at": now})


def state_of(parts: Sequence[BoxOrder]) -> OrderState:
    """Where the parts of an order stand together."""
    filled = sum((part.filled for part in parts), ZERO)
    if any(part.is_open for part in parts):
        return OrderState.PARTLY_FILLED if filled else OrderState.OPEN
    if filled and filled == sum((part.units for part in parts), ZERO):
        return OrderState.FILLED
    ends = {part.end for part in parts} - {"filled"}
    if filled and parts[0].type is OrderType.MARKET:
        return OrderState.EXPIRED  # what was not on offer at once, a market order does not get
    return OrderState(max(ends, key=ENDS.index, default="expired"))


def by_client_id(orders: Iterable[BoxOrder]) -> dict[str, list[BoxOrder]]:
    """The parts of each order, in their order."""
    found: dict[str, list[BoxOrder]] = {}
    for order in sorted(orders, key=lambda each: (each.created_at, each.part)):
        found.setdefault(order.client_id, []).append(order)
    return found
