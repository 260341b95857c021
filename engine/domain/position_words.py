"""What happened to a position, in a sentence that stands alone."""

from decimal import Decimal

from engine.domain.amount_words import exactly, lasting, percent, signed
from engine.domain.instruments import Instrument
from engine.domain.positions import Position, PositionSide, Trade

VERBS = {PositionSide.LONG: "Bought", PositionSide.SHORT: "Sold short"}


def opened_words(position: Position, instrument: Instrument, ordered: Decimal | None) -> str:
    """Of a new position; ``ordered`` is what its order wants, where more of it is to come."""
    part = f" (of {exactly(ordered)})" if ordered is not None else ""
    words = (
        f"{VERBS[position.side]} {exactly(position.quantity)} {instrument.base}{part} at"
        f" {exactly(rounded_price(position.average_price, instrument))} {instrument.quote}"
    )
    levels = {"stop": position.stop_price, "target": position.target_price}
    for name, level in levels.items():
        if level is not None:
            words += f", {name} {exactly(level)}"
    return words


def closed_words(trade: Trade) -> str:
    """Of a closed position: what it brought, for how long it was held, and why it ended."""
    return (
        f"Closed {trade.side.value} {trade.symbol}: {signed(trade.pnl)} {trade.quote}"
        f" ({percent(trade.return_fraction)}) after {lasting(trade.exit_time - trade.entry_time)}:"
        f" {trade.exit_reason.replace('_', ' ')}"
    )


def rounded_price(price: Decimal, instrument: Instrument) -> Decimal:
    """An average price to the instrument's tick, or as it is where nothing would be left of it."""
    tick = instrument.price_tick
    return (price / tick).to_integral_value() * tick or price
