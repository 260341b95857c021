"""One question for each decision: what was kept is judged again, and no model is asked twice."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.domain.advice import (
    Advice,
    AdvicePurpose,
    AdviceState,
    AiConfig,
    Choice,
    Counsel,
    CounselVerdict,
    EntryProposal,
    ModelDecision,
    Situation,
)
from engine.domain.decisions import Intent
from engine.domain.instruments import Instrument
from engine.domain.positions import PositionSide
from engine.services.asked_once import AskedOnce
from engine.services.situations import Situations
from tests.fakes.advisor import GO, FakeAdvisor, advice, answer, hold
from tests.support.model_desk import Desk, model_desk

AGAIN = Counsel(verdict=CounselVerdict.PASS, reason="judged again")
PROPOSAL = EntryProposal(side=PositionSide.LONG, amount=D(100), price=D(100))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A bot with an advisor; its own consultant is not used."""
    with model_desk(tmp_path) as desk:
        yield desk


def situation(desk: Desk, decision_id: str = "d1") -> Situation:
    """Of the desk's bot, now."""
    candles = desk.room.market.candles("BTC/USDT", "1m", limit=50)
    gathered = Situations(desk.room.books, desk.room.venues, desk.lanes)
    return gathered.of(desk.room.bot, candles, {}, decision_id)


def once(desk: Desk, inner: FakeAdvisor) -> tuple[AskedOnce, list[tuple[ModelDecision, float]]]:
    """Over ``inner``; the second is what was judged again, with the threshold of then."""
    judged: list[tuple[ModelDecision, float]] = []

    def judge(
        said: ModelDecision, _entry: EntryProposal, ai: AiConfig, _what: Instrument, _id: str
    ) -> Counsel:
        judged.append((said, ai.min_confidence))
        return AGAIN

    def choose(said: ModelDecision, told: Situation, _id: str) -> Choice:
        judged.append((said, told.ai.min_confidence))
        return Choice(Intent(exit_long=True, reason="judged again"), AGAIN)

    return AskedOnce(inner, desk.room.store, desk.lanes, judge, choose), judged


def keep(desk: Desk, purpose: AdvicePurpose, **changes: Any) -> Advice:
    """A row of the decision d1."""
    fields = {"decision": answer(horizon_minutes=10), "counsel": GO, "proposal": PROPOSAL}
    row = advice(situation(desk), purpose, 1, **(fields | changes))
    with desk.room.store.transaction() as tx:
        tx.advice.add(row)
    return row


def test_a_kept_answer_is_judged_by_the_settings_of_now(desk: Desk) -> None:
    inner = FakeAdvisor()
    keep(desk, AdvicePurpose.REVIEW)
    asked, judged = once(desk, inner)
    stricter = replace(situation(desk), ai=AiConfig(min_confidence=0.95))
    assert asyncio.run(asked.review(stricter, PROPOSAL)) == AGAIN
    assert judged == [(answer(horizon_minutes=10), 0.95)]
    assert not inner.reviewed


def test_a_kept_choice_is_made_on_the_situation_of_now(desk: Desk) -> None:
    inner = FakeAdvisor()
    keep(desk, AdvicePurpose.DECIDE, proposal=None)
    asked, _ = once(desk, inner)
    assert asyncio.run(asked.decide(situation(desk))).intent.exit_long
    assert not inner.decided


@pytest.mark.parametrize(
    ("decision_id", "purpose", "side"),
    [
        ("d2", AdvicePurpose.REVIEW, PositionSide.LONG),
        ("d1", AdvicePurpose.DRY_RUN, PositionSide.LONG),
        ("d1", AdvicePurpose.REVIEW, PositionSide.SHORT),
    ],
)
def test_what_was_kept_of_something_else_does_not_count(
    desk: Desk, decision_id: str, purpose: AdvicePurpose, side: PositionSide
) -> None:
    inner = FakeAdvisor()
    keep(desk, purpose)
    asked, judged = once(desk, inner)
    proposal = PROPOSAL.model_copy(update={"side": side})
    asyncio.run(asked.review(situation(desk, decision_id), proposal))
    assert len(inner.reviewed) == 1
    assert not judged


def test_a_question_that_failed_is_not_asked_again(desk: Desk) -> None:
    inner = FakeAdvisor()
    keep(desk, AdvicePurpose.REVIEW, decision=None, state=AdviceState.LATE, error="Too late.")
    asked, _ = once(desk, inner)
    counsel = asyncio.run(asked.review(situation(desk), PROPOSAL))
    assert (counsel.verdict, counsel.reason) == (CounselVerdict.VETO, "Too late.")
    assert counsel.advice_id == "advice1"
    assert not inner.reviewed


def test_an_answer_is_over_with_its_horizon(desk: Desk) -> None:
    inner = FakeAdvisor()
    keep(desk, AdvicePurpose.REVIEW)
    keep_decide = advice(situation(desk), AdvicePurpose.DECIDE, 2,
                         decision=answer(horizon_minutes=10))  # fmt: skip
    with desk.room.store.transaction() as tx:
        tx.advice.add(keep_decide)
    asked, judged = once(desk, inner)
    later = replace(situation(desk), now=desk.room.clock.now() + timedelta(minutes=11))
    counsel = asyncio.run(asked.review(later, PROPOSAL))
    assert counsel.verdict is CounselVerdict.VETO
    assert counsel.reason == "its answer was for a time that is over"
    choice = asyncio.run(asked.decide(later))
    assert not choice.intent.wants_something
    assert not judged


def test_without_a_kept_answer_the_model_is_asked(desk: Desk) -> None:
    inner = FakeAdvisor()
    asked, _ = once(desk, inner)
    assert asyncio.run(asked.review(situation(desk), PROPOSAL)).verdict is CounselVerdict.PASS
    assert asyncio.run(asked.decide(situation(desk))).intent == hold().intent
