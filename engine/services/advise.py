"""The advisor: tells a model a bot's situation, judges its answer, keeps it all."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from engine.domain.judge_advice import (
    LONGEST_ANSWER,
    AnswerError,
    choose,
    judge_entry,
    no_choice,
    read_answer,
    veto,
)
from engine.domain.money import ZERO, from_epoch_ms
from engine.domain.outside_text import clean, storable
from engine.domain.prompts import Prompt, answer_schema, prompt_of
from engine.domain.records import Level
from engine.errors import QuarterdeckError
from engine.ports.ai import Question
from engine.services.ask_model import LANE, Asked, ModelCaller, ModelStatus
from engine.services.books import Books, new_id
from engine.services.lanes import Lanes
from engine.services.model_budget import SENT

log = logging.getLogger("quarterdeck.ai")

REPLAY_DEADLINE_S = 60.0
LONGEST_ERROR = 500
LONGEST_PROMPT = 200_000
CONSEQUENT = (AdvicePurpose.DECIDE, AdvicePurpose.REVIEW)
DEFAULT_HORIZON = timedelta(minutes=60)
"""After which an entry that was held back without an answer is looked at."""

EVENTS = {
    AdviceState.INVALID: "ai.invalid",
    AdviceState.LATE: "ai.unavailable",
    AdviceState.OVER_BUDGET: "ai.over_budget",
    AdviceState.RATE_LIMITED: "ai.unavailable",
    AdviceState.UNAVAILABLE: "ai.unavailable",
}

Judge = Callable[[ModelDecision], Counsel | None]


@dataclass(frozen=True)
class _Asking:
    """A question before it is asked: its row, how its prompt is made, what judges its answer."""

    row: Advice
    deadline_s: float
    prompt: Callable[[], Prompt]
    judge: Judge


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
        terms = self._caller.terms
        row = old.model_copy(
            update={
                **_blank(self._books.clock.now()), "purpose": AdvicePurpose.REPLAY,
                "replay_of": old.id, "decision_id": "", "provider": terms.provider,
                "model": old.model if old.provider == terms.provider else terms.model,
            }
        )  # fmt: skip
        prompt = Prompt(old.system, old.prompt, old.facts.get("news", 0))
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
        terms = self._caller.terms
        row = Advice(
            **_blank(self._books.clock.now()),
            bot_id=situation.bot_id, bot_name=situation.bot_name, role=situation.ai.role,
            purpose=purpose, provider=terms.provider, model=situation.ai.model or terms.model,
            market=situation.market, symbol=situation.instrument.symbol,
            timeframe=situation.candles.timeframe,
            candle_time=_newest(situation),
            price=situation.last_price, prompt="", proposal=proposal,
            decision_id=situation.decision_id,
        )  # fmt: skip

        def judge(decision: ModelDecision) -> Counsel:
            if proposal is None:
                return choose(decision, situation, row.id).counsel
            return judge_entry(decision, proposal, situation.ai, situation.instrument, row.id)

        return _Asking(row, situation.ai.deadline_s, lambda: prompt_of(situation, proposal), judge)

    async def _ask(self, asking: _Asking) -> Advice:
        """Ask and keep it; goes on by itself when its caller is cancelled."""
        task = asyncio.create_task(self._asked(asking))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return await asyncio.shield(task)

    async def _asked(self, asking: _Asking) -> Advice:
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        row = asking.row

        async def late(asked: Asked) -> None:
            if await kept:
                await self._complete(row.id, asked)

        try:
            prompt = await asyncio.to_thread(asking.prompt)
            row = row.model_copy(update=_told(prompt))
            question = Question(row.model, row.system, row.prompt, self._schema, asking.deadline_s)
            asked = await self._caller.ask(question, late)
            row = row.model_copy(update=_came(row, asked))
            row = _judged(row, asked, asking.judge)
        except QuarterdeckError as error:
            row = _failed(row, error.message)
        except Exception as error:
            # Whatever a stranger's text or number brings about: the entry is held back.
            log.exception("a question to a model failed")
            row = _failed(row, f"The advisor failed ({type(error).__name__}): see the log.")
        try:
            await self._lanes.run(LANE, self._write, row)
            kept.set_result(True)
        except QuarterdeckError as error:
            log.warning("what a model said could not be kept: %s", error.message)
            row = _failed(row, f"Its answer could not be kept: {error.message}")
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
        if row.purpose not in CONSEQUENT or not (is_new and kind):
            with self._books.store.transaction() as tx:
                tx.advice.add(row)
        else:
            with self._books.writing() as writing:
                writing.tx.advice.add(row)
                message = f"The model was not heard, nothing is opened: {row.error}"
                writing.event(Level.WARNING, kind, message, row.bot_id, advice_id=row.id)
        if row.purpose in CONSEQUENT:
            self._troubles[row.bot_id] = kind

    async def _complete(self, advice_id: str, asked: Asked) -> None:
        """Add what a late question came to after all: it costs, and changes nothing else."""
        try:
            await self._lanes.run(LANE, self._add, advice_id, asked)
        except QuarterdeckError as error:
            log.warning("what a late answer did cost could not be kept: %s", error.message)

    def _add(self, advice_id: str, asked: Asked) -> None:
        with self._books.store.transaction() as tx:
            row = tx.advice.get(advice_id)
            words = clean(f"{row.error} {asked.error}", LONGEST_ERROR)
            tx.advice.save(row.model_copy(update={**_came(row, asked), "error": words}))


def _newest(situation: Situation) -> datetime:
    """The newest candle's open; the present where there is none."""
    times = situation.candles.time
    return from_epoch_ms(int(times[-1])) if len(times) else situation.now


def _blank(now: datetime) -> dict[str, Any]:
    """What a question is before anything came of it."""
    return {
        "id": new_id(), "asked_at": now, "state": AdviceState.UNAVAILABLE, "answer": "",
        "error": "", "decision": None, "counsel": None, "tokens_in": 0, "tokens_out": 0,
        "cost": ZERO, "latency_s": 0.0, "outcome": None, "outcome_due_at": None, "facts": {},
    }  # fmt: skip


def _told(prompt: Prompt) -> dict[str, Any]:
    return {
        "system": storable(prompt.system, LONGEST_PROMPT),
        "prompt": storable(prompt.text, LONGEST_PROMPT),
        "facts": {"news": prompt.news_count},
    }


def _came(row: Advice, asked: Asked) -> dict[str, Any]:
    """What a call came to, without what is made of it."""
    facts = row.facts | {SENT: asked.is_sent}
    if asked.is_estimated:
        facts["is_estimated"] = True
    return {
        "answer": storable(asked.text, LONGEST_ANSWER), "tokens_in": asked.tokens_in,
        "tokens_out": asked.tokens_out, "cost": asked.cost, "latency_s": asked.latency_s,
        "facts": facts,
    }  # fmt: skip


def _judged(row: Advice, asked: Asked, judge: Judge) -> Advice:
    """The row with what is made of an answer."""
    if asked.state is not AdviceState.ANSWERED:
        return _failed(row, asked.error, asked.state)
    try:
        decision = read_answer(asked.text)
    except AnswerError as error:
        return _failed(row, str(error), AdviceState.INVALID)
    return _due(
        row.model_copy(
            update={
                "state": AdviceState.ANSWERED, "decision": decision, "counsel": judge(decision)
            }
        )
    )  # fmt: skip


def _failed(row: Advice, words: str, state: AdviceState = AdviceState.UNAVAILABLE) -> Advice:
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


def _reason(row: Advice) -> str:
    return row.error or "the model gave no answer"
