"""Amounts and times for people to read in a line or an SMS: short, and of GSM characters only."""

from datetime import timedelta
from decimal import Decimal

from engine.domain.money import ONE, ZERO, text

CENT = Decimal("0.01")
SHOWN_DIGITS = 4
"""Significant digits of an amount below one."""

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def shown(amount: Decimal) -> str:
    """An amount to cents, a small one to four digits: 1234.567 gives 1,234.57, and 0.00012345
    gives 0.0001235 (rounded half to even)."""
    if not amount:
        return "0"
    step = CENT if abs(amount) >= ONE else Decimal(1).scaleb(amount.adjusted() - SHOWN_DIGITS + 1)
    return exactly(amount.quantize(step))


def exactly(amount: Decimal) -> str:
    """An amount with all its digits, grouped by thousands: prices and quantities."""
    whole, _, digits = text(abs(amount)).partition(".")
    sign = "-" if amount < ZERO else ""
    return f"{sign}{int(whole):,}{'.' if digits else ''}{digits}"


def signed(amount: Decimal) -> str:
    """The same as ``shown``, with a plus where it is a profit."""
    return f"{'+' if amount > 0 else ''}{shown(amount)}"


def percent(fraction: Decimal, *, is_signed: bool = True) -> str:
    """A fraction in percent, to two decimals at the most: 0.0123 gives +1.23%."""
    rounded = (fraction * 100).quantize(CENT)
    return f"{'+' if is_signed and rounded > 0 else ''}{exactly(rounded)}%"


def lasting(time: timedelta) -> str:
    """A length of time by its two largest units: 45 s, 3 h 5 min, 2 d."""
    seconds = max(0, round(time.total_seconds()))
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min"
    big, small = ("d", "h") if seconds >= DAY_S else ("h", "min")
    unit, part = (DAY_S, HOUR_S) if big == "d" else (HOUR_S, MINUTE_S)
    rest = seconds % unit // part
    return f"{seconds // unit} {big}" + (f" {rest} {small}" if rest else "")
