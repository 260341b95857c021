"""The machine's clock."""

import sys
import time
from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time in UTC, and the time that only goes forward."""

    def now(self) -> datetime:
        """Aware UTC now."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment, those for which the machine slept among them; corrections of
        the wall clock do not touch it."""
        if sys.platform == "linux":  # where Python's own stands still meanwhile
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        if sys.platform == "darwin":
            return time.clock_gettime(time.CLOCK_MONOTONIC)
        return time.monotonic()
