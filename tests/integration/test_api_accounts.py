"""The API of accounts: statuses, fields, actors, and secrets that only come in."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.services import FakeServices
from tests.fakes.venue_adapter import WITHDRAWS
from tests.support.fake_api import API, api_over, error_of

KEY, SECRET = "canary-key-1", "canary-secret-2"
NEW: dict[str, Any] = {
    "name": "Main", "venue": "fake", "mode": "test", "secrets": {"key": KEY, "secret": SECRET},
}  # fmt: skip
ACCOUNTS = f"{API}/venue-accounts"


@pytest.fixture
def services() -> FakeServices:
    return FakeServices(bot_count=1, trade_count=0, event_count=0)


@pytest.fixture
def api(services: FakeServices) -> Iterator[httpx.Client]:
    def no_secret_comes_out(response: httpx.Response) -> None:
        response.read()
        for canary in (KEY, SECRET):
            assert canary not in response.text

    with api_over(services) as client:
        client.event_hooks["response"].append(no_secret_comes_out)
        yield client


def test_the_forms_say_what_to_ask_for(api: httpx.Client) -> None:
    plain, daily = api.get(f"{API}/venues").json()
    assert (plain["id"], plain["modes"], plain["has_login"]) == ("fake", ["test", "live"], False)
    assert plain["options"]["properties"]["window_s"]["maximum"] == 60
    assert [(one["name"], one["is_optional"]) for one in plain["secrets"]] == [
        ("key", False), ("secret", False), ("passphrase", True)
    ]  # fmt: skip
    assert daily["has_login"]
    assert "token" not in [one["name"] for one in daily["secrets"]]


def test_an_account_from_its_addition_to_its_end(api: httpx.Client, services: FakeServices) -> None:
    made = api.post(ACCOUNTS, json=NEW, headers={"X-Quarterdeck-Actor": "cli:me"})
    assert made.status_code == 201
    view = made.json()
    assert (view["is_enabled"], view["is_usable"], view["secrets"]) == (
        True,
        True,
        ["key", "secret"],
    )
    assert view["inspection"]["checks"][0]["name"] == "Permissions"
    assert api.get(ACCOUNTS).json() == [view]
    assert api.get(f"{ACCOUNTS}/main").json()["id"] == view["id"]
    path = f"{ACCOUNTS}/{view['id']}"
    changed = api.patch(path, json={"name": "Two", "secrets": {"passphrase": "p-three"}}).json()
    assert (changed["name"], changed["secrets"]) == ("Two", ["key", "passphrase", "secret"])
    assert api.post(f"{path}/test").json()["tested_at"]
    assert api.post(f"{path}/disable").json()["objection"].endswith("on the Accounts page")
    assert api.post(f"{path}/enable").json()["objection"] is None
    assert api.delete(path).status_code == 204
    assert api.get(ACCOUNTS).json() == []
    with services.venue_accounts.books.store.reading() as tx:
        actors = [(one.action, one.actor) for one in tx.audit.select()]
    assert actors[0] == ("account.add", "cli:me")
    assert {actor for _, actor in actors[1:]} == {"api"}


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"name": ""}, 422, "name"),
        ({"name": "<b>"}, 422, "name"),
        ({"venue": "mars"}, 404, "venue"),
        ({"mode": "paper"}, 422, "mode"),
        ({"mode": "gold"}, 422, "mode"),
        ({"options": {"window_s": "soon"}}, 422, "options.window_s"),
        ({"options": {"address": f"https://{SECRET}.example"}}, 422, "options.address"),
        ({"secrets": {"key": KEY}}, 422, "secrets.secret"),
        ({"secrets": {"key": KEY, "secret": SECRET, SECRET: "x"}}, 422, "secrets"),
        ({"secrets": {"key": [KEY], "secret": SECRET}}, 422, "secrets.key"),
        ({"secrets": SECRET}, 422, "secrets"),
        ({"secret": SECRET}, 422, "secret"),
    ],
)
def test_what_is_wrong_names_its_field_and_repeats_no_secret(
    api: httpx.Client, changes: dict[str, Any], status: int, field: str
) -> None:
    answer = api.post(ACCOUNTS, json=NEW | changes)
    error = error_of(answer)
    assert (answer.status_code, error["details"][0]["field"]) == (status, field)
    assert api.get(ACCOUNTS).json() == []


def test_a_name_is_taken_once_and_a_key_that_withdraws_is_kept_never(
    api: httpx.Client, services: FakeServices
) -> None:
    assert api.post(ACCOUNTS, json=NEW).status_code == 201
    assert error_of(api.post(ACCOUNTS, json=NEW | {"name": "MAIN"}))["code"] == "conflict"
    services.venue_accounts.venue.inspection = WITHDRAWS
    answer = api.post(ACCOUNTS, json=NEW | {"name": "Other"})
    assert (answer.status_code, error_of(answer)["details"][0]["field"]) == (422, "secrets")
    answer = api.patch(f"{ACCOUNTS}/main", json={"secrets": {"key": KEY}})
    assert answer.status_code == 422
    assert len(api.get(ACCOUNTS).json()) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("POST", "/test", None),
        ("POST", "/enable", None), ("POST", "/disable", None), ("GET", "/login", None),
        ("POST", "/login", {"answer": "ok"}),
    ],
)  # fmt: skip
def test_an_account_that_is_not_there_is_404(
    api: httpx.Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = api.request(method, f"{ACCOUNTS}/nobody{path}", json=body)
    assert answer.status_code == 404
    assert "no account 'nobody'" in error_of(answer)["message"]


def test_a_login_takes_what_the_browser_was_sent_back_to(api: httpx.Client) -> None:
    made = api.post(ACCOUNTS, json=NEW | {"venue": "fakedaily"}).json()
    path = f"{ACCOUNTS}/{made['id']}"
    assert made["objection"].startswith("the account 'Main' has not been tested")
    assert api.post(f"{path}/test").status_code == 409
    assert api.get(f"{path}/login").json()["url"].startswith("http://127.0.0.1:1/login")
    assert api.post(f"{path}/login", json={"answer": "x" * 4001}).status_code == 422
    wrong = api.post(f"{path}/login", json={"answer": SECRET})
    assert (wrong.status_code, error_of(wrong)["details"][0]["field"]) == (422, "answer")
    done = api.post(f"{path}/login", json={"answer": "ok-1"}).json()
    assert done["is_enabled"]
    assert done["expires_at"]
    assert done["secrets"] == ["key", "secret", "token"]
