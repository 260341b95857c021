"""The Candles page: the library in every state, downloads, imports in two steps."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from engine.domain.candle_sets import CandleSet
from engine.domain.instruments import InstrumentKind
from engine.errors import SourceBusy, StoreError
from panel.candles_library import coverage_figure
from panel.candles_words import share, size, source_words
from tests.fakes.candle_desk import FakeCandles
from tests.pages.conftest import EngineStarter, open_page, words
from tests.support.candle_rows import candles_of, without

BTC = CandleSet(symbol="BTC/USDT", timeframe="1h", source="ccxt:binance")
HEAD = b"time,open,high,low,close,volume\n"
ROWS = b"2026-03-02T01:00Z,1,2,0.5,1.5,5\n2026-03-02T00:00Z,1,2,0.5,1.5,5\n"


@pytest.fixture
def candles(start_engine: EngineStarter) -> Iterator[FakeCandles]:
    made: FakeCandles = start_engine(bot_count=1, trade_count=0, event_count=0).services.candles
    yield made
    made.source.gate.set()
    made.runs.close()
    made.join()


def open_candles(**query: str) -> AppTest:
    app = open_page("candles", query)
    assert not app.exception
    return app


def fill(candles: FakeCandles, count: int = 1) -> None:
    for number in range(count):
        about = BTC.model_copy(update={"symbol": f"COIN{number}/USDT"}) if number else BTC
        candles.library.merge(about, without(candles_of(range(10, 40)), 5, 6, 20))


def test_without_candles_the_ways_to_the_first_are_said(candles: FakeCandles) -> None:
    app = open_candles()
    assert "no candles yet" in words(app)
    assert not app.dataframe


def test_the_library_shows_coverage_gaps_and_what_is_broken(candles: FakeCandles) -> None:
    fill(candles)
    candles.library.broken["ETH-USDT.1h~csv"] = "a price is not above zero in line 7"
    app = open_candles()
    table = app.dataframe[0].value
    assert list(table["Candles of"]) == ["BTC/USDT", "ETH-USDT.1h~csv"]
    assert table["Missing"].tolist()[0] == 3
    assert table["Problem"].tolist()[1] == "a price is not above zero in line 7"
    assert any("1 file cannot be used" in one.value for one in app.warning)
    [stored] = [one for one in candles.library.list() if one.span]
    figure = coverage_figure([stored], is_dark=True)
    bars, gaps = figure.data
    assert list(bars.y) == [BTC.id]
    assert [row[2] for row in gaps.customdata] == [2, 1]


def test_one_set_is_looked_at_closely_and_deleted_only_when_confirmed(candles: FakeCandles) -> None:
    fill(candles)
    app = open_candles(set=BTC.id)
    shown = words(app)
    assert "3 candles are missing in 2 gaps" in shown
    assert "Binance through ccxt" in shown.replace("\\", "")
    assert app.dataframe[-1].value["Missing"].tolist() == [2, 1]
    app.button(key="candles_delete").click().run()
    assert list(candles.library.sets) == [BTC.id]
    app.button(key="candles_delete_confirm").click().run()
    assert list(candles.library.sets) == []
    assert not app.exception


def test_a_broken_set_says_why_and_can_be_deleted(candles: FakeCandles) -> None:
    candles.library.broken["ETH-USDT.1h~csv"] = "high is 'x' in line 7"
    app = open_candles(set="ETH-USDT.1h~csv")
    assert any("high is 'x' in line 7" in one.value.replace("\\", "") for one in app.error)
    assert "candles_replay" not in {one.key for one in app.button}
    app.button(key="candles_delete").click().run()
    app.button(key="candles_delete_keep").click().run()
    assert candles.library.broken


def test_closed_days_are_shown_when_asked_for(candles: FakeCandles) -> None:
    about = CandleSet(symbol="IBM", timeframe="1d", kind=InstrumentKind.STOCK)
    weekend = [row for row in range(70) if row % 7 in (5, 6)]
    candles.library.merge(about, without(candles_of(range(10, 80), "1d"), *weekend, 30))
    app = open_candles(set="IBM.1d")
    assert "Nothing is wrong with these candles" in words(app)
    app.toggle(key="report-IBM.1d-closed").set_value(True).run()
    assert app.dataframe[-1].value["What"].tolist() == ["closed day"]


def test_fifty_sets_are_all_in_the_table(candles: FakeCandles) -> None:
    fill(candles, 50)
    app = open_candles()
    assert len(app.dataframe[0].value) == 50
    assert "first 30 of 50" in words(app)


def test_a_failure_is_drawn_as_a_failure(
    candles: FakeCandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreError("the folder cannot be read")

    monkeypatch.setattr(candles, "list", fail)
    app = open_candles()
    assert any("folder cannot be read" in one.value for one in app.error)
    assert "no candles yet" not in words(app)


def test_a_bot_is_begun_over_the_candles(candles: FakeCandles) -> None:
    fill(candles)
    app = open_candles(set=BTC.id)
    app.button(key="candles_replay").click().run()
    draft = app.session_state["draft_market"], app.session_state["draft_replay_path"]
    assert draft == ("replay", f"/memory/{BTC.id}.parquet")


def test_a_set_of_a_source_is_brought_up_to_date(candles: FakeCandles) -> None:
    about = BTC.model_copy(update={"source": "ccxt:fake"})
    start_ms = int(candles.books.clock.now().timestamp()) // 3600 * 3_600_000 - 72 * 3_600_000
    candles.library.merge(about, candles_of([float(start_ms // 3_600_000)], start_ms=start_ms))
    app = open_candles(set=about.id)
    app.button(key="candles_update").click().run()
    candles.join()
    [done] = candles.runs.list()
    assert (done.state, done.set_id, done.conflicts) == ("done", about.id, 0)
    assert (done.bars, done.added) == (72, 71)


def test_a_download_is_asked_for_shown_cancelled_and_resumed(candles: FakeCandles) -> None:
    candles.source.gate.clear()
    app = open_candles(tab="Download")
    assert "Nothing has been downloaded yet" in words(app)
    assert app.button(key="download_start").disabled
    app.text_input(key="download_symbol").set_value("btc-usdt").run()
    app.button(key="download_start").click().run()
    assert candles.source.arrived.wait(60)
    [begun] = candles.runs.list()
    assert (begun.symbol, begun.timeframe) == ("BTC/USDT", "1h")
    app.run()
    assert "running" in words(app)
    app.button(key=f"cancel-{begun.id}").click().run()
    candles.source.gate.set()
    candles.join()
    app.run()
    assert "What was downloaded is kept" in words(app)
    app.button(key=f"resume-{begun.id}").click().run()
    candles.join()
    app.run()
    assert candles.runs.list()[0].state == "done"
    assert f"resume-{begun.id}" not in {one.key for one in app.button}


def test_what_the_engine_refuses_is_said(candles: FakeCandles) -> None:
    app = open_candles(tab="Download")
    app.text_input(key="download_symbol").set_value("BTCUSDT").run()
    app.button(key="download_start").click().run()
    assert any("not a symbol" in one.value.replace("\\", "") for one in app.toast)


def test_a_source_that_needs_a_key_says_so(candles: FakeCandles) -> None:
    app = open_candles(tab="Download")
    app.selectbox(key="download_source").set_value("alpaca").run()
    assert any("a key" in one.value for one in app.warning)
    assert app.selectbox(key="download_timeframe").options == ["1d"]


def test_why_a_download_failed_is_shown_and_old_ones_are_within_reach(
    candles: FakeCandles,
) -> None:
    since = candles.books.clock.now() - timedelta(hours=5)
    for _ in range(12):
        candles.source.faults.append(SourceBusy("Come back later.", retry_after_s=9999))
        candles.runs.start("ccxt:fake", "BTC/USDT", "1h", since, None, "test")
        candles.join()
    app = open_candles(tab="Download")
    assert "Come back later." in words(app)
    assert len([one for one in app.button if str(one.key).startswith("resume-")]) == 8
    app.toggle(key="download_all").set_value(True).run()
    assert len([one for one in app.button if str(one.key).startswith("resume-")]) == 12


def test_an_import_is_seen_repaired_and_confirmed(candles: FakeCandles) -> None:
    app = open_candles(tab="Import")
    app.file_uploader[0].upload("BTC-USDT.1h.csv", HEAD + ROWS, "text/csv").run()
    shown = words(app).replace("\\", "")
    assert "can be used once it is repaired" in shown
    assert "A row is earlier than the row before it (once)." in shown
    assert app.button(key="import_confirm").disabled
    assert candles.library.list() == []
    app.checkbox(key="import_repair").check().run()
    app.text_input(key="import_symbol").set_value("ETH-USDT").run()
    app.button(key="import_confirm").click().run()
    assert list(candles.library.sets) == ["ETH-USDT.1h"]
    assert any("2 candles are in" in one.value for one in app.toast)
    assert not app.exception


def test_a_symbol_that_was_not_in_the_name_brings_its_market(candles: FakeCandles) -> None:
    app = open_candles(tab="Import")
    sound = HEAD + b"".join(reversed(ROWS.splitlines(keepends=True)))
    app.file_uploader[0].upload("some candles of mine.csv", sound, "text/csv").run()
    assert app.button(key="import_confirm").disabled, "it has no symbol yet"
    app.text_input(key="import_symbol").set_value("BTC-USDT").run()
    assert app.selectbox(key="import_kind").value == "crypto"
    app.button(key="import_confirm").click().run()
    assert candles.library.sets["BTC-USDT.1h"][0].kind is InstrumentKind.CRYPTO


def test_a_file_that_cannot_be_used_shows_its_lines_and_no_way_on(candles: FakeCandles) -> None:
    app = open_candles(tab="Import")
    bad = HEAD + ROWS.replace(b"0.5", b"-1", 1)
    app.file_uploader[0].upload("BTC-USDT.1h.csv", bad, "text/csv").run()
    shown = words(app).replace("\\", "")
    assert "cannot be used as it is" in shown
    assert "line 2: open 1, high 2, low -1, close 1.5" in shown
    assert app.button(key="import_confirm").disabled


def test_what_is_no_candle_file_is_an_error(candles: FakeCandles) -> None:
    app = open_candles(tab="Import")
    app.file_uploader[0].upload("notes.csv", b"a,b,c,d,e,f\n", "text/csv").run()
    assert any("No candles are recognised" in one.value for one in app.error)


def test_words() -> None:
    assert (share(1.0), share(0.999999), share(0.5)) == ("100.00 %", "99.99 %", "50.00 %")
    assert (size(2_400), size(2_400_000)) == ("2.4 kB", "2.4 MB")
    yahoo = BTC.model_copy(update={"source": "yahoo:adjusted", "prices": "adjusted"})
    assert source_words(yahoo) == "Yahoo, adjusted"
