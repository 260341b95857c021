"""The fake services' order desk: market orders fill at once, all others rest until taken back."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from engine.contracts import (
    Bot,
    BotView,
    KillLevel,
    KillSwitch,
    Order,
    OrderChanges,
    OrderState,
    OrderTicket,
    OrderType,
    Position,
    PositionSide,
    Purpose,
    Side,
    TicketType,
    Trade,
)
from engine.domain.ledger import entry_side, exit_side
from engine.domain.money import ZERO, floor_to
from engine.domain.tickets import ticket_trouble
from engine.errors import ConfigError, Conflict, NotFound
from tests.fakes import history
from tests.fakes.sample import INSTRUMENTS, price_at


class FakeDesk:
    """Implements ``ManualServices``; ``orders_placed`` are those of people, oldest first."""

    now: Callable[[], datetime]
    positions_held: dict[str, Position]
    trades_made: list[Trade]
    switch: KillSwitch
    orders_placed: dict[str, Order]
    find: Callable[[str], Bot]
    get_bot: Callable[[str], BotView]
    record: Callable[[str, str, str], None]
    account_objection: Callable[[str], str | None]

    def place_order(self, key: str, ticket: OrderTicket, actor: str) -> Sequence[Order]:
        bot = self.find(key)
        held = self.positions_held.get(bot.id)
        side = self._side(ticket, held)
        last = price_at(bot.config.symbol, self.now())
        trouble = ticket_trouble(ticket, side, last)
        if trouble is not None:
            raise ConfigError(trouble.message, field=trouble.field)
        if ticket.purpose is Purpose.ENTRY:
            self._check_entry(bot)
        quantity = self._quantity(bot, ticket, held, last)
        self.record(actor, "order.place", bot.id)
        if ticket.type is TicketType.OCO and held is not None:
            levels = {"stop_price": ticket.stop_price, "target_price": ticket.price}
            self.positions_held[bot.id] = held.model_copy(update=levels)
            return []
        order = self._order(bot, ticket, side, quantity, held)
        if ticket.type is TicketType.MARKET:
            order = self._filled(bot, order, last)
        self.orders_placed[order.client_id] = order
        return [order]

    def cancel_order(self, key: str, client_id: str, actor: str) -> Order:
        order = self._working(self.find(key), client_id)
        self.record(actor, "order.cancel", order.bot_id)
        return self._keep(order, state=OrderState.CANCELLED)

    def replace_order(self, key: str, client_id: str, changes: OrderChanges, actor: str) -> Order:
        order = self._working(self.find(key), client_id)
        self._keep(order, state=OrderState.CANCELLED)
        follower = order.model_copy(
            update={**changes.model_dump(exclude_none=True), "client_id": f"{client_id}-r"}
        )
        self.record(actor, "order.replace", order.bot_id)
        return self._keep(follower)

    def close_position(self, key: str, fraction: Decimal, actor: str) -> BotView:
        bot = self.find(key)
        held = self.positions_held.get(bot.id)
        if held is None:
            raise Conflict("The bot holds no position.")
        step = INSTRUMENTS[bot.config.symbol].quantity_step
        self._reduce(bot, held, floor_to(held.quantity * fraction, step))
        self.record(actor, "position.close", bot.id)
        return self.get_bot(bot.id)

    # --- within
    def _side(self, ticket: OrderTicket, held: Position | None) -> Side:
        if ticket.purpose is Purpose.ENTRY:
            return entry_side(ticket.direction or PositionSide.LONG)
        if held is None:
            raise Conflict("The bot holds no position to close.")
        return exit_side(held.side)

    def _check_entry(self, bot: Bot) -> None:
        objection = self.account_objection(bot.account_id)
        if self.switch.level not in (KillLevel.NONE, KillLevel.PAUSE_ENTRIES):
            objection = "the kill switch is on"
        if objection is not None:
            raise Conflict(f"No entry now: {objection}.")

    def _quantity(
        self, bot: Bot, ticket: OrderTicket, held: Position | None, last: Decimal
    ) -> Decimal:
        if ticket.quantity is None and ticket.quote_amount is None and held is not None:
            return held.quantity
        price = ticket.reference or last
        wanted = ticket.quantity or (ticket.quote_amount or ZERO) / price
        if ticket.purpose is Purpose.EXIT and held is not None and wanted > held.quantity:
            raise ConfigError(f"the bot holds {held.quantity}", field="quantity")
        quantity = floor_to(wanted, INSTRUMENTS[bot.config.symbol].quantity_step)
        if quantity <= 0:
            raise ConfigError("is less than the market trades", field="quantity")
        return quantity

    def _order(
        self, bot: Bot, ticket: OrderTicket, side: Side, quantity: Decimal, held: Position | None
    ) -> Order:
        now, number = self.now(), len(self.orders_placed) + 1
        return Order(
            client_id=f"qd-{bot.id}-m{number}", bot_id=bot.id, account_id=bot.account_id,
            symbol=bot.config.symbol, side=side, type=ticket.type.order_type or OrderType.LIMIT,
            purpose=ticket.purpose, state=OrderState.OPEN, quantity=quantity, price=ticket.price,
            stop_price=ticket.stop_price, trail_bps=ticket.trail_bps,
            time_in_force=ticket.time_in_force, expires_at=ticket.expires_at,
            level_stop=ticket.level_stop, level_target=ticket.level_target, reason="manual",
            position_id=held.id if held and ticket.purpose is Purpose.EXIT else None,
            venue_id=f"v{number}", decided_at=now, created_at=now, updated_at=now,
        )  # fmt: skip

    def _filled(self, bot: Bot, order: Order, last: Decimal) -> Order:
        quantity = order.quantity or ZERO
        held = self.positions_held.get(bot.id)
        if order.purpose is Purpose.EXIT and held is not None:
            self._reduce(bot, held, quantity)
        elif held is not None:
            self.positions_held[bot.id] = held.model_copy(
                update={"quantity": held.quantity + quantity, "entry_count": held.entry_count + 1,
                        "entry_quantity": held.entry_quantity + quantity,
                        "entry_value": held.entry_value + quantity * last}
            )  # fmt: skip
        else:
            side = PositionSide.LONG if order.side is Side.BUY else PositionSide.SHORT
            opened = history.position(bot.id, bot.account_id, bot.config, side, self.now())
            self.positions_held[bot.id] = opened.model_copy(
                update={"quantity": quantity, "entry_quantity": quantity,
                        "entry_value": quantity * last}
            )  # fmt: skip
        return order.model_copy(update={"state": OrderState.FILLED, "filled": quantity})

    def _reduce(self, bot: Bot, held: Position, quantity: Decimal) -> None:
        left = held.quantity - quantity
        if left > 0:
            changed = {"quantity": left, "exit_quantity": held.exit_quantity + quantity}
            self.positions_held[bot.id] = held.model_copy(update=changed)
            return
        del self.positions_held[bot.id]
        self.trades_made.append(history.trade_of(held, bot.config, self.now(), "manual"))

    def _working(self, bot: Bot, client_id: str) -> Order:
        order = self.orders_placed.get(client_id)
        if order is None or order.bot_id != bot.id:
            raise NotFound(f"There is no order '{client_id}' of this bot.")
        if order.is_terminal:
            raise Conflict(f"The order is {order.state.value} already.")
        return order

    def _keep(self, order: Order, **changes: object) -> Order:
        saved = order.model_copy(update={**changes, "updated_at": self.now()})
        self.orders_placed[saved.client_id] = saved
        return saved
