"""Corners of the trading core that only a reviewer thought of; each of them cost somebody money."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.accounts import HOUSE, AccountHealth, FindingKind, Resolution
from engine.domain.bots import BotConfig, BotState, Desired
from engine.domain.limits import Limits
from engine.domain.orders import (
    OcoRequest,
    Order,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
    Purpose,
    Side,
)
from engine.domain.records import KillLevel
from engine.domain.tickets import OrderChanges, OrderTicket
from engine.errors import LimitReached, OrderStateUnknown
from engine.services.check_accounts import AccountChecks
from engine.services.follow_orders import is_anothers
from engine.services.gateway import Gateway
from engine.services.lanes import Lanes
from engine.services.order_desk import OrderDesk
from engine.services.reconcile import Reconciler
from tests.fakes.broker import Fault, VenueFault
from tests.unit.conftest import Room
from tests.unit.samples import config
from tests.unit.test_reconcile import ACCOUNT, Bench, bench

__all__ = ["bench"]  # the fixture


def set_rules(room: Room, **rules: object) -> None:
    settings = {**room.bot.config.model_dump(), **rules}
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, config=BotConfig.model_validate(settings))


def order_of(room: Room, client_id: str) -> Order:
    with room.store.reading() as tx:
        return tx.orders.get(client_id)


def answer_next_exit(room: Room, state: OrderState, fault: Fault) -> None:
    """The venue takes the next exit and ends it by itself."""
    submit = room.broker.submit

    def ends_it(request: OrderRequest) -> OrderReport:
        if not request.reduce_only:
            return submit(request)
        room.broker.submit = submit  # type: ignore[method-assign]
        room.broker._record(request)
        report = room.broker._accept(request, fault).model_copy(update={"state": state})
        room.broker.orders[request.client_id] = report
        return report

    room.broker.submit = ends_it  # type: ignore[method-assign]


def plan_exit_of_a_signal(room: Room) -> None:
    with room.books.writing() as writing:
        room.desk.plan_exit(
            writing, room.position, "signal", order_id="qd-b0000001-77-x",
            decided_at=room.clock.now(),
        )  # fmt: skip
    room.advance()


# --- orders in doubt ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "decided", "side", "expected"),
    [
        (timedelta(0), timedelta(0), "buy", False),
        (timedelta(hours=-1), timedelta(hours=-1), "buy", False),  # the machine's clock is ahead
        (timedelta(days=-900), timedelta(days=-900), "buy", False),  # a replay's time
        (timedelta(hours=-1), timedelta(0), "buy", True),  # made an hour before it was decided
        (timedelta(0), timedelta(0), "sell", True),
    ],
)
def test_times_of_the_market_alone_tell_an_order_from_an_older_one_of_its_id(
    room: Room, made: timedelta, decided: timedelta, side: str, expected: bool
) -> None:
    room.broker.faults.append(Fault.LOST_AFTER)
    room.enter()
    now = room.clock.now()
    order = room.orders()[0].model_copy(update={"sent_at": now, "decided_at": now + decided})
    report = room.broker.orders[order.client_id].model_copy(
        update={"created_at": now + made, "side": Side(side)}
    )
    assert is_anothers(order, report) is expected


def test_an_order_in_doubt_whose_id_is_anothers_can_be_let_go_by_a_person(bench: Bench) -> None:
    room = bench.room
    room.broker.faults.append(Fault.LOST_BEFORE)
    room.enter()
    [order] = room.working(Purpose.ENTRY)
    room.broker.orders[order.client_id] = OrderReport(
        client_id=order.client_id, venue_id="v9", symbol=order.symbol, side=order.side,
        state=OrderState.CANCELLED, quantity=D(1), created_at=room.clock.now() - timedelta(days=3),
    )  # fmt: skip
    for _ in range(4):
        bench.check()
    finding = bench.open[FindingKind.UNKNOWN_ORDER]
    bench.reconciler.resolve(finding.id, Resolution.CLOSE, "ann")
    assert FindingKind.UNKNOWN_ORDER not in bench.open


def test_an_exit_does_not_wait_for_protection_because_something_else_differs(spot: Room) -> None:
    """More coins than the books know of do not speak for a sale."""
    bench = Bench(spot)
    bench.check()
    spot.broker.held["BTC"] = D("0.3")

    def is_lost(request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        spot.broker._record(request.limit, request.stop)
        raise OrderStateUnknown("timed out")

    spot.broker.submit_oco = is_lost  # type: ignore[method-assign]
    spot.enter()
    for _ in range(5):
        spot.advance(20)
    spot.close("stop_loss")
    for _ in range(10):
        spot.advance(20)
    assert not spot.books.positions


# --- exits that must not be forgotten -----------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.RESTS, Fault.HALF])
@pytest.mark.parametrize("state", [OrderState.EXPIRED, OrderState.CANCELLED])
def test_an_exit_that_the_venue_ends_by_itself_goes_on(
    room: Room, state: OrderState, fault: Fault
) -> None:
    room.enter()
    answer_next_exit(room, state, fault)
    plan_exit_of_a_signal(room)
    for _ in range(3):
        room.advance(5)
    assert not room.books.positions
    assert room.broker.held["BTC"] == 0


def test_an_exit_that_is_refused_in_a_report_goes_on(room: Room) -> None:
    room.enter()
    answer_next_exit(room, OrderState.REJECTED, Fault.RESTS)
    plan_exit_of_a_signal(room)
    for _ in range(3):
        room.advance(5)
    assert not room.books.positions


def test_a_resting_stop_that_the_venue_refuses_blocks_no_exit(spot: Room) -> None:
    spot.enter()
    spot.advance(1)
    for order in spot.working(Purpose.PROTECTION):
        report = spot.broker.orders[order.client_id]
        spot.broker.orders[order.client_id] = report.model_copy(
            update={"state": OrderState.REJECTED}
        )
    for _ in range(3):
        spot.advance(2)
    spot.close()
    for _ in range(5):
        spot.advance(30)
    assert not spot.books.positions
    assert spot.broker.held["BTC"] == 0


def test_a_target_does_not_go_without_its_stop(spot: Room) -> None:
    class Gate:
        def admit(self, order: Order, **_more: Any) -> None:
            if order.type is OrderType.STOP:
                raise LimitReached("not this one")

        def note_rejection(self, order: Order) -> None: ...

        def note_success(self, order: Order) -> None: ...

    spot.desk = OrderDesk(spot.books, spot.venues, spot.controls, Gate())
    spot.enter()
    for _ in range(20):
        spot.advance(5)
    assert {request.type for request in spot.broker.requests} == {OrderType.MARKET}
    assert not spot.books.positions, "nobody agreed to hold it without a stop"


# --- a person's own orders ----------------------------------------------------------------------


def test_a_position_adopted_from_the_website_can_be_closed(bench: Bench) -> None:
    """Binance's own ids are as long as an id may be."""
    web = "web_" + "0123456789abcdef" * 2
    bench.foreign(web)
    bench.check()
    finding = bench.open[FindingKind.FOREIGN_TRADE]
    bench.reconciler.resolve(finding.id, Resolution.ADOPT, "ann", bench.room.bot.id)
    assert bench.room.books.positions
    bench.room.close()
    assert not bench.room.books.positions


def test_two_bots_that_adopted_parts_of_one_order_exit_apart(bench: Bench) -> None:
    room = bench.room
    room.add_bot(id="c0000001", bot_config=config(name="second"))
    for client_id, bot_id in (("web-1", room.bot.id), ("web-2", "c0000001")):
        bench.foreign(client_id)
        bench.check()
        finding = bench.open[FindingKind.FOREIGN_TRADE]
        bench.reconciler.resolve(finding.id, Resolution.ADOPT, "ann", bot_id)
    for bot_id in (room.bot.id, "c0000001"):
        room.desk.close_position(bot_id, room.market, "stop_loss")
    assert not room.books.positions


def test_a_fill_of_somebodys_order_that_is_told_is_offered_not_booked(bench: Bench) -> None:
    room = bench.room
    bench.foreign("by-hand", type=OrderType.LIMIT, price=D(90))
    bench.check()
    report = room.broker.fill("by-hand", D("0.5"), D(90))
    assert not room.desk.hear(ACCOUNT, report, room.market)
    bench.check()
    assert {FindingKind.FOREIGN_TRADE, FindingKind.FOREIGN_ORDER} <= set(bench.open)


def test_the_next_entry_keeps_a_persons_stop(spot: Room) -> None:
    set_rules(spot, stop_loss=None, take_profit=None, max_entries=3)
    spot.enter()
    pair = OrderTicket.model_validate(
        {"purpose": "exit", "type": "oco", "price": "110", "stop_price": "95"}
    )
    spot.desk.place(spot.bot.id, spot.market, pair, "ann")
    spot.clock.advance(60)
    spot.enter()
    assert spot.position.stop_price == D(95)


@pytest.mark.parametrize("faults", [[], [Fault.NOT_SENT, Fault.NOT_SENT]])
def test_a_changed_exit_that_was_partly_filled_is_sent_with_what_is_left(
    spot: Room, faults: list[Fault]
) -> None:
    set_rules(spot, stop_loss=None, take_profit=None)
    spot.enter()
    ticket = OrderTicket.model_validate({"purpose": "exit", "type": "limit", "price": "110"})
    [order] = spot.desk.place(spot.bot.id, spot.market, ticket, "ann")
    spot.broker.fill(order.client_id, D("0.3"), D(110))
    spot.advance(1)
    spot.broker.faults.extend(faults)
    follower = spot.desk.replace_order(
        spot.bot.id, order.client_id, spot.market, OrderChanges(price=D(112)), "ann"
    )
    for _ in range(6):
        spot.advance(2)
    sent = order_of(spot, follower.client_id)
    assert (sent.state, sent.quantity) == (OrderState.OPEN, D("0.7"))


def test_undoing_a_sale_buys_only_what_limits_and_controls_allow(bench: Bench) -> None:
    room = bench.room
    room.broker.held["BTC"] = D(5)
    bench.check()
    gate = Gateway(room.books, room.controls, lambda _is_paper: Limits(order_notional=D(10)))
    room.desk = OrderDesk(room.books, room.venues, room.controls, gate)
    bench.reconciler = Reconciler(room.books, room.desk, room.venues)
    bench.foreign("sold", side=Side.SELL, quantity=D(5))
    bench.check()
    room.controls.set(KillLevel.REDUCE_ONLY, "ann")
    sent = len(room.broker.sent)
    bench.reconciler.resolve(bench.open[FindingKind.FOREIGN_TRADE].id, Resolution.CLOSE, "ann")
    assert len(room.broker.sent) == sent


def test_an_order_of_nobody_in_doubt_is_looked_after_without_any_active_bot(bench: Bench) -> None:
    room = bench.room
    bench.foreign("bought")
    bench.check()
    room.broker.faults.append(Fault.LOST_BEFORE)
    bench.reconciler.resolve(bench.open[FindingKind.FOREIGN_TRADE].id, Resolution.CLOSE, "ann")
    with room.books.writing() as writing:
        writing.save_bot(room.bot.id, state=BotState.STOPPED, desired=Desired.STOPPED)
    assert room.books.working_orders(HOUSE)
    checks = AccountChecks(room.books, bench.reconciler, room.venues, Lanes(), room.desk.links, 60)
    assert ACCOUNT in checks._accounts()


# --- accounts of many symbols --------------------------------------------------------------------


def test_a_symbol_that_is_gone_keeps_no_finding_of_another_asset_open(spot: Room) -> None:
    bench = Bench(spot)
    bench.check()
    spot.enter()
    spot.add_bot(id="e0000001", bot_config=config(name="ether", symbol="ETH/USDT"))
    assert bench.check() is AccountHealth.CLEAN
    del spot.market._instruments["BTC/USDT"]  # type: ignore[attr-defined]
    spot.broker.held["USDT"] += 5
    bench.check()
    bench.check()
    finding = bench.open[FindingKind.BALANCE]
    bench.reconciler.resolve(finding.id, Resolution.ADOPT, "ann")
    assert FindingKind.BALANCE not in bench.open


def test_trades_of_two_symbols_with_one_order_id_are_two_findings(bench: Bench) -> None:
    """Binance counts orders by symbol."""
    room = bench.room
    room.add_bot(id="e0000001", bot_config=config(name="ether", symbol="ETH/USDT"))
    room.broker.tells_client_ids = False
    bench.foreign("a", quantity=D(1))
    bench.foreign("b", symbol="ETH/USDT", quantity=D(3))
    room.broker.trades = [
        trade.model_copy(update={"venue_id": "4242"}) for trade in room.broker.trades
    ]
    bench.check()
    found = {
        (one.symbol, one.amount)
        for one in room.books.findings.values()
        if one.kind is FindingKind.FOREIGN_TRADE
    }
    assert found == {("BTC/USDT", D(1)), ("ETH/USDT", D(3))}


def test_a_strangers_order_found_partly_filled_comes_to_its_end(bench: Bench) -> None:
    """Its first fills were booked before the order was known."""
    room = bench.room
    room.broker.tells_client_ids = False
    bench.foreign("by-hand", type=OrderType.LIMIT, price=D(90), quantity=D(1))
    room.broker.fill("by-hand", D("0.4"), D(90))
    bench.check()
    room.broker.fill("by-hand", D("0.6"), D(90))
    for _ in range(3):
        bench.check()
    for finding in list(room.books.findings.values()):
        if finding.kind is FindingKind.FOREIGN_TRADE:
            bench.reconciler.resolve(finding.id, Resolution.IGNORE, "ann")
    bench.check()
    assert not room.books.working_orders(HOUSE)
    assert bench.agrees()


def test_no_gap_is_judged_while_an_order_in_doubt_may_have_paid_a_fee(bench: Bench) -> None:
    room = bench.room
    room.broker.held["BNB"] = D(1)
    bench.check()
    for finding in list(room.books.findings.values()):
        bench.reconciler.resolve(finding.id, Resolution.ADOPT, "ann")
    room.broker.fee_asset, room.broker.fee_rate = "BNB", D("0.0001")
    room.broker.hides_trades = True
    room.broker.faults.append(VenueFault.INVISIBLE)
    room.enter()
    bench.check(1)
    assert FindingKind.BALANCE not in bench.open
    room.broker.reveal()
    room.advance(1)
    assert bench.check() is AccountHealth.CLEAN
    assert bench.agrees()


def test_an_exit_that_sold_only_what_was_free_sells_the_rest_later(spot: Room) -> None:
    set_rules(spot, stop_loss=None, take_profit=None)
    spot.enter()
    spot.broker.foreign(
        OrderRequest(client_id="hand", symbol="BTC/USDT", side=Side.SELL, type=OrderType.LIMIT,
                     price=D(200), quantity=D("0.4"))
    )  # fmt: skip
    plan_exit_of_a_signal(spot)
    assert spot.position.quantity == D("0.4")
    spot.broker.cancel("hand", "BTC/USDT")
    for _ in range(5):
        spot.advance(5)
    assert not spot.books.positions


def test_a_target_alone_is_no_protection(spot: Room) -> None:
    """Binance ends the stop of a pair when its limit fills in part."""
    spot.enter()
    spot.advance(1)
    target = next(leg for leg in spot.working(Purpose.PROTECTION) if leg.type is OrderType.LIMIT)
    spot.broker.fill(target.client_id, D("0.3"), D(105))
    spot.broker.faults.extend([VenueFault.CANCEL_LOST] * 9)
    spot.advance(1)
    assert spot.position.protected_at is None
    assert spot.position.unprotected_since is not None


def test_an_order_whose_time_is_over_is_not_sent(spot: Room) -> None:
    with spot.books.writing() as writing:
        spot.desk.plan(
            writing, client_id="qd-b0000001-9-m0", bot_id=spot.bot.id, account_id=ACCOUNT,
            symbol="BTC/USDT", side="buy", type="limit", purpose=Purpose.ENTRY, quantity=D(1),
            price=D(95), reason="manual", decided_at=spot.clock.now(),
            expires_at=spot.clock.now() + timedelta(seconds=2),
        )  # fmt: skip
    spot.advance(3)
    assert spot.broker.sent == []
    assert spot.orders()[0].state is OrderState.EXPIRED


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SENDING])
def test_an_entry_cut_off_by_a_crash_waits_for_its_account_and_still_goes(
    bench: Bench, state: OrderState
) -> None:
    """While an account is being checked nothing of it is given up for not being checked."""
    room = bench.room
    room.broker.capabilities = room.broker.capabilities.model_copy(
        update={"is_idempotent": True, "quiet_period_s": 0}  # as paper has it
    )
    bench.check()
    room.broker.faults.append(Fault.LOST_BEFORE)
    room.enter()
    order = room.orders()[0]
    with room.store.transaction() as tx:
        tx.orders.save(order.model_copy(update={"state": state}))
    bench.restart()
    room.advance()
    assert room.orders()[0].state is state, "it waits"
    assert bench.check(1) is AccountHealth.CLEAN
    room.advance()
    assert room.orders()[0].state is OrderState.FILLED
