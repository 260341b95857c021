"""From what a model wrote to what may follow: pure, and whatever was written never more than would
follow without it."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from engine.domain.advice import (
    AiConfig,
    Choice,
    Counsel,
    CounselVerdict,
    EntryProposal,
    ModelAction,
    ModelDecision,
    Situation,
)
from engine.domain.bots import ExitRules
from engine.domain.decisions import Intent
from engine.domain.exits import fixed_levels, nearer_stop, nearer_target
from engine.domain.instruments import Instrument
from engine.domain.money import ONE, ceil_to, floor_to
from engine.domain.outside_text import clean
from engine.domain.positions import PositionSide

LONGEST_ANSWER = 20_000
LONGEST_NUMBER = 40
"""Characters; what is longer is no price and no probability."""

REASON_LENGTH = 300
SMALLEST_SIZE = 0.01
"""A fraction below it is a refusal: no venue trades so little, and zero is no size."""

NEAREST = Decimal("0.001")
"""The nearest a model may put a stop or a target, as a fraction of the price: nearer is noise."""

FARTHEST_STOP, FARTHEST_TARGET = Decimal("0.5"), Decimal(10)
"""The farthest, where the bot has none of its own."""

AGREES = {PositionSide.LONG: ModelAction.BUY, PositionSide.SHORT: ModelAction.SELL}
NUMBERS = ("confidence", "stop", "target", "size", "horizon_minutes")


class AnswerError(ValueError):
    """An answer that is not of the one form; the message is a sentence for the user."""


def read_answer(text: str) -> ModelDecision:
    """The decision in an answer: one JSON object with exactly the known fields. Raises AnswerError
    for anything else; nothing is repaired or guessed."""
    if len(text) > LONGEST_ANSWER:
        raise AnswerError(f"The answer has more than {LONGEST_ANSWER} characters.")
    if not text.strip():
        raise AnswerError("The answer is empty.")
    try:
        found = json.loads(
            text, parse_float=_number, parse_int=_number, parse_constant=_no_number,
            object_pairs_hook=_once,
        )  # fmt: skip
    except AnswerError:
        raise
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise AnswerError("The answer is not JSON.") from error
    if not isinstance(found, dict):
        raise AnswerError("The answer is not one JSON object.")
    for name in NUMBERS:
        if not isinstance(found.get(name), Decimal | None):
            raise AnswerError(f"'{name}' is not a number.")
    if isinstance(found.get("reasoning"), str):
        found["reasoning"] = clean(found["reasoning"], 2_000)
    try:
        return ModelDecision.model_validate(found)
    except ValidationError as error:
        raise AnswerError(_words(error)) from error


def _number(digits: str) -> Decimal:
    if len(digits) > LONGEST_NUMBER:
        raise AnswerError("The answer has a number that is too long.")
    return Decimal(digits)


def _no_number(word: str) -> None:
    raise AnswerError(f"The answer has {word} for a number.")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise AnswerError("The answer has a field twice.")
    return found


def _words(error: ValidationError) -> str:
    """The first thing that is wrong, without the value: that is in the answer."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = clean(".".join(str(part) for part in first["loc"]), 60)
    if first["type"] == "extra_forbidden":
        return f"The answer has a field '{place}' that was not asked for."
    if first["type"] == "missing":
        return f"The answer lacks '{place}'."
    return f"'{place}' is not as asked for: {first['msg'].lower()}."


# --- what follows -------------------------------------------------------------------------------


def veto(reason: str, advice_id: str = "", confidence: float | None = None) -> Counsel:
    """Nothing is opened."""
    return Counsel(
        verdict=CounselVerdict.VETO, reason=reason, advice_id=advice_id, confidence=confidence
    )


def no_choice(reason: str, advice_id: str = "") -> Choice:
    """A decider that wants nothing."""
    return Choice(Intent(reason=reason), veto(reason, advice_id))


def judge_entry(
    decision: ModelDecision,
    proposal: EntryProposal,
    ai: AiConfig,
    instrument: Instrument,
    advice_id: str = "",
) -> Counsel:
    """What an answer makes of an entry: held back, smaller, or as it was; with levels that are on
    their side of the price and no farther than the entry's own."""
    said = clean(decision.reasoning, REASON_LENGTH)
    sure = decision.confidence
    if decision.action is not AGREES[proposal.side]:
        wants = decision.action.value
        return veto(f"{wants} instead of {proposal.side.value}: {said}", advice_id, sure)
    if sure < ai.min_confidence:
        return veto(f"{sure:.2f} sure, {ai.min_confidence:.2f} is needed: {said}", advice_id, sure)
    if decision.size < SMALLEST_SIZE:
        return veto(f"wants less than {SMALLEST_SIZE:.0%} of it: {said}", advice_id, sure)
    is_less = decision.size < 1
    stop = target = None
    if ai.may_set_levels:
        stop = _stop(decision.stop, proposal, instrument)
        target = _target(decision.target, proposal, instrument)
    return Counsel(
        verdict=CounselVerdict.REDUCE if is_less else CounselVerdict.PASS,
        reason=f"{decision.size:.0%} of it: {said}" if is_less else said,
        advice_id=advice_id,
        confidence=sure,
        size=decision.size,
        stop_price=stop,
        target_price=target,
    )


def choose(decision: ModelDecision, situation: Situation, advice_id: str = "") -> Choice:
    """What a decider's answer means for what its bot holds.

    An opposite action ends what is held, whatever the bot may open; one that is not sure enough
    opens nothing and turns nothing round. ``close`` is always honoured: it takes risk away.
    """
    said = clean(decision.reasoning, REASON_LENGTH)
    held = situation.position.side if situation.position else None
    if decision.action is ModelAction.HOLD or (decision.action is ModelAction.CLOSE and not held):
        return no_choice(f"{decision.action.value}: {said}", advice_id)
    if decision.action is ModelAction.CLOSE:
        return Choice(_exit(held, said, decision), veto(f"close: {said}", advice_id))
    side = PositionSide.LONG if decision.action is ModelAction.BUY else PositionSide.SHORT
    counsel = judge_entry(
        decision, _would_be(side, situation), situation.ai, situation.instrument, advice_id
    )
    if decision.confidence < situation.ai.min_confidence:
        return Choice(Intent(reason=counsel.reason), counsel)
    intent = _exit(held, said, decision) if held and held is not side else Intent(reason=said)
    if counsel.verdict is not CounselVerdict.VETO:
        is_long = side is PositionSide.LONG
        intent = intent.model_copy(
            update={
                "enter_long": is_long,
                "enter_short": not is_long and situation.can_short,
                "confidence": decision.confidence,
            }
        )
    return Choice(intent, counsel)


def _exit(held: PositionSide | None, said: str, decision: ModelDecision) -> Intent:
    return Intent(
        exit_long=held is PositionSide.LONG,
        exit_short=held is PositionSide.SHORT,
        confidence=decision.confidence,
        reason=said,
    )


def _would_be(side: PositionSide, situation: Situation) -> EntryProposal:
    """The entry that would follow, with the bot's own levels; its amount plays no part."""
    own = ExitRules(stop_loss=situation.stop_loss, take_profit=situation.take_profit)
    stop, target = fixed_levels(own, side, situation.last_price, situation.instrument)
    return EntryProposal(
        side=side, amount=ONE, price=situation.last_price, stop_price=stop, target_price=target
    )


def _stop(
    wanted: Decimal | None, proposal: EntryProposal, instrument: Instrument
) -> Decimal | None:
    """The stop on its tick, rounded towards the price; None where it is not one to be used."""
    if wanted is None:
        return None
    is_long = proposal.side is PositionSide.LONG
    price, tick = proposal.price, instrument.price_tick
    stop = ceil_to(wanted, tick) if is_long else floor_to(wanted, tick)
    if not NEAREST <= _loss(stop, price, is_long=is_long) <= FARTHEST_STOP:
        return None
    own = proposal.stop_price
    return stop if stop != own and nearer_stop(proposal.side, stop, own) == stop else None


def _target(
    wanted: Decimal | None, proposal: EntryProposal, instrument: Instrument
) -> Decimal | None:
    """The target on its tick; only a nearer one than the entry's own, since a farther one would
    hold the position for longer than without the model."""
    if wanted is None:
        return None
    is_long = proposal.side is PositionSide.LONG
    price, tick = proposal.price, instrument.price_tick
    target = ceil_to(wanted, tick) if is_long else floor_to(wanted, tick)
    if target <= 0 or not NEAREST <= -_loss(target, price, is_long=is_long) <= FARTHEST_TARGET:
        return None
    own = proposal.target_price
    return target if target != own and nearer_target(proposal.side, target, own) == target else None


def _loss(level: Decimal, price: Decimal, *, is_long: bool) -> Decimal:
    """How far a level is on the losing side of the price, as a fraction of it."""
    return (price - level if is_long else level - price) / price
