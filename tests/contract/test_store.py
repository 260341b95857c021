"""What every store keeps, finds, refuses and orders."""

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from engine.adapters.store import store as maps
from engine.adapters.store.repository import TableMap
from engine.adapters.store.store import SqlStore
from engine.domain.decisions import Action
from engine.domain.orders import OrderState
from engine.domain.records import Level
from engine.domain.routes import Place, RouteCandidate, RoutePlan
from engine.errors import Conflict, NotFound, StoreError
from engine.ports import NotAfter, Prefix, Repository, Store, Transaction
from tests.contract.store_samples import (
    BOT_ID,
    SAMPLES,
    advice,
    audit,
    configuration,
    decision,
    entry,
    equity,
    event,
    order,
    trade,
)
from tests.fakes.clock import START
from tests.unit.samples import bot, config, fill, instrument, position

ALL_MAPS = [value for value in vars(maps).values() if isinstance(value, TableMap)]


@pytest.fixture
def store(any_store: Store) -> Store:
    """The one in memory too: what is tested over it must hold over a database."""
    return any_store


def repository_of(tx: Transaction, name: str) -> Repository[Any]:
    repository: Repository[Any] = getattr(tx, name)
    return repository


def key_of(name: str, item: BaseModel) -> str:
    keys = {
        "orders": "client_id",
        "retunes": "bot_id",
        "listeners": "bot_id",
        "terminals": "account",
    }
    key = keys.get(name, "id")
    return str(item.model_dump()[key])


def add_owner(tx: Transaction, name: str) -> None:
    """The bot that a decision, an equity point or a configuration belongs to."""
    if name != "bots":
        tx.bots.add(bot())


@pytest.mark.parametrize("name", SAMPLES)
def test_an_entity_comes_back_as_it_was_kept(store: Store, name: str) -> None:
    item, changes = SAMPLES[name]
    with store.transaction() as tx:
        add_owner(tx, name)
        repository_of(tx, name).add(item)
    with store.reading() as tx:
        found = repository_of(tx, name).get(key_of(name, item))
        assert found == item
        assert repository_of(tx, name).select() == [found]
    changed = found.model_copy(update=changes)
    with store.transaction() as tx:
        repository_of(tx, name).save(changed)
    with store.reading() as tx:
        assert repository_of(tx, name).find(key_of(name, item)) == changed
    with store.transaction() as tx:
        repository_of(tx, name).delete(key_of(name, item))
    with store.reading() as tx:
        assert repository_of(tx, name).find(key_of(name, item)) is None
        assert repository_of(tx, name).count() == 0


def test_where_a_bot_was_routed_and_why_comes_back_exactly(store: Store) -> None:
    best = RouteCandidate(
        market="far", account_id="paper:far", symbol="BTCUSDT", price=Decimal("100.00000001"),
        has_depth=True, fee_bps=Decimal("7.5"), latency_ms=12.25, age_s=0.5, free=Decimal("1E+3"),
        score=Decimal("100.07500001"),
    )  # fmt: skip
    out = RouteCandidate(market="near", account_id="paper:near", is_home=True, excluded="paused")
    plan = RoutePlan(side="buy", amount=Decimal("1E-8"), chosen="paper:far", reason="it is alone",
                     decided_at=START, candidates=(best, out))  # fmt: skip
    routed = bot(place=Place(market="far", symbol="BTCUSDT"))
    with store.transaction() as tx:
        tx.bots.add(routed)
        tx.orders.add(order(routing=plan))
    with store.reading() as tx:
        assert tx.bots.get(routed.id).place == routed.place
        assert tx.orders.select()[0].routing == plan


def test_what_is_not_there_is_not_found(store: Store) -> None:
    with store.transaction() as tx:
        for name, (item, _changes) in SAMPLES.items():
            repository = repository_of(tx, name)
            assert repository.find("no such key") is None
            with pytest.raises(NotFound, match=r"There is no .* 'no such key'"):
                repository.get("no such key")
            with pytest.raises(NotFound):
                repository.delete("no such key")
            with pytest.raises(NotFound):
                repository.save(item)


TAKEN: list[tuple[str, BaseModel, BaseModel, str]] = [
    ("bots", bot(), bot(config(name="DEMO"), id="b2"), "already a bot of this name"),
    ("bots", bot(config(name="Größe")), bot(config(name="GRÖSSE"), id="b2"), "bot of this name"),
    ("decisions", decision(), decision(id="other"), "decided before"),
    ("fills", fill(1), fill(1, id="other"), "in the books already"),
    ("orders", order(), order(side="sell"), "client id is in the books already"),
    ("configurations", configuration(), configuration().model_copy(update={"id": "x"}), "version"),
    ("trades", trade(), trade(), "exists already"),
]


@pytest.mark.parametrize(("name", "first", "second", "sentence"), TAKEN)
def test_a_unique_key_is_taken_once(
    store: Store, name: str, first: BaseModel, second: BaseModel, sentence: str
) -> None:
    with store.transaction() as tx:
        add_owner(tx, name)
        repository_of(tx, name).add(first)
    with pytest.raises(Conflict, match=sentence), store.transaction() as tx:
        tx.events.add(event())
        repository_of(tx, name).add(second)
    with store.reading() as tx:
        assert repository_of(tx, name).select() == [first]
        assert tx.events.count() == 0


def test_a_swallowed_error_cannot_be_committed(store: Store) -> None:
    with (
        pytest.raises(StoreError, match=r"had failed\. Nothing was written"),
        store.transaction() as tx,
    ):
        tx.events.add(event(1))
        with pytest.raises(Conflict):
            tx.events.add(event(2), event(1))
    with store.reading() as tx:
        assert tx.events.count() == 0


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            tx.bots.add(bot())
            tx.put_setting("kill", "x")
            tx.put_instrument("simulated", instrument())
            assert tx.bots.count() == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with store.transaction() as tx:
        assert tx.bots.count() == 0
        assert tx.find_setting("kill") is None
        assert tx.find_instrument("simulated", "BTC/USDT") is None


def test_a_deleted_bot_takes_its_working_records_and_leaves_its_history(store: Store) -> None:
    with store.transaction() as tx:
        tx.bots.add(bot(), bot(config(name="other"), id="b2"))
        tx.decisions.add(decision(), decision(id="d2", bot_id="b2"))
        tx.equity.add(equity(), equity(2, bot_id="b2"), equity(3, bot_id=None))
        tx.configurations.add(configuration())
        tx.orders.add(order())
        tx.fills.add(fill(1))
        tx.positions.add(position())
        tx.entries.add(entry())
        tx.trades.add(trade())
        tx.events.add(event())
    with store.transaction() as tx:
        tx.bots.delete(BOT_ID)
    with store.reading() as tx:
        assert [one.bot_id for one in tx.decisions.select()] == ["b2"]
        assert [one.bot_id for one in tx.equity.select()] == ["b2", None]
        assert tx.configurations.count() == 0
        for history in (tx.orders, tx.fills, tx.positions, tx.entries, tx.trades, tx.events):
            assert history.count(bot_id=BOT_ID) == 1


def test_nothing_is_kept_of_a_bot_that_is_gone(store: Store) -> None:
    with pytest.raises(NotFound, match="was deleted"), store.transaction() as tx:
        tx.decisions.add(decision())
    with store.reading() as tx:
        assert tx.decisions.count() == 0


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ({"bot_id": BOT_ID}, [0, 2, 4, 6, 8]),
    ({"bot_id": None}, [1, 3, 5, 7, 9]),
    ({"level": [Level.ERROR, Level.DEBUG]}, [1, 3, 5, 7, 9]),
    ({"id": ("e1", "e8", "zz")}, [1, 8]),
    ({"id": {"e1", "e8"}, "level": Level.INFO}, [8]),
    ({"id": []}, []),
    ({"kind": Prefix("broker")}, [1, 3, 5, 7, 9]),
    ({"kind": Prefix("broker_")}, []),
    ({"kind": Prefix("Broker")}, []),
    ({"kind": "order"}, []),
    ({"kind": "\x00\ud800"}, []),
    ({"kind": Prefix("\x00\ud800")}, []),
    ({"search": "\x00\ud800"}, []),
    ({"since": START + timedelta(seconds=3)}, [3, 4, 5, 6, 7, 8, 9]),
    ({"until": START + timedelta(seconds=3)}, [0, 1, 2]),
    ({"since": START + timedelta(seconds=3), "until": START + timedelta(seconds=5)}, [3, 4]),
    ({"search": "BOUGHT 7"}, [7]),
    ({"search": "b%7"}, []),
    ({"limit": 3}, [0, 1, 2]),
    ({"limit": 3, "offset": 2}, [2, 3, 4]),
    ({"offset": 8}, [8, 9]),
    ({"limit": 2, "is_descending": True}, [9, 8]),
    ({"order_by": "level", "bot_id": None, "limit": 2}, [1, 3]),
]


def test_select_and_count_narrow(store: Store) -> None:
    with store.transaction() as tx:
        for number in range(10):  # odd ones are of no bot and errors
            odd = {"bot_id": None, "level": Level.ERROR, "kind": "broker.refused"}
            tx.events.add(event(number, **(odd if number % 2 else {})))
    paging = {"limit", "offset", "is_descending", "order_by"}
    with store.reading() as tx:
        for query, numbers in FILTERS:
            found = [one.id for one in tx.events.select(**query)]
            assert found == [f"e{n}" for n in numbers], query
            if not paging & set(query):
                assert tx.events.count(**query) == len(numbers), query
                ids = {row_id for row_id, _ in tx.events.values("id", "time", **query)}
                assert ids == set(found), query


def test_advice_is_chosen_by_what_came_of_it_and_by_when_it_is_due(store: Store) -> None:
    later = START + timedelta(microseconds=1)
    with store.transaction() as tx:
        tx.advice.add(
            advice(),
            advice(id="later", outcome_due_at=later),
            advice(id="never", outcome_due_at=None, decision=None, counsel=None),
        )
    with store.reading() as tx:
        for query, ids in (
            ({"outcome_due_at": NotAfter(START)}, ["ad000001"]),
            ({"outcome_due_at": NotAfter(later), "order_by": "outcome_due_at"},
             ["ad000001", "later"]),
            ({"outcome_due_at": NotAfter(START - timedelta(seconds=1))}, []),
            ({"verdict": "reduce", "action": "buy"}, ["ad000001", "later"]),
            ({"action": ""}, ["never"]),
        ):  # fmt: skip
            assert [one.id for one in tx.advice.select(**query)] == ids, query


def test_chosen_columns_come_as_exact_values(store: Store) -> None:
    with store.transaction() as tx:
        tx.trades.add(trade(), trade(id="p2", pnl=Decimal("1E+2"), fees=Decimal("1E-8")))
    with store.reading() as tx:
        rows = tx.trades.values("id", "pnl", "exit_time", quote="USDT")
    assert sorted(rows) == [
        ("p1", Decimal("-0.04920001"), trade().exit_time), ("p2", Decimal(100), trade().exit_time),
    ]  # fmt: skip


def test_search_knows_no_case_in_any_language(store: Store) -> None:
    with store.transaction() as tx:
        tx.events.add(event(1, message="GRÖßE überschritten"), event(2, message="100% _done_"))
    with store.reading() as tx:
        for search, found in [("größe ÜBER", ["e1"]), ("100%", ["e2"]), ("_DONE_", ["e2"]),
                              ("%", ["e2"]), ("x_d", [])]:  # fmt: skip
            assert [one.id for one in tx.events.select(search=search)] == found


def test_a_column_that_does_not_exist_is_a_mistake_in_the_program(store: Store) -> None:
    with store.transaction() as tx:
        with pytest.raises(TypeError, match="events has no column 'colour'"):
            tx.events.select(colour="red")
        with pytest.raises(TypeError, match="events has no column 'colour'"):
            tx.events.select(order_by="colour")
        with pytest.raises(TypeError):
            tx.events.count(colour="red")
        with pytest.raises(TypeError):
            tx.events.prune(START, colour="red")


def test_amounts_are_ordered_by_value_and_found_by_value(store: Store) -> None:
    amounts = ["-10", "-9.5", "0", "0.5", "9", "10", "100"]
    with store.transaction() as tx:
        for index, amount in enumerate(reversed(amounts)):
            tx.trades.add(trade(id=f"t{index}", pnl=Decimal(amount)))
    with store.reading() as tx:
        ordered = [str(one.pnl) for one in tx.trades.select(order_by="pnl")]
        assert ordered == amounts
        assert [one.id for one in tx.trades.select(pnl=Decimal("1.0E+1"))] == ["t1"]


def test_ties_are_settled_by_the_order_of_writing(store: Store) -> None:
    ids = ["z", "a", "m", "b"]
    with store.transaction() as tx:
        tx.events.add(*(event(id=one) for one in ids))
    with store.reading() as tx:
        assert [one.id for one in tx.events.select()] == ids
        assert [one.id for one in tx.events.select(is_descending=True)] == ids[::-1]


def test_rows_are_read_on_in_the_order_in_which_they_were_written(store: Store) -> None:
    with store.transaction() as tx:
        tx.fills.add(*(fill(number) for number in (3, 1, 2)))
    with store.reading() as tx:
        first = tx.fills.written_after(0, 2)
        rest = tx.fills.written_after(first[-1][0], 10)
        assert [one.trade_id for _number, one in [*first, *rest]] == ["t3", "t1", "t2"]
        numbers = [number for number, _one in [*first, *rest]]
        assert numbers == sorted(numbers)
        assert numbers[0] >= 1
        assert tx.fills.written_after(numbers[-1], 10) == []
        with pytest.raises(TypeError):
            tx.orders.written_after(0, 1)


def test_the_audit_trail_keeps_its_order_when_the_clock_goes_back(store: Store) -> None:
    with store.transaction() as tx:
        tx.audit.add(audit(10))
        tx.audit.add(audit(5))
    with store.reading() as tx:
        assert [one.id for one in tx.audit.select(is_descending=True, limit=1)] == ["a5"]
        assert [one.id for one in tx.audit.select()] == ["a10", "a5"]


def test_prune_deletes_what_is_older_and_says_how_many(store: Store) -> None:
    with store.transaction() as tx:
        tx.bots.add(bot())
        tx.decisions.add(*(decision(n) for n in range(5)), decision(1000))
        tx.decisions.save(decision(1, action=Action.EXIT))
        until = START + timedelta(minutes=3)
        assert tx.decisions.prune(until, action=Action.HOLD) == 2
        left = [one.candle_time for one in tx.decisions.select()]
        assert left == [START + timedelta(minutes=n) for n in (1, 3, 4, 1000)]


def test_instruments_and_settings_are_replaced(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_instrument("simulated", instrument())
        tx.put_instrument("ccxt:binance", instrument(min_notional=Decimal(10)))
        tx.put_instrument("simulated", instrument(price_tick=Decimal("0.1"), can_short=False))
        tx.put_setting("kill", "one")
        tx.put_setting("kill", "two")
    with store.reading() as tx:
        changed = instrument(price_tick=Decimal("0.1"), can_short=False)
        assert tx.find_instrument("simulated", "BTC/USDT") == changed
        assert tx.find_instrument("simulated", "ETH/USDT") is None
        kept = tx.find_instrument("ccxt:binance", "BTC/USDT")
        assert kept is not None
        assert kept.min_notional == 10
        assert tx.find_setting("kill") == "two"
        assert tx.find_setting("other") is None


def test_working_orders_are_found_by_their_states(store: Store) -> None:
    with store.transaction() as tx:
        for state in OrderState:
            tx.orders.add(order(client_id=state.value, state=state))
    with store.reading() as tx:
        alive = [OrderState.UNKNOWN, OrderState.OPEN]
        assert {one.state for one in tx.orders.select(state=alive)} == set(alive)
        assert tx.orders.count(position_id="p1") == len(OrderState)


def test_an_amount_that_is_not_exact_is_refused(store: Store) -> None:
    for amount in (1.5, 1, "1.5"):
        wrong = trade().model_copy(update={"pnl": amount})
        with pytest.raises(TypeError, match="must be a Decimal"), store.transaction() as tx:
            tx.trades.add(wrong)
    with store.reading() as tx:
        assert tx.trades.count() == 0


@pytest.mark.parametrize("table_map", ALL_MAPS, ids=lambda one: one.table.name)
def test_every_field_has_a_column_of_its_name(table_map: TableMap[Any]) -> None:
    assert set(table_map.fields) <= set(table_map.table.c.keys())


def test_people_can_read_the_trades_table(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    store = SqlStore.open(f"sqlite:///{file}")
    with store.transaction() as tx:
        tx.trades.add(trade())
    store.close()
    connection = sqlite3.connect(file)
    row = connection.execute(
        "SELECT quantity, exit_price, exit_value, fees, pnl, side, exit_time FROM trades"
    ).fetchone()
    connection.close()
    assert row == ("0.0984", "100", "9.84", "0.00000001", "-0.04920001", "long",
                   "2026-03-02T12:05:00.000000Z")  # fmt: skip
