"""A clock that stands still until a test turns it."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """Implements ``Clock``; ``current`` is read and set freely."""

    def __init__(self, start: datetime = START) -> None:
        self.current = start
        self.elapsed_s = 0.0  # what passed by ``advance``: setting ``current`` is a correction

    def now(self) -> datetime:
        """The time it was set to."""
        return self.current

    def monotonic(self) -> float:
        """What ``advance`` added up to."""
        return self.elapsed_s

    def advance(self, seconds: float) -> datetime:
        """Turn it forward; gives the new time."""
        self.current += timedelta(seconds=seconds)
        self.elapsed_s += seconds
        return self.current
