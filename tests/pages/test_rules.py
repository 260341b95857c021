"""The rule builder: conditions put together, said in words, tried, saved, and used by a bot."""

from typing import Any

from streamlit.testing.v1 import AppTest

from engine.domain.rule_words import sentences
from engine.domain.rules import RuleSet
from panel.rules_draft import EXAMPLE
from tests.pages.conftest import FakeEngine, open_page, words
from tests.unit.test_rules import DIP

NAME = "dip_in_a_rising_trend"


def text_of(app: AppTest) -> str:
    """What a page shows, without the marks that keep Markdown from reading it as such."""
    return words(app).replace("\\", "")


def errors_of(app: AppTest) -> list[str]:
    """What is said in red next to fields."""
    return [one.value for one in app.markdown if one.value.startswith(":red[")]


def key_ending(app: AppTest, kind: str, ending: str, place: int = 0) -> Any:
    """A widget by the end of its key; ``place`` counts those that share it."""
    found = [one for one in getattr(app, kind) if str(one.key).endswith(ending)]
    return found[place]


def kept(engine: FakeEngine, name: str = NAME) -> RuleSet:
    return engine.services.rule_book.kept[name]


def keep_example(engine: FakeEngine, name: str = NAME) -> RuleSet:
    found = RuleSet.model_validate(EXAMPLE)
    engine.services.rule_book.kept[name] = found
    return found


def test_the_example_is_said_in_words_tried_on_candles_saved_and_used(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("rules")
    text = text_of(app)
    assert "Enter long when RSI(14) < 40 and close > SMA(200)." in text
    assert "Exit long when RSI(14) > 65." in text
    assert "On 500 candles:" in text
    assert app.button("rules_bot").disabled
    app.button("rules_save").click().run()
    assert sentences(kept(fake_engine)) == sentences(RuleSet.model_validate(EXAMPLE))
    assert app.selectbox("rules_choice").value == NAME
    assert app.button("rules_save").disabled
    app.button("rules_bot").click().run()
    assert app.header[0].value == "Create bot"
    assert app.selectbox("draft_strategy").value == NAME


def test_conditions_groups_and_indicators_are_put_together(fake_engine: FakeEngine) -> None:
    app = open_page("rules")
    key_ending(app, "button_group", "long_entry_join").set_value("any")
    app.button("rules_add_long_entry").click().run()
    key_ending(app, "selectbox", "_left_source", 2).set_value("macd")
    key_ending(app, "selectbox", "_test", 2).set_value("rising").run()
    key_ending(app, "selectbox", "_left_output").set_value("histogram")
    key_ending(app, "text_input", "_left_macd_fast").set_value("8")
    key_ending(app, "text_input", "_count").set_value("2").run()
    assert (
        "Enter long when RSI(14) < 40 or close > SMA(200) or MACD(8, 26, 9) histogram has risen for"
        " 2 candles." in text_of(app)
    )
    app.button("rules_add_group_long_exit").click().run()
    assert "Exit long when RSI(14) > 65 and close > SMA(50)." in text_of(app)
    app.button("rules_save").click().run()
    found = kept(fake_engine)
    assert found.long_entry.join == "any"
    assert found.long_entry.conditions[2].left.params == {"fast": 8.0, "slow": 26.0, "signal": 9.0}
    assert [len(group.conditions) for group in found.long_exit.groups] == [1]


def test_a_side_may_be_shifted_and_scaled(fake_engine: FakeEngine) -> None:
    app = open_page("rules")
    key_ending(app, "checkbox", "_right_more").set_value(True).run()
    assert key_ending(app, "text_input", "_right_factor").value == "1"
    key_ending(app, "text_input", "_right_factor").set_value("1.02")
    key_ending(app, "number_input", "_right_ago").set_value(3).run()
    assert "close > 1.02 × SMA(200) 3 candles ago." in text_of(app)
    key_ending(app, "checkbox", "_right_more").set_value(False).run()
    assert "close > SMA(200)." in text_of(app)


def test_what_is_removed_is_gone_and_the_rest_stays(fake_engine: FakeEngine) -> None:
    app = open_page("rules")
    key_ending(app, "text_input", "_right_sma_period").set_value("77")
    key_ending(app, "button", "rules_remove_c1").click().run()
    assert "Enter long when close > SMA(77)." in text_of(app)
    key_ending(app, "button", "rules_remove_c3").click().run()
    assert "Exit long" not in text_of(app).replace("**Exit long**", "")


def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("rules")
    key_ending(app, "text_input", "_left_rsi_period").set_value("1")
    key_ending(app, "text_input", "_right_number_value").set_value("low").run()
    told = " ".join(errors_of(app)).replace("\\", "")
    assert "must be from 2 to 1000" in told
    assert "there is none of this name" in told
    app.button("rules_save").click().run()
    assert not fake_engine.services.rule_book.kept
    assert any("Not saved" in error.value for error in app.error)
    assert key_ending(app, "text_input", "_left_rsi_period").value == "1"
    assert key_ending(app, "text_input", "_right_number_value").value == "low"


def test_a_name_that_cannot_be_is_said_at_the_name(fake_engine: FakeEngine) -> None:
    app = open_page("rules")
    for name, sentence in (
        ("rsi", "is a strategy already"), ("1 st", "letters, digits"), ("", "must not be empty"),
    ):  # fmt: skip
        app.text_input("rule_name").set_value(name)
        app.button("rules_save").click().run()
        assert sentence in " ".join(errors_of(app)).replace("\\", "")
        assert app.text_input("rule_name").value == name
    assert not fake_engine.services.rule_book.kept


def test_new_rules_do_not_overwrite_others(fake_engine: FakeEngine) -> None:
    before = keep_example(fake_engine)
    app = open_page("rules")
    key_ending(app, "text_input", "_right_sma_period").set_value("50")
    app.button("rules_save").click().run()
    assert kept(fake_engine) == before
    assert any("already" in error.value for error in app.error)


def test_the_name_follows_the_title_until_it_is_saved(fake_engine: FakeEngine) -> None:
    app = open_page("rules")
    app.text_input("rule_title").set_value("My 1st idea!").run()
    assert app.text_input("rule_name").value == "my_1st_idea"


def test_numbers_become_parameters(fake_engine: FakeEngine) -> None:
    app = open_page("rules")
    app.button("rules_add_parameter").click().run()
    key_ending(app, "text_input", "_name", -1).set_value("length")
    for place in (0, 1):
        key_ending(app, "text_input", "_left_rsi_period", place).set_value("length")
    app.run()
    assert "RSI(length) < 40" in text_of(app)
    app.button("rules_save").click().run()
    (parameter,) = kept(fake_engine).parameters
    assert (parameter.name, parameter.default, parameter.is_whole) == ("length", 14.0, True)
    (view,) = [one for one in fake_engine.services.strategies() if one.id == NAME]
    assert view.parameters["properties"]["length"]["maximum"] == 50


def test_kept_rules_are_opened_changed_and_what_was_typed_elsewhere_waits(
    fake_engine: FakeEngine,
) -> None:
    keep_example(fake_engine, "kept")
    app = open_page("rules")
    key_ending(app, "text_input", "_right_sma_period").set_value("123").run()
    app.selectbox("rules_choice").set_value("kept").run()
    assert app.button("rules_save").disabled
    key_ending(app, "text_input", "_right_sma_period").set_value("99").run()
    assert not app.button("rules_save").disabled
    app.selectbox("rules_choice").set_value("").run()
    assert key_ending(app, "text_input", "_right_sma_period").value == "123"
    app.selectbox("rules_choice").set_value("kept").run()
    assert key_ending(app, "text_input", "_right_sma_period").value == "99"
    app.button("rules_save").click().run()
    assert kept(fake_engine, "kept").long_entry.conditions[1].right is not None
    assert app.button("rules_save").disabled
    key_ending(app, "text_input", "_right_sma_period").set_value("5").run()
    app.button("rules_discard").click().run()
    assert key_ending(app, "text_input", "_right_sma_period").value == "99"


def test_what_is_typed_survives_a_visit_to_another_page(fake_engine: FakeEngine) -> None:
    app = open_page("rules")
    key_ending(app, "text_input", "_right_sma_period").set_value("123")
    key_ending(app, "selectbox", "_right_source").set_value("lowest").run()
    app.switch_page("pages/settings.py").run()
    app.switch_page("pages/rules.py").run()
    assert key_ending(app, "selectbox", "_right_source").value == "lowest"
    key_ending(app, "selectbox", "_right_source").set_value("number").run()
    assert key_ending(app, "text_input", "_right_sma_period").value == "123"


def test_the_strategies_page_leads_to_the_rules(fake_engine: FakeEngine) -> None:
    fake_engine.services.rule_book.kept["kept"] = RuleSet.model_validate(DIP)
    assert "Buys dips." in text_of(open_page("strategies"))
    app = open_page("rules", {"rules": "kept"})
    assert app.selectbox("rules_choice").value == "kept"
    assert app.button("rules_save").disabled, "what was only opened is not changed"
    assert not app.run().button("rules_bot").disabled
    app = open_page("rules", {"rules": "gone"})
    assert any("no rules named" in error.value for error in app.error)


def test_rules_are_deleted_after_a_confirmation_unless_a_bot_uses_them(
    fake_engine: FakeEngine,
) -> None:
    keep_example(fake_engine, "kept")
    app = open_page("rules")
    app.selectbox("rules_choice").set_value("kept").run()
    app.button("rules_delete").click().run()
    assert "kept" in fake_engine.services.rule_book.kept
    app.button("rules_delete_confirm").click().run()
    assert not fake_engine.services.rule_book.kept
    assert app.selectbox("rules_choice").value == ""

    keep_example(fake_engine, "used")
    bot = next(iter(fake_engine.services.bots.values()))
    config = bot.config.model_copy(update={"strategy": "used"})
    fake_engine.services.bots[bot.id] = bot.model_copy(update={"config": config})
    app = open_page("rules")
    app.selectbox("rules_choice").set_value("used").run()
    assert app.button("rules_delete").disabled


def test_a_broken_file_is_an_error_with_a_way_out(fake_engine: FakeEngine) -> None:
    fake_engine.services.rule_book.broken["bad"] = "title: must be given"
    app = open_page("rules")
    assert any("title: must be given" in error.value.replace("\\", "") for error in app.error)
    app.button("rules_drop_bad").click().run()
    assert "bad" in fake_engine.services.rule_book.broken, "it asks first"
    app.button("rules_delete_confirm").click().run()
    assert not app.error
    assert not fake_engine.services.rule_book.broken


def test_a_market_that_does_not_answer_leaves_the_rules_to_be_saved(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("rules")
    app.selectbox("rules_trial_market").set_value("ccxt:binance").run()
    assert any("no market" in error.value for error in app.error)
    app.button("rules_save").click().run()
    assert NAME in fake_engine.services.rule_book.kept
