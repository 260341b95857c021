"""Models for the API: what was asked, how good it was, what it cost; dry runs and replays."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import TimeoutError as Overdue
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from engine.api import ai_figures as figures
from engine.api.dry_runs import DryRuns
from engine.contracts.ai import (
    AdviceFilter,
    AdvicePage,
    AdviceView,
    AiBudget,
    AiStatus,
    AiSummary,
    AiSummaryFilter,
    DryRunRequest,
    DryRunView,
)
from engine.domain.advice import Advice, EntryProposal, Situation
from engine.domain.csv_export import csv_table
from engine.errors import Conflict, DataError
from engine.ports import Transaction
from engine.services.books import Books

T = TypeVar("T")

PAGE = 500
MOST_REPLAYS = 50
MOST_AT_ONCE = 2
"""Dry runs and replays under way: each keeps a thread of the API until the model has answered."""

PATIENCE_S = 140.0
"""Longer than any deadline of a model: it answers, or says that it is late."""


class AiServices(Protocol):
    """What can be asked about models, and of them."""

    def page(self, chosen: AdviceFilter, /) -> AdvicePage:
        """A page of what was asked, newest first."""
        ...

    def csv(self, chosen: AdviceFilter, /) -> Iterator[str]:
        """All that match, without prompts; ``limit`` and ``offset`` do not apply. Each step may run
        on another thread."""
        ...

    def get(self, advice_id: str) -> AdviceView:
        """One whole. Raises NotFound."""
        ...

    def summary(self, chosen: AiSummaryFilter, /) -> AiSummary:
        """Accuracy, calibration, costs, and what was held back."""
        ...

    def status(self) -> AiStatus:
        """Whether a model can be asked, and what is left of the day's budget."""
        ...

    def dry_run(self, request: DryRunRequest, actor: str) -> DryRunView:
        """Ask about a bot's real candles; nothing follows. Raises NotFound, ConfigError naming the
        field, Conflict while others are under way, DataError, StrategyError."""
        ...

    def replay(self, advice_id: str, actor: str) -> AdviceView:
        """Ask a kept question once more; nothing follows. Raises NotFound, Conflict."""
        ...


class ProviderStatus(Protocol):
    """How a provider of models is."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def is_configured(self) -> bool: ...
    @property
    def objection(self) -> str: ...
    @property
    def paused_until(self) -> datetime | None: ...
    @property
    def last_error(self) -> str: ...
    @property
    def last_error_at(self) -> datetime | None: ...
    @property
    def last_answer_at(self) -> datetime | None: ...
    @property
    def used_usd(self) -> Decimal: ...
    @property
    def calls_today(self) -> int: ...


class Rehearser(Protocol):
    """The part of the advisor that a person uses: ``services.advise``."""

    async def dry_run(self, situation: Situation, proposal: EntryProposal | None = None) -> Advice:
        """Ask, keep it, and do nothing."""
        ...

    async def replay(self, advice_id: str) -> Advice:
        """Ask a kept question once more. Raises NotFound."""
        ...

    def status(self) -> ProviderStatus:
        """From any thread but the event loop's. Raises StoreError."""
        ...


@dataclass(frozen=True)
class ModelLimits:
    """What the settings allow in a day and in a minute."""

    budget_usd: Decimal
    calls_per_day: int
    calls_per_minute: int


@dataclass(frozen=True)
class AiDesk:
    """Implements ``AiServices`` over the books; blocking, for the API's threads."""

    books: Books
    advisor: Rehearser
    dry_runs: DryRuns
    limits: ModelLimits
    loop: asyncio.AbstractEventLoop
    _turns: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST_AT_ONCE)
    )

    # --- reading --------------------------------------------------------------------------------

    def page(self, chosen: AdviceFilter) -> AdvicePage:
        """Newest first."""
        with self.books.store.reading() as tx:
            where = self._where(tx, chosen)
            rows = tx.advice.select(
                is_descending=True, limit=chosen.limit, offset=chosen.offset, **where
            )
            count = tx.advice.count(**where)
        return AdvicePage(items=tuple(figures.line_of(one) for one in rows), count=count)

    def csv(self, chosen: AdviceFilter) -> Iterator[str]:
        """All that match, newest first."""
        rows = (figures.csv_row(one) for one in self._all(chosen))
        return csv_table(figures.CSV_COLUMNS, rows)

    def _all(self, chosen: AdviceFilter) -> Iterator[Advice]:
        with self.books.store.reading() as tx:
            where, offset = self._where(tx, chosen), 0
            while page := tx.advice.select(is_descending=True, limit=PAGE, offset=offset, **where):
                yield from page
                offset += len(page)

    def get(self, advice_id: str) -> AdviceView:
        """One with its replays, the newest first."""
        with self.books.store.reading() as tx:
            advice = tx.advice.get(advice_id)
            replays = tx.advice.select(replay_of=advice.id, is_descending=True, limit=MOST_REPLAYS)
            instrument = tx.find_instrument(advice.market, advice.symbol)
        return AdviceView(
            advice=advice,
            quote=instrument.quote if instrument else "",
            replays=tuple(figures.line_of(one) for one in replays),
        )

    def summary(self, chosen: AiSummaryFilter) -> AiSummary:
        """Of what was asked in the period; the sums of today, 7 and 30 days know its bot alone."""
        now = self.books.clock.now()
        with self.books.store.reading() as tx:
            where = self._where(tx, chosen)
            facts = figures.facts_of(tx.advice.values(*figures.COLUMNS, **where))
            since = {"since": now - timedelta(days=30), "until": None}
            paid = tx.advice.values("asked_at", "cost", **{**where, **since})
            quotes = _quotes(tx, facts)
        real = figures.consequent(facts)
        return AiSummary(
            now=now,
            count=len(real),
            states=figures.states_of(real),
            verdicts=figures.verdicts_of(real),
            actions=figures.actions_of(real),
            calibration=figures.calibration_of(real),
            waiting=sum(one.outcome is None and one.outcome_due_at is not None for one in real),
            costs=figures.costs_of(facts, [(at, cost) for at, cost in paid], now),
            latency_p50_s=figures.latency_of(real, 0.5),
            latency_p99_s=figures.latency_of(real, 0.99),
            held_back=figures.held_back(real, quotes, by_bot=False),
            held_back_by_bot=figures.held_back(real, quotes, by_bot=True),
            status=self.status(),
        )

    def status(self) -> AiStatus:
        """As the provider is now."""
        state = self.advisor.status()
        users = [bot.config.name for bot in list(self.books.bots.values()) if bot.config.ai]
        return AiStatus(
            provider=state.provider, model=state.model, is_configured=state.is_configured,
            objection=state.objection, paused_until=state.paused_until,
            last_error=state.last_error, last_error_at=state.last_error_at,
            last_answer_at=state.last_answer_at, bots=tuple(sorted(users, key=str.casefold)),
            budget=AiBudget(
                budget_usd=self.limits.budget_usd, used_usd=state.used_usd,
                calls_per_day=self.limits.calls_per_day, calls_today=state.calls_today,
                calls_per_minute=self.limits.calls_per_minute,
            ),
        )  # fmt: skip

    def _where(self, tx: Transaction, chosen: AdviceFilter | AiSummaryFilter) -> Mapping[str, Any]:
        """A filter as columns. A bot that was deleted is found by its id or the name it had."""
        where: dict[str, Any] = {"since": chosen.since, "until": chosen.until}
        if isinstance(chosen, AdviceFilter):
            where["search"] = chosen.text
            for name in ("state", "purpose", "verdict", "action"):
                if (value := getattr(chosen, name)) is not None:
                    where[name] = value.value
        if chosen.bot:
            bot = self.books.bots.get(chosen.bot) or self.books.find_by_name(chosen.bot)
            is_id = bot is not None or tx.advice.count(bot_id=chosen.bot) > 0
            where["bot_id" if is_id else "bot_name"] = bot.id if bot else chosen.bot
        return where

    # --- asking ---------------------------------------------------------------------------------

    def dry_run(self, request: DryRunRequest, actor: str) -> DryRunView:
        """It is kept, and it costs what a question costs."""
        with self._turn():
            rehearsal = self.dry_runs.rehearse(request)
            advice = self._wait(self.advisor.dry_run(rehearsal.situation, rehearsal.proposal))
        self._audit(actor, "ai.dry_run", advice)
        return DryRunView(
            advice=advice, wanted=rehearsal.wanted, is_supposed=rehearsal.is_supposed,
            closed_at=rehearsal.closed_at, quote=rehearsal.situation.instrument.quote,
        )  # fmt: skip

    def replay(self, advice_id: str, actor: str) -> AdviceView:
        """The new answer; the old one is its ``replay_of``."""
        with self._turn():
            advice = self._wait(self.advisor.replay(advice_id))
        self._audit(actor, "ai.replay", advice)
        return self.get(advice.id)

    def _audit(self, actor: str, action: str, advice: Advice) -> None:
        with self.books.writing() as writing:
            writing.audit(actor, action, advice.bot_id, advice=advice.id, cost=str(advice.cost))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(blocking=False):
            raise Conflict(
                f"{MOST_AT_ONCE} dry runs or replays are under way: wait for an answer, then ask"
                " again."
            )
        try:
            yield
        finally:
            self._turns.release()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        waiting = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return waiting.result(PATIENCE_S)
        except Overdue as error:
            raise DataError("The model takes long to answer; what it says is kept.") from error


def _quotes(tx: Transaction, facts: list[figures.Fact]) -> Mapping[tuple[str, str], str]:
    """The quote asset of each market's symbol, as far as its rules were kept."""
    places = {(one.market, one.symbol) for one in facts}
    found = ((place, tx.find_instrument(*place)) for place in places)
    return {place: instrument.quote for place, instrument in found if instrument is not None}
