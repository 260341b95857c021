"""A model's part of the bot form: what is asked for, sent, reviewed, read again; the trace's step;
the settings in groups."""

from decimal import Decimal
from typing import Any

import pytest

from engine.contracts import Action, BotState, Decision, Desired, Verdict
from engine.contracts.ai import AiConfig, AiRole
from engine.domain.advice import Counsel, CounselVerdict
from engine.domain.decisions import TraceStep
from engine.errors import DataError
from panel.ai_draft import AI_DEFAULTS, ai_body, ai_draft, ai_rows, may_and_may_not, questions_a_day
from panel.decision_trace import advisor_html, decisions_html
from panel.settings_view import GROUPS, OTHER, grouped
from tests.fakes import sample
from tests.fakes.ai import FakeAi
from tests.fakes.clock import START
from tests.pages.conftest import FakeEngine, open_page, words

CONFIG = AiConfig(
    role=AiRole.DECIDER, model="gemini-2.5-pro", min_confidence=0.85, deadline_s=12.5,
    ask_every_s=900, candle_count=120, has_news=False, may_set_levels=False,
    instructions="Mind the weekend.",
)  # fmt: skip


def draft(**changes: Any) -> dict[str, Any]:
    return {**AI_DEFAULTS, "timeframe": "15m", **changes}


# --- what is sent
def test_a_saved_configuration_comes_back_as_it_was() -> None:
    config = sample.bot_config(0).model_copy(update={"ai": CONFIG})
    assert AiConfig.model_validate(ai_body(ai_draft(config))["ai"]) == CONFIG
    assert ai_body(ai_draft(sample.bot_config(0))) == {"ai": None}


def test_the_forms_defaults_are_the_engines() -> None:
    assert AiConfig.model_validate(ai_body(draft(ai_role="advisor"))["ai"]) == AiConfig()


def test_a_number_that_is_not_there_is_for_the_engine_to_refuse() -> None:
    assert ai_body(draft(ai_role="advisor", ai_confidence=None))["ai"]["min_confidence"] == ""


# --- words
def test_what_a_model_may_and_never_may_fits_its_role() -> None:
    may, never = may_and_may_not(draft(ai_role="advisor"))
    assert "hold it back" in may
    assert "set a stop or a target that is nearer than yours" in may
    may, never = may_and_may_not(draft(ai_role="decider", ai_levels=False, ai_confidence=0.9))
    assert "open a position when it is sure to 90.00 % or more" in may
    assert "set levels" in never
    assert any("exit" in one for one in never)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"ai_role": "decider"}, 96),
        ({"ai_role": "decider", "ai_every": 3_600}, 24),
        ({"ai_role": "decider", "timeframe": "1s"}, 86_400),
        ({"ai_role": "decider", "ai_every": None}, None),
        ({"ai_role": "advisor"}, None),
        ({}, None),
    ],
)
def test_how_often_a_decider_is_asked(changes: dict[str, Any], count: int | None) -> None:
    assert questions_a_day(draft(**changes)) == count


def test_the_settings_tell_all_of_it() -> None:
    config = sample.bot_config(0).model_copy(update={"ai": CONFIG})
    told = {title: value for title, value, _ in ai_rows(config)}
    assert told["A model's say"] == "decider"
    assert told["Asked"] == "at most every 15 min"
    assert told["It is shown"] == "120 candles"
    assert told["Instructions to it"] == "Mind the weekend."
    assert ai_rows(sample.bot_config(0))[0][1] == "none"


# --- the form
def test_a_bot_with_an_advisor_is_created(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    app = open_page("create")
    assert not [one for one in app.text_area if one.key == "draft_ai_instructions"]
    app.segmented_control("draft_ai_role").set_value("advisor").run()
    text = words(app).replace("\\", "")
    assert "hold it back" in text
    assert "hold back or delay an exit" in text
    assert "$0.0123 of $1.00 and 17 of 500 calls used today" in text
    app.text_area("draft_ai_instructions").set_value("<b>Mind</b> the weekend.")
    app.number_input("draft_ai_confidence").set_value(2.0).run()
    assert "must be at most 1" in words(app).replace("\\", "")
    app.number_input("draft_ai_confidence").set_value(0.8)
    app.button("form_save").click().run()
    made = list(services.bots.values())[-1].config.ai
    assert made == AiConfig(min_confidence=0.8, instructions="<b>Mind</b> the weekend.")


def test_a_decider_that_asks_too_often_and_a_model_without_a_key_are_said(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("create")
    app.segmented_control("draft_ai_role").set_value("decider").run()
    app.selectbox("draft_timeframe").set_value("1m").run()
    assert "some 1,440 times a day, more than the 500 calls" in words(app).replace("\\", "")

    def fails(*_: object) -> None:
        raise DataError("The database is busy.")

    monkeypatch.setattr(FakeAi, "status", fails)
    app = open_page("create")
    app.segmented_control("draft_ai_role").set_value("advisor").run()
    assert "daily budget is not known now: The database is busy" in words(app).replace("\\", "")


def test_a_bots_model_is_in_the_form_when_it_is_edited(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    bot = next(iter(services.bots.values()))
    services.bots[bot.id] = bot.model_copy(update={
        "config": bot.config.model_copy(update={"ai": CONFIG}), "state": BotState.STOPPED,
        "desired": Desired.STOPPED,
    })  # fmt: skip
    app = open_page("create", {"edit": bot.id})
    assert app.text_area("draft_ai_instructions").value == "Mind the weekend."
    app.segmented_control("draft_ai_role").set_value("off").run()
    app.button("form_save").click().run()
    assert services.bots[bot.id].config.ai is None


# --- the trace
COUNSEL = Counsel(
    verdict=CounselVerdict.REDUCE, reason="sure to 60 % <script>alert(1)</script>",
    advice_id='ad1"><script>', confidence=0.6, size=0.5, stop_price=Decimal("63000"),
)  # fmt: skip


def test_the_advisors_step_is_told_in_words_with_the_way_to_the_question() -> None:
    told = advisor_html(COUNSEL.step.values)
    assert told.startswith("confidence 60.00 %, size 50.00 %, stop 63,000.00")
    assert 'href="ai?advice=ad1%22%3E%3Cscript%3E"' in told
    step = TraceStep(step="strategy", verdict=Verdict.PASS, detail="RSI", values={"rsi": "<i>"})
    one = Decision(
        id="d1", bot_id="b1", candle_time=START, decided_at=START, action=Action.ENTER_LONG,
        confidence=1.0, reason="RSI", price=1.0, trace=(step, COUNSEL.step),
    )  # fmt: skip
    html = decisions_html([one])
    assert "<script>" not in html
    assert "<i>" not in html
    assert "what it was asked" in html


def test_a_step_without_an_answer_has_no_link() -> None:
    assert advisor_html({"verdict": "veto"}) == ""


# --- the settings
def test_settings_stand_in_groups_and_none_is_lost(fake_engine: FakeEngine) -> None:
    one = fake_engine.services.settings()[0]
    keys = ("paper_balance", "limit_order_notional", "ai_budget_usd", "gemini_model",
            "news_every_s", "inbox_retention_days", "log_level", "base_currency")  # fmt: skip
    groups = grouped([one.model_copy(update={"key": key}) for key in keys])
    told = {title: [one.key for one in members] for title, members in groups}
    assert told["Models"] == ["ai_budget_usd", "gemini_model"]
    assert told[OTHER] == ["log_level"]
    assert [title for title, _ in groups][:2] == [title for title, _ in GROUPS][:2]
    assert sorted(key for members in told.values() for key in members) == sorted(keys)
