"""When a market is open: its sessions in UTC, and what can be asked of them. Pure.

A timetable knows a stretch of time only; it is made anew long before that ends.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.domain.instruments import Instrument, InstrumentKind

ALWAYS = "24/7"
FOREX = "forex"
BY_KIND = {
    InstrumentKind.CRYPTO: ALWAYS,
    InstrumentKind.FOREX: FOREX,
    InstrumentKind.STOCK: "XNYS",
}
"""The hours of an instrument that names none."""

BY_CURRENCY = {
    "AUD": "XASX", "CAD": "XTSE", "CHF": "XSWX", "DKK": "XCSE", "EUR": "XETR", "GBP": "XLON",
    "GBX": "XLON", "HKD": "XHKG", "INR": "XBOM", "JPY": "XTKS", "NOK": "XOSL", "PLN": "XWAR",
    "SEK": "XSTO", "SGD": "XSES", "ZAR": "XJSE",
}  # fmt: skip
"""And of a share that names none: of the exchange where shares are paid in that. Those of the
countries with the euro keep the same hours."""

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Session:
    """One stretch in which is traded: [opens, closes), aware UTC. ``note`` says what is unusual
    about it: ``closes early``."""

    opens: datetime
    closes: datetime
    note: str = ""


@dataclass(frozen=True)
class Timetable:
    """The sessions of a market, oldest first, none overlapping another.

    ``zone`` is the IANA name of its local time, ``holidays`` the names of weekdays without a
    session, ``known_until`` where the sessions end: nothing is said of later moments.
    ``is_always_open`` needs no sessions. ``turns`` are moments within sessions, oldest first, at
    which not everything is traded on.
    """

    code: str
    zone: str = "UTC"
    sessions: tuple[Session, ...] = ()
    holidays: Mapping[date, str] = field(default_factory=dict)
    known_until: datetime | None = None
    is_always_open: bool = False
    turns: tuple[datetime, ...] = ()
    _opens: tuple[datetime, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_opens", tuple(one.opens for one in self.sessions))

    def session_at(self, moment: datetime) -> Session | None:
        """The session in which ``moment`` lies, if any. None, too, for a market always open."""
        place = bisect_right(self._opens, moment) - 1
        if place < 0 or moment >= self.sessions[place].closes:
            return None
        return self.sessions[place]

    def last_session(self, moment: datetime) -> Session | None:
        """The newest session that had opened by ``moment``."""
        place = bisect_right(self._opens, moment) - 1
        return self.sessions[place] if place >= 0 else None

    def is_open(self, moment: datetime) -> bool:
        """Whether is traded at ``moment``. A moment that the timetable does not know is open:
        whether an order is taken is the venue's to say then."""
        if self.is_always_open or (self.known_until is not None and moment >= self.known_until):
            return True
        return self.session_at(moment) is not None

    def next_open(self, moment: datetime) -> datetime | None:
        """The first opening later than ``moment``; None when none is known."""
        place = bisect_right(self._opens, moment)
        return self._opens[place] if place < len(self._opens) else None

    def next_close(self, moment: datetime) -> datetime | None:
        """The first close later than ``moment``; None when none is known."""
        place = max(bisect_right(self._opens, moment) - 1, 0)
        for session in self.sessions[place : place + 2]:
            if session.closes > moment:
                return session.closes
        return None

    def has_turn(self, start: datetime, end: datetime) -> bool:
        """Whether a turn lies in [start, end]."""
        place = bisect_left(self.turns, start)
        return place < len(self.turns) and self.turns[place] <= end

    def between(self, start: datetime, end: datetime) -> tuple[Session, ...]:
        """The sessions of which some part lies in [start, end)."""
        first = max(bisect_right(self._opens, start) - 1, 0)
        last = bisect_right(self._opens, end)
        return tuple(
            one for one in self.sessions[first:last] if one.closes > start and one.opens < end
        )

    def why_closed(self, moment: datetime) -> str:
        """In words, as ``XNYS is closed (Thanksgiving Day)``; for moments outside of sessions."""
        local = moment.astimezone(ZoneInfo(self.zone))
        day = local.date()
        if day in self.holidays:
            why = self.holidays[day]
        elif day.weekday() >= SATURDAY:
            why = "weekend"
        else:
            why = self._why_closed_on_weekday(moment, local)
        return f"{self.code} is closed ({why})"

    def _why_closed_on_weekday(self, moment: datetime, local: datetime) -> str:
        """Outside of the hours of a day that has some; after an early close that is the reason."""
        before = self.last_session(moment)
        if before is not None:
            is_same_day = before.closes.astimezone(local.tzinfo).date() == local.date()
            if is_same_day and before.note:
                return before.note
        following = self.next_open(moment)
        if following is not None:
            ahead = following.astimezone(local.tzinfo).date() - local.date()
            if ahead > timedelta(days=1) and local.weekday() == SATURDAY - 1:
                return "weekend"
        return "outside its hours"


ALWAYS_OPEN = Timetable(ALWAYS, is_always_open=True)


def calendar_of(instrument: Instrument) -> str:
    """The code of an instrument's hours: its own, or that of its kind, of a share's currency."""
    if instrument.calendar:
        return instrument.calendar
    usual = BY_KIND[instrument.kind]
    is_share = instrument.kind is InstrumentKind.STOCK
    return BY_CURRENCY.get(instrument.quote, usual) if is_share else usual
