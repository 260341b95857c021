"""Limits as rules: what each refuses, delays or lets pass, exactly at its edge."""

from collections.abc import Sequence
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.limits import (
    LIMIT_RULES,
    Attempt,
    Limits,
    OnExit,
    Pace,
    find_breach,
    notional_of,
    rounded,
    usage_of,
)
from engine.domain.orders import Order, OrderType, Purpose, Side
from engine.domain.records import ScopeKind
from engine.settings import Settings
from tests.fakes.clock import START

ENTRY, EXIT, PROTECTION = Purpose.ENTRY, Purpose.EXIT, Purpose.PROTECTION
BUY, SELL = Side.BUY, Side.SELL
REDUCING = (EXIT, PROTECTION)

CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # the rule, its limit, what is just allowed, what is just too much
    ("orders a minute of a bot", {"bot_orders_per_minute": 3}, {"bot_sent": 2}, {"bot_sent": 3}),
    ("orders a minute of an account", {"account_orders_per_minute": 3},
     {"account_sent": 2}, {"account_sent": 3}),
    ("the value of an order", {"order_notional": D(100)},
     {"notional": D(100)}, {"notional": D("100.00000001")}),
    ("the value traded in a day", {"day_notional": D(500)},
     {"day_notional": D(400)}, {"day_notional": D("400.01")}),
    ("the position of a bot", {"bot_position": D(500)},
     {"bot_position": D(400)}, {"bot_position": D("400.01")}),
    ("the position of an account in a symbol", {"account_position": D(500)},
     {"account_position": D(400)}, {"account_position": D("400.01")}),
    ("the price of an order", {"price_band": D("0.05")},
     {"price": D(105)}, {"price": D("105.01")}),
]  # fmt: skip


def order(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "client_id": "qd-1", "bot_id": "b0000001", "account_id": "test:binance",
        "symbol": "BTC/USDT", "side": BUY, "purpose": ENTRY, "quantity": D(1),
        "decided_at": START, "created_at": START, "updated_at": START,
    }  # fmt: skip
    return Order(**(fields | changes))


def attempt(limits: Limits, purpose: Purpose = ENTRY, **changes: Any) -> Attempt:
    """100 USDT of BTC at 100."""
    price = changes.pop("price", None)
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    one = changes.pop("order", None) or order(purpose=purpose, price=price, type=kind)
    fields: dict[str, Any] = {"notional": D(100), "quote": "USDT", "last": D(100)}
    return Attempt(limits=limits, order=one, **(fields | changes))


@pytest.mark.parametrize(("rule", "limits", "least", "much"), CASES)
def test_each_limit_holds_at_its_edge(
    rule: str, limits: dict[str, Any], least: dict[str, Any], much: dict[str, Any]
) -> None:
    assert find_breach(attempt(Limits(**limits), **least)) is None
    breach = find_breach(attempt(Limits(**limits), **much))
    assert breach is not None
    assert breach.rule.name == rule
    assert breach.message.startswith(f"The limit on {rule} forbids it: ")
    assert breach.message.endswith(" in the settings.")
    assert find_breach(attempt(Limits(), **much)) is None, "no limit, no breach"


@pytest.mark.parametrize("purpose", REDUCING)
@pytest.mark.parametrize(("rule", "limits", "_least", "much"), CASES)
def test_what_reduces_a_position_is_delayed_or_passes_but_for_its_price(
    rule: str, limits: dict[str, Any], _least: Any, much: dict[str, Any], purpose: Purpose
) -> None:
    breach = find_breach(attempt(Limits(**limits), purpose, **much))
    row = next(one for one in LIMIT_RULES if one.name == rule)
    assert (breach is None) is (row.on_exit is OnExit.ALLOW)
    refused = [one.name for one in LIMIT_RULES if one.on_exit is OnExit.REFUSE]
    assert refused == ["the price of an order"]


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, *_ in CASES} == {rule.name for rule in LIMIT_RULES}


BAND = Limits(price_band=D("0.05"))
PRICES: Sequence[tuple[dict[str, Any], bool]] = [
    ({"side": BUY, "price": D(50)}, True),  # better than the market by any distance
    ({"side": SELL, "price": D(500), "purpose": EXIT}, True),
    ({"side": SELL, "price": D(95), "purpose": EXIT}, True),
    ({"side": SELL, "price": D("94.99"), "purpose": EXIT}, False),
    ({"side": BUY, "price": D("105.01"), "purpose": PROTECTION}, False),
    # far from the market, yet near to its own trigger
    ({"side": SELL, "price": D(79), "stop_price": D(80), "type": OrderType.STOP_LIMIT,
      "purpose": PROTECTION}, True),
    ({"side": SELL, "price": D(75), "stop_price": D(80), "type": OrderType.STOP_LIMIT,
      "purpose": PROTECTION}, False),
    ({"side": BUY, "stop_price": D(500), "type": OrderType.STOP}, True),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "is_allowed"), PRICES)
def test_the_band_is_about_prices_worse_than_the_market(
    fields: dict[str, Any], is_allowed: bool
) -> None:
    one = order(**({"type": OrderType.LIMIT} | fields))
    assert (find_breach(attempt(BAND, order=one)) is None) is is_allowed
    assert find_breach(attempt(BAND, order=order(price=D(105)), last=None)) is None


def test_a_message_says_the_limit_and_what_to_do() -> None:
    breach = find_breach(attempt(Limits(order_notional=D(50))))
    assert breach is not None
    assert breach.message == (
        "The limit on the value of an order forbids it: 100 USDT would be more than 50; "
        "make it smaller, or raise the limit in the settings."
    )


amounts = st.decimals(min_value=0, max_value=1_000_000, places=8)


@given(most=amounts, day=amounts, bot=amounts, notional=amounts)
def test_no_entry_beyond_an_amount_and_no_entry_within_it_refused(
    most: D, day: D, bot: D, notional: D
) -> None:
    limits = Limits(order_notional=most, day_notional=most, bot_position=most)
    breach = find_breach(attempt(limits, notional=notional, day_notional=day, bot_position=bot))
    assert (breach is None) is (max(notional, day + notional, bot + notional) <= most)


def test_an_orders_value_is_told_by_the_price_it_asks_for() -> None:
    assert notional_of(order(), D(2), None, D(100)) == 200
    assert notional_of(order(price=D(90)), D(2), None, D(100)) == 180
    assert notional_of(order(stop_price=D(110)), D(2), None, D(100)) == 220
    assert notional_of(order(), D(2), D(95), D(100)) == 190
    spends = order(quantity=None, quote_amount=D(75))
    assert notional_of(spends, None, None, D(100)) == 75
    assert notional_of(order(), D(2), None, None) is None


def test_a_replay_knows_no_minutes_but_amounts() -> None:
    whole = Settings(limit_order_notional=D(5)).limits(is_paper=False)
    assert whole.bot_orders_per_minute and whole.account_orders_per_minute
    replay = whole.without_pace()
    assert (replay.bot_orders_per_minute, replay.account_orders_per_minute) == (None, None)
    assert replay.order_notional == 5


def test_paper_accounts_take_any_number_of_bots() -> None:
    settings = Settings()
    assert settings.limits(is_paper=True).account_orders_per_minute is None
    assert settings.limits(is_paper=True).bot_orders_per_minute == 600
    real = settings.limits(is_paper=False)
    assert (real.bot_orders_per_minute, real.account_orders_per_minute) == (60, 300)
    assert real.price_band == D("0.05")
    assert (real.order_notional, real.day_notional) == (None, None)


# --- the last minute


@given(
    gaps=st.lists(st.floats(min_value=0, max_value=90), max_size=30),
    most=st.integers(min_value=1, max_value=5),
)
def test_a_pace_counts_exactly_the_last_minute(gaps: list[float], most: int) -> None:
    pace, moments, now = Pace(), [], 0.0
    for number, gap in enumerate(gaps):
        now += gap
        pace.add(number, now)
        moments.append(now)
        count = sum(now - moment < 60 for moment in moments)
        assert pace.count(now) == count
        wait = pace.free_in_s(now, most)
        assert (wait == 0) is (count < most)
        assert wait <= 60 + 1e-6
        later = sum(now + wait + 1e-6 - moment < 60 for moment in moments)
        assert later < most


def test_a_thing_is_counted_once() -> None:
    pace = Pace()
    for second in range(10):
        pace.add("same", float(second))
    assert pace.count(9.0) == 1
    assert pace.count(60.0) == 0


def test_use_is_a_fraction_of_the_limit() -> None:
    row = usage_of("orders a minute", ScopeKind.BOT, "b1", 60, 15)
    assert (row.limit, row.used, row.fraction) == (D(60), D(15), D("0.25"))


@pytest.mark.parametrize(
    ("value", "words"),
    [(D("100.00"), "100"), (D("1E+3"), "1000"), (D("0.000001234567891"), "0.0000012345679"),
     (D("123456789.123"), "123456790"), (D(0), "0")],
)  # fmt: skip
def test_amounts_in_sentences_are_short_and_plain(value: D, words: str) -> None:
    assert rounded(value) == words
