"""The rules by which signals are read against a bot: sizes, parts, levels, names, ages."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.bots import Direction
from engine.domain.decisions import Action
from engine.domain.positions import PositionSide
from engine.domain.signal_rules import (
    age_of,
    decision_moment,
    ends_side,
    entry_size,
    entry_too_old,
    exit_quantity,
    exit_too_old,
    is_symbol_of,
    levels_of,
    meaning_of,
    order_stem,
)
from engine.domain.signals import (
    Expected,
    QuantityKind,
    Signal,
    SignalAction,
    SignalOrder,
    SignalSource,
)
from engine.domain.sizing import stake
from tests.unit.samples import bot, config, instrument, position

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
MOMENT = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIDES = st.sampled_from([None, LONG, SHORT])
NUMBERS = st.decimals(D("0.000001"), D("1e9"), places=6)
ORDERS = st.builds(
    SignalOrder,
    action=st.sampled_from(SignalAction), side=SIDES, quantity=st.none() | NUMBERS,
    quantity_kind=st.sampled_from(QuantityKind), expected=st.none() | st.sampled_from(Expected),
    stop_price=st.none() | NUMBERS, target_price=st.none() | NUMBERS,
    stop_percent=st.none() | st.decimals(D("0.01"), 100, places=2),
    target_percent=st.none() | st.decimals(D("0.01"), 1000, places=2),
)  # fmt: skip


@given(ORDERS, SIDES, st.sampled_from(Direction), SIDES)
def test_a_meaning_is_always_one_that_the_bot_may_have(
    order: SignalOrder, held: PositionSide | None, direction: Direction,
    working: PositionSide | None,
) -> None:  # fmt: skip
    meaning = meaning_of(order, position(side=held) if held else None, direction, working)
    if meaning.entry is not None:
        assert direction in (Direction.BOTH, Direction(meaning.entry.value))
        assert held is None or meaning.is_exit or order.action is SignalAction.ADD
    if meaning.is_exit:
        assert held is not None
        assert meaning.entry is not held
        assert order.side in (None, held) or order.action in (
            SignalAction.REVERSE, SignalAction.FLAT
        )  # fmt: skip
    if meaning.action is Action.HOLD:
        assert meaning.reason
    actual = held.value if held else "flat"
    if order.expected not in (None, actual):
        assert meaning.action is Action.HOLD
        assert not meaning.cancels


@given(ORDERS, NUMBERS, st.integers(1, 5), st.booleans(), st.decimals(-200, 500, places=2))
def test_an_entry_is_never_more_than_the_stake(
    order: SignalOrder, price: D, max_entries: int, reinvest: bool, pnl: D
) -> None:
    one = bot(config(max_entries=max_entries, reinvest=reinvest), realised_pnl=pnl)
    size = entry_size(order, one, position(), price)
    assert 0 <= size.amount <= stake(one)
    if size.asked is not None:
        assert size.asked > size.amount == size.most == stake(one)


@given(ORDERS, st.decimals(D("0.00001"), 1_000, places=5), st.decimals(D("0.01"), 10**6, places=2))
def test_a_part_leaves_nothing_that_the_venue_does_not_trade(
    order: SignalOrder, quantity: D, price: D
) -> None:
    rules = instrument()
    held = position(quantity=quantity)
    part = exit_quantity(order, held, price, rules)
    assert 0 < part <= quantity
    if part < quantity:
        assert part % rules.quantity_step == 0
        assert part * price >= rules.min_notional
        assert (quantity - part) * price >= rules.min_notional


@given(ORDERS, st.sampled_from([LONG, SHORT]), st.decimals(D("0.01"), 10**6, places=2))
def test_levels_are_on_their_side_of_the_price_and_on_the_tick(
    order: SignalOrder, side: PositionSide, price: D
) -> None:
    levels = levels_of(order, side, price, instrument())
    if levels.objection:
        assert levels.stop is levels.target is None
        return
    sign = 1 if side is LONG else -1
    assert levels.stop is None or (price - levels.stop) * sign > 0
    assert levels.target is None or (levels.target - price) * sign > 0
    for level in (levels.stop, levels.target):
        assert level is None or (level > 0 and level % D("0.01") == 0)


def test_levels_in_percent_are_of_the_price() -> None:
    order = SignalOrder(action=SignalAction.OPEN, side=LONG, stop_percent=D(2),
                        target_percent=D("2.5"))  # fmt: skip
    long, short = (levels_of(order, side, D(200), instrument()) for side in (LONG, SHORT))
    assert (long.stop, long.target) == (D(196), D(205))
    assert (short.stop, short.target) == (D(204), D(195))
    steep = order.model_copy(update={"target_percent": D(100)})
    assert (
        "below the price of 200, and 0 is not"
        in levels_of(steep, SHORT, D(200), instrument()).objection
    )


@pytest.mark.parametrize(
    ("symbol", "is_its_own"),
    [("", True), ("BTC/USDT", True), ("BINANCE:BTCUSDT.P", True), ("btcusdt", True),
     ("BTC-USDT", True), ("BTC/USDT:USDT", True), ("ETHUSDT", False), ("BTCUSD", False),
     ("BTC", False)],
)  # fmt: skip
def test_a_symbol_is_the_bot_s_in_every_spelling(symbol: str, is_its_own: bool) -> None:
    assert is_symbol_of(symbol, bot(), instrument()) is is_its_own


def signal(**changes: object) -> Signal:
    """One that was received at noon."""
    fields = {"id": "s", "source": SignalSource.WEBHOOK, "sender": "b", "digest": "d", "body": "",
              "received_at": MOMENT}  # fmt: skip
    return Signal.model_validate(fields | changes)


def test_the_age_counts_from_when_it_was_sent_and_never_from_the_future() -> None:
    later = MOMENT + timedelta(seconds=10)
    assert age_of(signal(), later) == timedelta(seconds=10)
    assert age_of(signal(sent_at=MOMENT - timedelta(seconds=5)), later) == timedelta(seconds=15)
    assert age_of(signal(sent_at=MOMENT + timedelta(hours=9)), later) == timedelta(seconds=10)
    assert age_of(signal(), MOMENT - timedelta(seconds=1)) == timedelta(0), "the clock was set back"
    assert not entry_too_old(signal(), later, 10)
    assert entry_too_old(signal(), later, 9)
    assert not exit_too_old(signal(), MOMENT + timedelta(days=1))
    assert exit_too_old(signal(), MOMENT + timedelta(days=1, seconds=1))


@pytest.mark.parametrize(
    ("order", "ends_long"),
    [
        (SignalOrder(action=SignalAction.FLAT), True),
        (SignalOrder(action=SignalAction.CLOSE), True),
        (SignalOrder(action=SignalAction.CLOSE, side=LONG), True),
        (SignalOrder(action=SignalAction.CLOSE, side=SHORT), False),
        (SignalOrder(action=SignalAction.CLOSE, quantity=D(1)), False),
        (SignalOrder(action=SignalAction.REVERSE, side=SHORT), True),
        (SignalOrder(action=SignalAction.REVERSE, side=LONG), False),
        (SignalOrder(action=SignalAction.OPEN, side=SHORT), False),
        (SignalOrder(action=SignalAction.ADD, side=LONG), False),
    ],
)  # fmt: skip
def test_which_signals_leave_nothing_of_a_side(order: SignalOrder, ends_long: bool) -> None:
    assert ends_side(order, LONG) is ends_long


def test_ids_are_made_of_the_signal_and_moments_are_no_candle_s() -> None:
    assert order_stem("b0000001", "one") == order_stem("b0000001", "one")
    assert order_stem("b0000001", "one") != order_stem("b0000001", "two")
    assert len(order_stem("b0000001", "x" * 64)) == 30
    assert decision_moment(MOMENT) == MOMENT + timedelta(microseconds=1)
    odd = MOMENT + timedelta(microseconds=7)
    assert decision_moment(odd) == odd
