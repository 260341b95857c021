"""Routing: which venue an entry goes to, in numbers that can be checked by hand."""

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instruments import Depth, InstrumentKind
from engine.domain.orders import Side
from engine.domain.routes import HOME_FALLBACK, RoutePlan, RoutingConfig
from engine.domain.routing import Offer, match_instrument, plan_route
from tests.fakes.clock import START
from tests.unit.samples import instrument

BTC = instrument(min_quantity=D("0.0001"), min_notional=D(5))
RULES = RoutingConfig(markets=("b",), latency_bps_per_s=D(0))


def offer(market: str = "a", **changes: Any) -> Offer:
    fields: dict[str, Any] = {
        "market": market, "account_id": f"paper:{market}", "is_home": market == "a",
        "instrument": BTC, "bid": D(99), "ask": D(101), "fee_bps": D(10), "free": D(1000),
        "latency_ms": 5.0, "age_s": 0.1, "can_short": True,
    }  # fmt: skip
    return Offer(**(fields | changes))


def route(
    *offers: Offer, side: Side = Side.BUY, amount: object = 100, rules: RoutingConfig = RULES
) -> RoutePlan:
    return plan_route(side, D(str(amount)), offers, rules, START)


def excluded(plan: RoutePlan, market: str) -> str:
    return next(one.excluded for one in plan.candidates if one.market == market)


def test_a_purchase_goes_where_one_unit_costs_least_with_the_fee() -> None:
    plan = route(offer(), offer("b", ask=D("100.95"), fee_bps=D(20)))
    assert [one.score for one in plan.candidates] == [D("101.101"), D("101.1519")]
    assert plan.chosen == "paper:a"
    assert "a costs least, by 5.03 basis points" in plan.reason
    assert route(offer(), offer("b", ask=D("100.8"), fee_bps=D(20))).chosen == "paper:b"


def test_a_sale_goes_where_it_brings_most() -> None:
    plan = route(offer(), offer("b", bid=D("99.5")), side=Side.SELL)
    assert plan.chosen == "paper:b"
    assert plan.best.score == D("99.4005")


def test_the_size_of_the_levels_counts_where_it_is_known() -> None:
    thin = Depth(symbol="BTC/USDT", bids=(), time=START,
                 asks=((D(100), D("0.1")), (D(110), D(10))))  # fmt: skip
    plan = route(offer(), offer("b", depth=thin), amount=120)
    assert plan.chosen == "paper:a"  # best price 100, but 110 for most of it
    by_market = {one.market: one for one in plan.candidates}
    assert by_market["b"].price == D(120) / (D("0.1") + D(1))
    assert (by_market["b"].has_depth, by_market["a"].has_depth) == (True, False)
    assert route(offer(), offer("b", depth=thin), amount=10).chosen == "paper:b"


def test_a_book_too_thin_for_the_entry_is_left_out() -> None:
    thin = Depth(symbol="BTC/USDT", bids=(), asks=((D(90), D("0.5")),), time=START)
    assert excluded(route(offer(), offer("b", depth=thin)), "b") == (
        "its book holds only 45 of the 100 wanted"
    )


def test_latency_costs_what_the_bot_says_it_does() -> None:
    rules = RULES.model_copy(update={"latency_bps_per_s": D(10)})
    slow = offer(latency_ms=2000.0)
    assert route(slow, offer("b", latency_ms=500.0), rules=rules).chosen == "paper:b"
    assert route(slow, offer("b", latency_ms=500.0)).chosen == "paper:a"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"trouble": "the account has not been reconciled yet"}, "not been reconciled"),
        ({"instrument": None}, "does not list"),
        ({"ask": None}, "no price"),
        ({"age_s": 5.2}, "5.2 s old"),
        ({"fee_bps": D(31)}, "21 basis points above"),
        ({"free": D("99.99")}, "only 99.99 USDT are free"),
        ({"free": None}, "free balance is not known"),
        ({"instrument": instrument(min_notional=D(101))}, "below its minimum"),
        ({"instrument": instrument(min_quantity=D(3))}, "below its minimum"),
    ],
)
def test_a_venue_that_cannot_take_it_is_left_out_and_says_why(
    changes: dict[str, Any], why: str
) -> None:
    cheap = {"ask": D(50), **changes}
    plan = route(offer(), offer("b", **cheap))
    assert plan.chosen == "paper:a"
    assert why in excluded(plan, "b")
    assert plan.reason == "a is the only one that can take it"


def test_only_a_venue_that_sells_short_is_sold_on() -> None:
    plan = route(offer(), offer("b", bid=D(120), can_short=False), side=Side.SELL)
    assert (plan.chosen, excluded(plan, "b")) == ("paper:a", "it does not sell short")


def test_without_any_that_can_the_entry_stays_with_the_bots_own() -> None:
    plan = route(offer(trouble="paused"), offer("b", trouble="down"))
    assert (plan.chosen, plan.reason) == ("paper:a", HOME_FALLBACK)
    assert [one.excluded for one in plan.candidates] == ["paused", "down"]


def test_equals_are_decided_by_the_bots_own_and_then_by_name() -> None:
    plan = route(offer("c"), offer("b"), offer())
    assert [one.market for one in plan.candidates] == ["a", "b", "c"]
    assert "equal" in plan.reason
    assert route(offer("c"), offer("b"), offer(trouble="x")).chosen == "paper:b"


def test_the_same_instrument_is_found_by_what_it_is_made_of() -> None:
    listed = [
        instrument(symbol="BTCUSDT"), instrument(symbol="btc-usdt", base="btc", quote="usdt"),
        instrument(symbol="BTC/USD", quote="USD"),
        instrument(kind=InstrumentKind.STOCK),
    ]  # fmt: skip
    found = match_instrument(BTC, listed)
    assert found is not None
    assert found.symbol == "BTCUSDT"
    assert match_instrument(BTC, [*listed, BTC]) == BTC
    assert match_instrument(BTC, listed[2:]) is None


prices = st.decimals(min_value=1, max_value=1000, places=2)
fees = st.decimals(min_value=0, max_value=20, places=1)
offers = st.lists(
    st.builds(
        lambda bid, spread, fee, trouble, latency: {
            "bid": bid, "ask": bid + spread, "fee_bps": fee, "latency_ms": latency,
            "trouble": "ill" if trouble else "",
        },
        prices, st.decimals(min_value=0, max_value=5, places=2), fees, st.booleans(),
        st.floats(0, 3000),
    ),
    min_size=1, max_size=5,
).map(
    lambda rows: [offer(name, **row) for name, row in zip("abcde", rows, strict=False)]
)  # fmt: skip
sides = st.sampled_from(Side)
RELAXED = RoutingConfig(markets=("b",), max_extra_fee_bps=D(1000))


@given(offers, sides)
def test_an_unhealthy_venue_is_never_chosen_while_another_can(
    found: list[Offer], side: Side
) -> None:
    plan = route(*found, side=side, rules=RELAXED)
    ill = {one.account_id for one in found if one.trouble}
    if len(ill) < len(found):
        assert plan.chosen not in ill
        assert not plan.best.excluded
    else:
        assert plan.chosen == "paper:a"


@given(offers, sides, st.randoms(use_true_random=False))
def test_the_order_in_which_venues_answer_decides_nothing(
    found: list[Offer], side: Side, luck: Any
) -> None:
    shuffled = list(found)
    luck.shuffle(shuffled)
    assert route(*found, side=side, rules=RELAXED) == route(*shuffled, side=side, rules=RELAXED)


@given(offers, sides, st.sampled_from(["fee_bps", "price", "latency_ms"]), st.integers(1, 200))
def test_a_venue_that_becomes_dearer_is_never_chosen_because_of_it(
    found: list[Offer], side: Side, what: str, more: int
) -> None:
    before = route(*found, side=side, rules=RELAXED)
    for index, one in enumerate(found):
        if what == "fee_bps":
            worse = replace(one, fee_bps=one.fee_bps + more)
        elif what == "latency_ms":
            worse = replace(one, latency_ms=(one.latency_ms or 0.0) + more)
        else:
            sign = 1 if side is Side.BUY else -1
            step = D(more) / 100 * sign
            worse = replace(one, bid=max((one.bid or D(0)) + step, D("0.01")),
                            ask=(one.ask or D(0)) + step)  # fmt: skip
        after = route(*found[:index], worse, *found[index + 1 :], side=side, rules=RELAXED)
        if one.account_id != before.chosen:
            assert after.chosen == before.chosen


@given(offers, sides)
def test_the_chosen_one_has_the_best_score_of_those_that_can(
    found: list[Offer], side: Side
) -> None:
    plan = route(*found, side=side, rules=RELAXED)
    scores = [one.score for one in plan.candidates if not one.excluded]
    if scores:
        best = min if side is Side.BUY else max
        assert plan.best.score == best(score for score in scores if score is not None)


def test_a_plan_comes_back_as_it_was_kept() -> None:
    plan = route(offer(), offer("b", trouble="down"))
    assert RoutePlan.model_validate_json(plan.model_dump_json()) == plan
