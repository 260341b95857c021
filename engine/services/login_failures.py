"""Wrong API tokens: counted by address in memory, told in an event now and then."""

import threading
from collections import Counter
from datetime import datetime, timedelta

from engine.domain.records import Level
from engine.services.books import Books

WORTH_TELLING = 5
"""A panel that still has the token of the engine before is wrong once."""

TOLD_EVERY = timedelta(minutes=5)
MOST_ADDRESSES = 200
ELSEWHERE = "other addresses"


class LoginFailures:
    """``note`` is of the gate and only counts; ``tell`` writes, on a thread."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told_at: datetime | None = None

    def note(self, address: str) -> None:
        """One more wrong token from there."""
        with self._lock:
            is_known = address in self._counts or len(self._counts) < MOST_ADDRESSES
            self._counts[address if is_known else ELSEWHERE] += 1

    def tell(self) -> None:
        """An event ``api.login_failures`` once there are several, and every few minutes while
        there are more. Raises StoreError; then they are told the next time."""
        now = self._books.clock.now()
        with self._lock:
            counts = dict(self._counts)
        count = sum(counts.values())
        is_early = self._told_at is not None and abs(now - self._told_at) < TOLD_EVERY
        if count < WORTH_TELLING or is_early:
            return
        places = ", ".join(sorted(counts, key=lambda one: -counts[one])[:3])
        more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
        with self._books.writing() as writing:
            writing.event(
                Level.WARNING, "api.login_failures",
                f"{count} requests came with a wrong API token, from {places}{more}.",
                counts=counts,
            )  # fmt: skip
        self._told_at = now
        with self._lock:
            self._counts.subtract(counts)
            self._counts = +self._counts  # what came meanwhile stays
