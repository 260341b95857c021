"""What an order ticket holds, how it becomes the engine's body, and what it would come to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.contracts import BotView, PositionSide, Purpose, TicketType, TimeInForce
from panel.format import money, percent, price, quantity

TYPES: Mapping[TicketType, tuple[str, str]] = {
    TicketType.MARKET: ("Market", "Now, at whatever price there is."),
    TicketType.LIMIT: ("Limit", "At this price or a better one; rests until then."),
    TicketType.STOP: ("Stop", "At the market once the price has come to the trigger."),
    TicketType.STOP_LIMIT: ("Stop limit", "As a limit order once the price has come there."),
    TicketType.TRAILING_STOP: ("Trailing stop", "A stop that follows the best price."),
    TicketType.OCO: (
        "Target and stop",
        "Whichever is reached first closes the position. They replace its levels.",
    ),
}
LASTING: Mapping[TimeInForce, str] = {
    TimeInForce.GTC: "until cancelled",
    TimeInForce.DAY: "today only",
    TimeInForce.IOC: "at once, the rest is cancelled",
    TimeInForce.FOK: "at once and whole, or not at all",
}
PRICED = frozenset({TicketType.LIMIT, TicketType.STOP_LIMIT, TicketType.OCO})
STOPPED = frozenset({TicketType.STOP, TicketType.STOP_LIMIT, TicketType.OCO})
BY_QUANTITY, BY_AMOUNT = "quantity", "amount"


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """The form's content; numbers as they were typed."""

    purpose: Purpose = Purpose.ENTRY
    type: TicketType = TicketType.MARKET
    direction: PositionSide = PositionSide.LONG
    size_by: str = BY_AMOUNT
    size: str = ""
    price: str = ""
    stop_price: str = ""
    trail_percent: str = ""
    time_in_force: TimeInForce = TimeInForce.GTC
    minutes: int | None = None
    level_stop: str = ""
    level_target: str = ""

    @property
    def is_entry(self) -> bool:
        """Whether it opens or adds."""
        return self.purpose is Purpose.ENTRY

    @property
    def can_wait(self) -> bool:
        """Whether it may rest at the venue."""
        return self.type is not TicketType.MARKET


def lasting_of(kind: TicketType) -> tuple[TimeInForce, ...]:
    """The times in force that a type can have."""
    if kind is TicketType.LIMIT:
        return tuple(LASTING)
    return (TimeInForce.GTC, TimeInForce.DAY) if kind is not TicketType.MARKET else ()


def body_of(draft: TicketDraft, present: datetime) -> dict[str, Any]:
    """The request body: only what the type needs; what is no number is sent as typed."""
    body: dict[str, Any] = {"purpose": draft.purpose.value, "type": draft.type.value}
    if draft.is_entry:
        body["direction"] = draft.direction.value
        sized = "quantity" if draft.size_by == BY_QUANTITY else "quote_amount"
        body |= {sized: plain(draft.size), "level_stop": plain(draft.level_stop),
                 "level_target": plain(draft.level_target)}  # fmt: skip
    elif draft.type is not TicketType.OCO:
        body["quantity"] = plain(draft.size)
    if draft.type in PRICED:
        body["price"] = plain(draft.price)
    if draft.type in STOPPED:
        body["stop_price"] = plain(draft.stop_price)
    if draft.type is TicketType.TRAILING_STOP:
        body["trail_bps"] = _bps(draft.trail_percent)
    if draft.can_wait:
        body["time_in_force"] = draft.time_in_force.value
        if draft.minutes:
            body["expires_at"] = (present + timedelta(minutes=draft.minutes)).isoformat()
    return {name: value for name, value in body.items() if value not in (None, "")}


def plain(typed: str) -> str:
    """A number as typed, without the marks that people group digits by."""
    return typed.replace(",", "").replace(" ", "")


def number(typed: str) -> Decimal | None:
    """What was typed as a positive number, or None."""
    try:
        value = Decimal(plain(typed))
    except InvalidOperation:
        return None
    return value if value.is_finite() and value > 0 else None


def _bps(percent_typed: str) -> str:
    value = number(percent_typed)
    return plain(percent_typed) if value is None else f"{(value * 100).normalize():f}"


def is_buy(draft: TicketDraft, bot: BotView) -> bool:
    """Which way the order trades."""
    if draft.is_entry:
        return draft.direction is PositionSide.LONG
    return bot.position is not None and bot.position.side is PositionSide.SHORT


def outcome_words(draft: TicketDraft, bot: BotView) -> str:
    """What it would come to at its own price, else at the last one; empty while it is not known."""
    own = draft.price if draft.type in PRICED else draft.stop_price
    at = (number(own) if draft.type in PRICED | STOPPED else None) or bot.last_price
    if at is None:
        return ""
    return _entry_words(draft, bot, at) if draft.is_entry else _exit_words(draft, bot, at)


def _entry_words(draft: TicketDraft, bot: BotView, at: Decimal) -> str:
    size = number(draft.size)
    if size is None:
        return ""
    amount = size if draft.size_by == BY_QUANTITY else size / at
    verb = "Buys" if is_buy(draft, bot) else "Sells short"
    words = [
        f"{verb} about {quantity(_rounded(amount))} {bot.base} for about"
        f" {money(amount * at, bot.quote)}{_at(draft, at)}."
    ]
    stop, target = number(draft.level_stop), number(draft.level_target)
    if stop is not None:
        words.append(f"Loses about {money(abs(at - stop) * amount, bot.quote)} at its stop.")
    if target is not None:
        words.append(f"Gains about {money(abs(target - at) * amount, bot.quote)} at its target.")
    return " ".join([*words, "Fees come on top."])


def _exit_words(draft: TicketDraft, bot: BotView, at: Decimal) -> str:
    held = bot.position
    if held is None:
        return ""
    if draft.type is TicketType.OCO:
        target, stop = number(draft.price), number(draft.stop_price)
        if target is None or stop is None:
            return ""
        gain, loss = (_result(bot, held.quantity, level) for level in (target, stop))
        return (
            f"Closes {quantity(held.quantity)} {bot.base}: about"
            f" {money(gain, bot.quote, is_signed=True)} at the target,"
            f" {money(loss, bot.quote, is_signed=True)} at the stop, before fees."
        )
    amount = number(draft.size) or held.quantity
    share = min(amount / held.quantity, Decimal(1)) if held.quantity else Decimal(0)
    result = _result(bot, min(amount, held.quantity), at)
    return (
        f"Closes {quantity(amount)} {bot.base} ({percent(share)} of the position){_at(draft, at)}:"
        f" about {money(result, bot.quote, is_signed=True)} before fees."
    )


def _result(bot: BotView, amount: Decimal, at: Decimal) -> Decimal:
    """What closing so much at a price earns against the average entry."""
    if bot.position is None:
        return Decimal(0)
    gain = (at - bot.position.average_price) * amount
    return gain if bot.position.side is PositionSide.LONG else -gain


def _at(draft: TicketDraft, at: Decimal) -> str:
    is_last = draft.type in (TicketType.MARKET, TicketType.TRAILING_STOP)
    return f" at the last price, {price(at)}" if is_last else f" at {price(at)}"


def _rounded(amount: Decimal) -> Decimal:
    """Six significant digits: it is an estimate."""
    return Decimal(f"{amount:.6g}")
