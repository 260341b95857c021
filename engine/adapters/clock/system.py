"""The machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time in UTC."""

    def now(self) -> datetime:
        """Aware UTC now."""
        return datetime.now(UTC)
