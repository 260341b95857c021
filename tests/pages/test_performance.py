"""The Performance page: figures by quote asset, filters in the address, failures, empty states."""

import json
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts.performance import METRICS, PerformanceFilter
from engine.errors import StoreError
from panel.session import control_panel
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words


def open_performance(query: dict[str, str] | None = None) -> AppTest:
    app = open_page("performance", query)
    assert not app.exception
    return app


def table(app: AppTest, column: str) -> list[dict[str, object]]:
    """The rows of the table that has a column."""
    frame = next(one.value for one in app.dataframe if column in one.value)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def test_one_quote_asset_at_a_time_with_all_its_parts(fake_engine: FakeEngine) -> None:
    view = fake_engine.services.performance.view(PerformanceFilter())
    app = open_performance({"quote": "USDT"})
    one = next(one for one in view.quotes if one.quote == "USDT")
    shown = words(app)
    assert f"<dd>{one.analysis.metrics.trades}</dd>" in shown
    assert "Sharpe ratio" in shown and "Weakness" in shown
    assert f"Returns on {one.capital:,.2f} USDT" in shown
    assert "Compared by bot" in shown
    compared = {row["Bot"]: row for row in table(app, "Bot")}
    assert {row.key: row.trades for row in one.compared} == {
        name: row["Trades"] for name, row in compared.items()
    }
    figures = {row["Metric"]: row["Value"] for row in table(app, "Metric")}
    assert list(figures) == [metric.title for metric in METRICS]
    assert figures["Trades"] == str(one.analysis.metrics.trades)
    charts = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    assert len(charts) == 4  # worth, drawdown, distribution, a group
    assert charts[0]["data"][0]["name"] == "Equity"


def test_the_quote_asset_is_chosen(fake_engine: FakeEngine) -> None:
    app = open_performance({"quote": "USD"})
    assert "5,000.00 USD" in words(app)
    app.segmented_control(key="quote").set_value("USDT").run()
    assert "Returns on 4,000.00 USDT" in words(app)


def test_filters_are_in_the_address_and_can_be_cleared(fake_engine: FakeEngine) -> None:
    app = open_performance({"bot": "btc-rsi", "by": "Exit"})
    assert app.selectbox(key="bot").value == "btc-rsi"
    assert "Compared by exit" in words(app)
    assert "<dd>12</dd>" in words(app)
    app = open_performance({"bot": "btc-rsi", "symbol": "ETH/USDT"})
    assert "Nothing was traded that matches these filters." in words(app)
    next(one for one in app.button if one.label == "Clear filters").click().run()
    assert app.selectbox(key="bot").value is None
    assert "Returns on" in words(app)


def test_a_replay_among_others_is_a_warning(fake_engine: FakeEngine) -> None:
    trades = fake_engine.services.trades_made
    trades[0] = trades[0].model_copy(update={"market": "replay:/a.csv"})
    assert any(
        "mixes two calendars" in one.value for one in open_performance({"quote": "USDT"}).warning
    )


def test_contradicting_days_are_refused_in_words(fake_engine: FakeEngine) -> None:
    app = open_performance({"from": "2026-05-02", "to": "2026-05-01"})
    assert "first day lies after the last" in app.error[0].value


def test_without_a_trade_it_says_what_to_do(start_engine: EngineStarter) -> None:
    engine = start_engine(bot_count=0)
    app = open_performance()
    assert "No trade yet. Performance is measured from the first closed trade on" in words(app)
    engine.services.performance.has_marks = False


def test_bots_that_only_wait_have_no_trade_to_judge(start_engine: EngineStarter) -> None:
    start_engine(bot_count=1, trade_count=0)
    app = open_performance({"bot": "btc-rsi"})
    shown = words(app)
    assert "No trade was closed: there is nothing to judge yet." in shown.replace("\\", "")


def test_a_failure_is_drawn_as_one_and_an_old_answer_as_old(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    app = open_performance()
    monkeypatch.setattr(fake_engine.services.performance, "view", fail)
    app.run()
    assert any("the database is locked" in one.value for one in app.warning)
    assert "Returns on" in words(app)
    fresh = open_performance()
    assert any("database is locked" in one.value for one in fresh.error)
    assert "No trade" not in words(fresh)


def test_reports_are_downloaded_as_they_are_asked_for(fake_engine: FakeEngine) -> None:
    chosen = PerformanceFilter(bot="btc-rsi", since=datetime(2020, 1, 1, tzinfo=UTC))
    panel = control_panel()
    assert b"bot btc-rsi, from 2020-01-01" in panel.performance_html(chosen)
    assert panel.performance_csv(chosen, "trades").count(b"\r\n") == 13
    assert panel.performance_csv(chosen, "metrics").startswith(b"quote,key")
