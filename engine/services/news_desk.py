"""News for models and people: answered from the store at once, fetched in the background.

Each source is asked on a lane of its own, about a symbol at most every ``every_s``, and not before
the pause that it asked for is over; a slow or broken one delays nobody.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from engine.domain.instruments import Instrument
from engine.domain.news import (
    OWN,
    NewsItem,
    NewsSubject,
    news_item,
    subject_named,
    subject_of,
    without_repeats,
)
from engine.errors import ConfigError, QuarterdeckError, SourceBusy
from engine.ports import NewsSource, Store
from engine.services.books import Books

log = logging.getLogger("quarterdeck.news")

KEPT = timedelta(days=30)
RECENT = timedelta(days=7)
"""Older news is none: a model is not told it."""
OVERLAP = timedelta(hours=12)
"""Asked for again: sources index some articles late."""
REPEATS = 4
"""So many times the wanted items are read, since sources repeat one another."""
TOLD = 10
"""Items that a model is told."""
MOST_WAITING = 50

Spawn = Callable[[str, Callable[[], None]], None]
"""Runs a call on a lane in the background, from whatever thread."""


@dataclass(frozen=True)
class SourceState:
    """What is known of one source. ``setting`` is the variable that its key is in."""

    source_id: str
    title: str
    setting: str
    is_configured: bool
    waiting: int = 0
    last_asked_at: datetime | None = None
    last_answer_at: datetime | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    paused_until: datetime | None = None


@dataclass(frozen=True)
class SourceOffer:
    """A source there is; ``source`` is None until its key is set."""

    source_id: str
    title: str
    setting: str
    source: NewsSource | None


class NewsDesk:
    """Thread-safe; nothing here waits for a source."""

    def __init__(
        self, books: Books, offers: Sequence[SourceOffer], every_s: float, spawn: Spawn
    ) -> None:
        self.every_s = every_s
        self._books = books
        self._store: Store = books.store
        self._clock = books.clock
        self._spawn = spawn
        self._sources = {
            offer.source_id: offer.source for offer in offers if offer.source is not None
        }
        self._states = {
            offer.source_id: SourceState(
                offer.source_id, offer.title, offer.setting, offer.source is not None
            )
            for offer in offers
        }
        self._asked_at: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()

    # --- what there is --------------------------------------------------------------------------

    def recent(
        self, about: NewsSubject | str, limit: int, until: datetime | None = None
    ) -> tuple[NewsItem, ...]:
        """The newest items about it (and about the market as a whole) of the last week, from the
        store; what is due is fetched meanwhile, for the next time.

        ``until`` is the market's own time: a replay is told nothing of its future, and nothing is
        fetched for a past that no source would tell of. Raises StoreError.
        """
        subject = subject_named(about) if isinstance(about, str) else about
        now = self._clock.now()
        seen_from = now if until is None else min(until, now)
        if now - seen_from <= RECENT:
            self.refresh(subject)
        with self._store.reading() as tx:
            found = tx.news.select(
                symbol=[subject.symbol, ""], since=seen_from - RECENT,
                until=seen_from + timedelta(microseconds=1),
                is_descending=True, limit=limit * REPEATS,
            )  # fmt: skip
        return without_repeats(found, limit)

    def about(self, instrument: Instrument, until: datetime | None = None) -> tuple[NewsItem, ...]:
        """What a model is told of an instrument, as ``recent``; ``until`` is its market's now."""
        return self.recent(subject_of(instrument), TOLD, until)

    def states(self) -> tuple[SourceState, ...]:
        """Every source, those without a key too; from memory."""
        with self._lock:
            return tuple(self._states.values())

    # --- fetching -------------------------------------------------------------------------------

    def refresh(self, about: NewsSubject | str, *, is_forced: bool = False) -> tuple[str, ...]:
        """Begin to ask the sources that are due, or all that keep no pause when ``is_forced``;
        the ids of those that are asked."""
        subject = subject_named(about) if isinstance(about, str) else about
        begun = [
            source_id for source_id in self._sources if self._claim(source_id, subject, is_forced)
        ]
        for source_id in begun:
            self._spawn(f"news:{source_id}", partial(self._fetch, source_id, subject))
        return tuple(begun)

    def _claim(self, source_id: str, subject: NewsSubject, is_forced: bool) -> bool:
        """Whether the source is to be asked now; from then on it counts as asked."""
        now = self._clock.now()
        key = (source_id, subject.symbol)
        with self._lock:
            state = self._states[source_id]
            asked_at = self._asked_at.get(key)
            is_fresh = asked_at is not None and (now - asked_at).total_seconds() < self.every_s
            is_paused = state.paused_until is not None and now < state.paused_until
            if is_paused or (is_fresh and not is_forced) or state.waiting >= MOST_WAITING:
                return False
            self._asked_at[key] = now
            self._states[source_id] = replace(state, waiting=state.waiting + 1)
        return True

    def _fetch(self, source_id: str, subject: NewsSubject) -> None:
        """Ask one source and keep what is new; on the source's lane."""
        asked_at = self._clock.now()
        try:
            self._note(source_id, last_asked_at=asked_at)
            found = self._sources[source_id].fetch(subject, self._since(source_id, subject.symbol))
            self._keep(found)
        except QuarterdeckError as error:
            log.warning("no news about %s: %s", subject.symbol, error.message)
            pause_s = error.retry_after_s if isinstance(error, SourceBusy) else 0.0
            until = self._clock.now() + timedelta(seconds=pause_s) if pause_s else None
            self._note(
                source_id, last_error=error.message, last_error_at=self._clock.now(),
                paused_until=until,
            )  # fmt: skip
        else:
            self._note(
                source_id, last_answer_at=self._clock.now(), last_error="", last_error_at=None,
                paused_until=None,
            )  # fmt: skip
        finally:
            with self._lock:
                state = self._states[source_id]
                self._states[source_id] = replace(state, waiting=state.waiting - 1)

    def _note(self, source_id: str, **changes: Any) -> None:
        with self._lock:
            self._states[source_id] = replace(self._states[source_id], **changes)

    def _since(self, source_id: str, symbol: str) -> datetime:
        """A little before the newest that is kept of it, a week ago at first."""
        with self._store.reading() as tx:
            newest = tx.news.select(source=source_id, symbol=symbol, is_descending=True, limit=1)
        oldest = self._clock.now() - RECENT
        return max(newest[0].published_at - OVERLAP, oldest) if newest else oldest

    def _keep(self, items: Sequence[NewsItem]) -> None:
        """Add those that are not kept yet."""
        with self._store.transaction() as tx:
            fresh = {one.id: one for one in items if tx.news.find(one.id) is None}
            tx.news.add(*fresh.values())

    # --- a user's own ---------------------------------------------------------------------------

    def add_own(
        self,
        title: str,
        actor: str,
        *,
        symbol: str = "",
        summary: str = "",
        url: str = "",
        sentiment: float | None = None,
        published_at: datetime | None = None,
    ) -> NewsItem:
        """Keep what a user's own program tells; the same sent again is the same item. Raises
        ConfigError naming the field."""
        now = self._clock.now()
        told_at = now if published_at is None else published_at
        if told_at < now - KEPT:
            raise ConfigError(
                f"News is kept for {KEPT.days} days: this is older.", field="published_at"
            )
        subject = subject_named(symbol).symbol if symbol else ""
        item = news_item(
            OWN, subject, told_at, title, now, summary=summary, url=url, sentiment=sentiment
        )
        if item is None:
            raise ConfigError("A title is missing, or has nothing that can be read.", field="title")
        if url and not item.url:
            raise ConfigError("The address must be one of the web, as https://…", field="url")
        with self._books.writing() as writing:
            kept = writing.tx.news.find(item.id)
            if kept is not None:
                return kept
            writing.tx.news.add(item)
            writing.audit(actor, "news.add", item.id, symbol=subject, title=item.title)
        return item

    # --- housekeeping ---------------------------------------------------------------------------

    def tidy(self) -> None:
        """Drop what is old; blocking, for a thread of its own."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            tx.news.prune(now - KEPT)
        with self._lock:
            self._asked_at = {
                key: at
                for key, at in self._asked_at.items()
                if (now - at).total_seconds() < self.every_s
            }
