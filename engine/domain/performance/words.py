"""Values as a person reads them in reports and sentences. Pure: a number in, text out."""

from datetime import UTC, datetime

from engine.domain.performance.catalogue import Metric, Unit, Value

NONE = "\u2013"
MINUS = "\u2212"


def shown(metric: Metric, value: Value, quote: str = "") -> str:
    """A metric's value with its unit; an en dash for none."""
    return written(metric.unit, value, quote)


def written(unit: Unit, value: Value, quote: str = "") -> str:
    """A value of a unit: ``12.50 %``, ``1,234.50 USDT``, ``3 d 4 h``; an en dash for none."""
    if value is None:
        return NONE
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if unit is Unit.MONEY:
        return money(value, quote)
    if unit is Unit.SECONDS:
        return span(value)
    if unit is Unit.COUNT:
        return f"{value:,.0f}"
    if unit is Unit.FRACTION:
        return percent(value)
    return _signed(f"{abs(value):,.1f}" if unit is Unit.DAYS else f"{abs(value):,.2f}", value)


def percent(fraction: float) -> str:
    """A fraction as percent with two decimals."""
    return _signed(f"{abs(100 * fraction):,.2f} %", fraction)


def money(amount: float, quote: str = "") -> str:
    """An amount with its asset: two decimals, more for what is less than one."""
    size = abs(amount)
    if size < 5e-9:  # what is left of adding up floats
        size = 0.0
    decimals = 2 if size >= 1 or size == 0 else 8 if size < 0.001 else 5
    return _signed(f"{size:,.{decimals}f}{f' {quote}' if quote else ''}", amount)


def span(seconds: float) -> str:
    """A span in its two largest units: ``3 d 4 h``, ``42 s``."""
    left = round(max(0.0, seconds))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _signed(text: str, value: float) -> str:
    """With its minus; what is rounded to nothing has none."""
    has_digits = any(digit in "123456789" for digit in text)
    return f"{MINUS}{text}" if value < 0 and has_digits else text
