"""Backups over the API: listed for those who read, made by an admin, one at a time."""

from collections.abc import Iterator

import httpx
import pytest

from engine.domain.tokens import Scope
from tests.fakes.services import FakeServices
from tests.support.fake_api import API, api_over, error_of


@pytest.fixture(scope="module")
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture(scope="module")
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


def test_one_is_made_and_listed(api: httpx.Client, services: FakeServices) -> None:
    empty = api.get(f"{API}/backups").json()
    assert (empty["backups"], empty["is_running"], empty["failure"]) == ([], False, "")
    assert empty["due_at"] is not None
    made = api.post(f"{API}/backups", json={"with_candles": True})
    assert made.status_code == 202
    [backup] = api.get(f"{API}/backups").json()["backups"]
    assert (backup["rows"], backup["sealed"], backup["has_candles"]) == (42, 1, True)
    with services.fake_backups.books.store.reading() as tx:
        assert tx.audit.select()[-1].action == "backup.done"


def test_a_second_one_at_the_same_time_is_a_conflict(
    api: httpx.Client, services: FakeServices
) -> None:
    services.fake_backups.is_slow = True
    assert api.post(f"{API}/backups", json={}).json()["is_running"]
    refused = api.post(f"{API}/backups", json={})
    assert refused.status_code == 409
    assert "being made already" in error_of(refused)["message"]
    services.fake_backups.is_slow = False
    services.fake_backups.waiting.pop()()
    assert not api.get(f"{API}/backups").json()["is_running"]


def test_who_reads_sees_them_and_only_an_admin_makes_one(
    api: httpx.Client, services: FakeServices
) -> None:
    _, text = services.tokens.tokens.create("reader", [Scope.READ, Scope.TRADE], "test")
    headers = {"Authorization": f"Bearer {text}"}
    assert api.get(f"{API}/backups", headers=headers).status_code == 200
    refused = api.post(f"{API}/backups", headers=headers, json={})
    assert refused.status_code == 403
    assert "admin" in error_of(refused)["message"]
