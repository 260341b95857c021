"""When the paper venue's orders trade and when they end: on the quote they came in at, then bar
by bar."""

from datetime import datetime
from decimal import Decimal

from engine.adapters.brokers.paper_fills import PaperTerms, ended
from engine.domain.candles import Candles
from engine.domain.exits import price_bar
from engine.domain.instruments import Instrument, Quote
from engine.domain.matching import AT_ONCE, Standing, day_end, on_bar, on_quote
from engine.domain.money import exact, from_epoch_ms
from engine.domain.orders import TERMINAL, OrderState, OrderType, TimeInForce
from engine.domain.paper_account import Purse
from engine.ports import MarketData, PaperOrder


def match_at_once(
    terms: PaperTerms,
    purse: Purse,
    order: PaperOrder,
    instrument: Instrument,
    quote: Quote,
    price: Decimal | None,
) -> PaperOrder:
    """A new order after what it gets at ``price``; one that does not rest ends here."""
    if price is not None:
        order = terms.filled(purse, order, instrument, price, quote)
    if order.request.time_in_force in AT_ONCE and order.report.state not in TERMINAL:
        order = ended(purse, order, OrderState.EXPIRED, "could not be filled at once")
    return order


def match_resting(
    terms: PaperTerms, purse: Purse, order: PaperOrder, market: MarketData
) -> PaperOrder:
    """A working order after whatever the market did since it was last looked at. Raises DataError.

    An order for the day trades in bars that closed within its day, and in no other.
    """
    until = _last_moment(order)
    instrument = market.instrument(order.request.symbol)
    is_over = until is not None and market.now() >= until
    since = order.matched_until
    if order.request.type is not OrderType.MARKET and since is not None:
        bars = market.bars_since(order.request.symbol, since)
        order = _bar_by_bar(terms, purse, order, instrument, bars, until)
    elif not is_over:
        order = _quoted(terms, purse, order, instrument, market)
    if is_over and order.report.state not in TERMINAL:
        order = ended(purse, order, OrderState.EXPIRED, "its day is over")
    return order


def with_standing(order: PaperOrder, standing: Standing) -> PaperOrder:
    """The order with its trigger where it is now, which its report shows."""
    if standing == standing_of(order):
        return order
    report = order.report.model_copy(update={"stop_price": standing.stop_price})
    return order.model_copy(update={"report": report, "is_triggered": standing.is_triggered})


def standing_of(order: PaperOrder) -> Standing:
    """Where the order's trigger was left."""
    return Standing(order.report.stop_price, order.is_triggered)


def _last_moment(order: PaperOrder) -> datetime | None:
    created_at = order.report.created_at
    if order.request.time_in_force is not TimeInForce.DAY or created_at is None:
        return None
    return day_end(created_at)


def _quoted(
    terms: PaperTerms, purse: Purse, order: PaperOrder, instrument: Instrument, market: MarketData
) -> PaperOrder:
    """What is left of a market order, at the present quote if that is a newer one."""
    quote = market.quote(order.request.symbol)
    if order.matched_until is not None and quote.time <= order.matched_until:
        return order
    price, standing = on_quote(
        order.request, standing_of(order), quote, terms.slippage_bps, instrument.price_tick
    )
    order = with_standing(order, standing)
    return order if price is None else terms.filled(purse, order, instrument, price, quote)


def _bar_by_bar(
    terms: PaperTerms,
    purse: Purse,
    order: PaperOrder,
    instrument: Instrument,
    bars: Candles,
    until: datetime | None,
) -> PaperOrder:
    request = order.request
    for bar in bars.bars():
        prices, closed_at = price_bar(bar), from_epoch_ms(bar.close_ms)
        if until is not None and closed_at > until:
            break
        price, standing = on_bar(
            request, standing_of(order), prices, terms.slippage_bps, instrument.price_tick
        )
        order = with_standing(order, standing)
        if price is not None:
            traded = Quote(symbol=request.symbol, bid=price, ask=price, last=price,
                           time=prices.time, volume=exact(bar.volume))  # fmt: skip
            order = terms.filled(purse, order, instrument, price, traded)
        order = order.model_copy(update={"matched_until": closed_at})
        if order.report.state in TERMINAL:
            break
    return order
