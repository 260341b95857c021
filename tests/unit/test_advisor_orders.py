"""Orders in the box: offered, answered, let go; reports in any order make the same books."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.mailbox import BoxOrder, Deal, ExecutionReport, state_of
from engine.domain.orders import OrderState, OrderType, Side
from engine.domain.pushed import Sender, Status
from engine.errors import NotFound
from engine.services.take_prices import Envelope
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.metatrader_desk import bridge_over

ACCOUNT, MAGIC = "51", "7"
SENDER = Sender(account=ACCOUNT)


def box_order(**changes: Any) -> BoxOrder:
    fields: dict[str, Any] = {
        "id": "o1", "account": ACCOUNT, "magic": MAGIC, "account_id": "test:ea",
        "client_id": "qd-1-e", "comment": "Q1", "symbol": "EURUSD", "side": Side.BUY,
        "type": OrderType.MARKET, "lots": D("0.3"), "contract": D(100_000),
        "valid_until": START + timedelta(seconds=60), "created_at": START, "touched_at": START,
    }  # fmt: skip
    return BoxOrder(**(fields | changes))


def deal(ticket: int, lots: str = "0.1") -> Deal:
    return Deal(ticket=str(ticket), lots=D(lots), price=D("1.1"), commission=D("-0.07"),
                time=START + timedelta(seconds=ticket))  # fmt: skip


def report(status: Status, *deals: Deal, **changes: Any) -> ExecutionReport:
    fields: dict[str, Any] = {"sender": SENDER, "id": "o1", "status": status, "order": "900",
                              "deals": deals}  # fmt: skip
    return ExecutionReport(**(fields | changes))


class Box:
    """A bridge with orders in it."""

    def __init__(self, *orders: BoxOrder) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock.now)
        self.bridge = bridge_over(self.store, self.clock)
        self.bridge.terminals.post(*orders)
        self._told = 0

    def offered(self) -> list[tuple[object, object]]:
        """Id and type of what the advisor is to do."""
        return [(offer["id"], offer["type"])
                for offer in self.bridge.desk.offers(ACCOUNT, MAGIC)]  # fmt: skip

    def tell(self, told: ExecutionReport) -> bool:
        """Whether a report was one that had come before."""
        self._told += 1
        envelope = Envelope(f"body {self._told}")
        return self.bridge.desk.orders.take_report(told, envelope).is_copy

    def order(self, order_id: str = "o1") -> BoxOrder:
        with self.store.reading() as tx:
            return tx.box_orders.get(order_id)


PARTS = [deal(1), deal(2), deal(3)]
LIFE = [
    report("unknown", order=""),
    report("placed"),
    report("partly_filled", PARTS[0]),
    report("partly_filled", PARTS[1], PARTS[0]),
    report("filled", *PARTS, retcode=10009, reason="done"),
    report("filled", *PARTS, reason="seen before"),
]


@given(st.permutations(LIFE), st.lists(st.sampled_from(LIFE), max_size=4))
@settings(max_examples=60, deadline=None)
def test_row_30_metatrader_reports_in_any_order_and_number_make_the_same_books(
    told: list[ExecutionReport], again: list[ExecutionReport]
) -> None:
    box = Box(box_order())
    box.offered()
    for one in (*told, *again):
        box.tell(one)
    order = box.order()
    assert order.deals == tuple(PARTS)
    assert (order.filled, order.order, order.end) == (D(30_000), "900", "filled")
    assert state_of([order]) is OrderState.FILLED
    assert box.offered() == []


@given(st.permutations([report("placed"), report("partly_filled", PARTS[0]),
                        report("cancelled", PARTS[0]), report("unknown", order="")]))  # fmt: skip
@settings(max_examples=24, deadline=None)
def test_a_part_and_a_cancellation_keep_the_part_in_any_order(told: list[ExecutionReport]) -> None:
    box = Box(box_order(type=OrderType.LIMIT, price=D("1.1")))
    for one in told:
        box.tell(one)
    assert state_of([box.order()]) is OrderState.CANCELLED
    assert box.order().filled == D(10_000)
    assert (box.order().retcode, box.order().reason) == (0, "")


def test_row_30_metatrader_one_statement_told_again_and_again_is_one_signal() -> None:
    box = Box(box_order())
    assert [box.tell(report("placed")) for _ in range(4)] == [False, True, True, True]
    with box.store.reading() as tx:
        [signal] = tx.signals.select(kind="execution")
    assert (signal.copies, signal.outcome, signal.sender) == (3, "placed o1", ACCOUNT)


def test_an_order_is_offered_until_it_is_over_and_to_its_own_advisor_only() -> None:
    box = Box(box_order(), box_order(id="o2", magic="8"), box_order(id="o3", account="52"))
    assert box.offered() == [("o1", "market")]
    assert box.order().offered_at == box.clock.now()
    assert box.order("o2").offered_at is box.order("o3").offered_at is None
    box.tell(report("placed"))
    assert box.offered() == [("o1", "market")], "its fills are still to be told"
    box.tell(report("rejected", retcode=10006))
    assert box.offered() == []


def test_what_is_offered_says_everything_exactly() -> None:
    box = Box(box_order(type=OrderType.STOP_LIMIT, price=D("1.2"), stop_price=D("1.1"),
                        position="77", reduces=True))  # fmt: skip
    [offer] = box.bridge.desk.offers(ACCOUNT, MAGIC)
    assert offer == {
        "id": "o1", "comment": "Q1", "symbol": "EURUSD", "side": "buy", "type": "stop_limit",
        "lots": D("0.3"), "price": D("1.2"), "stop_price": D("1.1"), "stop_loss": 0,
        "take_profit": 0, "position": 77, "reduces": 1,
        "valid_until": int(START.timestamp()) + 60,
    }  # fmt: skip


def test_an_entry_that_nobody_fetched_in_time_is_let_go_for_certain() -> None:
    box = Box(box_order(), box_order(id="exit", valid_until=None))
    box.clock.advance(61)
    assert box.offered() == [("exit", "market")]
    assert (box.order().end, box.order().is_open) == ("expired", False)
    assert "did not fetch it in time" in box.order().reason
    box.clock.advance(3600)
    assert box.offered() == [("exit", "market")], "an exit waits as long as it has to"


def test_one_that_was_fetched_is_never_let_go_by_the_clock_alone() -> None:
    box = Box(box_order())
    box.offered()
    box.clock.advance(3600)
    assert box.offered() == [("o1", "market")]
    box.tell(report("filled", *PARTS))
    assert state_of([box.order()]) is OrderState.FILLED


def test_a_terminal_that_denies_an_order_for_a_minute_never_sent_it() -> None:
    denial = report("unknown", order="", retcode=10012, reason="timeout")
    box = Box(box_order())
    box.offered()
    box.tell(denial)
    box.clock.advance(60)
    box.tell(denial)
    assert box.offered() == [("o1", "market")]
    box.clock.advance(1)
    box.tell(denial)
    assert box.offered() == []
    assert (box.order().end, box.order().reason) == ("expired", "timeout")


def test_a_terminal_that_is_silent_after_its_denial_denies_nothing_more() -> None:
    box = Box(box_order())
    box.offered()
    box.tell(report("unknown", order="", retcode=10031))
    box.clock.advance(3600)
    assert box.order().aged(box.clock.now()).is_open
    assert box.offered() == [("o1", "market")]
    box.tell(report("filled", *PARTS))
    assert state_of([box.order()]) is OrderState.FILLED


def test_a_denial_is_taken_back_when_the_order_turns_up() -> None:
    box = Box(box_order())
    box.tell(report("unknown", order=""))
    box.tell(report("placed"))
    box.clock.advance(3600)
    assert box.order().aged(box.clock.now()).is_open


def test_taken_back_before_it_was_fetched_it_is_cancelled_at_once() -> None:
    box = Box(box_order())
    box.bridge.terminals.change("o1", lambda order: order.wanted_back(box.clock.now()))
    assert box.order().end == "cancelled"
    assert box.offered() == []


def test_taken_back_after_it_was_fetched_it_is_answered_without_being_executed() -> None:
    box = Box(box_order())
    box.offered()
    box.bridge.terminals.change("o1", lambda order: order.wanted_back(box.clock.now()))
    first, second = box.bridge.desk.offers(ACCOUNT, MAGIC)
    assert (first["type"], first["valid_until"]) == ("market", 1), "over for longer than can be"
    assert (second["type"], second["id"], second["comment"]) == ("cancel", "o1:cancel", "Q1")
    box.tell(report("cancelled", id="o1:cancel"))
    assert state_of([box.order()]) is OrderState.CANCELLED


@pytest.mark.parametrize("told", [report("placed", id="o9"),
                                  report("placed", sender=Sender(account="52"))])  # fmt: skip
def test_a_report_about_another_accounts_order_changes_nothing(told: ExecutionReport) -> None:
    box = Box(box_order())
    before = box.order()
    with pytest.raises(NotFound, match="There is no order"):
        box.tell(told)
    assert box.order() == before
