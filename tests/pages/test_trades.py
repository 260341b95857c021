"""The Trades page: filters in the address, totals, pages, and the CSV of what is shown."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import TradeFilter
from engine.errors import StoreError
from panel.session import control_panel
from panel.trades_view import PAGE_SIZE, csv_name
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words


def open_trades(query: dict[str, str] | None = None) -> AppTest:
    app = open_page("trades", query)
    assert not app.exception
    return app


def test_all_trades_with_totals_by_quote_asset(fake_engine: FakeEngine) -> None:
    app = open_trades()
    shown = words(app)
    for total in fake_engine.services.trades(TradeFilter()).totals:
        assert f"Trades in {total.quote}" in shown
        assert f"<dd>{total.count}</dd>" in shown
    assert "Profit factor" in shown
    assert len(app.dataframe[0].value) == PAGE_SIZE


def test_filters_come_from_the_address(fake_engine: FakeEngine) -> None:
    app = open_trades({"bot": "btc-rsi", "side": "long", "exit": "take profit"})
    table = app.dataframe[0].value
    assert set(table["Bot"]) == {"btc-rsi"}
    assert set(table["Exit reason"]) == {"take profit"}
    assert app.selectbox(key="bot").value == "btc-rsi"


def test_filters_go_into_the_address_and_can_be_cleared(fake_engine: FakeEngine) -> None:
    app = open_trades()
    app.selectbox(key="strategy").select("ma_cross").run()
    assert set(app.dataframe[0].value["Strategy"]) == {"ma_cross"}
    clear = next(one for one in app.button if one.label == "Clear filters")
    clear.click().run()
    assert app.selectbox(key="strategy").value is None
    assert len(set(app.dataframe[0].value["Strategy"])) > 1


@pytest.mark.parametrize("name", ["bot", "symbol", "strategy", "exit"])
def test_what_is_typed_too_long_matches_nothing(fake_engine: FakeEngine, name: str) -> None:
    assert "No trade matches these filters." in words(open_trades({name: "x" * 70}))


def test_days_are_inclusive_and_in_utc(fake_engine: FakeEngine) -> None:
    newest = max(trade.exit_time for trade in fake_engine.services.trades_made)
    day = newest.date()
    app = open_trades({"from": day.isoformat(), "to": day.isoformat()})
    expected = [one for one in fake_engine.services.trades_made if one.exit_time.date() == day]
    assert len(app.dataframe[0].value) == min(len(expected), PAGE_SIZE)


def test_contradicting_days_are_refused_in_words(fake_engine: FakeEngine) -> None:
    app = open_trades({"from": "2026-05-02", "to": "2026-05-01"})
    assert "first day lies after the last" in app.error[0].value
    assert not app.dataframe


def test_no_match_and_no_trade_are_told_apart(start_engine: EngineStarter) -> None:
    start_engine(trade_count=1)
    assert "No trade matches these filters." in words(open_trades({"exit": "kill"}))
    start_engine(trade_count=0)
    assert "No trade yet." in words(open_trades())


def test_failure_is_drawn_as_failure(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(fake_engine.services, "trades", fail)
    app = open_trades()
    assert any("database is locked" in error.value for error in app.error)
    assert "No trade" not in words(app)


def test_many_trades_come_in_pages(start_engine: EngineStarter) -> None:
    engine = start_engine(bot_count=3, trade_count=90)
    newest_first = sorted(engine.services.trades_made, key=lambda one: one.exit_time, reverse=True)
    app = open_trades({"page": "3"})
    table = app.dataframe[0].value
    assert len(table) == 270 - 2 * PAGE_SIZE
    assert table["Closed (UTC)"][0] == newest_first[2 * PAGE_SIZE].exit_time
    assert "201 to 270 of 270" in words(app)


def test_csv_holds_exactly_what_is_filtered(fake_engine: FakeEngine) -> None:
    chosen = TradeFilter(bot_id="btc-rsi", limit=2)
    rows = list(csv.DictReader(io.StringIO(control_panel().trades_csv(chosen).decode())))
    own = {one.id: one for one in fake_engine.services.trades_made if one.bot_name == "btc-rsi"}
    assert {row["id"] for row in rows} == set(own)
    for row in rows:
        assert Decimal(row["pnl"]) == own[row["id"]].pnl


def test_csv_name_says_what_was_filtered() -> None:
    at = datetime(2026, 5, 1, 12, tzinfo=UTC) + timedelta(seconds=5)
    chosen = TradeFilter(bot_id="my bot", symbol="BTC/USDT")
    assert csv_name(chosen, at) == "trades-my_bot-BTCUSDT-20260501T120005Z.csv"
