"""Performance over HTTP: figures, reports, filters and what is refused."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from engine.contracts.performance import GROUPINGS, METRICS, PerformanceView
from engine.errors import StoreError
from tests.fakes.services import FakeServices
from tests.support.fake_api import API, api_over, error_of

PATH = f"{API}/performance"


@pytest.fixture
def services() -> FakeServices:
    return FakeServices(5, 8)


@pytest.fixture
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


def view_of(response: httpx.Response) -> PerformanceView:
    assert response.status_code == 200, response.text
    return PerformanceView.model_validate_json(response.content)


def test_figures_by_quote_asset(api: httpx.Client, services: FakeServices) -> None:
    view = view_of(api.get(PATH))
    quotes = {trade.quote for trade in services.trades_made}
    assert {one.quote for one in view.quotes} == quotes and len(quotes) > 1
    for one in view.quotes:
        own = [trade for trade in services.trades_made if trade.quote == one.quote]
        assert one.analysis.metrics.trades == len(own)
        assert one.analysis.metrics.fees == pytest.approx(float(sum(t.fees for t in own)))
        assert sum(row.pnl for row in one.compared) == pytest.approx(float(sum(t.pnl for t in own)))
        assert one.is_marked and one.analysis.remarks


def test_every_grouping_compares(api: httpx.Client) -> None:
    for by in GROUPINGS:
        view = view_of(api.get(PATH, params={"by": by, "quote": "USDT"}))
        (one,) = view.quotes
        assert view.by == by
        assert sum(row.trades for row in one.compared) == one.analysis.metrics.trades, by


def test_filters_narrow(api: httpx.Client, services: FakeServices) -> None:
    (one,) = view_of(api.get(PATH, params={"bot": "btc-rsi"})).quotes
    assert one.analysis.metrics.trades == 8
    times = sorted(t.exit_time for t in services.trades_made if t.bot_name == "btc-rsi")
    params = {"bot": "b0001", "since": times[2].isoformat(), "until": times[5].isoformat()}
    (one,) = view_of(api.get(PATH, params=params)).quotes
    assert one.analysis.metrics.trades == 3
    assert view_of(api.get(PATH, params={"symbol": "NONE/USDT"})).quotes == ()
    del services.bots["b0001"]  # its trades stay, under the name it had
    (one,) = view_of(api.get(PATH, params={"bot": "btc-rsi"})).quotes
    assert one.analysis.metrics.trades == 8


def test_replays_beside_other_markets_are_told(api: httpx.Client, services: FakeServices) -> None:
    assert not any(one.mixes_replays for one in view_of(api.get(PATH)).quotes)
    first = services.trades_made[0]
    services.trades_made[0] = first.model_copy(update={"market": "replay:/a.csv"})
    view = view_of(api.get(PATH, params={"quote": first.quote}))
    assert [one.mixes_replays for one in view.quotes] == [True]
    alone = view_of(api.get(PATH, params={"market": "replay:/a.csv"}))
    assert [one.mixes_replays for one in alone.quotes] == [False]


def test_nothing_traded_is_no_quote(services: FakeServices, api: httpx.Client) -> None:
    services.trades_made.clear()
    services.performance.has_marks = False
    assert view_of(api.get(PATH)).quotes == ()
    assert "nothing was traded" in api.get(f"{PATH}/report.html").text


def test_the_report_is_a_page_to_keep(api: httpx.Client, services: FakeServices) -> None:
    response = api.get(f"{PATH}/report.html", params={"bot": "btc-rsi"})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert 'filename="performance.html"' in response.headers["content-disposition"]
    assert "bot btc-rsi, as of 2" in response.text
    assert response.text.count("<svg") == 3
    newest = max(t.exit_time for t in services.trades_made if t.bot_name == "btc-rsi")
    assert f"{newest.astimezone(UTC):%Y-%m-%dT%H:%M}" in response.text
    assert "In USDT" in response.text


def test_each_table_as_csv(api: httpx.Client, services: FakeServices) -> None:
    def rows(table: str) -> list[dict[str, str]]:
        answer = api.get(f"{PATH}/report.csv", params={"table": table, "quote": "USDT"})
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert f"performance-{table}.csv" in answer.headers["content-disposition"]
        return list(csv.DictReader(io.StringIO(answer.text, newline="")))

    assert [row["key"] for row in rows("metrics")] == [metric.key for metric in METRICS]
    own = {trade.id for trade in services.trades_made if trade.quote == "USDT"}
    assert {row["id"] for row in rows("trades")} == own
    assert len(rows("equity")) > 2
    assert api.get(f"{PATH}/report.csv").text.startswith("quote,key,")


def test_wrong_input_is_refused_at_its_field(api: httpx.Client) -> None:
    wrong: list[tuple[dict[str, str], str]] = [
        ({"by": "luck"}, "by"),
        ({"window": "1"}, "window"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-02-02T00:00:00"}, "since"),
        ({"since": "2026-02-02T00:00:00Z", "until": "2026-02-01T00:00:00Z"}, ""),
        ({"surprise": "1"}, "surprise"),
    ]
    for query, field in wrong:
        for path in (PATH, f"{PATH}/report.html", f"{PATH}/report.csv"):
            error = error_of(api.get(path, params=query))
            assert [row["field"] for row in error["details"]] == [field], (path, query)
    error = error_of(api.get(f"{PATH}/report.csv", params={"table": "secrets"}))
    assert error["details"][0]["field"] == "table"


def test_a_database_that_fails_gives_no_half_report(
    api: httpx.Client, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    for name in ("view", "html", "csv"):
        monkeypatch.setattr(services.performance, name, fail)
    for path in ("", "/report.html", "/report.csv?table=trades"):
        response = api.get(f"{PATH}{path}")
        assert (response.status_code, error_of(response)["code"]) == (503, "store")


def test_it_says_when(api: httpx.Client) -> None:
    age = datetime.now(UTC) - view_of(api.get(PATH)).now
    assert abs(age.total_seconds()) < 60
