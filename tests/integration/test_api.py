"""Every route of the API over HTTP, on the fake services."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from engine.contracts import (
    AccountReport,
    AccountView,
    AuditEntry,
    BotPreview,
    BotView,
    Chart,
    Decision,
    EquityPoint,
    Event,
    Fill,
    Finding,
    Health,
    KillLevel,
    KillSwitch,
    LimitUsage,
    MarketView,
    Order,
    Overview,
    PositionView,
    ScopeKind,
    SettingView,
    StrategyView,
    SymbolView,
    TradePage,
)
from engine.domain.limits import usage_of
from tests.fakes.accounts import finding
from tests.fakes.services import FakeServices
from tests.support.client import RSI_DEMO
from tests.support.fake_api import API, api_over, error_of

READS: list[tuple[str, Any]] = [
    ("/health", Health),
    (f"{API}/overview", Overview),
    (f"{API}/bots", list[BotView]),
    (f"{API}/bots/b0001", BotView),
    (f"{API}/bots/btc-rsi/chart?limit=50", Chart),
    (f"{API}/bots/btc-rsi/decisions?limit=30&action=hold", list[Decision]),
    (f"{API}/bots/btc-rsi/orders", list[Order]),
    (f"{API}/bots/btc-rsi/fills", list[Fill]),
    (f"{API}/bots/btc-rsi/equity", list[EquityPoint]),
    (f"{API}/positions", list[PositionView]),
    (f"{API}/trades?side=long&limit=5", TradePage),
    (f"{API}/events?level=warning&kind=market&search=late", list[Event]),
    (f"{API}/audit", list[AuditEntry]),
    (f"{API}/strategies", list[StrategyView]),
    (f"{API}/markets", list[MarketView]),
    (f"{API}/symbols?market=simulated&search=usdt", list[SymbolView]),
    (f"{API}/accounts", list[AccountView]),
    (f"{API}/reconcile", list[AccountReport]),
    (f"{API}/findings?account_id=paper:simulated&state=open", list[Finding]),
    (f"{API}/kill", KillSwitch),
    (f"{API}/controls", list[KillSwitch]),
    (f"{API}/limits", list[LimitUsage]),
    (f"{API}/settings", list[SettingView]),
]


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


def test_reads_answer_with_the_types_of_the_contracts(
    api: httpx.Client, services: FakeServices
) -> None:
    services.start_bot("eth-cross", "test")  # for the audit to have an entry
    services.findings_seen["f1"] = finding(services.now())
    services.set_kill_switch(KillLevel.PAUSE_ENTRIES, "test")
    services.limits_used.append(usage_of("orders a minute", ScopeKind.BOT, "b0001", 60, 15))
    for path, kind in READS:
        response = api.get(path)
        assert response.status_code == 200, f"{path}: {response.text}"
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        assert TypeAdapter(kind).validate_json(response.content), path


def test_what_is_read_is_what_the_services_have(api: httpx.Client, services: FakeServices) -> None:
    held = services.positions_held["b0001"]
    view = api.get(f"{API}/bots/btc-rsi").json()
    assert Decimal(view["position"]["quantity"]) == held.quantity
    assert view["position"]["opened_at"].endswith("Z")
    newest = max(services.trades_made, key=lambda trade: trade.exit_time)
    page = TradePage.model_validate_json(api.get(f"{API}/trades?limit=1").content)
    assert page.items == (newest,)
    assert page.count == len(services.trades_made)


def test_a_bot_is_created_edited_started_stopped_and_deleted(
    api: httpx.Client, services: FakeServices
) -> None:
    created = api.post(f"{API}/bots", json=RSI_DEMO)
    assert created.status_code == 201
    bot = BotView.model_validate_json(created.content)
    assert (bot.state, bot.config.amount) == ("stopped", Decimal(100))
    assert bot.config.params == {"period": 14, "oversold": 30.0, "overbought": 70.0}

    edited = api.put(f"{API}/bots/demo", json=RSI_DEMO | {"amount": "250.5"})
    assert edited.json()["config"]["amount"] == "250.5"
    assert api.post(f"{API}/bots/{bot.id}/start").json()["state"] == "running"
    assert api.post(f"{API}/bots/demo/pause").json()["state"] == "paused"
    assert error_of(api.delete(f"{API}/bots/demo"))["code"] == "conflict"
    assert api.post(f"{API}/bots/demo/stop").json()["state"] == "stopped"

    clone = api.post(f"{API}/bots/demo/clone", json={"name": "demo two"})
    assert clone.status_code == 201
    assert clone.json()["config"]["amount"] == "250.5"
    deleted = api.delete(f"{API}/bots/demo two")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert [one.config.name for one in services.bots.values()].count("demo two") == 0
    assert error_of(api.get(f"{API}/bots/demo two"))["code"] == "not_found"


def test_stop_closes_the_position_only_when_told(api: httpx.Client, services: FakeServices) -> None:
    trades = len(services.trades_made)
    kept = api.post(f"{API}/bots/btc-rsi/stop", json={"close_position": False}).json()
    assert kept["position"] is not None
    assert len(services.trades_made) == trades
    closed = api.post(f"{API}/bots/btc-rsi/stop", json={"close_position": True}).json()
    assert closed["position"] is None
    assert len(services.trades_made) == trades + 1


def test_preview_saves_nothing(api: httpx.Client, services: FakeServices) -> None:
    count = len(services.bots)
    preview = BotPreview.model_validate_json(api.post(f"{API}/bots/preview", json=RSI_DEMO).content)
    assert preview.stop_price is not None and preview.stop_price < preview.last_price
    assert len(services.bots) == count
    taken = RSI_DEMO | {"name": "btc-rsi"}
    assert error_of(api.post(f"{API}/bots/preview", json=taken))["code"] == "conflict"
    own = api.post(f"{API}/bots/preview?bot_id=b0001", json=taken)
    assert own.status_code == 200


def test_filters_narrow_trades_and_their_totals(api: httpx.Client, services: FakeServices) -> None:
    of_bot = [one for one in services.trades_made if one.bot_name == "eur-short"]
    middle = sorted(one.exit_time for one in of_bot)[6]
    query = {"bot_id": "eur-short", "side": "short", "since": middle.isoformat(), "limit": "3"}
    page = TradePage.model_validate_json(api.get(f"{API}/trades", params=query).content)
    wanted = [one for one in of_bot if one.exit_time >= middle]
    assert (page.count, len(page.items)) == (len(wanted), 3)
    assert page.totals[0].pnl == sum(one.pnl for one in wanted)
    assert api.get(f"{API}/trades", params=query | {"symbol": "X"}).json()["count"] == 0


def test_csv_has_all_that_match_to_the_last_digit(
    api: httpx.Client, services: FakeServices
) -> None:
    response = api.get(f"{API}/trades.csv", params={"bot_id": "btc-rsi", "limit": 1})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    wanted = {one.id: one for one in services.trades_made if one.bot_name == "btc-rsi"}
    assert {row["id"] for row in rows} == set(wanted)
    for row in rows:
        assert Decimal(row["pnl"]) == wanted[row["id"]].pnl
        assert Decimal(row["entry_value"]) == wanted[row["id"]].entry_value


def test_csv_without_trades_is_its_header() -> None:
    with api_over(FakeServices(0)) as api:
        lines = api.get(f"{API}/trades.csv").text.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("id,bot_id,")


def test_the_kill_switch_latches_and_is_released(api: httpx.Client, services: FakeServices) -> None:
    headers = {"X-Quarterdeck-Actor": "cli:ada"}
    switch = api.post(f"{API}/kill", json={"level": "close_all"}, headers=headers).json()
    assert (switch["level"], switch["actor"]) == ("close_all", "cli:ada")
    assert services.switch.level == "close_all"
    assert api.post(f"{API}/kill", json={"level": "none"}).json()["level"] == "none"
    assert api.get(f"{API}/kill").json()["actor"] == "api"


def test_a_control_is_on_a_bot_an_account_or_a_symbol(
    api: httpx.Client, services: FakeServices
) -> None:
    for scope, key, kept in (
        ("bot", "btc-rsi", "b0001"),
        ("account", "paper:simulated", "paper:simulated"),
        ("symbol", " btc/usdt ", "BTC/USDT"),
        ("everything", "", ""),
    ):
        body = {"scope": scope, "key": key, "level": "reduce_only", "reason": "news"}
        switch = KillSwitch.model_validate(api.post(f"{API}/controls", json=body).json())
        assert (switch.scope, switch.key, switch.level) == (scope, kept, "reduce_only")
    listed = api.get(f"{API}/controls").json()
    assert [one["scope"] for one in listed] == ["everything", "bot", "account", "symbol"]
    off = {"scope": "bot", "key": "b0001", "level": "none"}
    assert api.post(f"{API}/controls", json=off).json()["level"] == "none"
    assert len(api.get(f"{API}/controls").json()) == 3
    assert services.audit_log[-1].subject == "bot:b0001"


def test_an_order_is_placed_replaced_taken_back_and_a_part_closed(
    api: httpx.Client, services: FakeServices
) -> None:
    ticket = {"direction": "long", "type": "limit", "quantity": "0.01", "price": "2500"}
    placed = api.post(f"{API}/bots/eth-cross/orders", json=ticket)
    assert placed.status_code == 201
    (order,) = TypeAdapter(list[Order]).validate_json(placed.content)
    assert (order.state, order.price) == ("open", Decimal(2500))
    path = f"{API}/bots/eth-cross/orders/{order.client_id}"
    follower = Order.model_validate_json(api.post(f"{path}/replace", json={"price": "2400"}).text)
    assert follower.price == Decimal(2400)
    assert error_of(api.post(f"{path}/cancel"))["code"] == "conflict"
    path = f"{API}/bots/eth-cross/orders/{follower.client_id}"
    assert api.post(f"{path}/cancel").json()["state"] == "cancelled"
    assert error_of(api.post(f"{API}/bots/eth-cross/close"))["code"] == "conflict"

    held = services.positions_held["b0001"].quantity
    api.post(f"{API}/bots/btc-rsi/close", json={"fraction": "0.5"}).raise_for_status()
    assert services.positions_held["b0001"].quantity < held
    assert api.post(f"{API}/bots/btc-rsi/close").json()["position"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"direction": "long", "type": "limit", "quantity": "1"}, "price"),
        ({"direction": "long", "quantity": "1", "price": "5"}, "price"),
        ({"direction": "long"}, "quote_amount"),
        ({"purpose": "exit", "type": "stop", "stop_price": "1e9"}, "stop_price"),
    ],
)
def test_a_wrong_ticket_is_refused_at_its_field(
    api: httpx.Client, body: dict[str, str], field: str
) -> None:
    error = error_of(api.post(f"{API}/bots/btc-rsi/orders", json=body))
    assert [row["field"] for row in error["details"]] == [field]


@pytest.mark.parametrize("fraction", ["0", "1.01", "-1", "NaN", "half"])
def test_a_part_is_more_than_nothing_and_no_more_than_all(
    api: httpx.Client, services: FakeServices, fraction: str
) -> None:
    held = services.positions_held["b0001"]
    answer = api.post(f"{API}/bots/btc-rsi/close", json={"fraction": fraction})
    assert error_of(answer)["details"][0]["field"] == "fraction"
    assert services.positions_held["b0001"] == held


def test_a_finding_is_listed_and_resolved_once(api: httpx.Client, services: FakeServices) -> None:
    found = finding(services.now())
    services.findings_seen[found.id] = found
    checked = api.post(f"{API}/reconcile", json={"account_id": found.account_id}).json()
    assert (checked["health"], len(checked["findings"])) == ("mismatch", 1)
    assert services.get_bot("btc-rsi").account_objection
    body = {"finding_id": found.id, "resolution": "adopt"}
    assert api.post(f"{API}/findings/resolve", json=body).json()["state"] == "adopted"
    assert error_of(api.post(f"{API}/findings/resolve", json=body))["code"] == "conflict"
    assert api.get(f"{API}/findings?state=open").json() == []
    unknown = error_of(api.post(f"{API}/reconcile", json={"account_id": "mars"}))
    assert unknown["code"] == "not_found"


def test_an_actor_of_odd_characters_is_not_believed(
    api: httpx.Client, services: FakeServices
) -> None:
    for name in ("<b>", "a" * 65, "a b", ""):
        api.post(f"{API}/bots/btc-rsi/pause", headers={"X-Quarterdeck-Actor": name})
    assert [entry.actor for entry in services.audit_log] == ["api"] * 4


def test_settings_change_all_or_none(api: httpx.Client, services: FakeServices) -> None:
    both = {"values": {"log_level": "DEBUG", "data": "/elsewhere"}}
    assert error_of(api.put(f"{API}/settings", json=both))["details"][0]["field"] == "data"
    assert services.values["log_level"] == "INFO"
    answer = api.put(f"{API}/settings", json={"values": {"log_level": "DEBUG"}}).json()
    assert {one["key"]: one["value"] for one in answer}["log_level"] == "DEBUG"


def test_shutdown_is_asked_for(api: httpx.Client, services: FakeServices) -> None:
    assert api.post(f"{API}/shutdown").status_code == 202
    assert services.shutdown_requests == ["api"]


def test_decimals_are_never_scientific(services: FakeServices, api: httpx.Client) -> None:
    tiny = RSI_DEMO | {"amount": "1E+2", "stop_loss": "1E-8"}
    config = api.post(f"{API}/bots", json=tiny).json()["config"]
    assert (config["amount"], config["stop_loss"]) == ("100", "0.00000001")
