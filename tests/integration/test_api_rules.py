"""The rules of the API over HTTP: the real service over kept rules and the simulated market."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.contracts import Bot, BotState, Desired
from engine.contracts.rules import RuleCatalogue, RulesView, RuleTrial
from panel.rules_draft import EXAMPLE
from tests.fakes.services import FakeServices
from tests.support.fake_api import API, api_over, error_of

RULES: dict[str, Any] = dict(EXAMPLE)


@pytest.fixture
def services() -> FakeServices:
    return FakeServices(1)


@pytest.fixture
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


def use_in_a_bot(services: FakeServices, name: str, state: BotState) -> Bot:
    """Let the one sample bot decide by rules."""
    (bot,) = services.bots.values()
    is_stopped = state is BotState.STOPPED
    changed = bot.model_copy(update={
        "config": bot.config.model_copy(update={"strategy": name}), "state": state,
        "desired": Desired.STOPPED if is_stopped else Desired.RUNNING,
    })  # fmt: skip
    services.bots[bot.id] = changed
    return changed


def test_the_catalogue_names_what_rules_are_made_of(api: httpx.Client) -> None:
    found = RuleCatalogue.model_validate_json(api.get(f"{API}/rules/catalogue").content)
    sources = {one.id: one for one in found.sources}
    assert {"close", "number", "rsi", "supertrend"} <= sources.keys()
    assert [slot.name for slot in sources["macd"].slots] == ["fast", "slow", "signal"]
    assert next(one.needs for one in found.comparisons if one.id == "between") == (
        "right", "upper",
    )  # fmt: skip


def test_rules_are_saved_read_listed_changed_and_deleted(
    api: httpx.Client, services: FakeServices
) -> None:
    saved = api.put(f"{API}/rules/dip", json=RULES, params={"is_new": "true"})
    view = RulesView.model_validate_json(saved.content)
    assert view.sentences["long_entry"] == "Enter long when RSI(14) < 40 and close > SMA(200)."
    assert api.get(f"{API}/rules/dip").json() == saved.json()
    changed = RULES | {"title": "Another"}
    assert api.put(f"{API}/rules/dip", json=changed).json()["rules"]["title"] == "Another"
    assert api.get(f"{API}/rules").json() == [
        {"id": "dip", "title": "Another", "error": "", "used_by": []}
    ]
    assert api.delete(f"{API}/rules/dip").status_code == 204
    assert api.get(f"{API}/rules").json() == []
    assert error_of(api.delete(f"{API}/rules/dip"))["code"] == "not_found"
    told = [(entry.action, entry.subject) for entry in services.audit_log]
    assert told == [("rules.save", "dip"), ("rules.save", "dip"), ("rules.delete", "dip")]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("rsi", 409),
        ("1st", 422),
        ("a-b", 422),
        ("catalogue", 422),
        ("preview", 422),
        ("taken", 409),
    ],
)
def test_a_name_that_cannot_be_is_refused_at_its_field(
    api: httpx.Client, services: FakeServices, name: str, status: int
) -> None:
    api.put(f"{API}/rules/taken", json=RULES).raise_for_status()
    answer = api.put(f"{API}/rules/{name}", json=RULES, params={"is_new": "true"})
    assert answer.status_code == status
    assert error_of(answer)["details"][0]["field"] == "id"
    assert list(services.rule_book.kept) == ["taken"]


def test_rules_that_a_bot_uses_are_not_deleted_and_not_changed_while_it_runs(
    api: httpx.Client, services: FakeServices
) -> None:
    api.put(f"{API}/rules/dip", json=RULES).raise_for_status()
    bot = use_in_a_bot(services, "dip", BotState.RUNNING)
    refused = error_of(api.put(f"{API}/rules/dip", json=RULES))
    assert refused["code"] == "conflict"
    assert bot.config.name in refused["message"]
    assert error_of(api.delete(f"{API}/rules/dip"))["code"] == "conflict"
    use_in_a_bot(services, "dip", BotState.STOPPED)
    assert api.put(f"{API}/rules/dip", json=RULES).status_code == 200
    assert error_of(api.delete(f"{API}/rules/dip"))["code"] == "conflict"
    assert api.get(f"{API}/rules").json()[0]["used_by"] == [bot.config.name]


def test_broken_rules_are_listed_and_may_be_replaced_or_deleted(
    api: httpx.Client, services: FakeServices
) -> None:
    services.rule_book.broken["bad"] = "title: must be given"
    assert api.get(f"{API}/rules").json()[0]["error"] == "title: must be given"
    assert error_of(api.get(f"{API}/rules/bad"))["code"] == "strategy"
    assert api.put(f"{API}/rules/bad", json=RULES).status_code == 200
    services.rule_book.broken["worse"] = "no"
    assert api.delete(f"{API}/rules/worse").status_code == 204


def test_a_preview_counts_and_draws_and_keeps_nothing(
    api: httpx.Client, services: FakeServices
) -> None:
    body = {"rules": RULES, "symbol": "ETH/USDT", "timeframe": "1m", "limit": 2000}
    trial = RuleTrial.model_validate_json(api.post(f"{API}/rules/preview", json=body).content)
    assert (trial.warmup, trial.history) == (200, 600)
    assert len(trial.chart.time) == 2000
    assert [series.name for series in trial.chart.series] == ["RSI 14", "SMA 200"]
    assert all(None not in series.values for series in trial.chart.series)
    assert 0 < trial.entries <= trial.said["long_entry"]
    assert trial.exits in (trial.entries, trial.entries - 1)
    kinds = [marker.kind for marker in trial.chart.markers]
    assert kinds == ["entry", "exit"] * trial.exits + ["entry"] * (trial.entries - trial.exits)
    assert trial.chart.markers[0].text.startswith("enter long: RSI(14) ")
    assert not services.rule_book.kept
    assert not services.audit_log


@pytest.mark.parametrize(
    ("change", "field", "status"),
    [
        ({"symbol": "MOON/USDT"}, "symbol", 404),
        ({"market": "nowhere"}, "market", 404),
        ({"timeframe": "7m"}, "timeframe", 422),
        ({"limit": 10}, "limit", 422),
        ({"rules": RULES | {"title": ""}}, "rules.title", 422),
    ],
)
def test_a_preview_says_what_is_wrong_at_its_field(
    api: httpx.Client, change: dict[str, Any], field: str, status: int
) -> None:
    answer = api.post(f"{API}/rules/preview", json={"rules": RULES} | change)
    assert answer.status_code == status
    assert field in [row["field"] for row in error_of(answer)["details"]]


def test_each_number_that_is_wrong_is_named(api: httpx.Client) -> None:
    entry = {"conditions": [
        {"left": {"source": "rsi", "params": {"period": "1"}}, "test": "below",
         "right": {"source": "number", "params": {"value": "low"}}},
        {"left": {"source": "close"}, "test": "rising", "count": ""},
    ]}  # fmt: skip
    answer = api.post(f"{API}/rules/preview", json={"rules": {"title": "x", "long_entry": entry}})
    stem = "rules.long_entry.conditions"
    unknown = "must be a number, or a parameter: there is none of this name"
    assert {row["field"]: row["message"] for row in error_of(answer)["details"]} == {
        f"{stem}.0.left.params.period": "must be from 2 to 1000",
        f"{stem}.0.right.params.value": unknown,
        f"{stem}.1.count": unknown,
    }
