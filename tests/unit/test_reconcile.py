"""Reconciling an account with a scripted venue: booked, found, halted, told once, made to agree."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.accounts import (
    AccountHealth,
    Finding,
    FindingKind,
    FindingState,
    Flow,
    LineKind,
)
from engine.domain.orders import OrderRequest, OrderState, OrderType, Side
from engine.domain.positions import Fill
from engine.ports import Balance
from engine.services.findings import Rules
from engine.services.read_accounts import MOST_LOOKS
from engine.services.reconcile import Reconciler
from tests.fakes.broker import Fault, VenueFault
from tests.unit.conftest import Room
from tests.unit.samples import config

ACCOUNT = "paper:simulated"


class Bench:
    """A room with a reconciler; ``check`` lets a minute pass first."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.reconciler = Reconciler(room.books, room.desk, room.venues)

    def check(self, seconds: float = 60) -> AccountHealth:
        """The account's health after a check."""
        self.room.broker.now = self.room.clock.advance(seconds)
        return self.reconciler.check(ACCOUNT, self.room.market, "test").health

    def rules(self, **rules: Any) -> None:
        """Settings other than the default."""
        room = self.room
        self.reconciler = Reconciler(room.books, room.desk, room.venues, Rules(**rules))

    def restart(self) -> None:
        """What a crash leaves, and a start holds back."""
        self.room.restart()
        self.room.books.hold_until_checked()
        self.reconciler = Reconciler(self.room.books, self.room.desk, self.room.venues)

    def foreign(self, client_id: str = "by-hand", **changes: Any) -> None:
        """An order that a person gives elsewhere; a market order to buy half a coin."""
        request: dict[str, Any] = {"client_id": client_id, "symbol": "BTC/USDT", "side": Side.BUY,
                                   "quantity": D("0.5")}  # fmt: skip
        self.room.broker.now = self.room.clock.advance(1)
        self.room.broker.foreign(OrderRequest(**(request | changes)))

    @property
    def open(self) -> dict[FindingKind, Finding]:
        """The open findings by kind."""
        return {one.kind: one for one in self.room.books.findings.values()}

    def fills(self) -> list[Fill]:
        """All fills in the books."""
        with self.room.store.reading() as tx:
            return list(tx.fills.select())

    def agrees(self) -> bool:
        """Whether the books explain every amount that the venue holds."""
        books = {k: v for k, v in self.room.books.totals[ACCOUNT].items() if v}
        return books == {k: v for k, v in self.room.broker.held.items() if v}

    def told(self, kind: str = "reconcile.mismatch") -> int:
        """How many events of a kind there are."""
        return sum(event.kind == kind for event in self.room.events())


@pytest.fixture
def bench(room: Room) -> Iterator[Bench]:
    """An account that was opened and found clean."""
    bench = Bench(room)
    assert bench.check() is AccountHealth.CLEAN
    yield bench


def test_the_first_sight_opens_the_books_and_the_second_finds_nothing_new(bench: Bench) -> None:
    assert bench.agrees()
    assert bench.check() is AccountHealth.CLEAN
    with bench.room.store.reading() as tx:
        lines = tx.lines.select()
    assert [(one.asset, one.amount, one.kind) for one in lines] == [
        ("USDT", D(100_000), LineKind.OPENING)
    ]
    assert bench.told("reconcile.clean") == 1


def test_books_from_before_this_version_are_opened_with_what_their_fills_do_not_explain(
    room: Room,
) -> None:
    room.enter()
    assert room.books.totals[ACCOUNT] == {"BTC": D(1), "USDT": D(-100)}
    bench = Bench(room)
    assert bench.check() is AccountHealth.CLEAN
    assert bench.agrees()
    assert bench.open == {}


def test_fills_of_our_orders_keep_both_sides_equal(bench: Bench) -> None:
    bench.room.broker.fee_rate, bench.room.broker.fee_asset = D("0.001"), "BNB"
    bench.room.enter()
    assert bench.check() is AccountHealth.CLEAN
    bench.room.close()
    assert bench.check() is AccountHealth.CLEAN
    assert bench.agrees()


def test_a_fill_that_the_desk_missed_is_found_among_the_trades(bench: Bench) -> None:
    bench.room.broker.faults.append(Fault.RESTS)
    bench.room.enter()
    real = bench.room.broker.find_order
    bench.room.broker.fill(bench.room.broker.sent[0])
    stale = bench.room.broker.orders[bench.room.broker.sent[0]].model_copy(
        update={"state": OrderState.OPEN, "filled": D(0), "fills": ()}
    )
    bench.room.broker.find_order = lambda client_id, symbol: stale  # type: ignore[method-assign]
    assert bench.check() is AccountHealth.CLEAN
    bench.room.broker.find_order = real  # type: ignore[method-assign]
    assert bench.room.books.positions[bench.room.bot.id].quantity == D(1)
    assert bench.agrees()


@pytest.mark.parametrize("tells_client_ids", [True, False])
def test_a_late_fill_is_booked_with_its_bot_and_told(bench: Bench, tells_client_ids: bool) -> None:
    broker = bench.room.broker
    broker.tells_client_ids = tells_client_ids
    broker.faults.append(VenueFault.LANDS_LATE)
    bench.room.enter()
    for _ in range(3):
        bench.room.advance(31)
    assert bench.room.orders()[0].state is OrderState.EXPIRED
    broker.land()
    assert bench.check() is AccountHealth.CLEAN, "a late fill is booked, so nothing has to halt"
    assert bench.room.books.positions[bench.room.bot.id].quantity == D(1)
    assert bench.agrees()
    assert set(bench.open) == {FindingKind.LATE_FILL}
    assert bench.told("order.late_fill") == 1
    assert bench.check() is AccountHealth.CLEAN
    assert bench.told() == 1


def test_an_order_that_turns_up_after_it_was_given_up_is_taken_back(bench: Bench) -> None:
    broker = bench.room.broker
    broker.faults.append(VenueFault.LANDS_LATE)
    bench.room.enter()
    for _ in range(3):
        bench.room.advance(31)
    broker.faults.append(Fault.RESTS)
    client_id = broker.sent[0]
    request, broker.under_way = broker.under_way[0], []
    broker._accept(request, Fault.HALF)
    assert bench.check() is AccountHealth.CLEAN
    assert broker.orders[client_id].state is OrderState.CANCELLED
    assert bench.room.books.positions[bench.room.bot.id].quantity == D("0.5")
    assert bench.agrees()


def test_a_trade_of_nobodys_is_in_the_ledger_and_halts_entries(bench: Bench) -> None:
    bench.foreign()
    bench.foreign("also-by-hand", symbol="ETH/USDT", quantity=D(2))
    assert bench.check() is AccountHealth.MISMATCH
    assert bench.agrees(), "every execution is booked, whoever ordered it"
    assert {(fill.bot_id, fill.symbol) for fill in bench.fills()} == {
        ("", "BTC/USDT"), ("", "ETH/USDT")
    }  # fmt: skip
    assert bench.told() == 2
    objection = bench.room.books.account_objection(ACCOUNT)
    assert objection is not None and "Somebody bought" in objection
    bench.room.enter()
    assert bench.room.orders()[-1].state is OrderState.EXPIRED
    assert bench.check() is AccountHealth.MISMATCH, "it happened: it does not go away by itself"
    assert bench.told() == 2


def test_exits_go_on_while_an_account_is_halted(bench: Bench) -> None:
    bench.room.enter()
    bench.foreign()
    assert bench.check() is AccountHealth.MISMATCH
    bench.room.close()
    assert bench.room.bot.id not in bench.room.books.positions
    assert bench.agrees()


def test_more_trades_of_a_foreign_order_are_one_finding(bench: Bench) -> None:
    bench.foreign("slow", type=OrderType.LIMIT, price=D(90), quantity=D(1))
    bench.room.broker.fill("slow", D("0.25"))
    bench.check()
    bench.room.broker.fill("slow", D("0.5"))
    assert bench.check() is AccountHealth.MISMATCH
    assert bench.open[FindingKind.FOREIGN_TRADE].amount == D("0.75")
    assert bench.agrees()


def test_trades_that_are_listed_late_are_still_those_of_nobody(bench: Bench) -> None:
    bench.foreign("resting", type=OrderType.LIMIT, price=D(90))
    bench.check()
    bench.room.broker.fill("resting")
    trades, bench.room.broker.trades = bench.room.broker.trades, []
    assert bench.check() is AccountHealth.MISMATCH
    assert set(bench.open) == {FindingKind.BALANCE}
    bench.room.broker.trades = trades
    assert bench.check() is AccountHealth.MISMATCH
    assert set(bench.open) == {FindingKind.FOREIGN_TRADE}
    assert bench.agrees()


def test_a_trade_that_may_be_of_an_order_under_way_is_given_to_nobody(bench: Bench) -> None:
    broker = bench.room.broker
    broker.tells_client_ids = False
    broker.faults.append(VenueFault.INVISIBLE)
    bench.room.enter()
    assert bench.check(1) is AccountHealth.CLEAN
    assert bench.fills() == []
    broker.reveal()
    assert bench.check(1) is AccountHealth.CLEAN
    assert bench.room.books.positions[bench.room.bot.id].quantity == D(1)
    assert bench.agrees()


def test_a_foreign_order_is_shown_and_halts_nothing(bench: Bench) -> None:
    bench.foreign("resting", type=OrderType.LIMIT, price=D(90))
    assert bench.check() is AccountHealth.CLEAN
    found = bench.open[FindingKind.FOREIGN_ORDER]
    assert (found.subject, found.is_blocking) == ("resting", False)
    order = bench.room.orders()[0]
    assert (order.state, order.bot_id, order.price) == (OrderState.EXTERNAL, "", D(90))
    bench.room.broker.cancel("resting", "BTC/USDT")
    assert bench.check() is AccountHealth.CLEAN
    assert bench.open == {}
    assert bench.room.orders()[0].state is OrderState.CANCELLED


def test_what_nothing_explains_halts_until_it_is_gone(bench: Bench) -> None:
    bench.room.broker.held["USDT"] -= D("0.01")
    assert bench.check() is AccountHealth.MISMATCH
    found = bench.open[FindingKind.BALANCE]
    assert (found.subject, found.amount) == ("USDT", D("-0.01"))
    assert bench.told() == 1
    bench.restart()
    assert bench.room.books.account_objection(ACCOUNT) is not None
    assert bench.check() is AccountHealth.MISMATCH
    assert bench.told() == 1, "told once, over restarts too"
    bench.room.broker.held["USDT"] += D("0.01")
    assert bench.check() is AccountHealth.CLEAN
    assert bench.told("reconcile.clean") == 2
    assert bench.room.books.account_objection(ACCOUNT) is None


def test_less_than_bots_own_is_a_shortfall_too(bench: Bench) -> None:
    bench.room.enter()
    bench.room.broker.held["BTC"] = D("0.4")
    assert bench.check() is AccountHealth.MISMATCH
    assert set(bench.open) == {FindingKind.BALANCE, FindingKind.SHORTFALL}
    assert bench.open[FindingKind.SHORTFALL].bot_id == bench.room.bot.id
    assert bench.open[FindingKind.SHORTFALL].amount == D("-0.6")


def test_an_asset_never_seen_before_is_opened_when_nothing_else_is_left(bench: Bench) -> None:
    bench.room.broker.held["DOGE"] = D(7)
    assert bench.check() is AccountHealth.CLEAN
    assert bench.agrees()
    assert bench.told("reconcile.opened") == 1
    bench.room.broker.held["DOGE"] = D(8)
    assert bench.check() is AccountHealth.MISMATCH


def test_an_order_under_way_is_not_held_against_its_assets(bench: Bench) -> None:
    broker = bench.room.broker
    broker.faults.append(VenueFault.INVISIBLE)
    broker.hides_trades = True
    bench.room.enter()
    assert bench.check(5) is AccountHealth.CLEAN
    assert bench.open == {}
    for _ in range(2):
        bench.check(31)
    assert bench.open[FindingKind.UNKNOWN_ORDER].bot_id == bench.room.bot.id
    assert bench.room.books.account_objection(ACCOUNT) is not None
    broker.reveal()
    assert bench.check() is AccountHealth.CLEAN
    assert bench.open == {}
    assert bench.agrees()
    assert bench.room.books.positions[bench.room.bot.id].quantity == D(1)


@pytest.mark.parametrize(
    ("switch", "health"),
    [("is_down", AccountHealth.UNREACHABLE), ("is_denied", AccountHealth.DENIED)],
)
def test_a_venue_that_does_not_answer_is_never_clean(
    bench: Bench, switch: str, health: AccountHealth
) -> None:
    bench.restart()
    setattr(bench.room.broker, switch, True)
    assert bench.check() is health
    assert bench.check() is health
    assert bench.told(f"reconcile.{health.value}") == 1
    objection = bench.room.books.account_objection(ACCOUNT)
    assert objection == "the account has not been reconciled yet"
    setattr(bench.room.broker, switch, False)
    assert bench.check() is AccountHealth.CLEAN
    assert bench.room.books.account_objection(ACCOUNT) is None


def test_a_venue_that_is_lost_after_a_check_halts_nothing_by_itself(bench: Bench) -> None:
    bench.room.broker.is_down = True
    assert bench.check() is AccountHealth.UNREACHABLE
    assert bench.room.books.account_objection(ACCOUNT) is None


def test_an_account_is_not_opened_while_an_order_is_under_way(room: Room) -> None:
    room.broker.faults.append(VenueFault.INVISIBLE)
    room.broker.hides_trades = True
    room.enter()
    bench = Bench(room)
    assert bench.check(1) is AccountHealth.UNCHECKED
    assert room.books.account_objection(ACCOUNT) == "the account has not been reconciled yet"
    room.broker.reveal()
    assert bench.check(1) is AccountHealth.CLEAN
    assert bench.agrees()


def test_funding_of_what_one_bot_holds_is_that_bots_and_booked_once(bench: Bench) -> None:
    bench.room.enter()
    for number, symbol in enumerate(("BTC/USDT", "ETH/USDT")):
        now = bench.room.clock.now() + timedelta(seconds=1)
        flow = Flow(id=f"f{number}", asset="USDT", amount=D(-2), kind=LineKind.FUNDING,
                    symbol=symbol, time=now)  # fmt: skip
        bench.room.broker.flow_list.append(flow)
    bench.room.broker.held["USDT"] -= 4
    assert bench.check() is AccountHealth.CLEAN
    assert bench.check() is AccountHealth.CLEAN
    assert bench.agrees()
    assert bench.room.books.positions[bench.room.bot.id].funding == D(-2)


def test_the_settings_may_take_trades_and_deposits_as_they_come(bench: Bench) -> None:
    bench.rules(foreign_trades="ignore", deposits="accept")
    bench.room.enter()
    bench.foreign()
    bench.room.broker.held["USDT"] += D(500)
    assert bench.check() is AccountHealth.CLEAN
    assert bench.agrees()
    with bench.room.store.reading() as tx:
        found = {one.kind: one for one in tx.findings.select()}
        lines = {one.kind: one.amount for one in tx.lines.select()}
    assert found[FindingKind.FOREIGN_TRADE].state is FindingState.IGNORED
    assert found[FindingKind.BALANCE].state is FindingState.ADOPTED
    assert {one.resolved_by for one in found.values()} == {"rule"}
    assert lines[LineKind.DEPOSIT] == D(500)
    bench.room.broker.held["BTC"] -= D("0.1")
    assert bench.check() is AccountHealth.MISMATCH, "what a bot owns is never written off by rule"


def test_one_check_is_enough_for_however_many_bots(bench: Bench) -> None:
    room = bench.room
    for number in range(40):
        room.add_bot(id=f"c{number:07}", config=config(name=f"bot {number}"))
    calls: list[str] = []
    for name in ("balances", "open_orders", "executions", "find_order"):
        real = getattr(room.broker, name)

        def counted(*args: Any, name: str = name, real: Any = real) -> Any:
            calls.append(name)
            return real(*args)

        setattr(room.broker, name, counted)
    assert bench.check() is AccountHealth.CLEAN
    assert sorted(calls) == ["balances", "open_orders"]


def test_a_balance_that_never_stands_still_is_not_judged(bench: Bench) -> None:
    broker = bench.room.broker
    real = broker.balances

    def moving() -> Any:
        broker.held["USDT"] += 1
        return real()

    broker.balances = moving  # type: ignore[method-assign]
    assert bench.check() is AccountHealth.CLEAN
    assert bench.open == {}
    assert broker.held["USDT"] == 100_000 + MOST_LOOKS
    broker.balances = real  # type: ignore[method-assign]
    assert bench.check() is AccountHealth.MISMATCH


def test_an_order_that_fills_while_its_account_is_looked_at_is_no_difference(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a constant pace every look differs by the same amount."""
    room = bench.room
    bench.check()
    room.broker.faults.append(Fault.RESTS)
    room.enter()
    order, balances = room.orders()[0], room.broker.balances

    def fills_a_little() -> Mapping[str, Balance]:
        if room.broker.orders[order.client_id].state is not OrderState.FILLED:
            room.broker.fill(order.client_id, D("0.02"))
        return balances()

    monkeypatch.setattr(room.broker, "balances", fills_a_little)
    for _ in range(3):
        bench.check(10)
        assert FindingKind.BALANCE not in bench.open
    monkeypatch.undo()
    room.advance(1)
    bench.check()
    assert bench.agrees()


def test_trades_by_hand_that_cancel_out_are_found_by_their_fees(bench: Bench) -> None:
    room = bench.room
    room.broker.held["BNB"] = D(1)
    bench.check()
    room.broker.fee_asset, room.broker.fee_rate = "BNB", D("0.0001")
    bench.foreign("in")
    bench.foreign("out", side=Side.SELL)
    bench.check()
    assert set(bench.open) == {FindingKind.FOREIGN_TRADE}
    assert bench.agrees()


# --- accounts whose cash is the venue's own affair ------------------------------------------------


@pytest.fixture
def settling(bench: Bench) -> Bench:
    """The same account at a venue that settles, lends and charges without listing it."""
    broker = bench.room.broker
    broker.capabilities = broker.capabilities.model_copy(update={"has_exact_cash": False})
    return bench


def adjustments(bench: Bench) -> list[tuple[str, D]]:
    """The lines by which the books followed the venue's cash."""
    with bench.room.store.reading() as tx:
        return [(one.asset, one.amount) for one in tx.lines.select(kind=LineKind.ADJUSTMENT)]


def test_cash_that_is_settled_otherwise_is_followed_and_halts_nothing(settling: Bench) -> None:
    settling.room.enter()
    settling.room.broker.held["USDT"] = D("99_998.87")  # a margin account lends what was bought
    assert settling.check() is AccountHealth.CLEAN
    assert settling.check() is AccountHealth.CLEAN
    assert settling.agrees()
    assert settling.open == {}
    assert adjustments(settling) == [("USDT", D("98.87"))]


def test_its_positions_are_compared_all_the_same(settling: Bench) -> None:
    settling.room.enter()
    settling.room.broker.held["BTC"] = D("0.4")
    settling.room.broker.held["USDT"] -= D(5)
    assert settling.check() is AccountHealth.MISMATCH
    assert set(settling.open) == {FindingKind.BALANCE, FindingKind.SHORTFALL}
    assert settling.open[FindingKind.BALANCE].subject == "BTC"


def test_its_cash_is_not_followed_while_an_order_is_under_way(settling: Bench) -> None:
    settling.room.broker.faults.append(Fault.LOST_BEFORE)
    settling.room.enter()
    settling.room.broker.held["USDT"] -= D(5)
    settling.check(1)
    assert adjustments(settling) == []
