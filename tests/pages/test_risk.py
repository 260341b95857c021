"""The Risk page: controls in force, setting and releasing them, limits against their use."""

from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import ControlRequest, KillLevel, ScopeKind
from engine.domain.limits import usage_of
from engine.errors import StoreError
from panel.control_words import LEVELS, touches
from tests.fakes.services import FakeServices
from tests.pages.conftest import FakeEngine, open_page, words

BOT, OTHER = "b0001", "b0002"


def open_risk() -> AppTest:
    app = open_page("risk")
    assert not app.exception
    return app


def put(services: FakeServices, scope: ScopeKind, key: str, level: KillLevel, **more: str) -> None:
    actor = more.pop("actor", "tester")
    services.set_control(ControlRequest(scope=scope, key=key, level=level, **more), actor)


def test_without_a_control_the_page_says_so(fake_engine: FakeEngine) -> None:
    shown = words(open_risk())
    assert "No control is on" in shown
    assert "breaker armed" in shown
    assert "Nothing has been counted yet" in shown


def test_a_control_shows_scope_who_why_and_is_released(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    put(services, ScopeKind.BOT, BOT, KillLevel.REDUCE_ONLY, reason="<maintenance>")
    app = open_risk()
    shown = words(app)
    for piece in ("Reduce only", "on bot btc-rsi", "by tester since", "&lt;maintenance&gt;"):
        assert piece in shown
    app.button(key=f"release-bot-{BOT}").click().run()
    assert not services.list_controls()
    assert any("is released" in toast.value for toast in app.toast)


def test_a_tripped_breaker_stands_out(fake_engine: FakeEngine) -> None:
    put(fake_engine.services, ScopeKind.BOT, BOT, KillLevel.REDUCE_ONLY, actor="breaker")
    shown = words(open_risk())
    assert "breaker tripped, 1" in shown
    assert "breaker armed" not in shown


def test_a_control_is_set_after_asking(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    app = open_risk()
    app.segmented_control(key="control_scope").set_value(ScopeKind.SYMBOL).run()
    assert app.button(key="control_set").disabled
    app.selectbox(key="control_key_symbol").set_value("BTC/USDT")
    app.radio(key="control_level").set_value(KillLevel.CANCEL_ORDERS)
    app.text_input(key="control_reason").input("news").run()
    app.button(key="control_set").click().run()
    assert not services.list_controls()
    app.button(key="control_confirm").click().run()
    (control,) = services.list_controls()
    assert (control.scope, control.key, control.level, control.reason, control.actor) == (
        ScopeKind.SYMBOL, "BTC/USDT", KillLevel.CANCEL_ORDERS, "news", "panel",
    )  # fmt: skip
    assert "on symbol BTC/USDT" in words(app)


def test_every_level_says_what_it_does() -> None:
    assert set(LEVELS) == set(KillLevel) - {KillLevel.NONE}


def test_limits_are_bars_the_fullest_first(fake_engine: FakeEngine) -> None:
    fake_engine.services.limits_used = [
        usage_of("orders a minute", ScopeKind.BOT, BOT, 10, 2),
        usage_of("value traded today", ScopeKind.ACCOUNT, "paper:simulated", Decimal(1000),
                 Decimal("950.5"), "USDT"),
    ]  # fmt: skip
    shown = words(open_risk())
    assert "950.50 USDT of 1,000.00 USDT" in shown
    assert "2 of 10" in shown
    assert "bot btc-rsi" in shown
    assert shown.index("value traded today") < shown.index("orders a minute")
    assert 'qd-meter qd-red" role="meter"' in shown


def test_a_failure_is_not_drawn_as_no_limit(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(fake_engine.services, "limit_usage", fail)
    app = open_risk()
    assert any("database is locked" in error.value for error in app.error)
    assert "Nothing has been counted" not in words(app)


def test_a_bots_page_shows_the_controls_that_touch_it_and_no_others(
    fake_engine: FakeEngine,
) -> None:
    services = fake_engine.services
    put(services, ScopeKind.BOT, OTHER, KillLevel.CLOSE_ALL)
    put(services, ScopeKind.SYMBOL, "BTC/USDT", KillLevel.PAUSE_ENTRIES, reason="quiet")
    shown = words(open_page("bot", {"bot": BOT}))
    assert "Pause entries" in shown
    assert "quiet" in shown
    assert "Close everything" not in shown
    touched = [one.key for one in services.list_controls() if touches(one, services.get_bot(BOT))]
    assert touched == ["BTC/USDT"]


def test_the_overview_names_every_control(fake_engine: FakeEngine) -> None:
    put(fake_engine.services, ScopeKind.BOT, BOT, KillLevel.PAUSE_ENTRIES)
    put(fake_engine.services, ScopeKind.ACCOUNT, "paper:simulated", KillLevel.REDUCE_ONLY)
    shown = words(open_page("overview"))
    assert "**Reduce only** on account paper\\:simulated" in shown
    assert "**Pause entries** on bot btc\\-rsi" in shown


def test_the_kill_switch_has_four_levels(fake_engine: FakeEngine) -> None:
    app = open_page("overview")
    app.button(key="kill_open").click().run()
    app.radio(key="kill_level").set_value(KillLevel.REDUCE_ONLY)
    app.button(key="kill_engage").click().run()
    assert fake_engine.services.switch.level is KillLevel.REDUCE_ONLY
    assert "Kill switch: Reduce only" in words(app)
