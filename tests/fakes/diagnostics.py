"""Diagnostics of the fake services: checks that a test sets, packed as the real ones are."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from engine.api.diagnostics_desk import DiagnosticsDesk
from engine.domain.diagnostics import Area, Check, check_of
from engine.domain.venue_accounts import Grade
from engine.errors import StoreError
from engine.services.books import Books
from engine.services.bundle import Bundle
from engine.services.diagnose import Diagnostics, Probe
from tests.fakes.machine import FakeMachine
from tests.fakes.memory_store import MemoryStore
from tests.fakes.news_desk import NewsClock

WELL = (
    check_of(Area.ENGINE, "Heartbeat", Grade.OK, "0.4 s ago"),
    check_of(Area.DATABASE, "Write", Grade.OK, "0.3 ms to be durable"),
    check_of(Area.CHANNELS, "Channels", Grade.WARNING, "none: nobody is told <b>", "Add one."),
)
DEEP = check_of(Area.BROKERS, "Main: Clock", Grade.FAILED, "7.00 s ahead of it", "Set the time.")


class FakeDiagnostics:
    """``checks`` is what a look finds, ``deep`` more of a thorough one; ``is_down``: the database
    refuses."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.checks: list[Check] = list(WELL)
        self.deep: list[Check] = [DEEP]
        self.is_down = False
        clock = NewsClock(now)
        books = Books(MemoryStore(), clock)
        self.desk = DiagnosticsDesk(
            Diagnostics(clock, FakeMachine(), (self._probes,)),
            Bundle(books, Path("nowhere"), lambda: {"log_level": "INFO"}, lambda text: text),
        )

    def _probes(self, is_deep: bool) -> Iterator[Probe]:
        if self.is_down:
            raise StoreError("The database is locked.")
        yield Probe(Area.ENGINE, "All", lambda: [*self.checks, *(self.deep if is_deep else ())])
