"""The API of alerts: channels, the matrix, deliveries, price alerts; no answer has a secret."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from engine.domain.alerts import Alert, AlertKind, ChannelKind, Delivery, DeliveryState
from engine.domain.channel_forms import FORMS
from engine.domain.records import Level
from engine.errors import ChannelRefused, ChannelUnsure
from tests.fakes.services import FakeServices
from tests.support.channel_forms import RIGHT, right_fields, secrets_of
from tests.support.fake_api import API, api_over, error_of

CHANNELS = f"{API}/channels"
PHONE: dict[str, Any] = {"name": "Phone", "kind": "sms", "fields": RIGHT[ChannelKind.SMS]}
SECRETS = [RIGHT[kind][name] for kind in ChannelKind for name in secrets_of(kind)]
PRICE = {"market": "simulated", "symbol": "BTC/USDT", "direction": "above", "price": "70000.5"}
NOW = datetime.fromisoformat("2026-03-02T12:00:00+00:00")


@pytest.fixture(scope="module")
def engine() -> FakeServices:
    return FakeServices(bot_count=1, trade_count=0, event_count=0, now=lambda: NOW)


@pytest.fixture(scope="module")
def api(engine: FakeServices) -> Iterator[httpx.Client]:
    """One server for all tests."""

    def no_secret_comes_out(response: httpx.Response) -> None:
        response.read()
        for secret in SECRETS:
            assert secret not in response.text

    with api_over(engine) as client:
        client.event_hooks["response"].append(no_secret_comes_out)
        yield client


@pytest.fixture
def services(engine: FakeServices) -> FakeServices:
    """The same engine, its alerts and channels forgotten."""
    engine.forget_alerts()
    return engine


def keep(services: FakeServices, *rows: Alert | Delivery) -> None:
    with services.fake_alerts.store.transaction() as tx:
        tx.alerts.add(*(one for one in rows if isinstance(one, Alert)))
        tx.deliveries.add(*(one for one in rows if isinstance(one, Delivery)))


def alert(key: str, **changes: Any) -> Alert:
    sample = Alert(id=key, kind=AlertKind.POSITION_CLOSED, level=Level.INFO, time=NOW,
                   title=f"demo: closed {key}", text="100 USDT earned")  # fmt: skip
    return sample.model_copy(update=changes)


def delivery(key: str, **changes: Any) -> Delivery:
    sample = Delivery(
        id=f"{key}:phone", alert_id=key, channel_id="phone", channel_name="Phone",
        channel_kind=ChannelKind.SMS, kind=AlertKind.POSITION_CLOSED, level=Level.INFO,
        title=f"demo: closed {key}", text="100 USDT earned", created_at=NOW, due_at=NOW,
        changed_at=NOW,
    )  # fmt: skip
    return sample.model_copy(update=changes)


# --- channels -------------------------------------------------------------------------------------


def test_the_forms_say_what_to_ask_for(api: httpx.Client) -> None:
    forms = {one["kind"]: one for one in api.get(f"{CHANNELS}/forms").json()}
    assert set(forms) == set(ChannelKind)
    assert [one["name"] for one in forms["sms"]["fields"]] == [
        "account_sid", "auth_token", "sender", "to"
    ]  # fmt: skip
    assert [one["name"] for one in forms["sms"]["fields"] if one["is_secret"]] == ["auth_token"]
    assert "summary_6h" in forms["sms"]["kinds"]
    assert forms["telegram"]["fields"][2]["options"] == ["no", "read", "trade"]


@pytest.mark.parametrize("kind", ChannelKind)
def test_a_channel_from_its_addition_to_its_end(
    api: httpx.Client, services: FakeServices, kind: ChannelKind
) -> None:
    body = {"name": "Mine", "kind": kind, "fields": right_fields(kind)}
    made = api.post(CHANNELS, json=body, headers={"X-Quarterdeck-Actor": "cli:me"})
    assert made.status_code == 201
    view = made.json()
    assert view["secrets"] == secrets_of(kind)
    assert set(view["settings"]) == {one.name for one in FORMS[kind].fields if not one.is_secret}
    assert (view["kind_title"], view["trouble"]) == (FORMS[kind].title, "")
    assert api.get(CHANNELS).json() == [view]
    assert api.get(f"{CHANNELS}/mine").json() == view
    changed = api.put(f"{CHANNELS}/{view['id']}", json={"name": "Other", "digest_above": 9}).json()
    assert (changed["name"], changed["digest_above"]) == ("Other", 9)
    assert changed["secrets"] == view["secrets"]
    assert api.delete(f"{CHANNELS}/other").status_code == 204
    assert error_of(api.get(f"{CHANNELS}/other"))["message"] == "There is no channel 'other'."
    with services.fake_alerts.store.reading() as tx:
        actors = [(one.actor, one.action) for one in tx.audit.select(subject=view["id"])]
    assert actors[0] == ("cli:me", "channel.add")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "must not be empty"),
        ({"kind": "pigeon"}, "kind", "must be one of"),
        ({"fields": {}}, "fields.account_sid", "Account SID is missing: AC and 32 letters."),
        ({"fields": right_fields(ChannelKind.SMS, auth_token="x")}, "fields.auth_token",
         "Auth token cannot be used: of the account."),
        ({"fields": right_fields(ChannelKind.SMS, to="12")}, "fields.to", "To '12' cannot be used"),
        ({"fields": {"pin": "1"}}, "fields", "no such field; it has account_sid, auth_token"),
        ({"fields": {"to": 5}}, "fields.to", "must be text"),
        ({"kinds": ["news"]}, "kinds.0", "must be one of"),
        ({"bots": ["nobody"]}, "bot", "There is no bot 'nobody'."),
        ({"escalate_to": "nobody"}, "escalate_to", "There is no channel 'nobody'."),
        ({"most_per_minute": 0}, "most_per_minute", "at least 1"),
        ({"quiet": {"start": "22:00", "end": "07:00", "zone": "Mars"}}, "quiet.zone",
         "'Mars' is no time zone such as Europe/Berlin"),
        ({"quiet": {"start": "25:00", "end": "07:00"}}, "quiet.start", ""),
        ({"segment_price": "-1"}, "segment_price", "at least 0"),
        ({"color": "red"}, "color", "is not a known field"),
    ],
)  # fmt: skip
def test_wrong_input_is_said_in_one_sentence_of_its_field(
    api: httpx.Client, services: FakeServices, change: dict[str, Any], field: str, words: str
) -> None:
    answer = api.post(CHANNELS, json={**PHONE, **change})
    assert answer.status_code in (404, 422)
    [detail] = error_of(answer)["details"]
    assert detail["field"] == field
    assert words in detail["message"]
    assert services.channels.list() == []


def test_a_name_is_taken_once(api: httpx.Client, services: FakeServices) -> None:
    api.post(CHANNELS, json=PHONE).raise_for_status()
    answer = api.post(CHANNELS, json={**PHONE, "name": "PHONE"})
    assert answer.status_code == 409
    assert "There is a channel named 'Phone' already." in error_of(answer)["message"]


def test_what_is_given_as_null_is_taken_away(api: httpx.Client, services: FakeServices) -> None:
    more = {"quiet": {"start": "22:00", "end": "07:00"}, "segment_price": "0.0079"}
    view = api.post(CHANNELS, json={**PHONE, **more}).json()
    assert (view["quiet"]["start"], view["segment_price"]) == ("22:00:00", "0.0079")
    path = f"{CHANNELS}/phone"
    assert api.put(path, json={"is_enabled": False}).json()["quiet"] == view["quiet"]
    taken = api.put(path, json={"quiet": None, "segment_price": None, "bots": None}).json()
    assert (taken["quiet"], taken["segment_price"], taken["is_enabled"]) == (None, None, False)


# --- what providers say ---------------------------------------------------------------------------


def test_a_provider_that_takes_it_is_quoted(api: httpx.Client, services: FakeServices) -> None:
    made = api.post(CHANNELS, json=PHONE).json()
    verified = api.post(f"{CHANNELS}/phone/verify").json()
    assert (verified["is_ok"], verified["answer"]) == (True, "The credentials are right.")
    assert services.fake_alerts.notifiers.sent == []
    tested = api.post(f"{CHANNELS}/phone/test").json()
    assert (tested["is_ok"], tested["answer"], tested["state"]) == (True, "accepted", "sent")
    assert len(services.fake_alerts.notifiers.sent) == 1
    [line] = api.get(f"{API}/deliveries").json()["items"]
    assert (line["id"], line["is_test"], line["channel_id"]) == (
        tested["delivery_id"], True, made["id"],
    )  # fmt: skip
    assert api.get(f"{CHANNELS}/phone").json()["last_sent_at"] == "2026-03-02T12:00:00Z"


def test_a_provider_that_refuses_is_an_answer_and_no_failure(
    api: httpx.Client, services: FakeServices
) -> None:
    services.fake_alerts.notifiers.refusal = ChannelRefused(
        "The number is not verified: verify it.", answer="21608 unverified"
    )
    api.post(CHANNELS, json=PHONE).raise_for_status()
    for verb in ("verify", "test"):
        told = api.post(f"{CHANNELS}/phone/{verb}")
        assert told.status_code == 200
        assert told.json()["is_ok"] is False
        assert told.json()["answer"] == "21608 unverified"
        assert told.json()["error"] == "The number is not verified: verify it."
    assert api.get(f"{CHANNELS}/phone").json()["last_error"].startswith("The number is not")
    notifier = services.fake_alerts.notifiers.made[-1]
    notifier.refusal = ChannelUnsure("No answer came.")
    assert api.post(f"{CHANNELS}/phone/verify").json()["error"] == "No answer came."


def test_a_channel_that_is_down_stays_so_while_more_waits(
    api: httpx.Client, services: FakeServices
) -> None:
    """What waits behind the message that is tried again and again has no error of its own."""
    phone = api.post(CHANNELS, json=PHONE).json()["id"]
    down = {"state": DeliveryState.WAITING, "channel_id": phone}
    tried, later = NOW + timedelta(seconds=5), NOW + timedelta(seconds=9)
    keep(services, delivery("a1", **down, error="Nobody answers.", changed_at=tried),
         delivery("a2", **down, created_at=later, changed_at=later))  # fmt: skip
    assert api.get(f"{CHANNELS}/phone").json()["last_error"] == "Nobody answers."
    sent = {"state": DeliveryState.SENT, "channel_id": phone}
    keep(services, delivery("a3", **sent, created_at=NOW, changed_at=later))
    assert api.get(f"{CHANNELS}/phone").json()["last_error"] == ""


def test_a_lost_key_is_an_answer_too(api: httpx.Client, services: FakeServices) -> None:
    api.post(CHANNELS, json=PHONE).raise_for_status()
    services.fake_alerts.vault.is_locked = True
    told = api.post(f"{CHANNELS}/phone/verify").json()
    assert not told["is_ok"]
    assert "The channel 'Phone' cannot be used." in told["error"]
    assert api.get(CHANNELS).json()[0]["trouble"] == told["error"]


# --- the matrix -----------------------------------------------------------------------------------


def test_the_matrix_has_a_row_for_every_kind_and_is_set_at_once(
    api: httpx.Client, services: FakeServices
) -> None:
    rows = api.get(f"{API}/alerts/kinds").json()
    assert [one["kind"] for one in rows] == list(AlertKind)
    assert all(one["title"] and one["group"] and one["help"] for one in rows)
    api.post(CHANNELS, json={**PHONE, "kinds": []}).raise_for_status()
    cells: list[dict[str, Any]] = [
        {"channel": "Phone", "kind": "price", "is_on": True},
        {"channel": "nobody", "kind": "price", "is_on": True},
    ]
    path = f"{API}/alerts/matrix"
    assert api.put(path, json={"cells": cells}).status_code == 404
    assert api.get(f"{CHANNELS}/phone").json()["kinds"] == []
    [view] = api.put(path, json={"cells": cells[:1]}).json()
    assert view["kinds"] == ["price"]
    [view] = api.put(path, json={"cells": [{"is_on": True}]}).json()
    assert view["kinds"] == list(AlertKind)
    assert api.put(path, json={"cells": []}).status_code == 422


# --- alerts and deliveries ------------------------------------------------------------------------


def test_alerts_are_found_with_the_channels_they_went_to(
    api: httpx.Client, services: FakeServices
) -> None:
    keep(
        services,
        alert("a1", bot_id="b0001"),
        alert("a2", level=Level.ERROR, kind=AlertKind.BOT_FAULTED, time=NOW + timedelta(hours=1)),
        delivery("a1", state=DeliveryState.SENT),
    )
    page = api.get(f"{API}/alerts").json()
    assert ([one["id"] for one in page["items"]], page["count"]) == (["a2", "a1"], 2)
    first = page["items"][1]
    assert first["kind_title"] == "Position closed"
    assert first["bot_name"] == services.bots["b0001"].config.name
    assert [(one["channel_name"], one["state"]) for one in first["told_by"]] == [("Phone", "sent")]
    for query, ids in (
        ({"kind": "bot_faulted"}, ["a2"]), ({"level": "warning"}, ["a2"]),
        ({"bot": services.bots["b0001"].config.name}, ["a1"]), ({"search": "CLOSED A1"}, ["a1"]),
        ({"since": "2026-03-02T12:30:00Z"}, ["a2"]), ({"limit": 1, "offset": 1}, ["a1"]),
    ):  # fmt: skip
        found = api.get(f"{API}/alerts", params=query).json()
        assert [one["id"] for one in found["items"]] == ids, query
    wrong = {"since": "2026-03-03T00:00:00Z", "until": "2026-03-02T00:00:00Z"}
    assert error_of(api.get(f"{API}/alerts", params=wrong))["code"] == "invalid"


def test_the_delivery_log_is_narrowed_and_summed(api: httpx.Client, services: FakeServices) -> None:
    sent = {"state": DeliveryState.SENT, "segments": 2, "cost": Decimal("0.0158")}
    month = NOW.replace(day=1, hour=0)
    keep(
        services,
        delivery("a1", **sent),
        delivery("a2", **sent, changed_at=month, created_at=month - timedelta(minutes=5)),
        delivery("a3", **sent, changed_at=month - timedelta(seconds=1),
                 created_at=month - timedelta(minutes=5)),
        delivery("a4", state=DeliveryState.FAILED, error="21211 invalid number"),
        delivery("a5", channel_id="gone", channel_name="Old", state=DeliveryState.WAITING),
    )  # fmt: skip
    page = api.get(f"{API}/deliveries").json()
    assert page["count"] == 5
    again = {one["alert_id"] for one in page["items"] if one["can_send_again"]}
    assert again == {"a4"}
    by_name = {one["channel_name"]: one for one in page["spent"]}
    spent, old = by_name["Phone"], by_name["Old"]
    assert (old["sent_month"], old["cost_month"]) == (0, None)
    assert (spent["channel_name"], spent["sent_today"], spent["sent_month"]) == ("Phone", 1, 2)
    assert (spent["segments_month"], spent["cost_month"]) == (4, "0.0316")
    for query, ids in (
        ({"state": "failed"}, {"a4"}), ({"search": "INVALID"}, {"a4"}),
        ({"channel": "Old"}, {"a5"}), ({"channel": "gone"}, {"a5"}), ({"kind": "price"}, set()),
    ):  # fmt: skip
        found = api.get(f"{API}/deliveries", params=query).json()
        assert {one["alert_id"] for one in found["items"]} == ids, query
    api.post(CHANNELS, json={**PHONE, "name": "Idle"}).raise_for_status()
    idle = api.get(f"{API}/deliveries").json()["spent"][0]
    assert (idle["channel_name"], idle["sent_month"], idle["cost_month"]) == ("Idle", 0, None)


def test_what_did_not_arrive_is_sent_again_once(api: httpx.Client, services: FakeServices) -> None:
    phone = api.post(CHANNELS, json=PHONE).json()["id"]
    keep(services, delivery("a4", state=DeliveryState.FAILED, channel_id=phone), delivery("a1"))
    again = api.post(f"{API}/deliveries/a4:phone/again").json()
    assert (again["state"], again["alert_id"], again["channel_id"]) == ("waiting", "a4", phone)
    told = api.post(f"{API}/deliveries/a4:phone/again")
    assert (told.status_code, error_of(told)["message"].partition(":")[0]) == (
        409, "It is being sent again already",
    )  # fmt: skip
    assert api.post(f"{API}/deliveries/a1:phone/again").status_code == 409
    assert api.post(f"{API}/deliveries/nothing/again").status_code == 404


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [("hello", "GSM-7", 1), ("€" * 100, "GSM-7", 2), ("Привет", "UCS-2", 1), ("", "GSM-7", 1)],
)
def test_a_text_is_priced_before_it_is_sent(
    api: httpx.Client, services: FakeServices, text: str, encoding: str, segments: int
) -> None:
    api.post(CHANNELS, json={**PHONE, "segment_price": "0.01"}).raise_for_status()
    chat = {"name": "Chat", "kind": "telegram", "fields": RIGHT[ChannelKind.TELEGRAM]}
    api.post(CHANNELS, json=chat).raise_for_status()
    view = api.post(f"{API}/alerts/preview", json={"text": text}).json()
    assert text in view["text"]
    assert (view["encoding"], view["segments"]) == (encoding, segments)
    [cost] = view["costs"]
    assert (cost["recipients"], cost["segments"]) == (2, 2 * segments)
    assert Decimal(cost["cost"]) == Decimal("0.01") * 2 * segments
    assert services.fake_alerts.notifiers.sent == []


def test_a_message_by_hand_is_an_event(api: httpx.Client, services: FakeServices) -> None:
    made = api.post(f"{API}/alerts", json={"text": "look here", "level": "warning"})
    assert made.status_code == 201
    assert (made.json()["kind"], made.json()["message"]) == ("alert.manual", "look here")


# --- price alerts ---------------------------------------------------------------------------------


def test_a_price_alert_from_its_addition_to_its_end(
    api: httpx.Client, services: FakeServices
) -> None:
    path = f"{API}/price-alerts"
    made = api.post(path, json=PRICE)
    assert made.status_code == 201
    view = made.json()
    assert (view["state"], view["quote"], view["price"]) == ("armed", "USDT", "70000.5")
    with services.fake_alerts.store.transaction() as tx:
        kept = tx.price_alerts.get(view["id"])
        tx.price_alerts.save(kept.model_copy(update={"fired_at": NOW, "fired_price": Decimal(1)}))
    assert api.get(path).json()[0]["state"] == "fired"
    changed = api.put(f"{path}/{view['id']}", json={"price": "71000"}).json()
    assert (changed["state"], changed["price"], changed["fired_at"]) == ("armed", "71000", None)
    off = api.put(f"{path}/{view['id']}", json={"is_enabled": False}).json()
    assert off["state"] == "disabled"
    assert api.delete(f"{path}/{view['id']}").status_code == 204
    assert api.delete(f"{path}/{view['id']}").status_code == 404
    assert api.get(path).json() == []


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"symbol": "NO/SUCH"}, 404, "symbol"),
        ({"market": "mars"}, 404, "market"),
        ({"price": "0"}, 422, "price"),
        ({"price": "cheap"}, 422, "price"),
        ({"direction": "sideways"}, 422, "direction"),
        ({"note": "x" * 201}, 422, "note"),
    ],
)
def test_a_price_alert_that_cannot_be_is_refused(
    api: httpx.Client, services: FakeServices, change: dict[str, Any], status: int, field: str
) -> None:
    answer = api.post(f"{API}/price-alerts", json={**PRICE, **change})
    assert answer.status_code == status
    assert error_of(answer)["details"][0]["field"] == field
    assert services.alerts.price_alerts() == []
