"""Alerts in words, as long as each kind of channel takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.domain.alerts import Alert, AlertKind, ChannelKind
from engine.domain.sms import plain, shortened, size_of

K = AlertKind

LONGEST: Mapping[ChannelKind, int] = {
    ChannelKind.SMS: 1_600,
    ChannelKind.TELEGRAM: 4_096,
    ChannelKind.EMAIL: 20_000,
    ChannelKind.DISCORD: 2_000,
    ChannelKind.APPRISE: 1_000,
}
"""Letters of title and text together, by what the providers document; of Apprise's services many
take no more."""
MARGIN = 40
"""Left for what a notifier puts around title and text."""

MOST_SEGMENTS = 5
WHOLE = (K.MANUAL, K.SUMMARY_6H, K.SUMMARY_DAILY, K.SUMMARY_WEEKLY)
"""Told whole by SMS as well; everything else is cut to one segment, or to two of UCS-2."""


@dataclass(frozen=True)
class Words:
    """What goes out."""

    title: str
    text: str


def words_of(alert: Alert, kind: ChannelKind, zone: str) -> Words:
    """An alert for a channel. The text of an SMS is all of it: its title is not sent."""
    if kind is ChannelKind.SMS:
        return Words(alert.title, _short(alert, zone))
    moment = f"\n{_told(alert.time, zone, '%Y-%m-%d %H:%M:%S')} {zone}"
    room = LONGEST[kind] - MARGIN - len(alert.title) - len(moment)
    return Words(alert.title, cut(alert.text, room) + moment)


def clock_of(moment: datetime, zone: str) -> str:
    """Hours and minutes."""
    return _told(moment, zone, "%H:%M")


def cut(text: str, most: int) -> str:
    """``text``, with an ellipsis for what is too much."""
    return text if len(text) <= most else text[: max(most - 1, 0)].rstrip() + "…"


def sms_text(text: str, segments: int) -> str:
    """``text`` as an SMS takes it, cut to so many segments; to twice as many where a segment holds
    70 letters instead of 160."""
    written = plain(text)
    return shortened(written, segments if size_of(written).is_gsm else 2 * segments)


def _short(alert: Alert, zone: str) -> str:
    whole = f"{clock_of(alert.time, zone)} {alert.title}: {alert.text}"
    return sms_text(whole, MOST_SEGMENTS if alert.kind in WHOLE else 1)


def _told(moment: datetime, zone: str, form: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime(form)
