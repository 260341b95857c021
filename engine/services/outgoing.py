"""An alert as its provider gets it."""

from engine.domain.alert_texts import LONGEST, cut
from engine.domain.alerts import ChannelKind, Delivery
from engine.ports import Message


def message_of(delivery: Delivery, others: frozenset[str] = frozenset()) -> Message:
    """What goes out: the same words at every try. The text of an SMS is all of it."""
    is_sms = delivery.channel_kind is ChannelKind.SMS
    return Message(
        reference=delivery.reference, title="" if is_sms else delivery.title,
        text=cut(delivery.text, LONGEST[delivery.channel_kind]), level=delivery.level,
        written_at=delivery.created_at, is_first=delivery.attempts == 1, others=others,
    )  # fmt: skip
