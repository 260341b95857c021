"""Exact amounts: Decimal in, Decimal out, rounding that never increases risk."""

from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated

from pydantic import AfterValidator

ZERO = Decimal(0)
ONE = Decimal(1)


def ensure_utc(moment: datetime) -> datetime:
    """Return ``moment`` in UTC. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone")
    return moment.astimezone(UTC)


UtcDatetime = Annotated[datetime, AfterValidator(ensure_utc)]
"""An aware datetime, normalised to UTC by pydantic."""


def from_epoch_ms(epoch_ms: int) -> datetime:
    """Aware UTC datetime of an epoch in milliseconds."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def to_epoch_ms(moment: datetime) -> int:
    """Epoch in milliseconds of an aware datetime."""
    return round(moment.timestamp() * 1000)


def exact(number: float) -> Decimal:
    """The shortest decimal that reads back as ``number``: 0.1 gives Decimal('0.1')."""
    return Decimal(repr(float(number)))


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value``."""
    return plain((value / step).to_integral_value(ROUND_FLOOR) * step)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` that is not below ``value``."""
    return plain((value / step).to_integral_value(ROUND_CEILING) * step)


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent: 1E+2 gives 100."""
    if value == 0:
        return ZERO
    normal = value.normalize()
    exponent = normal.as_tuple().exponent
    return normal.quantize(ONE) if isinstance(exponent, int) and exponent > 0 else normal


def text(value: Decimal) -> str:
    """``value`` in plain notation, never scientific, without trailing zeros; every digit kept."""
    if value == 0:
        return "0"
    # plain() would round to the precision of the decimal context.
    digits = format(value, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
