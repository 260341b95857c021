"""What every paper book keeps."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from engine.adapters.store.database import Database
from engine.adapters.store.migrate import FOLDER
from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.store import SqlStore
from engine.domain.orders import OrderReport, OrderRequest, OrderState, OrderType, Side, VenueFill
from engine.domain.records import PaperBalance
from engine.ports import PaperBook, PaperOrder
from tests.fakes.clock import START

D = Decimal
ACCOUNT = "paper:simulated"
OLD_ROW = """INSERT INTO paper_orders
    (account_id, client_id, is_open, request, report, locked_asset, locked_amount)
    VALUES (:account, :id, :is_open, :request, :report, 'USDT', '0')"""


@pytest.fixture
def book(store: SqlStore) -> PaperBook:
    """An empty book."""
    return SqlPaperBook(store.database)


def balance(asset: str, free: str, locked: str = "0") -> PaperBalance:
    return PaperBalance(asset=asset, free=D(free), locked=D(locked))


def paper_order(client_id: str, state: OrderState = OrderState.OPEN, **changes: Any) -> PaperOrder:
    fill = VenueFill(trade_id=f"{client_id}-1", price=D("100.10"), quantity=D("0.5"),
                     fee=D("1E-8"), fee_asset="USDT", time=START)  # fmt: skip
    fields: dict[str, Any] = {
        "account_id": ACCOUNT,
        "request": OrderRequest(client_id=client_id, symbol="BTC/USDT", side=Side.BUY,
                                type=OrderType.LIMIT, quantity=D("1.0"), price=D("100.1")),
        "report": OrderReport(client_id=client_id, venue_id=f"v-{client_id}", symbol="BTC/USDT",
                              side=Side.BUY, state=state, quantity=D(1), filled=D("0.5"),
                              fills=(fill,)),
        "locked_asset": "USDT", "locked_amount": D("50.05000001"), "matched_until": START,
    }  # fmt: skip
    return PaperOrder(**(fields | changes))


def test_an_account_that_was_never_opened_has_no_balances(book: PaperBook) -> None:
    assert book.balances(ACCOUNT) is None
    book.commit(ACCOUNT, {})
    assert book.balances(ACCOUNT) == {}
    assert book.balances("another") is None


def test_balances_are_exact_and_replaced_one_by_one(book: PaperBook) -> None:
    book.commit(ACCOUNT, {"USDT": balance("USDT", "100000", "0.00000001"),
                          "BTC": balance("BTC", "-0.5")})  # fmt: skip
    book.commit(ACCOUNT, {"BTC": balance("BTC", "123456789.123456789123456789")})
    assert book.balances(ACCOUNT) == {
        "USDT": balance("USDT", "100000", "0.00000001"),
        "BTC": balance("BTC", "123456789.123456789123456789"),
    }


def test_an_order_comes_back_as_it_was_and_is_replaced(book: PaperBook) -> None:
    order = paper_order("one")
    book.commit(ACCOUNT, {}, order)
    assert book.find_order(ACCOUNT, "one") == order
    later = order.model_copy(update={"matched_until": START + timedelta(seconds=1, microseconds=1),
                                     "locked_amount": D(0)})  # fmt: skip
    book.commit(ACCOUNT, {}, later)
    assert book.find_order(ACCOUNT, "one") == later
    assert book.find_order(ACCOUNT, "two") is None
    assert book.find_order("another", "one") is None


def test_open_orders_are_those_still_working_oldest_first(book: PaperBook) -> None:
    ids = ["z", "a", "m", "b"]
    book.commit(ACCOUNT, {}, *(paper_order(one) for one in ids))
    book.commit("another", {}, paper_order("z", account_id="another"))
    book.commit(ACCOUNT, {}, paper_order("a", OrderState.FILLED), paper_order("z"))
    open_ids = [one.request.client_id for one in book.open_orders(ACCOUNT)]
    assert open_ids == ["z", "m", "b"]
    for state in OrderState:
        book.commit("third", {}, paper_order(state.value, state, account_id="third"))
    done = {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
    assert {one.report.state for one in book.open_orders("third")} == set(OrderState) - done


def traded(client_id: str, *minutes: int, symbol: str = "BTC/USDT", **changes: Any) -> PaperOrder:
    """An order with a fill at each of the minutes after the start."""
    order = paper_order(client_id, **changes)
    [fill] = order.report.fills
    fills = tuple(
        fill.model_copy(update={"time": START + timedelta(minutes=minute)}) for minute in minutes
    )
    report = order.report.model_copy(update={"fills": fills, "symbol": symbol})
    return order.model_copy(update={"report": report})


def test_traded_orders_are_those_with_a_fill_since_then(book: PaperBook) -> None:
    late = traded("late", 0, 30)
    book.commit(ACCOUNT, {}, traded("never"), traded("late", 0), traded("old", 9))
    book.commit(ACCOUNT, {}, traded("new", 10), traded("other", 20, symbol="ETH/USDT"), late)
    book.commit("another", {}, traded("foreign", 20, account_id="another"))
    since = START + timedelta(minutes=10)
    assert book.traded_orders(ACCOUNT, "BTC/USDT", since) == [late, traded("new", 10)]
    later = since + timedelta(minutes=20, microseconds=1)
    assert book.traded_orders(ACCOUNT, "BTC/USDT", later) == []


def test_traded_orders_are_found_by_an_index(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    with store.database.reading() as session:
        plan = session.rows(
            text(
                "EXPLAIN QUERY PLAN SELECT report FROM paper_orders WHERE account_id = 'a'"
                " AND symbol = 's' AND traded_at >= '2026' ORDER BY seq"
            )
        )
    store.close()
    assert "ix_paper_orders_account_id_symbol_traded_at" in str(plan[0])


def test_orders_of_an_earlier_version_are_found_by_their_fills(store_url: str) -> None:
    orders = [traded("one", 3, 1), traded("two")]
    database = Database(store_url, 5)
    database.make_folder()
    with database.writing(is_fenced=False) as session:
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.attributes["connection"] = session.connection
        command.upgrade(config, "0002")
        for order in orders:
            session.change(text(OLD_ROW), {
                "account": ACCOUNT, "id": order.request.client_id, "is_open": True,
                "request": order.request.model_dump_json(),
                "report": order.report.model_dump_json(exclude={"type", "created_at"}),
            })  # fmt: skip
    database.close()
    store = SqlStore.open(store_url)
    book = SqlPaperBook(store.database)
    since = START + timedelta(minutes=3)
    found = [one.report for one in book.traded_orders(ACCOUNT, "BTC/USDT", since)]
    assert found == [orders[0].report]
    assert [one.report for one in book.open_orders(ACCOUNT)] == [one.report for one in orders]
    assert not any(one.is_triggered for one in book.open_orders(ACCOUNT))
    store.close()


def test_a_commit_is_all_or_nothing(book: PaperBook) -> None:
    book.commit(ACCOUNT, {"USDT": balance("USDT", "100")})
    broken = paper_order("one", locked_amount=D(1)).model_copy(update={"locked_amount": 0.5})
    with pytest.raises(TypeError):
        book.commit(ACCOUNT, {"USDT": balance("USDT", "50")}, paper_order("two"), broken)
    assert book.balances(ACCOUNT) == {"USDT": balance("USDT", "100")}
    assert book.open_orders(ACCOUNT) == []


def test_the_book_outlives_its_store(store: SqlStore, store_url: str, book: PaperBook) -> None:
    book.commit(ACCOUNT, {"USDT": balance("USDT", "100")}, paper_order("one"))
    store.close()
    again = SqlStore.open(store_url)
    reopened = SqlPaperBook(again.database)
    assert reopened.balances(ACCOUNT) == {"USDT": balance("USDT", "100")}
    assert reopened.open_orders(ACCOUNT) == [paper_order("one")]
    again.close()
