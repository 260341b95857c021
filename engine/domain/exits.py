"""When a position is closed whatever its strategy says: stop, target, trailing, time, ROI.

One set of pure functions, used on live prices (a bar of one price), on replayed bars and by the
backtester. Rules of a bar: a gap through a level fills at the open, and a bar that touches both
the stop and the target is taken to have touched the stop first.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from engine.domain.bots import ExitRules
from engine.domain.candles import Bar
from engine.domain.instruments import Instrument
from engine.domain.money import ceil_to, exact, floor_to, from_epoch_ms
from engine.domain.positions import Position, PositionSide


@dataclass(frozen=True, slots=True)
class PriceBar:
    """The prices of one bar, exact; a live price is a bar whose four prices are equal."""

    time: datetime  # the bar's open
    open: Decimal
    high: Decimal
    low: Decimal


@dataclass(frozen=True, slots=True)
class ExitTrigger:
    """A level was reached: why, and at which price."""

    reason: str
    price: Decimal


def price_bar(bar: Bar) -> PriceBar:
    """A closed candle's prices, exact."""
    return PriceBar(from_epoch_ms(bar.open_ms), exact(bar.open), exact(bar.high), exact(bar.low))


def live_bar(price: Decimal, time: datetime) -> PriceBar:
    """One live price as a bar."""
    return PriceBar(time, price, price, price)


def fixed_levels(
    rules: ExitRules, side: PositionSide, average: Decimal, instrument: Instrument
) -> tuple[Decimal | None, Decimal | None]:
    """Stop and target for an average entry price, on the tick: the stop rounded towards
    the entry (no risk is added), the target away from it (no profit is promised away)."""
    stop = target = None
    if rules.stop_loss is not None:
        stop = _adverse(side, average, rules.stop_loss, instrument.price_tick)
    if rules.take_profit is not None:
        target = _favourable(side, average, rules.take_profit, instrument.price_tick)
    return stop, target


def nearer_stop(side: PositionSide, one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The one of two stops that ends a position of this side first; None where there is none."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other) if side is PositionSide.LONG else min(one, other)


def nearer_target(side: PositionSide, one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The one of two targets that ends a position of this side first; None where there is none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other) if side is PositionSide.LONG else max(one, other)


def better_price(position: Position, bar: PriceBar) -> Decimal:
    """The most favourable price of the position's life, this bar included."""
    if position.side is PositionSide.LONG:
        return max(position.best_price, bar.high)
    return min(position.best_price, bar.low)


def effective_stop(position: Position, rules: ExitRules, instrument: Instrument) -> Decimal | None:
    """The nearer of the fixed and the trailing stop as they stand now; None without either."""
    return _stop(position, rules, instrument)[0]


def find_exit(
    position: Position, rules: ExitRules, instrument: Instrument, bar: PriceBar
) -> ExitTrigger | None:
    """The first level that ``bar`` reaches, judged by what was known when the bar opened.

    The trailing stop hangs from the best price before this bar, so a bar's own extreme cannot
    both raise the stop and hit it.
    """
    is_long = position.side is PositionSide.LONG
    stop, stop_reason = _stop(position, rules, instrument)
    target, target_reason = _target(position, rules, instrument, bar)

    def is_stopped(price: Decimal) -> bool:
        return stop is not None and (price <= stop if is_long else price >= stop)

    def is_on_target(price: Decimal) -> bool:
        return target is not None and (price >= target if is_long else price <= target)

    worst, best = (bar.low, bar.high) if is_long else (bar.high, bar.low)
    if is_stopped(bar.open):
        return ExitTrigger(stop_reason, bar.open)
    if is_on_target(bar.open):
        return ExitTrigger(target_reason, bar.open)
    if rules.time_limit_s is not None and _age_s(position, bar) >= rules.time_limit_s:
        return ExitTrigger("time_limit", bar.open)
    if stop is not None and is_stopped(worst):
        return ExitTrigger(stop_reason, stop)
    if target is not None and is_on_target(best):
        return ExitTrigger(target_reason, target)
    return None


def _stop(
    position: Position, rules: ExitRules, instrument: Instrument
) -> tuple[Decimal | None, str]:
    """The nearer of the fixed and the trailing stop."""
    fixed = position.stop_price
    if rules.trailing_stop is None:
        return fixed, "stop_loss"
    trailing = _adverse(
        position.side, position.best_price, rules.trailing_stop, instrument.price_tick
    )
    if fixed is None:
        return trailing, "trailing_stop"
    if trailing != fixed and nearer_stop(position.side, trailing, fixed) == trailing:
        return trailing, "trailing_stop"
    return fixed, "stop_loss"


def _target(
    position: Position, rules: ExitRules, instrument: Instrument, bar: PriceBar
) -> tuple[Decimal | None, str]:
    """The nearer of the fixed target and the ROI step in force at the bar's open."""
    age_s = _age_s(position, bar)
    reached = [step for step in rules.roi_steps if step.after_s <= age_s]
    fixed = position.target_price
    if not reached:
        return fixed, "take_profit"
    roi = _favourable(
        position.side, position.average_price, reached[-1].profit, instrument.price_tick
    )
    if fixed is None:
        return roi, "roi"
    is_nearer = roi < fixed if position.side is PositionSide.LONG else roi > fixed
    return (roi, "roi") if is_nearer else (fixed, "take_profit")


def _age_s(position: Position, bar: PriceBar) -> float:
    return (bar.time - position.opened_at).total_seconds()


def _adverse(side: PositionSide, price: Decimal, fraction: Decimal, tick: Decimal) -> Decimal:
    """``fraction`` against the position; for a long rounded up, so that no risk is added."""
    if side is PositionSide.LONG:
        return ceil_to(price * (1 - fraction), tick)
    return floor_to(price * (1 + fraction), tick)


def _favourable(side: PositionSide, price: Decimal, fraction: Decimal, tick: Decimal) -> Decimal:
    """``fraction`` in the position's favour."""
    if side is PositionSide.LONG:
        return ceil_to(price * (1 + fraction), tick)
    return floor_to(price * (1 - fraction), tick)
