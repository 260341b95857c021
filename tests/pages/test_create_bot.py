"""The bot form: defaults, presets, errors next to their fields, editing."""

from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import BotState, Desired
from tests.pages.conftest import FakeEngine, open_page, words


def created(engine: FakeEngine, name: str) -> Desired:
    """What is wished of the bot with this name. Raises NotFound when there is none."""
    return engine.services.find(name).desired


def test_the_defaults_need_one_click_to_a_started_bot(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    assert "Loss at the stop" in words(app)
    app.button("form_start").click().run()
    assert created(fake_engine, "rsi BTC-USDT") is Desired.RUNNING


def test_create_alone_leaves_the_bot_stopped(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.text_input("draft_name").set_value("calm one")
    app.button("form_save").click().run()
    assert created(fake_engine, "calm one") is Desired.STOPPED


def test_percent_on_screen_is_an_exact_fraction_in_the_engine(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.number_input("draft_stop").set_value(2.1)
    app.checkbox("draft_has_target").set_value(False)
    app.text_input("draft_name").set_value("exact")
    app.button("form_save").click().run()
    config = fake_engine.services.find("exact").config
    assert (config.stop_loss, config.take_profit) == (Decimal("0.021"), None)


def test_the_demo_preset_decides_every_second(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.button("preset_1 s demo").click().run()
    app.text_input("draft_name").set_value("quick")
    app.button("form_start").click().run()
    config = fake_engine.services.find("quick").config
    assert (config.timeframe, config.interval_s) == ("1s", 1)
    assert config.params["period"] == 5


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("draft_amount", "0", "greater than 0"),
        ("draft_amount", "-5", "greater than 0"),
        ("draft_amount", "ten", "number"),
        ("draft_amount", "1e30", "at most"),
        ("draft_amount", "0.01", "at least"),
        ("draft_name", "<script>alert(1)</script>", "not allowed"),
        ("draft_name", "btc-rsi", "bot named"),
        ("draft_roi", "soon: 5", "number"),
    ],
)
def test_what_is_wrong_is_said_next_to_its_field_and_input_is_kept(
    fake_engine: FakeEngine, field: str, value: str, sentence: str
) -> None:
    before = len(fake_engine.services.bots)
    app = open_page("create")
    app.text_input(field).set_value(value)
    app.button("form_save").click().run()
    assert len(fake_engine.services.bots) == before
    assert sentence in " ".join(_field_errors(app))
    assert app.text_input(field).value == value
    assert any("Not saved" in error.value for error in app.error)


@pytest.mark.parametrize(("percent", "sentence"), [(120.0, "less than 1"), (0.0, "greater than 0")])
def test_an_impossible_stop_is_refused(
    fake_engine: FakeEngine, percent: float, sentence: str
) -> None:
    app = open_page("create")
    app.number_input("draft_stop").set_value(percent).run()
    assert sentence in " ".join(_field_errors(app))


def test_a_parameter_out_of_bounds_is_said_at_the_parameter(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.number_input("draft_param_rsi_period").set_value(999).run()
    assert any("200" in error for error in _field_errors(app))


def test_each_strategy_brings_its_own_parameters(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.selectbox("draft_strategy").set_value("ma_cross").run()
    keys = {widget.key for widget in app.number_input}
    assert "draft_param_ma_cross_fast" in keys
    assert "draft_param_rsi_period" not in keys
    assert "broken" not in app.selectbox("draft_strategy").options


def test_a_market_that_does_not_answer_says_so(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.selectbox("draft_market").set_value("ccxt:kraken").run()
    assert any("Kraken does not answer" in warning.value for warning in app.warning)


def test_input_survives_a_visit_to_another_page(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.text_input("draft_name").set_value("kept").run()
    app.switch_page("pages/settings.py").run()
    app.switch_page("pages/create.py").run()
    assert app.text_input("draft_name").value == "kept"


def test_editing_begins_with_what_is_saved_and_saves_it(fake_engine: FakeEngine) -> None:
    bot = next(bot for bot in fake_engine.services.list_bots() if bot.state is BotState.STOPPED)
    app = open_page("create", {"edit": bot.id})
    assert app.header[0].value == "Edit bot"
    assert app.text_input("draft_name").value == bot.config.name
    app.text_input("draft_amount").set_value("250")
    app.button("form_save").click().run()
    changed = fake_engine.services.find(bot.id).config
    assert changed == bot.config.model_copy(update={"amount": Decimal(250)})


def test_editing_an_unknown_bot_is_an_error(fake_engine: FakeEngine) -> None:
    app = open_page("create", {"edit": "nobody"})
    assert any("nobody" in error.value for error in app.error)
    assert not app.selectbox


def _field_errors(app: AppTest) -> list[str]:
    return [text.value for text in app.markdown if text.value.startswith(":red[")]
