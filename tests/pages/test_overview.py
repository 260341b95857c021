"""The Overview: totals, cards, commands, many bots, an empty and an unhappy engine."""

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import BotState, Desired, KillLevel, KillSwitch
from engine.errors import StoreError
from panel.format import figure
from panel.navigation import NAVIGATED
from tests.fakes.services import FakeServices
from tests.pages.conftest import APP, EngineStarter, FakeEngine, open_page, words


def test_shows_the_totals_of_each_quote_asset_as_the_engine_gives_them(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("overview")
    strips = [html.proto.body for html in app.get("html") if "Equity, " in html.proto.body]
    totals = fake_engine.services.overview().totals
    assert len(strips) == len(totals) > 1
    for strip, total in zip(strips, totals, strict=True):
        assert f"<dt>Equity, {total.quote}</dt>" in strip
        assert figure(total.realised_pnl, total.quote, is_signed=True) in strip
        assert f"<dt>Open positions</dt><dd>{total.open_positions}</dd>" in strip


def test_shows_a_card_for_each_bot_with_its_state_and_reason(fake_engine: FakeEngine) -> None:
    text = words(open_page("overview"))
    for bot in fake_engine.services.list_bots():
        assert f"{bot.config.symbol} · {bot.config.timeframe} · {bot.config.strategy}" in text
        assert bot.reason in text


def test_offers_only_the_commands_that_fit_a_state(fake_engine: FakeEngine) -> None:
    app = open_page("overview")
    keys = {button.key for button in app.button}
    by_state = {bot.state: bot for bot in fake_engine.services.list_bots()}
    stopped, stopping = by_state[BotState.STOPPED].id, by_state[BotState.STOPPING].id
    assert f"start-{stopped}" in keys
    assert f"stop-{stopped}" not in keys
    assert f"start-{stopping}" not in keys
    assert app.button(f"stopping-{stopping}").disabled


def test_a_click_on_start_wishes_the_bot_to_run(fake_engine: FakeEngine) -> None:
    bot = fake_engine.services.find("doge-idle")
    app = open_page("overview").button(f"start-{bot.id}").click().run()
    assert fake_engine.services.find(bot.id).desired is Desired.RUNNING
    assert not app.exception
    assert any("starting" in toast.value for toast in app.toast)


def test_a_bot_that_is_wished_to_run_is_shown_as_starting_at_once(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    bot = services.find("doge-idle")
    services.bots[bot.id] = bot.model_copy(update={"desired": Desired.RUNNING})
    keys = {button.key for button in open_page("overview").button}
    assert f"start-{bot.id}" not in keys
    assert f"stop-{bot.id}" in keys


@pytest.mark.parametrize(("key", "is_closed"), [("keep", False), ("close", True)])
def test_stopping_a_bot_with_a_position_asks_what_becomes_of_it(
    fake_engine: FakeEngine, key: str, is_closed: bool
) -> None:
    bot = fake_engine.services.find("btc-rsi")
    open_page("overview").button(f"{key}-{bot.id}").click().run()
    assert fake_engine.services.find(bot.id).desired is Desired.STOPPED
    assert (bot.id not in fake_engine.services.positions_held) is is_closed


def test_a_refused_command_says_why(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: FakeServices, key: str, actor: str, confirm_name: str) -> None:
        raise StoreError("The database is locked; nothing was changed.")

    monkeypatch.setattr(FakeServices, "start_bot", refuse)
    bot = fake_engine.services.find("doge-idle")
    app = open_page("overview").button(f"start-{bot.id}").click().run()
    assert any("database is locked" in toast.value for toast in app.toast)


def test_a_search_and_the_states_narrow_the_bots(fake_engine: FakeEngine) -> None:
    app = open_page("overview", {"search": "btc"})
    keys = {button.key for button in app.button}
    assert "pause-b0001" in keys
    assert "pause-b0002" not in keys
    app.text_input("search").set_value("no such bot").run()
    assert "No bot matches" in words(app)


def test_no_bot_at_all_is_an_invitation(start_engine: EngineStarter) -> None:
    engine = start_engine(bot_count=0, trade_count=0, event_count=0)
    app = open_page("overview")
    assert "Create your first bot" in words(app)
    app.button("demo_start").click().run()
    bots = engine.services.list_bots()
    assert [(bot.config.name, bot.config.market, bot.desired) for bot in bots] == [
        ("demo", "simulated", Desired.RUNNING)
    ]


def test_many_bots_are_a_table_and_cards_are_paged(start_engine: EngineStarter) -> None:
    engine = start_engine(bot_count=60, trade_count=2)
    app = open_page("overview")
    table = app.dataframe[0].value
    assert len(table) == 60
    assert set(table["Command"]) == {"Start", "Stop", "Open", ""}
    holders = {bot.config.name for bot in engine.services.list_bots() if bot.position}
    assert not set(table[table["Command"] == "Stop"]["Name"]) & holders
    paged = open_page("overview", {"view": "Cards"})
    cards = [html for html in paged.get("html") if '<dl class="qd-figures">' in html.proto.body]
    assert len(cards) == 24


def test_a_failing_engine_is_an_error_and_never_looks_empty(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeServices, "overview", _raise_store_error)
    app = open_page("overview")
    assert any("disk is full" in error.value for error in app.error)
    assert "first bot" not in words(app)


def test_the_last_answer_stays_and_is_marked_stale_when_no_newer_one_comes(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("overview")
    monkeypatch.setattr(FakeServices, "overview", _raise_store_error)
    app.run()
    assert any("Stale" in warning.value for warning in app.warning)
    assert "BTC/USDT · 1m · rsi" in words(app)


def _raise_store_error(_self: FakeServices) -> None:
    raise StoreError("The disk is full; nothing was read.")


# --- the head of every page
def test_the_head_shows_mode_and_engine(fake_engine: FakeEngine) -> None:
    text = words(open_page("strategies"))
    assert "PAPER" in text
    assert "Engine on" in text


def test_the_kill_switch_is_engaged_through_its_dialog_and_released_from_the_banner(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("settings")
    app.button("kill_open").click().run()
    app.radio("kill_level").set_value(KillLevel.CLOSE_ALL)
    app.button("kill_engage").click().run()
    assert fake_engine.services.switch.level == "close_all"
    app = open_page("settings")
    assert "Kill switch: Close everything" in words(app)
    app.button("kill_release").click().run()
    assert fake_engine.services.switch.level == "none"
    assert "Kill switch:" not in words(app)


def test_a_latched_kill_switch_shows_on_every_page(fake_engine: FakeEngine) -> None:
    fake_engine.services.switch = KillSwitch(level=KillLevel.PAUSE_ENTRIES, actor="cli")
    for page in ("overview", "create", "strategies", "settings"):
        assert "Kill switch: Pause entries" in words(open_page(page)), page


def test_a_wrong_token_is_said_and_not_drawn_as_nothing(
    fake_engine: FakeEngine, tmp_path: Path
) -> None:
    (tmp_path / "api.token").write_text("another", "ascii")
    app = open_page("overview")
    assert app.error
    assert "Equity" not in words(app)


# --- without an engine
def test_with_the_engine_off_there_is_a_start_button_and_no_traceback(no_engine: int) -> None:
    app = open_page("overview")
    assert not app.exception
    assert app.header[0].value == "The engine is off"
    assert app.button("engine_start").label == "Start the engine"


def test_the_engines_own_sentence_is_shown_when_it_does_not_start(
    no_engine: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panel.engine_process.engine_command", failing_command)
    page = AppTest.from_file(str(APP.parent / "pages/engine_off.py"), default_timeout=30)
    page.session_state[NAVIGATED] = True
    app = page.run().button("engine_start").click().run()
    assert any("data folder is read" in error.value for error in app.error)


def failing_command() -> list[str]:
    """An engine that says why it cannot run and ends."""
    return [sys.executable, "-c", "import sys; sys.exit('The data folder is read-only.')"]
