"""Messages read through the API without anything following, and who listens to any."""

from collections.abc import Iterator

import httpx
import pytest

from engine.domain.signals import SignalConfig
from tests.fakes.services import FakeServices
from tests.support.fake_api import API, api_over, error_of


@pytest.fixture(scope="module")
def services() -> FakeServices:
    """Two bots, of which the first listens."""
    services = FakeServices(2, trade_count=0)
    bot = services.bots["b0001"]
    config = bot.config.model_copy(update={"signals": SignalConfig(expect_every_s=60)})
    services.bots[bot.id] = bot.model_copy(update={"config": config})
    return services


@pytest.fixture(scope="module")
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


def read(api: httpx.Client, body: str, content_type: str = "text/plain") -> httpx.Response:
    request = {"body": body, "content_type": content_type}
    return api.post(f"{API}/signals/read", json=request)


def test_a_message_is_read_and_not_kept(api: httpx.Client, services: FakeServices) -> None:
    found = read(api, "close long BTCUSDT 50% timenow=2026-11-26T05:30:00Z").json()
    assert (found["order"]["action"], found["order"]["side"]) == ("close", "long")
    assert found["order"]["quantity_kind"] == "percent_of_position"
    assert (found["sent_at"], found["is_marked"]) == ("2026-11-26T05:30:00Z", True)
    assert not read(api, '{"action": "flat"}', "application/json").json()["is_marked"]
    assert services.signals.kept == []


@pytest.mark.parametrize("body", ["make me rich", "{", "{{close}}", "buy BTCUSDT -1", "\x00", " "])
def test_what_cannot_be_read_is_refused_in_a_sentence(api: httpx.Client, body: str) -> None:
    response = read(api, body)
    error = error_of(response)
    assert response.status_code == 422
    assert error["message"].startswith("The message cannot be used: ")
    assert [one["field"] for one in error["details"]] == ["body"]


def test_an_empty_body_or_another_type_is_no_message(api: httpx.Client) -> None:
    assert error_of(read(api, ""))["code"] == "invalid"
    assert error_of(read(api, "flat", "text/html"))["code"] == "invalid"


def test_those_that_listen_are_listed_without_their_keys(
    api: httpx.Client, services: FakeServices
) -> None:
    response = api.get(f"{API}/webhooks")
    [found] = response.json()
    assert (found["bot_id"], found["is_open"]) == ("b0001", True)
    assert services.signals.key_of("b0001") not in response.text
