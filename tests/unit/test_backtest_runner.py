"""Every end of a backtest: done, failed, cancelled, interrupted; each counted once, none lost."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from engine.domain.backtest_runs import (
    BacktestRequest,
    BacktestRun,
    FileSource,
    RunStage,
    RunState,
)
from engine.domain.candles import Candles
from engine.domain.records import Level
from engine.domain.strategy import Signals, Strategy
from engine.errors import ConfigError, Conflict, NotFound, StoreError
from engine.ports import CandleFileContent
from engine.services import backtest_runner
from tests.fakes.backtests import BacktestRoom
from tests.fakes.candles import random_candles
from tests.fakes.memory_store import MemoryStore
from tests.fakes.strategy_host import FakeStrategyHost, _shipped
from tests.unit.samples import instrument

FILE = "BTC-USDT.1h.csv"
WITHIN_S = 10.0


class Raising(Strategy):
    """Its code fails."""

    title = "Raising"
    summary = "Raises."

    @property
    def warmup(self) -> int:
        return 1

    def signals(self, candles: Candles) -> Signals:
        raise ZeroDivisionError("division by zero")


def content(seed: int = 1, count: int = 800) -> CandleFileContent:
    """A file of hourly candles."""
    return CandleFileContent(
        instrument(), random_candles(count, seed, timeframe="1h"), f"replay:/candles/{FILE}"
    )


@pytest.fixture
def room() -> Iterator[BacktestRoom]:
    """Services over memory, one file, and the shipped strategies with one that raises."""
    host = FakeStrategyHost({**_shipped(), "raising": Raising})
    opened = BacktestRoom({FILE: content()}, host=host)
    yield opened
    opened.close()


def asked(**changes: Any) -> BacktestRequest:
    """A backtest of the file."""
    fields: dict[str, Any] = {"strategy": "rsi", "source": FileSource(files=(FILE,)),
                              "timeframe": "1h"}  # fmt: skip
    return BacktestRequest(**(fields | changes))


def until(condition: Callable[[], bool]) -> None:
    """Wait for a thread."""
    ends_at = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.002)


def ended(room: BacktestRoom, run: BacktestRun) -> BacktestRun:
    """The run once it has ended, as the database has it."""
    until(lambda: not room.service.get(run.id).is_active)
    return room.service.get(run.id)


def begin_standing(room: BacktestRoom, **changes: Any) -> BacktestRun:
    """A run that stands still within its strategy."""
    room.simulator.gate.clear()
    run = room.service.create(asked(**changes), "me")
    assert room.simulator.standing.acquire(timeout=WITHIN_S)
    return run


def test_a_run_is_done_and_says_what_it_used(room: BacktestRoom) -> None:
    run = room.service.create(asked(name=" first   try "), "me")
    assert (run.state, run.name) == (RunState.QUEUED, "first try")
    done = ended(room, run)
    assert (done.state, done.error, done.quote) == (RunState.DONE, "", "USDT")
    kept = room.service.result(run.id)
    assert done.trade_count == len(kept.result.trades) == done.metrics["trades"] > 0
    assert len(kept.candles["BTC/USDT"]) == done.coverage[0].bars == 800
    assert len(done.candles_sha256) == 64
    assert done.engine_version == "test"
    with room.store.reading() as tx:
        assert tx.backtests.get(run.id) == done
        [event] = tx.events.select(kind="backtest.done")
        assert "first try" in event.message
        assert [one.action for one in tx.audit.select()] == ["backtest.create"]


def test_the_same_run_again_gives_the_same_and_says_when_its_data_changed(
    room: BacktestRoom,
) -> None:
    first = ended(room, room.service.create(asked(), "me"))
    again = ended(room, room.service.run_again(first.id, "me"))
    assert (again.metrics, again.candles_sha256, again.rerun_of) == (
        first.metrics, first.candles_sha256, first.id,
    )  # fmt: skip
    assert not any("repeats" in words for words in again.warnings)
    room.files.contents[FILE] = content(seed=2)
    changed = ended(room, room.service.run_again(again.id, "me"))
    assert changed.rerun_of == first.id
    assert any("candles are not those" in words for words in changed.warnings)


def test_a_strategy_that_raises_is_a_failed_run_with_its_words(room: BacktestRoom) -> None:
    failed = ended(room, room.service.create(asked(strategy="raising"), "me"))
    assert failed.state is RunState.FAILED
    assert "strategy 'raising'" in failed.error and "division by zero" in failed.error
    assert room.results.kept == {}
    with pytest.raises(Conflict, match="is failed; it has no result"):
        room.service.result(failed.id)
    assert ended(room, room.service.create(asked(), "me")).state is RunState.DONE


def test_a_full_disk_fails_the_run_and_loses_nothing_else(room: BacktestRoom) -> None:
    before = ended(room, room.service.create(asked(), "me"))
    room.results.fault = StoreError("The result could not be written: No space left on device.")
    failed = ended(room, room.service.create(asked(), "me"))
    assert (failed.state, failed.stage) == (RunState.FAILED, RunStage.SAVING)
    assert "No space left" in failed.error
    assert failed.request == asked(params=failed.request.params)
    assert room.service.result(before.id).result.time.size


def test_an_end_that_the_database_refuses_is_shown_and_written_later(room: BacktestRoom) -> None:
    run = begin_standing(room)
    assert isinstance(room.store, MemoryStore)

    def refuse() -> None:
        raise StoreError("The disk is full; free some space. Nothing was written.")

    room.store.before_commit = refuse
    room.simulator.gate.set()
    assert ended(room, run).state is RunState.DONE
    with room.store.reading() as tx:
        assert tx.backtests.get(run.id).state is RunState.RUNNING
    assert room.service.list(limit=5)[0][0].state is RunState.DONE
    room.store.before_commit = None
    assert room.service.list(limit=5)[0][0].state is RunState.DONE
    with room.store.reading() as tx:
        assert tx.backtests.get(run.id).state is RunState.DONE


def test_a_repeat_that_cannot_be_compared_ends_too(
    room: BacktestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ended(room, room.service.create(asked(), "me"))

    def refuse(_run: BacktestRun) -> BacktestRun:
        raise StoreError("The database does not answer.")

    monkeypatch.setattr(room.runner, "_compared", refuse)
    failed = ended(room, room.service.run_again(first.id, "me"))
    assert (failed.state, failed.error) == (RunState.FAILED, "The database does not answer.")


def test_what_nobody_expected_is_a_sentence_too(
    room: BacktestRoom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: object) -> None:
        raise KeyError("a mistake in the program")

    monkeypatch.setattr(backtest_runner, "fingerprint", break_down)
    failed = ended(room, room.service.create(asked(), "me"))
    assert failed.state is RunState.FAILED
    assert "its log has the details" in failed.error
    assert "a mistake in the program" in caplog.text


def test_a_run_is_cancelled_at_every_stage(room: BacktestRoom) -> None:
    running = begin_standing(room)
    waiting = room.service.create(asked(), "me")
    for run in (waiting, running):
        cancelled = room.service.cancel(run.id, "me")
        assert (cancelled.state, cancelled.is_active) == (RunState.CANCELLED, False)
        with pytest.raises(Conflict, match="ended already"):
            room.service.cancel(run.id, "me")
    room.simulator.gate.set()
    assert ended(room, room.service.create(asked(), "me")).state is RunState.DONE
    assert room.service.get(running.id).state is RunState.CANCELLED
    assert len(room.results.kept) == 1


def test_a_run_that_is_cancelled_while_its_candles_are_read_ends_at_once(
    room: BacktestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()
    read = room.files.read

    def slowly(name: str) -> CandleFileContent:
        if threading.current_thread().name.startswith("backtest"):
            reading.set()
            assert go_on.wait(WITHIN_S)
        found: CandleFileContent = read(name)
        return found

    monkeypatch.setattr(room.files, "read", slowly)
    run = room.service.create(asked(), "me")
    assert reading.wait(WITHIN_S)
    assert room.service.get(run.id).stage is RunStage.READING
    assert room.service.cancel(run.id, "me").state is RunState.CANCELLED
    go_on.set()
    room.runner.close()
    assert room.service.get(run.id).state is RunState.CANCELLED
    assert room.simulator.tasks == []


def test_what_is_cancelled_while_it_is_written_leaves_no_files(
    room: BacktestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, seen = room.results.write, threading.Event()

    def write_and_be_cancelled(run_id: str, kept: Any) -> None:
        write(run_id, kept)
        room.service.cancel(run_id, "me")
        seen.set()

    monkeypatch.setattr(room.results, "write", write_and_be_cancelled)
    run = room.service.create(asked(), "me")
    assert seen.wait(WITHIN_S)
    until(lambda: not room.results.kept)
    assert room.service.get(run.id).state is RunState.CANCELLED


def test_a_new_engine_marks_what_ran_and_runs_what_waited(room: BacktestRoom) -> None:
    running, waiting = begin_standing(room), room.service.create(asked(name="patient"), "me")
    assert room.service.get(running.id).stage is RunStage.SIGNALS
    room.start()
    room.runner.load()
    interrupted = room.service.get(running.id)
    assert (interrupted.state, interrupted.stage) == (RunState.INTERRUPTED, RunStage.SIGNALS)
    assert "Run it again" in interrupted.error
    assert ended(room, waiting).state is RunState.DONE
    assert room.results.sweeps == 1
    with room.store.reading() as tx:
        assert [one.level for one in tx.events.select(kind="backtest.interrupted")] == [
            Level.WARNING
        ]


def test_a_graceful_stop_interrupts_what_runs_and_keeps_what_waits(room: BacktestRoom) -> None:
    running, waiting = begin_standing(room), room.service.create(asked(), "me")
    room.runner.close()
    with room.store.reading() as tx:
        assert tx.backtests.get(running.id).state is RunState.INTERRUPTED
        assert tx.backtests.get(waiting.id).state is RunState.QUEUED


def test_too_many_that_wait_are_refused(
    room: BacktestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest_runner, "MOST_WAITING", 2)
    begin_standing(room)
    for _ in range(2):
        room.service.create(asked(), "me")
    with pytest.raises(Conflict, match="2 backtests are waiting already"):
        room.service.create(asked(), "me")
    assert room.service.list(limit=10)[1] == 3


def test_a_run_is_deleted_with_its_files_once_it_has_ended(room: BacktestRoom) -> None:
    run = begin_standing(room)
    with pytest.raises(Conflict, match="Cancel the backtest"):
        room.service.delete(run.id, "me")
    room.simulator.gate.set()
    ended(room, run)
    room.service.delete(run.id, "me")
    assert room.results.kept == {}
    for call in (room.service.get, room.service.result):
        with pytest.raises(NotFound):
            call(run.id)


def test_candles_before_the_period_warm_the_strategy_up(room: BacktestRoom) -> None:
    first = datetime.fromisoformat("1970-01-01T00:00:00Z")
    since = first + timedelta(hours=700)
    done = ended(room, room.service.create(asked(since=since), "me"))
    [leg] = room.simulator.tasks[-1].legs
    assert (leg.start, len(leg.candles)) == (600, 700)  # 40 times its warmup of 15
    assert room.service.result(done.id).result.time[0] == leg.candles.time[600]
    assert (done.coverage[0].warmup_bars, done.coverage[0].first) == (600, since)


def test_finer_candles_are_joined_and_used_inside_a_candle(room: BacktestRoom) -> None:
    done = ended(room, room.service.create(asked(timeframe="4h"), "me"))
    [leg] = room.simulator.tasks[-1].legs
    assert leg.fine is not None
    assert (len(leg.candles), len(leg.fine)) == (200, 800)
    assert np.array_equal(leg.candles.close, leg.fine.close[3::4])
    assert done.metrics["days"] == pytest.approx(800 / 24)


def test_the_market_s_rules_round_where_the_terms_do_not_say(room: BacktestRoom) -> None:
    ended(room, room.service.create(asked(), "me"))
    plain = {"has_market_rules": False}
    ended(room, room.service.create(asked(**plain), "me"))
    rounded, exact = (task.terms for task in room.simulator.tasks)
    assert rounded.price_tick == instrument().price_tick
    assert rounded.min_notional == instrument().min_notional
    assert exact.price_tick is None


def test_a_request_that_cannot_run_is_refused_before_anything_is_written(
    room: BacktestRoom,
) -> None:
    with pytest.raises(ConfigError, match="period"):
        room.service.create(asked(params={"period": 0}), "me")
    assert room.service.list(limit=10) == ([], 0)
