"""Values to JSON exactly: decimals as plain strings, times as ISO 8601 UTC, no NaN."""

import json
import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from fastapi import Response
from pydantic import TypeAdapter

from engine.domain.money import text, utc_text

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


def dump(value: object) -> bytes:
    """``value`` (models, sequences, mappings) as one JSON document.

    Pydantic alone would write Decimal('1E+2') as "1E+2". A float that is no number becomes null,
    which JSON can say.
    """
    plain = _ANY.dump_python(value)
    try:
        return _encode(plain)
    except ValueError:
        return _encode(_without_nan(plain))


def answer(value: object, status: int = 200) -> Response:
    """A JSON response. Routes give it ready-made, so that nothing is validated twice."""
    return Response(dump(value), status_code=status, media_type="application/json")


def _encode(plain: object) -> bytes:
    return json.dumps(plain, default=_scalar, allow_nan=False, separators=(",", ":")).encode()


def _scalar(value: object) -> str:
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
