"""Alerts of the fake engine: the real services over memory, a fake vault, notifiers that send
nothing. ``notifiers``, ``vault``, ``hidden`` and ``store`` can be read and set by a test."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.api.alert_desk import AlertDesk
from engine.api.channel_desk import ChannelDesk
from engine.domain.alerts import AlertKind, Channel, Delivery, DeliveryState
from engine.domain.bots import Bot
from engine.domain.records import Level
from engine.errors import ChannelError, Conflict
from engine.ports import Message
from engine.services.books import Books, new_id
from engine.services.channel_links import ChannelLinks
from engine.services.channels import Channels
from engine.services.keep_price_alerts import PriceAlertKeeper
from engine.services.registry import MarketKind, VenueRegistry
from tests.fakes.candle_desk import NowClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.notifier import FakeNotifiers
from tests.fakes.vault import FakeVault


class FakeSender:
    """Sends a test at once and keeps it; what is to be sent again waits."""

    def __init__(self, books: Books, channels: Channels) -> None:
        self._books = books
        self._channels = channels

    def test(self, channel: Channel, actor: str) -> Delivery:
        """As the channel's notifier answers."""
        now, test_id = self._books.clock.now(), f"test-{new_id()}"
        delivery = Delivery(
            id=f"{test_id}:{channel.id}", alert_id=test_id, channel_id=channel.id,
            channel_name=channel.name, channel_kind=channel.kind, kind=AlertKind.MANUAL,
            level=Level.INFO, title="Test", text=f"A test of '{channel.name}'.", attempts=1,
            created_at=now, due_at=now, changed_at=now, is_test=True,
        )  # fmt: skip
        message = Message(delivery.reference, delivery.title, delivery.text, Level.INFO, now)
        try:
            receipt = self._channels.notifier(channel).send(message)
        except ChannelError as error:
            changes: dict[str, Any] = {
                "state": DeliveryState.FAILED, "error": error.message, "answer": error.answer,
            }  # fmt: skip
        else:
            changes = {
                "state": DeliveryState.SENT, "answer": receipt.answer, "sent_at": now,
                "segments": receipt.segments, "provider_id": receipt.provider_id,
            }  # fmt: skip
        delivery = delivery.model_copy(update=changes)
        with self._books.writing() as writing:
            writing.tx.deliveries.add(delivery)
            writing.audit(actor, "channel.test", channel.id, state=str(delivery.state))
        return delivery

    def send_again(self, delivery_id: str, actor: str) -> Delivery:
        """Raises NotFound, Conflict."""
        with self._books.writing() as writing:
            delivery = writing.tx.deliveries.get(delivery_id)
            if delivery.state not in (DeliveryState.FAILED, DeliveryState.UNCERTAIN):
                raise Conflict("It has arrived, or is on its way.")
            again = delivery.model_copy(update={"state": DeliveryState.WAITING, "error": ""})
            writing.tx.deliveries.save(again)
            writing.audit(actor, "delivery.again", delivery_id)
        return again


class FakeAlerts:
    """Both desks over one memory; ``bots`` are those that alerts and channels may be of."""

    def __init__(self, now: Callable[[], datetime], bots: dict[str, Bot] | None = None) -> None:
        clock = NowClock(now)
        self.store = MemoryStore(now)
        self.vault = FakeVault()
        self.notifiers = FakeNotifiers()
        self.hidden: set[str] = set()
        self.books = Books(self.store, clock)
        if bots is not None:
            self.books.bots = bots
        links = ChannelLinks(self.vault, self.notifiers, self.hidden.add)
        self.kept = Channels(self.books, links)
        sender = FakeSender(self.books, self.kept)
        market = SimulatedMarket(7, clock)
        venues = VenueRegistry({"simulated": MarketKind(lambda _id: market, _ids)}, {})
        self.channels = ChannelDesk(self.books, self.kept, sender)
        self.alerts = AlertDesk(
            self.books, self.kept, sender, PriceAlertKeeper(self.books, venues), "UTC"
        )


def _ids() -> Sequence[str]:
    return ["simulated"]
