"""Many alerts told in one message."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from engine.domain.alert_kinds import WORDS
from engine.domain.alert_texts import LONGEST, MARGIN, clock_of, cut, sms_text
from engine.domain.alerts import DIGEST_PREFIX, Channel, ChannelKind, Delivery
from engine.domain.delivery_rules import SEVERITY
from engine.domain.records import Level

MOST_MEMBERS = 250
"""Told in one message, and written in one transaction; what is beyond them is told in the next."""
MOST_LINES = 20
LONGEST_LINE = 160
SMS_SEGMENTS = 2


def digest_id(channel_id: str, members: Iterable[str]) -> str:
    """Of the digest that tells these deliveries; the same for the same ones."""
    digest = hashlib.sha256("\n".join(sorted(members)).encode()).hexdigest()
    return f"{DIGEST_PREFIX}{digest[:24]}:{channel_id}"


def digest_of(channel: Channel, members: Sequence[Delivery], now: datetime, zone: str) -> Delivery:
    """One message that tells ``members`` (at least two): how many of each kind, then the errors
    and the newest ones, as many as there is room for."""
    worst = max((one.level for one in members), key=SEVERITY.index)
    kinds = Counter(one.kind for one in members)
    name = digest_id(channel.id, (one.id for one in members))
    title = _title(members)
    return Delivery(
        id=name, alert_id=name.partition(":")[0], channel_id=channel.id, channel_name=channel.name,
        channel_kind=channel.kind, kind=kinds.most_common(1)[0][0], level=worst, title=title,
        text=_text(channel.kind, title, members, zone), created_at=now, due_at=now, changed_at=now,
    )  # fmt: skip


def _title(members: Sequence[Delivery]) -> str:
    errors = sum(one.level is Level.ERROR for one in members)
    noun = "error" if errors == 1 else "errors"
    return f"{len(members)} alerts" + (f", {errors} {noun}" if errors else "")


def _text(kind: ChannelKind, title: str, members: Sequence[Delivery], zone: str) -> str:
    kinds = Counter(WORDS[one.kind].title for one in members)
    counts = ", ".join(f"{count} {_lower(words)}" for words, count in sorted(
        kinds.items(), key=lambda one: (-one[1], one[0])))  # fmt: skip
    newest = sorted(members, key=lambda one: (one.created_at, one.id), reverse=True)
    lines = [_line(one, zone) for one in sorted(newest, key=_errors_first)]
    if kind is ChannelKind.SMS:
        return sms_text("\n".join([f"{title}: {counts}", *lines]), SMS_SEGMENTS)
    return _filled(counts, lines, LONGEST[kind] - MARGIN - len(title))


def _filled(counts: str, lines: Sequence[str], room: int) -> str:
    text, told = cut(counts, room // 2), 0
    for line in lines[:MOST_LINES]:
        if len(text) + len(line) + MARGIN > room:
            break
        text, told = f"{text}\n{line}", told + 1
    left = len(lines) - told
    return f"{text}\nand {left} more: see the Alerts page" if left else text


def _line(one: Delivery, zone: str) -> str:
    return cut(f"{clock_of(one.created_at, zone)} {one.title}", LONGEST_LINE)


def _errors_first(one: Delivery) -> bool:
    return one.level is not Level.ERROR


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
