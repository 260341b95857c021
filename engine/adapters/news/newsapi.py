"""News from newsapi.org: ``/v2/everything``, after newsapi.org/docs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from engine.adapters.news.client import DAY_PAUSE_S, NewsClient, Query, Reply, text_of
from engine.domain.instruments import InstrumentKind
from engine.domain.news import NewsItem, NewsSubject, news_item
from engine.errors import DataError
from engine.ports import Clock

MOST = 50
REMOVED = "[Removed]"
"""What the title of an article becomes that its paper took back."""

KEY_CODES = frozenset({"apiKeyDisabled", "apiKeyInvalid", "apiKeyMissing"})
CONTEXTS = {
    InstrumentKind.CRYPTO: "(crypto OR cryptocurrency OR coin)",
    InstrumentKind.STOCK: "(stock OR shares)",
}
LIMIT_CODES = frozenset({"apiKeyExhausted", "rateLimited"})


class NewsApi:
    """Implements ``NewsSource``. Its free plan is a day late and for development only."""

    source_id = "newsapi"
    title = "NewsAPI"

    def __init__(self, url: str, key: str, clock: Clock, *, timeout_s: float = 15.0) -> None:
        self._client = NewsClient(self.title, url, key, timeout_s=timeout_s)
        self._headers = {"X-Api-Key": key}
        self._clock = clock

    def fetch(self, subject: NewsSubject, since: datetime) -> Sequence[NewsItem]:
        """Articles that name the subject in title or description."""
        query: Query = {
            "q": _query(subject), "searchIn": "title,description", "language": "en",
            "sortBy": "publishedAt", "pageSize": MOST,
            "from": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        }  # fmt: skip
        reply = self._client.ask("/v2/everything", query, self._headers)
        body = reply.body if isinstance(reply.body, dict) else {}
        if reply.status != 200 or body.get("status") != "ok":
            raise self._refusal(reply, body)
        articles = body.get("articles")
        if not isinstance(articles, list):
            raise self._client.unreadable()
        found = [self._item(one, subject) for one in articles[:MOST]]
        return [one for one in found if one is not None and one.published_at >= since]

    def _item(self, article: Any, subject: NewsSubject) -> NewsItem | None:
        """None for one that has no title or time, or was taken back."""
        if not isinstance(article, dict) or article.get("title") == REMOVED:
            return None
        try:
            published = datetime.fromisoformat(text_of(article.get("publishedAt")))
        except ValueError:
            return None
        return news_item(
            self.source_id, subject.symbol, published.replace(tzinfo=published.tzinfo or UTC),
            text_of(article.get("title")), self._clock.now(),
            summary=text_of(article.get("description")), url=text_of(article.get("url")),
        )  # fmt: skip

    def _refusal(self, reply: Reply, body: dict[str, Any]) -> DataError:
        said, code = text_of(body.get("message")), body.get("code")
        if code in KEY_CODES:
            return self._client.refusal(Reply(401, None, None), said)
        if code in LIMIT_CODES:
            wait_s = DAY_PAUSE_S if reply.retry_after_s is None else reply.retry_after_s
            return self._client.limited(said, wait_s)
        if reply.status == 200:  # a success that says it is none, or nothing that it should
            return self._client.refusal(reply, said) if said else self._client.unreadable()
        return self._client.refusal(reply, said)


def _query(subject: NewsSubject) -> str:
    """Its names, each as a phrase, with what makes a ticker one: NEAR and F are words, too."""
    names = subject.words[:2] if subject.kind is InstrumentKind.FOREX else subject.words
    phrases = " OR ".join(f'"{name.replace(chr(34), "")}"' for name in names)
    context = CONTEXTS.get(subject.kind)
    return f"({phrases}) AND {context}" if context else phrases
