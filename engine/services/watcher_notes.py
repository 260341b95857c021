"""What a watcher knows, in memory and in its file."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.domain.watch_outbox import WatcherState
from engine.errors import DataError

if TYPE_CHECKING:  # the ports bring pandas and numba with them, and a watcher is small
    from engine.ports import Clock
    from engine.ports.watchers import WatcherFile

log = logging.getLogger("quarterdeck.watcher")


class WatcherNotes:
    """The state and its file. Thread-safe.

    What cannot be written is kept in memory and written with the next change: a full disk, of which
    the engine may have died, keeps no alarm back.
    """

    def __init__(self, file: "WatcherFile", clock: "Clock") -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.RLock()
        self._state = WatcherState()
        self._written_s = float("-inf")
        self._is_behind = False

    @property
    def state(self) -> WatcherState:
        """As it is now."""
        return self._state

    def load(self) -> None:
        """What the watcher before this one knew; a file that cannot be read is begun anew."""
        try:
            kept = self._file.read() or WatcherState()
        except DataError as error:
            log.error("%s It is begun anew.", error.message)
            kept = WatcherState()
        started = {"started_at": self._clock.now(), "watch": kept.watch.after_restart()}
        self.change(lambda _state: kept.model_copy(update=started))

    def change(self, how: Callable[[WatcherState], WatcherState]) -> WatcherState:
        """Change it, durably; nothing is written where nothing is changed."""
        with self._lock:
            changed = how(self._state)
            if changed != self._state or self._is_behind:
                self._state = changed
                self._write(is_durable=True)
            return self._state

    def beat(self, how: Callable[[WatcherState], WatcherState]) -> WatcherState:
        """Change what the next watcher can do without; written now and then, with the time."""
        with self._lock:
            self._state = how(self._state)
            if self._clock.monotonic() - self._written_s >= self._state.rules.beat_s:
                self._write(is_durable=False)
            return self._state

    def _write(self, *, is_durable: bool) -> None:
        self._written_s = self._clock.monotonic()
        self._state = self._state.model_copy(update={"seen_at": self._clock.now()})
        try:
            self._file.write(self._state, is_durable=is_durable)
        except DataError as error:
            if not self._is_behind:
                log.error("%s The watcher goes on from memory.", error.message)
            self._is_behind = True
        else:
            self._is_behind = False
