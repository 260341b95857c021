"""When the markets of stocks and currencies are open."""

from datetime import datetime
from typing import Protocol

from engine.domain.sessions import Timetable


class Calendars(Protocol):
    """The hours of markets by code: ``24/7``, ``forex``, or an exchange's (``XNYS``, ``XBOM``)."""

    def timetable(self, code: str, since: datetime, until: datetime) -> Timetable:
        """The sessions of which some part lies in [since, until), breaks taken out; may take a
        second. Raises NotFound for a code that nobody knows."""
        ...
