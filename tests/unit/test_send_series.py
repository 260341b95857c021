"""Time series out: all that the books keep arrives once, and nobody waits for it."""

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.store.store import SqlStore
from engine.domain.advice import AdviceOutcome
from engine.domain.decisions import Action
from engine.domain.measurements import SeriesPoint
from engine.domain.orders import Purpose, Side
from engine.domain.positions import Position
from engine.domain.records import Level
from engine.domain.signals import SignalState
from engine.domain.venue_accounts import Mode
from engine.errors import SinkError
from engine.ports import Store
from engine.services.books import Books
from engine.services.pulse import Pulse
from engine.services.read_series import SeriesReader
from engine.services.send_series import NO_ANSWER, PATIENCE, SeriesSender
from engine.services.series_sources import BATCH, sources
from tests.contract.store_samples import (
    account,
    advice,
    box_order,
    decision,
    equity,
    order,
    pushed_price,
    signal,
    trade,
)
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.series import MemorySink, at_once
from tests.unit.samples import bot, config, fill, position

D = Decimal
DOWN = "It does not answer."


class Room:
    """Books of one bot, a sender over them, and what has arrived."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.clock = clock
        self.books = Books(store, clock)
        self.pulse = Pulse(START, START)
        self.sink = MemorySink()
        with self.books.writing() as writing:
            writing.add_bot(bot())
        self.sender = self.new_sender()

    def new_sender(self, target: str = "here", start: Any = at_once) -> SeriesSender:
        """As after a restart of the engine."""
        table = sources(SeriesReader(self.books, self.pulse))
        return SeriesSender(self.books, self.sink, table, target, 10, start)

    def write(self, table: str, *rows: Any) -> None:
        with self.books.store.transaction() as tx:
            getattr(tx, table).add(*rows)

    def fills(self, *numbers: int, **changes: Any) -> None:
        with self.books.writing() as writing:
            for number in numbers:
                writing.add_fill(fill(number, **changes))

    def round(self, after_s: float = 10) -> None:
        self.clock.advance(after_s)
        assert self.sender.begin_due() is False

    def events(self) -> list[tuple[Level, str, str]]:
        with self.books.store.reading() as tx:
            return [(one.level, one.kind, one.message) for one in tx.events.select()]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with its tables, to be copied: making them takes longer than a test."""
    file = tmp_path_factory.mktemp("series") / "state.db"
    SqlStore.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=["memory", "sqlite"])
def room(request: pytest.FixtureRequest, empty: Path, tmp_path: Path) -> Iterator[Room]:
    clock = FakeClock()
    if request.param == "memory":
        yield Room(MemoryStore(clock.now), clock)
        return
    file = shutil.copy(empty, tmp_path)
    store = SqlStore.open(f"sqlite:///{file}", now=clock.now)
    yield Room(store, clock)
    store.close()


def only(points: list[SeriesPoint]) -> SeriesPoint:
    [point] = points
    return point


def test_each_record_becomes_the_point_of_its_table(room: Room) -> None:
    room.fills(1)
    room.write("decisions", decision())
    room.write("equity", equity(equity=D(120)), equity(1, equity=D(90), bot_id=None))
    room.write("signals", signal(acted_at=START + timedelta(seconds=2)))
    room.write("advice", advice())
    room.pulse.note_cycle(
        "b0000001", START + timedelta(seconds=59), START + timedelta(seconds=61.5)
    )
    room.round()

    traded = only(room.sink.of("trade_executions"))
    assert traded.tags == {
        "bot": "demo", "symbol": "BTC/USDT", "side": "buy", "purpose": "entry", "mode": "paper",
        "quote": "(nobody)",
    }  # fmt: skip
    assert traded.fields["value"] == 100.0
    assert "pnl" not in traded.fields
    assert traded.time_ns // 1_000_000_000 == START.timestamp() + 1

    cycle = only(room.sink.of("bot_cycles"))
    assert cycle.tags == {"bot": "demo", "symbol": "BTC/USDT", "action": "hold"}
    assert (cycle.fields["lateness_s"], cycle.fields["duration_s"]) == (0.0, 2.5)

    of_bot, total = room.sink.of("equity")
    assert (of_bot.tags["scope"], of_bot.tags["bot"]) == ("bot", "demo")
    assert (total.tags["scope"], total.tags["bot"]) == ("total", "all")
    assert (of_bot.fields["drawdown"], total.fields["drawdown"]) == (0.0, 0.0)

    heard = only(room.sink.of("market_signals"))
    assert heard.tags == {
        "source": "tradingview",
        "kind": "order",
        "bot": "demo",
        "symbol": "BTC/USDT",
    }
    assert heard.fields["acted_s"] == 2.0
    assert (heard.fields["orders"], heard.fields["copies"]) == (2, 3)
    assert "action" in heard.fields

    asked = only(room.sink.of("ai_decisions"))
    assert (asked.fields["action"], asked.fields["verdict"]) == ("buy", "reduce")
    assert (asked.fields["tokens_in"], asked.fields["cost_usd"]) == (900, 0.00047)


def test_nothing_that_was_said_or_sent_leaves_the_engine(room: Room) -> None:
    room.write("signals", signal(body='{"key": "canary-body"}'))
    room.write("advice", advice(prompt="canary-prompt", system="canary-system", answer="canary"))
    room.round()
    assert len(room.sink.points) == 2
    assert "canary" not in repr(room.sink.points)


def test_a_symbol_that_nobody_knows_makes_no_series(room: Room) -> None:
    room.write("pushed_prices", pushed_price())
    for number, body in enumerate(['{"symbol": "EURUSD"}', '{"symbol": "made up"}', "no JSON"]):
        at = START + timedelta(seconds=number)
        room.write("signals", signal(id=f"s{number}", bot_id=None, body=body, received_at=at))
    room.round()
    told = [one.tags["symbol"] for one in room.sink.of("market_signals")]
    assert told == ["EURUSD", "(nobody)", "(nobody)"]


def test_the_closing_fill_carries_the_result_of_its_trade(room: Room) -> None:
    room.fills(1, 2)
    room.fills(3, 4, side=Side.SELL, purpose=Purpose.EXIT)
    with room.books.store.transaction() as tx:
        tx.positions.add(Position.model_validate(position(is_open=False)))
        tx.trades.add(trade(pnl=D("12.5"), exit_reason="take_profit"))
    room.round()
    told = [point.fields.get("pnl") for point in room.sink.of("trade_executions")]
    assert told == [None, None, None, 12.5]
    assert room.sink.of("trade_executions")[-1].fields["exit_reason"] == "take_profit"


def test_executions_at_metatrader_are_told_with_what_is_known(room: Room) -> None:
    with room.books.writing() as writing:
        writing.put_venue_account(account(id="a", venue="mt5_ea", name="Desk"), is_new=True)
        writing.tx.orders.add(
            order(client_id="qd-1-e", account_id="test:a", price=D(100), sent_at=START)
        )
        writing.add_fill(fill(3, client_id="qd-1-e", account_id="test:a", price=D("100.5")))
    given = box_order()
    room.write("box_orders", given.model_copy(update={"retcode": 10009, "end": "filled"}))
    refused = {"id": "qd-2-e", "client_id": "qd-2-e", "end": "rejected", "retcode": 10019,
               "reason": "No money"}  # fmt: skip
    room.write("box_orders", given.model_copy(update=refused))
    room.round()
    deal = [one for one in room.sink.of("mt5_executions") if one.tags["status"] == "filled"][-1]
    assert deal.tags["account"] == "Desk"
    assert deal.fields["ticket"] == "t3"
    assert (deal.fields["lag_s"], deal.fields["slippage_bps"]) == (3.0, 50.0)
    assert deal.fields["retcode"] == 10009
    [no] = [one for one in room.sink.of("mt5_executions") if one.tags["status"] == "rejected"]
    assert (no.fields["retcode"], no.fields["reason"]) == (10019, "No money")
    assert Mode.TEST.value == only(room.sink.of("trade_executions")).tags["mode"]


def test_drawdown_is_from_the_highest_point_that_the_books_know(room: Room) -> None:
    room.write("equity", equity(0, equity=D(100)), equity(1, equity=D(200)))
    room.write("equity", equity(2, equity=D(150)))
    room.round()
    room.sender = room.new_sender()  # a restart knows no peaks but those of the books
    room.write("equity", equity(3, equity=D(50)))
    room.round()
    assert [one.fields["drawdown"] for one in room.sink.of("equity")] == [0, 0, 0.25, 0.75]


def test_replays_and_deleted_bots_are_left_out(room: Room) -> None:
    with room.books.writing() as writing:
        writing.add_bot(bot(config(name="again", market="replay:x"), id="b2"))
        writing.add_fill(fill(1, bot_id="b2", account_id="paper:replay:b2"))
    room.write("decisions", decision(bot_id="b2"))
    room.write("equity", equity(bot_id="b2"))
    room.round()
    assert room.sink.points == {}


# --- delivery -------------------------------------------------------------------------------------


def test_what_is_written_later_follows_and_nothing_is_sent_for_nothing(room: Room) -> None:
    room.fills(1)
    room.write("advice", advice(outcome_due_at=None))
    room.round()
    room.round()
    assert len(room.sink.writes) == 2
    room.fills(2)
    room.round(9)
    assert len(room.sink.writes) == 2  # it is not time yet
    room.round(1)
    assert len(room.sink.of("trade_executions")) == 2
    assert len(room.sink.writes) == 3


def test_two_fills_at_one_time_are_two_and_one_sent_twice_is_one(room: Room) -> None:
    room.fills(1, time=START)
    room.fills(2, time=START)
    room.round()
    room.sender = room.new_sender("another bucket of the same server")
    room.round()
    assert sum(len(batch) for batch in room.sink.writes) == 4
    assert len(room.sink.of("trade_executions")) == 2


def test_a_restart_goes_on_where_delivery_was(room: Room) -> None:
    room.fills(1)
    room.round()
    room.fills(2)
    room.sender = room.new_sender()
    room.round()
    assert [[one.fields["trade_id"] for one in batch] for batch in room.sink.writes] == [
        ["t1"], ["t2"]
    ]  # fmt: skip


def test_an_outage_loses_nothing_and_is_said_once(room: Room) -> None:
    room.fills(1)
    room.sink.failures = [SinkError(DOWN), SinkError(DOWN), SinkError(DOWN)]
    room.round(10)
    room.fills(2)
    room.round(10)  # too early: it is left alone for longer each time
    assert len(room.sink.failures) == 2
    room.round(10)
    room.round(40)
    assert room.sink.failures == []
    assert room.sender.state.is_down
    room.round(80)
    assert len(room.sink.of("trade_executions")) == 2
    assert room.events() == [
        (Level.WARNING, "series.down",
         f"Time series are not delivered: {DOWN} They wait in the database."),
        (Level.INFO, "series.back", "Time series are delivered again."),
    ]  # fmt: skip
    assert (room.sender.state.delivered, room.sender.state.failures) == (2, 0)


def test_a_pause_that_the_server_asks_for_is_kept(room: Room) -> None:
    room.fills(1)
    room.sink.failures = [SinkError("Too many.", retry_after_s=120)]
    room.round()
    room.round(110)
    assert room.sink.writes == []
    room.round(10)
    assert len(room.sink.writes) == 1


def test_a_failure_midway_sends_only_what_is_missing(room: Room) -> None:
    room.fills(*range(BATCH + 1))
    room.round()
    assert [len(batch) for batch in room.sink.writes] == [BATCH, 1]
    room.fills(*range(1_000, 1_000 + BATCH), 2_000)
    write = room.sink.write

    def fail_at_the_second(points: Any) -> int:
        if len(room.sink.writes) == 3:
            room.sink.failures = [SinkError(DOWN)]
        return write(points)

    room.sink.write = fail_at_the_second  # type: ignore[method-assign]
    room.round()
    room.sink.write = write  # type: ignore[method-assign]
    room.sender = room.new_sender()
    room.round(30)
    assert [len(batch) for batch in room.sink.writes] == [BATCH, 1, BATCH, 1]


def test_refused_points_are_counted_and_not_sent_again(room: Room) -> None:
    room.fills(1, 2)
    room.sink.refuses = 1
    room.round()
    room.round()
    assert (room.sender.state.delivered, room.sender.state.refused) == (1, 1)
    assert len(room.sink.writes) == 1


def test_what_becomes_of_a_signal_and_of_advice_follows(room: Room) -> None:
    heard = signal(state=SignalState.RECEIVED, order_ids=())
    asked = advice()
    room.write("signals", heard)
    room.write("advice", asked)
    room.round()
    room.round()
    assert only(room.sink.of("market_signals")).fields["state"] == "received"
    with room.books.store.transaction() as tx:
        tx.signals.save(heard.model_copy(update={"state": SignalState.HELD, "outcome": "paused"}))
    room.clock.advance(86_400)
    room.sender = room.new_sender()
    with room.books.store.transaction() as tx:
        known = {"outcome": AdviceOutcome(is_right=True, move=0.01), "outcome_due_at": None}
        tx.advice.save(asked.model_copy(update=known))
    room.round()
    assert only(room.sink.of("market_signals")).fields["state"] == "held"
    assert only(room.sink.of("ai_decisions")).fields["is_right"] is True
    count = len(room.sink.writes)
    room.round()
    assert len(room.sink.writes) == count


def test_advice_that_is_kept_late_is_not_missed(room: Room) -> None:
    room.write("advice", advice(asked_at=START + timedelta(seconds=60), outcome_due_at=None))
    room.round()
    room.write("advice", advice(id="slow", asked_at=START, outcome_due_at=None))
    room.round()
    assert [one.fields["id"] for one in room.sink.of("ai_decisions")] == ["slow", "ad000001"]


def test_numbers_that_a_deleted_bot_gave_back_are_noticed(room: Room) -> None:
    room.write("decisions", decision(0), decision(1))
    room.round()
    with room.books.writing() as writing:
        writing.delete_bot("b0000001")
        writing.add_bot(bot(config(name="new"), id="b2"))
    room.write("decisions", decision(7, bot_id="b2", action=Action.EXIT))
    room.round()
    assert room.sink.of("bot_cycles")[-1].tags["action"] == "exit"


# --- nobody waits ---------------------------------------------------------------------------------


def test_commits_know_nothing_of_a_sink_that_hangs(room: Room) -> None:
    room.sink.go_on.clear()
    room.sender = room.new_sender(start=None)
    room.fills(1)
    room.round()
    assert room.sink.waiting.wait(90)
    [thread] = [one for one in threading.enumerate() if one.name == "series"]
    assert thread.daemon  # it keeps no engine from ending

    room.fills(2, 3)  # returns, though the sink does not
    with room.books.store.reading() as tx:
        assert tx.fills.count() == 3
    assert room.books._listeners == []
    room.clock.advance(11)
    assert room.sender.begin_due() is False  # no second round beside the first
    assert len([one for one in threading.enumerate() if one.name == "series"]) == 1

    room.clock.advance(PATIENCE.total_seconds())
    assert room.sender.begin_due() is True
    room.sender.tell_no_answer()
    assert room.sender.begin_due() is False
    assert NO_ANSWER in room.events()[0][2]

    room.sink.go_on.set()
    thread.join(90)
    assert len(room.sink.of("trade_executions")) == 3 or len(room.sink.writes) == 1
    room.sender.close()


def test_after_the_stop_nothing_begins_and_nothing_is_written(room: Room) -> None:
    room.fills(1)
    room.write("signals", signal())
    write = room.sink.write

    def stop_meanwhile(points: Any) -> int:
        room.sender.close()
        return write(points)

    room.sink.write = stop_meanwhile  # type: ignore[method-assign]
    room.round()
    room.round()
    assert room.sink.of("market_signals") == []  # the next source was not begun
    assert len(room.sink.writes) == 1
    assert room.sink.is_closed
    assert room.events() == []
    with room.books.store.reading() as tx:
        assert tx.find_setting("series.delivered") is None
