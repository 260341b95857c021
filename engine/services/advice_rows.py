"""Rows of advice as they come about: asked, told, answered or failed. No row is written here."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from engine.domain.advice import (
    Advice,
    AdvicePurpose,
    AdviceState,
    Counsel,
    EntryProposal,
    ModelDecision,
    Situation,
)
from engine.domain.judge_advice import LONGEST_ANSWER, AnswerError, read_answer, veto
from engine.domain.money import ZERO, from_epoch_ms
from engine.domain.outside_text import clean, storable
from engine.domain.prompts import Prompt
from engine.services.ask_model import Asked
from engine.services.books import new_id
from engine.services.model_budget import SENT, ModelTerms

LONGEST_ERROR = 500
LONGEST_PROMPT = 200_000
CONSEQUENT = (AdvicePurpose.DECIDE, AdvicePurpose.REVIEW)
"""Purposes that something follows from."""

DEFAULT_HORIZON = timedelta(minutes=60)
"""After which an entry that was held back without an answer is looked at."""

NEWS, ESTIMATED = "news", "is_estimated"
"""Facts: how many news were told; the tokens are not the provider's own count."""

Judge = Callable[[ModelDecision], Counsel | None]


def asked_of(
    situation: Situation,
    purpose: AdvicePurpose,
    proposal: EntryProposal | None,
    terms: ModelTerms,
    now: datetime,
) -> Advice:
    """A question about a situation before anything came of it."""
    times = situation.candles.time
    return Advice(
        **_nothing_yet(now),
        bot_id=situation.bot_id,
        bot_name=situation.bot_name,
        role=situation.ai.role,
        purpose=purpose,
        provider=terms.provider,
        model=situation.ai.model or terms.model,
        market=situation.market,
        symbol=situation.instrument.symbol,
        timeframe=situation.candles.timeframe,
        candle_time=from_epoch_ms(int(times[-1])) if len(times) else situation.now,
        price=situation.last_price,
        prompt="",
        proposal=proposal,
        decision_id=situation.decision_id,
    )


def asked_again(old: Advice, terms: ModelTerms, now: datetime) -> Advice:
    """The same question once more, of no consequence; to another model where another provider is
    set up by now."""
    return old.model_copy(
        update={
            **_nothing_yet(now),
            "purpose": AdvicePurpose.REPLAY,
            "replay_of": old.id,
            "decision_id": "",
            "provider": terms.provider,
            "model": old.model if old.provider == terms.provider else terms.model,
        }
    )


def _nothing_yet(now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(), "asked_at": now, "state": AdviceState.UNAVAILABLE, "answer": "",
        "error": "", "decision": None, "counsel": None, "tokens_in": 0, "tokens_out": 0,
        "cost": ZERO, "latency_s": 0.0, "outcome": None, "outcome_due_at": None, "facts": {},
    }  # fmt: skip


def told(row: Advice, prompt: Prompt) -> Advice:
    """The row with the words that are sent."""
    return row.model_copy(
        update={
            "system": storable(prompt.system, LONGEST_PROMPT),
            "prompt": storable(prompt.text, LONGEST_PROMPT),
            "facts": row.facts | {NEWS: prompt.news_count},
        }
    )


def came(row: Advice, asked: Asked) -> Advice:
    """The row with what a call came to, before anything is made of it."""
    facts = row.facts | {SENT: asked.is_sent}
    if asked.is_estimated:
        facts |= {ESTIMATED: True}
    return row.model_copy(
        update={
            "answer": storable(asked.text, LONGEST_ANSWER),
            "tokens_in": asked.tokens_in,
            "tokens_out": asked.tokens_out,
            "cost": asked.cost,
            "latency_s": asked.latency_s,
            "facts": facts,
        }
    )


def came_late(row: Advice, asked: Asked) -> Advice:
    """The row with what a late call came to after all: it costs, and changes nothing else."""
    words = clean(f"{row.error} {asked.error}", LONGEST_ERROR)
    return came(row, asked).model_copy(update={"error": words})


def judged(row: Advice, asked: Asked, judge: Judge) -> Advice:
    """The row with what is made of an answer."""
    if asked.state is not AdviceState.ANSWERED:
        return failed(row, asked.error, asked.state)
    try:
        decision = read_answer(asked.text)
    except AnswerError as error:
        return failed(row, str(error), AdviceState.INVALID)
    return _due(
        row.model_copy(
            update={
                "state": AdviceState.ANSWERED, "decision": decision, "counsel": judge(decision)
            }
        )
    )  # fmt: skip


def failed(row: Advice, words: str, state: AdviceState = AdviceState.UNAVAILABLE) -> Advice:
    """A question without an answer that counts: what it was about is held back."""
    words = clean(words, LONGEST_ERROR)
    counsel = veto(words, row.id) if row.purpose is not AdvicePurpose.REPLAY else None
    update = {"state": state, "error": words, "decision": None, "counsel": counsel}
    return _due(row.model_copy(update=update))


def _due(row: Advice) -> Advice:
    """When its outcome can be known: of an answer, and of an entry that was held back."""
    if row.purpose not in CONSEQUENT or (row.decision is None and row.proposal is None):
        return row
    horizon = DEFAULT_HORIZON
    if row.decision is not None:
        horizon = timedelta(minutes=row.decision.horizon_minutes)
    return row.model_copy(update={"outcome_due_at": row.asked_at + horizon})
