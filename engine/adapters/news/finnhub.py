"""News from Finnhub: ``/api/v1/company-news`` of a stock, ``/api/v1/news`` of crypto and
currencies, after finnhub.io/docs/api."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from engine.adapters.news.client import NewsClient, Query, number_of, text_of
from engine.domain.instruments import InstrumentKind
from engine.domain.news import NewsItem, NewsSubject, news_item
from engine.ports import Clock

MOST = 50
CATEGORIES = {InstrumentKind.CRYPTO: "crypto", InstrumentKind.FOREX: "forex"}


class Finnhub:
    """Implements ``NewsSource``."""

    source_id = "finnhub"
    title = "Finnhub"

    def __init__(self, url: str, key: str, clock: Clock, *, timeout_s: float = 15.0) -> None:
        self._client = NewsClient(self.title, url, key, timeout_s=timeout_s)
        self._headers = {"X-Finnhub-Token": key}
        self._clock = clock

    def fetch(self, subject: NewsSubject, since: datetime) -> Sequence[NewsItem]:
        """A stock's own news; of crypto and currencies what names the subject."""
        path, query = self._question(subject, since)
        reply = self._client.ask(path, query, self._headers)
        if reply.status != 200:
            body = reply.body if isinstance(reply.body, dict) else {}
            raise self._client.refusal(reply, text_of(body.get("error")))
        if not isinstance(reply.body, list):
            raise self._client.unreadable()
        found = [self._item(one, subject) for one in reply.body]
        kept = [one for one in found if one is not None and one.published_at >= since]
        return sorted(kept, key=lambda one: one.published_at, reverse=True)[:MOST]

    def _question(self, subject: NewsSubject, since: datetime) -> tuple[str, Query]:
        category = CATEGORIES.get(subject.kind)
        if category is not None:
            return "/api/v1/news", {"category": category}
        now = self._clock.now()
        return "/api/v1/company-news", {
            "symbol": subject.symbol, "from": f"{since.astimezone(UTC):%Y-%m-%d}",
            "to": f"{now:%Y-%m-%d}",
        }  # fmt: skip

    def _item(self, article: Any, subject: NewsSubject) -> NewsItem | None:
        """None for one without title or time, or that is not about the subject."""
        if not isinstance(article, dict):
            return None
        seconds = number_of(article.get("datetime"))
        title, summary = text_of(article.get("headline")), text_of(article.get("summary"))
        if subject.kind in CATEGORIES and not _names(subject, f"{title} {summary}"):
            return None
        try:
            published = datetime.fromtimestamp(seconds or 0.0, UTC)
        except (OSError, OverflowError, ValueError):
            return None
        return news_item(
            self.source_id, subject.symbol, published, title, self._clock.now(),
            summary=summary, url=text_of(article.get("url")),
        )  # fmt: skip


def _names(subject: NewsSubject, text: str) -> bool:
    """Whether a text of a whole market has one of the subject's words in it. Coins are written as
    they are: NEAR is one, "near" is not."""
    words = "|".join(re.escape(one) for one in subject.words)
    flags = re.IGNORECASE if subject.kind is InstrumentKind.FOREX else re.NOFLAG
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text, flags) is not None
