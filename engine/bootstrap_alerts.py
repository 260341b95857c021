"""Alerts: the channels, what gets messages through them, and the desks the API asks by."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.adapters.notify.registry import NotifierRegistry
from engine.api.alert_desk import AlertDesk
from engine.api.channel_desk import ChannelDesk
from engine.bootstrap_core import Core
from engine.bootstrap_delivery import AlertDelivery, build_alert_delivery
from engine.jobs import Job
from engine.ports.chat import Chats
from engine.services.channel_links import ChannelLinks
from engine.services.channels import Channels
from engine.services.keep_price_alerts import PriceAlertKeeper

ROUND_EVERY_S = 1


@dataclass(frozen=True)
class Alerting:
    """The channels, the delivery that works by itself, and the desks; ``links`` and ``chats`` open
    those through which people command the engine."""

    channels: Channels
    links: ChannelLinks
    chats: Chats
    delivery: AlertDelivery
    alert_desk: AlertDesk
    channel_desk: ChannelDesk

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Nothing of it is in the way of a trade: each channel has a lane of its own."""
        return (Job("alerts", ROUND_EVERY_S, self.delivery.rounds.begin_due),)


def build_alerts(
    core: Core,
    loop: asyncio.AbstractEventLoop,
    hide: Callable[[str], None],
    clean: Callable[[str], str],
) -> Alerting:
    """Build it; ``hide`` keeps a secret out of the logs, ``clean`` masks those in a text."""
    settings = core.settings
    notifiers = NotifierRegistry(twilio_url=settings.twilio_url, telegram_url=settings.telegram_url)
    links = ChannelLinks(core.vault, notifiers, hide)
    channels = Channels(core.books, links)
    delivery = build_alert_delivery(core, loop, channels.notifier, clean)
    keeper = PriceAlertKeeper(core.books, core.venues)
    return Alerting(
        channels,
        links,
        notifiers,
        delivery,
        AlertDesk(
            core.books, channels, delivery.sender, keeper, delivery.figures, settings.alert_zone
        ),
        ChannelDesk(core.books, channels, delivery.sender),
    )
