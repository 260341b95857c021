"""Answers read strictly, as the description says where: exact amounts or nothing at all."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.adapters.brokers.rest.signatures import TimeFormat
from engine.adapters.brokers.rest.timekeeping import read_time
from engine.adapters.brokers.rest.words import Expression, Unreadable
from engine.domain.money import plain

MOST = Decimal(10) ** 18  # of anything: more is a mistake of somebody's
SHOWN = 40


def parsed(text: str) -> Any:
    """JSON, its numbers exact. Raises Unreadable for anything else, NaN included."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Unreadable(f"no JSON: '{shown(text)}'") from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def shown(told: Any) -> str:
    """The beginning of something, for a sentence."""
    words = " ".join(str(told).split())
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}..."


class At:
    """One row of an answer, and where in the description it is read: ``order``, ``quote``."""

    def __init__(self, row: Any, where: str, times: TimeFormat) -> None:
        self.row = row
        self._where = where
        self._times = times

    def find(self, path: Expression) -> Any:
        """What is there, unread. Raises Unreadable."""
        try:
            return path.find(self.row)
        except Unreadable as error:
            raise Unreadable(f"{self._where}: {error}") from error

    def amount(
        self, path: Expression, *, is_signed: bool = False, is_positive: bool = False
    ) -> Decimal:
        """An exact amount that is not below zero. Raises Unreadable for NaN, null, nonsense."""
        told = self.find(path)
        is_exact = isinstance(told, str | int | Decimal) and not isinstance(told, bool)
        try:
            value = Decimal(told) if is_exact else None
        except InvalidOperation:
            value = None
        if value is None or not value.is_finite() or abs(value) > MOST:
            raise self._odd(path, told, "an amount")
        if (value < 0 and not is_signed) or (value == 0 and is_positive):
            raise self._odd(path, told, "an amount above zero")
        return plain(value)

    def amount_or_none(self, path: Expression | None) -> Decimal | None:
        """The same; None for what is not described, null, empty or zero."""
        if path is None or self.find(path) in (None, ""):
            return None
        return self.amount(path) or None

    def words(self, path: Expression) -> str:
        """A text that is not empty, or a whole number as text. Raises Unreadable."""
        told = self.find(path)
        if isinstance(told, bool) or not isinstance(told, str | int) or told == "":
            raise self._odd(path, told, "a text")
        return str(told)

    def words_or_empty(self, path: Expression | None) -> str:
        """The same; empty for what is not described or null."""
        if path is None or self.find(path) in (None, ""):
            return ""
        return self.words(path)

    def moment(self, path: Expression) -> datetime:
        """A time. Raises Unreadable."""
        told = self.find(path)
        try:
            return read_time(told, self._times)
        except (ValueError, OverflowError) as error:
            raise Unreadable(
                f"{self._where}: '{path.source}' is '{shown(told)}', which is no time as "
                f"'{self._times.value}' says ({error})"
            ) from error

    def flag(self, path: Expression) -> bool:
        """True or false. Raises Unreadable."""
        told = self.find(path)
        if not isinstance(told, bool):
            raise self._odd(path, told, "true or false")
        return told

    def _odd(self, path: Expression, told: Any, wanted: str) -> Unreadable:
        is_there = "is not there" if told is None else f"is '{shown(told)}'"
        return Unreadable(f"{self._where}: '{path.source}' {is_there}, where {wanted} should be")


def rows_of(answer: Any, path: Expression, where: str) -> Sequence[Any]:
    """A list in an answer. Raises Unreadable."""
    found = At(answer, where, TimeFormat.MS).find(path)
    if not isinstance(found, list):
        kind = "nothing" if found is None else "no list"
        raise Unreadable(f"{where}: there is {kind} at rows '{path.source}'")
    return found
