"""Downloads: page by page into the library, and nothing that came is lost, however they end."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from engine.domain.candle_downloads import Download, DownloadState
from engine.errors import (
    AccessDenied,
    ConfigError,
    Conflict,
    DataError,
    NotFound,
    SourceBusy,
)
from engine.services.candle_downloads import KEPT, SETTING, Patience
from tests.fakes.candle_desk import FakeCandles
from tests.fakes.candle_source import PAGE
from tests.fakes.clock import START, FakeClock

ID = "BTC-USDT.1h@ccxt-fake"
HOURS = 45
SINCE = START - timedelta(hours=HOURS)
BUSY = SourceBusy("The exchange asks for fewer requests.")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def candles(clock: FakeClock) -> Iterator[FakeCandles]:
    desk = FakeCandles(clock.now)
    yield desk
    desk.source.gate.set()
    desk.runs.close()
    desk.join()


def start(desk: FakeCandles, symbol: str = "BTC/USDT", since: datetime = SINCE) -> Download:
    return desk.runs.start("ccxt:fake", symbol, "1h", since, None, "test")


def ended(desk: FakeCandles) -> Download:
    """The newest download, once it has ended."""
    desk.join()
    return desk.runs.list()[0]


def has_all(desk: FakeCandles) -> bool:
    stored = desk.library.read(ID)
    return len(stored) == HOURS and not (stored.time[1:] - stored.time[:-1] != 3_600_000).any()


def test_it_runs_to_its_end_and_is_in_the_library(candles: FakeCandles) -> None:
    begun = start(candles)
    assert (begun.state, begun.set_id) == (DownloadState.WAITING, ID)
    done = ended(candles)
    assert (done.state, done.bars, done.added, done.progress) == ("done", HOURS, HOURS, 1)
    assert (done.done_until, done.ended_at) == (START, START)
    assert has_all(candles)
    about = candles.library.get(ID).about
    assert about is not None
    assert (about.symbol, about.source) == ("BTC/USDT", "ccxt:fake")
    with candles.store.reading() as tx:
        assert [one.action for one in tx.audit.select()] == ["candles.download"]
        assert [one.kind for one in tx.events.select()] == ["candles.done"]


def test_faults_that_pass_are_waited_out_from_where_it_was(candles: FakeCandles) -> None:
    candles.source.faults.extend([None, BUSY, DataError("junk"), None, None, BUSY])
    start(candles)
    done = ended(candles)
    assert (done.state, done.bars, done.message) == ("done", HOURS, "")
    begins = [(one - SINCE) // timedelta(hours=1) for one in candles.source.asked]
    assert begins == [0, PAGE, PAGE, 3 * PAGE]
    assert has_all(candles)


def test_a_source_that_stays_silent_fails_it_and_a_resume_goes_on(candles: FakeCandles) -> None:
    candles.source.faults.extend([None, None, *[BUSY] * 6])
    start(candles)
    failed = ended(candles)
    assert (failed.state, failed.bars) == (DownloadState.FAILED, 2 * PAGE)
    assert failed.message == BUSY.message
    assert len(candles.library.read(ID)) == 2 * PAGE
    candles.runs.resume(failed.id, "test")
    assert ended(candles).state is DownloadState.DONE
    assert candles.source.asked[-1] == SINCE + timedelta(hours=2 * PAGE)
    assert has_all(candles)


def test_a_cancel_in_the_middle_keeps_what_came_and_a_resume_goes_on(candles: FakeCandles) -> None:
    candles.source.gate.clear()
    begun = start(candles)
    assert candles.source.arrived.wait(60)
    assert candles.runs.list()[0].state is DownloadState.RUNNING
    candles.runs.cancel(begun.id, "test")
    candles.source.gate.set()
    cancelled = ended(candles)
    assert (cancelled.state, cancelled.bars) == (DownloadState.CANCELLED, PAGE)
    assert cancelled.progress == pytest.approx(PAGE / HOURS)
    with pytest.raises(Conflict, match="has ended already"):
        candles.runs.cancel(begun.id, "test")
    candles.runs.resume(begun.id, "test")
    assert ended(candles).state is DownloadState.DONE
    assert has_all(candles)
    with pytest.raises(Conflict, match="nothing to resume"):
        candles.runs.resume(begun.id, "test")


def test_a_cancel_does_not_wait_for_a_pause_to_end(clock: FakeClock) -> None:
    candles = FakeCandles(clock.now)
    candles.source.faults.append(SourceBusy("Later.", retry_after_s=600))
    begun = start(candles)
    assert candles.source.arrived.wait(60)
    candles.runs.cancel(begun.id, "test")
    assert ended(candles).state is DownloadState.CANCELLED


def test_the_pause_that_is_asked_for_is_kept_and_grows_else() -> None:
    patience = Patience(first_wait_s=1)
    assert [patience.wait_s(failures, 0) for failures in (1, 2, 3, 10)] == [1, 2, 4, 60]
    assert patience.wait_s(1, 30) == 30


def test_a_pause_of_an_hour_is_not_waited_for(candles: FakeCandles) -> None:
    candles.source.faults.append(SourceBusy("Come back in an hour.", retry_after_s=3600))
    start(candles)
    assert (ended(candles).state, candles.source.asked) == ("failed", [SINCE])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (AccessDenied("Alpaca refuses the key."), "refuses the key"),
        (ConfigError("Only the last 60 days are given."), "60 days"),
        (ZeroDivisionError("a bug"), "the log says why"),
    ],
)
def test_what_no_retry_mends_fails_at_once_and_keeps_what_came(
    candles: FakeCandles, fault: Exception, words: str
) -> None:
    candles.source.faults.extend([None, fault])
    start(candles)
    failed = ended(candles)
    assert failed.state is DownloadState.FAILED
    assert words in failed.message
    assert len(candles.source.asked) == 1
    assert len(candles.library.read(ID)) == PAGE


def test_a_full_disk_fails_it_and_after_making_room_it_goes_on(candles: FakeCandles) -> None:
    candles.library.is_full = True
    begun = start(candles)
    failed = ended(candles)
    assert (failed.state, failed.bars, failed.done_until) == ("failed", 0, SINCE)
    assert "disk is full" in failed.message
    candles.library.is_full = False
    candles.runs.resume(begun.id, "test")
    assert ended(candles).state is DownloadState.DONE
    assert has_all(candles)


def test_an_engine_that_stops_or_dies_leaves_it_interrupted(
    candles: FakeCandles, clock: FakeClock
) -> None:
    candles.source.gate.clear()
    begun = start(candles)
    assert candles.source.arrived.wait(60)
    after_death = FakeCandles(
        clock.now, store=candles.store, library=candles.library, source=candles.source
    )
    after_death.runs.load()
    [cut] = after_death.runs.list()
    assert (cut.state, cut.id) == (DownloadState.INTERRUPTED, begun.id)
    candles.runs.close()
    candles.source.gate.set()
    stopped = ended(candles)
    assert (stopped.state, stopped.bars) == (DownloadState.INTERRUPTED, PAGE)
    again = FakeCandles(
        clock.now, store=candles.store, library=candles.library, source=candles.source
    )
    again.runs.load()
    again.runs.resume(begun.id, "test")
    assert ended(again).state is DownloadState.DONE
    assert has_all(again)


def test_an_unknown_symbol_and_an_empty_time_say_so(candles: FakeCandles) -> None:
    start(candles, "NOPE/USDT")
    assert "no symbol 'NOPE/USDT'" in ended(candles).message
    candles.source.first_ms = int(START.timestamp() * 1000)
    start(candles, "ETH/USDT")
    nothing = ended(candles)
    assert nothing.state is DownloadState.FAILED
    assert "gave no 1h candles of ETH/USDT" in nothing.message
    assert candles.library.list() == []


def test_what_cannot_be_asked_for_is_refused_before_anything_begins(candles: FakeCandles) -> None:
    for source, symbol, timeframe, since, until, field in (
        ("mars", "BTC/USDT", "1h", SINCE, None, "source"),
        ("ccxt:fake", "BTCUSDT", "1h", SINCE, None, "symbol"),
        ("ccxt:fake", "A/" + "B" * 30, "1h", SINCE, None, "symbol"),
        ("ccxt:fake", "BTC/USDT", "7m", SINCE, None, "timeframe"),
        ("ccxt:fake", "BTC/USDT", "1h", START, None, "since"),
        ("ccxt:fake", "BTC/USDT", "1h", SINCE, SINCE, "since"),
    ):
        with pytest.raises(ConfigError) as refusal:
            candles.runs.start(source, symbol, timeframe, since, until, "test")
        assert refusal.value.field == field
    assert candles.runs.list() == []
    with pytest.raises(NotFound):
        candles.runs.cancel("nothing", "test")


def test_the_same_candles_are_not_downloaded_twice_at_a_time(candles: FakeCandles) -> None:
    candles.source.gate.clear()
    start(candles)
    with pytest.raises(Conflict, match="downloaded already"):
        start(candles)
    with pytest.raises(Conflict, match="being downloaded"):
        candles.delete(ID, "test")
    candles.source.gate.set()
    assert ended(candles).state is DownloadState.DONE
    candles.delete(ID, "test")


def test_the_list_is_kept_short(candles: FakeCandles, clock: FakeClock) -> None:
    for _ in range(KEPT + 5):
        start(candles, since=START - timedelta(hours=1))
        candles.join()
        clock.advance(1)
    assert len(candles.runs.list()) == KEPT


def test_a_list_that_cannot_be_read_begins_anew(candles: FakeCandles) -> None:
    with candles.books.writing() as writing:
        writing.tx.put_setting(SETTING, "{broken")
    candles.runs.load()
    assert candles.runs.list() == []
