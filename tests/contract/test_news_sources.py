"""Sources of news, against servers that answer as their providers document, faults included."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.adapters.news.alphavantage import AlphaVantage
from engine.adapters.news.finnhub import Finnhub
from engine.adapters.news.newsapi import NewsApi
from engine.domain.instruments import InstrumentKind
from engine.domain.news import NewsItem, NewsSubject
from engine.errors import DataError, SourceBusy
from engine.ports import NewsSource
from tests.fakes.clock import FakeClock
from tests.fakes.news import KEY, FakeNewsSource, NewsVendors, news_vendors
from tests.fakes.news.server import Article

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
WEEK = NOW - timedelta(days=7)
BITCOIN = NewsSubject("BTC", InstrumentKind.CRYPTO, "Bitcoin")
APPLE = NewsSubject("AAPL", InstrumentKind.STOCK, "Apple")
EURO = NewsSubject("EURUSD", InstrumentKind.FOREX)
VENDORS: dict[str, Callable[..., Any]] = {
    "newsapi": NewsApi, "finnhub": Finnhub, "alphavantage": AlphaVantage,
}  # fmt: skip


@dataclass
class Vendor:
    """A source and the server that it asks."""

    source: NewsSource
    server: NewsVendors


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def fill(server: NewsVendors) -> None:
    server.articles = [
        Article("BTC", hours_ago(1), "Bitcoin &amp; friends <b>rise</b>", "It <i>rose</i>.",
                score=0.4),
        Article("BTC", hours_ago(30), "Bitcoin slept", "Quiet.", "https://paper.example/2", -0.1),
        Article("BTC", hours_ago(24 * 9), "Bitcoin was born", "Long ago."),
        Article("AAPL", hours_ago(2), "Apple sells phones", "AAPL did.", "https://paper.example/3"),
        Article("EURUSD", hours_ago(3), "The euro is EUR/USD news", "ECB.", "https://paper.example/4"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[NewsVendors]:
    with news_vendors() as server:
        yield server


@pytest.fixture
def server(running: NewsVendors) -> NewsVendors:
    """In order, and with news."""
    running.faults.clear()
    running.asked.clear()
    running.edit, running.retry_after = None, ""
    fill(running)
    return running


@pytest.fixture(params=list(VENDORS))
def vendor(request: pytest.FixtureRequest, server: NewsVendors) -> Vendor:
    made = VENDORS[request.param](server.url, KEY, FakeClock(NOW), timeout_s=5.0)
    return Vendor(made, server)


def in_memory() -> NewsSource:
    source = FakeNewsSource()
    source.articles = [("BTC", hours_ago(1), "Bitcoin & friends rise", "It rose."),
                       ("BTC", hours_ago(30), "Bitcoin slept", "Quiet."),
                       ("BTC", hours_ago(24 * 9), "Bitcoin was born", "Long ago."),
                       ("AAPL", hours_ago(2), "Apple sells phones", "AAPL did."),
                       ("EURUSD", hours_ago(3), "The euro is EUR/USD news", "ECB.")]  # fmt: skip
    return source


# --- what is true of all


def check(source: NewsSource) -> None:
    found = source.fetch(BITCOIN, WEEK)
    assert [one.title for one in found] == ["Bitcoin & friends rise", "Bitcoin slept"]
    assert [one.published_at for one in found] == [hours_ago(1), hours_ago(30)]
    assert {one.symbol for one in found} == {"BTC"}
    assert {one.source for one in found} == {source.source_id}
    assert found[0].summary == "It rose."
    assert [one.id for one in source.fetch(BITCOIN, WEEK)] == [one.id for one in found]
    assert len({one.id for one in found}) == 2
    assert [one.title for one in source.fetch(APPLE, WEEK)] == ["Apple sells phones"]
    assert [one.title for one in source.fetch(EURO, WEEK)] == ["The euro is EUR/USD news"]
    assert not source.fetch(NewsSubject("ZZZ", InstrumentKind.CRYPTO), WEEK)
    assert [one.title for one in source.fetch(BITCOIN, hours_ago(5))] == ["Bitcoin & friends rise"]


def test_news_is_of_the_subject_and_the_time_newest_first_under_ids_that_stay(
    vendor: Vendor,
) -> None:
    check(vendor.source)


def test_the_one_in_memory_is_like_them() -> None:
    check(in_memory())


@pytest.mark.parametrize("fault", ["500", "503", "junk", "cut", "huge", "moved", "400", "403"])
def test_a_fault_is_told_in_words_without_the_key(vendor: Vendor, fault: str) -> None:
    vendor.server.faults.append(fault)
    with pytest.raises(DataError) as caught:
        vendor.source.fetch(BITCOIN, WEEK)
    told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.message}"
    assert vendor.source.title in caught.value.message
    assert KEY not in told
    assert "http" not in caught.value.message
    assert isinstance(caught.value, SourceBusy) == (fault in ("500", "503", "cut"))
    assert vendor.source.fetch(BITCOIN, WEEK), "the next question is answered"


def test_a_limit_says_how_long_to_wait(vendor: Vendor) -> None:
    vendor.server.faults.append("limit")
    with pytest.raises(SourceBusy, match="limit is reached") as caught:
        vendor.source.fetch(BITCOIN, WEEK)
    assert caught.value.retry_after_s >= 60
    assert KEY not in caught.value.message


@pytest.mark.parametrize(("told", "waited_s"), [("7", 7.0), ("999999999", 86_400.0), ("soon", 60)])
def test_retry_after_is_heeded_within_reason(
    server: NewsVendors, told: str, waited_s: float
) -> None:
    server.faults.append("limit")
    server.retry_after = told
    with pytest.raises(SourceBusy) as caught:
        Finnhub(server.url, KEY, FakeClock(NOW)).fetch(APPLE, WEEK)
    assert caught.value.retry_after_s == waited_s


def test_a_wrong_key_says_so_and_is_not_repeated(vendor: Vendor) -> None:
    vendor.server.faults.append("key")
    with pytest.raises(DataError, match=r"does not accept the key.*\.env") as caught:
        vendor.source.fetch(BITCOIN, WEEK)
    assert KEY not in caught.value.message
    assert not isinstance(caught.value, SourceBusy)


def test_a_silent_provider_is_not_waited_for(server: NewsVendors) -> None:
    server.faults.append("slow")
    with pytest.raises(SourceBusy, match=r"did not answer in 0\.2 s"):
        Finnhub(server.url, KEY, FakeClock(NOW), timeout_s=0.2).fetch(APPLE, WEEK)


@pytest.mark.parametrize("kind", VENDORS.values())
def test_nobody_there(kind: Callable[..., Any]) -> None:
    with pytest.raises(SourceBusy, match="cannot be reached") as caught:
        kind("http://127.0.0.1:9", KEY, FakeClock(NOW)).fetch(BITCOIN, WEEK)
    assert KEY not in caught.value.message


def test_the_key_is_in_no_log_line(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.source.fetch(BITCOIN, WEEK)
    assert KEY not in caplog.text
    sent = [query for _, query in vendor.server.asked if KEY in query.values()]
    assert bool(sent) == (vendor.source.source_id == "alphavantage")  # it takes no header


JUNK: tuple[Any, ...] = (
    None, 1, "text", [], {}, {"status": "ok"}, {"status": "ok", "articles": 5}, {"feed": {}},
    {"status": "ok", "articles": [1, None, {}, {"title": 5, "publishedAt": "2026-03-02"}]},
    [1, None, "x", {"headline": "Bitcoin", "datetime": "NaN"}, {"datetime": 1e300},
     {"headline": ["Bitcoin"], "datetime": 1.0}],
    {"feed": [{"title": "Bitcoin", "time_published": "yesterday"}, 7, {"ticker_sentiment": 5}]},
    {"Information": 5}, {"Note": None},
)  # fmt: skip


@pytest.mark.parametrize("body", JUNK, ids=lambda body: str(body)[:40])
def test_an_answer_of_another_form_is_refused_or_gives_nothing(vendor: Vendor, body: Any) -> None:
    vendor.server.edit = body if body is not None else 0
    try:
        found = vendor.source.fetch(BITCOIN, WEEK)
    except DataError as error:
        assert "cannot be read" in error.message
    else:
        assert not found


# --- each vendor's own


def newest(source: NewsSource) -> NewsItem:
    return source.fetch(BITCOIN, WEEK)[0]


def test_newsapi_asks_for_names_as_phrases(server: NewsVendors) -> None:
    source = NewsApi(server.url, KEY, FakeClock(NOW))
    for subject in (BITCOIN, EURO, NewsSubject("F", InstrumentKind.STOCK),
                    NewsSubject("X", InstrumentKind.STOCK, 'A "quoted" name')):  # fmt: skip
        source.fetch(subject, WEEK)
    assert [query["q"] for _, query in server.asked] == [
        '("BTC" OR "Bitcoin") AND (crypto OR cryptocurrency OR coin)', '"EUR/USD" OR "EURUSD"',
        '("F") AND (stock OR shares)', '("X" OR "A quoted name") AND (stock OR shares)',
    ]  # fmt: skip
    assert {query["from"] for _, query in server.asked} == {"2026-02-23T12:30:00"}


def test_newsapi_leaves_out_what_was_taken_back(server: NewsVendors) -> None:
    server.edit = {"status": "ok", "articles": [
        {"title": "[Removed]", "publishedAt": "2026-03-02T10:00:00Z", "url": "https://removed.com"},
        {"title": "Kept", "publishedAt": "2026-03-02T09:00:00Z", "url": "javascript:alert(1)"},
    ]}  # fmt: skip
    found = NewsApi(server.url, KEY, FakeClock(NOW)).fetch(BITCOIN, WEEK)
    assert [(one.title, one.url) for one in found] == [("Kept", "")]


def test_finnhubs_news_of_a_market_is_about_a_coin_only_where_it_is_named(
    server: NewsVendors,
) -> None:
    server.articles = [Article("X", hours_ago(1), "A bank near you", "and a link", "https://a.b/1"),
                       Article("X", hours_ago(2), "NEAR gains", "", "https://a.b/2")]  # fmt: skip
    source = Finnhub(server.url, KEY, FakeClock(NOW))
    near = NewsSubject("NEAR", InstrumentKind.CRYPTO, "NEAR Protocol")
    assert [one.title for one in source.fetch(near, WEEK)] == ["NEAR gains"]


def test_a_key_with_a_letter_that_none_has_is_told(vendor: Vendor) -> None:
    if vendor.source.source_id == "alphavantage":
        return  # in an address any letter can be written: the provider refuses it
    made = VENDORS[vendor.source.source_id](vendor.server.url, "kéy-canary", FakeClock(NOW))
    with pytest.raises(DataError, match=r"letter that no key has.*\.env") as caught:
        made.fetch(BITCOIN, WEEK)
    assert "canary" not in f"{caught.value.message} {caught.value.__cause__!r}"


def test_finnhub_asks_for_a_company_or_for_a_market(server: NewsVendors) -> None:
    source = Finnhub(server.url, KEY, FakeClock(NOW))
    for subject in (APPLE, BITCOIN, EURO):
        source.fetch(subject, WEEK)
    assert server.asked == [
        ("/api/v1/company-news", {"symbol": "AAPL", "from": "2026-02-23", "to": "2026-03-02"}),
        ("/api/v1/news", {"category": "crypto"}),
        ("/api/v1/news", {"category": "forex"}),
    ]


def test_alpha_vantage_tells_the_sentiment_towards_the_ticker(server: NewsVendors) -> None:
    source = AlphaVantage(server.url, KEY, FakeClock(NOW))
    assert [one.sentiment for one in source.fetch(BITCOIN, WEEK)] == [0.4, -0.1]
    source.fetch(EURO, WEEK)
    source.fetch(APPLE, WEEK)
    assert [query["tickers"] for _, query in server.asked] == [
        "CRYPTO:BTC", "FOREX:EUR,FOREX:USD", "AAPL",
    ]  # fmt: skip


@pytest.mark.parametrize("score", ["NaN", "7", "x", None, True, "1e999"])
def test_a_sentiment_that_is_none_is_left_out(server: NewsVendors, score: Any) -> None:
    server.edit = {"feed": [{"title": "T", "time_published": "20260302T100000",
                             "overall_sentiment_score": score}]}  # fmt: skip
    found = newest(AlphaVantage(server.url, KEY, FakeClock(NOW)))
    assert found.sentiment is None


def test_news_of_the_future_is_of_now(server: NewsVendors) -> None:
    server.edit = {"feed": [{"title": "T", "time_published": "20990302T100000"}]}
    found = newest(AlphaVantage(server.url, KEY, FakeClock(NOW)))
    assert found.published_at == NOW
