"""An alert on its way: made by the engine's router and by the watcher alike."""

from collections.abc import Callable
from datetime import datetime

from engine.domain.alert_texts import words_of
from engine.domain.alerts import Alert, Channel, Delivery
from engine.domain.quiet_hours import may_go_at


def delivery_of(
    alert: Alert, channel: Channel, zone: str, now: datetime,
    clean: Callable[[str], str] = lambda text: text,
) -> Delivery:  # fmt: skip
    """An alert on its way through a channel, not before the end of its quiet hours. ``clean`` masks
    secrets before the text is cut: half a secret would not be known."""
    cleaned = {"title": clean(alert.title), "text": clean(alert.text)}
    words = words_of(alert.model_copy(update=cleaned), channel.kind, zone)
    return Delivery(
        id=f"{alert.id}:{channel.id}", alert_id=alert.id, channel_id=channel.id,
        channel_name=channel.name, channel_kind=channel.kind, kind=alert.kind,
        level=alert.level, bot_id=alert.bot_id, title=words.title, text=words.text,
        created_at=now, changed_at=now, due_at=may_go_at(channel.quiet, alert.level, now),
    )  # fmt: skip
