"""The API's read models over real services: what a screen shows is what the books say."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.strategy_files import write_strategy
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One engine for the module, with a strategy that trades every four seconds."""
    folder = tmp_path_factory.mktemp("deck")
    (folder / "strategies").mkdir()
    write_strategy(folder / "strategies", "busy", act="above = candles.time // 1000 % 4 < 2")
    with copy_of_quarterdeck(
        folder / "data", QUARTERDECK_STRATEGIES=str(folder / "strategies")
    ) as copy:
        copy.start_engine()
        yield copy


@pytest.fixture(scope="module")
def traded(deck: Copy) -> dict[str, Any]:
    """A bot that has closed two trades and is stopped."""
    client = Client(deck)
    client.create_bot(name="nervous", strategy="busy", params={}, amount="500")
    client.post("/bots/nervous/start")
    eventually(lambda: client.bot("nervous")["trade_count"], lambda n: n >= 2, timeout_s=90)
    client.post("/bots/nervous/stop", {"close_position": True})
    return client.wait_for_state("nervous", "stopped")


def test_the_overview_adds_up(deck: Copy, traded: dict[str, Any]) -> None:
    client = Client(deck)
    shown = client.get("/overview")
    [total] = [one for one in shown["totals"] if one["quote"] == "USDT"]
    assert Decimal(total["realised_pnl"]) == Decimal(traded["realised_pnl"])
    assert Decimal(total["today_pnl"]) == Decimal(traded["realised_pnl"])
    assert Decimal(traded["equity"]) == Decimal(500) + Decimal(traded["realised_pnl"])
    assert shown["states"]["stopped"] == 1
    assert len(shown["recent_trades"]) == min(10, traded["trade_count"])
    assert any(event["kind"] == "position.closed" for event in shown["recent_events"])


def test_what_has_no_rate_is_left_out_of_the_base_currency_and_said(
    deck: Copy, traded: dict[str, Any]
) -> None:
    client = Client(deck)
    base = client.get("/overview")["base"]
    assert (base["currency"], base["value"], base["today_pnl"]) == ("USD", None, None)
    [left_out] = base["left_out"]
    assert left_out["asset"] == "USDT"
    assert Decimal(left_out["amount"]) == Decimal(traded["equity"])
    [report] = client.get("/reconcile")
    held = {one["asset"]: Decimal(one["venue"]) for one in report["assets"]}
    assert Decimal(report["worth"]["value"]) >= held["USD"]  # what is dollars needs no rate
    assert {one["asset"] for one in report["worth"]["left_out"]} >= {"USDT"}


def test_trades_are_filtered_paged_and_summed(deck: Copy, traded: dict[str, Any]) -> None:
    client = Client(deck)
    everything = client.get("/trades")
    assert everything["count"] == traded["trade_count"]
    first = client.get("/trades", limit=1)["items"]
    second = client.get("/trades", limit=1, offset=1)["items"]
    assert [one["id"] for one in first + second] == [one["id"] for one in everything["items"][:2]]
    assert client.get("/trades", bot_id="NERVOUS")["count"] == traded["trade_count"]
    assert client.get("/trades", bot_id="nobody")["count"] == 0
    assert client.get("/trades", since=first[0]["exit_time"])["count"] >= 1
    assert client.get("/trades", until=everything["items"][-1]["exit_time"])["count"] == 0
    pnl = sum(Decimal(one["pnl"]) for one in everything["items"])
    assert Decimal(everything["totals"][0]["pnl"]) == pnl


def test_the_chart_has_candles_lines_and_every_fill(deck: Copy, traded: dict[str, Any]) -> None:
    client = Client(deck)
    chart = client.get("/bots/nervous/chart", limit=300)
    assert len(chart["time"]) == len(chart["close"]) == 300
    assert chart["series_error"] == ""
    assert {len(line["values"]) for line in chart["series"]} == {300}
    fills = client.get("/bots/nervous/fills")
    assert len(chart["markers"]) == len(fills)
    assert {marker["kind"] for marker in chart["markers"]} == {"entry", "exit"}


def test_every_decided_candle_can_be_explained(deck: Copy, traded: dict[str, Any]) -> None:
    client = Client(deck)
    decisions = client.get("/bots/nervous/decisions", limit=500)
    times = [one["candle_time"] for one in decisions]
    assert times == sorted(set(times), reverse=True)
    holds = client.get("/bots/nervous/decisions", action="hold", limit=500)
    assert holds
    assert all(one["reason"] for one in holds)
    entered = client.get("/bots/nervous/decisions", action="enter_long", limit=500)
    orders = {one["client_id"] for one in client.get("/bots/nervous/orders")}
    assert {one["trace"][-1]["values"]["client_id"] for one in entered} <= orders


def test_symbols_are_searched_by_code_and_name(deck: Copy) -> None:
    client = Client(deck)
    found = client.get("/symbols", market="simulated", search="eth")
    assert found[0]["instrument"]["symbol"] == "ETH/USDT"
    assert (
        client.get("/symbols", market="simulated", search="apple")[0]["instrument"]["symbol"]
        == "AAPL"
    )
    assert client.get("/symbols", market="simulated", search="nothing like this") == []
    assert client.ask("GET", "/symbols", params={"market": "nowhere"}).status_code == 404


def test_a_changed_setting_waits_for_the_next_start(tmp_path: Path) -> None:
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        copy.start_engine()
        client = Client(copy)
        bad = client.ask("PUT", "/settings", json={"values": {"paper_fee_bps": "-1"}})
        assert bad.status_code == 422
        fixed = client.ask("PUT", "/settings", json={"values": {"api_port": "1"}})
        assert fixed.status_code == 422
        client.call("PUT", "/settings", json={"values": {"paper_fee_bps": "25"}})
        assert _setting(client)["pending"] == "25"
        assert copy.stop_engine() == 0
        copy.start_engine()
        assert (_setting(client)["value"], _setting(client)["pending"]) == ("25", "")


def _setting(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in client.get("/settings") if one["key"] == "paper_fee_bps"
    )
    return found
