"""The Alerts page: channels by their forms, the matrix, and what is drawn of failures."""

from datetime import time
from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from engine.domain.alerts import (
    AlertKind,
    ChannelKind,
    DeliveryState,
)
from engine.errors import ChannelRefused
from tests.fakes.alert_samples import (
    MAIL_FIELDS,
    SMS_FIELDS,
    TOKEN,
    add_channel,
    add_delivery,
)
from tests.pages.alerts import (
    VIEWS,
    errors,
    fail,
    open_alerts,
    plain,
    press,
    show,
    toasts,
    warnings,
)
from tests.pages.conftest import FakeEngine, open_page, words

FORM = "channel_dialog_"
K = AlertKind
HINTS = (
    "Add one: SMS, Telegram", "add one under Channels", "Nothing was delivered yet",
    "Nothing to tell has happened yet", "No price is watched yet", "No channel tells messages",
)  # fmt: skip


# --- channels ------------------------------------------------------------------------------------


def test_without_a_channel_the_page_says_what_to_do(fake_engine: FakeEngine) -> None:
    app = open_alerts()
    for view, hint in zip(VIEWS, HINTS, strict=True):
        assert hint in plain(show(app, view)), view


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
    again = words(open_alerts())
    assert "<q>accepted</q>" in again, "the last test outlives the session"
    assert "refused" not in again
    assert len(services.fake_alerts.notifiers.sent) == 1


def test_a_test_that_the_engine_cannot_do_is_said(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = add_channel(fake_engine.services)
    app = open_alerts()
    monkeypatch.setattr(type(fake_engine.services.channels), "test", fail)
    press(app, f"test-{channel.id}")
    assert "database is locked" in toasts(app)
    assert '<ul class="qd-checks qd-test">' not in words(app)


def test_it_is_edited_and_a_secret_that_is_left_empty_stays(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    channel = add_channel(services)
    app = press(open_alerts(), f"Edit-{channel.id}")
    assert app.text_input(key=f"{FORM}field_auth_token").value == ""
    assert app.text_input(key=f"{FORM}field_sender").value == SMS_FIELDS["sender"]
    app.text_input(key=f"{FORM}name").set_value("Work phone")
    app.text_input(key=f"{FORM}field_to").set_value("nobody")
    press(app, "channel_save")
    assert "cannot be used" in plain(app)
    app.text_input(key=f"{FORM}field_to").set_value("+15005550019")
    press(app, "channel_save")
    changed = services.channels.get(channel.id)
    assert (changed.name, changed.settings["to"]) == ("Work phone", "+15005550019")
    kept = services.fake_alerts.kept
    assert kept.notifier(kept.get(channel.id)).secrets["auth_token"] == TOKEN  # type: ignore[attr-defined]


def test_options_are_set_and_unset(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    add_channel(services, "Mail", kind=ChannelKind.EMAIL, fields=MAIL_FIELDS)
    channel, mail = add_channel(services), services.channels.get("Mail")
    app = press(open_alerts(), f"Options-{channel.id}")
    app.multiselect(key=f"{FORM}bots").set_value(["b0002"])
    app.checkbox(key=f"{FORM}is_quiet").set_value(True).run()
    app.time_input(key=f"{FORM}start").set_value(time(21, 30))
    app.selectbox(key=f"{FORM}zone").set_value("Europe/Berlin")
    app.checkbox(key=f"{FORM}lets_errors").set_value(False)
    app.number_input(key=f"{FORM}most_per_minute").set_value(2)
    app.number_input(key=f"{FORM}digest_above").set_value(3)
    app.number_input(key=f"{FORM}digest_window_s").set_value(30)
    app.selectbox(key=f"{FORM}escalate_to").set_value(mail.id).run()
    app.number_input(key=f"{FORM}escalate_after_s").set_value(120)
    app.number_input(key=f"{FORM}segment_price").set_value(0.0079)
    press(app, "channel_options")
    found = services.channels.get(channel.id)
    assert (found.bots, found.most_per_minute, found.digest_above, found.digest_window_s) == (
        ("b0002",), 2, 3, 30,
    )  # fmt: skip
    assert found.quiet is not None
    assert (found.quiet.start, found.quiet.zone, found.quiet.lets_errors) == (
        time(21, 30), "Europe/Berlin", False,
    )  # fmt: skip
    assert (found.escalate_to, found.escalate_after_s) == (mail.id, 120)
    assert found.segment_price == Decimal("0.0079")
    shown = plain(app)
    assert "quiet 21:30 to 07:00 Europe/Berlin" in shown
    assert "after 2 min also through Mail" in shown
    press(app, f"Options-{channel.id}")
    app.multiselect(key=f"{FORM}bots").set_value([])
    app.checkbox(key=f"{FORM}is_quiet").set_value(False).run()
    app.selectbox(key=f"{FORM}escalate_to").set_value("").run()
    app.number_input(key=f"{FORM}segment_price").set_value(None)
    press(app, "channel_options")
    found = services.channels.get(channel.id)
    assert (found.bots, found.quiet, found.escalate_to, found.segment_price) == ((), None, "", None)


def test_what_the_engine_refuses_keeps_the_options_open(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    first = add_channel(services)
    second = add_channel(services, "Mail", kind=ChannelKind.EMAIL, fields=MAIL_FIELDS,
                         escalate_to="Phone")  # fmt: skip
    app = press(open_alerts(), f"Options-{first.id}")
    app.selectbox(key=f"{FORM}escalate_to").set_value(second.id).run()
    press(app, "channel_options")
    assert "Escalation would go round" in plain(app)
    assert app.selectbox(key=f"{FORM}escalate_to").value == second.id


def test_it_is_disabled_enabled_and_deleted(fake_engine: FakeEngine) -> None:
    desk = fake_engine.services.channels
    channel = add_channel(fake_engine.services)
    add_delivery(fake_engine.services, channel, state=DeliveryState.WAITING)
    app = press(open_alerts(), f"Disable-{channel.id}")
    assert "What waits, 1 alert, is dropped" in plain(app)
    press(app, "channel_disable")
    assert not desk.get(channel.id).is_enabled
    assert "Off: it tells nothing until you enable it" in warnings(app)
    press(app, f"Enable-{channel.id}")
    assert desk.get(channel.id).is_enabled
    press(press(app, f"Delete-{channel.id}"), "channel_delete")
    assert desk.list() == []
    assert "No channel yet" in plain(app)


def test_one_that_another_escalates_to_is_not_deleted(fake_engine: FakeEngine) -> None:
    channel = add_channel(fake_engine.services)
    add_channel(fake_engine.services, "Other", escalate_to="Phone")
    app = press(press(open_alerts(), f"Delete-{channel.id}"), "channel_delete")
    assert "'Other' escalates to 'Phone'" in errors(app)
    assert len(fake_engine.services.channels.list()) == 2


def test_a_lost_key_is_an_error_on_its_channel(fake_engine: FakeEngine) -> None:
    add_channel(fake_engine.services)
    fake_engine.services.fake_alerts.vault.is_locked = True
    app = open_alerts()
    assert "cannot be used" in words(app)
    assert "sealed with is gone" in errors(app)


# --- the matrix ----------------------------------------------------------------------------------


def box(channel_id: str, kind: AlertKind) -> str:
    return f"matrix_{channel_id}_{kind}"


def test_cells_are_ticked_freely_and_saved_together(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    channel = add_channel(services, kinds=[K.PRICE])
    app = open_alerts("Matrix")
    assert app.checkbox(key=box(channel.id, K.PRICE)).value
    assert app.button(key="matrix_save").disabled
    for kind in (K.POSITION_OPENED, K.POSITION_CLOSED):
        app.checkbox(key=box(channel.id, kind)).check().run()
    app.checkbox(key=box(channel.id, K.PRICE)).uncheck().run()
    assert "3 changes not saved" in plain(app)
    assert services.channels.get(channel.id).kinds == (K.PRICE,)
    app.checkbox(key=box(channel.id, K.PRICE)).check().run()
    assert "2 changes not saved" in plain(app)
    press(app, "matrix_save")
    assert services.channels.get(channel.id).kinds == (
        K.POSITION_OPENED,
        K.POSITION_CLOSED,
        K.PRICE,
    )
    assert "All saved" in plain(app)


def test_rows_and_columns_are_filled_and_discarded(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    phone = add_channel(services, kinds=[])
    mail = add_channel(services, "Mail", kind=ChannelKind.EMAIL, fields=MAIL_FIELDS, kinds=[])
    app = press(open_alerts("Matrix"), f"matrix_row_{K.STOP_HIT}")
    assert "2 changes not saved" in plain(app)
    press(app, f"matrix_column_{phone.id}")
    assert f"{len(K) + 1} changes not saved" in plain(app)
    press(app, "matrix_discard")
    assert "All saved" in plain(app)
    assert not app.checkbox(key=box(phone.id, K.STOP_HIT)).value
    press(press(app, f"matrix_column_{phone.id}"), "matrix_save")
    assert services.channels.get(phone.id).kinds == tuple(K)
    assert services.channels.get(mail.id).kinds == ()
    press(press(app, f"matrix_column_{phone.id}"), "matrix_save")
    assert services.channels.get(phone.id).kinds == ()


def test_what_is_not_saved_outlives_a_refusal_and_other_views(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = fake_engine.services
    channel = add_channel(services, kinds=[])
    app = open_alerts("Matrix")
    app.checkbox(key=box(channel.id, K.PRICE)).check().run()
    with monkeypatch.context() as patch:
        patch.setattr(type(services.channels), "set_matrix", fail)
        press(app, "matrix_save")
    assert "database is locked" in toasts(app)
    show(app, "Message")
    show(app, "Matrix")
    assert "1 change not saved" in plain(app)
    services.channels.delete(channel.id, "test")
    app.run()
    assert "No channel yet" in plain(app)


def test_many_channels_are_paged(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    ids = [add_channel(services, f"Phone {number}").id for number in range(8)]
    app = open_alerts("Matrix")
    assert "Channels 1 to 6 of 8" in plain(app)
    app.session_state["matrix_page"] = 2
    app.run()
    assert "Channels 7 to 8 of 8" in plain(app)
    drawn = {str(one.key) for one in app.checkbox}
    assert box(ids[7], K.PRICE) in drawn
    assert box(ids[0], K.PRICE) not in drawn


# --- failures ------------------------------------------------------------------------------------


def test_a_failure_is_drawn_as_a_failure(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = fake_engine.services
    monkeypatch.setattr(type(services.channels), "list", fail)
    for name in ("list", "deliveries", "price_alerts"):
        monkeypatch.setattr(type(services.alerts), name, fail)
    app = open_alerts()
    for view in VIEWS:
        show(app, view)
        assert "database is locked" in errors(app), view
        assert "No channel" not in plain(app)
        assert "yet" not in plain(app)


def test_the_last_answer_stays_with_its_age(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_channel(fake_engine.services)
    app = open_alerts()
    monkeypatch.setattr(type(fake_engine.services.channels), "list", fail)
    app.run()
    assert "Stale" in warnings(app)
    assert "Phone" in words(app)


def test_a_dialog_says_when_the_engine_does_not_answer(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = press(open_alerts(), "channel_new")
    monkeypatch.setattr(type(fake_engine.services.channels), "forms", fail)
    app.run()
    assert "database is locked" in errors(app)
    assert not any(one.key == "channel_add" for one in app.button)


def test_the_overview_says_when_alerts_do_not_get_through(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = fake_engine.services
    app = open_page("overview")
    assert "could not be delivered" not in plain(app)
    channel = add_channel(services)
    add_delivery(services, channel, 1, state=DeliveryState.FAILED)
    add_delivery(services, channel, 2, state=DeliveryState.FAILED)
    add_delivery(services, channel, 3, state=DeliveryState.UNCERTAIN)
    add_delivery(services, channel, 60 * 25, state=DeliveryState.FAILED)
    app.run()
    assert "2 alerts could not be delivered and 1 alert may not have arrived" in plain(app)
    monkeypatch.setattr(type(services.alerts), "deliveries", fail)
    app.run()
    assert "got through is not known now: the database is locked" in plain(app)
