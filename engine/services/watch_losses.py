"""Losses of a day and drawdowns, of each bot and of all together by currency: told once.

What is remembered is one setting, written with the alert that it is about. A new best alone is
written once a minute: a crash may forget the best of the last one.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError

from engine.domain.bots import Bot
from engine.domain.losses import (
    Loss,
    LossRules,
    LossTrack,
    Standing,
    begun,
    judge,
    next_day,
    summed,
)
from engine.domain.money import ZERO, text
from engine.domain.periods import midnight_of
from engine.domain.records import Level
from engine.errors import NotFound
from engine.ports import Venues
from engine.services.books import Books
from engine.services.instrument_book import InstrumentBook
from engine.services.track_equity import EquityKeeper

log = logging.getLogger("quarterdeck.losses")

SETTING = "alert_losses"
KEPT_EVERY = timedelta(minutes=1)


class LossBook(BaseModel):
    """What is kept: tracks by bot, and by asset for all together."""

    bots: dict[str, LossTrack] = Field(default_factory=dict)
    totals: dict[str, LossTrack] = Field(default_factory=dict)


Told = tuple[str | None, str, Loss]
"""Whose it is (None: all), in which asset, and what."""

Standings = dict[str, tuple[Bot, str, Standing | None]]
"""Bots with their assets and what they have, None where an open position has no price yet; by id.
"""


class LossWatcher:
    """Judges what ``EquityKeeper`` values; blocking, for a thread of its own. Replays are left
    out: their days are not ours."""

    def __init__(
        self,
        books: Books,
        equity: EquityKeeper,
        instruments: InstrumentBook,
        venues: Venues,
        rules: LossRules,
        zone: ZoneInfo,
    ) -> None:
        self._books = books
        self._equity = equity
        self._instruments = instruments
        self._venues = venues
        self._rules = rules
        self._zone = zone
        self._kept = self._stored = LossBook()
        self._kept_at: datetime | None = None
        self._is_loaded = False

    def check(self) -> None:
        """One round. Raises StoreError, and then nothing counts as told."""
        if not self._is_loaded:
            self._load()
        now = self._books.clock.now()
        today = now.astimezone(self._zone).date()
        standings = self._standings()
        book, told = self._judged(standings, today)
        is_due = self._kept_at is None or abs(now - self._kept_at) >= KEPT_EVERY
        if told or (is_due and book != self._stored):
            with self._books.writing() as writing:
                writing.tx.put_setting(SETTING, book.model_dump_json())
                for bot_id, quote, loss in told:
                    who = "" if bot_id else "All bots together"
                    writing.event(
                        Level.WARNING, f"alert.{loss.kind}", loss.words(who, quote), bot_id,
                        amount=text(loss.amount), quote=quote, fraction=text(loss.fraction),
                        of=text(loss.base), limit=text(loss.limit),
                    )  # fmt: skip
            self._stored, self._kept_at = book, now
        self._kept = book

    def _load(self) -> None:
        with self._books.store.reading() as tx:
            kept = tx.find_setting(SETTING)
        if kept:
            try:
                self._kept = self._stored = LossBook.model_validate_json(kept)
            except ValidationError as error:
                log.error("what was known of losses cannot be read, it begins anew: %s", error)
        self._is_loaded = True

    # --- what everybody has ---------------------------------------------------------------------

    def _standings(self) -> Standings:
        found: Standings = {}
        for bot in list(self._books.bots.values()):
            if self._venues.is_stepped(bot.market):
                continue
            try:
                quote = self._instruments.of(bot).quote
            except NotFound:
                continue
            worth = self._equity.worth(bot)
            is_priced = worth.price is not None or bot.id not in self._books.positions
            standing = Standing(worth.equity, worth.profit) if is_priced else None
            found[bot.id] = (bot, quote, standing)
        return found

    def _at_midnight(self, bot: Bot, day: date) -> Standing:
        """What a bot had when the day began; what it began with where it is younger."""
        midnight = midnight_of(day, self._zone)
        with self._books.store.reading() as tx:
            last = tx.equity.select(bot_id=bot.id, until=midnight, is_descending=True, limit=1)
        if not last:
            return Standing(bot.config.starting_capital, ZERO)
        return Standing(last[0].equity, last[0].realised + last[0].unrealised)

    # --- judging --------------------------------------------------------------------------------

    def _judged(self, standings: Standings, today: date) -> tuple[LossBook, list[Told]]:
        """Everything as it stands now, and what is to be told."""
        book, told = LossBook(), list[Told]()
        for bot_id, (bot, quote, standing) in standings.items():
            track = self._kept.bots.get(bot_id)
            if track is None or track.quote != quote:
                track = begun(quote, today, self._at_midnight(bot, today))
            elif today > track.day:
                track = next_day(track, today, self._at_midnight(bot, today))
            if standing is not None:
                track, losses = judge(track, standing, self._rules)
                told += [(bot_id, quote, loss) for loss in losses]
            book.bots[bot_id] = track
        for quote, members in _by_quote(standings).items():
            told += self._judge_total(book, quote, members)
        return book, told

    def _judge_total(
        self, book: LossBook, quote: str, members: dict[str, Standing | None]
    ) -> list[Told]:
        parts = [book.bots[bot_id] for bot_id in members]
        before = {key: one for key, one in self._kept.bots.items() if one.quote == quote}
        came = _total(book.bots[one].profit for one in members.keys() - before.keys())
        went = _total(before[one].profit for one in before.keys() - members.keys())
        track = summed(self._kept.totals.get(quote), parts, came - went)
        now = [one for one in members.values() if one is not None]
        losses: list[Loss] = []
        if len(now) == len(members):  # else a price is missing: nobody knows the sum
            equity, profit = _total(one.equity for one in now), _total(one.profit for one in now)
            track, losses = judge(track, Standing(equity, profit), self._rules)
        book.totals[quote] = track
        return [(None, quote, loss) for loss in losses] if len(members) > 1 else []


def _by_quote(standings: Standings) -> dict[str, dict[str, Standing | None]]:
    found: dict[str, dict[str, Standing | None]] = defaultdict(dict)
    for bot_id, (_, quote, standing) in standings.items():
        found[quote][bot_id] = standing
    return found


def _total(values: Iterable[Decimal]) -> Decimal:
    return sum(values, ZERO)
