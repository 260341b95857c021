"""Telling people: one notifier for each channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from engine.domain.alerts import ChannelKind
from engine.domain.records import Level


@dataclass(frozen=True)
class Message:
    """What to send. ``reference`` is the same whenever the same message is tried again;
    ``written_at`` is when it was first due, aware UTC. ``is_first``: nothing of it can have been
    sent before. ``others``: the provider's ids of other messages through the channel since then:
    one of the same words is not this one."""

    reference: str
    title: str
    text: str
    level: Level
    written_at: datetime
    is_first: bool = False
    others: frozenset[str] = frozenset()

    @property
    def plain(self) -> str:
        """Title and text as they are read where neither is shown apart, as in an SMS."""
        title, text = self.title.strip(), self.text.strip()
        if not text or title == text:
            return title
        return text if not title or text.startswith(title) else f"{title}\n{text}"


@dataclass(frozen=True)
class Receipt:
    """What the provider answered when it took the message. ``cost`` in US dollars, if it tells."""

    provider_id: str
    answer: str
    segments: int = 0
    cost: Decimal | None = None


class Notifier(Protocol):
    """A way to one person or chat. Calls block, each for at most ``TIMEOUT_S`` or so."""

    can_find: bool
    """Whether ``find`` can tell if a message has arrived."""

    def send(self, message: Message) -> Receipt:
        """Send once; never again by itself.

        Raises ChannelRefused when the provider refuses for good (a wrong number, a revoked
        token): the sentence says what to do; ChannelBusy when nothing was sent and it may go
        later; ChannelUnsure when it was sent and no answer says what became of it.
        """
        ...

    def find(self, message: Message) -> Receipt | None:
        """What became of a message that was sent and not answered; None: it is not there, so
        that it may be sent again. Providers list a message some seconds after they took it.

        Raises ChannelBusy or ChannelRefused when that cannot be told now; NotImplementedError
        unless ``can_find``.
        """
        ...

    def verify(self) -> str:
        """Ask the provider about the credentials, sending nothing; its answer in a sentence.

        Raises ChannelRefused or ChannelBusy.
        """
        ...


class Notifiers(Protocol):
    """Makes notifiers."""

    def make(
        self, kind: ChannelKind, settings: Mapping[str, str], secrets: Mapping[str, str]
    ) -> Notifier:
        """Raises ConfigError for what cannot be used."""
        ...
