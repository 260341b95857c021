"""The advisor: tells a model a bot's situation, judges its answer, keeps it all."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.domain.advice import (
    Advice,
    AdvicePurpose,
    AdviceState,
    Choice,
    Counsel,
    EntryProposal,
    ModelDecision,
    Situation,
)
from engine.domain.judge_advice import choose, judge_entry, no_choice, veto
from engine.domain.prompts import Prompt, answer_schema, prompt_of
from engine.domain.records import Level
from engine.errors import QuarterdeckError
from engine.ports.ai import Question
from engine.services import advice_rows as rows
from engine.services.ask_model import LANE, Asked, ModelCaller, ModelStatus
from engine.services.books import Books
from engine.services.lanes import Lanes

log = logging.getLogger("quarterdeck.ai")

REPLAY_DEADLINE_S = 60.0
KEEP_S = 2.0
"""How long after the deadline an answer may take to be written down."""

UNKEPT = "The answer was not written down in time: the database is slow or locked."
EVENTS = {
    AdviceState.INVALID: "ai.invalid",
    AdviceState.LATE: "ai.unavailable",
    AdviceState.OVER_BUDGET: "ai.over_budget",
    AdviceState.RATE_LIMITED: "ai.unavailable",
    AdviceState.UNAVAILABLE: "ai.unavailable",
}


@dataclass
class _Asking:
    """A question before it is asked: its row, how its prompt is made, what judges its answer.
    ``is_given_up``: its asker has been told that it is late, whatever comes of it."""

    row: Advice
    deadline_s: float
    prompt: Callable[[], Prompt]
    judge: rows.Judge
    is_given_up: bool = False


class ModelAdvisor:
    """Implements ``Advisor``. Every question is one row of advice, those that are not sent among
    them; what cannot be kept counts as held back. Nothing but NotFound is ever raised."""

    def __init__(self, books: Books, lanes: Lanes, caller: ModelCaller) -> None:
        self._books = books
        self._lanes = lanes
        self._caller = caller
        self._schema = answer_schema()
        self._open: set[asyncio.Task[Any]] = set()
        self._troubles: dict[str, str] = {}

    # --- what bots ask --------------------------------------------------------------------------

    async def decide(self, situation: Situation) -> Choice:
        """See Advisor."""
        kept = await self._ask(self._asking(situation, AdvicePurpose.DECIDE, None))
        if kept.decision is None:
            return no_choice(_reason(kept), kept.id)
        return choose(kept.decision, situation, kept.id)

    async def review(self, situation: Situation, proposal: EntryProposal) -> Counsel:
        """See Advisor."""
        kept = await self._ask(self._asking(situation, AdvicePurpose.REVIEW, proposal))
        return kept.counsel or veto(_reason(kept), kept.id)

    # --- what a person asks ---------------------------------------------------------------------

    async def dry_run(self, situation: Situation, proposal: EntryProposal | None = None) -> Advice:
        """Ask what a bot would ask, and do nothing; it costs what a question costs."""
        return await self._ask(self._asking(situation, AdvicePurpose.DRY_RUN, proposal))

    async def replay(self, advice_id: str) -> Advice:
        """Ask a kept question again, word for word; nothing follows. Raises NotFound."""
        old = await self._lanes.run(LANE, self._read, advice_id)
        row = rows.asked_again(old, self._caller.terms, self._books.clock.now())
        prompt = Prompt(old.system, old.prompt, old.facts.get(rows.NEWS, 0))
        return await self._ask(
            _Asking(row, REPLAY_DEADLINE_S, lambda: prompt, lambda _decision: None)
        )

    def status(self) -> ModelStatus:
        """How the provider is; from any thread but the event loop's. Raises StoreError."""
        return self._caller.status()

    async def finish(self, timeout_s: float) -> None:
        """Give what is being asked a moment to be written down: for the end of the engine."""
        if self._open:
            await asyncio.wait(set(self._open), timeout=timeout_s)

    # --- asking ---------------------------------------------------------------------------------

    def _asking(
        self, situation: Situation, purpose: AdvicePurpose, proposal: EntryProposal | None
    ) -> _Asking:
        now = self._books.clock.now()
        row = rows.asked_of(situation, purpose, proposal, self._caller.terms, now)

        def judge(decision: ModelDecision) -> Counsel:
            if proposal is None:
                return choose(decision, situation, row.id).counsel
            return judge_entry(decision, proposal, situation.ai, situation.instrument, row.id)

        return _Asking(row, situation.ai.deadline_s, lambda: prompt_of(situation, proposal), judge)

    async def _ask(self, asking: _Asking) -> Advice:
        """Ask and keep it; goes on by itself when its caller is cancelled. A store that takes long
        keeps nobody: what is not kept soon after the deadline is late."""
        task = asyncio.create_task(self._asked(asking))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        done, _ = await asyncio.wait({task}, timeout=asking.deadline_s + KEEP_S)
        if done:
            return task.result()
        asking.is_given_up = True
        return rows.failed(asking.row, UNKEPT, AdviceState.LATE)

    async def _asked(self, asking: _Asking) -> Advice:
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        row = asking.row

        async def late(asked: Asked) -> None:
            if await kept:
                await self._complete(row.id, asked)

        try:
            prompt = await asyncio.to_thread(asking.prompt)
            row = rows.told(row, prompt)
            question = Question(row.model, row.system, row.prompt, self._schema, asking.deadline_s)
            asked = await self._caller.ask(question, late)
            row = rows.came(row, asked)  # kept even where judging it fails
            row = rows.judged(row, asked, asking.judge)
        except QuarterdeckError as error:
            row = rows.failed(row, error.message)
        except Exception as error:
            # Whatever a stranger's text or number brings about: the entry is held back.
            log.exception("a question to a model failed")
            row = rows.failed(row, f"The advisor failed ({type(error).__name__}): see the log.")
        try:
            await self._lanes.run(LANE, self._write, row)
            if asking.is_given_up:
                await self._lanes.run(LANE, self._give_up, row.id)
            kept.set_result(True)
        except QuarterdeckError as error:
            log.warning("what a model said could not be kept: %s", error.message)
            row = rows.failed(row, f"Its answer could not be kept: {error.message}")
        finally:
            if not kept.done():
                kept.set_result(False)
        return row

    # --- keeping: on the lane ---------------------------------------------------------------------

    def _read(self, advice_id: str) -> Advice:
        with self._books.store.reading() as tx:
            return tx.advice.get(advice_id)

    def _write(self, row: Advice) -> None:
        """The row, with an event where a bot's trouble begins or changes."""
        kind = EVENTS.get(row.state, "")
        is_new = kind != self._troubles.get(row.bot_id, "")
        if row.purpose not in rows.CONSEQUENT or not (is_new and kind):
            with self._books.store.transaction() as tx:
                tx.advice.add(row)
        else:
            with self._books.writing() as writing:
                writing.tx.advice.add(row)
                message = f"The model was not heard, nothing is opened: {row.error}"
                writing.event(Level.WARNING, kind, message, row.bot_id, advice_id=row.id)
        if row.purpose in rows.CONSEQUENT:
            self._troubles[row.bot_id] = kind

    async def _complete(self, advice_id: str, asked: Asked) -> None:
        """Add what a late question came to after all: it costs, and changes nothing else."""
        try:
            await self._lanes.run(LANE, self._add, advice_id, asked)
        except QuarterdeckError as error:
            log.warning("what a late answer did cost could not be kept: %s", error.message)

    def _give_up(self, advice_id: str) -> None:
        """Say in the row what its asker was told."""
        with self._books.store.transaction() as tx:
            row = tx.advice.get(advice_id)
            tx.advice.save(rows.failed(row, f"{UNKEPT} {row.error}", AdviceState.LATE))

    def _add(self, advice_id: str, asked: Asked) -> None:
        with self._books.store.transaction() as tx:
            row = tx.advice.get(advice_id)
            tx.advice.save(rows.came_late(row, asked))


def _reason(row: Advice) -> str:
    return row.error or "the model gave no answer"
