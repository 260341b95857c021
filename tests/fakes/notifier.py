"""Notifiers without a provider: they answer as a test says, and remember what went out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.domain.alerts import ChannelKind
from engine.errors import ChannelError
from engine.ports import Message, Receipt


@dataclass
class FakeNotifier:
    """Implements ``Notifier``. ``refusal`` is raised instead of sending; ``verdict`` is what the
    provider says of its credentials."""

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
        self.made: list[FakeNotifier] = []
        self.refusal: ChannelError | None = None

    def make(
        self, kind: ChannelKind, settings: Mapping[str, str], secrets: Mapping[str, str]
    ) -> FakeNotifier:
        """A new one each time."""
        self.made.append(FakeNotifier(kind, settings, secrets, refusal=self.refusal))
        return self.made[-1]

    @property
    def sent(self) -> list[Message]:
        """What went out through any of them."""
        return [message for one in self.made for message in one.sent]
