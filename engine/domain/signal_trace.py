"""A signal's decision in words: the steps of its trace, and the sentence that the inbox shows."""

from collections.abc import Sequence
from decimal import Decimal

from engine.domain.decisions import Action, TraceStep, Verdict
from engine.domain.money import text
from engine.domain.positions import Position
from engine.domain.signal_rules import Levels, Meaning, Size, age_of
from engine.domain.signals import QuantityKind, Signal, SignalAction, SignalOrder

UNITS_OF = {
    QuantityKind.AMOUNT: " of quote",
    QuantityKind.UNITS: " units",
    QuantityKind.PERCENT_OF_EQUITY: " % of the equity",
    QuantityKind.PERCENT_OF_POSITION: " % of the position",
}
EXIT_STEP, ALL = "exit", "all of the position"
VERBS = {
    SignalAction.OPEN: "open",
    SignalAction.ADD: "add to",
    SignalAction.CLOSE: "close",
    SignalAction.REVERSE: "reverse to",
    SignalAction.FLAT: "close everything",
}
DONE = {
    Action.ENTER_LONG: "long entry ordered",
    Action.ENTER_SHORT: "short entry ordered",
    Action.EXIT: "exit ordered",
    Action.REVERSE: "exit and entry ordered",
    Action.HOLD: "nothing done",
}


def wish_of(order: SignalOrder) -> str:
    """What is asked for: ``open long BTCUSDT, 0.5 units``."""
    words = [VERBS[order.action], order.side.value if order.side else "", order.symbol]
    wish = " ".join(word for word in words if word)
    if order.quantity is None:
        return wish
    return f"{wish}, {text(order.quantity)}{UNITS_OF[order.quantity_kind]}"


def signal_step(signal: Signal, order: SignalOrder, meaning: Meaning) -> TraceStep:
    """What was asked, by whom, and whether it means anything for the bot as it stands."""
    age = age_of(signal, signal.received_at)
    came = f", {age.total_seconds():.1f} s on its way" if signal.sent_at else ""
    is_held = meaning.action is Action.HOLD
    values = order.model_dump(mode="json", exclude_defaults=True, exclude={"comment"})
    return TraceStep(
        step="signal",
        verdict=Verdict.HOLD if is_held else Verdict.PASS,
        detail=f"{signal.source.value} asks to {wish_of(order)}{came}"
        + (f": {meaning.reason}" if meaning.reason else ""),
        values=values | {"id": signal.id, **({"comment": order.comment} if order.comment else {})},
    )


def expected_step(order: SignalOrder, position: Position | None) -> TraceStep | None:
    """The check of the position that the sender believes in; None when it told none."""
    if order.expected is None:
        return None
    actual = position.side.value if position is not None else "flat"
    is_right = order.expected.value == actual
    return TraceStep(
        step="expected position",
        verdict=Verdict.PASS if is_right else Verdict.HOLD,
        detail=f"the sender expects {order.expected}, the bot is {actual}",
    )


def reduction_of(size: Size, quote: str) -> str:
    """What was made of a quantity that is more than the bot may use; empty: it was not."""
    if size.asked is None:
        return ""
    most, asked = text(size.most), text(size.asked)
    return f"the signal asks for {asked} {quote} and the bot's stake is {most}: reduced to that"


def size_step(size: Size, levels: Levels, price: Decimal, quote: str) -> TraceStep:
    """What the entry may spend, and its levels; an objection to those holds it back."""
    values = {"amount": text(size.amount), "price": text(price)}
    for name, level in (("stop", levels.stop), ("target", levels.target)):
        if level is not None:
            values[name] = text(level)
    detail = reduction_of(size, quote) or f"{text(size.amount)} {quote}"
    return TraceStep(
        step="size",
        verdict=Verdict.VETO if levels.objection else Verdict.PASS,
        detail=levels.objection or detail,
        values=values,
    )


def part_step(quantity: Decimal, position: Position) -> TraceStep:
    """How much of the position is closed."""
    fraction = quantity / position.quantity
    whole = quantity == position.quantity
    return TraceStep(
        step=EXIT_STEP,
        verdict=Verdict.PASS,
        detail=ALL if whole else f"{fraction:.2%} of the position",
        values={"quantity": text(quantity), "fraction": f"{fraction:.6f}"},
    )


def entry_follows(why: str) -> TraceStep:
    """The entry of a reversal whose exit is made first."""
    detail = f"the entry follows in a decision of its own: {why}"
    return TraceStep(step="entry", verdict=Verdict.PASS, detail=detail)


def veto_step(step: str, detail: str) -> TraceStep:
    """Something else that speaks against the entry."""
    return TraceStep(step=step, verdict=Verdict.VETO, detail=detail)


def outcome_of(
    meaning: Meaning, steps: Sequence[TraceStep], notes: Sequence[str], *, is_second: bool
) -> str:
    """The sentence of the inbox: what was done, and what was not. ``is_second``: after an exit of
    the same signal."""
    done = DONE[meaning.action]
    if is_second:
        done = DONE[Action.EXIT if meaning.entry is None else Action.REVERSE]
    part = [step.detail for step in steps if step.step == EXIT_STEP and step.detail != ALL]
    objections = [step.detail for step in steps if step.verdict is Verdict.VETO]
    words = dict.fromkeys([done, *part, meaning.reason, *objections, *notes])
    sentence = "; ".join(word for word in words if word)
    return f"{sentence[0].upper()}{sentence[1:]}."
