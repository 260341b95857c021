"""What the stand-in keeps: assets, orders, trades, sessions. All readable."""

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

ZERO = Decimal(0)
NEW_YORK = ZoneInfo("America/New_York")
DONE = frozenset({"filled", "canceled", "expired", "rejected"})
ON_THE_WAY = frozenset({"pending_new", "accepted"})
OPENING, CLOSING, LAST_MINUTE = time(9, 30), time(16, 0), time(23, 59)


class Refused(Exception):
    """An answer with an error code, as the service documents it."""

    def __init__(self, status: int, code: int | None, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> dict[str, object]:
        """What the answer says."""
        return {"message": self.message} | ({} if self.code is None else {"code": self.code})


def refused(message: str, status: int = 422, code: int = 42210000) -> Refused:
    """An order that is refused for its form, or (403) for the account."""
    return Refused(status, code, message)


def forbidden(message: str) -> Refused:
    """An order that the account may not give."""
    return Refused(403, 40310000, message)


@dataclass
class Asset:
    """A stock or a pair of crypto, with its price and what of it is on offer (None: all)."""

    symbol: str
    price: Decimal
    is_crypto: bool = False
    is_fractionable: bool = True
    is_tradable: bool = True
    tick: Decimal = Decimal("0.01")
    step: Decimal = Decimal("1e-9")
    least: Decimal = ZERO
    depth: Decimal | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def base(self) -> str:
        """What is held of it."""
        return self.symbol.partition("/")[0]

    @property
    def bid(self) -> Decimal:
        """The best price to sell at."""
        return self.price - self.tick

    @property
    def ask(self) -> Decimal:
        """The best price to buy at."""
        return self.price + self.tick


@dataclass
class Order:
    """One order; ``sibling`` is the other of a pair, ``parent`` set on the second of it."""

    asset: Asset
    client_id: str
    side: str
    type: str
    quantity: Decimal
    lasting: str
    created: datetime
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail_percent: Decimal | None = None
    status: str = "pending_new"
    order_class: str = "simple"
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    best: Decimal = ZERO
    is_triggered: bool = False
    updated: datetime | None = None
    sibling: "Order | None" = None
    is_leg: bool = False
    position_intent: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.side == "buy"

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status not in DONE

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled

    @property
    def has_trigger(self) -> bool:
        """Whether it waits for a price before it works."""
        return self.type in ("stop", "stop_limit", "trailing_stop")

    @property
    def trigger(self) -> Decimal:
        """The price it waits for."""
        if self.trail_percent is not None:
            sign = 1 if self.is_buy else -1
            return self.best * (1 + sign * self.trail_percent / 100)
        return self.stop or ZERO


@dataclass(frozen=True)
class Trade:
    """One execution; ``fee`` is in what was received, and in no answer."""

    order: Order
    price: Decimal
    quantity: Decimal
    fee: Decimal
    cumulative: Decimal
    time: datetime
    id: str


@dataclass
class Sessions:
    """The exchange's days: weekdays from 9:30 to 16:00 in New York, but for ``holidays`` and
    ``early``; every day and all day when it ``never_closes``."""

    holidays: set[date] = field(default_factory=set)
    early: dict[date, time] = field(default_factory=dict)
    never_closes: bool = False

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """When the market opens and closes on a day, or None."""
        if self.never_closes:
            midnight = datetime.combine(day, time(), NEW_YORK)
            return midnight, datetime.combine(day, LAST_MINUTE, NEW_YORK)
        if day.weekday() >= 5 or day in self.holidays:
            return None
        closing = self.early.get(day, CLOSING)
        return (datetime.combine(day, OPENING, NEW_YORK), datetime.combine(day, closing, NEW_YORK))

    def is_open(self, now: datetime) -> bool:
        """Whether stocks trade."""
        if self.never_closes:
            return True
        session = self.on(now.astimezone(NEW_YORK).date())
        return session is not None and session[0] <= now < session[1]

    def next(self, now: datetime, place: int) -> datetime:
        """The next opening (0) or closing (1)."""
        day = now.astimezone(NEW_YORK).date()
        for _ in range(15):
            session = self.on(day)
            if session is not None and session[place] > now:
                return session[place]
            day += timedelta(days=1)
        raise AssertionError("the market stays closed")
