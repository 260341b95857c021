"""What the vendors' answers have in common: rows of numbers, pauses, and refusals in words."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

from engine.domain.candle_checks import RawCandles, clean_page
from engine.domain.candles import Candles, FloatArray, IntArray
from engine.errors import DataError, SourceBusy

PAUSE_S = 30.0
"""When a vendor asks for fewer requests without saying for how long."""


def page_of(
    vendor: str,
    timeframe: str,
    time: IntArray,
    numbers: Sequence[FloatArray],
    since_ms: int,
    end_ms: int,
) -> Candles:
    """A vendor's columns (open to volume) as candles. Raises DataError."""
    try:
        opened, high, low, close, volume = numbers
        lines = np.zeros(len(time), dtype=np.int64)
        raw = RawCandles(time, opened, high, low, close, volume, lines)
        return clean_page(raw, timeframe, since_ms, end_ms)
    except (TypeError, ValueError) as error:
        raise DataError(f"{vendor} gave candles that cannot be: {error}.") from error


def busy(vendor: str, status: int, retry_after: str | None, now: datetime) -> SourceBusy:
    """What a status of 429 or 5xx means; ``retry_after`` is the header's text."""
    wait_s = _seconds(retry_after, now)
    if status == 429:
        words = f"{vendor} asks for fewer requests"
        return SourceBusy(f"{words}.", retry_after_s=PAUSE_S if wait_s is None else wait_s)
    return SourceBusy(f"{vendor} answered {status}.", retry_after_s=wait_s or 0.0)


def _seconds(told: str | None, now: datetime) -> float | None:
    """``Retry-After`` is a number of seconds or a date."""
    if not told:
        return None
    if told.strip().isdigit():
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)
