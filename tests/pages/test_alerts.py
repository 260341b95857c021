"""The Alerts page: channels by their forms, the matrix, the log, prices, a message."""

import csv
import io
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.domain.alerts import AlertKind, ChannelKind, CrossDirection, DeliveryState
from engine.domain.records import Level
from engine.errors import ChannelRefused, StoreError
from panel.delivery_csv import deliveries_csv
from panel.delivery_log import deliveries_frame
from panel.delivery_opened import OPENED
from panel.facade import ControlPanel
from tests.fakes.alert_samples import (
    MAIL_FIELDS,
    SMS_FIELDS,
    TOKEN,
    add_alert,
    add_channel,
    add_delivery,
    fill,
)
from tests.pages.conftest import FakeEngine, open_page, words

FORM = "channel_dialog_"
K = AlertKind


def open_alerts(view: str = "Channels", **query: str) -> AppTest:
    app = open_page("alerts", {"view": view, **query})
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def plain(app: AppTest) -> str:
    """What is read on the page, without markdown's escapes."""
    return words(app).replace("\\", "")


def errors(app: AppTest) -> str:
    return "\n".join(error.value for error in app.error).replace("\\", "")


def toasts(app: AppTest) -> str:
    return "\n".join(toast.value for toast in app.toast).replace("\\", "")


# --- channels ------------------------------------------------------------------------------------


def test_without_a_channel_the_page_says_what_to_do(fake_engine: FakeEngine) -> None:
    for view, hint in (
        ("Channels", "Add one: SMS, Telegram"),
        ("Matrix", "add one under Channels"),
        ("Log", "Nothing was delivered yet"),
        ("History", "Nothing to tell has happened yet"),
        ("Price alerts", "No price is watched yet"),
        ("Message", "No channel tells messages"),
    ):
        assert hint in plain(open_alerts(view)), view


def typed(app: AppTest) -> AppTest:
    app.text_input(key=f"{FORM}name").set_value("Phone")
    for field, value in SMS_FIELDS.items():
        app.text_input(key=f"{FORM}sms_field_{field}").set_value(value)
    return app


def test_a_channel_is_added_by_its_form_and_its_secret_is_gone(fake_engine: FakeEngine) -> None:
    app = typed(press(open_alerts(), "channel_new"))
    press(app, "channel_add")
    [channel] = fake_engine.services.channels.list()
    assert (channel.name, channel.kind, channel.secrets) == (
        "Phone", ChannelKind.SMS, ("auth_token",),
    )  # fmt: skip
    assert "Phone is added: press Test" in toasts(app)
    assert "SMS by Twilio · to +15005550010" in plain(app)
    assert TOKEN not in words(app) + str(app.session_state)


def test_what_is_wrong_stands_next_to_its_field_and_input_is_kept(fake_engine: FakeEngine) -> None:
    app = typed(press(open_alerts(), "channel_new"))
    app.text_input(key=f"{FORM}sms_field_to").set_value("0151")
    press(app, "channel_add")
    [marked] = [one.value for one in app.markdown if one.value.startswith(":red[")]
    assert "To '0151' cannot be used" in marked.replace("\\", "")
    assert app.text_input(key=f"{FORM}name").value == "Phone"
    assert app.text_input(key=f"{FORM}sms_field_auth_token").value == TOKEN
    app.text_input(key=f"{FORM}sms_field_to").set_value("+15005550010")
    press(app, "channel_add")
    assert len(fake_engine.services.channels.list()) == 1
    add_again = typed(press(app, "channel_new"))
    press(add_again, "channel_add")
    assert "There is a channel named" in plain(add_again)


def test_every_kind_has_its_own_form(fake_engine: FakeEngine) -> None:
    app = press(open_alerts(), "channel_new")
    for form in fake_engine.services.channels.forms():
        app.selectbox(key=f"{FORM}kind").set_value(form.kind).run()
        drawn = {str(one.key) for one in (*app.text_input, *app.selectbox)}
        wanted = {f"{FORM}{form.kind}_field_{field.name}" for field in form.fields}
        assert wanted <= drawn, form.title


def test_a_test_shows_the_providers_own_answer(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    channel = add_channel(services)
    app = press(open_alerts(), f"test-{channel.id}")
    assert "<q>accepted</q>" in words(app)
    assert "1 segment" in words(app)
    assert len(services.fake_alerts.notifiers.sent) == 1
    services.fake_alerts.notifiers.made[-1].refusal = ChannelRefused(
        "Verify the number at Twilio first.", answer="21608: unverified <number>"
    )
    press(app, f"check-{channel.id}")
    shown = words(app)
    assert "refused" in shown
    assert "<q>21608: unverified &lt;number&gt;</q>" in shown
    assert "Verify the number at Twilio first." in shown
    assert len(services.fake_alerts.notifiers.sent) == 1
