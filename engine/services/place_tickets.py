"""A person's own orders: placed by ticket, taken back, changed. On the account's lane."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from engine.domain.ledger import entry_side, exit_side
from engine.domain.money import floor_to, to_epoch_ms
from engine.domain.orders import (
    NEEDS_PRICE,
    NEEDS_STOP_PRICE,
    Order,
    OrderState,
    OrderType,
    Purpose,
)
from engine.domain.positions import Position
from engine.domain.tickets import OrderChanges, OrderTicket, TicketType
from engine.errors import ConfigError, Conflict, NotFound
from engine.ports import MarketData, Prefix
from engine.services.books import Books, Writing
from engine.services.order_outcomes import MANUAL, successor_id


class Desk(Protocol):
    """What tickets need of the order desk."""

    def plan(self, writing: Writing, **fields: object) -> Order:
        """Commit to an order."""
        ...

    def cancel(self, order: Order, market: MarketData) -> None:
        """Take it back."""
        ...

    def advance(self, bot_id: str, market: MarketData) -> None:
        """One step further."""
        ...

    def is_closing(self, bot_id: str) -> bool:
        """Whether an exit is under way."""
        ...


class Tickets:
    """Turns what a person wants into intents; the desk does the rest."""

    def __init__(self, books: Books, desk: Desk) -> None:
        self._books = books
        self._desk = desk

    def place(
        self, bot_id: str, market: MarketData, ticket: OrderTicket, actor: str
    ) -> Sequence[Order]:
        """Commit to a ticket and send it; the orders as planned. A target with a stop becomes the
        position's levels: they rest at the venue where it takes pairs and are watched elsewhere.

        Raises ConfigError naming the field, Conflict.
        """
        fields = self._fields(bot_id, market, ticket)
        with self._books.writing() as writing:
            writing.audit(
                actor, "order.place", bot_id, **ticket.model_dump(mode="json", exclude_none=True)
            )
            if ticket.type is TicketType.OCO:
                position = self._position(bot_id)
                levels = {"stop_price": ticket.stop_price, "target_price": ticket.price}
                writing.put_position(position.model_copy(update=levels))
                orders = []
            else:
                stem = f"qd-{bot_id}-{to_epoch_ms(self._books.clock.now()) // 1000}-m"
                number = writing.tx.orders.count(client_id=Prefix(stem))
                orders = [self._desk.plan(writing, client_id=f"{stem}{number}", **fields)]
        self._desk.advance(bot_id, market)
        return orders

    def _fields(self, bot_id: str, market: MarketData, ticket: OrderTicket) -> dict[str, Any]:
        bot = self._books.get_bot(bot_id)
        instrument = market.instrument(bot.symbol)
        for name in ("price", "stop_price", "level_stop", "level_target"):
            _check_step(name, getattr(ticket, name), instrument.price_tick, "tick")
        _check_step("quantity", ticket.quantity, instrument.quantity_step, "step")
        common = {
            "bot_id": bot_id, "account_id": bot.account_id, "symbol": bot.symbol,
            "type": ticket.type.order_type or OrderType.MARKET, "price": ticket.price,
            "stop_price": ticket.stop_price, "trail_bps": ticket.trail_bps,
            "time_in_force": ticket.time_in_force, "expires_at": ticket.expires_at,
            "reason": MANUAL, "decided_at": market.now(),
        }  # fmt: skip
        if ticket.purpose is Purpose.ENTRY and ticket.direction is not None:
            position = self._books.positions.get(bot_id)
            if position is not None and position.side is not ticket.direction:
                raise ConfigError(
                    f"The bot is {position.side.value}: close that position first.",
                    field="direction",
                )
            side = entry_side(ticket.direction)
            working = self._books.working_orders(bot_id)
            if any(one.purpose is Purpose.ENTRY and one.side is not side for one in working):
                raise Conflict("An entry of the other side is under way; cancel it first.")
            return common | {
                "purpose": Purpose.ENTRY, "side": side,
                "quantity": ticket.quantity, "quote_amount": ticket.quote_amount,
                "level_stop": ticket.level_stop, "level_target": ticket.level_target,
            }  # fmt: skip
        position = self._position(bot_id)
        quantity = ticket.quantity or floor_to(position.quantity, instrument.quantity_step)
        if quantity > position.quantity:
            raise ConfigError(f"The position is only {position.quantity}.", field="quantity")
        # What rests gives way to a stop, a signal or the kill switch; a market exit is one.
        is_resting = ticket.type is not TicketType.MARKET
        return common | {
            "purpose": Purpose.PROTECTION if is_resting else Purpose.EXIT,
            "side": exit_side(position.side), "quantity": quantity, "position_id": position.id,
        }  # fmt: skip

    def _position(self, bot_id: str) -> Position:
        position = self._books.positions.get(bot_id)
        if position is None:
            raise Conflict("The bot holds no position to close.")
        if self._desk.is_closing(bot_id):
            raise Conflict("An exit of the position is under way already.")
        return position

    def cancel(self, bot_id: str, client_id: str, market: MarketData, actor: str) -> None:
        """Take a working order back. Raises NotFound, Conflict."""
        order = self._working(bot_id, client_id)
        with self._books.writing() as writing:
            writing.audit(actor, "order.cancel", bot_id, client_id=client_id)
        self._desk.cancel(order, market)
        self._desk.advance(bot_id, market)

    def replace(
        self, bot_id: str, client_id: str, market: MarketData, changes: OrderChanges, actor: str
    ) -> Order:
        """Change a working order. One that is not sent yet is changed in place; else it is taken
        back, and once the venue has confirmed that, another is sent with what is left.

        Raises NotFound, Conflict, ConfigError naming the field.
        """
        order = self._working(bot_id, client_id)
        if order.state in (OrderState.SENDING, OrderState.UNKNOWN) or order.is_cancel_wanted:
            raise Conflict("It is not known yet what became of this order; try again in a moment.")
        changed = self._changed(order, market, changes)
        with self._books.writing() as writing:
            writing.audit(
                actor, "order.replace", bot_id, client_id=client_id,
                **changes.model_dump(mode="json", exclude_none=True),
            )  # fmt: skip
            if order.state is OrderState.INTENT:
                follower = writing.save_order(order, **changed)
            else:
                writing.save_order(order, is_cancel_wanted=True)
                kept = order.model_dump(
                    exclude={"state", "filled", "venue_id", "error", "sent_at", "created_at",
                             "updated_at", "after_client_id", "quote_amount"}
                )  # fmt: skip
                changed |= {"client_id": successor_id(client_id), "replaces_client_id": client_id,
                            "decided_at": market.now()}  # fmt: skip
                follower = self._desk.plan(writing, **(kept | changed))
        self._desk.advance(bot_id, market)
        return follower

    def _changed(self, order: Order, market: MarketData, changes: OrderChanges) -> dict[str, Any]:
        instrument = market.instrument(order.symbol)
        allowed = {
            "price": order.type in NEEDS_PRICE,
            "stop_price": order.type in NEEDS_STOP_PRICE,
            "quantity": order.quantity is not None,
        }
        changed = changes.model_dump(exclude_none=True)
        for name, value in changed.items():
            if not allowed[name]:
                words = order.type.value.replace("_", " ")
                raise ConfigError(f"a {words} order has none to change", field=name)
            step = instrument.quantity_step if name == "quantity" else instrument.price_tick
            _check_step(name, value, step, "step" if name == "quantity" else "tick")
        if changes.quantity is not None and changes.quantity <= order.filled:
            raise ConfigError(f"{order.filled} of it is filled already", field="quantity")
        return changed

    def _working(self, bot_id: str, client_id: str) -> Order:
        order = self._books.working.get(bot_id, {}).get(client_id)
        if order is None:
            raise NotFound(f"The bot has no working order '{client_id}'.", field="client_id")
        if order.purpose is Purpose.PROTECTION and order.reason != MANUAL:
            raise Conflict(
                "The engine keeps this order in step with the position's levels; change those."
            )
        return order


def _check_step(field: str, value: Decimal | None, step: Decimal, name: str) -> None:
    if value is not None and value % step:
        raise ConfigError(f"must be a multiple of the {name}, {step.normalize():f}", field=field)
