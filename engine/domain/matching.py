"""How a paper venue fills orders: prices, touches, caps and fees. Pure and exact."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from engine.domain.exits import PriceBar
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import ONE, ZERO, ceil_to, floor_to, text
from engine.domain.orders import (
    NEEDS_PRICE,
    NEEDS_STOP_PRICE,
    TRIGGERED,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from engine.domain.sizing import BPS

AMOUNT_STEP = Decimal("1e-8")
"""Fees and locked funds are rounded up to this."""

NEEDS_TRAIL = frozenset({OrderType.TRAILING_STOP})
AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
"""What such an order does not get when it is sent, it never gets."""


class Standing(NamedTuple):
    """How far an order with a trigger has come. A trailing stop's ``stop_price`` moves."""

    stop_price: Decimal | None = None
    is_triggered: bool = False


def form_trouble(request: OrderRequest) -> tuple[str, str | None] | None:
    """What makes no sense about a request on any market, and at which field; or None."""
    if (request.quantity is None) == (request.quote_amount is None):
        return "An order has either a quantity or an amount of quote.", None
    name = f"A {request.type.value.replace('_', ' ')} order"
    for types, field, value, words in (
        (NEEDS_PRICE, "price", request.price, "price"),
        (NEEDS_STOP_PRICE, "stop_price", request.stop_price, "stop price"),
        (NEEDS_TRAIL, "trail_bps", request.trail_bps, "trailing distance"),
    ):
        if (request.type in types) != (value is not None):
            verb = "needs a" if request.type in types else "has no"
            return f"{name} {verb} {words}.", field
    if request.type in TRIGGERED and request.time_in_force in AT_ONCE:
        return f"{name} waits: it cannot be asked to fill at once.", "time_in_force"
    return None


def first_standing(request: OrderRequest, quote: Quote, tick: Decimal) -> Standing:
    """Where an order's trigger is when it is accepted: a trailing stop hangs from the price that
    it would trade at."""
    if request.type is not OrderType.TRAILING_STOP:
        return Standing(request.stop_price)
    return Standing(_trailing(request, _taken(request, quote), tick))


def on_quote(
    request: OrderRequest, standing: Standing, quote: Quote, slippage_bps: Decimal, tick: Decimal
) -> tuple[Decimal | None, Standing]:
    """The price at which an order fills on a live quote, or None; and how it stands then.

    Takers buy at the ask and sell at the bid, with slippage against them. A limit order never
    pays more than its limit. Once its trigger is reached, a stop fills like a market order and a
    stop-limit like a limit order.
    """
    price = _taken(request, quote)
    if request.type in TRIGGERED and not standing.is_triggered:
        if not _has_reached(request.side, price, standing.stop_price):
            return None, standing
        standing = standing._replace(is_triggered=True)
    if not _is_within(request, price):
        return None, standing
    return _taker_price(request, price, slippage_bps, tick), standing


def on_bar(
    request: OrderRequest, standing: Standing, bar: PriceBar, slippage_bps: Decimal, tick: Decimal
) -> tuple[Decimal | None, Standing]:
    """The price at which a resting order fills inside a closed bar, or None; and how it stands
    at the bar's end.

    A limit fills at its price, or at the open when the bar gapped through it. A stop fills at its
    price or, on a gap, at the open, with slippage; once triggered, what is left of it fills at
    the next opens. A stop-limit fills like a stop where that is within its limit, and else is a
    limit order from there on: from the same bar's open if it gapped through the stop, but from the
    next bar if the stop was reached later, since this bar's better prices may have come before.
    A trailing stop hangs from the best price before the bar: a bar's own extreme cannot both move
    it and hit it.
    """
    is_limit_now = request.type is OrderType.STOP_LIMIT and standing.is_triggered
    if request.type is OrderType.LIMIT or is_limit_now:
        return _limit_price(request, bar), standing
    if standing.is_triggered:
        return with_slippage(request.side, bar.open, slippage_bps, tick), standing
    stop = standing.stop_price
    is_gap = stop is None or _has_reached(request.side, bar.open, stop)
    adverse = bar.high if request.side is Side.BUY else bar.low
    if not is_gap and not _has_reached(request.side, adverse, stop):
        return None, _followed(request, standing, bar, tick)
    standing = standing._replace(is_triggered=True)
    at = bar.open if is_gap or stop is None else stop
    if _is_within(request, at):
        return _taker_price(request, at, slippage_bps, tick), standing
    return (_limit_price(request, bar) if is_gap else None), standing


def day_end(moment: datetime) -> datetime:
    """When a day order of that moment ends: at the next midnight, UTC."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def with_slippage(side: Side, price: Decimal, slippage_bps: Decimal, tick: Decimal) -> Decimal:
    """``price`` moved against the trader and rounded against the trader; never below a tick."""
    if side is Side.BUY:
        return ceil_to(price * (ONE + slippage_bps / BPS), tick)
    return max(floor_to(price * (ONE - slippage_bps / BPS), tick), tick)


def fee_of(value: Decimal, fee_bps: Decimal) -> Decimal:
    """The fee on an order value, in quote, rounded up."""
    return ceil_to(value * fee_bps / BPS, AMOUNT_STEP)


def capped(quantity: Decimal, volume: Decimal, share: Decimal, step: Decimal) -> Decimal:
    """At most ``share`` of the volume traded; a volume of zero is unknown and caps nothing."""
    if not volume:
        return quantity
    return min(quantity, floor_to(volume * share, step))


def affordable(funds: Decimal, price: Decimal, fee_bps: Decimal, step: Decimal) -> Decimal:
    """How much ``funds`` of quote buy at ``price``, the rounded-up fee included."""
    quantity = max(floor_to(funds / (price * (ONE + fee_bps / BPS)), step), Decimal(0))
    while quantity and quantity * price + fee_of(quantity * price, fee_bps) > funds:
        quantity -= step
    return quantity


def objection(
    request: OrderRequest, instrument: Instrument, quantity: Decimal, price: Decimal
) -> str | None:
    """Why the venue's rules forbid an order of ``quantity`` at about ``price``, or None.

    The minimum order value does not bind orders that only reduce, so that dust can be closed.
    """
    step, tick = instrument.quantity_step, instrument.price_tick
    for name, price_asked in (("price", request.price), ("stop price", request.stop_price)):
        if price_asked is not None and price_asked % tick:
            return f"the {name} {text(price_asked)} is not a multiple of the tick {text(tick)}"
    if quantity % step:
        return f"the quantity {text(quantity)} is not a multiple of the step {text(step)}"
    if not quantity:
        return f"the order is smaller than the quantity step {text(step)}"
    most = instrument.largest(is_market=request.type not in NEEDS_PRICE)
    if most is not None and quantity > most:
        return f"{text(quantity)} is above the largest order of this type, {text(most)}"
    if request.reduce_only:
        return None
    if quantity < instrument.min_quantity:
        return f"{text(quantity)} is below the minimum quantity {text(instrument.min_quantity)}"
    value, least = quantity * price, instrument.min_notional
    if value < least:
        return (
            f"an order value of {text(value)} {instrument.quote} is below the minimum of "
            f"{text(least)} {instrument.quote}"
        )
    return None


def _taken(request: OrderRequest, quote: Quote) -> Decimal:
    return quote.ask if request.side is Side.BUY else quote.bid


def _is_within(request: OrderRequest, price: Decimal) -> bool:
    """Whether ``price`` is at the order's limit or better."""
    if request.price is None:
        return True
    return price <= request.price if request.side is Side.BUY else price >= request.price


def _has_reached(side: Side, price: Decimal, stop: Decimal | None) -> bool:
    """Whether ``price`` has come to the stop; without one there is nothing to wait for."""
    if stop is None:
        return True
    return price >= stop if side is Side.BUY else price <= stop


def _limit_price(request: OrderRequest, bar: PriceBar) -> Decimal | None:
    if _is_within(request, bar.open):
        return bar.open
    favourable = bar.low if request.side is Side.BUY else bar.high
    return request.price if _is_within(request, favourable) else None


def _taker_price(
    request: OrderRequest, price: Decimal, slippage_bps: Decimal, tick: Decimal
) -> Decimal:
    """``price`` with slippage, which a limit bounds."""
    slipped = with_slippage(request.side, price, slippage_bps, tick)
    if request.price is None:
        return slipped
    chosen = min if request.side is Side.BUY else max
    return chosen(slipped, request.price)


def _followed(request: OrderRequest, standing: Standing, bar: PriceBar, tick: Decimal) -> Standing:
    """A trailing stop after a bar that did not reach it."""
    if request.type is not OrderType.TRAILING_STOP or standing.stop_price is None:
        return standing
    if request.side is Side.SELL:
        moved = max(standing.stop_price, _trailing(request, bar.high, tick))
    else:
        moved = min(standing.stop_price, _trailing(request, bar.low, tick))
    return standing._replace(stop_price=moved)


def _trailing(request: OrderRequest, best: Decimal, tick: Decimal) -> Decimal:
    """The stop at its distance from ``best``, rounded towards it, so that no risk is added."""
    distance = (request.trail_bps or ZERO) / BPS
    if request.side is Side.SELL:
        return ceil_to(best * (ONE - distance), tick)
    return floor_to(best * (ONE + distance), tick)
