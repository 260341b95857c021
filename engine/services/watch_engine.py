"""Looks at the engine, round after round, and says what is to be told of it."""

import logging
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.domain.make_delivery import delivery_of
from engine.domain.watch_outbox import (
    Glimpse,
    WatcherState,
    addressed,
    put,
)
from engine.domain.watching import (
    Beat,
    Seen,
    Sight,
    Told,
    Watch,
    WatchRules,
    alert_of,
    judge_silence,
    over,
    step,
)
from engine.errors import StoreError
from engine.services.watcher_notes import WatcherNotes

if TYPE_CHECKING:  # the ports bring pandas and numba with them, and a watcher is small
    from engine.ports import Clock
    from engine.ports.watchers import Heartbeats, Records

log = logging.getLogger("quarterdeck.watcher")

COPIED_EVERY_S = 30.0
STORED = {"patience_s": "watcher_patience_s", "again_h": "watcher_again_h", "zone": "alert_zone"}
"""The rules by the names of their settings, as the panel may have changed them."""


class EngineWatcher:
    """One round at a time. ``rules`` are those of the environment."""

    def __init__(
        self, notes: WatcherNotes, heartbeats: "Heartbeats", records: "Records", clock: "Clock",
        rules: WatchRules,
    ) -> None:  # fmt: skip
        self._notes = notes
        self._heartbeats = heartbeats
        self._records = records
        self._clock = clock
        self._rules = rules
        self._round_s: float | None = None
        self._copied_s = float("-inf")

    @property
    def rules(self) -> WatchRules:
        """Those in force."""
        return self._notes.state.rules

    def begin(self) -> None:
        """Before the first round: the rules, and a copy of the channels where they can be read."""
        self._notes.change(lambda state: state.model_copy(update={"rules": self._rules}))
        self._look_up()

    def round(self) -> Told | None:
        """Look once; what was written down to be told, if anything."""
        beat = self._heartbeats.ask(self.rules.timeout_s)
        is_due = self._clock.monotonic() - self._copied_s >= COPIED_EVERY_S
        glimpse = self._look_up() if beat.reason or is_due else None
        seen, stopped_term = self._judge(beat, glimpse)
        now_s, now = self._clock.monotonic(), self._clock.now()
        passed_s = 0.0 if self._round_s is None else now_s - self._round_s
        self._round_s = now_s
        known = self._notes.state.watch.model_copy(update={"stopped_term": stopped_term})
        watch, told = step(known, seen, passed_s, now, self.rules)
        is_news = watch.steady_since != self._notes.state.watch.steady_since
        if is_news:
            _log(seen)
        if told is not None:
            self._notes.change(lambda state: self._told(state, watch, told))
        elif is_news:
            self._notes.change(lambda state: state.model_copy(update={"watch": watch}))
        else:
            self._notes.beat(lambda state: state.model_copy(update={"watch": watch}))
        return told

    def _judge(self, beat: Beat, glimpse: Glimpse | None) -> tuple[Seen, int | None]:
        if not beat.reason:
            return Seen(sight=Sight.WELL), None
        if beat.is_answer:
            return Seen(sight=Sight.DOWN, reason=beat.reason), None
        last = glimpse.last if glimpse is not None else None
        sight, term = judge_silence(self._notes.state.watch, last)
        lost = "" if glimpse is not None else ", and its database cannot be read"
        return Seen(sight=sight, reason=f"{beat.reason}{lost}"), term

    def _told(self, state: WatcherState, watch: Watch, told: Told) -> WatcherState:
        """The message of each channel is written with the incident, in one."""
        incident, now = watch.incident, self._clock.now()
        if incident is None:
            raise ValueError(f"'{told}' is told of an incident")
        alert = alert_of(incident, told, now, watch.steady_since or now)
        channels = addressed(state, incident) if told is Told.BACK else state.listening
        made = [delivery_of(alert, one, state.rules.zone, now) for one in channels]
        names = ", ".join(f"'{one.name}'" for one in channels) or "nobody: no channel tells it"
        log.warning("%s: %s - to be told to %s", alert.title, alert.text, names)
        left = over(watch) if told is Told.BACK else watch
        return put(state.model_copy(update={"watch": left}), made)

    def _look_up(self) -> Glimpse | None:
        """Read the database, and keep a copy of what is needed of it when it is gone."""
        self._copied_s = self._clock.monotonic()
        try:
            glimpse = self._records.read()
        except StoreError as error:
            why = error.message
            if why != self._notes.state.unreadable:
                log.warning("%s The watcher uses its copy of the channels.", why)
            self._notes.change(lambda state: state.model_copy(update={"unreadable": why}))
            return None
        copied = {
            "channels": tuple(glimpse.channels), "rules": self._stored(glimpse), "unreadable": "",
        }  # fmt: skip
        self._notes.change(lambda state: state.model_copy(update=copied))
        return glimpse

    def _stored(self, glimpse: Glimpse) -> WatchRules:
        found = {
            name: glimpse.settings[key] for name, key in STORED.items() if key in glimpse.settings
        }
        try:
            return WatchRules.model_validate({**self._rules.model_dump(), **found})
        except ValidationError:
            log.warning("settings that were changed in the panel cannot be used: %s", found)
            return self._rules


def _log(seen: Seen) -> None:
    if seen.sight is Sight.WELL:
        log.info("the engine answers")
    elif seen.sight is Sight.STOPPED:
        log.info("the engine was stopped on purpose")
    else:
        log.warning("the engine is not there: %s", seen.reason)
