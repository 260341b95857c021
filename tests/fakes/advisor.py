"""An advisor that says what a test tells it to, and remembers what it was asked."""

import asyncio
from collections import deque
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.domain.advice import (
    Advice,
    AdvicePurpose,
    AdviceState,
    Choice,
    Counsel,
    CounselVerdict,
    EntryProposal,
    ModelAction,
    ModelDecision,
    RiskLevel,
    Situation,
)
from engine.domain.decisions import Intent
from engine.domain.money import from_epoch_ms
from engine.ports import Store

GO = Counsel(verdict=CounselVerdict.PASS, reason="the model agrees", confidence=0.9)
STAY = Counsel(verdict=CounselVerdict.VETO, reason="the model sees no reason", confidence=0.8)


def answer(action: ModelAction = ModelAction.BUY, **changes: Any) -> ModelDecision:
    """A model's answer; change what matters by keyword."""
    fields: dict[str, Any] = {
        "action": action, "confidence": 0.8, "reasoning": "because", "risk_level": RiskLevel.LOW,
    }  # fmt: skip
    return ModelDecision(**(fields | changes))


def advice(situation: Situation, purpose: AdvicePurpose, number: int, **changes: Any) -> Advice:
    """A row of the table of advice, as the real advisor keeps it."""
    fields: dict[str, Any] = {
        "id": f"advice{number}", "bot_id": situation.bot_id, "bot_name": situation.bot_name,
        "role": situation.ai.role, "purpose": purpose, "state": AdviceState.ANSWERED,
        "provider": "fake", "model": "fake-1", "market": situation.market,
        "symbol": situation.instrument.symbol, "timeframe": situation.candles.timeframe,
        "candle_time": from_epoch_ms(int(situation.candles.time[-1])), "asked_at": situation.now,
        "price": situation.last_price, "prompt": "What now?",
        "decision_id": situation.decision_id, "cost": Decimal("0.001"),
    }  # fmt: skip
    return Advice(**(fields | changes))


class FakeAdvisor:
    """Implements ``Advisor``. ``counsels`` and ``choices`` are taken from first, then every entry
    passes, and a decider holds.

    ``reviewed`` and ``decided`` list what was asked. While ``is_held``, answers wait until
    ``release`` (``began`` is set once somebody waits). With ``store`` each answer is kept as the
    real advisor keeps it; while ``dies`` it is kept, and the asker dies before hearing it.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store
        self.counsels: deque[Counsel] = deque()
        self.choices: deque[Choice] = deque()
        self.reviewed: list[tuple[Situation, EntryProposal]] = []
        self.decided: list[Situation] = []
        self.horizon_minutes = 60
        self.is_held = False
        self.dies = False
        self._released: asyncio.Event | None = None
        self._began: asyncio.Event | None = None

    async def review(self, situation: Situation, proposal: EntryProposal) -> Counsel:
        """The next counsel of the script."""
        self.reviewed.append((situation, proposal))
        await self._wait()
        counsel = self.counsels.popleft() if self.counsels else GO
        is_long = proposal.side == "long"
        agrees = counsel.verdict is not CounselVerdict.VETO
        action = ModelAction.BUY if is_long == agrees else ModelAction.SELL
        return self._kept(
            situation, AdvicePurpose.REVIEW, counsel, proposal=proposal, decision=answer(action)
        )

    async def decide(self, situation: Situation) -> Choice:
        """The next choice of the script."""
        self.decided.append(situation)
        await self._wait()
        choice = self.choices.popleft() if self.choices else hold()
        intent = choice.intent
        action = ModelAction.HOLD
        if intent.enter_long or intent.enter_short:
            action = ModelAction.BUY if intent.enter_long else ModelAction.SELL
        elif intent.wants_something:
            action = ModelAction.CLOSE
        counsel = self._kept(
            situation, AdvicePurpose.DECIDE, choice.counsel,
            decision=answer(action, reasoning=intent.reason),
        )  # fmt: skip
        return Choice(intent, counsel)

    # --- by hand -------------------------------------------------------------------------------

    def hold_back(self) -> None:
        """Let questions wait until ``release``; within the test's event loop."""
        self.is_held = True
        self._released, self._began = asyncio.Event(), asyncio.Event()

    async def is_asked(self) -> None:
        """Wait until a question waits."""
        if self._began is not None:
            await self._began.wait()

    def release(self) -> None:
        """Answer what waits."""
        self.is_held = False
        if self._released is not None:
            self._released.set()

    # --- inside --------------------------------------------------------------------------------

    async def _wait(self) -> None:
        if self.is_held and self._released is not None and self._began is not None:
            self._began.set()
            await self._released.wait()

    def _kept(
        self, situation: Situation, purpose: AdvicePurpose, counsel: Counsel, **fields: Any
    ) -> Counsel:
        number = len(self.reviewed) + len(self.decided)
        counsel = counsel.model_copy(update={"advice_id": f"advice{number}"})
        if self.store is not None:
            due_at = situation.now + timedelta(minutes=self.horizon_minutes)
            decision = fields["decision"].model_copy(
                update={"horizon_minutes": self.horizon_minutes}
            )
            fields |= {"decision": decision, "counsel": counsel, "outcome_due_at": due_at}
            row = advice(situation, purpose, number, **fields)
            with self.store.transaction() as tx:
                tx.advice.add(row)
        if self.dies:
            raise asyncio.CancelledError
        return counsel


def hold() -> Choice:
    """A decider that wants nothing."""
    return Choice(Intent(reason="nothing to do"), GO.model_copy(update={"reason": "hold"}))


def buy(size: float = 1.0, **levels: Any) -> Choice:
    """A decider that goes long."""
    intent = Intent(enter_long=True, reason="it rises", confidence=0.9)
    return Choice(intent, GO.model_copy(update={"size": size, **levels}))


def close() -> Choice:
    """A decider that closes whatever there is."""
    intent = Intent(exit_long=True, exit_short=True, reason="it is over", confidence=0.9)
    return Choice(intent, GO)
