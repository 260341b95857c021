"""The Strategies and Settings pages, and the facade's errors."""

import pytest

from engine.contracts import SettingView, StrategyView
from engine.errors import StoreError
from panel.facade import ControlPanel, EngineOff, EngineRefused
from panel.settings_view import label_of
from tests.fakes.services import FakeServices
from tests.pages.conftest import FakeEngine, open_page, words


def test_every_strategy_is_described_and_a_broken_file_shows_its_error(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("strategies")
    text = words(app)
    for strategy in fake_engine.services.strategies():
        if strategy.error is None:
            assert strategy.summary in text.replace("\\", "")
    assert any("was never closed" in error.value for error in app.error)


def test_a_file_that_was_dropped_in_appears(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = StrategyView(
        id="mine", title="My own", summary="Buys on Mondays", doc="", path="strategies/mine.py",
        parameters={}, warmup=1, error=None,
    )  # fmt: skip
    app = open_page("strategies")
    known = tuple(fake_engine.services.strategies())
    monkeypatch.setattr(FakeServices, "strategies", lambda _self: (*known, dropped))
    assert "Buys on Mondays" in words(app.run())


def test_settings_are_saved_and_only_what_changed_is_sent(fake_engine: FakeEngine) -> None:
    app = open_page("settings")
    app.text_input("setting_paper_fee_bps").set_value("7.5")
    next(button for button in app.button if button.label == "Save settings").click().run()
    assert fake_engine.services.values["paper_fee_bps"] == "7.5"
    assert fake_engine.services.values["log_level"] == "INFO"


def test_a_change_that_waits_for_the_next_start_is_shown_beside_the_value_in_force(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [
        one.model_copy(update={"pending": "7.5"} if one.key == "paper_fee_bps" else {})
        for one in fake_engine.services.settings()
    ]
    monkeypatch.setattr(FakeServices, "settings", lambda _self: changed)
    app = open_page("settings")
    assert app.text_input("setting_paper_fee_bps").value == "7.5"
    assert "next start; until then 10" in words(app).replace("\\", "")


def test_how_late_the_engine_is_stands_on_the_settings_page(fake_engine: FakeEngine) -> None:
    stats = fake_engine.services.stats()
    text = words(open_page("settings"))
    assert f"<dt>Checks so far</dt><dd>{stats.cycles_run:,}</dd>" in text
    assert f"p50 {stats.jobs.p50_s:.2f} s, p99 {stats.jobs.p99_s:.2f} s" in text


@pytest.mark.parametrize(
    ("key", "title", "label"),
    [
        ("paper_fee_bps", "Fee", "Fee (basis points)"),
        ("alert_retention_days", "Days alerts are kept", "Days alerts are kept"),
        ("paper_balance", "Opening balance", "Opening balance"),
    ],
)
def test_a_setting_is_asked_for_with_its_unit(key: str, title: str, label: str) -> None:
    setting = SettingView(
        key=key, title=title, description="", value="1", default="1", is_editable=True
    )
    assert label_of(setting) == label


def test_the_rest_of_the_settings_stays_when_balances_cannot_be_read(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(type(fake_engine.services), "accounts", fail)
    app = open_page("settings")
    assert "the database is locked" in app.error[0].value.replace("\\", "")
    assert app.button(key="engine_stop").label == "Stop the engine"


def test_balances_are_shown_and_a_failing_account_is_not_empty(fake_engine: FakeEngine) -> None:
    app = open_page("settings")
    balances = next(frame.value for frame in app.dataframe if "Asset" in frame.value)
    assert set(balances["Asset"]) == {"USD", "USDT"}
    assert any("does not answer" in error.value for error in app.error)


def test_the_engine_is_stopped_only_after_a_confirmation(fake_engine: FakeEngine) -> None:
    app = open_page("settings")
    app.button("engine_stop").click().run()
    assert not fake_engine.services.shutdown_requests
    app.button("engine_stop_confirmed").click().run()
    assert len(fake_engine.services.shutdown_requests) == 1


# --- the facade
def test_nobody_at_the_address_is_engine_off(free_port: int) -> None:
    panel = ControlPanel(f"http://127.0.0.1:{free_port}", lambda: "")
    with pytest.raises(EngineOff, match="Nobody answers"):
        panel.overview()
    panel.close()


def test_a_refusal_carries_the_fields_that_are_wrong(fake_engine: FakeEngine) -> None:
    panel = ControlPanel(fake_engine.url, lambda: fake_engine.token)
    with pytest.raises(EngineRefused) as caught:
        panel.create_bot({"name": "x", "amount": "-1"})
    assert "amount" in {detail.field for detail in caught.value.details}
    panel.close()


def test_a_new_token_is_read_when_the_old_one_is_refused(fake_engine: FakeEngine) -> None:
    tokens = iter(["stale", fake_engine.token])
    panel = ControlPanel(fake_engine.url, lambda: next(tokens))
    assert len(panel.bots()) == len(fake_engine.services.bots)
    panel.close()
