"""What gets alerts to people: the outbox, its router and its sender, wired."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from engine.bootstrap_core import Core
from engine.domain.alerts import Channel
from engine.ports import Notifier
from engine.services.alert_rounds import AlertRounds
from engine.services.deliver_alerts import AlertSender
from engine.services.delivery_figures import FigureReader
from engine.services.escalate_alerts import Escalator
from engine.services.outbox import Outbox
from engine.services.route_alerts import AlertRouter
from engine.services.send_rates import SendRates


@dataclass(frozen=True)
class AlertDelivery:
    """``rounds.begin_due`` is a job; ``sender`` sends tests and again; ``figures`` counts."""

    rounds: AlertRounds
    sender: AlertSender
    figures: FigureReader


def build_alert_delivery(
    core: Core,
    loop: asyncio.AbstractEventLoop,
    open_notifier: Callable[[Channel], Notifier],
    clean: Callable[[str], str],
) -> AlertDelivery:
    """Build it, and have it listen to the books; nothing is sent before the first round. ``clean``
    masks secrets in what is told."""
    zone = core.settings.alert_zone
    router = AlertRouter(core.store, core.clock, zone, clean)
    outbox = Outbox(core.books, zone)
    rates = SendRates(MovingWindowRateLimiter(MemoryStorage()))
    rates.recall(outbox, core.clock.now())
    sender = AlertSender(core.books, outbox, open_notifier, rates)
    escalator = Escalator(core.store, core.clock, router)
    rounds = AlertRounds(router, escalator, outbox, sender, core.lanes, loop)
    core.books.listen(rounds.nudge)
    return AlertDelivery(rounds, sender, FigureReader(core.store, core.clock))
