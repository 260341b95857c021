"""News for the API: pages of what is kept, the sources, a user's own."""

from dataclasses import asdict
from typing import Any, Protocol

from engine.contracts.news import (
    NewsFilter,
    NewsItem,
    NewsNote,
    NewsPage,
    NewsRefresh,
    NewsSourceView,
    NewsStatus,
)
from engine.domain.news import OWN, subject_named
from engine.errors import Conflict
from engine.services.books import Books
from engine.services.news_desk import KEPT, RECENT, NewsDesk, SourceState


class NewsServices(Protocol):
    """What can be known of news."""

    def page(self, chosen: NewsFilter) -> NewsPage:
        """Newest first."""
        ...

    def status(self) -> NewsStatus:
        """Every source, those without a key too."""
        ...

    def refresh(self, request: NewsRefresh) -> NewsStatus:
        """Ask every source about a symbol, in the background. Raises Conflict when none can be
        asked now, saying why."""
        ...

    def add(self, note: NewsNote, actor: str) -> NewsItem:
        """A user's own. Raises ConfigError naming the field."""
        ...


class NewsViews:
    """Implements ``NewsServices``."""

    def __init__(self, books: Books, desk: NewsDesk) -> None:
        self._books = books
        self._desk = desk

    def page(self, chosen: NewsFilter) -> NewsPage:
        """From the store; no source is asked."""
        where: dict[str, Any] = {"search": chosen.search}
        if chosen.symbol.strip():
            where["symbol"] = subject_named(chosen.symbol).symbol
        if chosen.source:
            where["source"] = chosen.source
        with self._books.store.reading() as tx:
            items = tx.news.select(
                is_descending=True, limit=chosen.limit, offset=chosen.offset, **where
            )
            return NewsPage(items=tuple(items), count=tx.news.count(**where))

    def status(self) -> NewsStatus:
        """The sources from memory, the counts from the store."""
        states = self._desk.states()
        with self._books.store.reading() as tx:
            kept = {name: tx.news.count(source=name)
                    for name in (OWN, *(one.source_id for one in states))}  # fmt: skip
            since = self._books.clock.now() - RECENT
            symbols = {symbol for (symbol,) in tx.news.values("symbol", since=since)}
        return NewsStatus(
            every_s=round(self._desk.every_s),
            kept_days=KEPT.days,
            sources=tuple(_view(one, kept[one.source_id]) for one in states),
            own_kept=kept[OWN],
            symbols=tuple(sorted(symbols - {""})),
        )

    def refresh(self, request: NewsRefresh) -> NewsStatus:
        """Begins; the answers come later."""
        if not self._desk.refresh(request.symbol, is_forced=True):
            raise Conflict(self._objection())
        return self.status()

    def _objection(self) -> str:
        configured = [one for one in self._desk.states() if one.is_configured]
        if not configured:
            names = ", ".join(one.setting for one in self._desk.states())
            return f"No source of news has a key: set one of {names} in .env, and start anew."
        titles = ", ".join(one.title for one in configured)
        return (
            f"No source can be asked now ({titles}): each keeps a pause that it asked for, or has"
            " too many questions waiting. Try again later."
        )

    def add(self, note: NewsNote, actor: str) -> NewsItem:
        """Kept at once."""
        return self._desk.add_own(
            note.title, actor, symbol=note.symbol, summary=note.summary, url=note.url,
            sentiment=note.sentiment, published_at=note.published_at,
        )  # fmt: skip


def _view(state: SourceState, kept: int) -> NewsSourceView:
    fields = asdict(state)
    return NewsSourceView(id=fields.pop("source_id"), kept=kept, **fields)
