"""The Alerts page: the log and its file, what happened, prices, a message."""

import csv
import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts.alerts import DeliveryFilter
from engine.domain.alerts import (
    AlertKind,
    AlertState,
    CrossDirection,
    DeliveryState,
)
from engine.domain.records import Level
from panel.channel_words import STATES
from panel.delivery_csv import deliveries_csv
from panel.delivery_log import deliveries_frame
from panel.delivery_opened import OPENED
from panel.facade import ControlPanel
from tests.fakes.alert_samples import (
    add_alert,
    add_channel,
    add_delivery,
    fill,
)
from tests.fakes.services import FakeServices
from tests.pages.alerts import (
    errors,
    open_alerts,
    plain,
    press,
    toasts,
    warnings,
)
from tests.pages.conftest import FakeEngine, words

K = AlertKind


# --- the log -------------------------------------------------------------------------------------


def test_the_log_counts_and_narrows(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    fill(services, channels=2, deliveries=105)
    app = open_alerts("Log")
    shown = plain(app)
    assert "1 to 100 of 105, newest first" in shown
    assert "SMS segments this month" in shown
    app.selectbox(key="state").set_value("failed")
    app.text_input(key="text").set_value("21608").run()
    assert "of 15, newest first" in plain(app)
    app.text_input(key="text").set_value("nothing like this").run()
    assert "No delivery matches" in plain(app)
    press(app, "delivery_clear")
    assert "of 105, newest first" in plain(app)
    app.date_input(key="from").set_value(date(2026, 2, 2))
    app.date_input(key="to").set_value(date(2026, 2, 1)).run()
    assert "after the last one" in errors(app)


def test_a_row_says_what_became_of_it(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    channel = add_channel(services)
    add_delivery(services, channel, 1, state=DeliveryState.FAILED, bot_id="gone")
    [row] = deliveries_frame(services.alerts.deliveries(DeliveryFilter()).items).to_dict("records")
    assert row["State"] == ["failed"]
    assert row["Answer or error"].startswith("Twilio does not send")
    assert (row["Bot"], row["Segments"], row["Cost"]) == ("gone", 1, "$0.0079")


def opened(services: FakeServices, **given: Any) -> AppTest:
    """The log with one delivery open."""
    one = add_delivery(services, add_channel(services), **given)
    app = open_alerts("Log")
    [app.session_state[OPENED]] = services.alerts.deliveries(DeliveryFilter()).items
    assert app.session_state[OPENED].id == one.id
    app.run()
    assert not app.exception
    return app


def head(app: AppTest) -> str:
    """What the opened delivery's first line begins with."""
    drawn = [str(getattr(one, "value", "")) for one in app.get("html")]
    [line] = [html for html in drawn if html.startswith('<div class="qd-account">')]
    return re.sub("<.*?>", "", line)


def test_an_opened_delivery_tells_all_and_closes(fake_engine: FakeEngine) -> None:
    app = opened(
        fake_engine.services, title="<b>mine</b>", text="**bold**", answer="queued [x](y)",
        provider_id="SM123", is_escalated=True,
    )  # fmt: skip
    shown = words(app)
    assert "&lt;b&gt;mine&lt;/b&gt;" in shown
    assert "<b>mine</b>" not in shown.replace("<b>&lt;b&gt;", "")
    assert "answered: queued [x](y)" in plain(app)
    assert "The provider calls it SM123. It is not passed on to another channel again." in plain(
        app
    )
    assert not any(one.key == "delivery_again" for one in app.button)
    press(app, "delivery_close")
    assert "answered" not in plain(app)


@pytest.mark.parametrize(
    ("state", "warning"),
    [
        (DeliveryState.FAILED, "Mend that first"),
        (DeliveryState.UNCERTAIN, "may then have it twice"),
    ],
)
def test_it_is_sent_again_after_a_warning(
    fake_engine: FakeEngine, state: DeliveryState, warning: str
) -> None:
    services = fake_engine.services
    app = press(opened(services, state=state), "delivery_again")
    assert warning in warnings(app)
    assert "It costs again: 1 segment, $0.0079" in plain(app)
    assert services.alerts.deliveries(DeliveryFilter()).items[0].state is state
    press(app, "delivery_again_yes")
    assert services.alerts.deliveries(DeliveryFilter()).items[0].state is DeliveryState.WAITING
    assert "It is sent again" in toasts(app)
    assert head(app).startswith("waiting")
    app.selectbox(key="state").set_value(STATES[state][0])
    with services.fake_alerts.books.writing() as writing:
        [waiting] = writing.tx.deliveries.select(state=DeliveryState.WAITING)
        writing.tx.deliveries.save(waiting.model_copy(update={"state": DeliveryState.SENT}))
    app.run()
    assert head(app).startswith("sent"), "it is followed though the list does not have it"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_file_of_the_log_is_exact_and_runs_nothing(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    channel = add_channel(services)
    add_delivery(services, channel, 2, title="=cmd|' /C calc'!A0", cost=Decimal("0.0079123"))
    add_delivery(services, channel, 1, state=DeliveryState.FAILED)
    panel = ControlPanel(fake_engine.url, lambda: fake_engine.token)
    failed = rows_of(deliveries_csv(panel, DeliveryFilter(state=DeliveryState.FAILED)))
    rows = rows_of(deliveries_csv(panel, DeliveryFilter()))
    panel.close()
    assert [row["id"] for row in failed] == [rows[0]["id"]]
    assert [row["state"] for row in rows] == ["failed", "sent"]
    assert rows[1]["title"] == "'=cmd|' /C calc'!A0"
    assert rows[1]["cost_usd"] == "0.0079123"
    assert rows[1]["created_at"].endswith("Z")


# --- what happened -------------------------------------------------------------------------------


def test_the_history_says_who_was_told(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    channel = add_channel(services, "Phone")
    add_alert(services, 1, level=Level.ERROR, title="<i>one</i>", bot_id="b0001")
    add_delivery(services, channel, 1, state=DeliveryState.FAILED)
    add_alert(services, 2)
    add_alert(services, 3, state=AlertState.NEW)
    app = open_alerts("History")
    shown = words(app)
    assert "&lt;i&gt;one&lt;/i&gt;" in shown
    assert "Phone: failed" in shown
    assert "nobody told" in shown
    assert "not told yet" in shown
    assert "1 to 3 of 3, newest first" in plain(app)
    app.selectbox(key="level").set_value("error").run()
    assert "1 to 1 of 1, newest first" in plain(app)
    app.text_input(key="text").set_value("nothing like this").run()
    assert "No alert matches" in plain(app)
    press(app, "alert_clear")
    assert "1 to 3 of 3, newest first" in plain(app)


# --- prices --------------------------------------------------------------------------------------

PRICE = "price_alert_"


def test_a_price_is_watched_disarmed_armed_and_let_go(fake_engine: FakeEngine) -> None:
    alerts = fake_engine.services.alerts
    app = open_alerts("Price alerts")
    app.selectbox(key=f"{PRICE}symbol").set_value("ETH/USDT").run()
    app.segmented_control(key=f"{PRICE}direction").set_value(CrossDirection.BELOW)
    app.text_input(key=f"{PRICE}price").set_value("12,345.6789")
    app.text_input(key=f"{PRICE}note").set_value("time to *buy*")
    app.checkbox(key=f"{PRICE}repeating").check()
    press(app, "price_alert_add")
    [alert] = alerts.price_alerts()
    assert (alert.symbol, alert.direction, alert.price, alert.note, alert.is_repeating) == (
        "ETH/USDT", CrossDirection.BELOW, Decimal("12345.6789"), "time to *buy*", True,
    )  # fmt: skip
    assert app.text_input(key=f"{PRICE}price").value == ""
    shown = plain(app)
    assert "12,345.6789" in shown
    assert "time to *buy*" in shown
    press(app, f"price-off-{alert.id}")
    assert not alerts.price_alerts()[0].is_enabled
    press(app, f"price-on-{alert.id}")
    assert alerts.price_alerts()[0].is_enabled
    press(press(app, f"price-delete-{alert.id}"), "price_alert_delete")
    assert alerts.price_alerts() == []
    assert "No price is watched yet" in plain(app)


def test_a_wrong_price_is_marked_and_kept(fake_engine: FakeEngine) -> None:
    app = open_alerts("Price alerts")
    app.text_input(key=f"{PRICE}price").set_value("a lot")
    press(app, "price_alert_add")
    assert any("must be a number" in one.value for one in app.markdown)
    assert app.text_input(key=f"{PRICE}price").value == "a lot"
    assert fake_engine.services.alerts.price_alerts() == []


# --- a message -----------------------------------------------------------------------------------


def test_a_message_is_counted_and_sent(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    add_channel(services, segment_price="0.01", kinds=[K.MANUAL])
    add_channel(services, "Silent", kinds=[K.PRICE])
    app = open_alerts("Message")
    assert "Phone" in plain(app)
    assert "Silent" not in plain(app)
    app.text_area(key="message_text").set_value("Hello ☂").run()
    shown = plain(app)
    assert "UCS-2" in shown
    assert "Phone: 2 segments to 2 numbers, $0.02" in shown
    app.selectbox(key="message_level").set_value(Level.WARNING)
    app.selectbox(key="message_bot").set_value("b0001")
    press(app, "message_send")
    event = services.events_seen[0]
    assert (event.kind, event.message, event.level, event.bot_id) == (
        "alert.manual", "Hello ☂", Level.WARNING, "b0001",
    )  # fmt: skip
    assert app.text_area(key="message_text").value == ""
    assert "on its way to 1 channel" in toasts(app)


def test_an_empty_message_is_refused_at_its_field(fake_engine: FakeEngine) -> None:
    add_channel(fake_engine.services, kinds=[K.MANUAL])
    app = press(open_alerts("Message"), "message_send")
    assert any("must not be empty" in one.value for one in app.markdown)
