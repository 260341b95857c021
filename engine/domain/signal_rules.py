"""What a signal means for a bot as it stands. Pure rules; the order desk does the rest."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from engine.domain.bots import Bot, Direction
from engine.domain.cycle import MAY_LONG, MAY_SHORT
from engine.domain.decisions import Action
from engine.domain.instruments import Instrument
from engine.domain.message_values import HUNDRED, plain_symbol
from engine.domain.money import ONE, ceil_to, floor_to, text
from engine.domain.positions import Position, PositionSide
from engine.domain.signals import Expected, QuantityKind, Signal, SignalAction, SignalOrder
from engine.domain.sizing import STAKE_DIGITS, stake

EXIT_LIFE = timedelta(days=1)
"""An exit is worth doing for longer than an entry, but not when it is of another day."""

ENTER = {PositionSide.LONG: Action.ENTER_LONG, PositionSide.SHORT: Action.ENTER_SHORT}
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Meaning:
    """What is to be done: an exit (of a part where ``is_whole`` is False), an entry, or neither.

    ``reason`` says why nothing is done, or why no entry follows; ``cancels`` whether entries that
    still work are taken back first.
    """

    reason: str = ""
    is_exit: bool = False
    is_whole: bool = True
    entry: PositionSide | None = None
    cancels: bool = False

    @property
    def action(self) -> Action:
        """The same in the words of a decision."""
        if self.entry is not None:
            return Action.REVERSE if self.is_exit else ENTER[self.entry]
        return Action.EXIT if self.is_exit else Action.HOLD

    def without_entry(self, reason: str) -> "Meaning":
        """What is left when nothing may be opened."""
        return replace(self, entry=None, reason=reason)


NOTHING = Meaning()


def meaning_of(
    order: SignalOrder,
    position: Position | None,
    direction: Direction,
    working: PositionSide | None = None,
) -> Meaning:
    """What a signal means for a bot that holds ``position`` and may be on these sides.

    ``working`` is the side of an entry of the bot's that still works.
    """
    held = position.side if position is not None else None
    actual = Expected(held.value) if held is not None else Expected.FLAT
    if order.expected is not None and order.expected is not actual:
        return Meaning(f"it expects the bot to be {order.expected} and the bot is {actual}")
    if order.action in (SignalAction.CLOSE, SignalAction.FLAT):
        return _closed(order, held, working)
    side = order.side
    if side is None:
        return Meaning(f"it asks to {order.action} and names no side")
    meaning = _entered(order.action, side, held, working)
    allowed = MAY_LONG if side is PositionSide.LONG else MAY_SHORT
    if meaning.entry is None or direction in allowed:
        return meaning
    return meaning.without_entry(f"the bot may not be {side}: its direction is {direction} only")


def _closed(order: SignalOrder, held: PositionSide | None, working: PositionSide | None) -> Meaning:
    part = order.quantity if order.action is SignalAction.CLOSE else None
    is_all = order.quantity_kind is QuantityKind.PERCENT_OF_POSITION and part == HUNDRED
    is_whole = part is None or is_all
    cancels = is_whole and working is not None and order.side in (None, working)
    if held is None:
        return Meaning("there is nothing to close: the bot is flat", cancels=cancels)
    if order.side not in (None, held):
        reason = f"there is no {order.side} position to close: the bot is {held}"
        return Meaning(reason, cancels=cancels)
    return Meaning(is_exit=True, is_whole=is_whole, cancels=cancels)


def _entered(
    action: SignalAction,
    side: PositionSide,
    held: PositionSide | None,
    working: PositionSide | None,
) -> Meaning:
    if action is SignalAction.REVERSE:
        if held is side:
            return Meaning(f"the bot is {side} already")
        is_against = working not in (None, side)
        return Meaning(is_exit=held is not None, entry=side, cancels=is_against)
    if action is SignalAction.ADD:
        if held is side:
            return Meaning(entry=side)
        return Meaning(f"there is no {side} position to add to: the bot is {held or 'flat'}")
    if held is None:
        return Meaning(entry=side)
    other = "send add to enlarge it" if held is side else "send reverse, or close it first"
    return Meaning(f"the bot is {held} already: {other}")


def ends_position(order: SignalOrder) -> bool:
    """Whether it is to end a position, and not to open one or to make it smaller."""
    if order.action is SignalAction.CLOSE:
        return order.quantity is None
    return order.action in (SignalAction.FLAT, SignalAction.REVERSE)


def ends_side(order: SignalOrder, side: PositionSide | None) -> bool:
    """Whether nothing of ``side`` is to be left after this signal."""
    if order.action is SignalAction.CLOSE:
        return order.side in (None, side) and order.quantity is None
    if order.action is SignalAction.REVERSE:
        return order.side is not side
    return order.action is SignalAction.FLAT


def is_symbol_of(symbol: str, bot: Bot, instrument: Instrument) -> bool:
    """Whether a sender's symbol is the bot's, whatever its spelling; none named is."""
    names = (bot.symbol, bot.config.symbol, instrument.base + instrument.quote)
    return not symbol or plain_symbol(symbol) in {plain_symbol(name) for name in names}


# --- age ----------------------------------------------------------------------------------------


def age_of(signal: Signal, now: datetime) -> timedelta:
    """How long ago it was sent. A sender whose clock is ahead gains nothing by it."""
    sent_at = signal.sent_at or signal.received_at
    return max(now - min(sent_at, signal.received_at), timedelta(0))


def entry_too_old(signal: Signal, now: datetime, max_lag_s: int) -> str:
    """Why a signal is too old to open anything; empty: it is not."""
    age_s = age_of(signal, now).total_seconds()
    if age_s <= max_lag_s:
        return ""
    return f"it was {age_s:.0f} s old and the bot takes entries for {max_lag_s} s"


def exit_too_old(signal: Signal, now: datetime) -> str:
    """Why it is too old to close anything; empty: it is not."""
    age = age_of(signal, now)
    return f"it was {age.days} days old" if age > EXIT_LIFE else ""


# --- how much -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """What an entry may spend, in quote. ``asked`` is what the signal wanted where that is more
    than ``most``, the bot's stake."""

    amount: Decimal
    most: Decimal
    asked: Decimal | None = None


def entry_size(order: SignalOrder, bot: Bot, position: Position | None, price: Decimal) -> Size:
    """What a signal's entry spends: what it asks for, and never more than the bot's stake."""
    most = stake(bot)
    asked = _asked(order, bot, position, price)
    if asked is None:
        return Size(most, most)
    if asked > most:
        return Size(most, most, asked)
    return Size(asked, most)


def _asked(
    order: SignalOrder, bot: Bot, position: Position | None, price: Decimal
) -> Decimal | None:
    quantity, kind = order.quantity, order.quantity_kind
    if quantity is None:
        return None
    if kind is QuantityKind.UNITS:
        amount = quantity * price
    elif kind is QuantityKind.PERCENT_OF_EQUITY:
        capital = bot.capital if bot.config.reinvest else bot.config.starting_capital
        amount = capital * quantity / HUNDRED
    elif kind is QuantityKind.PERCENT_OF_POSITION:
        held = position.quantity if position is not None else Decimal(0)
        amount = held * price * quantity / HUNDRED
    else:
        amount = quantity
    return floor_to(amount, STAKE_DIGITS)


def exit_quantity(
    order: SignalOrder, position: Position, price: Decimal, instrument: Instrument
) -> Decimal:
    """How much of a position a close is about, on the step.

    No less than the venue trades, and all of it where what is left would be less than that.
    """
    quantity, kind = order.quantity, order.quantity_kind
    if quantity is None or order.action is not SignalAction.CLOSE:
        return position.quantity
    if kind is QuantityKind.AMOUNT:
        quantity = quantity / price
    elif kind is not QuantityKind.UNITS:
        quantity = position.quantity * min(quantity, HUNDRED) / HUNDRED
    step = instrument.quantity_step
    least = max(step, instrument.min_quantity, ceil_to(instrument.min_notional / price, step))
    part = max(floor_to(min(quantity, position.quantity), step), least)
    return part if position.quantity - part >= least else position.quantity


# --- levels -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Levels:
    """Where the position is stopped and takes its profit; ``objection`` where that cannot be."""

    stop: Decimal | None = None
    target: Decimal | None = None
    objection: str = ""


def levels_of(
    order: SignalOrder, side: PositionSide, price: Decimal, instrument: Instrument
) -> Levels:
    """A signal's stop and target at a price, on the tick: the stop rounded towards the entry, the
    target away from it."""
    is_long = side is PositionSide.LONG
    stop = _level(order.stop_price, order.stop_percent, price, is_above=not is_long)
    target = _level(order.target_price, order.target_percent, price, is_above=is_long)
    round_to = ceil_to if is_long else floor_to
    for name, level, is_above in (("stop", stop, not is_long), ("target", target, is_long)):
        if level is None:
            continue
        on_tick = round_to(level, instrument.price_tick)
        if on_tick <= 0 or (on_tick <= price if is_above else on_tick >= price):
            where = "above" if is_above else "below"
            return Levels(
                objection=f"the {name} of a {side} position has to be {where} the price of "
                f"{text(price)}, and {text(level)} is not"
            )
    return Levels(
        stop=None if stop is None else round_to(stop, instrument.price_tick),
        target=None if target is None else round_to(target, instrument.price_tick),
    )


def _level(
    level: Decimal | None, percent: Decimal | None, price: Decimal, *, is_above: bool
) -> Decimal | None:
    if percent is None:
        return level
    part = percent / HUNDRED
    return price * (ONE + part if is_above else ONE - part)


# --- names --------------------------------------------------------------------------------------


def order_stem(bot_id: str, signal_id: str) -> str:
    """What the client order ids of a signal begin with; with the leg and the number of a repeated
    exit they stay within 36 characters."""
    return f"qd-{bot_id}-s{hashlib.sha256(signal_id.encode()).hexdigest()[:16]}-"


def decision_key(bot_id: str, signal_id: str) -> str:
    """The id of the decision that a signal leads to."""
    return f"{bot_id}-signal-{signal_id}"


def decision_moment(received_at: datetime) -> datetime:
    """When a signal's decision is of; never a moment at which a candle opens."""
    return received_at if received_at.microsecond else received_at + MICROSECOND
