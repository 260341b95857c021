"""The desk and the reconciler against a loopback Alpaca: a bot's whole way, and where it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.domain.accounts import AccountHealth
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import OrderState, Purpose
from tests.contract.alpaca_account import PLACE
from tests.support.desk_at_alpaca import DeskAtAlpaca, desk_at_alpaca


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskAtAlpaca]:
    """With a stop and a target that rest at Alpaca."""
    with desk_at_alpaca(tmp_path) as room:
        yield room


def settled(room: DeskAtAlpaca) -> None:
    """All agree, and the account is fit to trade."""
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_a_bot_enters_is_protected_and_is_stopped_out(room: DeskAtAlpaca) -> None:
    entry = room.enter()
    assert entry.state is OrderState.FILLED
    room.advance(1, times=2)
    assert room.position is not None
    stop, target = sorted(room.orders(Purpose.PROTECTION), key=lambda one: one.stop_price is None)
    assert (stop.state, target.state) == (OrderState.OPEN, OrderState.OPEN)
    assert stop.quantity == target.quantity == room.position.quantity
    settled(room)
    room.account.exchange.set_price(room.symbol, "19")
    room.advance(6, times=2)
    assert room.position is None
    [trade] = room.trades()
    assert trade.exit_price < trade.entry_price
    settled(room)


def test_a_signal_takes_back_the_pair_before_it_sells(room: DeskAtAlpaca) -> None:
    room.enter()
    room.advance(1, times=2)
    room.close()
    room.advance(2, times=4)
    assert room.position is None
    assert len(room.trades()) == 1
    assert room.account.exchange.matching.open_orders() == []
    settled(room)


def test_row_05_a_504_is_looked_up_adopted_and_protected(room: DeskAtAlpaca) -> None:
    room.account.exchange.fault("status_504_after_accept", on=PLACE)
    entry = room.enter()
    assert entry.state is OrderState.UNKNOWN
    room.advance(1, times=3)
    assert room.order(entry.client_id).state is OrderState.FILLED
    assert len(room.account.exchange.orders_of(entry.client_id)) == 1
    assert {one.state for one in room.orders(Purpose.PROTECTION)} == {OrderState.OPEN}
    settled(room)


def test_row_05_a_pair_whose_answer_was_lost_is_adopted_too(room: DeskAtAlpaca) -> None:
    room.account.exchange.fault("status_504_after_accept", on=PLACE, nth=2)
    room.enter()
    room.advance(1, times=4)
    protections = room.orders(Purpose.PROTECTION)
    assert [one.state for one in protections] == [OrderState.OPEN] * 2
    settled(room)


def test_row_21_an_exit_that_comes_by_night_is_filled_at_the_opening(tmp_path: Path) -> None:
    with desk_at_alpaca(tmp_path, stop_loss=None, take_profit=None) as room:
        room.enter()
        room.account.clock.advance(8 * 3600)
        room.close()
        room.advance(5, times=3)
        assert room.position is not None
        [waiting] = room.orders(Purpose.EXIT)
        assert waiting.state is OrderState.OPEN
        room.account.clock.advance(14 * 3600)
        room.advance(5, times=2)
        assert room.position is None
        settled(room)


def test_row_17_crypto_is_owned_net_of_its_fee_and_sold_whole(tmp_path: Path) -> None:
    with desk_at_alpaca(tmp_path, InstrumentKind.CRYPTO) as room:
        room.enter()
        room.advance(1, times=2)
        assert room.position is not None
        held = room.account.broker.balances()["BTC"].total
        assert room.position.quantity == held
        assert room.orders(Purpose.PROTECTION) == []  # the engine watches the levels
        settled(room)
        room.close()
        room.advance(2, times=3)
        assert room.position is None
        assert "BTC" not in room.account.broker.balances()
        settled(room)
