"""The candle library of the fake engine: the real services over memory and a source that obeys."""

import shutil
import tempfile
import threading
import uuid
import weakref
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from engine.adapters.candles.text_reader import TextReader
from engine.api.candle_desk import CandleDesk
from engine.ports import Store
from engine.services.books import Books
from engine.services.candle_downloads import CandleDownloads, Patience
from engine.services.candle_imports import CandleImports
from engine.services.candle_sources import CandleSources, SourceKind
from tests.fakes.candle_library import MemoryLibrary
from tests.fakes.candle_source import FakeCandleSource
from tests.fakes.memory_store import MemoryStore

HASTY = Patience(first_wait_s=0.001, flush_s=0.0)


class NowClock:
    """Implements ``Clock`` by a function."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now

    def monotonic(self) -> float:
        """Seconds of the same time: nobody sets it."""
        return self.now().timestamp()


class FakeCandles(CandleDesk):
    """Implements ``CandleServices``. ``library`` and ``source`` can be read and set by a test;
    ``join`` waits for what runs in the background."""

    def __init__(
        self, now: Callable[[], datetime], *, store: Store | None = None,
        library: MemoryLibrary | None = None, source: FakeCandleSource | None = None,
    ) -> None:  # fmt: skip
        clock = NowClock(now)
        self.store = store or MemoryStore(now)
        self.books = Books(self.store, clock)
        self.library = library or MemoryLibrary()
        self.source = source or FakeCandleSource()
        folder = Path(tempfile.gettempdir()) / f"fake-candles-{uuid.uuid4().hex}"  # made if needed
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._threads: list[threading.Thread] = []
        sources = CandleSources(
            {
                "ccxt": SourceKind(
                    lambda _: self.source, {"ccxt:fake": "Fake exchange"}, "invented prices",
                    ("1h", "1d"),
                ),
                "alpaca": SourceKind(
                    lambda _: self.source, {"alpaca": "Alpaca"}, "stocks", ("1d",), "a key",
                ),
            }
        )  # fmt: skip
        self.runs = CandleDownloads(self.books, self.library, sources, self._spawn, HASTY)
        imports = CandleImports(folder, self.library, TextReader(), clock)
        super().__init__(self.books, self.library, imports, self.runs, sources)

    def _spawn(self, _lane: str, call: Callable[[], None]) -> None:
        thread = threading.Thread(target=call, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Until all runs have ended."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a download does not end"
