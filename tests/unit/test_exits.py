"""Exits: which level a bar reaches first, and at what price."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.bots import RoiStep
from engine.domain.exits import PriceBar, better_price, find_exit, fixed_levels
from engine.domain.positions import PositionSide
from tests.fakes.clock import START
from tests.unit.samples import config, instrument, position

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def bar(opened: object, high: object, low: object, *, at_s: int = 60) -> PriceBar:
    return PriceBar(START + timedelta(seconds=at_s), D(str(opened)), D(str(high)), D(str(low)))


def held(side: PositionSide, **changes: Any) -> Any:
    stop, target = fixed_levels(config(**changes), side, D(100), instrument())
    return position(side=side, stop_price=stop, target_price=target)


CASES = [
    # side, rules, bar, what happens
    (LONG, {}, bar(100, 101, 99), None),
    (LONG, {}, bar(100, 100, 98), ("stop_loss", "98")),
    (LONG, {}, bar(100, 100, "98.01"), None),
    (LONG, {}, bar(97, 99, 96), ("stop_loss", "97")),  # a gap fills at the open
    (LONG, {}, bar(100, 105, 100), ("take_profit", "105")),
    (LONG, {}, bar(106, 107, 105), ("take_profit", "106")),
    (LONG, {}, bar(100, 105, 98), ("stop_loss", "98")),  # both touched: the stop is taken
    (SHORT, {}, bar(100, 102, 100), ("stop_loss", "102")),
    (SHORT, {}, bar(103, 104, 100), ("stop_loss", "103")),
    (SHORT, {}, bar(100, 101, 95), ("take_profit", "95")),
    (SHORT, {}, bar(94, 95, 93), ("take_profit", "94")),
    (SHORT, {}, bar(100, 102, 95), ("stop_loss", "102")),
    (LONG, {"stop_loss": None}, bar(50, 60, 40), None),
    (LONG, {"time_limit_s": 60}, bar(100, 101, 99), ("time_limit", "100")),
    (LONG, {"time_limit_s": 61}, bar(100, 101, 99), None),
    (LONG, {"time_limit_s": 60}, bar(97, 97, 97), ("stop_loss", "97")),
]  # fmt: skip


@pytest.mark.parametrize(("side", "rules", "price_bar", "expected"), CASES)
def test_the_level_that_a_bar_reaches(
    side: PositionSide, rules: dict[str, Any], price_bar: PriceBar, expected: Any
) -> None:
    trigger = find_exit(held(side, **rules), config(**rules), instrument(), price_bar)
    found = None if trigger is None else (trigger.reason, str(trigger.price))
    assert found == expected


def test_a_trailing_stop_follows_the_best_price_before_the_bar() -> None:
    rules = {"trailing_stop": D("0.01"), "take_profit": None}
    open_position = held(LONG, **rules).model_copy(update={"best_price": D(110)})

    own_high = find_exit(open_position, config(**rules), instrument(), bar(109.5, 120, 109))
    assert own_high is None, "a bar's own high must not raise the stop that its low then hits"

    hit = find_exit(open_position, config(**rules), instrument(), bar(109.5, 110, 108.9))
    assert hit is not None
    assert (hit.reason, hit.price) == ("trailing_stop", D("108.90"))
    assert better_price(open_position, bar(109, 120, 108)) == D(120)


def test_the_fixed_stop_holds_until_the_trailing_stop_has_passed_it() -> None:
    rules = {"trailing_stop": D("0.05")}
    trigger = find_exit(held(LONG, **rules), config(**rules), instrument(), bar(100, 100, 97))
    assert trigger is not None
    assert (trigger.reason, trigger.price) == ("stop_loss", D(98))


def test_roi_steps_take_over_as_the_position_ages() -> None:
    steps = (RoiStep(after_s=0, profit=D("0.04")), RoiStep(after_s=3600, profit=D("0.01")))
    rules = {"roi_steps": steps}
    young = find_exit(held(LONG, **rules), config(**rules), instrument(), bar(100, 102, 100))
    old = find_exit(
        held(LONG, **rules), config(**rules), instrument(), bar(100, 102, 100, at_s=3600)
    )
    assert young is None
    assert old is not None
    assert (old.reason, old.price) == ("roi", D(101))


@given(
    average=st.decimals("0.01", "100000", places=2),
    fraction=st.decimals("0.001", "0.5", places=3),
    side=st.sampled_from([LONG, SHORT]),
)
def test_levels_lie_on_the_tick_and_never_add_risk(
    average: D, fraction: D, side: PositionSide
) -> None:
    rules = config(stop_loss=fraction, take_profit=fraction)
    stop, target = fixed_levels(rules, side, average, instrument())
    assert stop is not None
    assert target is not None
    assert stop % D("0.01") == 0
    assert target % D("0.01") == 0
    risk = average - stop if side is LONG else stop - average
    promise = target - average if side is LONG else average - target
    assert risk <= average * fraction
    assert promise >= average * fraction
