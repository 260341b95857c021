"""What the bots of a trading core do, signal by signal, so that a killed one goes on with the next.

A decision and its orders are one transaction, as in ``services.run_cycle``; what a person orders is
found again by the audit's actor, or the order's reason, of the same transaction.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from engine.domain.bots import Bot
from engine.domain.decisions import Action, Decision
from engine.domain.money import ONE, floor_to
from engine.domain.orders import Order, OrderState, OrderType, Purpose
from engine.domain.positions import Position, PositionSide
from engine.domain.tickets import OrderChanges, OrderTicket, TicketType
from engine.errors import ConfigError, NotFound
from engine.ports import MarketData
from engine.services.books import Books
from engine.services.order_desk import OrderDesk, client_id
from tests.fakes.exchange import ExchangeAdmin

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
CANDLE = timedelta(minutes=1)
AMOUNT = Decimal(100)
"""What every entry asks for, in quote, by whatever signal."""

BASE_PRICES = {"BTC/USDT": Decimal(50_000), "ETH/USDT": Decimal(3_000)}
NAP_S = 0.02
LONG = PositionSide.LONG


class Script:
    """A signal at a time for each bot; which one it is follows from what the bot has."""

    def __init__(
        self, books: Books, desk: OrderDesk, market: MarketData, admin: ExchangeAdmin, dice: Random
    ) -> None:
        self._books = books
        self._desk = desk
        self._market = market
        self._admin = admin
        self._dice = dice

    def go_on(self, bot_id: str) -> None:
        """Advance a bot's orders; then its next signal, unless an order's fate is not known."""
        self._desk.advance(bot_id, self._market)
        if self._is_busy(bot_id):
            time.sleep(NAP_S)
            return
        bot = self._books.bots[bot_id]
        number = self._number(bot)
        if not self._is_given(bot, number):
            if self._dice.random() < 0.4:
                self._move_price(bot.config.symbol)
            self._give(bot, number)
        if self._number(self._books.bots[bot_id]) == number:
            with self._books.writing() as writing:
                writing.mark_decided(bot_id, BEGIN + (number + 1) * CANDLE)

    def flatten(self, bot_id: str) -> None:
        """Take back entries and close what is held."""
        self._desk.advance(bot_id, self._market)
        if not self._is_busy(bot_id):
            self._desk.close_position(bot_id, self._market, "the end")

    # --- where it stands ------------------------------------------------------------------------

    def _is_busy(self, bot_id: str) -> bool:
        return any(
            order.state in (OrderState.SENDING, OrderState.UNKNOWN)
            for order in self._books.working_orders(bot_id)
        )

    def _number(self, bot: Bot) -> int:
        """Of the next signal: what is durable of the script."""
        return 0 if bot.decided_until is None else (bot.decided_until - BEGIN) // CANDLE

    def _is_given(self, bot: Bot, number: int) -> bool:
        """Whether a person's signal of this number is in the books already."""
        name = f"signal {number}"
        with self._books.store.reading() as tx:
            return bool(
                tx.audit.count(actor=name, subject=bot.id)
                or tx.orders.count(bot_id=bot.id, reason=name)
            )

    def _last(self, symbol: str) -> Decimal:
        return self._market.quote(symbol).last

    def _move_price(self, symbol: str) -> None:
        """Somewhere within 2.5% of where it began: stops go off, limits fill."""
        moved = BASE_PRICES[symbol] * (1 + Decimal(self._dice.randint(-25, 25)) / 1000)
        self._admin.do("set_price", symbol=symbol.replace("/", ""), price=str(moved))

    # --- signals --------------------------------------------------------------------------------

    def _give(self, bot: Bot, number: int) -> None:
        position = self._books.positions.get(bot.id)
        resting = [
            order for order in self._books.working_orders(bot.id)
            if order.purpose is Purpose.ENTRY and order.state is OrderState.OPEN
        ]  # fmt: skip
        if self._desk.is_closing(bot.id):
            return
        actor = f"signal {number}"
        choices: list[Callable[[], None]]
        if resting and resting[0].type is OrderType.LIMIT:
            order = resting[0]
            choices = [
                lambda: self._cancel(order, actor),
                lambda: self._replace(order, actor),
                lambda: self._fall_to(order),
                lambda: self._fall_to(order),
            ]
        elif position is None:
            choices = [
                lambda: self._decide(bot, number, None, is_exit=False, is_entry=True),
                lambda: self._decide(bot, number, None, is_exit=False, is_entry=True),
                lambda: self._bracket(bot, actor),
                lambda: self._limit(bot, actor),
            ]
        else:
            choices = [
                lambda: self._decide(bot, number, position, is_exit=True, is_entry=False),
                lambda: self._decide(bot, number, position, is_exit=True, is_entry=True),
                lambda: self._desk.close_position(
                    bot.id, self._market, actor, fraction=Decimal("0.5")
                ),
                lambda: self._desk.close_position(bot.id, self._market, actor),
                lambda: self._guard(bot, position, actor),
            ]
            if position.entry_count < bot.config.max_entries:
                choices += 2 * [
                    lambda: self._decide(bot, number, position, is_exit=False, is_entry=True)
                ]
        try:
            self._dice.choice(choices)()
        except (ConfigError, NotFound):
            return  # what was meant is gone meanwhile, or makes no sense at this price any more

    def _decide(
        self, bot: Bot, number: int, position: Position | None, *, is_exit: bool, is_entry: bool
    ) -> None:
        """A strategy's signal: to enter, to add, to leave, or to leave and enter anew."""
        moment, now = BEGIN + number * CANDLE, self._market.now()
        last = self._last(bot.config.symbol)
        instrument = self._market.instrument(bot.config.symbol)
        if is_exit:
            self._desk.cancel_entries(bot.id, self._market)
            position = self._books.positions.get(bot.id)
        with self._books.writing() as writing:
            exit_order: Order | None = None
            if is_exit and position is not None:
                exit_order = self._desk.plan_exit(
                    writing, position, "signal",
                    order_id=client_id(bot.id, moment, "x"), decided_at=now,
                )  # fmt: skip
            if is_entry:
                self._desk.plan_entry(
                    writing, bot, LONG, size=1.0, candle_time=moment, decided_at=now,
                    after=exit_order, last=last, instrument=instrument,
                )  # fmt: skip
            writing.tx.decisions.add(
                Decision(
                    id=f"{bot.id}-1m-{number}", bot_id=bot.id, candle_time=moment, decided_at=now,
                    action=Action.ENTER_LONG if is_entry else Action.EXIT, reason="script",
                    price=float(last), confidence=1.0,
                )
            )  # fmt: skip
            writing.mark_decided(bot.id, moment + CANDLE)
        self._desk.advance(bot.id, self._market)

    def _bracket(self, bot: Bot, actor: str) -> None:
        last = self._last(bot.config.symbol)
        tick = self._market.instrument(bot.config.symbol).price_tick
        ticket = OrderTicket(
            direction=LONG, quote_amount=AMOUNT, level_stop=floor_to(last * Decimal("0.99"), tick),
            level_target=floor_to(last * Decimal("1.01"), tick),
        )  # fmt: skip
        self._desk.place(bot.id, self._market, ticket, actor)

    def _limit(self, bot: Bot, actor: str) -> None:
        instrument = self._market.instrument(bot.config.symbol)
        price = floor_to(self._last(bot.config.symbol) * Decimal("0.999"), instrument.price_tick)
        ticket = OrderTicket(
            type=TicketType.LIMIT, direction=LONG, price=price,
            quantity=floor_to(AMOUNT / price, instrument.quantity_step),
        )  # fmt: skip
        self._desk.place(bot.id, self._market, ticket, actor)

    def _guard(self, bot: Bot, position: Position, actor: str) -> None:
        """Another stop and another target: what rests at the venue is moved."""
        last = self._last(bot.config.symbol)
        tick = self._market.instrument(bot.config.symbol).price_tick
        distance = Decimal(self._dice.randint(5, 20)) / 1000
        ticket = OrderTicket(
            purpose=Purpose.EXIT, type=TicketType.OCO, quantity=position.quantity,
            price=floor_to(last * (ONE + distance), tick),
            stop_price=floor_to(last * (ONE - distance), tick),
        )  # fmt: skip
        self._desk.place(bot.id, self._market, ticket, actor)

    def _cancel(self, order: Order, actor: str) -> None:
        self._desk.cancel_order(order.bot_id, order.client_id, self._market, actor)

    def _replace(self, order: Order, actor: str) -> None:
        assert order.price is not None
        tick = self._market.instrument(order.symbol).price_tick
        lower = floor_to(order.price * Decimal("0.9995"), tick)
        changes = OrderChanges(price=lower)
        self._desk.replace_order(order.bot_id, order.client_id, self._market, changes, actor)

    def _fall_to(self, order: Order) -> None:
        """The market comes to a resting entry."""
        self._admin.do("set_price", symbol=order.symbol.replace("/", ""), price=str(order.price))
