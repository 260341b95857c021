"""The machine's clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time in UTC, and the time that only goes forward."""

    def now(self) -> datetime:
        """Aware UTC now."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; corrections of the wall clock do not touch it."""
        return time.monotonic()
