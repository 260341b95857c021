"""The outbox with everything it needs: a store, a hand-turned clock, a scripted provider."""

from collections.abc import Sequence
from typing import Any

from engine.domain.alerts import Alert, AlertKind, Channel, ChannelKind, Delivery, DeliveryState
from engine.domain.records import Event, Level
from engine.ports import Store
from engine.services.books import Books
from engine.services.deliver_alerts import AlertSender
from engine.services.delivery_figures import FigureReader
from engine.services.escalate_alerts import Escalator
from engine.services.outbox import Outbox
from engine.services.route_alerts import AlertRouter
from tests.fakes.clock import START, FakeClock
from tests.fakes.notifier import FakeProvider

PHONE, MAIL = "ch-phone", "ch-mail"
EVERYTHING = tuple(AlertKind)


class OpenRates:
    """As many messages as there are; ``allowed`` once set, so many and no more."""

    def __init__(self) -> None:
        self.allowed: int | None = None

    def take(self, _channel: Channel, _channels: Sequence[Channel]) -> bool:
        """Count down."""
        if self.allowed is None:
            return True
        self.allowed -= 1
        return self.allowed >= 0


def channel(id: str = PHONE, **changes: Any) -> Channel:
    """A channel that tells everything, one message each."""
    fields: dict[str, Any] = {
        "id": id, "name": id.removeprefix("ch-").title(), "kind": ChannelKind.TELEGRAM,
        "kinds": EVERYTHING, "digest_above": 1_000, "most_per_minute": 600,
        "created_at": START, "updated_at": START,
    }  # fmt: skip
    return Channel(**(fields | changes))


class AlertRoom:
    """One engine after another over one store and one provider."""

    def __init__(self, store: Store, clock: FakeClock | None = None) -> None:
        self.store = store
        self.clock = clock or FakeClock()
        self.provider = FakeProvider()
        self.rates = OpenRates()
        self.chance = 1.0
        self.restart()

    def restart(self) -> None:
        """What a crash and a start leave: everything in memory made anew."""
        self.books = Books(self.store, self.clock)
        self.books.load()
        self.router = AlertRouter(self.store, self.clock, "UTC")
        self.escalator = Escalator(self.store, self.clock, self.router)
        self.outbox = Outbox(self.books, "UTC")
        self.sender = AlertSender(
            self.books, self.outbox, self.provider.open, self.rates, lambda: self.chance
        )
        self.figures = FigureReader(self.store, self.clock)

    def add(self, *channels: Channel) -> None:
        """Insert channels."""
        with self.store.transaction() as tx:
            tx.channels.add(*channels)

    def change(self, channel_id: str, **changes: Any) -> None:
        """Edit a channel."""
        with self.store.transaction() as tx:
            tx.channels.save(tx.channels.get(channel_id).model_copy(update=changes))

    def delete(self, channel_id: str) -> None:
        """Remove a channel."""
        with self.store.transaction() as tx:
            tx.channels.delete(channel_id)

    def tell(
        self, message: str = "Something", kind: str = "alert.manual", level: Level = Level.INFO,
        bot_id: str | None = None, **data: Any,
    ) -> Alert:  # fmt: skip
        """Something happens that is an alert."""
        with self.books.writing() as writing:
            writing.event(level, kind, message, bot_id, **data)
        return writing.alerts[0]

    def round(self, after_s: float = 0.0) -> None:
        """Let time pass, then route, escalate and work at every channel."""
        self.clock.advance(after_s)
        while self.router.route():
            pass
        self.escalator.escalate()
        for channel_id in sorted(self.outbox.busy_channels() | self.sender.unwritten_channels()):
            self.sender.work(channel_id)

    def rounds(self, count: int, every_s: float) -> None:
        """Several."""
        for _ in range(count):
            self.round(every_s)

    def deliveries(self, **equals: Any) -> list[Delivery]:
        """The log, oldest first."""
        with self.store.reading() as tx:
            return list(tx.deliveries.select(**equals))

    def states(self, **equals: Any) -> list[DeliveryState]:
        """Only what became of them."""
        return [one.state for one in self.deliveries(**equals)]

    def events(self, kind: str) -> list[Event]:
        """What was recorded of a kind."""
        with self.store.reading() as tx:
            return list(tx.events.select(kind=kind))
