"""The real engine, with a test's hand on what surrounds it: clock, brokers, exchange, patience.

``python -m tests.support.faulty_engine`` runs what ``python -m engine run`` does. The file
``clock`` in its data folder says by how many seconds the machine's time is wrong. While the file
``hang`` is there, brokers of accounts that have "hung" in their name answer nobody.
``FAULTY_EXCHANGE_URL`` is where public prices are asked for, ``FAULTY_BUSY_S`` how long a write
waits for other programs.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from functools import partial, wraps
from pathlib import Path
from typing import Any, cast

import apscheduler.schedulers.base
import psutil

import engine.adapters.clock.system
import engine.adapters.store.store
from engine import bootstrap, bootstrap_venues
from engine.adapters.market_data import ccxt_streams
from engine.adapters.store.store import SqlStore
from engine.ports import Broker, Clock, MarketData
from engine.services.registry import VenueRegistry
from engine.settings import load_settings
from tests.support.processes import Copy, copy_of_quarterdeck

CLOCK_READERS = (
    engine.adapters.clock.system, engine.adapters.store.store, apscheduler.schedulers.base,
)  # fmt: skip
"""All of the engine's process that asks the machine for the time of day."""


class Faulty:
    """A test's side: a copy whose engine runs under ``main`` below."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        self._data = copy.place.data

    def set_clock(self, seconds: float) -> None:
        """Let the machine's time be wrong by so much from now on."""
        fresh = self._data / "clock.new"
        fresh.write_text(str(seconds), "utf-8")
        fresh.replace(self._data / "clock")

    def hang(self) -> None:
        """Brokers of "hung" accounts stop answering."""
        (self._data / "hang").touch()

    def is_hanging(self) -> bool:
        """Whether a call waits for an answer."""
        return (self._data / "hang.waiting").exists()

    def release(self) -> None:
        """They answer again, calls that wait included."""
        (self._data / "hang").unlink()

    @contextmanager
    def refused_writes(self) -> Iterator[None]:
        """No file of the engine may grow past its first byte: every write fails, as on a disk
        that is full or was mounted read-only by the system after an error."""
        assert self.copy.engine is not None
        process = psutil.Process(self.copy.engine.pid)
        _, most = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (1, most))
        try:
            yield
        finally:
            process.rlimit(psutil.RLIMIT_FSIZE, (most, most))


@contextmanager
def faulty_engine(data: Path, **variables: str) -> Iterator[Faulty]:
    """A copy over ``data`` that can be tampered with, nothing started yet."""
    with copy_of_quarterdeck(data, **variables) as copy:
        copy.engine_command = ("tests.support.faulty_engine",)
        yield Faulty(copy)


def hangable(data: Path) -> type[VenueRegistry]:
    """The registry of venues, some of whose brokers hang on demand."""

    class Venues(VenueRegistry):
        def broker(self, account_id: str, market: MarketData) -> Broker:
            broker = super().broker(account_id, market)
            if "hung" not in account_id:
                return broker
            return cast(Broker, Hangable(broker, data / "hang"))

    return Venues


class Hangable:
    """A broker whose calls wait for as long as ``flag`` is there, and are carried out then."""

    def __init__(self, broker: Broker, flag: Path) -> None:
        self._broker = broker
        self._flag = flag

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._broker, name)
        return _waiting(found, self._flag) if callable(found) else found


def _waiting(call: Callable[..., Any], flag: Path) -> Callable[..., Any]:
    @wraps(call)
    def waits(*args: Any, **kwargs: Any) -> Any:
        while flag.exists():
            flag.with_suffix(".waiting").touch()
            time.sleep(0.02)
        return call(*args, **kwargs)

    return waits


def market_at(url: str) -> type[ccxt_streams.CcxtStreamingMarket]:
    """The market of an exchange that is somewhere else and soon counts as silent."""

    class Market(ccxt_streams.CcxtStreamingMarket):
        def __init__(self, market_id: str, clock: Clock) -> None:
            super().__init__(market_id, clock, base_url=url, timeout_ms=1000)

    return Market


def wrong_clock(path: Path) -> type[datetime]:
    """``datetime`` whose ``now`` is off by the seconds that the file says."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            off_s = float(path.read_text("utf-8")) if path.exists() else 0.0
            return datetime.now(tz) + timedelta(seconds=off_s)

    return Wrong


def main() -> int:
    """Run the engine until it is asked to stop."""
    settings = load_settings()
    for module in CLOCK_READERS:
        vars(module)["datetime"] = wrong_clock(settings.data / "clock")
    vars(bootstrap_venues)["VenueRegistry"] = hangable(settings.data)
    if url := os.environ.get("FAULTY_EXCHANGE_URL"):
        vars(ccxt_streams)["CcxtStreamingMarket"] = market_at(url)
    if patience_s := os.environ.get("FAULTY_BUSY_S"):
        hasty = staticmethod(partial(SqlStore.open, busy_timeout_s=float(patience_s)))
        SqlStore.open = hasty  # type: ignore[method-assign]
    return bootstrap.run_engine(settings)


if __name__ == "__main__":
    sys.exit(main())
