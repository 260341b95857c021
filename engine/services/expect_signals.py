"""Signals that do not come, and those that come too often: what is said of either."""

from datetime import datetime, timedelta

from engine.domain.bots import Bot, BotState
from engine.domain.records import Level
from engine.domain.signals import Listener
from engine.errors import ConfigError
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.services.listeners import Listeners, ListenerWriting

LANE = "listeners"
LIMITED_EVERY = timedelta(minutes=1)


class SignalExpectations:
    """Once for each gap it is said that a signal is missing, and once that they come again.

    Time counts while a bot runs and is awake, from the engine's start at the earliest: what came
    while nobody listened cannot be missed.
    """

    def __init__(self, books: Books, listeners: Listeners, lanes: Lanes) -> None:
        self._books = books
        self._listeners = listeners
        self._lanes = lanes
        self._awake_since: dict[str, datetime] = {}
        self._limited_at: dict[str, datetime] = {}
        self._trouble = ""

    async def check(self) -> None:
        """One round. Raises StoreError."""
        if not self._lanes.backlog(LANE):
            await self._lanes.run(LANE, self._check)

    def _check(self) -> None:
        self._ensure()
        now = self._books.clock.now()
        with self._listeners.changing() as change:
            for bot in list(self._books.bots.values()):
                listener = self._listeners.find_listener(bot.id)
                if listener is not None:
                    self._look_at(change, bot, listener, now)

    def _ensure(self) -> None:
        """Every bot that listens has an address; that one cannot be made is said once."""
        try:
            self._listeners.ensure()
        except ConfigError as error:
            if self._trouble != error.message:
                self._trouble = error.message
                with self._books.writing() as writing:
                    words = f"No address for signals can be made: {error.message}"
                    writing.event(Level.ERROR, "signal.no_address", words)

    def _look_at(
        self, change: ListenerWriting, bot: Bot, listener: Listener, now: datetime
    ) -> None:
        """Write down when a bot was heard last, and what is missing."""
        missed_since = self._missed_since(bot, listener, now)
        self._tell_turned_away(change, bot, now)
        after = listener.model_copy(update={"missed_since": missed_since})
        if after != self._listeners.kept(bot.id):
            change.save(after)
        is_looked_after = bot.id in self._awake_since
        if missed_since is not None and listener.missed_since is None:
            change.writing.event(Level.WARNING, "signal.missing", _words(bot, listener), bot.id)
        elif missed_since is None and listener.missed_since is not None and is_looked_after:
            change.writing.event(Level.INFO, "signal.back", "Signals come again.", bot.id)

    def _tell_turned_away(self, change: ListenerWriting, bot: Bot, now: datetime) -> None:
        """Say once a minute how many signals came beyond a bot's rate."""
        since = self._limited_at.get(bot.id)
        if since is not None and now - since < LIMITED_EVERY:
            return
        count = self._listeners.take_turned_away(bot.id)
        if count:
            self._limited_at[bot.id] = now
            words = f"{count} signals were turned away: more came than its settings allow a minute."
            change.writing.event(Level.WARNING, "signal.limited", words, bot.id)

    def _missed_since(self, bot: Bot, listener: Listener, now: datetime) -> datetime | None:
        """Since when a signal is missing, or None."""
        expected_s = bot.config.signals.expect_every_s if bot.config.signals else None
        if expected_s is None or bot.state is not BotState.RUNNING:
            self._awake_since.pop(bot.id, None)
            return None
        since, last = self._awake_since.setdefault(bot.id, now), listener.last_signal_at
        missed = listener.missed_since
        if missed is not None and (last is None or last < missed):
            return missed
        due = max(since, last or since) + timedelta(seconds=expected_s)
        return due if now >= due else None


def _words(bot: Bot, listener: Listener) -> str:
    every_s = bot.config.signals.expect_every_s if bot.config.signals else None
    last = listener.last_signal_at
    heard = (
        "none has come yet" if last is None else f"the last came at {last:%Y-%m-%d %H:%M:%S} UTC"
    )
    return (
        f"A signal is missing: one is expected every {every_s} s, {heard}. Look at its sender and"
        " at the way it takes to here."
    )
