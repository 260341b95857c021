"""How a paper venue fills orders: prices, touches, caps and fees. Pure and exact."""

from decimal import Decimal

from engine.domain.exits import PriceBar
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import ONE, ceil_to, floor_to, text
from engine.domain.orders import OrderRequest, OrderType, Side
from engine.domain.sizing import BPS

AMOUNT_STEP = Decimal("1e-8")
"""Fees and locked funds are rounded up to this."""


def quoted_price(
    request: OrderRequest, quote: Quote, slippage_bps: Decimal, tick: Decimal
) -> Decimal | None:
    """The price at which an order fills on a live quote, or None when it does not.

    Takers buy at the ask and sell at the bid, with slippage against them. A limit order never
    pays more than its limit; a stop order fills like a market order once its price is reached.
    """
    price = quote.ask if request.side is Side.BUY else quote.bid
    if request.type is OrderType.STOP and not _is_beyond(request, price):
        return None
    slipped = with_slippage(request.side, price, slippage_bps, tick)
    if request.type is not OrderType.LIMIT:
        return slipped
    if not _is_within(request, price):
        return None
    return _not_past_limit(request, slipped)


def touched_price(
    request: OrderRequest, bar: PriceBar, is_triggered: bool, slippage_bps: Decimal, tick: Decimal
) -> Decimal | None:
    """The price at which a resting order fills inside a closed bar, or None.

    A limit fills at its price, or at the open when the bar gapped through it. A stop fills at its
    price or, on a gap, at the open, with slippage; once triggered, what is left of it fills at
    the next opens.
    """
    if request.type is OrderType.LIMIT:
        if _is_within(request, bar.open):
            return bar.open
        favourable = bar.low if request.side is Side.BUY else bar.high
        return request.price if _is_within(request, favourable) else None
    price: Decimal | None = bar.open
    if request.type is OrderType.STOP and not is_triggered and not _is_beyond(request, bar.open):
        adverse = bar.high if request.side is Side.BUY else bar.low
        price = request.price if _is_beyond(request, adverse) else None
    return None if price is None else with_slippage(request.side, price, slippage_bps, tick)


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
    if request.price is not None and request.price % tick:
        return f"the price {text(request.price)} is not a multiple of the tick {text(tick)}"
    if quantity % step:
        return f"the quantity {text(quantity)} is not a multiple of the step {text(step)}"
    if not quantity:
        return f"the order is smaller than the quantity step {text(step)}"
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


def _is_within(request: OrderRequest, price: Decimal) -> bool:
    """Whether ``price`` is at the order's limit or better."""
    if request.price is None:
        return True
    return price <= request.price if request.side is Side.BUY else price >= request.price


def _is_beyond(request: OrderRequest, price: Decimal) -> bool:
    """Whether ``price`` has reached the order's stop."""
    if request.price is None:
        return True
    return price >= request.price if request.side is Side.BUY else price <= request.price


def _not_past_limit(request: OrderRequest, price: Decimal) -> Decimal:
    if request.price is None:
        return price
    chosen = min if request.side is Side.BUY else max
    return chosen(price, request.price)
