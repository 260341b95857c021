"""What models may cost and how often they may be asked: reserved before, settled afterwards."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from limits import RateLimitItemPerMinute
from limits.strategies import RateLimiter

from engine.domain.advice import AdviceState
from engine.domain.money import ZERO, text
from engine.ports import Clock, Store

MILLION = 1_000_000
SENT = "is_sent"
"""The fact of an advice by which it counts as a call."""


@dataclass(frozen=True)
class ModelTerms:
    """The settings of models: which one, how much a day in US dollars, how often, at what price."""

    provider: str
    model: str
    budget_usd: Decimal
    calls_per_minute: int
    calls_per_day: int
    input_usd_per_million: Decimal
    output_usd_per_million: Decimal

    def cost(self, tokens_in: int, tokens_out: int) -> Decimal:
        """US dollars, exact."""
        total = tokens_in * self.input_usd_per_million + tokens_out * self.output_usd_per_million
        return total / MILLION


class Refused(Exception):
    """A question that is not sent; the message is a sentence for the user."""

    def __init__(self, state: AdviceState, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


class ModelBudget:
    """A day's money and calls, from midnight to midnight UTC; thread-safe.

    The day's sums come from the kept advice, so that a restart forgets nothing; what is under way
    counts with the most it can cost, so that questions at the same time cannot overspend. A minute
    is counted in memory alone.
    """

    def __init__(self, store: Store, clock: Clock, terms: ModelTerms, limiter: RateLimiter) -> None:
        self._store = store
        self._clock = clock
        self._terms = terms
        self._limiter = limiter
        self._minute = RateLimitItemPerMinute(terms.calls_per_minute)
        self._lock = threading.Lock()
        self._day: datetime | None = None
        self._spent = self._reserved = ZERO
        self._calls = 0

    def reserve(self, worst: Decimal) -> None:
        """Set aside what a question costs at the most, and count the call. Blocking. Raises
        Refused, and StoreError when what was spent cannot be read."""
        terms = self._terms
        self._begin_day()
        with self._lock:
            left = terms.budget_usd - self._spent - self._reserved
            if worst > left:
                raise Refused(
                    AdviceState.OVER_BUDGET,
                    f"Today's model budget of {text(terms.budget_usd)} USD does not cover another"
                    f" question ({max(left, ZERO):.4f} USD left, up to {worst:.4f} needed): it"
                    " begins anew at midnight UTC; QUARTERDECK_AI_BUDGET_USD sets another.",
                )
            if self._calls >= terms.calls_per_day:
                raise Refused(
                    AdviceState.RATE_LIMITED,
                    f"Today's {terms.calls_per_day} model calls are used up: they begin anew at"
                    " midnight UTC; QUARTERDECK_AI_CALLS_PER_DAY sets others.",
                )
            if not self._limiter.hit(self._minute, "models"):
                raise Refused(
                    AdviceState.RATE_LIMITED,
                    f"The {terms.calls_per_minute} model calls of this minute are used up;"
                    " QUARTERDECK_AI_CALLS_PER_MINUTE sets others.",
                )
            self._reserved += worst
            self._calls += 1

    def settle(self, worst: Decimal, cost: Decimal, *, is_sent: bool) -> None:
        """Give back what was reserved, and count what it did cost. Never waits for the store."""
        with self._lock:
            self._reserved -= worst
            self._spent += cost
            self._calls -= not is_sent

    def used(self) -> tuple[Decimal, int]:
        """What today's questions did cost, and how many were sent. Blocking. Raises StoreError."""
        self._begin_day()
        with self._lock:
            return self._spent, self._calls

    def _begin_day(self) -> None:
        """Read the sums when a day begins, and after a restart: before anything is under way."""
        today = datetime.combine(self._clock.now().date(), time(), UTC)
        if today == self._day:
            return
        with self._store.reading() as tx:
            rows = tx.advice.values("cost", "facts", since=today)
        with self._lock:
            if today == self._day:
                return  # another thread was faster, and has counted since
            self._spent = sum((cost for cost, _ in rows), ZERO)
            self._calls = sum(bool(facts.get(SENT)) for _, facts in rows)
            self._day = today
