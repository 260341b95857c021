"""Reads the bodies of signals from outside, JSON or text, as TradingView and scripts write them.

Any text either becomes a ``Message`` or raises ``MessageError`` with a sentence for its sender.
The format is described in docs/tradingview.md.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NoReturn

from engine.domain.message_orders import order_of
from engine.domain.message_values import moment_of, plain_symbol
from engine.domain.message_words import (
    EXAMPLE,
    FIELDS,
    RANKED,
    RANKS,
    MessageError,
    is_phrase_word,
    shown,
    spelled,
)
from engine.domain.signals import SignalOrder

__all__ = ["Message", "MessageError", "is_readable", "plain_symbol", "read_message"]

MAX_LENGTH = 20_000
MAX_FIELDS = 200
MAX_DEPTH = 3

_PLACEHOLDER = re.compile(r"\{\{([^{}]{0,80})\}?\}?")
# What TradingView proposes as the message of a strategy's alert.
_DEFAULT = re.compile(
    r"order (?P<action>buy|sell) @ (?P<contracts>\S+) filled on (?P<symbol>\S+?)\."
    r"\s+New strategy position is (?P<signed_size>\S+)"
)


@dataclass(frozen=True)
class Message:
    """A message that was understood. ``sent_at`` is what the sender says, ``identity`` what makes
    it the same message again (its id, or its own time with all of the body); empty: nothing."""

    order: SignalOrder
    sent_at: datetime | None = None
    identity: str = ""


def is_readable(content_type: str) -> bool:
    """Whether a body of this type may be a message: JSON or plain text, or of no named type."""
    kind = content_type.split(";", 1)[0].strip().lower()
    return kind in ("", "application/json", "text/json", "text/plain") or kind.endswith("+json")


def read_message(body: str, content_type: str = "") -> Message:
    """What a body says. What looks like JSON is read as JSON, whatever its type says.

    Raises MessageError.
    """
    if not is_readable(content_type):
        raise MessageError(
            f"{shown(content_type)} cannot be read: send application/json or text/plain"
        )
    text = body.strip().removeprefix("\ufeff").strip()
    if not text:
        raise MessageError(f"the message is empty: {EXAMPLE}")
    if len(text) > MAX_LENGTH:
        raise MessageError(f"the message has more than {MAX_LENGTH} characters: shorten it")
    if (left := _PLACEHOLDER.search(text)) is not None:
        raise MessageError(
            f"the placeholder {shown(left[1].strip())} was not filled in: it exists only in "
            "alerts of the kind it is meant for, and only as TradingView spells it"
        )
    is_json = text.startswith("{") or "json" in content_type.lower()
    fields = _json_fields(text) if is_json else _text_fields(text)
    order = order_of(fields)
    sent_at = moment_of("the time", fields["sent_at"]) if "sent_at" in fields else None
    return Message(order=order, sent_at=sent_at, identity=_identity(fields, sent_at, text))


def _identity(fields: dict[str, str], sent_at: datetime | None, text: str) -> str:
    told = fields.get("id", "").strip()
    if told:
        if told == fields.get("order_id") or not any(c.isdigit() for c in told):
            raise MessageError(
                f"the id {shown(told)} is not of this signal alone: use one that differs for "
                "every signal, or leave it out (strategy.order.id belongs in order_id)"
            )
        if len(told) > 200:
            raise MessageError("the id has more than 200 characters: shorten it")
        return f"id:{told}"
    # Its own time makes an equal body the same message; another order of that second differs.
    return (
        f"body:{sha256(text.encode(errors='surrogatepass')).hexdigest()}"
        if sent_at is not None
        else ""
    )


# --- JSON -------------------------------------------------------------------------------------


def _json_fields(text: str) -> dict[str, str]:
    """The fields of a JSON object, those of objects within it too, under our names."""
    try:
        found = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_number, parse_int=str,
            parse_float=str,
        )  # fmt: skip
    except json.JSONDecodeError as error:
        raise MessageError(
            f"it is no JSON (line {error.lineno}, column {error.colno}: {error.msg}): check "
            "quotes and commas"
        ) from error
    except RecursionError as error:
        raise MessageError("it has objects in objects without end: write plain fields") from error
    if not isinstance(found, dict):
        raise MessageError(f"it is no JSON object: {EXAMPLE}")
    pairs = list(_flat(found))
    if len(pairs) > MAX_FIELDS:
        raise MessageError(f"it has more than {MAX_FIELDS} fields: leave out what is not needed")
    best: dict[str, tuple[int, str, str]] = {}
    for name, value in pairs:
        spelling = spelled(name)
        field = FIELDS.get(spelling)
        if isinstance(value, list):
            raise MessageError(f"{shown(name)} is a list: write plain fields")
        if field is None or value is None:
            continue
        if isinstance(value, bool):
            raise MessageError(f"{shown(name)} is {str(value).lower()}: write a number or a text")
        if value.strip():
            _take(best, field, RANKS[spelling], name, value.strip())
    return {field: value for field, (_, _, value) in best.items()}


def _take(
    best: dict[str, tuple[int, str, str]], field: str, rank: int, name: str, value: str
) -> None:
    """Keep a value; of fields that may be told more than once, that of the better spelling."""
    known = best.get(field)
    if known is None or (field in RANKED and rank < known[0]):
        best[field] = (rank, name, value)
    elif field not in RANKED and not _same(field, known[2], value):
        raise MessageError(
            f"{shown(known[1])} and {shown(name)} mean the same and differ: keep one of them"
        )


def _same(field: str, one: str, other: str) -> bool:
    if field == "symbol":
        return plain_symbol(one) == plain_symbol(other)
    return one.lower() == other.lower()


def _flat(found: dict[str, Any], path: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        name = f"{path}.{key}" if path else key
        if not isinstance(value, dict):
            yield name, value
        elif depth >= MAX_DEPTH:
            raise MessageError(f"{shown(name)} is nested too deeply: write plain fields")
        else:
            yield from _flat(value, name, depth + 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise MessageError(f"{shown(key)} is there twice: keep one of them")
        found[key] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise MessageError(f"{word} is no number: leave the field out when there is no value")


# --- text -------------------------------------------------------------------------------------


def _text_fields(text: str) -> dict[str, str]:
    """The fields of a line such as ``close long ETHUSDT 50% id=7``."""
    if text[0] in "[\"'":
        raise MessageError(f"it is neither a JSON object nor a line of words: {EXAMPLE}")
    default = _DEFAULT.search(text)
    if default is not None:
        return default.groupdict()
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    if len(words) > MAX_FIELDS:
        raise MessageError(f"it has more than {MAX_FIELDS} words: {EXAMPLE}")
    fields: dict[str, str] = {}
    phrase: list[str] = []
    while words:
        word = words.pop(0)
        name, value = _pair(word, words)
        if name:
            _put(fields, name, value)
        elif not fields and is_phrase_word(word):
            phrase.append(word)
        elif word[0] in "$.-+" or word[0].isdigit():
            _put(fields, "quantity", _with_currency(word, words))
        elif word.startswith("@"):
            _put(fields, "price", word[1:] or (words.pop(0) if words else ""))
        else:
            _put(fields, "symbol", word)
    if phrase:
        _put(fields, "action", " ".join(phrase))
    return fields


def _pair(word: str, following: list[str]) -> tuple[str, str]:
    """The field that ``sl=2%``, ``sl:2%`` or ``sl 2%`` tells; empty for other words."""
    for mark in "=:":
        name, found, value = word.partition(mark)
        field = FIELDS.get(spelled(name)) if found else None
        if field is not None:
            return field, value or (following.pop(0) if following else "")
        if mark == "=" and found:
            raise MessageError(f"{shown(name)} is no field of a message: {EXAMPLE}")
    field = FIELDS.get(spelled(word))
    if field is None or is_phrase_word(word) or not following:
        return "", ""
    return field, following.pop(0)


def _with_currency(word: str, following: list[str]) -> str:
    """``100 USDT`` are two words of one amount."""
    currencies = ("USDT", "USDC", "USD", "FDUSD", "EUR", "GBP", "JPY", "%")
    if following and following[0].upper() in currencies:
        return f"{word}{following.pop(0)}"
    return word


def _put(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise MessageError(f"it tells the {name.replace('_', ' ')} twice: {EXAMPLE}")
    if not value:
        raise MessageError(f"it tells no value for the {name.replace('_', ' ')}: {EXAMPLE}")
    fields[name] = value
