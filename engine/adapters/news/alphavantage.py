"""News with sentiment from Alpha Vantage: ``NEWS_SENTIMENT``, after
alphavantage.co/documentation. Its refusals come with status 200, as a message."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from engine.adapters.news.client import (
    DAY_PAUSE_S,
    PAUSE_S,
    NewsClient,
    Query,
    Reply,
    number_of,
    text_of,
)
from engine.domain.instruments import InstrumentKind
from engine.domain.news import NewsItem, NewsSubject, news_item
from engine.errors import DataError
from engine.ports import Clock

MOST = 50
TIME = "%Y%m%dT%H%M%S"
MESSAGES = ("Information", "Note", "Error Message")
NOTHING = "no articles found"
"""How it says that there is no news."""


class AlphaVantage:
    """Implements ``NewsSource``. The one provider that wants its key in the address."""

    source_id = "alphavantage"
    title = "Alpha Vantage"

    def __init__(self, url: str, key: str, clock: Clock, *, timeout_s: float = 15.0) -> None:
        self._client = NewsClient(self.title, url, key, timeout_s=timeout_s)
        self._key = key
        self._clock = clock

    def fetch(self, subject: NewsSubject, since: datetime) -> Sequence[NewsItem]:
        """Articles about the ticker, each with the sentiment towards it."""
        tickers = _tickers(subject)
        query: Query = {
            "function": "NEWS_SENTIMENT", "tickers": ",".join(tickers), "sort": "LATEST",
            "time_from": f"{since.astimezone(UTC):%Y%m%dT%H%M}", "limit": MOST,
            "apikey": self._key,
        }  # fmt: skip
        reply = self._client.ask("/query", query)
        body = reply.body if isinstance(reply.body, dict) else {}
        said = next((text_of(body[name]) for name in MESSAGES if name in body), "")
        if NOTHING in said.lower():
            return []
        feed = body.get("feed")
        if reply.status != 200 or said or not isinstance(feed, list):
            raise self._refusal(reply, said)
        found = [self._item(one, subject, tickers[0]) for one in feed[:MOST]]
        return [one for one in found if one is not None and one.published_at >= since]

    def _item(self, article: Any, subject: NewsSubject, ticker: str) -> NewsItem | None:
        """None for one that has no title or time."""
        if not isinstance(article, dict):
            return None
        try:
            told = text_of(article.get("time_published"))
            published = datetime.strptime(told, TIME).replace(tzinfo=UTC)
        except ValueError:
            return None
        return news_item(
            self.source_id, subject.symbol, published, text_of(article.get("title")),
            self._clock.now(), summary=text_of(article.get("summary")),
            url=text_of(article.get("url")), sentiment=_sentiment(article, ticker),
        )  # fmt: skip

    def _refusal(self, reply: Reply, said: str) -> DataError:
        words = said.lower()
        if "per day" in words:
            return self._client.limited(said, DAY_PAUSE_S)
        if "rate limit" in words or "call frequency" in words or "per minute" in words:
            return self._client.limited(said, PAUSE_S)
        if "apikey" in words or "api key" in words:
            return self._client.refusal(Reply(401, None, None), said)
        if reply.status == 200 and not said:
            return self._client.unreadable()
        return self._client.refusal(reply, said)


def _tickers(subject: NewsSubject) -> tuple[str, ...]:
    """As Alpha Vantage names them; articles about a pair name both of its currencies."""
    if subject.kind is InstrumentKind.FOREX:
        return f"FOREX:{subject.symbol[:3]}", f"FOREX:{subject.symbol[3:]}"
    if subject.kind is InstrumentKind.CRYPTO:
        return (f"CRYPTO:{subject.symbol}",)
    return (subject.symbol,)


def _sentiment(article: dict[str, Any], ticker: str) -> float | None:
    """That towards the ticker where it is told, else that of the whole article."""
    rows = article.get("ticker_sentiment")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("ticker") == ticker:
            return number_of(row.get("ticker_sentiment_score"))
    return number_of(article.get("overall_sentiment_score"))
