"""Orders in doubt, fills that come late, twice, in pieces or beyond what is held, odd fees."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.accounts import HOUSE, AccountHealth, AccountLine, AccountState, LineKind
from engine.domain.orders import Order, OrderReport, OrderState, Purpose
from engine.services.booking import Terms, book_report
from engine.services.books import Writing
from engine.services.order_outcomes import exit_wait_s
from tests.fakes.broker import Fault, ScriptedBroker, VenueFault
from tests.unit.conftest import Room


def open_account(room: Room) -> None:
    """As the first reconciliation does: what the venue holds is known."""
    with room.books.writing() as writing:
        for asset, amount in (room.broker.held | {"BTC": D(0)}).items():
            writing.add_line(
                AccountLine(id=f"open-{asset}", account_id=room.bot.account_id, asset=asset,
                            amount=amount, kind=LineKind.OPENING, time=room.clock.now())
            )  # fmt: skip
        writing.put_account(
            AccountState(account_id=room.bot.account_id, trades_until=room.clock.now())
        )


def test_an_order_that_lands_late_is_adopted(spot: Room) -> None:
    spot.broker.faults.append(VenueFault.LANDS_LATE)
    spot.enter()
    spot.advance(20)
    assert spot.orders()[0].state is OrderState.UNKNOWN
    spot.broker.land()
    spot.advance(5)
    assert spot.position.quantity == D(1)
    assert spot.broker.sent.count(spot.orders()[0].client_id) == 1


def test_a_corrected_clock_does_not_end_the_quiet_period(spot: Room) -> None:
    spot.broker.faults.append(VenueFault.LANDS_LATE)
    spot.enter()
    spot.advance(1)
    spot.clock.current += timedelta(hours=1)
    spot.advance(1)
    assert spot.orders()[0].state is OrderState.UNKNOWN
    spot.broker.land()
    spot.advance(1)
    assert spot.position.quantity == D(1)


def test_holdings_that_differ_keep_an_order_in_doubt(spot: Room) -> None:
    """Not listed, but bought: the position delta says so."""
    open_account(spot)
    spot.broker.hides_trades = True
    spot.broker.faults.append(VenueFault.INVISIBLE)
    spot.enter()
    for _ in range(4):
        spot.advance(31)
    assert spot.orders()[0].state is OrderState.UNKNOWN
    spot.broker.reveal()
    spot.advance(1)
    assert spot.position.quantity == D(1)


def test_an_exit_that_never_arrived_is_planned_again(spot: Room) -> None:
    """Its signal may not come again."""
    spot.enter()
    spot.broker.faults.append(Fault.LOST_BEFORE)
    spot.close("signal")
    spot.advance(1)
    assert spot.broker.held["BTC"] == 1
    spot.advance(31)
    for _ in range(3):
        spot.advance(1)
    assert spot.broker.held["BTC"] == 0
    exits = [order for order in spot.orders() if order.purpose is Purpose.EXIT]
    assert [order.state for order in exits] == [OrderState.EXPIRED, OrderState.FILLED]
    assert exits[1].client_id == f"{exits[0].client_id}.1"


def test_an_exit_sells_no_more_than_the_venue_holds(spot: Room) -> None:
    spot.enter()
    spot.broker.held["BTC"] = D("0.4")  # sold elsewhere
    spot.close("signal")
    spot.advance(1)
    assert spot.broker.requests[-1].quantity == D("0.4")
    assert spot.broker.held["BTC"] == 0


def test_nothing_is_sold_where_the_venue_holds_nothing(spot: Room) -> None:
    spot.enter()
    spot.broker.held["BTC"] = D(0)
    sent = len(spot.broker.sent)
    spot.close("signal")
    for _ in range(5):
        spot.advance(1)
    assert len(spot.broker.sent) == sent
    assert "no free BTC" in spot.bot.reason
    assert spot.position.quantity == D(1), "only a reconciliation may decide that it is gone"


def test_a_revoked_key_halts_the_account_and_says_so(spot: Room) -> None:
    spot.enter()
    spot.broker.is_denied = True
    spot.close("signal")
    spot.advance(1)
    assert spot.books.accounts[spot.bot.account_id].health is AccountHealth.DENIED
    assert "refuses the account's key" in (spot.books.account_objection(spot.bot.account_id) or "")
    spot.broker.is_denied = False
    for _ in range(3):
        spot.advance(1)
    assert spot.broker.held["BTC"] == 0, "the exit was not forgotten"


def report_of(room: Room, broker: ScriptedBroker) -> OrderReport:
    return broker.orders[room.orders()[0].client_id]


def test_an_order_is_done_only_when_all_its_fills_are_booked(spot: Room) -> None:
    """Frames were dropped: the venue counts more than it told."""
    spot.broker.faults.append(Fault.RESTS)
    spot.enter()
    order = spot.orders()[0]
    for share in ("0.25", "0.25", "0.5"):
        spot.broker.fill(order.client_id, D(share))
    whole = report_of(spot, spot.broker)
    partial = whole.model_copy(update={"fills": whole.fills[2:]})
    terms = Terms(spot.market.instrument("BTC/USDT"))
    assert book_report(spot.books, order, partial, terms).state is OrderState.PARTLY_FILLED
    assert spot.position.quantity == D("0.5")
    spot.advance(1)
    assert spot.orders()[0].state is OrderState.FILLED
    assert spot.position.quantity == D(1)


def test_fills_are_the_same_in_any_order_and_number(spot: Room) -> None:
    spot.broker.faults.append(Fault.RESTS)
    spot.enter()
    order = spot.orders()[0]
    for share in ("0.25", "0.25", "0.5"):
        spot.broker.fill(order.client_id, D(share))
    whole = report_of(spot, spot.broker)
    terms = Terms(spot.market.instrument("BTC/USDT"))
    for fills in ([2, 0], [0, 0], [1, 2, 1], [0, 1, 2]):
        part = whole.model_copy(update={"fills": tuple(whole.fills[n] for n in fills)})
        book_report(spot.books, order, part, terms)
    assert spot.position.quantity == D(1)
    assert spot.orders()[0].filled == D(1)
    with spot.store.reading() as tx:
        assert tx.fills.count(client_id=order.client_id) == 3


def test_an_exit_filled_beyond_the_position_is_nobodys_and_halts_the_account(spot: Room) -> None:
    spot.enter()
    stop = next(leg for leg in spot.working(Purpose.PROTECTION) if leg.stop_price)
    spot.close("signal")  # takes the pair back, sells at the market
    assert not spot.books.positions
    late = spot.broker.orders[stop.client_id].model_copy(update={"state": OrderState.OPEN})
    spot.broker.orders[stop.client_id] = late
    report = spot.broker.trigger(stop.client_id)  # a cancel that the venue did not keep
    book_report(spot.books, stop, report, Terms(spot.market.instrument("BTC/USDT")))
    with spot.store.reading() as tx:
        fill = tx.fills.select(client_id=stop.client_id)[0]
    assert fill.bot_id == HOUSE
    assert "does not cover" in (spot.books.account_objection(spot.bot.account_id) or "")
    kinds = [event.kind for event in spot.events()]
    assert {"order.late_fill", "order.excess"} <= set(kinds)


def test_a_fill_that_goes_past_the_position_is_split(spot: Room) -> None:
    spot.enter()
    spot.desk.close_position(spot.bot.id, spot.market, "manual", fraction=D("0.5"))
    order = spot.orders()[0]
    fake = spot.broker._traded(report_of(spot, spot.broker), D("0.8"), D(100))
    with spot.books.writing() as writing:
        exit_order = spot.desk.plan_exit(
            writing, spot.position, "signal", order_id="qd-x", decided_at=spot.clock.now()
        )
    report = report_of(spot, spot.broker).model_copy(
        update={"client_id": "qd-x", "fills": (fake,), "filled": D("0.8"), "quantity": D("0.8"),
                "side": exit_order.side}
    )  # fmt: skip
    book_report(spot.books, exit_order, report, Terms(spot.market.instrument("BTC/USDT")))
    with spot.store.reading() as tx:
        parts = {fill.bot_id: fill.quantity for fill in tx.fills.select(client_id="qd-x")}
    assert parts == {order.bot_id: D("0.5"), HOUSE: D("0.3")}
    assert not spot.books.positions


def test_a_fee_in_the_base_asset_makes_the_position_smaller_and_leaves_dust(spot: Room) -> None:
    spot.broker.fee_asset, spot.broker.fee_rate = "BTC", D("0.001234567")
    spot.enter()
    assert spot.position.quantity == D("0.998765433")
    spot.broker.fee_asset, spot.broker.fee_rate = "USDT", D(0)
    spot.close("signal")
    spot.advance(1)
    [trade] = spot.trades()
    assert spot.broker.held["BTC"] == D("0.000005433") == trade.dust
    assert trade.pnl == D("99.876") - D(100)
    assert "position.dust" in [event.kind for event in spot.events()]


def test_a_fee_in_a_third_asset_is_taken_off_at_its_price(spot: Room) -> None:
    spot.broker.fee_asset, spot.broker.fee_rate = "ETH", D("0.001")
    spot.market.set_price("ETH/USDT", "50")  # type: ignore[attr-defined]
    spot.enter()
    assert spot.position.fees == D("5.000")
    assert spot.position.quantity == D(1)


@pytest.mark.parametrize("asset", ["XYZ"])
def test_a_fee_of_unknown_value_costs_nothing_in_quote(spot: Room, asset: str) -> None:
    spot.broker.fee_asset, spot.broker.fee_rate = asset, D("0.001")
    spot.enter()
    assert spot.position.fees == 0
    assert spot.books.totals[spot.bot.account_id][asset] == D("-0.100")


def test_what_is_left_below_the_minimum_is_dust_not_an_endless_exit(spot: Room) -> None:
    spot.enter()
    spot.move("4")
    spot.close("stop_loss")
    spot.advance(1)
    [trade] = spot.trades()
    assert trade.dust == D(1)
    assert trade.pnl == D(-100)
    assert len([one for one in spot.broker.requests if one.reduce_only]) == 2, "only the pair"


def test_an_entry_that_fills_after_its_position_was_closed_opens_another(spot: Room) -> None:
    spot.broker.faults.append(Fault.HALF)
    spot.enter()
    entry = spot.orders()[0]
    spot.close("stop_loss")
    spot.advance(1)
    assert not spot.books.positions
    late = spot.broker.orders[entry.client_id].model_copy(update={"state": OrderState.OPEN})
    spot.broker.orders[entry.client_id] = late
    report = spot.broker.fill(entry.client_id)
    book_report(spot.books, entry, report, Terms(spot.market.instrument("BTC/USDT")))
    assert spot.position.quantity == D("0.5")
    assert spot.orders()[0].state is OrderState.CANCELLED, "terminal stays terminal"
    spot.close("signal")
    for _ in range(3):
        spot.advance(1)
    assert len(spot.trades()) == 2
    assert spot.broker.held["BTC"] == 0


def test_a_part_too_small_to_sell_is_refused_once_and_the_whole_can_still_go(spot: Room) -> None:
    spot.enter()
    spot.desk.close_position(spot.bot.id, spot.market, "manual", fraction=D("0.03"))
    for _ in range(3):
        spot.advance(1)
    exits = [order for order in spot.orders() if order.purpose is Purpose.EXIT]
    assert [order.state for order in exits] == [OrderState.REJECTED]
    assert "less than this venue trades" in spot.bot.reason
    spot.close("stop_loss")
    spot.advance(1)
    assert spot.broker.held["BTC"] == 0


def test_a_stop_takes_over_from_an_exit_of_a_part_that_was_not_sent(spot: Room) -> None:
    spot.enter()
    spot.broker.faults.extend([VenueFault.CANCEL_LOST] * 4)
    spot.desk.close_position(spot.bot.id, spot.market, "manual", fraction=D("0.5"))
    spot.close("stop_loss")
    for _ in range(4):
        spot.advance(1)
    assert spot.broker.held["BTC"] == 0
    [trade] = spot.trades()
    assert trade.exit_reason == "stop_loss"


def test_an_exit_booked_before_its_end_was_known_leaves_no_position_of_dust(spot: Room) -> None:
    """The reconciler books a trade from the account's list; only later the order's end is seen."""
    spot.broker.fee_asset, spot.broker.fee_rate = "BTC", D("0.001234567")
    spot.enter()
    spot.broker.fee_asset, spot.broker.fee_rate = "USDT", D(0)
    spot.broker.faults.append(Fault.LOST_AFTER)
    spot.close("signal")
    [exit_order] = [order for order in spot.orders() if order.purpose is Purpose.EXIT]
    spot.desk.book_execution(spot.bot.account_id, spot.market, exit_order, spot.broker.trades[-1])
    assert spot.position.quantity == D("0.000005433")
    spot.advance(1)
    assert not spot.books.positions
    assert spot.trades()[0].dust == D("0.000005433")


def test_an_engine_that_stood_still_while_it_committed_does_not_send(
    spot: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suspended and overtaken: another engine may have looked the order up and let it go."""
    save = Writing.save_order

    def slow(writing: Writing, order: Order, **changes: Any) -> Order:
        if changes.get("state") is OrderState.SENDING:
            spot.clock.advance(20)
        return save(writing, order, **changes)

    monkeypatch.setattr(Writing, "save_order", slow)
    spot.enter()
    assert spot.broker.sent == []
    assert spot.orders()[0].state is OrderState.UNKNOWN
    for _ in range(3):
        spot.advance(26)
    assert spot.orders()[0].state is OrderState.EXPIRED


def test_a_trade_that_no_order_explains_keeps_an_order_in_doubt(spot: Room) -> None:
    """Binance's list of trades names no client ids."""
    spot.broker.tells_client_ids = False
    spot.broker.faults.append(VenueFault.INVISIBLE)
    spot.enter()
    for _ in range(4):
        spot.advance(31)
    assert spot.orders()[0].state is OrderState.UNKNOWN
    spot.broker.reveal()
    spot.advance(1)
    assert spot.position.quantity == D(1)


def test_a_repeated_exit_waits_ever_longer_but_never_more_than_a_minute() -> None:
    waits = [exit_wait_s(f"qd-b-1-x.{attempt}") for attempt in (1, 2, 3, 7, 20, 5000)]
    assert waits == [1, 2, 4, 60, 60, 60]
    assert exit_wait_s("qd-b-1-x") == 0
