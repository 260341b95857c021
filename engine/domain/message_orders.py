"""From the fields of a message to what it wants done."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from pydantic import ValidationError

from engine.domain.message_values import (
    HUNDRED,
    MOST_PERCENT,
    amount_in,
    is_percent,
    number,
    percent_of,
    size_of,
    symbol_of,
)
from engine.domain.message_words import (
    EXAMPLE,
    KINDS,
    LONG,
    MessageError,
    meaning,
    shown,
    spelled,
)
from engine.domain.money import plain
from engine.domain.positions import PositionSide
from engine.domain.signals import Expected, QuantityKind, SignalAction, SignalOrder

Fields = Mapping[str, str]
Quantity = tuple[Decimal, QuantityKind] | None
Wish = tuple[SignalAction, PositionSide | None]

ENTRIES = frozenset({SignalAction.OPEN, SignalAction.ADD, SignalAction.REVERSE})
PART = Decimal("0.0001")


def order_of(fields: Fields) -> SignalOrder:
    """What a message asks for. Raises MessageError."""
    action, side, trade = meaning(f"{fields.get('action', '')} {fields.get('side', '')}")
    quantity: Quantity = None
    if action is None and ("market_position" in fields or "signed_size" in fields):
        (action, side), quantity = _followed(fields, trade or side)
    else:
        action, side = _named(action, side, trade)
        quantity = _quantity(fields, action)
    values: dict[str, Any] = {"action": action, "side": side} | _levels(fields)
    if quantity is not None:
        values |= {"quantity": quantity[0], "quantity_kind": quantity[1]}
    if "symbol" in fields:
        values["symbol"] = symbol_of(fields["symbol"])
    if "price" in fields:
        values["price"] = number("the price", fields["price"])
    if "expected" in fields:
        values["expected"] = _position("the expected position", fields["expected"])
    if "comment" in fields:
        line = "".join(c if c.isprintable() else " " for c in fields["comment"])
        values["comment"] = line.strip()[:500]
    try:
        return SignalOrder(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise MessageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _named(
    action: SignalAction | None, side: PositionSide | None, trade: PositionSide | None
) -> Wish:
    """What action, side and trade mean together.

    ``buy`` or ``long`` alone says where the sender wants to be: whatever is on the other side is
    closed, and an own position opened where the bot may have one.
    """
    if action is None:
        if trade is not None and side is not None:
            return (SignalAction.OPEN if trade is side else SignalAction.CLOSE), side
        if (where := trade or side) is None:
            raise MessageError(f"it names no action: {EXAMPLE}")
        return SignalAction.REVERSE, where
    if action in ENTRIES:
        if trade is not None and side is not None and trade is not side:
            raise MessageError(f"{action} {side} is no {_trade(trade)}: leave one of them out")
        if (where := side or trade) is None:
            raise MessageError(f"{action} names no side: add long or short")
        return action, where
    if action is SignalAction.CLOSE and trade is not None:
        if side is None:
            raise MessageError(f"close and {_trade(trade)} may mean both sides: add long or short")
        if side is trade:
            raise MessageError(f"close {side} is no {_trade(trade)}: leave one of them out")
    if action is SignalAction.FLAT and side is not None:
        return SignalAction.CLOSE, side
    return action, side


def _trade(side: PositionSide) -> str:
    return "buy" if side is LONG else "sell"


def _levels(fields: Fields) -> dict[str, Decimal]:
    """Stop and target, each as a price or as a percentage of the price."""
    found: dict[str, Decimal] = {}
    for name, most in (("stop", HUNDRED), ("target", MOST_PERCENT)):
        value, part = fields.get(name), fields.get(f"{name}_percent")
        if value is not None and part is not None:
            raise MessageError(f"the {name} is told as a price and as a percentage: keep one")
        if value is not None and is_percent(value):
            value, part = None, value
        if value is not None:
            found[f"{name}_price"] = number(f"the {name}", value)
        elif part is not None:
            found[f"{name}_percent"] = percent_of(f"the {name}", part, most)
    return found


# --- how much ---------------------------------------------------------------------------------


def _quantity(fields: Fields, action: SignalAction) -> Quantity:
    """How much is meant; None: the bot's stake, or the whole position."""
    names = ("quantity", "amount", "percent", "percent_of_equity", "percent_of_position")
    told = [name for name in names if name in fields]
    if len(told) > 1:
        words = " and ".join(name.replace("_", " ") for name in told)
        raise MessageError(f"it tells how much more than once ({words}): keep one")
    if action is SignalAction.FLAT:
        if told:
            raise MessageError("flat closes everything: leave the quantity out, or send close")
        return None
    if not told:
        return _checked(_contracts(fields), action)
    name, value = told[0], fields[told[0]]
    kind = _kind(fields) if name == "quantity" else None
    if name == "amount":
        return _checked((number("the amount", amount_in(value) or value), _AMOUNT), action)
    if name == "quantity" and kind in (None, _AMOUNT):
        if (money := amount_in(value)) is not None:
            return _checked((number("the amount", money), _AMOUNT), action)
        if not is_percent(value):
            return _checked((number("the quantity", value), kind or QuantityKind.UNITS), action)
    if kind is QuantityKind.UNITS:
        return _checked((number("the quantity", value), kind), action)
    of_position = QuantityKind.PERCENT_OF_POSITION
    implied = of_position if action is SignalAction.CLOSE else QuantityKind.PERCENT_OF_EQUITY
    named = kind or {"percent_of_equity": QuantityKind.PERCENT_OF_EQUITY,
                     "percent_of_position": of_position}.get(name, implied)  # fmt: skip
    return _checked((percent_of("the quantity", value), named), action)


_AMOUNT = QuantityKind.AMOUNT


def _contracts(fields: Fields) -> Quantity:
    """TradingView's contracts, for a message that tells no quantity otherwise."""
    if "contracts" not in fields:
        return None
    return number("the contracts", fields["contracts"]), _kind(fields) or QuantityKind.UNITS


def _kind(fields: Fields) -> QuantityKind | None:
    if "quantity_kind" not in fields:
        return None
    kind = KINDS.get(spelled(fields["quantity_kind"]))
    if kind is None:
        raise MessageError(
            f"{shown(fields['quantity_kind'])} is no kind of quantity: write amount, units, "
            "percent_of_equity or percent_of_position"
        )
    return kind


def _checked(quantity: Quantity, action: SignalAction) -> Quantity:
    """A part of the position can be closed, not opened; a part of the equity the other way."""
    kind = quantity[1] if quantity else None
    if kind is QuantityKind.PERCENT_OF_POSITION and action is SignalAction.OPEN:
        raise MessageError("open has no position yet: write a percentage of the equity")
    if kind is QuantityKind.PERCENT_OF_EQUITY and action is SignalAction.CLOSE:
        raise MessageError("close is of the position: write a percentage of the position")
    return quantity


# --- the alerts of a strategy on TradingView ---------------------------------------------------


def _followed(fields: Fields, trade: PositionSide | None) -> tuple[Wish, Quantity]:
    """What a strategy's order means for a bot that follows its position.

    ``trade`` is the side its order bought or sold. What the strategy had before is told by the
    message, or by its size now and the contracts of the order.
    """
    now, before = _now(fields), _before(fields, trade)
    if now is Expected.FLAT:
        if before in (None, Expected.FLAT):
            return (SignalAction.FLAT, None), None
        return (SignalAction.CLOSE, PositionSide(before.value)), None
    side = PositionSide(now.value)
    if trade is not None and trade is not side:
        return (SignalAction.CLOSE, side), _reduced(fields)
    if before is None:
        action = SignalAction.REVERSE
    elif before is Expected.FLAT:
        action = SignalAction.OPEN
    elif before is now:
        action = SignalAction.ADD
        if trade is None:
            return _resized(fields, side)
    else:
        action = SignalAction.REVERSE
    quantity = _quantity(fields, action)
    if action is SignalAction.REVERSE and _is_by_contracts(fields):
        # The order of a reversal closes the old position, too; what is now is what was opened.
        size = _size_now(fields)
        quantity = (size, QuantityKind.UNITS) if size is not None else quantity
    return (action, side), quantity


def _is_by_contracts(fields: Fields) -> bool:
    others = ("quantity", "amount", "percent", "percent_of_equity", "percent_of_position")
    return "contracts" in fields and not any(name in fields for name in others)


def _now(fields: Fields) -> Expected:
    if "market_position" in fields:
        return _position("market_position", fields["market_position"])
    return _sign(fields["signed_size"])


def _before(fields: Fields, trade: PositionSide | None) -> Expected | None:
    if "previous" in fields:
        return _position("prev_market_position", fields["previous"])
    signed, contracts = fields.get("signed_size"), fields.get("contracts")
    if signed is None or contracts is None or trade is None:
        return None
    change = number("the contracts", contracts)
    before = _signed(signed) - (change if trade is LONG else -change)
    return _sign(str(before))


def _signed(value: str) -> Decimal:
    text = value.strip()
    size = size_of("position_size", text.lstrip("-"))
    return (-size if text.startswith("-") else size) if size is not None else Decimal(0)


def _sign(value: str) -> Expected:
    size = _signed(value)
    if size == 0:
        return Expected.FLAT
    return Expected.LONG if size > 0 else Expected.SHORT


def _position(name: str, value: str) -> Expected:
    try:
        return Expected(value.strip().lower())
    except ValueError as error:
        raise MessageError(f"{name} {shown(value)} is none: write flat, long or short") from error


def _size_now(fields: Fields) -> Decimal | None:
    if "market_size" in fields:
        return size_of("market_position_size", fields["market_size"])
    return abs(_signed(fields["signed_size"])) if "signed_size" in fields else None


def _size_before(fields: Fields) -> Decimal | None:
    if "previous_size" in fields:
        return size_of("prev_market_position_size", fields["previous_size"])
    now = _size_now(fields)
    if now is None or "contracts" not in fields:
        return None
    return now + number("the contracts", fields["contracts"])


def _reduced(fields: Fields) -> Quantity:
    """How much of its position a strategy closed, as a part: the bot's may have another size. Any
    other quantity in the message is that of its entries."""
    now, before = _size_now(fields), _size_before(fields)
    if now is not None and before is not None and now < before:
        part = ((before - now) / before * HUNDRED).quantize(PART, ROUND_DOWN)
        return plain(max(part, PART)), QuantityKind.PERCENT_OF_POSITION
    if "percent_of_position" in fields:
        return _quantity(fields, SignalAction.CLOSE)
    raise MessageError(
        "a part of a position was closed and it does not tell which: add "
        "prev_market_position_size and market_position_size"
    )


def _resized(fields: Fields, side: PositionSide) -> tuple[Wish, Quantity]:
    """A position that stayed on its side, told without the order that changed it."""
    now, before = _size_now(fields), _size_before(fields)
    if now is None or before is None or now == before:
        raise MessageError(
            f"the position was {side} and still is: add strategy.order.action to the message"
        )
    if now < before:
        return (SignalAction.CLOSE, side), _reduced(fields)
    return (SignalAction.ADD, side), _quantity(fields, SignalAction.ADD)
