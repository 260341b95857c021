"""Rows 3 to 19 and 26 of the fault matrix: the desk and the reconciler against a loopback Binance
that misbehaves, spoken to through ccxt. After each of them both sides agree to the last digit."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.domain.accounts import AccountHealth, FindingKind, Resolution
from engine.domain.orders import OrderState, Purpose
from engine.errors import BrokerError
from tests.support.desk_at_exchange import DeskAtExchange, desk_at_exchange

ORDER = "POST order"
LOOK_UP = "GET order"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskAtExchange]:
    """Without levels, so that only what a test does reaches the exchange."""
    with desk_at_exchange(tmp_path, stop_loss=None, take_profit=None) as room:
        yield room


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[DeskAtExchange]:
    """With a stop and a target that rest at the exchange."""
    with desk_at_exchange(tmp_path) as room:
        yield room


def settle(room: DeskAtExchange) -> None:
    """The exchange is well again; time passes until nothing is in doubt."""
    room.exchange.release_all()
    for _ in range(4):
        room.advance(QUIET_AND_MORE_S)
    room.check()


QUIET_AND_MORE_S = 26


def close_and_compare(room: DeskAtExchange, trades: int = 1) -> None:
    """The position can be closed like any other, and all agree."""
    room.close()
    room.advance(2, times=4)
    assert room.position is None
    assert len(room.trades()) == trades
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


# --- orders whose answer is lost ----------------------------------------------------------------


def test_row_03_timeout_after_accept_is_one_order(room: DeskAtExchange) -> None:
    room.exchange.fault("timeout_after_accept", on=ORDER)
    order = room.enter()
    assert order.state is OrderState.UNKNOWN
    room.advance(1)
    assert room.order(order.client_id).state is OrderState.FILLED
    assert len(room.accepted()) == 1
    close_and_compare(room)


def test_row_04_timeout_before_accept_that_lands_late_is_adopted(room: DeskAtExchange) -> None:
    room.exchange.fault("lands_late", on=ORDER, value=8)
    order = room.enter()
    room.advance(2, times=3)
    assert room.order(order.client_id).state is OrderState.UNKNOWN
    assert room.position is None
    room.advance(3)
    room.advance(1)
    assert room.order(order.client_id).state is OrderState.FILLED
    close_and_compare(room)


def test_row_04_timeout_before_accept_that_never_lands_is_let_go(room: DeskAtExchange) -> None:
    room.exchange.fault("timeout_before_accept", on=ORDER)
    order = room.enter()
    room.advance(10, times=2)
    assert room.order(order.client_id).state is OrderState.UNKNOWN, "the quiet period is not over"
    settle(room)
    assert room.order(order.client_id).state is OrderState.EXPIRED
    assert room.accepted() == []
    room.check_agreement()


def test_row_04_an_exit_that_never_landed_is_planned_again(room: DeskAtExchange) -> None:
    room.enter()
    room.exchange.fault("timeout_before_accept", on=ORDER, side="SELL")
    room.close()
    settle(room)
    assert room.position is None
    exits = [order.state for order in room.orders(Purpose.EXIT)]
    assert exits == [OrderState.EXPIRED, OrderState.FILLED]
    room.check_agreement()


def test_row_05_a_504_after_accept_and_a_client_that_posts_again_is_one_order(
    room: DeskAtExchange,
) -> None:
    """alpaca-py posts again by itself on 504; the exchange refuses the open order's id, and that
    refusal says nothing of the first order."""
    real = room.broker.submit

    def posts_again(request: Any) -> Any:
        try:
            return real(request)
        except BrokerError:
            return real(request)

    room.broker.submit = posts_again  # type: ignore[method-assign]
    room.exchange.fault("status_504_after_accept", on=ORDER)
    with room.books.writing() as writing:
        planned = room.desk.plan(
            writing, client_id="qd-b0000001-limit", bot_id=room.bot.id, account_id="test:binance",
            symbol="BTC/USDT", side="buy", type="limit", purpose=Purpose.ENTRY, quantity=D("0.01"),
            price=D(49_000), reason="signal", decided_at=room.clock.now(),
        )  # fmt: skip
    room.advance()
    assert room.order(planned.client_id).state is not OrderState.REJECTED
    room.advance(1)
    assert room.order(planned.client_id).state is OrderState.OPEN
    assert len(room.accepted()) == 1
    room.exchange.set_price("BTCUSDT", 48_900)
    room.advance(6)
    close_and_compare(room)


@pytest.mark.parametrize(
    "fault", ["code_1007", "status_504_after_accept", "cut_after_accept", "junk_after_accept"]
)
def test_row_06_an_unclear_answer_is_looked_up_never_sent_again(
    room: DeskAtExchange, fault: str
) -> None:
    room.exchange.fault(fault, on=ORDER)
    order = room.enter()
    assert order.state is OrderState.UNKNOWN
    room.exchange.fault("status_5xx", on=LOOK_UP, times=3)
    room.advance(1, times=5)
    assert room.order(order.client_id).state is OrderState.FILLED
    assert len(room.accepted()) == 1
    close_and_compare(room)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_row_06_a_5xx_before_accept_is_let_go_after_the_quiet_period(
    room: DeskAtExchange, status: int
) -> None:
    room.exchange.fault("status_5xx", on=ORDER, value=status)
    order = room.enter()
    assert order.state is OrderState.UNKNOWN
    settle(room)
    assert room.order(order.client_id).state is OrderState.EXPIRED
    room.check_agreement()


def test_row_07_an_order_not_found_for_half_an_hour_is_booked_when_it_appears(
    room: DeskAtExchange,
) -> None:
    hidden = room.exchange.fault("invisible", on=ORDER)
    order = room.enter()
    for _ in range(6):
        room.advance(300)
        room.check()
    assert room.order(order.client_id).state in (OrderState.UNKNOWN, OrderState.EXPIRED)
    assert room.books.account_objection("test:binance"), "what is held differs: no entries"
    room.exchange.release(hidden)
    room.advance(1)
    room.check()
    assert room.order(order.client_id).filled == room.accepted()[0].executed
    assert room.position is not None
    for finding in list(room.books.findings.values()):
        room.reconciler.resolve(finding.id, Resolution.IGNORE, "test")
    close_and_compare(room)


def test_row_08_a_client_id_that_was_filled_is_never_used_again(room: DeskAtExchange) -> None:
    """The exchange would take it as a new order: ids are unique among open orders only."""
    order = room.enter()
    with room.store.transaction() as tx:  # as if the engine had died before the answer came
        tx.orders.save(order.model_copy(update={"state": OrderState.SENDING}))
    room.restart()
    room.check()
    room.advance(1, times=3)
    assert [taken.client_id for taken in room.accepted()] == [order.client_id]
    close_and_compare(room)


def test_row_08_an_older_order_under_the_same_id_is_not_taken_for_ours(
    room: DeskAtExchange,
) -> None:
    now = room.clock.now() + timedelta(hours=1)
    client_id = f"qd-{room.bot.id}-{int(now.timestamp())}-e"
    room.exchange.order_by_hand("BTCUSDT", "BUY", "0.5", client_id=client_id)
    room.clock.advance(3600)
    room.exchange.fault("timeout_before_accept", on=ORDER)
    order = room.enter()
    assert order.client_id == client_id
    room.advance(1)
    assert room.position is None, "half a bitcoin that somebody else bought is not the bot's"
    assert room.order(client_id).state is OrderState.UNKNOWN


# --- fills -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "fault"), [("09", "duplicate_fill"), ("10", "fills_out_of_order")])
def test_row_09_and_row_10_fills_are_booked_once_in_any_order(
    room: DeskAtExchange, row: str, fault: str
) -> None:
    room.exchange.fault(fault)
    with room.books.writing() as writing:
        room.desk.plan(
            writing, client_id=f"qd-b0000001-{row}", bot_id=room.bot.id,
            account_id="test:binance", symbol="BTC/USDT", side="buy", type="limit",
            purpose=Purpose.ENTRY, quantity=D("0.02"), price=D(49_000), reason="signal",
            decided_at=room.clock.now(),
        )  # fmt: skip
    room.advance()
    for quantity in ("0.004", "0.006", "0.01"):
        room.exchange.fill(f"qd-b0000001-{row}", quantity)
        room.advance(6)
    assert room.order(f"qd-b0000001-{row}").state is OrderState.FILLED
    close_and_compare(room)


def test_row_11_dropped_frames_are_made_good_by_asking(room: DeskAtExchange) -> None:
    """The stream tells of the last of three fills only."""
    with room.books.writing() as writing:
        order = room.desk.plan(
            writing, client_id="qd-b0000001-11", bot_id=room.bot.id, account_id="test:binance",
            symbol="BTC/USDT", side="buy", type="limit", purpose=Purpose.ENTRY,
            quantity=D("0.02"), price=D(49_000), reason="signal", decided_at=room.clock.now(),
        )  # fmt: skip
    room.advance()
    for quantity in ("0.004", "0.006", "0.01"):
        room.exchange.fill(order.client_id, quantity)
    whole = room.broker.find_order(order.client_id, "BTC/USDT")
    assert whole is not None
    frame = whole.model_copy(update={"fills": whole.fills[2:]})
    room.desk.hear("test:binance", frame, room.venue.market)
    assert room.order(order.client_id).state is OrderState.PARTLY_FILLED
    room.advance(6)
    assert room.order(order.client_id).state is OrderState.FILLED
    close_and_compare(room)


def test_row_12_a_partial_fill_then_a_cancel_keeps_what_was_filled(tmp_path: Path) -> None:
    with desk_at_exchange(tmp_path, entry_order="limit", limit_offset_bps="5") as guarded:
        check_partial_then_cancel(guarded)


def check_partial_then_cancel(guarded: DeskAtExchange) -> None:
    """A limit entry is filled by a third, then the exchange ends it."""
    guarded.exchange.fault("partial_then_cancel", on=ORDER, side="BUY", value="0.3")
    order = guarded.enter()
    guarded.advance(1, times=2)
    booked = guarded.order(order.client_id)
    assert booked.state in (OrderState.CANCELLED, OrderState.EXPIRED)
    assert guarded.position is not None
    assert 0 < booked.filled < guarded.accepted()[0].quantity
    legs = [leg for leg in guarded.orders(Purpose.PROTECTION) if not leg.is_terminal]
    assert {leg.quantity for leg in legs} == {
        guarded.position.quantity.quantize(D("0.00001"), "ROUND_FLOOR")
    }, "what rests is what is held"
    close_and_compare(guarded)


# --- stops at the venue ----------------------------------------------------------------------


def test_row_13_a_stop_that_cannot_be_placed_leads_to_an_exit(guarded: DeskAtExchange) -> None:
    guarded.exchange.fault("refuse_stop", on="*", times=10)
    guarded.enter()
    assert guarded.position is not None
    assert guarded.position.unprotected_since is not None
    guarded.advance(1, times=12)
    assert guarded.position is None
    [trade] = guarded.trades()
    assert trade.exit_reason == "unprotected"
    refused = [leg for leg in guarded.orders(Purpose.PROTECTION)
               if leg.state is OrderState.REJECTED]  # fmt: skip
    assert len({leg.oco_id for leg in refused}) == 3, "the retry is bounded"
    assert guarded.check().health is AccountHealth.CLEAN
    guarded.check_agreement()


def test_row_14_closing_while_the_stop_is_live_sells_once(guarded: DeskAtExchange) -> None:
    guarded.enter()
    assert len([one for one in guarded.accepted() if one.side == "SELL"]) == 2
    close_and_compare(guarded)
    sold = [one for one in guarded.accepted() if one.side == "SELL" and one.executed]
    assert len(sold) == 1


def test_row_14_a_stop_that_fills_while_its_cancel_is_under_way_is_the_exit(
    guarded: DeskAtExchange,
) -> None:
    guarded.enter()
    late = guarded.exchange.fault("timeout_before_accept", on="DELETE order", times=10)
    guarded.close()
    guarded.exchange.set_price("BTCUSDT", 48_000)
    guarded.exchange.release(late)
    guarded.exchange.release_all()
    guarded.advance(1, times=4)
    sold = [one for one in guarded.accepted() if one.side == "SELL" and one.executed]
    assert len(sold) == 1, "the position is sold once"
    assert len(guarded.trades()) == 1
    assert guarded.check().health is AccountHealth.CLEAN
    guarded.check_agreement()


def test_row_14_a_position_closed_by_hand_leaves_no_stop_behind(guarded: DeskAtExchange) -> None:
    guarded.enter()
    position = guarded.position
    assert position is not None
    guarded.clock.advance(5)
    guarded.exchange.cancel_by_hand(guarded.accepted()[1].client_id)
    guarded.exchange.order_by_hand("BTCUSDT", "SELL", "10")
    guarded.exchange.order_by_hand("BTCUSDT", "SELL", "0.01")
    guarded.check()
    kinds = {finding.kind for finding in guarded.books.findings.values()}
    assert FindingKind.FOREIGN_TRADE in kinds
    assert FindingKind.SHORTFALL in kinds
    guarded.advance(1, times=6)
    assert guarded.exchange.imbalance() == {}
    assert guarded.exchange.balance("BTC") >= 0


# --- the account ------------------------------------------------------------------------------


def test_row_16_a_429_is_obeyed_so_that_no_418_follows(room: DeskAtExchange) -> None:
    room.exchange.fault("rate_limit_429", on=ORDER, value=30)
    order = room.enter()
    assert order.state is OrderState.EXPIRED, "an entry is not sent late"
    before = len(room.exchange.requests)
    room.close()
    room.advance(5, times=4)
    assert len(room.exchange.requests) == before, "nothing is sent before Retry-After"
    assert all(request.fault != "ban_418" for request in room.exchange.requests)
    room.clock.advance(15)
    room.enter()
    close_and_compare(room)


def test_row_16_a_418_delays_an_exit_and_never_loses_it(room: DeskAtExchange) -> None:
    room.enter()
    room.exchange.fault("ban_418", on=ORDER, side="SELL", value=60)
    room.close()
    sent = len(room.exchange.requests)
    room.advance(10, times=5)
    assert len(room.exchange.requests) == sent
    assert room.position is not None
    room.advance(15, times=2)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_17_a_fee_in_the_base_coin_leaves_dust_and_books_that_agree(
    room: DeskAtExchange,
) -> None:
    order = room.enter()
    assert room.position is not None
    assert room.position.quantity < order.filled, "the fee came off what was bought"
    close_and_compare(room)
    [trade] = room.trades()
    assert 0 < trade.dust < D("0.00001")


def test_row_17_a_fee_in_a_third_asset_is_part_of_the_result(room: DeskAtExchange) -> None:
    room.exchange.deposit("BNB", 5)
    room.check()
    for finding in list(room.books.findings.values()):
        room.reconciler.resolve(finding.id, Resolution.ADOPT, "test")
    room.exchange.fault("commission_asset", value="BNB")
    room.enter()
    close_and_compare(room)
    [trade] = room.trades()
    assert trade.dust == 0
    assert trade.fees > 0


def test_row_17_a_changed_step_costs_one_refusal_not_the_exit(room: DeskAtExchange) -> None:
    room.enter()
    room.exchange.fault("step_change", value="BTCUSDT 0.001")
    room.close()
    room.advance(2, times=4)
    assert room.position is None
    [trade] = room.trades()
    assert trade.dust < D("0.001")
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


@pytest.mark.parametrize("fault", ["nan_json", "null_json", "huge_json", "html"])
@pytest.mark.parametrize("on", [ORDER, LOOK_UP, "GET account"])
def test_row_18_an_answer_that_makes_no_sense_reaches_no_book(
    room: DeskAtExchange, fault: str, on: str
) -> None:
    if on == LOOK_UP:
        room.exchange.fault("cut_after_accept", on=ORDER)
    room.exchange.fault(fault, on=on, times=2)
    room.enter()
    room.check()
    settle(room)
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


def test_row_19_a_revoked_key_halts_the_account_and_forgets_no_exit(
    room: DeskAtExchange,
) -> None:
    room.enter()
    revoked = room.exchange.fault("key_revoked")
    room.close()
    room.advance(1, times=3)
    assert room.check().health is AccountHealth.DENIED
    assert "key" in (room.books.account_objection("test:binance") or "")
    assert "account.denied" in room.kinds()
    assert room.enter().state is OrderState.EXPIRED
    room.exchange.release(revoked)
    room.advance(60, times=3)
    assert room.position is None
    assert room.check().health is AccountHealth.CLEAN
    room.check_agreement()


@pytest.mark.parametrize("skew_s", [2, -2, 3600, -3600])
def test_row_20_a_clock_that_differs_from_the_venues_stops_no_order(
    room: DeskAtExchange, skew_s: int
) -> None:
    room.exchange.fault("clock_skew", value=skew_s)
    room.enter()
    room.advance(1)
    if room.position is None:  # the first one was refused for its timestamp, surely not taken
        room.clock.advance(60)
        room.enter()
    close_and_compare(room)


def test_row_26_a_cut_network_loses_no_exit_and_asks_again_after_it(
    guarded: DeskAtExchange,
) -> None:
    guarded.enter()
    url, guarded.exchange.script.faults = guarded.exchange.url, []
    assert url
    guarded.exchange.fault("cut", on="*", times=200)
    guarded.close()
    assert guarded.check().health is AccountHealth.UNREACHABLE
    guarded.advance(1, times=3)
    assert guarded.position is not None
    guarded.exchange.release_all()
    guarded.advance(30, times=3)
    assert guarded.position is None
    assert "test:binance" in guarded.desk.links.take_reconnected(), "what was missed is looked up"
    assert guarded.check().health is AccountHealth.CLEAN
    guarded.check_agreement()
