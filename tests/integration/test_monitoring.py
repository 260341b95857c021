"""Time series in a real InfluxDB and metrics in a real Prometheus, of an engine that trades.

The InfluxDB of Debian's packages is of version 1: a relay renames the address at which version 2
takes the same lines. The bytes are those of InfluxDB's own client.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.domain.gauges import METRICS
from engine.domain.measurements import MEASUREMENTS, Kind, time_ns
from engine.domain.positions import Fill
from tests.fakes.influx import TOKEN, LoopbackInflux, loopback_influx
from tests.fakes.strategy_files import write_strategy
from tests.support.client import eventually
from tests.support.live_engine import LiveEngine, live_engine
from tests.support.monitoring import (
    InfluxServer,
    PrometheusServer,
    influx_server,
    prometheus_server,
    promtool,
)

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
BOT: dict[str, Any] = {
    "name": "My bot 1", "market": "simulated", "symbol": "BTC/USDT", "strategy": "busy",
    "timeframe": "1s", "interval_s": 1, "amount": "100",
    "signals": {"signature": "none"},
}  # fmt: skip


@dataclass
class Watched:
    """An engine that has traded, and who watches it."""

    live: LiveEngine
    influx: InfluxServer
    relay: LoopbackInflux
    bot_id: str

    def fills(self) -> list[Fill]:
        """In the engine's own books."""
        answer = self.live.http.get(f"/api/v1/bots/{self.bot_id}/fills")
        return [Fill.model_validate(one) for one in answer.raise_for_status().json()]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("monitoring")
    (folder / "strategies").mkdir()
    write_strategy(folder / "strategies", "busy", act="above = candles.time // 1000 % 4 < 2")
    with (
        influx_server(folder) as influx,
        loopback_influx(influx.write_url) as relay,
        live_engine(
            folder, strategies=folder / "strategies", influx_url=relay.url, influx_token=TOKEN,
            influx_every_s=1, metrics_enabled=True,
        ) as live,
    ):  # fmt: skip
        bot_id = live.http.post("/api/v1/bots", json=BOT).raise_for_status().json()["id"]
        live.http.post(f"/api/v1/bots/{bot_id}/start").raise_for_status()
        signal = {"bot": bot_id, "body": '{"action": "close", "time": "2020-01-01T00:00:00Z"}'}
        live.http.post("/api/v1/signals/test", json=signal).raise_for_status()
        eventually(
            lambda: live.http.get("/api/v1/trades").json()["count"], lambda count: count >= 1
        )
        live.http.post(f"/api/v1/bots/{bot_id}/stop").raise_for_status()
        eventually(lambda: live.http.get(f"/api/v1/bots/{bot_id}").json()["state"],
                   lambda state: state == "stopped")  # fmt: skip
        live.do(live.engine._sample())
        yield Watched(live, influx, relay, bot_id)


def rows_of(watched: Watched, measurement: str, count: int) -> list[dict[str, Any]]:
    """What the server has of one, once it has so many rows."""
    query = f"SELECT * FROM {measurement}"  # noqa: S608 - a name of the table
    return eventually(lambda: watched.influx.rows(query), lambda rows: len(rows) >= count)


def test_every_fill_is_read_back_as_it_is_in_the_books(watched: Watched) -> None:
    fills = watched.fills()
    rows = rows_of(watched, "trade_executions", len(fills))
    assert len(rows) == len(fills)
    by_trade = {row["trade_id"]: row for row in rows}
    for fill in fills:
        row = by_trade[fill.trade_id]
        assert row["time"] == time_ns(fill.time, fill.id)
        assert (row["bot"], row["symbol"], row["mode"]) == (BOT["name"], "BTC/USDT", "paper")
        assert (row["price"], row["quantity"]) == (float(fill.price), float(fill.quantity))
    trades = watched.live.http.get("/api/v1/trades").json()["items"]
    told = sorted(row["pnl"] for row in rows if row["pnl"] is not None)
    assert told == sorted(float(trade["pnl"]) for trade in trades)


def test_cycles_equity_and_signals_are_read_back_with_the_types_of_the_table(
    watched: Watched,
) -> None:
    decisions = watched.live.http.get(f"/api/v1/bots/{watched.bot_id}/decisions").json()
    assert len(rows_of(watched, "bot_cycles", len(decisions))) == len(decisions)
    rows_of(watched, "equity", 2)
    rows_of(watched, "market_signals", 1)
    python = {Kind.NUMBER: "float", Kind.COUNT: "integer", Kind.TEXT: "string",
              Kind.FLAG: "boolean"}  # fmt: skip
    for name in ("bot_cycles", "equity", "market_signals", "trade_executions"):
        keys = watched.influx.rows(f"SHOW FIELD KEYS FROM {name}")
        table = MEASUREMENTS[name]
        for row in keys:
            assert row["fieldType"] == python[table.field(row["fieldKey"]).kind], row
        tags = {row["tagKey"] for row in watched.influx.rows(f"SHOW TAG KEYS FROM {name}")}
        assert tags == set(table.tags)


def test_sending_all_of_it_again_changes_nothing(watched: Watched) -> None:
    before = rows_of(watched, "trade_executions", len(watched.fills()))
    series = watched.live.engine._monitoring.series
    assert series is not None

    async def forgotten() -> bool:
        """Between two rounds, which begin on this loop: one under way would write its own back."""
        if series._round is not None and series._round.is_alive():
            return False
        series._delivered = series._delivered.model_copy(update={"marks": {}})
        return True

    def executions() -> list[str]:
        return [line for line in watched.relay.lines if line.startswith("trade_executions,")]

    sent = sorted(executions())
    eventually(lambda: watched.live.do(forgotten()), bool, every_s=0.01)
    again = eventually(executions, lambda lines: len(lines) == 2 * len(sent))
    assert sorted(again[len(sent) :]) == sent
    assert rows_of(watched, "trade_executions", len(before)) == before


def test_an_outage_is_an_event_and_the_engine_goes_on(watched: Watched) -> None:
    watched.relay.answer(503, "starting", times=1)
    watched.live.do(watched.live.engine._sample())
    wanted = ["series.back", "series.down"]
    kinds = eventually(
        lambda: [one["kind"] for one in watched.live.http.get("/api/v1/events").json()
                 if one["kind"].startswith("series.")],
        lambda kinds: kinds == wanted,
    )  # fmt: skip
    assert kinds == wanted
    watched.live.http.get("/health").raise_for_status()


# --- Prometheus -----------------------------------------------------------------------------------


def test_metrics_are_those_of_the_table_and_promtool_is_content(watched: Watched) -> None:
    answer = watched.live.http.get("/metrics").raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain; version=")
    promtool("check", "metrics", given=answer.text)
    told = {line.split(" ")[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}
    ours = {name for name in told if name.startswith("quarterdeck_")}
    assert ours <= set(METRICS)
    # There is no such order now, no account and no backup: test_tell_outside_metrics has those.
    seldom = {
        "quarterdeck_working_orders", "quarterdeck_api_used_ratio", "quarterdeck_backup_age_seconds"
    }  # fmt: skip
    assert ours >= set(METRICS) - seldom
    assert TOKEN not in answer.text


def test_a_program_that_takes_openmetrics_gets_it(watched: Watched) -> None:
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = watched.live.http.get("/metrics", headers=headers)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_token_that_may_not_read_sees_nothing(watched: Watched) -> None:
    made = watched.live.http.post("/api/v1/tokens", json={"name": "s", "scopes": ["signals"]})
    for header, status in ((f"Bearer {made.json()['text']}", 403), ("Bearer no", 401)):
        answer = watched.live.http.get("/metrics", headers={"Authorization": header})
        assert answer.status_code == status


def shipped_config(watched: Watched, folder: Path) -> Path:
    """The configuration that is shipped, with this engine's address and a token of its own."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    made = watched.live.http.post("/api/v1/tokens", json={"name": "metrics", "scopes": ["read"]})
    token = folder / "metrics.token"
    token.write_text(made.raise_for_status().json()["text"], encoding="utf-8")
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules.yml")]
    [job] = config["scrape_configs"]
    job["authorization"]["credentials_file"] = str(token)
    job["static_configs"][0]["targets"] = [watched.live.url.removeprefix("http://")]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    promtool("check", "config", str(file))
    return file


@pytest.fixture(scope="module")
def prometheus(
    watched: Watched, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus_server(shipped_config(watched, folder), folder) as server:
        yield server


def test_prometheus_scrapes_the_engine(watched: Watched, prometheus: PrometheusServer) -> None:
    [(labels, value)] = eventually(
        lambda: prometheus.values("quarterdeck_up"), lambda found: len(found) == 1
    )
    assert (labels["job"], value) == ("quarterdeck", 1)
    target = prometheus.target()
    assert (target["health"], target["lastError"]) == ("up", "")
    fills = watched.fills()
    assert sum(value for _labels, value in prometheus.values("quarterdeck_fills_total")) == len(
        fills
    )
    [(of_bot, worth)] = prometheus.values("quarterdeck_bot_equity")
    assert (of_bot["bot"], of_bot["quote"], of_bot["mode"]) == (BOT["name"], "USDT", "paper")
    shown = watched.live.http.get(f"/api/v1/bots/{watched.bot_id}").json()["equity"]
    assert worth == float(shown)
    [(_labels, age_s)] = prometheus.values("quarterdeck_heartbeat_age_seconds")
    assert age_s < time.monotonic()


def test_every_alert_rule_is_evaluated_and_none_fires(prometheus: PrometheusServer) -> None:
    promtool("check", "rules", str(DEPLOY / "prometheus" / "rules.yml"))
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text("utf-8"))
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    eventually(lambda: prometheus.values("quarterdeck_up"), lambda found: len(found) == 1)
    names = {row["__name__"] for row, _value in prometheus.values('{__name__=~"quarterdeck_.*"}')}
    for expression in expressions:
        prometheus.values(expression)  # a mistake in it is an error of the server
        for name in [word for word in METRICS if word in expression]:
            assert any(known.startswith(name) for known in names), name


def test_metrics_are_off_unless_they_are_switched_on(watched: Watched) -> None:
    assert type(watched.live.engine._core.settings).model_fields["metrics_enabled"].default is False
    page = watched.live.engine.facade.metrics
    read, page._read = page._read, None
    try:
        answer = watched.live.http.get("/metrics")
    finally:
        page._read = read
    assert answer.status_code == 404
    assert "QUARTERDECK_METRICS_ENABLED=true" in answer.json()["error"]["message"]


def test_the_engine_writes_and_stops_while_the_database_hangs(watched: Watched) -> None:
    """The last test: the engine is stopped at its end, with the request still open."""
    watched.relay.arrived.clear()
    watched.relay.mode = "hang"
    watched.live.do(watched.live.engine._sample())
    assert watched.relay.arrived.wait(90)
    said = watched.live.http.post("/api/send_alert", json={"text": "still here"})
    assert said.status_code == 201
    told = [one["message"] for one in watched.live.http.get("/api/v1/events").json()]
    assert "still here" in told
