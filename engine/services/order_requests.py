"""From an order to what is sent for it: its size, what the bot and the venue hold, the request."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from engine.domain.instruments import Instrument
from engine.domain.ledger import is_dust
from engine.domain.matching import AMOUNT_STEP
from engine.domain.money import ZERO, ceil_to, floor_to, text
from engine.domain.orders import (
    NEEDS_PRICE,
    Order,
    OrderRequest,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from engine.domain.sizing import affordable_quantity, stake
from engine.errors import InsufficientFunds, OrderRejected
from engine.ports import Broker
from engine.services.books import Books


class Gate(Protocol):
    """The limits out of a strategy's reach: ``services.gateway``."""

    def admit(
        self,
        order: Order,
        *,
        quantity: Decimal | None,
        price: Decimal | None,
        last: Decimal,
        instrument: Instrument,
        is_paper: bool,
    ) -> None:
        """Raises LimitReached, or BrokerUnavailable to delay an order that only reduces."""
        ...

    def note_rejection(self, order: Order) -> None:
        """The venue refused it."""
        ...

    def note_success(self, order: Order) -> None:
        """The venue took it."""
        ...


class Sizer:
    """Fixes what an order asks for, just before it is sent."""

    def __init__(self, books: Books, worked: Callable[[str], None]) -> None:
        self._books = books
        self._worked = worked

    def sized(self, order: Order, broker: Broker, instrument: Instrument, last: Decimal) -> Order:
        """The order with its quantity, or amount of quote, on the instrument's steps.
        Raises OrderRejected, BrokerUnavailable."""
        quantity, quote_amount = order.quantity, order.quote_amount
        has_amounts = broker.capabilities.has_quote_amount
        if order.purpose is Purpose.ENTRY and quantity is None and quote_amount is None:
            quote_amount = stake(self._books.get_bot(order.bot_id), float(order.stake_share or 1))
        if quantity is None and quote_amount is not None and not has_amounts:
            price = order.price or order.stop_price or last
            fee_bps = broker.capabilities.fee_bps
            quantity = affordable_quantity(quote_amount, price, fee_bps, instrument)
        elif quantity is not None:
            if order.replaces_client_id is not None and order.sent_at is None:  # once
                quantity -= self._filled_before(order.replaces_client_id)
            if order.is_reducing:
                quantity = self._held(order, quantity, broker, instrument)
            if order.purpose is Purpose.EXIT:
                quantity = _in_one_order(order, quantity, instrument)
            quantity = floor_to(quantity, instrument.quantity_step)
        is_amount = quantity is None and quote_amount is not None and quote_amount > 0
        if not is_amount and (quantity is None or quantity <= 0):
            raise OrderRejected("Nothing is left to trade: the quantity is below one step.")
        if quantity is not None:
            _check_minimums(order, quantity, order.price or order.stop_price or last, instrument,
                            broker)  # fmt: skip
        return order.model_copy(update={"quantity": quantity, "quote_amount": quote_amount})

    def _filled_before(self, client_id: str) -> Decimal:
        with self._books.store.reading() as tx:
            return tx.orders.get(client_id).filled

    def _held(
        self, order: Order, quantity: Decimal, broker: Broker, instrument: Instrument
    ) -> Decimal:
        """``quantity``, or less where the bot, or the venue itself, holds less."""
        position = self._books.positions.get(order.bot_id)
        if position is not None:
            quantity = min(quantity, position.quantity)
        if broker.capabilities.caps_reducing or order.side is Side.BUY:
            return quantity
        balance = broker.balances().get(instrument.base)
        self._worked(order.account_id)
        free = balance.free if balance else ZERO
        if free < min(quantity, instrument.quantity_step):
            raise InsufficientFunds(f"The venue has no free {instrument.base} on the account.")
        return min(quantity, free)


def _in_one_order(order: Order, quantity: Decimal, instrument: Instrument) -> Decimal:
    """As much of an exit as the venue takes at once; once that is filled, the rest follows."""
    most = instrument.largest(is_market=order.type not in NEEDS_PRICE)
    return quantity if most is None else min(quantity, most)


def _check_minimums(
    order: Order, quantity: Decimal, price: Decimal, instrument: Instrument, broker: Broker
) -> None:
    """What the venue would refuse for being too small is not sent. Raises OrderRejected."""
    is_exempt = order.is_reducing and broker.capabilities.reduces_below_minimum
    if not is_dust(quantity, price, instrument, is_exempt=is_exempt):
        return
    least = max(instrument.min_notional, instrument.min_quantity * price)
    raise OrderRejected(
        f"{text(quantity)} {instrument.base} is less than this venue trades: at least"
        f" {text(ceil_to(least, AMOUNT_STEP))} {instrument.quote}."
    )


def request_of(order: Order, broker: Broker) -> OrderRequest:
    """What is sent for an order whose size is fixed. Raises OrderRejected for what the venue has
    not got."""
    can = broker.capabilities
    if order.type not in can.order_types:
        raise OrderRejected(f"This venue takes no {order.type.value.replace('_', ' ')} orders.")
    lasting = _lasting(order, broker)
    if order.type is not OrderType.MARKET and lasting not in can.times_in_force:
        raise OrderRejected(f"This venue takes no {lasting.value.upper()} orders.")
    return OrderRequest(
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        quote_amount=order.quote_amount if order.quantity is None else None,
        price=order.price,
        stop_price=order.stop_price,
        trail_bps=order.trail_bps,
        time_in_force=lasting,
        reduce_only=order.is_reducing,
        seen_price=order.seen_price,
    )


def _lasting(order: Order, broker: Broker) -> TimeInForce:
    """How long it lasts: where orders last for a day at most, one that the desk takes back anyway
    is one of the day."""
    lasting, taken = order.time_in_force, broker.capabilities.times_in_force
    is_shorter = lasting is TimeInForce.GTC and lasting not in taken and TimeInForce.DAY in taken
    return TimeInForce.DAY if is_shorter and order.expires_at is not None else lasting
