"""The providers on the loopback refuse what the real ones refuse: what passes them is well made."""

from typing import Any

import httpx
import pytest

from tests.contract.notifiers import message
from tests.contract.test_notifier_sms import notifier
from tests.fakes.discord_server import discord_server
from tests.fakes.telegram_server import CHAT, TOKEN, telegram_server
from tests.fakes.twilio_server import ACCOUNT, PHONE, SENDER, twilio_server
from tests.fakes.twilio_server import TOKEN as TWILIO_TOKEN

GOOD = {"To": PHONE, "From": SENDER, "Body": "Sold."}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Body": "x" * 1_601}, 21617),
        ({"Body": "🚀" * 801}, 21617),
        ({"Body": ""}, 21602),
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"From": "+15005550001"}, 21659),
        ({"Message": "unknown"}, 20001),
    ],
)
def test_twilio_takes_only_what_it_documents(change: dict[str, str], code: int) -> None:
    with twilio_server() as server:
        url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        answer = httpx.post(url, data=GOOD | change, auth=(ACCOUNT, TWILIO_TOKEN))
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert not server.messages


def test_twilio_takes_forms_of_who_it_knows() -> None:
    with twilio_server() as server:
        url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        assert httpx.post(url, json=GOOD, auth=(ACCOUNT, TWILIO_TOKEN)).status_code == 415
        assert httpx.post(url, data=GOOD, auth=(ACCOUNT, "wrong")).json()["code"] == 20003
        assert httpx.post(url, data=GOOD).status_code == 401
        assert httpx.post(url, data=GOOD, auth=(ACCOUNT, TWILIO_TOKEN)).status_code == 201
        notifier(server).send(message(is_first=True))
        assert len(server.messages) == 2


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"chat_id": CHAT, "text": "x" * 4_097}, "message is too long"),
        ({"chat_id": CHAT, "text": " "}, "message text is empty"),
        ({"chat_id": "1", "text": "x"}, "chat not found"),
        ({"chat_id": CHAT, "text": "x", "color": "red"}, "unknown fields"),
    ],
)
def test_telegram_takes_only_what_it_documents(form: dict[str, str], words: str) -> None:
    with telegram_server() as server:
        answer = httpx.post(f"{server.url}/bot{TOKEN}/sendMessage", data=form)
        assert answer.status_code == 400
        assert words in answer.json()["description"]
        assert httpx.post(f"{server.url}/bot1:x/sendMessage", data=form).status_code == 401
        assert httpx.post(f"{server.url}/bot{TOKEN}/sendIt", data=form).status_code == 404
        assert not server.sent


def test_discord_takes_only_what_it_documents() -> None:
    nobody: dict[str, Any] = {"allowed_mentions": {"parse": []}}
    with discord_server() as server:
        for body in ({"content": "x" * 2_001}, {"content": "x", "colour": 1}):
            answer = httpx.post(server.webhook, json=body | nobody)
            assert answer.json()["code"] == 50035
        assert httpx.post(server.webhook, json=nobody).json()["code"] == 50006
        assert httpx.post(server.webhook, data={"content": "x"}).status_code == 400
        assert httpx.post(server.webhook, json={"content": "x"} | nobody).status_code == 204
        assert len(server.sent) == 1


def test_discord_lets_no_more_through_than_its_headers_say() -> None:
    with discord_server(left=1) as server:
        body = {"content": "x", "allowed_mentions": {"parse": []}}
        first = httpx.post(server.webhook, json=body, params={"wait": "true"})
        assert (first.status_code, first.headers["X-RateLimit-Remaining"]) == (200, "0")
        second = httpx.post(server.webhook, json=body)
        assert second.status_code == 429
        assert second.json() == {
            "message": "You are being rate limited.", "retry_after": 0.65, "global": False,
        }  # fmt: skip
