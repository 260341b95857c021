"""The live stream over HTTP: what it says first, what it tells, resuming, and its end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from engine.domain.records import Level
from engine.domain.tokens import Scope
from engine.services.live_bus import MOST_SUBSCRIBERS
from tests.fakes.services import FakeServices
from tests.support.client import eventually
from tests.support.fake_api import api_over, error_of

PATH = "/api/stream"


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client
        services.live.close()


def say(services: FakeServices, text: str, bot_id: str | None = None) -> None:
    with services.programs.books.writing() as writing:
        writing.event(Level.INFO, "test", text, bot_id)


class Reader:
    """Takes one message after the other off a stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> dict[str, Any]:
        """The next message; comments are passed over. Raises StopIteration at its end."""
        found: dict[str, Any] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line == "" and found:
                found["data"] = json.loads(found["data"])
                return found
            if name:
                found[name] = value
        raise StopIteration


@contextmanager
def reading(api: httpx.Client, query: str = "", **headers: str) -> Iterator[Reader]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with api.stream("GET", PATH + query, headers=names) as response:
        assert response.status_code == 200, response.read()
        yield Reader(response)


def test_it_says_hello_then_tells_what_is_committed(
    api: httpx.Client, services: FakeServices
) -> None:
    with reading(api) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.response.headers["cache-control"] == "no-store"
        assert reader.response.headers["x-content-type-options"] == "nosniff"
        hello = reader.next()
        assert (hello["event"], hello["id"]) == ("hello", f"{services.live.id}-0")
        say(services, "first\nand a second line")
        told = reader.next()
        assert (told["event"], told["id"]) == ("event", f"{services.live.id}-1")
        assert told["data"]["message"] == "first\nand a second line"


def test_it_goes_on_after_the_last_message_that_was_seen(
    api: httpx.Client, services: FakeServices
) -> None:
    for text in ("one", "two", "three"):
        say(services, text)
    bus = services.live.id
    with reading(api, Last_Event_ID=f"{bus}-1") as reader:
        assert [reader.next()["data"]["message"] for _ in range(2)] == ["two", "three"]
        say(services, "four")
        assert reader.next()["data"]["message"] == "four"
    for stale in ("00000000-1", f"{bus}-99", "nonsense"):
        with reading(api, Last_Event_ID=stale) as reader:
            reset = reader.next()
            assert (reset["event"], reset["id"]) == ("reset", f"{bus}-4")


def test_filters_take_names_of_bots_and_refuse_what_there_is_not(
    api: httpx.Client, services: FakeServices
) -> None:
    bot_id = services.get_bot("btc-rsi").id
    with reading(api, "?bot=btc-rsi&kind=event&kind=fill") as reader:
        reader.next()
        say(services, "of nobody")
        say(services, "mine", bot_id)
        assert reader.next()["data"]["message"] == "mine"
    assert error_of(api.get(f"{PATH}?bot=nobody"))["code"] == "not_found"
    assert api.get(f"{PATH}?kind=everything").status_code == 422


def test_it_needs_the_scope_read(api: httpx.Client, services: FakeServices) -> None:
    _, text = services.tokens.tokens.create("ea", [Scope.SIGNALS], "test")
    answer = api.get(PATH, headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 403


def test_a_revoked_token_hears_nothing_more(api: httpx.Client, services: FakeServices) -> None:
    _, text = services.tokens.tokens.create("lost", [Scope.READ], "test")
    with reading(api, Authorization=f"Bearer {text}") as reader:
        reader.next()
        services.tokens.revoke("lost", "test")
        say(services, "the last it may see came before this")
        with pytest.raises(StopIteration):
            reader.next()


def test_a_client_that_goes_away_makes_room(api: httpx.Client, services: FakeServices) -> None:
    with reading(api) as reader:
        reader.next()
        assert services.live.subscriber_count == 1
    eventually(lambda: services.live.subscriber_count, lambda count: count == 0)


def test_the_engines_stop_ends_it(api: httpx.Client, services: FakeServices) -> None:
    with reading(api) as reader:
        reader.next()
        services.live.close()
        with pytest.raises(StopIteration):
            reader.next()
    assert error_of(api.get(PATH))["code"] == "busy"


def test_one_too_many_is_told_to_wait(
    api: httpx.Client, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.services.live_bus.MOST_SUBSCRIBERS", 1)
    with reading(api) as reader:
        reader.next()
        answer = api.get(PATH)
        assert answer.status_code == 503
        assert f"{MOST_SUBSCRIBERS} streams" in error_of(answer)["message"]


def test_a_listener_that_lags_is_told(
    api: httpx.Client, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.services.live_bus.MOST_WAITING", 2)
    with reading(api) as reader:
        reader.next()
        with services.programs.books.writing() as writing:  # one commit: taken as one batch
            for number in range(5):
                writing.event(Level.INFO, "test", str(number), None)
        lagged = reader.next()
        assert (lagged["event"], lagged["data"]) == ("lagged", {"lost": 3})
        assert [reader.next()["data"]["message"] for _ in range(2)] == ["3", "4"]
