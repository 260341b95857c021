"""What a message cost: as its provider tells, else by its segments."""

from decimal import Decimal

from engine.domain.alerts import Channel, ChannelKind, Delivery
from engine.domain.sms import size_of
from engine.ports import Receipt


def paid(channel: Channel, delivery: Delivery, receipt: Receipt) -> tuple[int, Decimal | None]:
    """Segments and US dollars, of all numbers together; None when nobody tells a price."""
    if channel.kind is not ChannelKind.SMS:
        return receipt.segments, receipt.cost
    numbers = [one for one in channel.settings.get("to", "").split(",") if one.strip()]
    segments = receipt.segments or size_of(delivery.text).segments * max(len(numbers), 1)
    if receipt.cost is not None or channel.segment_price is None:
        return segments, receipt.cost
    return segments, channel.segment_price * segments
