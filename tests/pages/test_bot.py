"""The Bot page: one bot in full, its commands, and what it says when things are wrong."""

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import Action, BotState, Desired, Verdict
from engine.domain.decisions import TraceStep
from engine.errors import StoreError
from panel.decision_trace import decisions_html
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words

RUNNING, FLAT, FAULTED, STOPPED = "b0001", "b0002", "b0006", "b0007"


def open_bot(bot: str, tab: str | None = None) -> AppTest:
    app = open_page("bot", {"bot": bot} | ({"tab": tab} if tab else {}))
    assert not app.exception
    return app


def test_head_shows_name_state_and_figures(fake_engine: FakeEngine) -> None:
    view = fake_engine.services.get_bot(RUNNING)
    shown = words(open_bot(RUNNING))
    assert view.config.name.replace("-", "\\-") in shown
    assert '<span class="qd-state qd-green">running</span>' in shown
    assert "PAPER" in shown
    for label in ("Equity", "Open P&amp;L", "Realised", "Trades", "Next check"):
        assert label in shown
    assert f"<dd>{view.trade_count}, {view.win_count} won</dd>" in shown


def test_a_bot_is_found_by_its_name(fake_engine: FakeEngine) -> None:
    name = fake_engine.services.get_bot(FLAT).config.name
    assert "There is no bot" not in words(open_bot(name))


def test_reason_of_a_fault_is_shown(fake_engine: FakeEngine) -> None:
    shown = words(open_bot(FAULTED))
    assert "Three strategy errors in a row" in shown
    assert "qd-red" in shown


def test_unknown_bot_is_said_and_another_can_be_chosen(fake_engine: FakeEngine) -> None:
    app = open_bot("no-such-bot")
    assert "There is no bot" in app.error[0].value
    app.selectbox[0].select(FLAT).run()
    assert not app.error
    assert app.query_params["bot"] == FLAT


def test_without_bots_the_way_to_the_first_is_shown(start_engine: EngineStarter) -> None:
    start_engine(bot_count=0)
    app = open_page("bot")
    assert not app.exception
    assert "There is no bot yet." in words(app)


def test_pause_is_done_and_the_page_follows(fake_engine: FakeEngine) -> None:
    app = open_bot(RUNNING)
    app.button(key=f"pause-{RUNNING}").click().run()
    assert fake_engine.services.bots[RUNNING].desired is Desired.PAUSED
    assert app.button(key=f"start-{RUNNING}").label == "Resume"


@pytest.mark.parametrize(("choice", "is_held"), [("keep", True), ("close", False)])
def test_stop_keeps_or_closes_the_position(
    fake_engine: FakeEngine, choice: str, is_held: bool
) -> None:
    app = open_bot(RUNNING)
    app.button(key=f"{choice}-{RUNNING}").click().run()
    assert fake_engine.services.bots[RUNNING].desired is Desired.STOPPED
    assert (RUNNING in fake_engine.services.positions_held) is is_held


def test_active_bot_can_be_neither_edited_nor_deleted_and_says_why(
    fake_engine: FakeEngine,
) -> None:
    app = open_bot(FLAT)
    assert app.button(key="edit").disabled
    assert app.button(key="delete").disabled
    assert app.button(key="delete").help == "Stop the bot first"


def test_clone_asks_for_a_name_and_opens_the_copy(fake_engine: FakeEngine) -> None:
    app = open_bot(STOPPED)
    app.button(key="clone").click().run()
    app.text_input(key="clone_name").input("second one")
    app.button(key="clone_confirm").click().run()
    copy = fake_engine.services.get_bot("second one")
    assert app.query_params["bot"] == copy.id
    assert copy.state is BotState.STOPPED


def test_refused_clone_is_said(fake_engine: FakeEngine) -> None:
    app = open_bot(STOPPED)
    app.button(key="clone").click().run()
    app.text_input(key="clone_name").input(fake_engine.services.get_bot(RUNNING).config.name)
    app.button(key="clone_confirm").click().run()
    assert any("name" in toast.value for toast in app.toast)
    assert app.query_params["bot"] in (STOPPED, [STOPPED])


def test_delete_asks_first(fake_engine: FakeEngine) -> None:
    app = open_bot(STOPPED)
    app.button(key="delete").click().run()
    assert STOPPED in fake_engine.services.bots
    app.button(key="delete_confirm").click().run()
    assert STOPPED not in fake_engine.services.bots
    assert "There is no bot '" not in words(app)


def test_only_the_open_tab_asks_the_engine(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("chart", "decisions", "orders", "audit"):
        answer = getattr(fake_engine.services, name)

        def spy(*args: object, _name: str = name, _answer: object = answer) -> object:
            asked.append(_name)
            return _answer(*args)  # type: ignore[operator]

        monkeypatch.setattr(fake_engine.services, name, spy)
    open_bot(RUNNING, "Orders")
    assert set(asked) == {"orders"}


def test_orders_tab_lists_orders_and_fills(fake_engine: FakeEngine) -> None:
    app = open_bot(RUNNING, "Orders")
    orders, fills = (table.value for table in app.dataframe)
    assert list(orders["Client order id"]) == [
        order.client_id for order in fake_engine.services.orders(RUNNING, 200)
    ]
    assert len(fills) == len(fake_engine.services.fills(RUNNING, 500))


def test_positions_tab_shows_stop_and_target_or_says_flat(fake_engine: FakeEngine) -> None:
    held = fake_engine.services.positions_held[RUNNING]
    table = open_bot(RUNNING, "Positions").dataframe[0].value
    assert table["Stop"][0] == float(held.stop_price or 0)
    assert table["Target"][0] == float(held.target_price or 0)
    assert "holds nothing" in words(open_bot(FLAT, "Positions"))


def test_trades_tab_shows_this_bots_trades(fake_engine: FakeEngine) -> None:
    own = [trade for trade in fake_engine.services.trades_made if trade.bot_id == RUNNING]
    table = open_bot(RUNNING, "Trades").dataframe[0].value
    assert sorted(table["P&L"]) == pytest.approx(sorted(float(trade.pnl) for trade in own))


def test_configuration_tab_says_every_setting_in_words(fake_engine: FakeEngine) -> None:
    shown = words(open_bot(RUNNING, "Configuration"))
    for piece in ("Stop loss", "2.00 %", "Take profit", "5.00 %", "one at a time", "Period", "14"):
        assert piece in shown


def test_audit_tab_shows_what_was_done_with_this_bot(fake_engine: FakeEngine) -> None:
    fake_engine.services.pause_bot(RUNNING, "tester")
    fake_engine.services.pause_bot(FLAT, "somebody")
    table = open_bot(RUNNING, "Audit").dataframe[0].value
    assert set(table["Who"]) == {"tester"}


def test_failure_is_drawn_as_failure_not_as_nothing(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(fake_engine.services, "orders", fail)
    app = open_bot(RUNNING, "Orders")
    assert any("database is locked" in error.value for error in app.error)
    assert "No order yet" not in words(app)


def test_decision_trace_shows_every_step_escaped_and_holds_too(fake_engine: FakeEngine) -> None:
    (first, *_) = fake_engine.services.decisions(RUNNING, 50, Action.HOLD)
    step = TraceStep(
        step="strategy", verdict=Verdict.VETO, detail="<b>too late</b>", values={"rsi": 2 / 3}
    )
    shown = decisions_html([first.model_copy(update={"trace": (step,)})])
    for piece in ("Hold", "veto", "&lt;b&gt;too late", "rsi 0.66666667"):
        assert piece in shown


def test_decisions_can_be_narrowed_to_an_action(fake_engine: FakeEngine) -> None:
    app = open_bot(STOPPED, "Why?")
    assert "No decision yet" in words(app)
    app.selectbox(key="action").select(Action.REVERSE).run()
    assert "No decision with the action Reverse" in words(app)
