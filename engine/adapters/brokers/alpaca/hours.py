"""Whether the stock market is open, by Alpaca's own clock: half-days and holidays included."""

from datetime import datetime
from threading import Lock
from typing import NamedTuple

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.client import AlpacaClient
from engine.adapters.brokers.alpaca.reading import understood
from engine.ports import Clock


class Session(NamedTuple):
    """What /v2/clock says. All times UTC."""

    told_at: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


class MarketHours:
    """Asks once and keeps the answer until the market opens or closes."""

    def __init__(self, client: AlpacaClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: Session | None = None
        self._until_s = 0.0
        self._lock = Lock()

    def ask(self) -> Session:
        """The session as Alpaca tells it now. Raises BrokerUnavailable, AccessDenied."""
        return understood(_session, self._client.ask("/clock"))

    def closed_until(self) -> datetime | None:
        """When the market opens; None while it is open. Raises BrokerUnavailable, AccessDenied."""
        with self._lock:
            known = self._known
            if known is None or self._clock.monotonic() >= self._until_s:
                before_s = self._clock.monotonic()  # the answer is as old as the question at most
                known = self._known = self.ask()
                turn = known.next_close if known.is_open else known.next_open
                self._until_s = before_s + (turn - known.told_at).total_seconds()
        return None if known.is_open else known.next_open


def _session(answer: object) -> Session:
    told = read.row(answer)
    return Session(
        read.moment(told, "timestamp"),
        read.is_set(told, "is_open"),
        read.moment(told, "next_open"),
        read.moment(told, "next_close"),
    )
