"""Signals as the inbox keeps them, and an actor over a room."""

import asyncio
from datetime import timedelta
from typing import Any, Protocol

from engine.domain.bots import Bot
from engine.domain.messages import read_message
from engine.domain.signals import Signal, SignalConfig, SignalSource
from engine.ports import Store
from engine.services.act_on_signals import Counsellor, SignalActor
from engine.services.books import Books
from engine.services.candle_feed import PriceBoard
from engine.services.conclude import Concluder
from engine.services.conclude_signal import SignalConcluder
from engine.services.controls import Controls
from engine.services.lanes import Lanes
from engine.services.order_desk import OrderDesk
from tests.fakes.clock import FakeClock


class Engine(Protocol):
    """What an actor needs of a room."""

    clock: FakeClock
    store: Store
    venues: Any
    books: Books
    controls: Controls
    desk: OrderDesk

    @property
    def bot(self) -> Bot:
        """Its one bot."""
        ...


class SignalRoom:
    """Sends signals to a room's bot and acts on them, each ``act`` in an event loop of its own.

    ``kept`` adds a signal without acting on it; ``last`` is the newest row.
    """

    def __init__(self, room: Engine, counsellor: Counsellor | None = None) -> None:
        self.room = room
        self.counsellor = counsellor
        self.lanes = Lanes()
        self.prices = PriceBoard()
        self.count = 0
        self.last_id = ""

    def listen(self, **changes: Any) -> None:
        """Let the bot listen; ``changes`` are those of its other settings."""
        config = self.room.bot.config
        changed = config.model_copy(update={"signals": SignalConfig(), **changes})
        with self.room.books.writing() as writing:
            writing.save_bot(self.room.bot.id, config=changed)

    def concluder(self) -> SignalConcluder:
        """What decides, anew."""
        room = self.room
        return SignalConcluder(
            room.books, room.desk, Concluder(room.books, room.desk, room.controls), room.venues,
            self.prices,
        )  # fmt: skip

    def actor(self, retry_s: float = 0.0) -> SignalActor:
        """Everything anew, as after a start."""
        return SignalActor(
            self.room.books, self.concluder(), self.lanes, self.counsellor, retry_s=retry_s
        )

    def kept(self, body: str, **changes: Any) -> str:
        """A signal in the inbox, received now; its id."""
        self.count += 1
        self.last_id = f"signal{self.count:04d}"
        fields: dict[str, Any] = {
            "id": self.last_id, "source": SignalSource.WEBHOOK, "sender": self.room.bot.id,
            "digest": self.last_id, "bot_id": self.room.bot.id, "body": body,
            "received_at": self.room.clock.now() + timedelta(milliseconds=self.count),
            "order": read_message(body).order,
        }  # fmt: skip
        signal = Signal(**(fields | changes))
        self.last_id = signal.id
        with self.room.store.transaction() as tx:
            tx.signals.add(signal)
        return signal.id

    def act(self, *signal_ids: str) -> None:
        """Begin these in this order, and wait for all that follows."""

        async def run() -> None:
            actor = self.actor()
            for signal_id in signal_ids:
                actor.begin(signal_id)
            await actor.settled()

        asyncio.run(run())

    def recover(self) -> None:
        """What a start does."""

        async def run() -> None:
            actor = self.actor()
            await actor.recover(lambda signal: actor.begin(signal.id))
            await actor.settled()

        asyncio.run(run())

    def send(self, body: str, **changes: Any) -> Signal:
        """Keep a signal and act on it; what became of it."""
        self.act(self.kept(body, **changes))
        return self.last

    def row(self, signal_id: str) -> Signal:
        """A signal as it stands."""
        with self.room.store.reading() as tx:
            return tx.signals.get(signal_id)

    @property
    def last(self) -> Signal:
        """The newest one."""
        return self.row(self.last_id)

    def close(self) -> None:
        """End the lanes."""
        self.lanes.close()
