"""Entries that wait for a model: what it is asked about, and what must still hold then."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from engine.domain.advice import ADVICE_STEP, AiRole, Counsel, CounselVerdict
from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.decisions import Intent, TraceStep, Verdict
from engine.domain.positions import Position, PositionSide
from engine.domain.trace import decision_id

WAITS = TraceStep(
    step=ADVICE_STEP, verdict=Verdict.PASS,
    detail="the entry waits for the model: a decision of its own follows",
)  # fmt: skip


@dataclass(frozen=True)
class Waiting:
    """A question to a model that has to be asked before anything is opened.

    ``bot`` is the bot as it was, ``side`` the entry that its strategy wants (None: a decider is to
    say), ``position_id`` what was held then (empty: nothing). After ``is_reversal`` the exit is
    concluded, and the entry becomes a decision of its own.
    """

    bot: Bot
    candles: Candles
    intent: Intent
    decision_id: str
    position_id: str
    side: PositionSide | None = None
    is_reversal: bool = False
    other_source: str = ""


def decides(bot: Bot) -> bool:
    """Whether a model decides in the stead of the bot's strategy."""
    return bot.config.ai is not None and bot.config.ai.role is AiRole.DECIDER


def exit_of(intent: Intent, held: PositionSide) -> Intent:
    """The exit alone of an intent that closes what is held."""
    is_long = held is PositionSide.LONG
    changes = {"enter_long": False, "enter_short": False, "exit_long": is_long}
    return intent.model_copy(update=changes | {"exit_short": not is_long})


def waiting_entry(
    bot: Bot,
    candles: Candles,
    intent: Intent,
    position: Position | None,
    side: PositionSide | None,
    other_source: str,
) -> Waiting:
    """The question that an entry raises (``side`` None: that a candle raises for a decider)."""
    is_reversal = side is not None and position is not None and position.side is not side
    own_id = decision_id(bot.id, candles)
    return Waiting(
        bot=bot, candles=candles, intent=intent, side=side, other_source=other_source,
        decision_id=f"{own_id}-e" if is_reversal else own_id,
        position_id=position.id if position is not None and not is_reversal else "",
        is_reversal=is_reversal,
    )  # fmt: skip


def what_changed(
    waiting: Waiting, bot: Bot, position: Position | None, age: timedelta, longest: timedelta
) -> str:
    """Why an answer that took ``age`` opens nothing any more; empty: it still may. A reversal's own
    exit is no change."""
    held = "" if position is None or waiting.is_reversal else position.id
    if bot.config != waiting.bot.config:
        return "the bot was changed while the model was asked"
    if held != waiting.position_id:
        return "the bot's position changed while the model was asked"
    if age > longest:
        return f"the answer came {age.total_seconds():.0f} s after the question, which is too late"
    return ""


def what_was_passed(
    counsel: Counsel, own_stop: Decimal | None, side: PositionSide, last: Decimal
) -> str:
    """Which level the price went past while the model was asked; empty: none. An entry beyond it
    would be closed at once."""
    is_long = side is PositionSide.LONG
    for name, level in (("stop", counsel.stop_price), ("stop", own_stop)):
        if level is not None and (last <= level if is_long else last >= level):
            return f"the price went past the {name} of {level} while the model was asked"
    target = counsel.target_price
    if target is not None and (last >= target if is_long else last <= target):
        return f"the price went past the target of {target} while the model was asked"
    return ""


def held_back(counsel: Counsel, why: str) -> Counsel:
    """The same counsel with a veto of our own."""
    return counsel.model_copy(update={"verdict": CounselVerdict.VETO, "reason": why})
