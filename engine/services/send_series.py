"""Time series out: a thread of its own reads what the books have kept and has it stored elsewhere.

Nothing in the engine waits for it or knows of it. What could not be delivered is read again: the
books are the buffer, so an outage of days costs no memory and loses nothing that is still kept.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from engine.domain.records import Level
from engine.errors import QuarterdeckError, SinkError
from engine.ports import SeriesSink
from engine.services.books import Books
from engine.services.series_sources import Batch, Delivered, Mark, Source

log = logging.getLogger("quarterdeck.series")

SETTING = "series.delivered"
MOST_BATCHES = 20
"""Of one source in one round: after an outage the others are not kept waiting."""

LONGEST_PAUSE_S = 300.0
PATIENCE = timedelta(minutes=1)
"""A round that takes longer waits for a server that neither answers nor gives up."""

NO_ANSWER = "The time-series database accepts connections and does not finish its answers."


@dataclass
class SeriesState:
    """How delivery goes; read by whoever likes."""

    delivered: int = 0
    refused: int = 0
    failures: int = 0
    is_down: bool = False
    delivered_at: datetime | None = None


class SeriesSender:
    """``begin_due`` begins a round when it is time for one, and returns at once. ``target`` tells
    one bucket from another: a new one is given all that there is.

    A round's thread is a daemon: a server that hangs keeps no engine from ending.
    """

    def __init__(
        self,
        books: Books,
        sink: SeriesSink,
        sources: Sequence[Source],
        target: str,
        every_s: float,
        start: Callable[[Callable[[], None]], threading.Thread] | None = None,
    ) -> None:
        self._books = books
        self._sink = sink
        self._sources = sources
        self._target = target
        self._every_s = every_s
        self._start = start or _thread
        self.state = SeriesState()
        self._delivered = self._kept = Delivered(target="")
        self._round: threading.Thread | None = None
        self._begun_at = books.clock.now()
        self._next_s = 0.0
        self._is_closed = False

    # --- on the event loop ------------------------------------------------------------------------

    def begin_due(self) -> bool:
        """Begin a round if one is due. Whether one has run for too long, and nobody was told."""
        if self._round is not None and self._round.is_alive():
            is_long = self._books.clock.now() - self._begun_at > PATIENCE
            return is_long and not self.state.is_down
        clock = self._books.clock
        if not self._is_closed and clock.monotonic() >= self._next_s:
            self._next_s = clock.monotonic() + self._every_s
            self._begun_at = clock.now()
            self._round = self._start(self.deliver)
        return False

    def close(self) -> None:
        """Begin nothing, read nothing and write nothing any more; what a round under way is sending
        is left to end by itself."""
        self._is_closed = True
        if self._round is None or not self._round.is_alive():
            self._sink.close()

    # --- on a thread ------------------------------------------------------------------------------

    def tell_no_answer(self) -> None:
        """Say that a round takes too long. Raises StoreError."""
        self._tell_down(NO_ANSWER)

    def deliver(self) -> None:
        """One round: all that waits, in batches. What fails is tried again, less and less often."""
        try:
            self._deliver()
        except SinkError as error:
            self._pause(error.retry_after_s)
            self._quietly(self._tell_down, error.message)
        except QuarterdeckError as error:
            self._pause(0.0)
            log.warning("time series wait: %s", error.message)
        except Exception:
            self._pause(0.0)
            log.exception("time series could not be read; they are tried again")
        else:
            self.state.failures = 0
            self._quietly(self._tell_back)

    def _deliver(self) -> None:
        if not self._delivered.target:
            self._delivered = self._kept = self._load()
        try:
            for source in self._sources:
                if not self._is_closed:
                    self._deliver_source(source)
        finally:
            self._keep()

    def _deliver_source(self, source: Source) -> None:
        for _ in range(MOST_BATCHES):
            mark = self._delivered.marks.get(source.name, Mark())
            with self._books.store.reading() as tx:  # and is over before anything is sent
                batch = source.next(tx, mark)
            self._put(source, batch)
            if batch.is_last or self._is_closed:
                break
        mark = self._delivered.marks[source.name]
        if mark.unsettled:
            with self._books.store.reading() as tx:
                batch = source.settled(tx, mark)
            self._put(source, batch)

    def _put(self, source: Source, batch: Batch) -> None:
        """Have a batch stored, and remember that it is."""
        if batch.points:
            refused = self._sink.write(batch.points)
            self.state.delivered += len(batch.points) - refused
            self.state.delivered_at = self._books.clock.now()
            if refused:
                self.state.refused += refused
                log.warning(
                    "the time-series database refused %d points of %s for good: they may be older"
                    " than it keeps any",
                    refused, source.name,
                )  # fmt: skip
        source.confirm(batch)
        marks = self._delivered.marks | {source.name: batch.mark}
        self._delivered = Delivered(target=self._target, marks=marks)

    def _keep(self) -> None:
        """Write down how far delivery has come, if it has come any further."""
        if self._delivered != self._kept and not self._is_closed:
            with self._books.store.transaction() as tx:
                tx.put_setting(SETTING, self._delivered.model_dump_json())
            self._kept = self._delivered

    def _load(self) -> Delivered:
        with self._books.store.reading() as tx:
            kept = tx.find_setting(SETTING)
        try:
            found = Delivered.model_validate_json(kept or "")
        except ValidationError:
            found = Delivered(target="")
        return found if found.target == self._target else Delivered(target=self._target)

    def _pause(self, asked_s: float) -> None:
        self.state.failures += 1
        growing_s = self._every_s * 2.0 ** min(self.state.failures, 16)
        pause_s = max(asked_s, min(growing_s, LONGEST_PAUSE_S))
        self._next_s = self._books.clock.monotonic() + pause_s

    def _tell_down(self, words: str) -> None:
        if self.state.is_down or self._is_closed:
            return
        with self._books.writing() as writing:
            message = f"Time series are not delivered: {words} They wait in the database."
            writing.event(Level.WARNING, "series.down", message)
        self.state.is_down = True

    def _tell_back(self) -> None:
        if not self.state.is_down or self._is_closed:
            return
        with self._books.writing() as writing:
            writing.event(Level.INFO, "series.back", "Time series are delivered again.")
        self.state.is_down = False

    def _quietly(self, tell: Callable[..., None], *words: str) -> None:
        try:
            tell(*words)
        except QuarterdeckError as error:
            log.warning("an event about time series could not be kept: %s", error.message)


def _thread(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call, name="series", daemon=True)
    thread.start()
    return thread
