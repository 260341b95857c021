"""API tokens on the Settings page: made once with their text, revoked after a question."""

from datetime import timedelta

from streamlit.testing.v1 import AppTest

from engine.domain.tokens import Scope
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words


def open_settings() -> AppTest:
    app = open_page("settings")
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def codes(app: AppTest) -> list[str]:
    return [one.value for one in app.code]


def test_without_tokens_the_page_says_what_they_are_for(fake_engine: FakeEngine) -> None:
    assert "No other program has access" in words(open_settings())


def test_a_token_is_made_and_its_text_is_shown_this_once(fake_engine: FakeEngine) -> None:
    app = press(open_settings(), "api_token_new")
    app.text_input(key="api_token_name").set_value("tablet")
    app.multiselect(key="api_token_scopes").set_value([Scope.READ, Scope.TRADE])
    app.selectbox(key="api_token_expiry").set_value("in a year")
    app.number_input(key="api_token_rate").set_value(50)
    press(app, "api_token_make")
    [token] = fake_engine.services.tokens.list()
    assert (token.name, token.scopes, token.rate_per_minute) == (
        "tablet", (Scope.READ, Scope.TRADE), 50,
    )  # fmt: skip
    assert token.expires_at == token.created_at + timedelta(days=365)
    [text] = codes(app)
    assert fake_engine.services.tokens.find(text) is not None
    press(app, "api_token_done")
    assert codes(app) == []
    assert text not in str(app.session_state)
    assert "**tablet** · read, trade" in words(app)


def test_what_the_engine_refuses_is_said_in_the_dialog(fake_engine: FakeEngine) -> None:
    fake_engine.services.tokens.tokens.create("tablet", [Scope.READ], "test")
    app = press(open_settings(), "api_token_new")
    app.text_input(key="api_token_name").set_value("tablet")
    press(app, "api_token_make")
    assert any("There is a token named" in error.value for error in app.error)
    assert app.text_input(key="api_token_name").value == "tablet"
    app.text_input(key="api_token_name").set_value("a b")
    press(app, "api_token_make")
    assert any("not allowed here" in error.value for error in app.error)
    assert len(fake_engine.services.tokens.list()) == 1


def test_a_token_is_revoked_after_a_question(fake_engine: FakeEngine) -> None:
    token, _ = fake_engine.services.tokens.tokens.create("tablet", [Scope.READ], "test")
    app = press(open_settings(), f"api_token_revoke-{token.id}")
    assert fake_engine.services.tokens.objection(token) == "", "not before it is confirmed"
    assert "is refused from now on" in words(app)
    press(app, "api_token_revoke")
    assert "revoked" in fake_engine.services.tokens.objection(token)
    shown = words(app)
    assert "tablet: revoked" in shown
    assert "No other program has access" in shown


def test_names_are_shown_as_text(start_engine: EngineStarter) -> None:
    engine = start_engine(bot_count=0)
    engine.services.tokens.tokens.create("a_b_c", [Scope.READ], "test")
    assert r"a\_b\_c" in words(open_settings())
