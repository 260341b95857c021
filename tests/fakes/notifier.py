"""A provider whose answers are scripted, the notifier that sends by it, and a maker of notifiers
that show what they were made of."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.domain.alerts import Channel, ChannelKind
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure
from engine.ports import Message, Receipt


@dataclass(frozen=True)
class Arrival:
    """A message that a person has got; ``provider_id`` is what the provider calls it."""

    channel_id: str
    message: Message
    provider_id: str


@dataclass
class FakeProvider:
    """Remembers what arrived. ``script`` is taken from, one a send, before anything is well:

    ``busy``, ``refused``, ``unsure-before`` (not taken), ``unsure-after`` (taken), ``broken``
    (raises what no notifier may), ``ok``. Channels in ``hanging`` wait for ``released``.
    It lists a message after ``lateness`` looks at it; channels in ``blind`` find nothing, nor
    does any without ``can_find``. ``before_send`` and ``after_send`` may raise, as the death of
    the engine there.
    """

    arrivals: list[Arrival] = field(default_factory=list)
    script: deque[str] = field(default_factory=deque)
    finds: deque[str] = field(default_factory=deque)
    retry_after_s: float = 0.0
    segments: int = 0
    lateness: int = 0
    can_find: bool = True
    hanging: set[str] = field(default_factory=set)
    blind: set[str] = field(default_factory=set)
    sends: Counter[str] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)
    before_send: Callable[[], None] | None = None
    after_send: Callable[[], None] | None = None
    released: threading.Event = field(default_factory=threading.Event)
    is_hanging: threading.Event = field(default_factory=threading.Event)

    def open(self, channel: Channel) -> "FakeNotifier":
        """A notifier of a channel."""
        return FakeNotifier(self, channel.id)

    def texts(self, channel_id: str = "") -> list[str]:
        """What arrived, in its order: of one channel, or of all."""
        return [one.message.text for one in self.arrivals
                if channel_id in ("", one.channel_id)]  # fmt: skip

    def references(self, channel_id: str = "") -> list[str]:
        """The same by reference."""
        return [one.message.reference for one in self.arrivals
                if channel_id in ("", one.channel_id)]  # fmt: skip

    def take(self, channel_id: str, message: Message) -> Receipt:
        """A message arrives."""
        arrival = Arrival(channel_id, message, f"p{len(self.arrivals) + 1}")
        self.arrivals.append(arrival)
        return Receipt(arrival.provider_id, "queued", self.segments)


class FakeNotifier:
    """Implements ``Notifier``."""

    def __init__(self, provider: FakeProvider, channel_id: str) -> None:
        self._provider = provider
        self._channel_id = channel_id
        self.can_find = provider.can_find and channel_id not in provider.blind

    def send(self, message: Message) -> Receipt:
        """As the script says."""
        provider = self._provider
        provider.sends[message.reference] += 1
        if provider.before_send is not None:
            provider.before_send()
        step = provider.script.popleft() if provider.script else "ok"
        if step == "busy":
            raise ChannelBusy("The provider is busy.", answer="503",
                              retry_after_s=provider.retry_after_s)  # fmt: skip
        if step == "refused":
            raise ChannelRefused("The number is wrong: correct it.", answer="21211")
        if step == "unsure-before":
            raise ChannelUnsure("No answer came.")
        if step == "broken":
            raise ValueError("a fault of the notifier")
        if self._channel_id in provider.hanging:
            provider.is_hanging.set()
            provider.released.wait(60)
        receipt = provider.take(self._channel_id, message)
        if provider.after_send is not None:
            provider.after_send()
        if step == "unsure-after":
            raise ChannelUnsure("No answer came.")
        return receipt

    def find(self, message: Message) -> Receipt | None:
        """By the reference."""
        provider = self._provider
        if not self.can_find:
            raise NotImplementedError
        step = provider.finds.popleft() if provider.finds else "ok"
        if step == "busy":
            raise ChannelBusy("The provider is busy.")
        if step == "refused":
            raise ChannelRefused("The token is refused: make a new one.")
        if step == "broken":
            raise ValueError("a fault of the notifier")
        provider.looks[message.reference] += 1
        for one in provider.arrivals:
            is_it = (one.channel_id, one.message.reference) == (self._channel_id, message.reference)
            if is_it and provider.looks[message.reference] > provider.lateness:
                return Receipt(one.provider_id, "delivered", provider.segments)
        return None

    def verify(self) -> str:
        """Always well."""
        return "The provider knows you."


@dataclass
class OpenNotifier:
    """Implements ``Notifier``, showing what it was made of. ``refusal`` is raised instead of
    sending; ``verdict`` is what its provider says of the credentials."""

    kind: ChannelKind
    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    verdict: str = "The credentials are right."
    refusal: ChannelError | None = None
    sent: list[Message] = field(default_factory=list)
    can_find: bool = False

    def send(self, message: Message) -> Receipt:
        """Remember it."""
        self._refuse()
        self.sent.append(message)
        return Receipt(provider_id=f"fake-{len(self.sent)}", answer="accepted", segments=1)

    def find(self, message: Message) -> Receipt | None:
        """Nothing is ever looked up."""
        raise NotImplementedError

    def verify(self) -> str:
        """What a test has put there."""
        self._refuse()
        return self.verdict

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal


class FakeNotifiers:
    """Implements ``Notifiers``; ``made`` are those that were made, the newest last. ``refusal`` is
    what all of them answer."""

    def __init__(self) -> None:
        self.made: list[OpenNotifier] = []
        self.refusal: ChannelError | None = None

    def make(
        self, kind: ChannelKind, settings: Mapping[str, str], secrets: Mapping[str, str]
    ) -> OpenNotifier:
        """A new one each time."""
        self.made.append(OpenNotifier(kind, settings, secrets, refusal=self.refusal))
        return self.made[-1]

    @property
    def sent(self) -> list[Message]:
        """What went out through any of them."""
        return [message for one in self.made for message in one.sent]
