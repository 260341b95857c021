"""Signals in the bot form: off by default, each rule reaches the engine, and comes back."""

import pytest
from streamlit.testing.v1 import AppTest

from engine.domain.signals import SignalConfig, Signature
from panel.signals_draft import listening_words
from tests.pages.conftest import FakeEngine, open_page, words

RULES = SignalConfig(
    signature=Signature.STANDARD, is_tradingview_only=True, max_lag_s=15, rate_per_minute=5,
    same_within_s=0, expect_every_s=5400,
)  # fmt: skip


def test_a_bot_listens_only_when_it_is_told_to(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    assert not app.exception
    assert not any(one.key == "draft_max_lag" for one in app.number_input)
    app.text_input("draft_name").set_value("deaf")
    app.button("form_save").click().run()
    assert fake_engine.services.find("deaf").config.signals is None


def test_the_rules_of_listening_reach_the_engine(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.checkbox("draft_has_signals").check().run()
    assert "alert message to paste" in words(app)
    app.checkbox("draft_expects").check().run()
    app.selectbox("draft_signature").select("standard")
    app.checkbox("draft_tradingview_only").check()
    app.number_input("draft_max_lag").set_value(15)
    app.number_input("draft_signal_rate").set_value(5)
    app.number_input("draft_same_within").set_value(0)
    app.number_input("draft_expect_every").set_value(90)
    app.text_input("draft_name").set_value("listener")
    app.button("form_save").click().run()
    assert not app.exception
    assert fake_engine.services.find("listener").config.signals == RULES


def test_what_is_wrong_stands_next_to_its_field(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.checkbox("draft_has_signals").check().run()
    app.checkbox("draft_expects").check().run()
    app.number_input("draft_max_lag").set_value(0)
    app.number_input("draft_expect_every").set_value(None).run()
    marked = [one.value for one in app.markdown if one.value.startswith(":red[")]
    assert len(marked) == 2
    assert not any("signals" in error.value for error in app.error), "each has its place"


def test_a_bot_that_is_edited_keeps_its_rules(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    bot = services.find("doge-idle")
    config = bot.config.model_copy(update={"signals": RULES, "market": "simulated"})
    services.bots[bot.id] = bot.model_copy(update={"config": config})
    app = open_page("create", {"edit": bot.id})
    assert not app.exception
    assert app.number_input("draft_expect_every").value == 90
    app.button("form_save").click().run()
    assert services.find("doge-idle").config.signals == RULES


def test_what_can_never_work_is_said(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.checkbox("draft_has_signals").check().run()
    app.checkbox("draft_tradingview_only").check()
    app.selectbox("draft_signature").select("hmac").run()
    assert "TradingView cannot sign" in words(app)


def test_a_strategy_that_only_listens_is_told_to_listen() -> None:
    def page() -> None:
        import streamlit as st

        from panel.bot_form import BotForm
        from panel.signals_form import draw_signals

        st.session_state["draft_strategy"] = "signals_only"
        draw_signals(BotForm([], []))

    app = AppTest.from_function(page, default_timeout=30).run()
    assert "the bot never trades" in words(app)
    app.checkbox("draft_has_signals").check().run()
    assert not app.exception
    assert "the bot never trades" not in words(app)
    assert "goes on deciding" not in words(app)


def test_a_bot_that_listens_opens_on_its_signals(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.checkbox("draft_has_signals").check().run()
    app.text_input("draft_name").set_value("listener")
    app.button("form_save").click().run()
    assert not app.exception
    assert "Set up its alert" in [one.proto.label for one in app.get("page_link")]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (None, "off"),
        (SignalConfig(), "no signature, at most 1 min old, at most 60 a minute"),
        (RULES, "signed (Standard Webhooks), from TradingView's addresses only, at most 15 s old,"
                " at most 5 a minute, one is expected every 1 h 30 min"),
    ],
)  # fmt: skip
def test_settings_say_what_a_sender_must_keep_to(
    fake_engine: FakeEngine, rules: SignalConfig | None, said: str
) -> None:
    config = fake_engine.services.find("doge-idle").config.model_copy(update={"signals": rules})
    assert said in " ".join(listening_words(config))
