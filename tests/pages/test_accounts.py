"""The Accounts page: adding by the venue's own form, what a test found, every change confirmed."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts.venue_accounts import VenueAccountRequest, VenueAccountView
from engine.domain.venue_accounts import Mode
from engine.errors import OrderStateUnknown, StoreError
from tests.fakes.services import FakeServices
from tests.fakes.venue_adapter import BAD, WITHDRAWS
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words

KEY, SECRET = "canary-key-1", "canary-secret-2"
NEW = "new_account_"


def open_accounts() -> AppTest:
    app = open_page("accounts")
    assert not app.exception
    return app


def typed(app: AppTest, name: str = "Main") -> AppTest:
    """The form filled in with a key."""
    app.text_input(key=f"{NEW}name").set_value(name)
    app.text_input(key=f"{NEW}fake_secret_key").set_value(KEY)
    app.text_input(key=f"{NEW}fake_secret_secret").set_value(SECRET)
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def added(services: FakeServices, name: str = "Main", **changes: Any) -> VenueAccountView:
    asked: dict[str, Any] = {"name": name, "venue": "fake", "mode": Mode.TEST,
                             "secrets": {"key": KEY, "secret": SECRET}}  # fmt: skip
    request = VenueAccountRequest.model_validate(asked | changes)
    return services.venue_accounts.add(request, "test")


def errors(app: AppTest) -> str:
    return "\n".join(error.value for error in app.error)


def session_text(app: AppTest) -> str:
    return str(app.session_state)


def test_without_accounts_the_page_says_what_to_do(fake_engine: FakeEngine) -> None:
    shown = words(open_accounts())
    assert "No account yet" in shown
    assert "read and trade, and nothing else" in shown


def test_an_account_is_added_by_the_form_and_its_secrets_are_gone(fake_engine: FakeEngine) -> None:
    app = typed(open_accounts())
    app.number_input(key=f"{NEW}fake_option_window_s").set_value(30)
    press(app, "account_add")
    account = fake_engine.services.venue_accounts.get("Main")
    assert (account.mode, account.options["window_s"], account.is_enabled) == (Mode.TEST, 30, True)
    shown = words(app)
    assert "takes entries" in shown
    assert "reads and trades" in shown
    assert "1,000 USDT" in shown
    assert any("test went well" in toast.value for toast in app.toast)
    for canary in (KEY, SECRET):
        assert canary not in shown + session_text(app)


def test_live_is_said_before_and_after(fake_engine: FakeEngine) -> None:
    app = typed(open_accounts())
    app.session_state[f"{NEW}mode"] = "live"
    app.run()
    assert any("real money" in warning.value for warning in app.warning)
    press(app, "account_add")
    assert "qd-mode-live" in words(app)


def test_what_is_wrong_stands_next_to_its_field_and_input_is_kept(fake_engine: FakeEngine) -> None:
    app = typed(open_accounts())
    app.text_input(key=f"{NEW}fake_option_address").set_value("https://evil.example")
    press(app, "account_add")
    marked = [text.value for text in app.markdown if text.value.startswith(":red[")]
    assert len(marked) == 1
    assert "address" in marked[0]
    assert app.text_input(key=f"{NEW}name").value == "Main"
    assert app.text_input(key=f"{NEW}fake_secret_key").value == KEY


def test_a_key_that_can_withdraw_is_refused_in_words(fake_engine: FakeEngine) -> None:
    fake_engine.services.venue_accounts.venue.inspection = WITHDRAWS
    app = press(typed(open_accounts()), "account_add")
    assert "may withdraw money" in words(app)
    assert "No account yet" in words(app)


def test_a_failed_test_shows_its_advice_and_nothing_enables_it(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    services.venue_accounts.venue.inspection = BAD
    account = added(services)
    app = open_accounts()
    shown = words(app)
    assert "last test failed" in shown
    assert any("Follow the advice below" in one.value for one in app.warning)
    assert "Allow spot trading" in shown
    assert "Follow the advice below" in shown
    assert app.button(key=f"Enable-{account.id}").disabled


def test_a_venue_that_does_not_answer_is_not_drawn_as_fine(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    services.venue_accounts.calls.failure = OrderStateUnknown("takes long")
    account = added(services)
    app = open_accounts()
    assert "not tested" in words(app)
    assert "takes entries" not in words(app)
    assert "Test it" in words(app)
    press(app, f"test-{account.id}")
    assert any("takes long" in toast.value for toast in app.toast)


def test_a_lost_key_is_an_error_on_its_account(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    added(services)
    services.venue_accounts.vault.is_locked = True
    app = open_accounts()
    assert "sealed with is gone" in errors(app)
    assert "cannot be opened" in words(app)


def test_it_is_renamed_disabled_enabled_and_deleted(fake_engine: FakeEngine) -> None:
    desk = fake_engine.services.venue_accounts
    account = added(fake_engine.services)
    app = press(open_accounts(), f"Rename-{account.id}")
    app.text_input(key="account_dialog_name").set_value("Savings")
    press(app, "account_rename")
    assert desk.get(account.id).name == "Savings"
    press(press(app, f"Disable-{account.id}"), "account_disable")
    assert not desk.get(account.id).is_enabled
    assert "until you enable it" in words(app)
    press(app, f"Enable-{account.id}")
    assert desk.get(account.id).is_enabled
    press(press(app, f"Delete-{account.id}"), "account_delete")
    assert desk.list() == []
    assert "No account yet" in words(app)


def test_secrets_are_replaced_unseen_and_a_refusal_keeps_the_dialog(
    fake_engine: FakeEngine,
) -> None:
    desk = fake_engine.services.venue_accounts
    account = added(fake_engine.services)
    app = press(open_accounts(), f"Replace secrets-{account.id}")
    assert app.text_input(key="account_dialog_secret_key").value == ""
    desk.venue.inspection = WITHDRAWS
    app.text_input(key="account_dialog_secret_secret").set_value("canary-three")
    press(app, "account_secrets")
    assert "may withdraw" in errors(app)
    desk.venue.inspection = desk.venue.inspection.model_copy(update={"can_withdraw": False})
    press(app, "account_secrets")
    assert desk.connections.secrets(account.id) == {"key": KEY, "secret": "canary-three"}
    assert "canary-three" not in words(app) + session_text(app)


def test_options_begin_with_what_they_are(fake_engine: FakeEngine) -> None:
    desk = fake_engine.services.venue_accounts
    account = added(fake_engine.services, options={"window_s": 7})
    app = press(open_accounts(), f"Options-{account.id}")
    window = app.number_input(key="account_dialog_option_window_s")
    assert window.value == 7
    window.set_value(8)
    press(app, "account_options")
    assert desk.get(account.id).options["window_s"] == 8


def test_a_login_of_the_day_is_asked_for_and_counted_down(fake_engine: FakeEngine) -> None:
    desk = fake_engine.services.venue_accounts
    account = added(fake_engine.services, venue="fakedaily")
    app = open_accounts()
    assert "Log in: it takes no entries" in words(app)
    press(app, f"login-{account.id}")
    app.text_input(key="account_dialog_answer").set_value("nonsense")
    press(app, "account_login")
    assert "paste the whole address" in errors(app)
    app.text_input(key="account_dialog_answer").set_value("ok-canary-4")
    press(app, "account_login")
    assert desk.get(account.id).is_enabled
    shown = words(app)
    assert "The login ends in" in shown
    assert "data-qd-until" in shown
    assert "ok-canary-4" not in shown + session_text(app)


def test_a_failure_is_drawn_as_a_failure(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(type(fake_engine.services.venue_accounts), "list", fail)
    app = open_accounts()
    assert "database is locked" in errors(app)
    assert "No account yet" not in words(app)


# --- bots with real money ------------------------------------------------------------------------


def test_the_form_asks_for_the_name_where_money_is_real(fake_engine: FakeEngine) -> None:
    account = added(fake_engine.services, mode=Mode.LIVE)
    app = open_page("create")
    market = app.selectbox("draft_market")
    assert "Main · LIVE" in market.options
    market.set_value(account.market_id).run()
    assert "real money" in words(app)
    assert "Can be lost" in words(app)
    app.text_input("draft_name").set_value("Real")
    press(app, "form_start")
    assert "real money" in errors(app)
    app.text_input("live:form_typed").set_value("Real")
    press(app, "form_start")
    bot = fake_engine.services.get_bot("Real")
    assert (bot.mode, bot.state.value) == ("live", "running")


def test_a_start_with_real_money_is_confirmed_by_name(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    account = added(services, mode=Mode.LIVE)
    config = services.list_bots()[0].config.model_copy(
        update={"name": "Real", "market": account.market_id, "timeframe": "1m"}
    )
    bot = services.create_bot(config, "test", "Real")
    app = press(open_page("bot", {"bot": bot.id}), f"start-{bot.id}")
    assert services.get_bot(bot.id).state.value == "stopped"
    app.text_input(key="live:typed").set_value("real")
    press(app, "live_start")
    assert services.get_bot(bot.id).state.value == "stopped"
    app.text_input(key="live:typed").set_value("Real")
    press(app, "live_start")
    assert services.get_bot(bot.id).state.value == "running"
    assert "qd-mode-live" in words(app)
    assert "Main" in words(app)


def test_a_card_asks_before_it_starts_with_real_money(start_engine: EngineStarter) -> None:
    services = start_engine(bot_count=1).services
    account = added(services, mode=Mode.LIVE)
    config = services.list_bots()[0].config.model_copy(
        update={"name": "Real", "market": account.market_id, "timeframe": "1m"}
    )
    bot = services.create_bot(config, "test", "Real")
    app = press(open_page("overview"), f"start-{bot.id}")
    assert services.get_bot(bot.id).state.value == "stopped"
    app.text_input(key="live:typed").set_value("Real")
    press(app, "live_start")
    assert services.get_bot(bot.id).state.value == "running"


def test_the_form_is_empty_for_the_next_account(fake_engine: FakeEngine) -> None:
    app = press(typed(open_accounts()), "account_add")
    assert app.text_input(key=f"{NEW}name").value == ""
    assert app.text_input(key=f"{NEW}fake_secret_key").value == ""
    assert app.selectbox(key=f"{NEW}venue").value == "fake"
