"""Column types that keep values exact, the same on SQLite and PostgreSQL.

Everything is text that a person can read in any database browser: SQLite has no decimal type and
keeps what looks like a number as a binary float, and neither database keeps a time zone.
"""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic_core import (
    PydanticSerializationError,
    from_json,
    to_json,
    to_jsonable_python,
)
from sqlalchemy import Dialect, Float, Text
from sqlalchemy.types import TypeDecorator

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def decimal_text(value: Decimal) -> str:
    """Every digit of ``value``, without exponent and trailing zeros: 0E-7 gives 0, 1E+2 100.

    Raises ValueError for NaN and infinity.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    digits = format(value, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def time_text(moment: datetime) -> str:
    """ISO 8601 UTC with microseconds, 27 characters, so that text order is time order.

    Raises ValueError for a naive time.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def clean_text(value: str) -> str:
    """``value`` without what a database cannot keep: NUL and half characters become U+FFFD."""
    if value.isascii():
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace(
        "\x00", "\ufffd"
    )  # fmt: skip


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal as plain text. Refuses floats (TypeError), NaN and infinity (ValueError)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To text."""
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"an amount must be a Decimal, not {type(value).__name__}")
        return decimal_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """From text."""
        return None if value is None else Decimal(value)


class UtcTime(TypeDecorator[datetime]):
    """An aware time as ISO 8601 UTC text. Refuses naive times (ValueError)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To text."""
        if value is None:
            return None
        if not isinstance(value, datetime):
            raise TypeError(f"a time must be a datetime, not {type(value).__name__}")
        return time_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From text."""
        return None if value is None else datetime.fromisoformat(value)


class PlainText(TypeDecorator[str]):
    """Text, or a string enumeration's value, that both databases accept."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To text without NUL or lone surrogates."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"a text must be a str, not {type(value).__name__}")
        return clean_text(str(value))


class FiniteFloat(TypeDecorator[float]):
    """A float. Refuses NaN and infinity, which SQLite would turn into NULL (ValueError)."""

    impl = Float
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:
        """To a float."""
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{value} is not a number to keep")
        return value if value is None else float(value)


class JsonText(TypeDecorator[Any]):
    """Models, lists and dictionaries as JSON text, with Decimals as strings and NaN as null."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To JSON."""
        if value is None:
            return None
        try:
            return to_json(value, inf_nan_mode="null").decode()
        except PydanticSerializationError:  # half characters, which UTF-8 does not know
            loose = json.dumps(to_jsonable_python(value, inf_nan_mode="null"), ensure_ascii=False)
            return clean_text(loose)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """From JSON: plain lists, dictionaries, strings and numbers."""
        return None if value is None else from_json(value)
