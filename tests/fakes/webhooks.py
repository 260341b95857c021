"""The fake services' door for signals: who has a key comes in.

Its state is plain: ``bots`` by key, ``received`` deliveries by bot id, ``failure`` (the next one
is answered with it).
"""

from engine.domain.bots import Bot
from engine.domain.signals import SignalState
from engine.errors import QuarterdeckError, SignalRefused
from engine.services.inbox import Kept
from engine.services.signal_checks import Delivery


class FakeWebhooks:
    """Implements ``WebhookServices``."""

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}
        self.received: list[tuple[str, Delivery]] = []
        self.failure: QuarterdeckError | None = None

    async def admit(self, key: str) -> Bot:
        """Raises SignalRefused for a key that is not there."""
        if key not in self.bots:
            raise SignalRefused("unknown_key", "Nobody listens at this address.")
        return self.bots[key]

    async def receive(self, bot: Bot, delivery: Delivery) -> Kept:
        """Keep it, as it is."""
        if self.failure is not None:
            raise self.failure
        self.received.append((bot.id, delivery))
        return Kept(f"s{len(self.received):05d}", False, SignalState.RECEIVED, "")
