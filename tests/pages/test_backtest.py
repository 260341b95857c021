"""The Backtest page: form, progress, report, trades, comparison, and what can go wrong."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine.contracts.backtests import BacktestRun
from engine.domain.backtest_runs import BacktestRequest, FileSource, RunState
from engine.errors import StoreError
from panel.backtest_draft import FILES
from tests.fakes.backtest_desk import FILE
from tests.fakes.backtests import BacktestRoom
from tests.pages.conftest import FakeEngine, open_page, words
from tests.support.strategy_hosts import until

WITHIN_S = 15.0


@pytest.fixture
def room(fake_engine: FakeEngine) -> Iterator[BacktestRoom]:
    """What stands behind the page."""
    opened = fake_engine.services.fake_backtests.room
    yield opened
    opened.close()


def asked(**changes: Any) -> BacktestRequest:
    """A backtest of the fake engine's file."""
    fields: dict[str, Any] = {"strategy": "rsi", "source": FileSource(files=(FILE,)),
                              "params": {"period": 7}}  # fmt: skip
    return BacktestRequest(**(fields | changes))


def finished(room: BacktestRoom, **changes: Any) -> BacktestRun:
    """A run that has ended."""
    run = room.service.create(asked(**changes), "me")
    assert until(lambda: not room.service.get(run.id).is_active, WITHIN_S)
    return room.service.get(run.id)


def page_of(run: BacktestRun) -> AppTest:
    """The page of a run."""
    return open_page("backtest", {"run": run.id})


def field_errors(app: AppTest) -> str:
    """What is said next to fields."""
    return " ".join(one.value for one in app.markdown if one.value.startswith(":red[:material"))


def only_run(room: BacktestRoom) -> BacktestRun:
    """The one there is."""
    [run], _count = room.service.list(limit=5)
    return run


def test_a_file_of_the_candles_page_is_chosen_whole(room: BacktestRoom) -> None:
    app = open_page("backtest", {"candles": FILE, "timeframe": "1h"})
    assert app.selectbox(key="backtest_market").value == FILES
    assert app.multiselect(key="backtest_files").value == [FILE]
    assert app.selectbox(key="backtest_timeframe").value == "1h"
    assert app.date_input(key="backtest_since").value is None
    assert not app.exception


def test_the_defaults_show_what_they_use_and_need_one_click(room: BacktestRoom) -> None:
    app = open_page("backtest")
    assert not app.exception
    shown = words(app)
    assert "Warm-up" in shown and "15 candles" in shown
    app.button("backtest_start").click().run()
    run = only_run(room)
    assert app.query_params["run"] == run.id or app.query_params["run"] == [run.id]
    assert run.request.terms.fee_bps == 10
    assert "Cancel" in [button.label for button in app.button] or run.state is RunState.DONE


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda app: app.text_input("backtest_cash").set_value("ten"), "must be a number"),
        (lambda app: app.text_input("backtest_amount").set_value("20000"), "more than the cash"),
        (lambda app: app.number_input("backtest_param_rsi_period").set_value(999), "at most 200"),
        (lambda app: app.date_input("backtest_since").set_value(None), "Say from when"),
        (lambda app: app.multiselect("backtest_symbols").set_value([]), "at least 1 item"),
        (lambda app: app.checkbox("backtest_has_stop").set_value(True).run()
         and app.number_input("backtest_stop").set_value(120.0), "less than 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_input_is_kept(
    room: BacktestRoom, change: Callable[[AppTest], Any], sentence: str
) -> None:
    app = open_page("backtest")
    app.text_input("backtest_name").set_value("mine")
    change(app)
    app.button("backtest_start").click().run()
    said = field_errors(app) + " ".join(one.value for one in app.error)
    assert sentence in said
    assert any("Not started" in one.value for one in app.error)
    assert app.text_input("backtest_name").value == "mine"
    assert room.service.list(limit=5)[1] == 0


def test_input_survives_a_visit_to_another_page(room: BacktestRoom) -> None:
    app = open_page("backtest")
    app.text_input("backtest_name").set_value("kept").run()
    app.switch_page("pages/settings.py").run()
    app.switch_page("pages/backtest.py").run()
    assert app.text_input("backtest_name").value == "kept"


def test_a_file_is_used_whole_and_a_market_for_half_a_year(
    room: BacktestRoom,
) -> None:
    app = open_page("backtest")
    assert app.date_input("backtest_since").value is not None
    app.selectbox("backtest_market").set_value("files").run()
    assert app.date_input("backtest_since").value is None
    assert "at least 1 item" in field_errors(app)


def test_a_running_backtest_shows_its_stage_and_is_cancelled(room: BacktestRoom) -> None:
    room.simulator.gate.clear()
    run = room.service.create(asked(), "me")
    assert room.simulator.standing.acquire(timeout=WITHIN_S)
    app = page_of(run)
    assert app.get("progress")
    app.button("run_cancel").click().run()
    assert room.service.get(run.id).state is RunState.CANCELLED
    assert "cancelled" in words(app)


def test_a_done_run_shows_everything_it_found(room: BacktestRoom) -> None:
    run = finished(room)
    app = page_of(run)
    assert not app.exception
    shown = words(app)
    for part in ("Total return", "Max drawdown", "Under its highest so far", "Return by month"):
        assert part in shown
    app.session_state["run_tab"] = "Trades"
    app.run()
    assert "Trades that match" in words(app)
    app.session_state["run_tab"] = "Chart"
    app.run()
    assert not app.exception
    assert "entries and" in words(app)
    app.button("chart_first").click().run()
    assert "1970-01-01 00:00 to" in words(app)
    app.number_input(f"chart_trade_{run.id[:8]}").set_value(5).run()
    assert "1970-01-01 00:00 to" not in words(app)


def test_a_run_without_trades_says_so(room: BacktestRoom) -> None:
    run = finished(room, params={"oversold": 1, "overbought": 99})
    assert run.trade_count == 0
    app = page_of(run)
    assert not app.exception
    assert "No trade was closed" in words(app)


def test_a_failed_run_says_why_and_its_settings_go_back_to_the_form(room: BacktestRoom) -> None:
    room.results.fault = StoreError("The result could not be written: No space left on device.")
    app = page_of(finished(room, name="unlucky", params={"period": 21}))
    assert "No space left" in words(app)
    app.button("run_change").click().run()
    assert app.text_input("backtest_name").value == "unlucky"
    assert app.number_input("backtest_param_rsi_period").value == 21
    assert app.multiselect("backtest_files").value == [FILE]


def test_a_run_is_run_again_and_deleted(room: BacktestRoom) -> None:
    app = page_of(finished(room))
    app.button("run_again").click().run()
    assert room.service.list(limit=5)[1] == 2
    run = finished(room, name="third")
    app = page_of(run)
    app.button("run_delete").click().run()
    app.button("run_delete_confirm").click().run()
    assert room.service.list(limit=5)[1] == 2
    assert run.id not in room.results.kept


def test_a_paper_bot_is_made_after_saying_what_it_does(
    fake_engine: FakeEngine, room: BacktestRoom
) -> None:
    app = page_of(finished(room))
    app.button("run_bot").click().run()
    assert "paper money" in words(app)
    app.text_input("bot_name").set_value("tested")
    app.button("bot_start").click().run()
    bot = fake_engine.services.find("tested")
    assert (bot.config.params["period"], bot.config.symbol) == (7, "BTC/USDT")
    app = page_of(finished(room))
    app.button("run_bot").click().run()
    app.text_input("bot_name").set_value("tested")
    app.button("bot_create").click().run()
    assert any("already" in one.value for one in app.error)


def test_runs_are_listed_filtered_and_compared(room: BacktestRoom) -> None:
    app = open_page("backtest", {"view": "Runs"})
    assert "No backtest yet" in words(app)
    first, second = finished(room, name="one"), finished(room, name="two", params={"period": 21})
    app = open_page("backtest", {"view": "Runs"})
    [table] = app.dataframe
    assert list(table.value["Name"]) == ["two", "one"]
    app.text_input("name").set_value("nothing like this").run()
    assert "No backtest matches" in words(app)
    app = open_page("backtest", {"view": "Compare", "compare": f"{first.id},{second.id}"})
    assert not app.exception
    settings, figures = app.dataframe[0].value, app.dataframe[1].value
    assert (settings.loc[0, "one"], settings.loc[0, "two"]) == ("7", "21")
    assert "(" in str(figures.loc[0, "two"])


def test_two_hundred_runs_are_shown_in_pages(room: BacktestRoom) -> None:
    run = finished(room)
    with room.store.transaction() as tx:
        tx.backtests.add(*(run.model_copy(update={"id": f"{n:032x}"}) for n in range(200)))
    app = open_page("backtest", {"view": "Runs"})
    assert "1 to 50 of 201" in words(app)
    [table] = app.dataframe
    assert len(table.value) == 50


def test_an_unknown_run_is_an_error_with_a_way_back(fake_engine: FakeEngine) -> None:
    app = open_page("backtest", {"run": "0" * 32})
    assert any("no such backtest" in one.value for one in app.error)
    assert not app.exception
    st.cache_data.clear()
