"""The books of one bot: whatever the fills, positions and trades add up exactly."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.ledger import (
    apply_fill,
    closed_trade,
    merge_entry,
    open_pnl,
    opened_position,
    shown_price,
)
from engine.domain.orders import Purpose, Side
from engine.domain.positions import Fill, PositionSide
from tests.unit.samples import bot, fill

prices = st.decimals("0.01", "99999.99", places=2)
quantities = st.decimals("0.00001", "50", places=5)
fees = st.decimals("0", "5", places=8)


def exit_fill(number: int, side: Side, price: D, quantity: D, fee: D) -> Fill:
    return fill(number, side=side, purpose=Purpose.EXIT, price=price, quantity=quantity, fee=fee)


@given(
    side=st.sampled_from([Side.BUY, Side.SELL]),
    entries=st.lists(st.tuples(prices, quantities, fees), min_size=1, max_size=4),
    exit_price=prices,
    exit_fee=fees,
    share=st.decimals("0.1", "0.9", places=1),
)
def test_a_closed_position_is_the_exact_sum_of_its_fills(
    side: Side, entries: list[tuple[D, D, D]], exit_price: D, exit_fee: D, share: D
) -> None:
    fills = [
        fill(n, side=side, price=price, quantity=quantity, fee=fee)
        for n, (price, quantity, fee) in enumerate(entries)
    ]
    position = opened_position(fills[0])
    for one in fills:
        position = apply_fill(position, one, "BTC", "USDT")
    held = position.quantity
    part = (held * share).quantize(D("0.00001"))
    way_out = Side.SELL if side is Side.BUY else Side.BUY
    exits = [exit_fill(90 + n, way_out, exit_price, quantity, exit_fee)
             for n, quantity in enumerate((part, held - part)) if quantity > 0]  # fmt: skip
    for one in exits:
        assert position.is_open
        position = apply_fill(position, one, "BTC", "USDT")
    assert not position.is_open
    assert position.quantity == 0

    trade = closed_trade(bot(), position, "USDT", "signal")
    cash = sum(
        (one.price * one.quantity * (1 if one.side is Side.SELL else -1) - one.fee
         for one in [*fills, *exits]), D(0),
    )  # fmt: skip
    assert trade.pnl == cash
    assert trade.fees == sum((one.fee for one in [*fills, *exits]), D(0))


def test_an_exit_cannot_exceed_what_is_held() -> None:
    position = apply_fill(opened_position(fill(1)), fill(1), "BTC", "USDT")
    with pytest.raises(ValueError, match="exceeds"):
        apply_fill(position, exit_fill(2, Side.SELL, D(100), D("1.00001"), D(0)), "BTC", "USDT")


def test_a_fee_in_the_base_asset_comes_off_what_is_owned() -> None:
    bought = fill(1, fee=D("0.001"), fee_asset="BTC")
    position = apply_fill(opened_position(bought), bought, "BTC", "USDT")
    assert position.quantity == D("0.999")
    assert position.fees == 0
    assert merge_entry(None, bought, "BTC").quantity == D("0.999")


def test_open_profit_of_both_sides_with_fees() -> None:
    long = apply_fill(opened_position(fill(1)), fill(1, fee=D("0.1")), "BTC", "USDT")
    assert open_pnl(long, D(110)) == D("9.9")
    sold = fill(1, side=Side.SELL, fee=D("0.1"))
    short = apply_fill(opened_position(sold), sold, "BTC", "USDT")
    assert short.side is PositionSide.SHORT
    assert open_pnl(short, D(90)) == D("9.9")


@pytest.mark.parametrize(
    ("price", "shown"),
    [(D(100), "100"), (D("1E+3"), "1000"), (D(1) / 3, "0.333333333333"), (D("0.10"), "0.1")],
)
def test_averages_are_shown_in_plain_digits(price: D, shown: str) -> None:
    assert str(shown_price(price)) == shown
