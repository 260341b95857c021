"""A source of news in memory."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from engine.domain.news import NewsItem, NewsSubject, news_item
from engine.errors import DataError


class FakeNewsSource:
    """Implements ``NewsSource`` over ``articles`` (symbol, time, title, summary); ``failures`` are
    raised one a question; ``asked`` are the questions."""

    def __init__(self, source_id: str = "fake", title: str = "Fake news") -> None:
        self.source_id = source_id
        self.title = title
        self.articles: list[tuple[str, datetime, str, str]] = []
        self.failures: deque[DataError] = deque()
        self.asked: list[tuple[NewsSubject, datetime]] = []

    def fetch(self, subject: NewsSubject, since: datetime) -> Sequence[NewsItem]:
        """What there is about it since then, newest first."""
        self.asked.append((subject, since))
        if self.failures:
            raise self.failures.popleft()
        made = [
            news_item(
                self.source_id, symbol, at, title, at, summary=summary,
                url=f"https://news.example/{self.source_id}/{number}",
            )
            for number, (symbol, at, title, summary) in enumerate(self.articles)
            if symbol == subject.symbol and at >= since
        ]  # fmt: skip
        found = [one for one in made if one is not None]
        return sorted(found, key=lambda one: one.published_at, reverse=True)
