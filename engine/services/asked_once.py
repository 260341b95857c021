"""An advisor that asks once for each decision: after a crash the kept answer speaks again."""

from collections.abc import Callable
from datetime import timedelta

from engine.domain.advice import (
    Advice,
    AdvicePurpose,
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
from engine.ports import Store
from engine.ports.ai import Advisor
from engine.services.lanes import Lanes

LANE = "advice"

JudgeEntry = Callable[[ModelDecision, EntryProposal, AiConfig, Instrument, str], Counsel]
Choose = Callable[[ModelDecision, Situation, str], Choice]


class AskedOnce:
    """Implements ``Advisor`` over another. A kept answer is judged anew, on the situation and the
    settings of now, until its horizon is over; of a question that failed the failure is kept."""

    def __init__(
        self,
        advisor: Advisor,
        store: Store,
        lanes: Lanes,
        judge_entry: JudgeEntry,
        choose: Choose,
    ) -> None:
        self._advisor = advisor
        self._store = store
        self._lanes = lanes
        self._judge_entry = judge_entry
        self._choose = choose

    async def decide(self, situation: Situation) -> Choice:
        """What the model wants to do now."""
        kept = await self._find(situation, AdvicePurpose.DECIDE)
        if kept is None:
            return await self._advisor.decide(situation)
        if kept.decision is None or _is_over(kept, situation):
            counsel = _refusal(kept)
            return Choice(Intent(reason=counsel.reason), counsel)
        return self._choose(kept.decision, situation, kept.id)

    async def review(self, situation: Situation, proposal: EntryProposal) -> Counsel:
        """What the model makes of an entry."""
        kept = await self._find(situation, AdvicePurpose.REVIEW)
        if kept is None or kept.proposal is None or kept.proposal.side is not proposal.side:
            return await self._advisor.review(situation, proposal)
        if kept.decision is None or _is_over(kept, situation):
            return _refusal(kept)
        return self._judge_entry(
            kept.decision, proposal, situation.ai, situation.instrument, kept.id
        )

    async def _find(self, situation: Situation, purpose: AdvicePurpose) -> Advice | None:
        return await self._lanes.run(LANE, self._read, situation.decision_id, purpose)

    def _read(self, decision_id: str, purpose: AdvicePurpose) -> Advice | None:
        with self._store.reading() as tx:
            found = tx.advice.select(
                decision_id=decision_id, purpose=purpose, is_descending=True, limit=1
            )
        return found[0] if found else None


def _is_over(kept: Advice, situation: Situation) -> bool:
    if kept.decision is None:
        return True
    return situation.now - kept.asked_at > timedelta(minutes=kept.decision.horizon_minutes)


def _refusal(kept: Advice) -> Counsel:
    """What an answer that is none, or of the past, comes to."""
    words = "its answer was for a time that is over" if kept.decision else kept.error
    return Counsel(
        verdict=CounselVerdict.VETO,
        reason=words or f"no answer: {kept.state.value.replace('_', ' ')}",
        advice_id=kept.id,
        confidence=kept.decision.confidence if kept.decision else None,
    )
