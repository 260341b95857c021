"""Candle lengths: their names, their seconds, and where candles begin."""

from datetime import UTC, datetime, timedelta

SECONDS = {
    "1s": 1, "5s": 5, "10s": 10, "15s": 15, "30s": 30,
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800,
    "1h": 3600, "2h": 7200, "4h": 14400, "6h": 21600, "12h": 43200,
    "1d": 86400,
}  # fmt: skip


def timeframe_s(name: str) -> int:
    """Length in seconds. Raises ValueError for a name that is not in ``SECONDS``."""
    try:
        return SECONDS[name]
    except KeyError:
        raise ValueError(f"unknown timeframe '{name}'; one of {', '.join(SECONDS)}") from None


def timeframe_delta(name: str) -> timedelta:
    """Length as a timedelta. Raises ValueError like ``timeframe_s``."""
    return timedelta(seconds=timeframe_s(name))


def floor_time(moment: datetime, seconds: int) -> datetime:
    """The last multiple of ``seconds`` since the epoch that is not after ``moment``."""
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)
