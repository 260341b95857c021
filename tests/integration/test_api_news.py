"""News over HTTP: the real desk over a source in memory; and the command."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.cli import main
from engine.contracts.news import NewsItem, NewsPage, NewsStatus
from engine.errors import SourceBusy
from tests.fakes.news_desk import HEADLINES
from tests.fakes.serve import TEST_TOKEN
from tests.fakes.services import FakeServices
from tests.support.fake_api import API, api_over, error_of

NOTE: dict[str, Any] = {
    "title": "<b>Fed</b> cuts", "symbol": "eur/usd", "summary": "By half.", "sentiment": 0.5,
    "url": "https://a.example/1",
}  # fmt: skip


@pytest.fixture
def services() -> FakeServices:
    return FakeServices(1)


@pytest.fixture
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


def page(api: httpx.Client, **query: Any) -> NewsPage:
    return NewsPage.model_validate_json(api.get(f"{API}/news", params=query).content)


def test_news_is_read_newest_first_and_narrowed(api: httpx.Client) -> None:
    everything = page(api)
    assert everything.count == len(HEADLINES)
    times = [one.published_at for one in everything.items]
    assert times == sorted(times, reverse=True)
    assert {one.symbol for one in page(api, symbol="btc/usdt").items} == {"BTC"}
    assert [one.symbol for one in page(api, search="upgrade").items] == ["ETH"]
    assert page(api, source="finnhub").count == 0
    second = page(api, limit=2, offset=2)
    assert (second.items, second.count) == (everything.items[2:4], everything.count)


def test_ones_own_news_is_cleaned_and_kept_once(api: httpx.Client) -> None:
    made = NewsItem.model_validate_json(api.post(f"{API}/news", json=NOTE).content)
    assert (made.title, made.symbol, made.source) == ("Fed cuts", "EURUSD", "own")
    assert api.post(f"{API}/news", json=NOTE).json()["id"] == made.id
    assert page(api, symbol="EURUSD").count == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "<script>x</script>"}, "title"),
        ({"title": "x" * 2_001}, "title"),
        ({"title": 5}, "title"),
        ({"symbol": "a;b"}, "symbol"),
        ({"symbol": "/"}, "symbol"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"sentiment": 1.5}, "sentiment"),
        ({"sentiment": "NaN"}, "sentiment"),
        ({"published_at": "2001-01-01T00:00:00Z"}, "published_at"),
        ({"published_at": "yesterday"}, "published_at"),
        ({"id": "mine"}, "id"),
    ],
)
def test_what_cannot_be_news_is_refused_by_its_field(
    api: httpx.Client, change: dict[str, Any], field: str
) -> None:
    before = page(api).count
    answer = api.post(f"{API}/news", json=NOTE | change)
    assert answer.status_code == 422
    assert [one["field"] for one in error_of(answer)["details"]] == [field]
    assert page(api).count == before


def test_a_refresh_asks_the_sources_and_says_why_it_cannot(
    api: httpx.Client, services: FakeServices
) -> None:
    source = services.fake_news.source
    source.articles.append(("SOL", services.now(), "Solana is up", ""))
    answer = api.post(f"{API}/news/refresh", json={"symbol": "SOL"})
    assert answer.status_code == 202
    assert [one.title for one in page(api, symbol="SOL").items] == ["Solana is up"]
    source.failures.append(SourceBusy("Finnhub's limit is reached.", retry_after_s=600))
    api.post(f"{API}/news/refresh", json={"symbol": "SOL"})
    status = NewsStatus.model_validate_json(api.get(f"{API}/news/status").content)
    finnhub = next(one for one in status.sources if one.id == "finnhub")
    assert (finnhub.last_error, finnhub.kept) == ("Finnhub's limit is reached.", 1)
    assert [one.id for one in status.sources if not one.is_configured] == [
        "alphavantage",
        "newsapi",
    ]
    assert "SOL" in status.symbols
    refused = api.post(f"{API}/news/refresh", json={"symbol": "SOL"})
    assert refused.status_code == 409
    assert "keeps a pause" in error_of(refused)["message"]
    assert api.post(f"{API}/news/refresh", json={"symbol": ""}).status_code == 422


# --- the command


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["news", *words]) == code
    out, err = capsys.readouterr()
    return out + err


def test_the_command_lists_refreshes_and_tells_the_sources(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "api.token").write_text(TEST_TOKEN, "ascii")
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
    with api_over(services) as api:
        monkeypatch.setenv("QUARTERDECK_API_PORT", str(api.base_url.port))
        assert "Bitcoin climbs" in run(capsys, "BTC")
        assert json.loads(run(capsys, "ETH", "--json"))["count"] == 1
        assert run(capsys, "ZZZ").strip() == "No news."
        assert "set QUARTERDECK_NEWSAPI_KEY" in run(capsys, "--sources")
        assert "asked about SOL" in run(capsys, "SOL", "--refresh")
        assert "Name a symbol" in run(capsys, "--refresh", code=2)
    assert [subject.symbol for subject, _ in services.fake_news.source.asked] == ["SOL"]
