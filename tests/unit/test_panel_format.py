"""Numbers, times and states in words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from panel.format import (
    ago,
    coloured,
    countdown,
    duration,
    escape,
    escape_label,
    every,
    figure,
    moment,
    money,
    percent,
    price,
    quantity,
)  # fmt: skip

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "quote", "is_signed", "text"),
    [
        ("1234.5", "USDT", False, "1,234.50 USDT"),
        ("12", "USDT", True, "+12.00 USDT"),
        ("-0.5", "USD", True, "\u22120.50 USD"),
        ("0.0042", "USDT", True, "+0.0042 USDT"),
        ("0", "USDT", True, "0.00 USDT"),
        ("0.00012345", "BTC", False, "0.00012345 BTC"),
        ("1.5", "ETH", False, "1.5000 ETH"),
        ("0.0", "BTC", True, "0.0000 BTC"),
        ("1000000", "", False, "1,000,000.00"),
    ],
)
def test_money(amount: str, quote: str, is_signed: bool, text: str) -> None:
    assert money(Decimal(amount), quote, is_signed=is_signed) == text


def test_what_is_missing_is_a_dash_without_an_asset() -> None:
    assert money(None, "USDT") == figure(None) == price(None) == percent(None) == "\u2013"


def test_prices_keep_their_digits_and_two_decimals_at_least() -> None:
    assert price(Decimal("64250.1000")) == "64,250.10"
    assert price(149) == "149.00"
    assert quantity(Decimal("10839.0")) == "10,839"
    assert price(Decimal("0.00001234")) == "0.00001234"


def test_percent_and_its_colour() -> None:
    assert percent(Decimal("0.0213"), is_signed=True) == "+2.13 %"
    assert percent(Decimal("-0.02")) == "\u22122.00 %"
    assert coloured("x", Decimal(-1)) == ":red[x]"
    assert coloured("x", Decimal(0)) == ":gray[x]"


def test_times_are_utc() -> None:
    cet = NOON.astimezone(tz=None)
    assert moment(cet) == "2026-11-21 12:00:00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (42, "42 s"), (65, "1 min 5 s"), (3600, "1 h"), (90_061, "1 d 1 h")],
)
def test_durations_have_two_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text
    assert ago(NOON - timedelta(seconds=seconds), NOON) == f"{text} ago"


def test_countdowns() -> None:
    assert countdown(NOON + timedelta(seconds=299), NOON) == "4:59"
    assert countdown(NOON + timedelta(hours=1, seconds=3), NOON) == "1:00:03"
    assert countdown(NOON + timedelta(hours=23, minutes=59), NOON) == "23:59:00"
    assert countdown(NOON + timedelta(hours=62, minutes=59), NOON) == "2 d 14 h"
    assert countdown(NOON - timedelta(seconds=1), NOON) == "now"
    assert every(1) == "every second"
    assert every(900) == "every 15 min"


def test_markup_in_text_is_taken_literally() -> None:
    assert escape("*a* [b](c) $x$") == r"\*a\* \[b\]\(c\) \$x\$"


def test_a_label_is_read_aloud_as_it_is_written() -> None:
    assert escape_label("Address of a stand-in (v1.2)") == "Address of a stand-in (v1.2)"
    assert escape_label("*a* [b] $x$ :red[c]") == r"\*a\* \[b\] \$x\$ \:red\[c\]"
