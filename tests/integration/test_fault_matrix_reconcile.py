"""Rows 7 and 15 of the fault matrix: what turns up at a loopback Binance that the books had given
up or that is nobody's, and what a person decides about it. After each both sides agree exactly."""

from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from engine.domain.accounts import HOUSE, AccountHealth, Finding, FindingKind, Resolution
from engine.domain.orders import OrderState
from tests.support.desk_at_exchange import ACCOUNT, DeskAtExchange, desk_at_exchange

ADOPT, IGNORE, CLOSE = Resolution.ADOPT, Resolution.IGNORE, Resolution.CLOSE


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskAtExchange]:
    """Without levels, so that only what a test does reaches the exchange."""
    with desk_at_exchange(tmp_path, stop_loss=None, take_profit=None) as room:
        yield room


def findings(room: DeskAtExchange) -> dict[FindingKind, Finding]:
    """The open findings by kind."""
    return {one.kind: one for one in room.books.findings.values()}


def by_hand(room: DeskAtExchange, side: str, quantity: str, price: str | None = None) -> str:
    """A person's own order at the exchange, a second later; its client id."""
    room.clock.advance(1)
    return room.exchange.order_by_hand("BTCUSDT", side, quantity, price=price).client_id


def decide(room: DeskAtExchange, kind: FindingKind, resolution: Resolution) -> AccountHealth:
    """Decide about the open finding of a kind for the one bot; the health after it."""
    bot_id = room.bot.id if resolution is ADOPT else None
    room.reconciler.resolve(findings(room)[kind].id, resolution, "ann", bot_id)
    return room.books.accounts[ACCOUNT].health


def test_row_07_a_resting_order_that_was_given_up_is_taken_back_when_it_appears(
    tmp_path: Path,
) -> None:
    with desk_at_exchange(
        tmp_path, stop_loss=None, take_profit=None, entry_order="limit", limit_offset_bps=D(50),
        entry_timeout_s=3600,
    ) as room:  # fmt: skip
        hidden = room.exchange.fault("invisible", on="POST order")
        order = room.enter()
        for _ in range(6):
            room.advance(300)
            room.check()
        assert room.order(order.client_id).state is OrderState.EXPIRED
        room.exchange.release(hidden)
        assert room.check().health is AccountHealth.CLEAN
        [taken] = room.accepted()
        assert taken.status == "CANCELED"
        assert room.position is None
        room.check_agreement()


def test_row_07_what_a_lost_order_has_filled_is_its_bots_when_it_appears(
    room: DeskAtExchange,
) -> None:
    hidden = room.exchange.fault("invisible", on="POST order")
    order = room.enter()
    for _ in range(6):
        room.advance(300)
        assert room.check().health is AccountHealth.MISMATCH
    decide(room, FindingKind.UNKNOWN_ORDER, CLOSE)
    assert room.order(order.client_id).state is OrderState.EXPIRED
    assert FindingKind.BALANCE in findings(room), "what it moved is still to be explained"
    room.exchange.release(hidden)
    assert room.check().health is AccountHealth.CLEAN
    assert set(findings(room)) == {FindingKind.LATE_FILL}
    assert "order.late_fill" in room.kinds()
    assert room.position is not None
    assert room.order(order.client_id).filled == room.accepted()[0].executed
    room.check_agreement()


def test_row_15_a_foreign_order_is_seen_and_left_alone(room: DeskAtExchange) -> None:
    client_id = by_hand(room, "BUY", "0.01", "50")
    assert room.check().health is AccountHealth.CLEAN
    order = room.order(client_id)
    assert (order.state, order.bot_id) == (OrderState.EXTERNAL, HOUSE)
    assert room.books.account_objection(ACCOUNT) is None
    room.enter()
    assert room.position is not None, "it halts nobody"
    assert room.check().health is AccountHealth.CLEAN
    decide(room, FindingKind.FOREIGN_ORDER, CLOSE)
    assert room.order(client_id).state is OrderState.CANCELLED
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_15_an_adopted_order_becomes_the_bots_entry(room: DeskAtExchange) -> None:
    client_id = by_hand(room, "BUY", "0.01", "50")
    room.check()
    decide(room, FindingKind.FOREIGN_ORDER, ADOPT)
    room.exchange.fill(client_id, "0.004", "50")
    room.advance(6)
    assert room.position is not None
    assert room.position.entry_quantity <= D("0.004")
    room.exchange.fill(client_id, "0.006", "50")
    room.advance(6)
    assert room.order(client_id).state is OrderState.FILLED
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


@pytest.mark.parametrize("resolution", [ADOPT, IGNORE, CLOSE])
def test_row_15_a_trade_by_hand_halts_until_it_is_decided(
    room: DeskAtExchange, resolution: Resolution
) -> None:
    before = room.exchange.balance("BTC")
    by_hand(room, "BUY", "0.02")
    assert room.check().health is AccountHealth.MISMATCH
    assert set(findings(room)) == {FindingKind.FOREIGN_TRADE}
    room.check_agreement()
    assert room.enter().state is OrderState.EXPIRED
    assert decide(room, FindingKind.FOREIGN_TRADE, resolution) is AccountHealth.CLEAN
    room.check_agreement()
    assert (room.position is not None) is (resolution is ADOPT)
    assert (room.exchange.balance("BTC") - before < D("0.001")) is (resolution is CLOSE)


def test_row_15_a_position_sold_by_hand_is_adopted_as_its_exit(room: DeskAtExchange) -> None:
    room.enter()
    assert room.position is not None
    held = room.position.quantity
    by_hand(room, "SELL", str(held))
    assert room.check().health is AccountHealth.MISMATCH
    assert decide(room, FindingKind.FOREIGN_TRADE, ADOPT) is AccountHealth.CLEAN
    assert room.position is None
    assert [trade.exit_reason for trade in room.trades()] == ["adopted"]
    room.check_agreement()


def test_row_15_a_symbol_that_no_bot_trades_is_found_too(room: DeskAtExchange) -> None:
    room.clock.advance(1)
    room.exchange.order_by_hand("ETHUSDT", "BUY", "0.5")
    assert room.check().health is AccountHealth.MISMATCH
    found = findings(room)
    assert set(found) == {FindingKind.FOREIGN_TRADE}
    assert found[FindingKind.FOREIGN_TRADE].symbol == "ETH/USDT"
    room.check_agreement()
