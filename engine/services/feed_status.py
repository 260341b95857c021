"""What is known of one feed of candles: what it holds, where that came from, and how it went."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from engine.domain.candles import Candles


@dataclass(frozen=True, slots=True)
class Fed:
    """Candles for a decision. ``words`` say whose they are when they are not the market's own;
    ``late`` that the newest one is not there yet."""

    candles: Candles
    source: str
    words: str
    is_own: bool
    late: str


@dataclass
class Feed:
    """One symbol and timeframe of one market; changed by ``CandleFeed`` only.

    ``due_at`` is when there is something newer to ask for, ``retry_at`` before when nobody asks
    after trouble. ``other_since`` is set while candles come from another source, ``own_error``
    says why. ``failing_since`` is the first of the errors since the last good answer.
    """

    market_id: str
    symbol: str
    timeframe: str
    source: str
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    candles: Candles | None = field(default=None, repr=False)
    limit: int = 0
    due_at: datetime | None = None
    retry_at: datetime | None = None
    asked_at: datetime | None = None
    other_since: datetime | None = None
    own_error: str = ""
    error: str = ""
    failing_since: datetime | None = None
    late: str = ""
    notes: tuple[str, ...] = ()
    requests: int = 0
    errors: int = 0
    revisions: int = 0

    @property
    def words(self) -> str:
        """``Candles from Yahoo since 12:04 UTC: binance does not answer (...).``; empty when they
        are the market's own."""
        if self.other_since is None:
            return ""
        return f"Candles from {self.source} since {self.other_since:%H:%M} UTC: {self.own_error}"

    @property
    def newest(self) -> datetime | None:
        """When the newest candle closed; None when there is none that could be decided on."""
        candles = self.candles
        return candles.last_close_time if candles is not None and len(candles) else None

    def fail(self, message: str, now: datetime) -> None:
        """The own market gave no candles."""
        self.errors += 1
        self.error = message
        self.failing_since = self.failing_since or now

    def settle(self) -> None:
        """The own market has given candles."""
        self.source, self.other_since, self.own_error = self.market_id, None, ""
        self.error, self.failing_since = "", None
