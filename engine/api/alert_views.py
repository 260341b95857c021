"""Alerts, deliveries and price alerts as they are shown, and what was spent on them."""

from collections.abc import Iterable

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
from engine.domain.sms import size_of
from engine.ports import Transaction
from engine.services.delivery_figures import ChannelFigures


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


def spend_view(
    channel_id: str, name: str, kind: ChannelKind, figures: ChannelFigures
) -> ChannelSpend:
    """What went out through a channel; a cost of nothing is one that nobody has told."""
    return ChannelSpend(
        channel_id=channel_id, channel_name=name, channel_kind=kind,
        sent_today=figures.sent_today, segments_today=figures.segments_today,
        cost_today=figures.cost_today or None, sent_month=figures.sent_month,
        segments_month=figures.segments_month, cost_month=figures.cost_month or None,
    )  # fmt: skip
