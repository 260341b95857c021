"""One question to a model: within a deadline, a budget and the provider's own pauses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from engine.domain.advice import AdviceState
from engine.domain.money import ZERO
from engine.errors import ModelRateLimited, ModelUnavailable, QuarterdeckError
from engine.links.pause import Pause
from engine.ports import Clock
from engine.ports.ai import Model, Question, Reply
from engine.services.detached import run_detached
from engine.services.lanes import Lanes
from engine.services.model_budget import ModelBudget, ModelTerms, Refused

R = TypeVar("R")

log = logging.getLogger("quarterdeck.ai")

LANE = "advice"
"""Where advice is read and written and money is counted; a model is never asked on it."""

MOST_CALLS = 4
"""Questions under way at a time; one that hangs holds a place until its own time is over."""

GRACE_S = 1.0
"""How long after the deadline a question that is under way ends by itself."""

LONGEST_PAUSE_S = 3_600.0
MOST_TOKENS = 100_000_000
FORM_BYTES = 1_000
"""What the schema of the answer adds to a question."""

BYTES_A_TOKEN = 3
"""For estimates of what a broken call did cost; what is reserved counts every byte as one."""


@dataclass(frozen=True)
class Asked:
    """What came of a question. ``answered`` says that a text came, whatever is in it."""

    state: AdviceState
    text: str = ""
    error: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = ZERO
    latency_s: float = 0.0
    is_sent: bool = False
    is_estimated: bool = False


@dataclass(frozen=True)
class ModelStatus:
    """How the provider is. ``objection`` says why no model can be asked now, and what to do."""

    provider: str
    model: str
    is_configured: bool
    objection: str
    paused_until: datetime | None
    last_error: str
    last_error_at: datetime | None
    last_answer_at: datetime | None
    used_usd: Decimal
    calls_today: int


@dataclass
class _Call:
    question: Question
    worst: Decimal
    until_s: float
    is_sent: bool = False


Late = Callable[[Asked], Awaitable[None]]


class ModelCaller:
    """Asks the one model that is set up. ``model`` is None where none is; ``objection`` says what
    to do about it. Its methods belong to the event loop."""

    def __init__(
        self,
        clock: Clock,
        lanes: Lanes,
        model: Model | None,
        terms: ModelTerms,
        budget: ModelBudget,
        objection: str = "",
    ) -> None:
        self.terms = terms
        self._clock = clock
        self._lanes = lanes
        self._model = model
        self._budget = budget
        self._objection = objection
        self._pause = Pause(clock.monotonic)
        self._slots = asyncio.Semaphore(MOST_CALLS)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._last_error, self._last_error_at = "", clock.now()
        self._last_answer_at: datetime | None = None

    async def ask(self, question: Question, late: Late) -> Asked:
        """Ask within ``question.timeout_s``. Where that is over the answer is ``late`` at once;
        what the call came to is told to ``late`` when it has ended. Raises StoreError."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + question.timeout_s
        if self._model is None:
            return Asked(AdviceState.UNAVAILABLE, error=self._objection)
        if pause_s := self._pause.left_s():
            return Asked(AdviceState.RATE_LIMITED, error=_pausing(pause_s))
        worst = self._worst(question)
        try:
            await self._lanes.run(LANE, self._budget.reserve, worst)
        except Refused as refused:
            return Asked(refused.state, error=refused.reason)
        call = _Call(question, worst, until_s)
        sending = self._keep(self._send(self._model, call))
        done, _ = await asyncio.wait({sending}, timeout=max(until_s - loop.time(), 0))
        if done:
            return sending.result()
        words = f"The model did not answer within {question.timeout_s:g} s."
        if not call.is_sent:
            sending.cancel()
            others = f"{MOST_CALLS} other questions have not been answered yet"
            return Asked(AdviceState.LATE, error=f"{words} It was not asked: {others}.")
        self._keep(_follow(sending, late))
        self._note(words)
        return Asked(AdviceState.LATE, error=words, latency_s=question.timeout_s, is_sent=True)

    def status(self) -> ModelStatus:
        """How the provider is; from any thread but the event loop's. Raises StoreError."""
        used, calls = self._budget.used()
        pause_s = self._pause.left_s()
        until = self._clock.now() + timedelta(seconds=pause_s) if pause_s else None
        words = self._objection or (_pausing(pause_s) if pause_s else "")
        if not words and used >= self.terms.budget_usd > 0:
            words = "Today's model budget is used up: it begins anew at midnight UTC."
        return ModelStatus(
            provider=self.terms.provider,
            model=self.terms.model,
            is_configured=self._model is not None,
            objection=words,
            paused_until=until,
            last_error=self._last_error,
            last_error_at=self._last_error_at if self._last_error else None,
            last_answer_at=self._last_answer_at,
            used_usd=used,
            calls_today=calls,
        )

    async def _send(self, model: Model, call: _Call) -> Asked:
        """Send it once there is room. What it cost is counted however it ends."""
        cost = ZERO
        try:
            async with self._slots:
                call.is_sent = True
                began_s = asyncio.get_running_loop().time()
                asked = await self._sent(model, call)
                cost = asked.cost
                took_s = asyncio.get_running_loop().time() - began_s
                return replace(asked, latency_s=took_s, is_sent=True)
        finally:
            self._budget.settle(call.worst, cost, is_sent=call.is_sent)

    async def _sent(self, model: Model, call: _Call) -> Asked:
        """What the provider makes of it."""
        loop = asyncio.get_running_loop()

        def ask() -> Reply:
            left_s = max(call.until_s - loop.time(), 0) + GRACE_S
            return model.ask(replace(call.question, timeout_s=left_s))

        state, cost_tokens = AdviceState.UNAVAILABLE, 0
        try:
            reply = await run_detached("model", ask)
        except ModelRateLimited as error:
            self._pause.ask(min(error.retry_after_s, LONGEST_PAUSE_S))
            state, words = AdviceState.RATE_LIMITED, error.message
        except ModelUnavailable as error:
            words = error.message
            cost_tokens = _estimate(call.question) if error.may_cost else 0
        except QuarterdeckError as error:
            words = error.message
        except Exception as error:
            log.exception("the client of the model failed")
            words = f"The model's client failed ({type(error).__name__}): see the engine's log."
            cost_tokens = _estimate(call.question)
        else:
            return self._replied(call.question, reply)
        self._note(words)
        return Asked(
            state, error=words, tokens_in=cost_tokens, is_estimated=cost_tokens > 0,
            cost=self.terms.cost(cost_tokens, 0),
        )  # fmt: skip

    def _replied(self, question: Question, reply: Reply) -> Asked:
        self._last_answer_at = self._clock.now()
        written = len(reply.text.encode("utf-8", "replace")) // BYTES_A_TOKEN
        tokens_in = _count(reply.tokens_in, _estimate(question))
        tokens_out = _count(reply.tokens_out, written)
        return Asked(
            AdviceState.INVALID if reply.stopped else AdviceState.ANSWERED,
            text=reply.text,
            error=reply.stopped,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=self.terms.cost(tokens_in, tokens_out),
            is_estimated=None in (reply.tokens_in, reply.tokens_out),
        )

    def _worst(self, question: Question) -> Decimal:
        """The most a question can cost: no token is less than a byte."""
        return self.terms.cost(_bytes(question), question.most_tokens)

    def _note(self, words: str) -> None:
        self._last_error, self._last_error_at = words, self._clock.now()

    def _keep(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """A task that lives until it has ended: the loop itself does not hold one."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


async def _follow(sending: "asyncio.Task[Asked]", late: Late) -> None:
    await late(await sending)


def _pausing(pause_s: float) -> str:
    return f"The provider asked for a pause: {pause_s:.0f} s are left."


def _bytes(question: Question) -> int:
    return len((question.system + question.prompt).encode("utf-8", "replace")) + FORM_BYTES


def _count(told: int | None, estimate: int) -> int:
    """The tokens a provider tells, as far as they are a count."""
    return estimate if told is None or told < 0 else min(told, MOST_TOKENS)


def _estimate(question: Question) -> int:
    return _bytes(question) // BYTES_A_TOKEN
