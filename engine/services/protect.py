"""Protection: a position's stop and target rest at the venue, where they work with the engine down.

Where a venue takes pairs, the stop and the target are one pair of which either ends the other.
Elsewhere the stop rests and the watcher looks after the target: when that is reached, the stop is
taken back before the position is closed. A stop that cannot be placed is tried a few times; then
the position is closed, since nobody agreed to hold it without one.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from engine.domain.exits import effective_stop
from engine.domain.instruments import Instrument
from engine.domain.ledger import exit_side, is_dust
from engine.domain.money import ZERO, floor_to
from engine.domain.orders import Order, OrderState, OrderType, Purpose
from engine.domain.positions import Position
from engine.domain.records import Level
from engine.ports import Broker, MarketData, Prefix, Venues
from engine.services.books import Books, Writing
from engine.services.order_outcomes import MANUAL, stem_of

log = logging.getLogger("quarterdeck.protect")

MOST_REFUSALS = 3
RETRY_S = (0.0, 1.0, 2.0, 4.0)
MOVE_EVERY_S = 10.0
"""A trailing stop that rests at the venue is moved at most this often."""


class Desk(Protocol):
    """What protection needs of the order desk."""

    def plan(self, writing: Writing, **fields: object) -> Order:
        """Commit to an order."""
        ...

    def cancel(self, order: Order, market: MarketData) -> None:
        """Take it back."""
        ...

    def advance(self, bot_id: str, market: MarketData) -> None:
        """One step further."""
        ...

    def close_position(self, bot_id: str, market: MarketData, reason: str) -> None:
        """Close it now."""
        ...

    def is_closing(self, bot_id: str) -> bool:
        """Whether an exit is under way."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should rest at the venue for a position."""

    quantity: Decimal
    stop: Decimal | None
    target: Decimal | None

    @property
    def is_pair(self) -> bool:
        """Whether both levels rest."""
        return self.stop is not None and self.target is not None


class Protector:
    """Keeps what rests at the venue in step with each position; on the account's lane."""

    def __init__(self, books: Books, venues: Venues, desk: Desk) -> None:
        self._books = books
        self._venues = venues
        self._desk = desk
        self._placed_s: dict[str, float] = {}

    def tend(self, bot_id: str, market: MarketData) -> None:
        """One look: place, move or take back what should rest; close what cannot be protected."""
        position = self._books.positions.get(bot_id)
        resting, by_hand = self._resting(bot_id)
        if position is None:
            self._placed_s.pop(bot_id, None)
            for order in (*resting, *by_hand):  # the position is closed while its stop is live
                self._take_back(order, market)
            return
        broker = self._venues.broker(position.account_id, market)
        if not broker.capabilities.rests_protection or self._desk.is_closing(bot_id):
            return
        instrument = market.instrument(position.symbol)
        rules = self._books.get_bot(bot_id).config
        stop = effective_stop(position, rules, instrument)
        wanted = _wanted(position, stop, by_hand, broker, instrument)
        if wanted is None:
            for order in resting:
                self._take_back(order, market)
            self._mark(position, is_protected=None if stop is None else False)
            return
        if resting:
            self._keep_in_step(position, resting, wanted, market)
        else:
            self._place(position, wanted, market, broker)

    def _resting(self, bot_id: str) -> tuple[list[Order], list[Order]]:
        """What the engine has placed for the position, and what a person has."""
        found = [one for one in self._books.working_orders(bot_id)
                 if one.purpose is Purpose.PROTECTION]  # fmt: skip
        own = [one for one in found if one.reason != MANUAL]
        return own, [one for one in found if one.reason == MANUAL]

    def _take_back(self, order: Order, market: MarketData) -> None:
        if not order.is_cancel_wanted:
            self._desk.cancel(order, market)

    # --- placing ---------------------------------------------------------------------------------

    def _place(
        self, position: Position, wanted: Wanted, market: MarketData, broker: Broker
    ) -> None:
        refusals = self._refusals(position)
        if len(refusals) >= MOST_REFUSALS:
            with self._books.writing() as writing:
                writing.event(
                    Level.ERROR, "position.unprotected",
                    f"The stop could not be placed {len(refusals)} times: the position is closed.",
                    position.bot_id,
                )  # fmt: skip
            self._desk.close_position(position.bot_id, market, "unprotected")
            return
        position = self._mark(position, is_protected=False)
        if refusals:
            waited_s = (self._books.clock.now() - refusals[-1]).total_seconds()
            if 0 <= waited_s < RETRY_S[len(refusals)]:
                return
        with self._books.writing() as writing:
            self._plan(writing, position, wanted, market.now())
        self._placed_s[position.bot_id] = self._books.clock.monotonic()
        self._desk.advance(position.bot_id, market)

    def _refusals(self, position: Position) -> list[datetime]:
        """When the venue refused to take this position's protection since it last had one."""
        since = position.unprotected_since
        if since is None:
            return []
        with self._books.store.reading() as tx:
            rows = tx.orders.values(
                "updated_at", "created_at", position_id=position.id, purpose=Purpose.PROTECTION,
                state=OrderState.REJECTED,
            )  # fmt: skip
        found = {created: updated for updated, created in rows if created >= since}
        return sorted(found.values())

    def _plan(
        self, writing: Writing, position: Position, wanted: Wanted, decided_at: datetime
    ) -> None:
        """One or two durable intents; a pair is sent in one call."""
        stem = f"{stem_of(position)}-p"
        number = writing.tx.orders.count(client_id=Prefix(stem))
        common = {
            "bot_id": position.bot_id,
            "account_id": position.account_id,
            "symbol": position.symbol,
            "side": exit_side(position.side),
            "purpose": Purpose.PROTECTION,
            "quantity": wanted.quantity,
            "position_id": position.id,
            "oco_id": f"{stem}{number}" if wanted.is_pair else None,
            "decided_at": decided_at,
        }
        if wanted.target is not None:
            self._desk.plan(
                writing, **common, client_id=f"{stem}{number}t", type=OrderType.LIMIT,
                price=wanted.target, reason="take_profit",
            )  # fmt: skip
        if wanted.stop is not None:
            reason = "stop_loss" if wanted.stop == position.stop_price else "trailing_stop"
            self._desk.plan(
                writing, **common, client_id=f"{stem}{number}s", type=OrderType.STOP,
                stop_price=wanted.stop, reason=reason,
            )  # fmt: skip

    # --- keeping in step -------------------------------------------------------------------------

    def _keep_in_step(
        self, position: Position, resting: list[Order], wanted: Wanted, market: MarketData
    ) -> None:
        if any(order.is_cancel_wanted for order in resting):
            self._mark(position, is_protected=False)
            return  # on its way out; what is wanted is placed once it is gone
        is_live = all(
            order.state in (OrderState.OPEN, OrderState.PARTLY_FILLED) for order in resting
        )
        if is_live:
            has_stop = any(order.stop_price is not None for order in resting)
            is_protected = None if wanted.stop is None else has_stop
            position = self._mark(position, is_protected=is_protected)
        if _is_in_step(resting, wanted) or not (is_live or self._is_mere_intent(resting)):
            return
        if not self._may_move(position, resting, wanted):
            return
        for order in resting:
            self._take_back(order, market)

    def _is_mere_intent(self, resting: list[Order]) -> bool:
        return all(order.state is OrderState.INTENT for order in resting)

    def _may_move(self, position: Position, resting: list[Order], wanted: Wanted) -> bool:
        """A trailing stop follows at its pace; a changed quantity or level is followed at once."""
        is_same_size = all(order.left == wanted.quantity for order in resting)
        is_trailing = wanted.stop is not None and wanted.stop != position.stop_price
        if not (is_same_size and is_trailing):
            return True
        placed_s = self._placed_s.get(position.bot_id, 0.0)
        return self._books.clock.monotonic() - placed_s >= MOVE_EVERY_S

    def _mark(self, position: Position, *, is_protected: bool | None) -> Position:
        """Remember since when the position is protected, or is not; None: no stop should rest."""
        now = self._books.clock.now()
        protected_at = (position.protected_at or now) if is_protected else None
        is_bare = is_protected is False
        unprotected_since = (position.unprotected_since or now) if is_bare else None
        if (protected_at, unprotected_since) == (position.protected_at, position.unprotected_since):
            return position
        update = {"protected_at": protected_at, "unprotected_since": unprotected_since}
        position = position.model_copy(update=update)
        with self._books.writing() as writing:
            writing.put_position(position)
        return position


def _wanted(
    position: Position,
    stop: Decimal | None,
    by_hand: Sequence[Order],
    broker: Broker,
    instrument: Instrument,
) -> Wanted | None:
    """What can rest beside a person's own orders; None without a level, or too small to rest."""
    target = position.target_price
    if stop is not None and not broker.capabilities.has_oco:
        target = None  # watched here; one resting order is all that the holdings cover
    free = position.quantity - sum((order.left or ZERO for order in by_hand), ZERO)
    price = stop or target
    if price is None or is_dust(
        free, price, instrument, is_exempt=broker.capabilities.reduces_below_minimum
    ):
        return None
    return Wanted(floor_to(free, instrument.quantity_step), stop, target)


def _is_in_step(resting: list[Order], wanted: Wanted) -> bool:
    """Whether exactly what is wanted rests."""
    stops = [one.stop_price for one in resting if one.stop_price is not None]
    targets = [one.price for one in resting if one.stop_price is None]
    return (
        stops == ([] if wanted.stop is None else [wanted.stop])
        and targets == ([] if wanted.target is None else [wanted.target])
        and all(one.left == wanted.quantity for one in resting)
    )
