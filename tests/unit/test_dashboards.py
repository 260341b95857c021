"""The dashboards, the alert rules and the documentation ask for nothing that is not told."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.domain.gauges import METRICS, MetricKind
from engine.domain.measurements import MEASUREMENTS, Measurement
from tests.support.monitoring import load_json

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
NAMES = ["ai_performance", "real_time_signals", "risk", "trade_history"]
OWN_COLUMNS = {"_time", "_value", "_field", "_measurement"}
KINDS = {"stat", "timeseries", "piechart", "table"}
CALL = re.compile(r"[a-z]\w*\(")
FUNCTIONS = {
    "from", "range", "filter", "group", "count", "sum", "mean", "median", "max", "quantile",
    "aggregateWindow", "map", "pivot", "keep", "sort", "limit", "duplicate", "cumulativeSum",
}  # fmt: skip


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in DASHBOARDS:
        for panel in load_json(file)["panels"]:
            yield f"{file.stem}: {panel['title']}", panel


PANELS = list(panels())
BY_TITLE = pytest.mark.parametrize("panel", [one for _name, one in PANELS],
                                   ids=[name for name, _one in PANELS])  # fmt: skip


def datasources() -> dict[str, dict[str, Any]]:
    """What is provisioned, by uid."""
    file = GRAFANA / "provisioning" / "datasources" / "quarterdeck.yaml"
    content = yaml.safe_load(file.read_text("utf-8"))
    assert content["apiVersion"] == 1
    return {one["uid"]: one for one in content["datasources"]}


def names_in(query: str) -> tuple[Measurement, set[str], set[str]]:
    """The measurement of a Flux query, the fields that it asks for, and all other columns."""
    [name] = re.findall(r'r\._measurement == "(\w+)"', query)
    fields = set(re.findall(r'r\._field == "(\w+)"', query))
    made = set(re.findall(r'as: "(\w+)"', query))
    columns = set(re.findall(r"\br\.(\w+)", query)) | set(re.findall(r'column: "(\w+)"', query))
    for listed in re.findall(r"(?:columns|rowKey|columnKey): \[([^\]]*)\]", query):
        columns |= set(re.findall(r'"(\w+)"', listed))
    return MEASUREMENTS[name], fields, columns - made - OWN_COLUMNS


def metric_names(expression: str) -> set[str]:
    """The engine's metrics in an expression, without what Prometheus adds to a histogram's."""
    found = set(re.findall(r"quarterdeck_\w+", expression))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_there_are_the_four_dashboards_and_each_measurement_is_on_one() -> None:
    assert [file.stem for file in DASHBOARDS] == NAMES
    text = "".join(file.read_text("utf-8") for file in DASHBOARDS)
    assert [name for name in MEASUREMENTS if name not in text] == []
    contents = [load_json(file) for file in DASHBOARDS]
    assert len({one["uid"] for one in contents}) == len(NAMES)


@pytest.mark.parametrize("file", DASHBOARDS, ids=NAMES)
def test_a_dashboard_is_one_of_the_grafana_that_is_deployed(file: Path) -> None:
    content = load_json(file)
    assert content["schemaVersion"] == 39
    assert content["title"]
    assert content["description"]
    [bot] = content["templating"]["list"]
    assert (bot["name"], bot["datasource"]["uid"]) == ("bot", "quarterdeck-influx")
    # An object, as Grafana's own editor writes it since 11.2; a text was what it wrote before.
    assert bot["query"]["refId"]
    assert 'tag: "bot"' in bot["query"]["query"]
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    assert compose["services"]["grafana"]["image"].startswith("grafana/grafana-oss:12.")
    ids = [panel["id"] for panel in content["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for panel in content["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _y in cells) < 24


@BY_TITLE
def test_a_panel_says_what_it_shows_and_asks_a_source_that_is_provisioned(
    panel: dict[str, Any],
) -> None:
    assert panel["type"] in KINDS
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    [target] = panel["targets"]
    for source in (panel["datasource"], target["datasource"]):
        assert datasources()[source["uid"]]["type"] == source["type"]
    is_flux = target["datasource"]["type"] == "influxdb"
    assert ("query" in target, "expr" in target) == (is_flux, not is_flux)


@BY_TITLE
def test_every_query_asks_for_what_is_told(panel: dict[str, Any]) -> None:
    [target] = panel["targets"]
    if "expr" in target:
        assert metric_names(target["expr"])
        assert metric_names(target["expr"]) <= set(METRICS)
        check_labels(target["expr"])
        return
    query = target["query"]
    measurement, fields, columns = names_in(query)
    assert fields
    for name in fields:
        measurement.field(name)
    is_pivoted = "pivot(" in query
    assert columns <= set(measurement.tags) | (fields if is_pivoted else set())
    called = {one[:-1] for one in CALL.findall(query)} - {"fn"}
    assert called <= FUNCTIONS
    assert query.startswith("from(bucket: v.defaultBucket)\n  |> range(start: v.timeRangeStart")
    assert query.count("(") == query.count(")")
    assert query.count('"') % 2 == 0
    # A variable without a bot is of all bots: the total has no bot that could be chosen.
    assert ("${bot:regex}" in query) != ('r.scope == "total"' in query)


def check_labels(expression: str) -> None:
    """Each label that an expression names is one of its metrics' or of Prometheus itself."""
    labels = {one for name in metric_names(expression) for one in METRICS[name].labels}
    named = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    for listed in re.findall(r"by \(([^)]*)\)", expression):
        named += re.findall(r"\w+", listed)
    assert set(named) <= labels | {"le", "job"}


def test_every_alert_asks_for_what_is_told() -> None:
    content = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text("utf-8"))
    rules = [rule for group in content["groups"] for rule in group["rules"]]
    assert {"QuarterdeckDown", "QuarterdeckHeartbeatOld", "QuarterdeckLate",
            "QuarterdeckDrawdown"} <= {rule["alert"] for rule in rules}  # fmt: skip
    for rule in rules:
        assert metric_names(rule["expr"]) <= set(METRICS)
        check_labels(rule["expr"])
        words = rule["annotations"]["summary"] + rule["annotations"]["description"]
        labels = {one for name in metric_names(rule["expr"]) for one in METRICS[name].labels}
        assert set(re.findall(r"\$labels\.(\w+)", words)) <= labels


def test_the_sources_are_as_grafana_wants_them_and_hold_no_secret() -> None:
    influx = datasources()["quarterdeck-influx"]
    assert influx["jsonData"]["version"] == "Flux"
    assert influx["jsonData"]["organization"] == "$INFLUX_ORG"
    assert influx["jsonData"]["defaultBucket"] == "$INFLUX_BUCKET"
    assert influx["secureJsonData"] == {"token": "$INFLUX_TOKEN"}
    file = GRAFANA / "provisioning" / "dashboards" / "quarterdeck.yaml"
    [provider] = yaml.safe_load(file.read_text("utf-8"))["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_names_of_metrics_follow_prometheus_rules() -> None:
    for metric in METRICS.values():
        assert re.fullmatch(r"quarterdeck_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert not [label for label in metric.labels if label == "id" or label.endswith("_id")]


# --- documentation --------------------------------------------------------------------------------


def rows_of_docs() -> set[tuple[str, ...]]:
    """The rows of all tables in docs/monitoring.md."""
    text = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    return {
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))
        for line in text.splitlines()
        if line.startswith("|")
    }


def test_the_documentation_has_every_tag_and_field() -> None:
    wanted = {
        (one.name, kind, name, words)
        for one in MEASUREMENTS.values()
        for kind, name, words in (
            *(("tag", name, words) for name, words in one.tags.items()),
            *((field.kind.name.lower(), field.name, field.words) for field in one.fields),
        )
    }
    assert {row for row in rows_of_docs() if row[0] in MEASUREMENTS} == wanted


def test_the_documentation_has_every_metric() -> None:
    wanted = {
        (one.name, one.kind.value, ", ".join(one.labels), one.words) for one in METRICS.values()
    }
    assert {row for row in rows_of_docs() if row[0].startswith("quarterdeck_")} == wanted


def test_the_documentation_explains_every_panel() -> None:
    rows = {row[:2] for row in rows_of_docs()}
    assert {(panel["title"], panel["description"]) for _name, panel in PANELS} <= rows
