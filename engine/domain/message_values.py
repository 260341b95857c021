"""Numbers, percents, times and symbols as signals from outside write them."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from engine.domain.message_words import MessageError, shown

LARGEST = Decimal("1e12")
SMALLEST = Decimal("1e-15")
MOST_DIGITS = 28
HUNDRED = Decimal(100)
MOST_PERCENT = Decimal(1_000)

_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_AMOUNT = re.compile(r"\$\s*(\S+)|(\S+?)\s*(?:USDT|USDC|USD|FDUSD|EUR|GBP|JPY|\$)", re.I | re.ASCII)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d{1,9})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9:/._!&-]{0,59}", re.ASCII)


def number(name: str, value: str) -> Decimal:
    """A number above zero, without an exponent. Raises MessageError."""
    text = value.strip()
    if not _NUMBER.fullmatch(text):
        raise MessageError(f"{name} {shown(text)} is no number: write such as 0.5 or 61250.75")
    # Compared before it is written out: 1e999 would be a thousand digits.
    found = Decimal(text)
    if found <= 0:
        raise MessageError(f"{name} {shown(text)} is not above zero: leave it out, or say more")
    if not SMALLEST <= found <= LARGEST:
        raise MessageError(f"{name} {shown(text)} is beyond anything traded: check the message")
    written = format(found, "f")
    written = written.rstrip("0").rstrip(".") if "." in written else written
    if len(written.replace(".", "")) > MOST_DIGITS:
        raise MessageError(f"{name} {shown(text)} has more than {MOST_DIGITS} digits: round it")
    return Decimal(written)


def size_of(name: str, value: str) -> Decimal | None:
    """The size of a position: as ``number``, and zero is None, for flat."""
    text = value.strip()
    if _NUMBER.fullmatch(text) and Decimal(text) == 0:
        return None
    return number(name, text)


def percent_of(name: str, value: str, most: Decimal = HUNDRED) -> Decimal:
    """A percentage above zero and up to ``most``, with or without its sign. Raises MessageError."""
    found = number(name, value.strip().removesuffix("%"))
    if found > most:
        raise MessageError(f"{name} {shown(value)} is more than {most} %: write a smaller part")
    return found


def is_percent(value: str) -> bool:
    """Whether it is written as a percentage."""
    return value.strip().endswith("%")


def amount_in(value: str) -> str | None:
    """The number of an amount of money such as ``100 USDT`` or ``$100``; None for others."""
    match = _AMOUNT.fullmatch(value.strip())
    return (match[1] or match[2]) if match else None


def symbol_of(value: str) -> str:
    """A symbol as the sender writes it. Raises MessageError for what can be none."""
    text = value.strip()
    if not _SYMBOL.fullmatch(text):
        raise MessageError(
            f"symbol {shown(text)} is none: write such as BTCUSDT or BINANCE:BTCUSDT"
        )
    return text


def plain_symbol(symbol: str) -> str:
    """What a symbol is called everywhere, for comparing: ``BINANCE:BTCUSDT.P``, ``BTC/USDT:USDT``
    and ``btc-usdt`` are all ``BTCUSDT``."""
    name = symbol.strip().upper()
    head, _, tail = name.partition(":")
    if "/" in head:
        name = head  # a settlement asset follows, as ccxt writes it
    elif tail:
        name = tail  # an exchange comes before it, as TradingView writes it
    name = re.sub(r"\.P$|[-_]?PERP$", "", name)
    return re.sub(r"[^A-Z0-9]", "", name)


def moment_of(name: str, value: str) -> datetime:
    """A time, ISO 8601 (UTC where it names no zone) or an epoch in seconds or milliseconds.

    Raises MessageError.
    """
    text = value.strip()
    try:
        if _EPOCH.fullmatch(text):
            whole = text.split(".", 1)[0]
            seconds = float(text) / 1_000 if len(whole) > 10 else float(text)
            moment = datetime.fromtimestamp(seconds, UTC)
        elif _DAY.match(text):
            moment = datetime.fromisoformat(text)
        else:
            raise ValueError("neither")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MessageError(
            f"{name} {shown(text)} is no time: write such as 2026-01-31T09:56:00Z"
        ) from error
    if not 2000 <= moment.year < 2100:
        raise MessageError(f"{name} {shown(text)} is not of these years: check the sender's clock")
    return moment
