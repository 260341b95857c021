"""Alerts through the whole engine to Twilio on the loopback, by its SDK: set up by the API, tested,
told, logged, priced, sent again, deleted."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.twilio_server import ACCOUNT, PHONE, SENDER, TOKEN, TwilioServer, twilio_server
from tests.support.client import eventually
from tests.support.fake_api import API
from tests.support.live_engine import live_engine

PHONE_CHANNEL: dict[str, Any] = {
    "name": "Phone", "kind": "sms", "kinds": ["manual", "price"], "segment_price": "0.0079",
    "fields": {"account_sid": ACCOUNT, "auth_token": TOKEN, "sender": SENDER, "to": PHONE},
}  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[TwilioServer]:
    with twilio_server() as server:
        yield server


@pytest.fixture(scope="module")
def api(provider: TwilioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("alerts")
    with live_engine(folder, twilio_url=provider.url, keyring=False) as engine:
        engine.http.post(f"{API}/channels", json=PHONE_CHANNEL).raise_for_status()
        yield engine.http


def log(api: httpx.Client, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"{API}/deliveries", params=query).json()["items"]
    return items


def test_credentials_are_checked_and_a_test_message_arrives(
    api: httpx.Client, provider: TwilioServer
) -> None:
    verified = api.post(f"{API}/channels/phone/verify").json()
    assert (verified["is_ok"], provider.texts) == (True, [])
    assert "14.50" in verified["answer"]
    tested = api.post(f"{API}/channels/phone/test").json()
    assert (tested["is_ok"], tested["state"]) == (True, "sent")
    [(number, text)] = provider.texts
    assert (number, "test message" in text) == (PHONE, True)
    assert Decimal(tested["cost"]) == Decimal("0.0079") * tested["segments"]


def test_what_twilio_refuses_is_told_with_what_to_do(
    api: httpx.Client, provider: TwilioServer
) -> None:
    provider.wrong.append(PHONE)
    told = api.post(f"{API}/channels/phone/test").json()
    provider.wrong.clear()
    assert (told["is_ok"], told["state"]) == (False, "failed")
    assert "write it with its country's code" in told["error"]
    assert "21211" in told["answer"]
    provider.fail("down")
    told = api.post(f"{API}/channels/phone/test")
    assert (told.status_code, told.json()["is_ok"]) == (200, False)


def test_a_message_and_a_price_are_told_once_each_and_logged(
    api: httpx.Client, provider: TwilioServer
) -> None:
    before = len(provider.texts)
    api.post(f"{API}/alerts", json={"text": "look here"}).raise_for_status()
    price = {"symbol": "BTC/USDT", "direction": "above", "price": "0.01", "note": "at last"}
    api.post(f"{API}/price-alerts", json=price).raise_for_status()
    sent = eventually(lambda: log(api, state="sent"), lambda found: len(found) >= 3)
    eventually(lambda: provider.texts, lambda found: len(found) >= before + 2)
    texts = [text for _, text in provider.texts[before:]]
    assert sum("look here" in one for one in texts) == 1
    assert sum("at last" in one for one in texts) == 1
    by_kind = {one["kind"]: one for one in sent if not one["is_test"]}
    assert set(by_kind) == {"manual", "price"}
    assert all(one["provider_id"].startswith("SM") for one in by_kind.values())
    [spent] = api.get(f"{API}/deliveries").json()["spent"]
    assert Decimal(spent["cost_today"]) == Decimal("0.0079") * spent["segments_today"]
    [alert] = eventually(
        lambda: api.get(f"{API}/alerts", params={"kind": "manual"}).json()["items"],
        lambda items: items[0]["told_by"][0]["state"] == "sent",
    )
    assert alert["text"] == "look here"


def test_what_failed_is_sent_again_when_a_person_says_so(
    api: httpx.Client, provider: TwilioServer
) -> None:
    provider.wrong.append(PHONE)
    api.post(f"{API}/alerts", json={"text": "second thoughts"}).raise_for_status()
    [failed] = eventually(lambda: log(api, state="failed", search="second thoughts"), bool)
    assert failed["can_send_again"]
    provider.wrong.clear()
    again = api.post(f"{API}/deliveries/{failed['id']}/again").json()
    eventually(
        lambda: log(api, search="second thoughts"),
        lambda found: any(one["id"] == again["id"] and one["state"] == "sent" for one in found),
    )
    assert sum("second thoughts" in text for _, text in provider.texts) == 1


def test_a_new_token_is_used_at_once_and_what_waits_goes_with_the_channel(
    api: httpx.Client, provider: TwilioServer
) -> None:
    provider.token = "another-token-of-the-loopback"
    assert "auth token" in api.post(f"{API}/channels/phone/verify").json()["error"]
    api.put(
        f"{API}/channels/phone", json={"fields": {"auth_token": provider.token}}
    ).raise_for_status()
    assert api.post(f"{API}/channels/phone/verify").json()["is_ok"]
    provider.fail("rate_limited", 60, times=100)
    api.post(f"{API}/alerts", json={"text": "too late"}).raise_for_status()
    [waiting] = eventually(
        lambda: log(api, search="too late"), lambda found: any(one["attempts"] for one in found)
    )
    assert waiting["state"] == "waiting"
    api.delete(f"{API}/channels/phone").raise_for_status()
    dropped = eventually(
        lambda: log(api, search="too late"), lambda one: one[0]["state"] != "waiting"
    )
    assert dropped[0]["state"] == "dropped"
    assert api.get(f"{API}/channels").json() == []
