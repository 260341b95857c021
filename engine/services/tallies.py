"""What the gateway counts: orders of the last minute, and what an account has traded today."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import inf

from engine.domain.accounts import HOUSE
from engine.domain.limits import MINUTE_S, Pace
from engine.domain.money import ZERO
from engine.domain.orders import REDUCING, Order
from engine.ports import Clock, Store

SENT = ("account_id", "bot_id", "client_id", "purpose", "created_at", "sent_at")
TRADED = ("account_id", "bot_id", "client_id", "quote", "price", "quantity")
LOOK_BACK = timedelta(minutes=10)
"""How long before a start an order may have been planned that was sent in its last minute."""


@dataclass
class Traffic:
    """The last minute's orders of a bot or an account: sent, of these the exits, and wanted."""

    sent: Pace = field(default_factory=Pace)
    exits: Pace = field(default_factory=Pace)
    wanted: Pace = field(default_factory=Pace)

    def count_sent(self, client_id: str, now_s: float, *, is_reducing: bool) -> None:
        """An order is sent; one that is sent again counts again."""
        self.sent.add((client_id, now_s), now_s)
        if is_reducing:
            self.exits.add((client_id, now_s), now_s)

    def sent_before(self, order: Order, now_s: float) -> int:
        """How many count against an order: against an exit, only exits."""
        return (self.exits if order.is_reducing else self.sent).count(now_s)


@dataclass
class DayBook:
    """What an account has traded on a UTC day, by quote, and what it has at work, in full.

    ``working`` holds orders as (quote, value) until they are done and their fills tell more.
    """

    day: date
    traded: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    working: dict[str, tuple[str, Decimal]] = field(default_factory=dict)

    def turn_to(self, day: date) -> None:
        """At midnight what was traded begins at zero; what is at work still counts."""
        if day > self.day:
            self.day = day
            self.traded.clear()

    def total(self, quote: str) -> Decimal:
        """Traded today and at work."""
        at_work = (value for unit, value in self.working.values() if unit == quote)
        return self.traded.get(quote, ZERO) + sum(at_work, ZERO)

    def settle(self, store: Store, still_working: Iterable[str]) -> None:
        """Count orders that are done by their fills. Raises StoreError."""
        done = set(self.working).difference(still_working)
        if not done:
            return
        with store.reading() as tx:
            rows = tx.fills.values("quote", "price", "quantity", client_id=done)
        for quote, price, quantity in rows:
            self.traded[quote] += price * quantity
        for client_id in done:
            del self.working[client_id]


@dataclass
class Tally:
    """All that is counted of one account; its lock is held by whoever counts.

    ``seen`` is the quote asset and the last price of each symbol.
    """

    day: DayBook
    account: Traffic = field(default_factory=Traffic)
    bots: defaultdict[str, Traffic] = field(default_factory=lambda: defaultdict(Traffic))
    rejections: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    seen: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Tallies:
    """The tallies of all accounts, taken up again at a start."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tallies: dict[str, Tally] = {}

    def of(self, account_id: str) -> Tally:
        """An account's tally."""
        tally = self._tallies.get(account_id)
        if tally is None:
            fresh = Tally(DayBook(self._clock.now().date()))
            tally = self._tallies.setdefault(account_id, fresh)
        return tally

    def all(self) -> dict[str, Tally]:
        """Every tally there is."""
        return dict(self._tallies)

    def load(self, undone: Sequence[str]) -> None:
        """Count what was sent in the minute and traded on the day before a start; ``undone`` are
        the client ids of orders that are not done. Raises StoreError."""
        now, now_s = self._clock.now(), self._clock.monotonic()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self._store.reading() as tx:
            since = now - LOOK_BACK
            recent = [*tx.orders.values(*SENT, since=since),
                      *tx.orders.values(*SENT, until=since, client_id=undone)]  # fmt: skip
            fills = tx.fills.values(*TRADED, since=midnight)
        for account_id, bot_id, client_id, purpose, created_at, sent_at in sorted(
            recent, key=lambda row: (row[-1] or row[-2], row[-2])
        ):
            tally = self.of(account_id)
            wanted_s, sent_s = _age_s(created_at, now), _age_s(sent_at, now)
            for traffic in (tally.account, tally.bots[bot_id]):
                if wanted_s < MINUTE_S:
                    traffic.wanted.add(client_id, now_s - wanted_s)
                if sent_s < MINUTE_S:
                    traffic.count_sent(client_id, now_s - sent_s, is_reducing=purpose in REDUCING)
        for account_id, bot_id, client_id, quote, price, quantity in fills:
            day = self.of(account_id).day
            if bot_id != HOUSE and client_id not in day.working:
                day.traded[quote] += price * quantity


def _age_s(moment: datetime | None, now: datetime) -> float:
    """Never negative, for the machine's time may have been set back; endless for never."""
    return inf if moment is None else max(0.0, (now - moment).total_seconds())
