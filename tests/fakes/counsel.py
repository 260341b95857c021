"""An advisor for the entries of signals that a test scripts, and what gathers its situations."""

import asyncio
from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from engine.domain.advice import Choice, Counsel, CounselVerdict, EntryProposal, Situation
from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.decisions import Intent
from tests.unit.samples import instrument

AGREED = Counsel(verdict=CounselVerdict.PASS, reason="the model agrees", confidence=0.9)


class ReviewingAdvisor:
    """Implements ``Advisor``: answers of ``counsels`` in turn, then agrees.

    ``asked`` lists what was asked; with ``hold`` it answers only after ``release``.
    """

    def __init__(self) -> None:
        self.counsels: deque[Counsel] = deque()
        self.asked: list[tuple[Situation, EntryProposal]] = []
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def hold(self) -> None:
        """Answer nothing until ``release``."""
        self.may_answer.clear()

    def release(self) -> None:
        """Answer what was asked."""
        self.may_answer.set()

    async def decide(self, situation: Situation) -> Choice:
        """Signals are never decided by a model."""
        return Choice(Intent(reason="nothing"), AGREED)

    async def review(self, situation: Situation, proposal: EntryProposal) -> Counsel:
        """The next counsel."""
        self.asked.append((situation, proposal))
        self.is_asked.set()
        await self.may_answer.wait()
        return self.counsels.popleft() if self.counsels else AGREED


class PlainSituations:
    """Gathers what it is given and no more."""

    async def gather(
        self, bot: Bot, candles: Candles, values: Mapping[str, float | None], decision_id: str
    ) -> Situation:
        """Implements ``SituationMaker``."""
        if bot.config.ai is None:
            raise ValueError("the bot asks no model")
        return Situation(
            bot_id=bot.id, bot_name=bot.config.name, ai=bot.config.ai, market=bot.config.market,
            instrument=instrument(), candles=candles, values=values, position=None,
            last_price=Decimal(100), now=bot.updated_at, decision_id=decision_id,
        )  # fmt: skip
