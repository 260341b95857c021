"""How the paper venue takes an order: its size, the funds it locks, and what a fill moves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from engine.domain.instruments import Instrument, Quote
from engine.domain.matching import affordable, capped, fee_of, with_slippage
from engine.domain.money import ZERO, floor_to
from engine.domain.orders import (
    Execution,
    OrderRequest,
    OrderState,
    Side,
    TimeInForce,
    VenueFill,
)
from engine.domain.paper_account import Purse, traded_row
from engine.errors import DataError
from engine.ports import PaperOrder


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """What the paper venue charges and allows. ``volume_cap`` is a share of a bar's volume."""

    fee_bps: Decimal
    slippage_bps: Decimal
    volume_cap: Decimal

    def worst_price(
        self,
        request: OrderRequest,
        instrument: Instrument,
        price: Decimal | None,
        stop_price: Decimal | None = None,
    ) -> Decimal:
        """What a unit may cost at the most (a gap aside): the price funds are locked at.

        ``price`` is the one it trades at now, or None while it rests; ``stop_price`` where its
        trigger is. Raises DataError for a market order without a price.
        """
        if request.price is not None:
            return request.price
        if price is not None:
            return price
        if stop_price is None:
            raise DataError(f"{request.symbol} has no price now.")
        return with_slippage(request.side, stop_price, self.slippage_bps, instrument.price_tick)

    def sized(self, request: OrderRequest, instrument: Instrument, price: Decimal) -> Decimal:
        """The base quantity that is asked for, at ``price``."""
        if request.quantity is not None:
            return request.quantity
        amount, step = request.quote_amount or ZERO, instrument.quantity_step
        if request.side is Side.BUY:
            return affordable(amount, price, self.fee_bps, step)
        return floor_to(amount / price, step)

    def cost(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Value and fee, in quote."""
        value = quantity * price
        return value + fee_of(value, self.fee_bps)

    def filled(
        self,
        purse: Purse,
        order: PaperOrder,
        instrument: Instrument,
        price: Decimal,
        quote: Quote,
    ) -> PaperOrder:
        """The order after as much of it as the volume and the funds allow was traded; of one to
        fill or kill all of it or nothing."""
        report, step = order.report, instrument.quantity_step
        order = order.model_copy(update={"matched_until": quote.time})
        left = report.quantity - report.filled
        quantity = capped(left, quote.volume, self.volume_cap, step)
        if not quantity:
            return order
        possible = self._possible(purse, order, instrument, price)
        quantity = min(quantity, possible)
        if order.request.time_in_force is TimeInForce.FOK and quantity < left:
            return order
        if quantity:
            order = self._traded(purse, order, instrument, price, quantity, quote)
        if possible < left and quantity == possible:
            return _exhausted(purse, order)
        return order

    def _possible(
        self, purse: Purse, order: PaperOrder, instrument: Instrument, price: Decimal
    ) -> Decimal:
        """What the order's funds, its budget and the short it closes allow at ``price``."""
        request, report = order.request, order.report
        left = report.quantity - report.filled
        if request.side is Side.SELL:
            return left  # its base asset is locked
        funds = order.locked_amount + max(purse.free(instrument.quote), ZERO)
        if request.quote_amount is not None:
            spent = sum((fill.price * fill.quantity + fill.fee for fill in report.fills), ZERO)
            funds = min(funds, request.quote_amount - spent)
        if self.cost(left, price) > funds:
            left = affordable(funds, price, self.fee_bps, instrument.quantity_step)
        if request.reduce_only:
            left = min(left, max(-purse.free(traded_row(request, instrument)), ZERO))
        return left

    def _traded(
        self,
        purse: Purse,
        order: PaperOrder,
        instrument: Instrument,
        price: Decimal,
        quantity: Decimal,
        quote: Quote,
    ) -> PaperOrder:
        """Book one execution: move the funds, release their lock, add the fill."""
        request, report = order.request, order.report
        value = quantity * price
        fee = fee_of(value, self.fee_bps)
        filled = report.filled + quantity
        row = traded_row(request, instrument)
        if request.side is Side.SELL:
            locked = order.locked_amount - quantity
            purse.add(row, locked=-quantity)
            purse.add(instrument.quote, free=value - fee)
        else:
            left = report.quantity - filled
            unit = self.worst_price(request, instrument, price)
            funds = order.locked_amount + purse.free(instrument.quote) - value - fee
            locked = min(self.cost(left, unit), max(funds, ZERO))
            purse.lock(instrument.quote, locked - order.locked_amount)
            purse.add(instrument.quote, free=-value - fee)
            purse.add(row, free=quantity)
        fill = VenueFill(
            trade_id=f"{request.client_id}-{len(report.fills) + 1}",
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=instrument.quote,
            time=quote.time,
        )
        is_done = filled == report.quantity
        state = OrderState.FILLED if is_done else OrderState.PARTLY_FILLED
        report = report.model_copy(
            update={"state": state, "filled": filled, "fills": (*report.fills, fill)}
        )
        return order.model_copy(update={"report": report, "locked_amount": locked})


def _exhausted(purse: Purse, order: PaperOrder) -> PaperOrder:
    """The end of an order whose rest cannot be paid: an amount of quote is then spent."""
    report = order.report
    if order.request.quote_amount is None or not report.fills:
        return ended(purse, order, OrderState.CANCELLED, "the funds do not cover the rest")
    spent = report.model_copy(update={"quantity": report.filled})
    order = order.model_copy(update={"report": spent})
    return ended(purse, order, OrderState.FILLED, "")


def ended(purse: Purse, order: PaperOrder, state: OrderState, reason: str) -> PaperOrder:
    """The order without its rest, what it locked free again."""
    purse.lock(order.locked_asset, -order.locked_amount)
    report = order.report.model_copy(update={"state": state, "reason": reason})
    return order.model_copy(update={"report": report, "locked_amount": ZERO})


def executions_of(orders: Iterable[PaperOrder], since: datetime) -> list[Execution]:
    """The fills of orders at or after ``since``, oldest first."""
    found = [
        Execution(
            **fill.model_dump(),
            symbol=report.symbol,
            side=report.side,
            venue_id=report.venue_id,
            client_id=report.client_id,
        )
        for report in (order.report for order in orders)
        for fill in report.fills
        if fill.time >= since
    ]
    return sorted(found, key=lambda execution: execution.time)
