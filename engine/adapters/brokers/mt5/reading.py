"""A terminal's answers, read strictly: a figure that cannot be is no figure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.domain.money import exact, plain

MOST = 1e15  # of anything: more is a mistake of somebody's
LAST_MS = 4_102_444_800_000  # the end of the year 2099
AMOUNT_DIGITS = 8
Row = Mapping[str, Any]


class Unreadable(ValueError):
    """An answer that is not what the package documents: it is not believed."""


def row(answer: Any) -> Row:
    """One object. Raises Unreadable."""
    if not isinstance(answer, dict):
        raise Unreadable("not an object")
    return answer


def rows(answer: Any) -> Sequence[Row]:
    """A list of objects. Raises Unreadable."""
    if not isinstance(answer, list):
        raise Unreadable("not a list")
    return [row(each) for each in answer]


def number(source: Row, name: str) -> float:
    """A finite number. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, int | float) or isinstance(told, bool) or not abs(told) <= MOST:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return float(told)


def amount(source: Row, name: str, digits: int = AMOUNT_DIGITS) -> Decimal:
    """A number, which the package tells as a double, as the decimal it stands for."""
    return plain(round(exact(number(source, name)), digits))


def positive(source: Row, name: str, digits: int = AMOUNT_DIGITS) -> Decimal:
    """An amount above zero. Raises Unreadable."""
    value = amount(source, name, digits)
    if value <= 0:
        raise Unreadable(f"{name} is {value}")
    return value


def whole(source: Row, name: str) -> int:
    """A number that counts, or names. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, int) or isinstance(told, bool) or told < 0:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def flag(source: Row, name: str) -> bool:
    """Yes or no. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, bool):
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def words(source: Row, name: str) -> str:
    """A text that is not empty. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, str) or not told:
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def remark(source: Row, name: str) -> str:
    """A text that may be empty. Raises Unreadable."""
    told = source.get(name)
    if not isinstance(told, str):
        raise Unreadable(f"{name} is {str(told)[:40]!r}")
    return told


def epoch_ms(source: Row, name: str) -> int:
    """A time by the server's clock, in milliseconds. Raises Unreadable."""
    told = whole(source, name)
    if told > LAST_MS:
        raise Unreadable(f"{name} is {told}")
    return told
