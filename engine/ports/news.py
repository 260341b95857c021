"""Where news comes from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from engine.domain.news import NewsItem, NewsSubject


class NewsSource(Protocol):
    """One provider of news. Thread-safe."""

    source_id: str
    title: str

    def fetch(self, subject: NewsSubject, since: datetime) -> Sequence[NewsItem]:
        """What was published about ``subject`` since then, newest first, cleaned. One request.
        Raises SourceBusy (not before ``retry_after_s``) or DataError, in words for the user, when
        the provider does not answer or refuses."""
        ...
