"""Tells those outside that the engine is alive, and only while it is."""

from dataclasses import dataclass
from datetime import datetime

from engine.domain.records import Level
from engine.errors import ChannelError
from engine.ports.watchers import DeadMan, ServiceManager
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.services.vital_signs import VitalSignReader

LANE = "dead-man"


@dataclass
class DeadManState:
    """How the last ping went; ``error`` is empty when it went well."""

    is_set: bool = False
    pinged_at: datetime | None = None
    error: str = ""


class DeadManPings:
    """One ping at a time, on a thread of its own; that it fails is said once."""

    def __init__(
        self, dead_man: DeadMan | None, signs: VitalSignReader, books: Books, lanes: Lanes
    ) -> None:
        self._dead_man = dead_man
        self._signs = signs
        self._books = books
        self._lanes = lanes
        self.state = DeadManState(is_set=dead_man is not None)

    async def ping(self) -> None:
        """One round; nothing while the engine is not well: silence is the message then."""
        if self._dead_man is None or self._lanes.backlog(LANE) or not self._signs.read().is_well:
            return
        await self._lanes.run(LANE, self._ping, self._dead_man)

    def _ping(self, dead_man: DeadMan) -> None:
        before, now = self.state, self._books.clock.now()
        try:
            dead_man.ping()
        except ChannelError as error:
            self.state = DeadManState(True, before.pinged_at, error.message)
        else:
            self.state = DeadManState(True, now)
        if bool(self.state.error) == bool(before.error):
            return
        with self._books.writing() as writing:
            if self.state.error:
                writing.event(Level.WARNING, "deadman.failed", self.state.error)
            else:
                writing.event(Level.INFO, "deadman.back", "The dead-man service is reached again.")


class ManagerWatchdog:
    """Tells the service manager; what it does not hear for too long it starts anew."""

    def __init__(self, manager: ServiceManager, signs: VitalSignReader) -> None:
        self._manager = manager
        self._signs = signs

    @property
    def every_s(self) -> int:
        """Twice within what it waits for, as sd_watchdog_enabled(3) advises; never more than 10."""
        return max(1, min(10, int((self._manager.watchdog_s or 20.0) / 2)))

    async def tell(self) -> None:
        """One round."""
        signs = self._signs.read()
        if signs.is_well:
            self._manager.alive(f"well, heartbeat {signs.beat_age_s:.1f} s ago")
