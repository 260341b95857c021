"""Alerts, deliveries and price alerts as they are shown, and what was spent on them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.contracts.alerts import (
    AlertView,
    ChannelSpend,
    CostView,
    DeliveryView,
    PreviewView,
    PriceAlertView,
    ToldBy,
)
from engine.domain.alert_kinds import WORDS
from engine.domain.alerts import Alert, Channel, ChannelKind, Delivery, PriceAlert
from engine.domain.channel_forms import listed
from engine.domain.delivery_rules import AGAIN
from engine.domain.money import ZERO
from engine.domain.sms import size_of
from engine.ports import Transaction

SPENT_COLUMNS = ("channel_id", "channel_name", "channel_kind", "sent_at", "segments", "cost")


def alert_view(alert: Alert, deliveries: Iterable[Delivery], bot_name: str) -> AlertView:
    """An alert with those of ``deliveries`` that are its own."""
    return AlertView(
        **alert.model_dump(exclude={"data"}),
        kind_title=WORDS[alert.kind].title,
        bot_name=bot_name,
        told_by=tuple(
            ToldBy(
                delivery_id=one.id, channel_id=one.channel_id, channel_name=one.channel_name,
                state=one.state,
            )
            for one in deliveries
            if one.alert_id == alert.id
        ),
    )  # fmt: skip


def delivery_view(delivery: Delivery, bot_name: str) -> DeliveryView:
    """A line of the log."""
    return DeliveryView(
        **delivery.model_dump(),
        bot_name=bot_name,
        kind_title=WORDS[delivery.kind].title,
        can_send_again=delivery.state in AGAIN and not delivery.is_test,
    )


def price_view(alert: PriceAlert, tx: Transaction) -> PriceAlertView:
    """A price alert; its quote asset where the symbol's rules were kept once."""
    instrument = tx.find_instrument(alert.market, alert.symbol)
    state = "disabled"
    if alert.is_enabled:
        state = "armed" if alert.fired_at is None else "fired"
    return PriceAlertView(
        **alert.model_dump(), state=state, quote=instrument.quote if instrument else ""
    )


def preview(text: str, channels: Iterable[Channel]) -> PreviewView:
    """How SMS carry a text, and what it costs through each SMS channel."""
    size = size_of(text)
    costs = []
    for channel in channels:
        if channel.kind is not ChannelKind.SMS:
            continue
        recipients = len(listed(channel.settings.get("to", "")))
        segments = size.segments * recipients
        price = channel.segment_price
        costs.append(
            CostView(
                channel_id=channel.id, channel_name=channel.name, recipients=recipients,
                segments=segments, cost=None if price is None else price * segments,
            )
        )  # fmt: skip
    return PreviewView(
        text=text, characters=len(text), encoding="GSM-7" if size.is_gsm else "UCS-2",
        segments=size.segments, costs=tuple(costs),
    )  # fmt: skip


def spent(
    rows: Sequence[tuple[Any, ...]], channels: Sequence[Channel], now: datetime
) -> tuple[ChannelSpend, ...]:
    """Sums of what was sent today and in this month, in UTC, by channel: those that there are
    first, then those that are gone. ``rows`` have ``SPENT_COLUMNS``."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = today.replace(day=1)
    who: dict[str, tuple[str, Any]] = {one.id: (one.name, one.kind) for one in channels}
    for channel_id, name, kind, *_ in rows:
        who.setdefault(channel_id, (name, kind))
    found = []
    for channel_id, (name, kind) in who.items():
        own = [row[3:] for row in rows if row[0] == channel_id]
        spans = {"today": _sums(own, today), "month": _sums(own, month)}
        if channel_id not in {one.id for one in channels} and not spans["month"]["sent"]:
            continue
        sums = {f"{what}_{span}": value
                for span, of_span in spans.items() for what, value in of_span.items()}  # fmt: skip
        found.append(
            ChannelSpend(channel_id=channel_id, channel_name=name, channel_kind=kind, **sums)
        )
    return tuple(found)


def _sums(rows: Iterable[tuple[Any, ...]], begin: datetime) -> dict[str, Any]:
    """Of ``(sent_at, segments, cost)``; a cost is None where none is known."""
    sent = [row for row in rows if row[0] is not None and row[0] >= begin]
    costs: list[Decimal] = [cost for _, _, cost in sent if cost is not None]
    return {
        "sent": len(sent),
        "segments": sum(segments for _, segments, _ in sent),
        "cost": sum(costs, ZERO) if costs else None,
    }
